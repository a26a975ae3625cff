"""Results as a person reads them: short lines, plain words, colour only as decoration."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from labeler.core.keys import PUBLIC_KEY
from labeler.pipeline.reconcile import agree
from labeler.types import (
    CredentialsReport,
    Evidence,
    LabelResult,
    Layer,
    MetadataReport,
    Report,
    SoundTrack,
    State,
    Verdict,
    VisibleReport,
    WatermarkReport,
)

__all__ = ["describe_label", "describe_report"]

Style = Callable[[str, str], str]
"""Colours a text; the second argument is ``good``, ``bad``, ``warn`` or ``dim``."""

_VERDICTS = {
    Verdict.AI_CONFIRMED: ("AI-generated (confirmed)", "good"),
    Verdict.AI_POSSIBLE: ("may be AI-generated (declared)", "good"),
    Verdict.AI_SUSPECTED: ("suspected to be AI-generated", "warn"),
    Verdict.NO_LABEL_FOUND: ("no label found   (this is no proof that a person made it)", "warn"),
    Verdict.CONFLICT: ("CONFLICT: the labels contradict one another", "bad"),
    Verdict.CANNOT_TELL: ("cannot tell", "warn"),
}
_SOUND = "id.sound-track"
_INDENT = "  "
_COLUMN = 14
_SEGMENTS = 8


def describe_label(result: LabelResult, style: Style) -> Iterator[str]:
    """Lines for one labelled file."""
    if result.error is not None:
        if result.error.code == "already-labelled":
            why = f"left alone: {result.error.message} {result.error.remedy}"
            yield f"{result.input}   " + style(why, "dim")
            return
        yield f"{result.input}   " + style(f"failed: {result.error.message}", "bad")
        if result.error.remedy:
            yield f"{_INDENT}{result.error.remedy}"
        return
    layers = ", ".join(result.layers)
    if result.sound_track:
        layers += f"; sound track: {', '.join(result.sound_track)}"
    yield f"{result.output}   " + style(f"labelled: {layers}", "good") + f"   {result.seconds:.2f} s"
    for note in result.notes:
        yield f"{_INDENT}{style('note', 'warn' if note.severity == 'warn' else 'dim')}  {note.detail}"


def describe_report(report: Report, style: Style) -> Iterator[str]:
    """Lines for one verified file."""
    if report.error is not None:
        yield f"{report.path}   " + style(f"cannot tell: {report.error.message}", "bad")
        if report.error.remedy:
            yield f"{_INDENT}{report.error.remedy}"
        return
    words, colour = _headline(report)
    yield f"{report.path}   {style(words, colour)}"
    layers = report.layers
    rows = {
        Layer.VISIBLE: _visible(layers.visible, style),
        Layer.METADATA: _metadata(layers.metadata, style),
        Layer.WATERMARK: _watermark(layers.watermark, style),
        Layer.CREDENTIALS: _credentials(layers.credentials, style),
    }
    found = any(getattr(layers, layer).state is State.PRESENT for layer in Layer)
    if found or report.verdict is not Verdict.NO_LABEL_FOUND:
        for layer, lines in rows.items():
            yield from _rows(layer, lines)
        if report.sound_track is not None:
            yield from _rows("sound track", _sound_track(report.sound_track, style))
        yield from _agreement(report, style)
    for finding in report.findings:
        yield _row("file", style(finding.detail, "warn"))
    if report.compliance is not None:
        colour = {"pass": "good", "fail": "bad"}.get(report.compliance.result, "warn")
        yield _row("profile", f"{report.compliance.profile}: {style(report.compliance.result, colour)}")
        for check in report.compliance.checks:
            yield _row("", f"{check.result:<11} {check.clause}: {check.detail}")


def _headline(report: Report) -> tuple[str, str]:
    """The verdict in words, and its colour; "confirmed" only on evidence that not everybody can write."""
    if report.verdict is not Verdict.AI_CONFIRMED:
        return _VERDICTS[report.verdict]
    credentials, sound = report.layers.credentials, report.sound_track
    if credentials.content == "altered":
        return "labelled AI-generated, and altered after it was signed", "bad"
    keys = [report.layers.watermark.key_id, sound.watermark.key_id if sound is not None else ""]
    if credentials.content == "intact" or any(key not in ("", PUBLIC_KEY.key_id) for key in keys):
        return _VERDICTS[report.verdict]
    return "AI-generated (as labelled; anybody can write such a label)", "good"


def _sound_track(sound: SoundTrack, style: Style) -> list[str]:
    audible, mark = _visible(sound.visible, style), _watermark(sound.watermark, style)
    if audible == mark:
        return audible
    if sound.visible.state is not State.PRESENT:
        audible = [f"audible mark {audible[0]}"]
    if sound.watermark.state is not State.PRESENT:
        mark = [f"watermark {mark[0]}"]
    return [*audible, *mark]


def _rows(name: str, lines: list[str]) -> Iterator[str]:
    for index, line in enumerate(lines):
        yield _row(name if index == 0 else "", line)


def _row(name: str, text: str) -> str:
    return f"{_INDENT}{name:<{_COLUMN}}{text}"


def _state(state: State, reason: str, style: Style) -> list[str]:
    words = {
        State.ABSENT: "not found",
        State.CANNOT_TELL: f"cannot tell{': ' + reason if reason else ''}",
        State.NOT_APPLICABLE: f"not applicable{': ' + reason if reason else ''}",
        State.SKIPPED: "not looked at",
    }
    return [style(words[state], "warn" if state is State.CANNOT_TELL else "dim")]


def _visible(visible: VisibleReport, style: Style) -> list[str]:
    if visible.state is not State.PRESENT:
        return _state(visible.state, visible.reason, style)
    return [_evidence(evidence) for evidence in visible.evidence]


def _evidence(evidence: Evidence) -> str:
    parts = [f'"{evidence.text}"']
    if evidence.box is not None:
        x, y, width, height = evidence.box
        if evidence.frame is not None:
            parts.append(_place(x + width / 2, y + height / 2, evidence.frame))
        parts.append(f"{width} x {height} px")
    if evidence.time is not None:
        parts.append(f"at {_clock(evidence.time[0])} to {_clock(evidence.time[1])}")
    if evidence.height_ratio is not None:
        parts.append(f"glyphs {evidence.height_ratio:.1%} of the short side")
    return ", ".join(parts)


def _clock(seconds: float) -> str:
    """Time in a file: ``0:02.4``, ``1:02:03.0``."""
    minutes, rest = divmod(round(max(seconds, 0.0), 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def _place(x: float, y: float, size: tuple[int, int]) -> str:
    """Which ninth of the picture a point lies in, in words."""
    column = ("left", "", "right")[min(2, int(3 * x / size[0]))]
    row = ("top", "", "bottom")[min(2, int(3 * y / size[1]))]
    return f"{row} {column}".strip() or "in the middle"


def _metadata(metadata: MetadataReport, style: Style) -> list[str]:
    if metadata.state is not State.PRESENT:
        return _state(metadata.state, metadata.reason, style)
    parts = []
    if metadata.value:
        parts.append(f"GB 45438 label {metadata.value}")
    if metadata.label is not None:
        parts.append(f"producer {_short(metadata.label.producer)}")
        parts.append(f"id {_short(metadata.label.produce_id)}")
    if metadata.source_type:
        parts.append(f"IPTC {metadata.source_type}")
    lines = [f"{', '.join(parts)}   {style(metadata.carrier.upper(), 'dim')}"]
    for finding in metadata.findings:
        lines.append(
            style(f"{finding.id}: {finding.detail}", "bad" if finding.severity == "error" else "warn")
        )
    return lines


def _watermark(watermark: WatermarkReport, style: Style) -> list[str]:
    if watermark.state is State.ABSENT:
        return [style("not found under the keys here", "dim")]
    if watermark.state is not State.PRESENT:
        return _state(watermark.state, watermark.reason, style)
    chance = (
        ""
        if watermark.log10_p is None
        else f", chance of a false find < 1e{max(int(watermark.log10_p), -99)}"
    )
    if watermark.geometry.get("kind") == "generation":
        scheme, scored = watermark.geometry.get("scheme"), watermark.geometry.get("scored")
        begins = f", mark begins {watermark.mark_id}" if watermark.mark_id else ""
        return [
            f"made so while it was written ({scheme}, {scored} tokens){begins}, key {watermark.key_id}{chance}"
        ]
    lines = [f"mark {watermark.mark_id}, key {watermark.key_id}{chance}"]
    others = {part.payload for part in watermark.segments} - {watermark.payload}
    for part in watermark.segments[:_SEGMENTS]:
        name = f"   mark {part.payload[2:]}" if others and part.payload else ""
        lines.append(style(f"{_clock(part.start)} to {_clock(part.end)}{name}", "dim"))
    if len(watermark.segments) > _SEGMENTS:
        lines.append(style(f"and {len(watermark.segments) - _SEGMENTS} more stretches", "dim"))
    return lines


def _credentials(credentials: CredentialsReport, style: Style) -> list[str]:
    if credentials.state is not State.PRESENT:
        return _state(credentials.state, credentials.reason, style)
    content = {
        "intact": style("content intact", "good"),
        "altered": style("content altered after signing", "bad"),
    }.get(credentials.content, style("content could not be checked", "warn"))
    signer = {
        "trusted": "trusted",
        "unknown": "on no trust list",
        "expired": "certificate expired",
        "invalid": style("signature or certificate invalid", "bad"),
    }[credentials.signer]
    time = {"stamped": "time stamped", "claimed": "time claimed, no trusted stamp", "none": "no time"}[
        credentials.time
    ]
    name = f"{credentials.signer_name}, " if credentials.signer_name else ""
    lines = [f"{content}; signer: {name}{signer}; {time}"]
    if credentials.reason:
        lines.append(style(credentials.reason, "warn"))
    if credentials.chain == "broken":
        lines.append(style("an earlier version in its history does not check out", "warn"))
    return lines


def _agreement(report: Report, style: Style) -> Iterator[str]:
    disagreements = [pair for pair in report.consistency if pair.result == "disagree"]
    for pair in disagreements:
        yield _row("conflict", style(f"{pair.id}: {pair.detail}", "bad"))
    apart = [pair for pair in report.consistency if pair.result == "unknown" and pair.id.startswith(_SOUND)]
    for pair in apart[:1]:
        yield _row("agreement", style(pair.detail, "warn"))
    if disagreements or not agree(report):
        return
    naming = [
        layer
        for layer in (Layer.WATERMARK, Layer.METADATA, Layer.CREDENTIALS)
        if getattr(report.layers, layer).state is State.PRESENT
    ]
    names = [str(layer) for layer in naming]
    if any(pair.id.startswith(_SOUND) for pair in report.consistency):
        names.append("sound track")
    yield _row("agreement", f"{_join(names)} name the same content")


def _join(words: list[str]) -> str:
    return ", ".join(words[:-1]) + f" and {words[-1]}"


def _short(text: str) -> str:
    return text if len(text) <= 16 else f"{text[:8]}…{text[-4:]}"
