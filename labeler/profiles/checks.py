"""The tests that profiles name, and the judgement of a report against a profile."""

from __future__ import annotations

from collections.abc import Callable

from labeler.profiles import CheckRule, Profile
from labeler.types import Check, Compliance, Layers, State
from labeler.visible.wording import has_gb_elements

__all__ = ["judge"]

RHYTHM = "labeler-rhythm"
"""Kind of evidence of the rhythm label, which needs no words (GB 45438-2025 5.3)."""

_Outcome = tuple[str, str]


def judge(layers: Layers, profile: Profile, modality: str) -> Compliance:
    """Judge what was found against a profile: ``fail`` beats ``cannot-tell`` beats ``pass``."""
    checks = []
    for rule in profile.checks:
        if modality not in rule.modalities:
            continue
        result, detail = _TESTS[rule.test](layers, rule)
        checks.append(Check(id=rule.id, clause=rule.clause, result=result, detail=detail))
    results = {check.result for check in checks}
    worst = next((result for result in ("fail", "cannot-tell") if result in results), "pass")
    return Compliance(profile=profile.name, result=worst, checks=tuple(checks))


def _absent(state: State, what: str) -> _Outcome:
    if state in (State.ABSENT, State.NOT_APPLICABLE):
        return "fail", f"no {what} found"
    return "cannot-tell", f"the {what} was not checked"


def _visible_elements(layers: Layers, rule: CheckRule) -> _Outcome:
    visible = layers.visible
    if visible.state is not State.PRESENT:
        return _absent(visible.state, "visible mark")
    for evidence in visible.evidence:
        if has_gb_elements(evidence.text) or evidence.kind == RHYTHM:
            return "pass", evidence.text
    return "fail", "no mark with both elements (AI or 人工智能, and 生成 or 合成)"


def _visible_height(layers: Layers, rule: CheckRule) -> _Outcome:
    visible = layers.visible
    if visible.state is not State.PRESENT:
        return _absent(visible.state, "visible mark")
    ratio = max((e.height_ratio for e in visible.evidence if e.height_ratio is not None), default=None)
    if ratio is None:
        return "cannot-tell", "the height could not be measured"
    # one thousandth for the half pixel by which a box found again may differ
    verdict = "pass" if ratio >= rule.minimum - 0.001 else "fail"
    return verdict, f"{ratio:.1%} of the shortest side; {rule.minimum:.0%} is asked"


def _metadata_label(layers: Layers, rule: CheckRule) -> _Outcome:
    metadata = layers.metadata
    if metadata.state is not State.PRESENT:
        return _absent(metadata.state, "metadata label")
    if not metadata.value:
        return "fail", "IPTC fields only, no GB 45438 label"
    return "pass", f"label {metadata.value} in {metadata.carrier}"


def _metadata_findings(layers: Layers, rule: CheckRule) -> _Outcome:
    metadata = layers.metadata
    if metadata.state is not State.PRESENT:
        return _absent(metadata.state, "metadata label")
    errors = [finding.id for finding in metadata.findings if finding.severity == "error"]
    return ("fail", ", ".join(errors)) if errors else ("pass", "no deviation that counts as an error")


def _watermark(layers: Layers, rule: CheckRule) -> _Outcome:
    watermark = layers.watermark
    if watermark.state is not State.PRESENT:
        return _absent(watermark.state, "watermark")
    return "pass", f"key {watermark.key_id}"


def _credentials_intact(layers: Layers, rule: CheckRule) -> _Outcome:
    credentials = layers.credentials
    if credentials.state is not State.PRESENT:
        return _absent(credentials.state, "C2PA manifest")
    outcome = {"intact": "pass", "altered": "fail"}.get(credentials.content, "cannot-tell")
    return outcome, f"content {credentials.content}, signer {credentials.signer}"


_TESTS: dict[str, Callable[[Layers, CheckRule], _Outcome]] = {
    "visible-elements": _visible_elements,
    "visible-height": _visible_height,
    "metadata-label": _metadata_label,
    "metadata-findings": _metadata_findings,
    "watermark": _watermark,
    "credentials-intact": _credentials_intact,
}
