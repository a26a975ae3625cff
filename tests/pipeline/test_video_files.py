"""Video files through the whole pipeline: every format, all four layers, container layers alone, damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stream_files import CLIPS, clip, stream_digest

import labeler
from labeler import Layer, State, Verdict
from labeler.errors import AlreadyLabelled, DamagedMedia, DependencyMissing, LabelerError, UsageError
from labeler.media.files import open_source
from labeler.media.limits import DEFAULT_LIMITS
from labeler.pipeline.modalities import examine

SIDECAR_ONLY = (".mkv", ".webm", ".ts", ".flv")


@pytest.mark.parametrize("name", CLIPS)
def test_every_format_carries_all_layers_and_they_agree(name: str, tmp_path: Path, home: Path) -> None:
    source, out = clip(tmp_path / name), tmp_path / "out" / name
    result = labeler.label_file(source, out, producer="acme", profile="all", home=home)
    assert result.layers == tuple(Layer)
    report = labeler.verify_file(out, home=home, profile="cn-gb45438")
    assert report.verdict is Verdict.AI_CONFIRMED and report.modality == "video"
    assert {pair.result for pair in report.consistency} == {"agree"}
    assert report.compliance is not None and report.compliance.result == "pass"
    (shown,) = report.layers.visible.evidence
    assert shown.text == "AI生成 · AI-generated" and shown.time is not None and shown.time[1] > 1.8
    assert shown.height_ratio is not None and shown.height_ratio > 0.049
    carrier = "sidecar" if name.endswith(SIDECAR_ONLY) else "embedded"
    assert report.layers.credentials.carrier == carrier
    assert stream_digest(out, "a:0") == stream_digest(source, "a:0")
    before, after = (examine(open_source(path), DEFAULT_LIMITS) for path in (source, out))
    assert np.array_equal(
        before.packets.pts - before.packets.pts[0], after.packets.pts - after.packets.pts[0]
    )


@pytest.mark.parametrize("name", CLIPS)
def test_container_layers_leave_every_track_bit_for_bit(name: str, tmp_path: Path, home: Path) -> None:
    source, out = clip(tmp_path / name, seconds=1), tmp_path / "out" / name
    before = source.read_bytes()
    labeler.label_file(source, out, producer="acme", layers="metadata,credentials", home=home)
    assert source.read_bytes() == before
    for track in ("v:0", "a:0"):
        assert stream_digest(out, track) == stream_digest(source, track)
    report = labeler.verify_file(out, layers="metadata,credentials", home=home)
    assert report.verdict is Verdict.AI_CONFIRMED and report.layers.credentials.content == "intact"


def test_the_two_pieces_of_the_trial_do_not_overlap(tmp_path: Path, home: Path) -> None:
    """A clip a little longer than one piece: the second was to begin within the first, and times went backwards."""
    out = tmp_path / "out.mkv"
    labeler.label_file(
        clip(tmp_path / "a.mkv", seconds=5.2), out, producer="acme", layers="watermark", home=home
    )
    assert labeler.verify_file(out, layers="watermark", home=home).layers.watermark.state is State.PRESENT


def test_labelled_once_is_enough(tmp_path: Path, home: Path) -> None:
    source = clip(tmp_path / "a.mp4")
    marked = {"producer": "acme", "produce_id": "1", "home": home}
    labeler.label_file(source, tmp_path / "b.mp4", **marked, layers="visible,watermark")
    with pytest.raises(AlreadyLabelled, match="watermark of another content"):
        labeler.label_file(tmp_path / "b.mp4", tmp_path / "c.mp4", producer="acme", home=home)
    with pytest.raises(AlreadyLabelled, match="watermark of another content"):
        labeler.label_file(
            tmp_path / "b.mp4", tmp_path / "c.mp4", producer="acme", home=home, layers="metadata,credentials"
        )
    result = labeler.label_file(tmp_path / "b.mp4", tmp_path / "c.mp4", **marked, layers="visible,metadata")
    assert "visible.there" in {note.id for note in result.notes}


@pytest.mark.parametrize(
    ("choice", "error", "words"),
    [
        ({"crf": 60}, UsageError, "--crf 60"),
        ({"preset": "8"}, UsageError, "--preset 8"),
        ({"hardware": "videotoolbox"}, DependencyMissing, "videotoolbox"),
    ],
)
def test_what_the_encoder_has_not_is_told_before_any_frame_is_read(
    choice: dict[str, Any],
    error: type[LabelerError],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = clip(tmp_path / "a.mp4")
    monkeypatch.setattr("labeler.pipeline.video.sample", None)
    with pytest.raises(error, match=words):
        labeler.label_file(source, tmp_path / "b.mp4", producer="acme", layers="visible", **choice)
    assert not (tmp_path / "b.mp4").exists()


def test_damage_is_never_labelled(tmp_path: Path, home: Path) -> None:
    whole = clip(tmp_path / "a.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedMedia):
        labeler.label_file(tmp_path / "cut.mkv", tmp_path / "b.mkv", producer="acme", home=home)
    assert not (tmp_path / "b.mkv").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".labeler-")]
    report = labeler.verify_file(tmp_path / "cut.mkv", home=home)
    assert report.verdict is Verdict.CANNOT_TELL


def test_a_playlist_under_a_video_name_is_refused(tmp_path: Path, home: Path) -> None:
    evil = tmp_path / "evil.mp4"
    evil.write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n")
    report = labeler.verify_file(evil, home=home)
    assert report.error is not None and report.error.exit_code == 7


def test_frames_as_arrays() -> None:
    rng = np.random.default_rng(3)
    import cv2

    scene = cv2.resize(
        rng.integers(0, 255, (60, 90, 3), dtype=np.uint8), (480, 320), interpolation=cv2.INTER_CUBIC
    )
    frames = [np.roll(scene, 3 * index, axis=1) for index in range(40)]
    options = {"producer": "acme", "produce_id": "9"}
    labelled = list(labeler.label_frames(iter(frames), **options))
    assert len(labelled) == 40 and all(frame.shape == scene.shape for frame in labelled)
    report = labeler.verify_frames(labelled, 25)
    assert report.layers.watermark.mark_id == labeler.Label(producer="acme", produce_id="9").mark_id
    assert report.layers.visible.state is State.PRESENT
    assert labeler.verify_frames(frames, 25, layers="visible").layers.visible.state is State.ABSENT
    with pytest.raises(UsageError, match="RGB"):
        next(labeler.label_frames([scene[..., 0]], **options))


def test_the_sound_track_is_marked_too_where_that_is_asked_for(tmp_path: Path, home: Path) -> None:
    import ffmpeg

    from labeler.media import ffmpeg as engine

    source, out = clip(tmp_path / "a.mp4", seconds=6, size="256x192"), tmp_path / "b.mp4"
    result = labeler.label_file(
        source,
        out,
        producer="acme",
        home=home,
        sound_track=True,
        fast=True,
        lang="zh",
        layers="visible,watermark",
    )
    assert result.label is not None and result.sound_track == (Layer.VISIBLE, Layer.WATERMARK)
    whole = labeler.verify_file(out, home=home, quick=True).sound_track
    assert whole is not None and whole.watermark.mark_id == result.label.mark_id
    assert [found.text for found in whole.visible.evidence] == ["本音频由人工智能生成"]
    engine.run(ffmpeg.input(f"file:{out}")["a:0"].output(f"file:{tmp_path / 'track.wav'}"))
    report = labeler.verify_file(tmp_path / "track.wav", home=home)
    assert report.layers.watermark.mark_id == result.label.mark_id
    assert [found.text for found in report.layers.visible.evidence] == ["本音频由人工智能生成"]
    before, after = (examine(open_source(path), DEFAULT_LIMITS) for path in (source, out))
    assert abs(before.info.duration - after.info.duration) < 0.1


def test_sound_that_is_marked_counts_where_the_pictures_are_not(tmp_path: Path, home: Path) -> None:
    import ffmpeg

    from labeler.media import ffmpeg as engine

    source = clip(tmp_path / "a.mp4", seconds=5, size="256x192")
    track = tmp_path / "track.wav"
    engine.run(ffmpeg.input(f"file:{source}")["a:0"].output(f"file:{track}"))
    silent = labeler.verify_file(source, home=home, quick=True)
    assert silent.sound_track is not None and silent.sound_track.watermark.state is State.ABSENT
    marked = labeler.label_file(track, tmp_path / "b.wav", producer="acme", home=home, layers="watermark")
    pictures, sound = ffmpeg.input(f"file:{source}"), ffmpeg.input(f"file:{tmp_path / 'b.wav'}")
    out = ffmpeg.output(
        pictures["v:0"], sound["a:0"], f"file:{tmp_path / 'dubbed.mp4'}", vcodec="copy", map_metadata=-1
    )
    engine.run(out)
    report = labeler.verify_file(tmp_path / "dubbed.mp4", home=home, quick=True)
    assert report.verdict is labeler.Verdict.AI_CONFIRMED and report.layers.watermark.state is State.ABSENT
    assert report.sound_track is not None and marked.label is not None
    assert report.sound_track.watermark.mark_id == marked.label.mark_id


def test_a_short_sound_track_is_not_made_longer_than_the_pictures(tmp_path: Path, home: Path) -> None:
    source, out = clip(tmp_path / "a.mp4", seconds=3, size="256x192"), tmp_path / "b.mp4"
    options = {"producer": "acme", "home": home, "sound_track": True, "fast": True}
    result = labeler.label_file(source, out, **options)
    assert [note.id for note in result.notes if "sound track" in note.detail] == ["visible.impossible"]
    before, after = (examine(open_source(path), DEFAULT_LIMITS) for path in (source, out))
    assert abs(before.info.duration - after.info.duration) < 0.1


def test_the_mark_is_shown_as_long_as_asked_for(tmp_path: Path, home: Path) -> None:
    source = clip(tmp_path / "a.mp4", seconds=4)
    options = {"producer": "acme", "home": home, "layers": "visible"}
    labeler.label_file(source, tmp_path / "b.mp4", visible_seconds=2.4, **options)
    (shown,) = labeler.verify_file(tmp_path / "b.mp4", home=home, layers="visible").layers.visible.evidence
    assert shown.time is not None and shown.time[0] == 0 and abs(shown.time[1] - 2.4) < 0.2
    with pytest.raises(UsageError, match="at least 2 s"):
        labeler.label_file(source, tmp_path / "c.mp4", visible_seconds=1.0, **options)
