"""What a person reads: the headline promises no more than the evidence bears."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from labeler.pipeline.reconcile import consistency
from labeler.report.text import describe_report
from labeler.types import (
    CredentialsReport,
    Evidence,
    Label,
    Layers,
    MetadataReport,
    Report,
    SoundTrack,
    State,
    Verdict,
    VisibleReport,
    WatermarkReport,
)

NOTHING = State.ABSENT
METADATA = MetadataReport(
    state=State.PRESENT, value="1", carrier="xmp", label=Label(producer="acme", produce_id="42")
)


def lines(verdict: Verdict = Verdict.AI_CONFIRMED, **found: Any) -> list[str]:
    layers = Layers(
        visible=VisibleReport(state=NOTHING),
        metadata=found.get("metadata", MetadataReport(state=NOTHING)),
        watermark=found.get("watermark", WatermarkReport(state=NOTHING)),
        credentials=found.get("credentials", CredentialsReport(state=NOTHING)),
    )
    report = Report(
        path="a.png",
        verdict=verdict,
        layers=layers,
        sound_track=found.get("sound"),
        consistency=consistency(layers, found.get("sound")),
    )
    return list(describe_report(report, lambda text, _: text))


def mark(key: str) -> WatermarkReport:
    return WatermarkReport(state=State.PRESENT, mark_id="00" * 7, key_id=key, log10_p=-40.0)


def signed(content: str) -> CredentialsReport:
    return CredentialsReport(state=State.PRESENT, content=content)


@pytest.mark.parametrize(
    ("found", "headline"),
    [
        ({"metadata": METADATA}, "AI-generated (as labelled; anybody can write such a label)"),
        ({"watermark": mark("public-1")}, "AI-generated (as labelled; anybody can write such a label)"),
        ({"watermark": mark("own-1")}, "AI-generated (confirmed)"),
        ({"credentials": signed("intact"), "metadata": METADATA}, "AI-generated (confirmed)"),
        (
            {"credentials": signed("altered"), "watermark": mark("own-1")},
            "labelled AI-generated, and altered after it was signed",
        ),
    ],
)
def test_the_headline_promises_what_the_evidence_bears(found: dict[str, Any], headline: str) -> None:
    assert lines(**found)[0] == f"a.png   {headline}"


def test_a_manifest_of_a_camera_is_shown_though_there_is_no_label() -> None:
    shown = lines(Verdict.NO_LABEL_FOUND, credentials=signed("intact"))
    assert any("content intact" in line for line in shown)


def test_sound_of_another_content_is_told_once() -> None:
    other = dataclasses.replace(mark("own-1"), mark_id="11" * 7)
    sound = SoundTrack(visible=VisibleReport(state=NOTHING), watermark=other)
    rows = [row for row in lines(metadata=METADATA, watermark=mark("own-1"), sound=sound) if "its own" in row]
    assert rows == [
        "  agreement     the sound is marked as 11111111111111, content of its own beside 00000000000000"
    ]


def test_the_sound_track_has_rows_of_its_own() -> None:
    spoken = VisibleReport(state=State.PRESENT, evidence=(Evidence(kind="speech", text="AI", time=(0, 2)),))
    both = lines(sound=SoundTrack(visible=spoken, watermark=mark("own-1")))
    assert [line for line in both if "sound track" in line] == ['  sound track   "AI", at 0:00.0 to 0:02.0']
    assert "AI-generated (confirmed)" in both[0] and any("key own-1" in line for line in both)
    absent = SoundTrack(visible=VisibleReport(state=NOTHING), watermark=WatermarkReport(state=NOTHING))
    shown = lines(metadata=METADATA, sound=absent)
    assert "  sound track   audible mark not found" in shown
    assert any(line.strip() == "watermark not found under the keys here" for line in shown)


def test_a_watermark_is_not_found_under_the_keys_that_were_tried() -> None:
    shown = lines(metadata=METADATA, watermark=WatermarkReport(state=NOTHING))
    assert "  watermark     not found under the keys here" in shown
