"""One test for every row of the verdict table (contract.md)."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from labeler.errors import ExitCode
from labeler.pipeline import reconcile
from labeler.types import (
    Compliance,
    CredentialsReport,
    ErrorInfo,
    Label,
    Layers,
    MetadataReport,
    Report,
    State,
    Verdict,
    VisibleReport,
    WatermarkReport,
)

LABEL = Label(producer="acme", produce_id="42")
OTHER = Label(producer="acme", produce_id="43")
PAYLOAD = "14" + LABEL.mark_id

NOTHING = Layers(
    visible=VisibleReport(state=State.ABSENT),
    metadata=MetadataReport(state=State.ABSENT),
    watermark=WatermarkReport(state=State.ABSENT),
    credentials=CredentialsReport(state=State.ABSENT),
)
VISIBLE = VisibleReport(state=State.PRESENT)
WATERMARK = WatermarkReport(state=State.PRESENT, payload=PAYLOAD, mark_id=LABEL.mark_id)


def metadata(value: str = "1", label: Label | None = LABEL, source_type: str = "") -> MetadataReport:
    return MetadataReport(state=State.PRESENT, value=value, label=label, source_type=source_type)


def credentials(**changes: Any) -> CredentialsReport:
    base = CredentialsReport(
        state=State.PRESENT,
        content="intact",
        source_type="trainedAlgorithmicMedia",
        label=LABEL,
        payload=PAYLOAD,
    )
    return dataclasses.replace(base, **changes)


def judge(**found: Any) -> tuple[Verdict, ExitCode]:
    layers = dataclasses.replace(NOTHING, **found)
    pairs = reconcile.consistency(layers)
    report = Report(path="x", verdict=reconcile.verdict(layers, pairs), layers=layers, consistency=pairs)
    return report.verdict, reconcile.exit_code(report)


@pytest.mark.parametrize(
    ("found", "verdict", "code"),
    [
        # contradiction
        ({"watermark": WATERMARK, "metadata": metadata(label=OTHER)}, Verdict.CONFLICT, 1),
        (
            {"watermark": WATERMARK, "credentials": credentials(payload="14" + OTHER.mark_id)},
            Verdict.CONFLICT,
            1,
        ),
        ({"metadata": metadata(), "credentials": credentials(label=OTHER)}, Verdict.CONFLICT, 1),
        (
            {"metadata": metadata(), "credentials": credentials(source_type="digitalCapture")},
            Verdict.CONFLICT,
            1,
        ),
        ({"visible": VISIBLE, "credentials": credentials(source_type="digitalCapture")}, Verdict.CONFLICT, 1),
        # confirmed
        ({"credentials": credentials()}, Verdict.AI_CONFIRMED, 0),
        ({"credentials": credentials(signer="expired")}, Verdict.AI_CONFIRMED, 0),
        ({"watermark": WATERMARK}, Verdict.AI_CONFIRMED, 0),
        ({"metadata": metadata()}, Verdict.AI_CONFIRMED, 0),
        ({"metadata": metadata("", None, "trainedAlgorithmicMedia")}, Verdict.AI_CONFIRMED, 0),
        ({"metadata": metadata(), "credentials": credentials(content="altered")}, Verdict.AI_CONFIRMED, 1),
        (
            {"watermark": WATERMARK, "metadata": metadata(), "credentials": credentials()},
            Verdict.AI_CONFIRMED,
            0,
        ),
        # possible
        ({"metadata": metadata("2")}, Verdict.AI_POSSIBLE, 0),
        ({"metadata": metadata("", None, "algorithmicallyEnhanced")}, Verdict.AI_POSSIBLE, 0),
        # suspected
        ({"metadata": metadata("3")}, Verdict.AI_SUSPECTED, 0),
        ({"visible": VISIBLE}, Verdict.AI_SUSPECTED, 0),
        ({"credentials": credentials(content="altered")}, Verdict.AI_SUSPECTED, 1),
        # nothing
        ({"watermark": WatermarkReport(state=State.CANNOT_TELL)}, Verdict.CANNOT_TELL, 1),
        ({}, Verdict.NO_LABEL_FOUND, 1),
        ({"credentials": credentials(source_type="digitalCapture", label=None)}, Verdict.NO_LABEL_FOUND, 1),
    ],
)
def test_verdict_and_exit_code(found: dict[str, Any], verdict: Verdict, code: int) -> None:
    assert judge(**found) == (verdict, code)


def test_a_camera_manifest_that_was_altered_contradicts_nothing() -> None:
    found = credentials(source_type="digitalCapture", content="altered", label=None)
    assert judge(metadata=metadata(), credentials=found)[0] is Verdict.AI_CONFIRMED


def test_an_unreadable_file_exits_with_the_code_of_its_error() -> None:
    report = Report(
        path="x",
        verdict=Verdict.CANNOT_TELL,
        layers=NOTHING,
        error=ErrorInfo(code="damaged-media", message="", exit_code=7),
    )
    assert reconcile.exit_code(report) == ExitCode.INPUT


def test_a_failed_profile_is_a_negative_verdict() -> None:
    report = Report(
        path="x",
        verdict=Verdict.AI_CONFIRMED,
        layers=NOTHING,
        compliance=Compliance(profile="all", result="fail"),
    )
    assert reconcile.exit_code(report) == ExitCode.NEGATIVE


def test_layers_that_name_no_content_neither_agree_nor_disagree() -> None:
    layers = dataclasses.replace(NOTHING, watermark=WATERMARK, metadata=metadata("1", None))
    assert [pair.result for pair in reconcile.consistency(layers)] == ["unknown"]


def test_a_mark_put_together_from_several_is_a_conflict() -> None:
    assembled = dataclasses.replace(WATERMARK, geometry={"assembled": True})
    assert judge(watermark=assembled)[0] is Verdict.CONFLICT
    whole = dataclasses.replace(WATERMARK, geometry={"assembled": False})
    assert judge(watermark=whole)[0] is Verdict.AI_CONFIRMED
