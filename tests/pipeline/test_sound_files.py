"""Sound files through the whole pipeline: every format, all four layers, container layers alone, damage."""

from __future__ import annotations

import dataclasses
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stream_files import ROOT, SOUNDS, sound, stream_digest

import labeler
from labeler import Layer, State, Verdict
from labeler.errors import AlreadyLabelled, DamagedMedia, UsageError
from labeler.media.files import open_source
from labeler.media.limits import DEFAULT_LIMITS
from labeler.pipeline import reconcile
from labeler.pipeline.modalities import examine

ALL = tuple(Layer)


@pytest.mark.parametrize("name", SOUNDS)
def test_every_format_carries_all_layers_and_they_agree(name: str, tmp_path: Path, home: Path) -> None:
    source = sound(tmp_path / name)
    before = source.read_bytes()
    result = labeler.label_file(source, tmp_path / "out" / name, producer="acme", profile="all", home=home)
    assert result.layers == ALL
    report = labeler.verify_file(tmp_path / "out" / name, home=home, profile="cn-gb45438")
    assert report.verdict is Verdict.AI_CONFIRMED
    assert {pair.result for pair in report.consistency} == {"agree"}
    assert report.compliance is not None and report.compliance.result == "pass"
    assert [found.text for found in report.layers.visible.evidence] == [
        "本音频由人工智能生成",
        "This audio is AI-generated",
    ]
    assert report.layers.watermark.segments and report.modality == "audio"
    assert source.read_bytes() == before
    if name.endswith((".ogg", ".opus", ".aiff")) or name == "rf64.wav":
        assert (report.layers.credentials.carrier, (tmp_path / "out" / f"{name}.c2pa").exists()) == (
            "sidecar",
            True,
        )
    else:
        assert report.layers.credentials.carrier == "embedded"


@pytest.mark.parametrize("name", SOUNDS)
def test_container_layers_leave_the_sound_bit_for_bit(name: str, tmp_path: Path, home: Path) -> None:
    source = sound(tmp_path / name)
    out = tmp_path / "out" / name
    before = source.read_bytes()
    labeler.label_file(source, out, producer="acme", layers="metadata,credentials", home=home)
    assert source.read_bytes() == before
    assert stream_digest(out, "a:0") == stream_digest(source, "a:0")
    report = labeler.verify_file(out, layers="metadata,credentials", home=home)
    assert report.verdict is Verdict.AI_CONFIRMED and report.layers.credentials.content == "intact"


def test_labelled_once_is_enough(tmp_path: Path, home: Path) -> None:
    source = sound(tmp_path / "a.flac")
    once = tmp_path / "once" / "a.flac"
    labeler.label_file(source, once, producer="acme", home=home)
    with pytest.raises(AlreadyLabelled):
        labeler.label_file(once, tmp_path / "twice.flac", producer="acme", home=home)
    bare = sound(tmp_path / "bare.flac", map_metadata=-1)
    labeler.label_file(
        bare, tmp_path / "marked.flac", producer="acme", produce_id="1", home=home, layers="visible,watermark"
    )
    with pytest.raises(AlreadyLabelled, match="watermark of another content"):
        labeler.label_file(tmp_path / "marked.flac", tmp_path / "b.flac", producer="acme", home=home)
    options = {"producer": "acme", "home": home, "layers": "visible,metadata"}
    with pytest.raises(AlreadyLabelled, match="watermark of another content"):
        labeler.label_file(tmp_path / "marked.flac", tmp_path / "c.flac", **options)
    result = labeler.label_file(tmp_path / "marked.flac", tmp_path / "c.flac", **options, produce_id="1")
    assert "visible.there" in {note.id for note in result.notes}
    assert len(labeler.verify_file(tmp_path / "c.flac", home=home).layers.visible.evidence) == 2


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ({"audible": "rhythm"}, "短长 短短 (Morse: AI)"),
        ({"audible": "rhythm", "audible_mode": "insert"}, "短长 短短 (Morse: AI)"),
        ({"lang": "zh", "audible_place": "end"}, "本音频由人工智能生成"),
        ({"lang": "zh", "audible_place": "1.5", "audible_mode": "insert"}, "本音频由人工智能生成"),
    ],
)
def test_the_audible_mark_stands_where_it_was_asked_for(
    options: dict[str, str], first: str, tmp_path: Path, home: Path
) -> None:
    source = sound(tmp_path / "16.wav")
    out = tmp_path / "out.wav"
    labeler.label_file(source, out, producer="acme", home=home, layers="visible,metadata", **options)
    (found,) = labeler.verify_file(out, home=home, layers="visible").layers.visible.evidence
    assert found.text == first and found.time is not None
    grown = out.stat().st_size - source.stat().st_size > 32_000
    assert grown == (options.get("audible_mode") == "insert")
    place = options.get("audible_place", "start")
    assert (
        (found.time[1] > 5.5)
        if place == "end"
        else (abs(found.time[0] - float(place if place != "start" else 0)) < 0.35)
    )


def test_a_recording_of_ones_own_is_spoken(tmp_path: Path, home: Path) -> None:
    source, own = sound(tmp_path / "16.wav"), sound(tmp_path / "a.mp3", t=1.5)
    out = tmp_path / "out.wav"
    result = labeler.label_file(source, out, producer="acme", home=home, layers="visible", prompt=own)
    assert result.layers == (Layer.VISIBLE,) and "visible.unheard" in {note.id for note in result.notes}
    change = np.frombuffer(out.read_bytes()[-190_000:], "<i2").astype(float) - np.frombuffer(
        source.read_bytes()[-190_000:], "<i2"
    )
    assert np.abs(change[: 2 * 16_000]).max() > 1000 and not np.abs(change[3 * 16_000 :]).any()


def test_a_sound_that_gets_longer_says_so(tmp_path: Path, home: Path) -> None:
    options: dict[str, Any] = {"producer": "acme", "home": home, "layers": "visible"}
    short = labeler.label_file(sound(tmp_path / "a.flac", t=1), tmp_path / "b.flac", **options)
    (note,) = [note for note in short.notes if note.id == "visible.lengthened"]
    before, after = (examine(open_source(tmp_path / name), DEFAULT_LIMITS) for name in ("a.flac", "b.flac"))
    told = float(note.detail.removesuffix(" s longer").rpartition(" ")[2])
    assert told > 0.5 and abs(after.info.duration - before.info.duration - told) < 0.06
    inserted = labeler.label_file(
        sound(tmp_path / "16.wav"), tmp_path / "b.wav", audible_mode="insert", **options
    )
    assert "visible.lengthened" not in {note.id for note in inserted.notes}


def test_a_sound_with_room_for_one_of_two_marks_says_so(tmp_path: Path, home: Path) -> None:
    source = sound(tmp_path / "16.wav")
    options: dict[str, Any] = {"producer": "acme", "home": home, "layers": "visible", "audible_place": "both"}
    for lang, marks in (("en", 2), ("zh", 1)):
        result = labeler.label_file(source, tmp_path / f"{lang}.wav", lang=lang, **options)
        assert ("visible.once" in {note.id for note in result.notes}) == (marks == 1)
        report = labeler.verify_file(tmp_path / f"{lang}.wav", layers="visible")
        assert len(report.layers.visible.evidence) == marks


def test_damage_is_neither_labelled_nor_called_unlabelled(tmp_path: Path, home: Path) -> None:
    whole = sound(tmp_path / "a.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedMedia):
        labeler.label_file(tmp_path / "cut.flac", tmp_path / "b.flac", producer="acme", home=home)
    assert not (tmp_path / "b.flac").exists()
    report = labeler.verify_file(tmp_path / "cut.flac", home=home)
    assert report.verdict is Verdict.CANNOT_TELL and reconcile.exit_code(report) != 0
    labeler.label_file(tmp_path / "a.flac", tmp_path / "marked.flac", producer="acme", home=home)
    marked = (tmp_path / "marked.flac").read_bytes()
    (tmp_path / "part.flac").write_bytes(marked[: int(len(marked) * 0.8)])
    report = labeler.verify_file(tmp_path / "part.flac", home=home)
    assert report.layers.watermark.state is State.PRESENT


def test_pipes_carry_sound(tmp_path: Path, home: Path) -> None:
    data = sound(tmp_path / "a.mp3").read_bytes()
    command = [sys.executable, "-m", "labeler"]
    environment = {**os.environ, "LABELER_HOME": str(home)}
    run = subprocess.run(
        [*command, "label", "--producer", "p", "-", "-o", "-"],
        input=data, capture_output=True, timeout=120, env=environment, cwd=ROOT,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    check = subprocess.run(
        [*command, "verify", "--quick", "--json", "-"],
        input=run.stdout, capture_output=True, timeout=120, env=environment, cwd=ROOT,
    )  # fmt: skip
    assert check.returncode == 0 and b'"ai-confirmed"' in check.stdout


def test_sound_as_arrays_whole_and_block_by_block() -> None:
    from labeler.pipeline.streams import AudioLabeler

    rng = np.random.default_rng(5)
    samples = rng.normal(0, 0.1, (160_000, 2))
    options = {"producer": "acme", "produce_id": "9", "lang": "zh"}
    whole = labeler.label_audio(samples, 16_000, **options)
    assert whole.shape == samples.shape and whole.dtype == samples.dtype
    stream = AudioLabeler(16_000, 2, **options)
    parts = [stream.push(samples[at : at + 7000]) for at in range(0, 160_000, 7000)]
    assert np.allclose(np.concatenate([*parts, stream.flush()]), whole, atol=1e-4)
    report = labeler.verify_audio(whole, 16_000)
    assert report.layers.watermark.mark_id == labeler.Label(producer="acme", produce_id="9").mark_id
    assert report.layers.visible.state is State.PRESENT
    assert labeler.verify_audio(samples, 16_000).verdict is Verdict.NO_LABEL_FOUND
    for wrong in (np.zeros(100, np.int16), np.zeros((2, 3, 4), np.float32), [0.0]):
        with pytest.raises(UsageError):
            labeler.label_audio(wrong, 16_000, **options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"2 x 64000.* samples\.T"):
        labeler.label_audio(np.zeros((2, 64_000), np.float32), 16_000, **options)
    with pytest.raises(UsageError, match="silent"):
        labeler.label_audio(np.zeros(64_000, np.float32), 16_000, layers="watermark", **options)


def test_a_mark_carried_over_from_another_sound_is_a_conflict(tmp_path: Path, home: Path) -> None:
    labeler.label_file(
        sound(tmp_path / "a.flac"), tmp_path / "one.flac", producer="acme", produce_id="1", home=home
    )
    from labeler.metadata import audio as metadata

    report = labeler.verify_file(tmp_path / "one.flac", home=home)
    assert report.label is not None
    other = dataclasses.replace(report.label, produce_id="2", propagate_id="2")
    from labeler.media.files import open_source
    from labeler.media.limits import DEFAULT_LIMITS
    from labeler.pipeline.modalities import probe

    source = open_source(tmp_path / "one.flac")
    target = io.BytesIO()
    with source.open() as file:
        metadata.write(file, target, probe(source, DEFAULT_LIMITS), other)
    (tmp_path / "two.flac").write_bytes(target.getvalue())
    moved = labeler.verify_file(tmp_path / "two.flac", home=home)
    assert moved.verdict is Verdict.CONFLICT and reconcile.exit_code(moved) == 1
