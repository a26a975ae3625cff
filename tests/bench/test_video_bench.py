"""The video bench: its grid, its measures, one clip through one attack, and the false-accept trials."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labeler.bench import video_false_accepts
from labeler.bench.video import Record, by_source, detect, flat_rms, mark, markdown, quality, read_log, vmaf
from labeler.bench.video_attacks import Clip, Footage, cut, decode, encode, load, recode
from labeler.core.keys import PUBLIC_KEY

VIDEOS = Path(__file__).parents[2].parent / "shared" / "data" / "video"
RECORD = Record(
    clip="a",
    tuned=False,
    strength="default",
    size="640x360",
    frames=100,
    scale=1.0,
    grain="fine",
    rms=0.8,
    flat_rms=0.5,
    vmaf=95.0,
    vmaf_loss=0.5,
    growth=4.0,
    embed_ms=0.3,
    detect_s=0.2,
    read={"": True, "H.264 CRF 28": True},
)


@pytest.fixture(scope="module")
def footage() -> Footage:
    rng = np.random.default_rng(5)
    still = np.kron(rng.integers(60, 190, (18, 32)), np.ones((10, 10))).astype(np.uint8)
    frames = np.full((10, 320 * 180 * 3 // 2), 128, np.uint8)
    for index in range(10):
        frames[index, : 320 * 180] = np.roll(still, 2 * index, axis=1).ravel()
    return Footage(frames=frames, width=320, height=180, rate=25.0)


def test_the_grid_has_every_attack_with_both_bars_and_enough_clips() -> None:
    attacks, clips = load()
    assert len({attack.name for attack in attacks}) == len(attacks) == 28
    assert all(0 < attack.bars["default"] <= attack.bars["strong"] <= 1 for attack in attacks)
    assert len({clip.name for clip in clips}) == len(clips) >= 40
    assert [clip.tuned for clip in clips] == sorted(clip.tuned for clip in clips)
    assert sum(clip.tuned for clip in clips) == 6


def test_frames_go_through_an_encoder_and_a_pass(footage: Footage, tmp_path: Path) -> None:
    size = encode(footage, tmp_path / "a.mkv", crf=12)
    assert size == (tmp_path / "a.mkv").stat().st_size > 500
    back = decode(tmp_path / "a.mkv")
    assert (back.width, back.height, back.rate, back.frames.shape) == (320, 180, 25.0, footage.frames.shape)
    assert float(np.abs(back.luma.astype(int) - footage.luma).mean()) < 3
    recode(tmp_path / "a.mkv", tmp_path / "b.mkv", "framestep=2,transpose=1", "h264", 23)
    small = decode(tmp_path / "b.mkv")
    assert (small.width, small.height, len(small.frames)) == (180, 320, 5)


def test_a_marked_clip_is_read_after_delivery(footage: Footage, tmp_path: Path) -> None:
    marked, milliseconds = mark(footage, bytes(range(8)), PUBLIC_KEY, "strong", 1.5)
    assert milliseconds < 50
    assert not np.array_equal(marked.luma, footage.luma)
    assert np.array_equal(marked.frames[:, 320 * 180 :], footage.frames[:, 320 * 180 :])
    encode(marked, tmp_path / "a.mkv", crf=12)
    assert detect(decode(tmp_path / "a.mkv"), PUBLIC_KEY)[0] == bytes(range(8)).hex()


def test_vmaf_falls_with_quality(footage: Footage, tmp_path: Path) -> None:
    encode(footage, tmp_path / "good.mkv", crf=10)
    encode(footage, tmp_path / "bad.mkv", crf=45)
    good, bad = (vmaf(footage, tmp_path / name, tmp_path) for name in ("good.mkv", "bad.mkv"))
    assert 100 >= good > bad + 5


def test_flat_rms_looks_at_flat_static_blocks_only() -> None:
    rng = np.random.default_rng(1)
    before = np.full((11, 160, 320), 100, np.uint8)
    before[:, 80:] = rng.integers(40, 200, (80, 320))
    after = before.copy()
    after[:, :80, ::2] += 1
    after[:, 80:] += 5
    assert flat_rms(before, after) == pytest.approx(0.5**0.5, abs=0.01)
    assert flat_rms(before[:, 80:], after[:, 80:]) is None


def test_the_table_names_what_missed_and_the_numbers(tmp_path: Path) -> None:
    attacks = load()[0][:1]
    other = replace(
        RECORD, clip="b", vmaf_loss=1.5, growth=8.0, flat_rms=None, read={"H.264 CRF 28": False}, wrong=["x"]
    )
    assert quality([RECORD, other])[:3] == [1.0, pytest.approx(1.45), 6.0]
    table = markdown([RECORD, other], attacks, "default")
    assert "| H.264 CRF 28 | 50 % | >= 98 % | b |" in table
    assert "| VMAF loss, mean | 1.00 | <= 0.8 | |" in table
    assert "| wrong payloads | 1 | 0 | |" in table
    assert read_log(tmp_path / "none.jsonl") == []


def test_clips_of_one_source_are_one_column() -> None:
    cuts = [
        replace(RECORD, clip=name, growth=growth, read={"H.264 CRF 28": growth < 9})
        for name, growth in (("lat1 0 s", 4.0), ("lat1 pan 0 s", 10.0), ("lat1 5.5 s", 6.0))
    ]
    assert by_source(cuts, load()[0][:1]).splitlines() == [
        "| clips read | lat1 (2) | lat1 pan (1) |",
        "| --- | --- | --- |",
        "| size of frames | 640x360 | 640x360 |",
        "| VMAF loss | 0.5 | 0.5 |",
        "| size growth % | 5.0 | 10.0 |",
        "| H.264 CRF 28 | 2 | 0 |",
    ]


def test_a_false_accept_trial_is_repeatable() -> None:
    rng = np.random.default_rng(2)
    luma = np.repeat(rng.integers(0, 255, (1, 240, 320), np.uint8), 12, axis=0)
    clip = Clip(name="noise", file="", start=0, filter="", tuned=False)
    one, two = (video_false_accepts.trial(3, clip, luma) for _ in range(2))
    assert replace(one, seconds=0) == replace(two, seconds=0)
    assert one.state in ("absent", "cannot-tell")
    assert "0 accepts in 1 full searches" in video_false_accepts.summary([one])


@pytest.mark.skipif(not VIDEOS.is_dir(), reason="the shared clips are not here")
def test_a_cut_is_four_seconds_of_the_file() -> None:
    clip = next(clip for clip in load()[1] if clip.name == "lat1 pan 0 s")
    footage = cut(VIDEOS, clip)
    assert footage.frames.shape == (100, 640 * 360 * 3 // 2)
    assert footage.rate == 25.0
