"""From the findings of four layers to one verdict (contract.md, "How the verdict follows from the layers")."""

from __future__ import annotations

from collections.abc import Iterator

from labeler.errors import ExitCode
from labeler.types import (
    AI_SOURCE_TYPES,
    NON_AI_SOURCE_TYPES,
    Consistency,
    Label,
    Layer,
    Layers,
    Report,
    SoundTrack,
    State,
    Verdict,
)

__all__ = ["agree", "consistency", "exit_code", "label_of", "verdict"]

_IPTC_GENERATED = frozenset(
    {"trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "compositeSynthetic"}
)
"""Source types that say by themselves "made by AI", where no GB 45438 label stands beside them."""


def label_of(layers: Layers) -> Label | None:
    """The label as the strongest container layer words it: metadata, else credentials."""
    return layers.metadata.label or layers.credentials.label


def consistency(layers: Layers, sound: SoundTrack | None = None) -> tuple[Consistency, ...]:
    """Every pair of layers that can be compared, and whether they name the same content."""
    return (*_pairs(layers), *(_sound_pairs(layers, sound) if sound is not None else ()))


def _sound_pairs(layers: Layers, sound: SoundTrack) -> Iterator[Consistency]:
    """The mark in the sound track beside the others; sound may lawfully be content of its own."""
    heard = sound.watermark
    if heard.state is not State.PRESENT:
        return
    label = label_of(layers)
    names = (("watermark", layers.watermark.mark_id), ("label", label.mark_id if label else ""))
    for name, other in names:
        if other == heard.mark_id:
            yield Consistency(id=f"id.sound-track-vs-{name}", result="agree", detail=other)
        elif other:
            detail = f"the sound is marked as {heard.mark_id}, content of its own beside {other}"
            yield Consistency(id=f"id.sound-track-vs-{name}", result="unknown", detail=detail)


def _pairs(layers: Layers) -> Iterator[Consistency]:
    metadata, watermark, credentials = layers.metadata, layers.watermark, layers.credentials
    meta_id = metadata.label.mark_id if metadata.label else ""
    signed_id = credentials.label.mark_id if credentials.label else ""
    generation = watermark.geometry if watermark.geometry.get("kind") == "generation" else None
    if watermark.state is State.PRESENT and generation is None:
        if metadata.state is State.PRESENT:
            yield _compare("id.watermark-vs-metadata", watermark.mark_id, meta_id)
        if credentials.state is State.PRESENT:
            yield _compare("id.watermark-vs-credentials", watermark.payload, credentials.payload)
    if watermark.state is State.PRESENT and (generation or "generation" in watermark.geometry):
        # a mark of the generation holds the first 24 bits of the content's id
        prefix = watermark.mark_id if generation else watermark.geometry["generation"]["mark_id"]
        tag_id = "" if generation else watermark.mark_id
        names = (("watermark", tag_id), ("metadata", meta_id), ("credentials", signed_id))
        for name, other in names:
            if other:
                yield _compare(f"id.generation-vs-{name}", prefix, other[: len(prefix) or None])
    if watermark.geometry.get("assembled"):
        yield Consistency(
            id="watermark.assembled",
            result="disagree",
            detail="the watermark was put together from the marks of several pictures",
        )
    if watermark.fingerprint and credentials.fingerprint:
        from labeler.watermark import fingerprint

        yield Consistency(
            id="content.fingerprint",
            result={"agree": "agree", "differs": "disagree"}.get(
                fingerprint.compare(credentials.fingerprint, watermark.fingerprint), "unknown"
            ),
            detail=f"labelled {credentials.fingerprint}, seen {watermark.fingerprint}",
        )
    if metadata.state is State.PRESENT and credentials.state is State.PRESENT and (meta_id or signed_id):
        yield _compare("id.metadata-vs-credentials", meta_id, signed_id)
    if credentials.state is State.PRESENT and credentials.content == "intact":
        others = [
            layer for layer in (Layer.VISIBLE, Layer.WATERMARK, Layer.METADATA) if _says_ai(layers, layer)
        ]
        if others and credentials.source_type in NON_AI_SOURCE_TYPES:
            yield Consistency(
                id="source.credentials-vs-label",
                result="disagree",
                detail=f"the signed manifest says {credentials.source_type}, but {', '.join(others)} says AI",
            )


def _compare(name: str, one: str, other: str) -> Consistency:
    if not one or not other:
        return Consistency(id=name, result="unknown", detail="one of the two names no content")
    if one == other:
        return Consistency(id=name, result="agree", detail=one)
    return Consistency(id=name, result="disagree", detail=f"{one} is not {other}")


def _says_ai(layers: Layers, layer: Layer) -> bool:
    if layer is Layer.METADATA:
        return bool(layers.metadata.value) or layers.metadata.source_type in AI_SOURCE_TYPES
    return bool(getattr(layers, layer).state is State.PRESENT)


def agree(report: Report) -> bool:
    """True if at least one pair of layers was compared and every compared pair agrees."""
    results = [pair.result for pair in report.consistency]
    return bool(results) and all(result == "agree" for result in results)


def verdict(layers: Layers, pairs: tuple[Consistency, ...], sound: SoundTrack | None = None) -> Verdict:
    """The verdict by the strongest evidence; contradiction comes first.

    A mark in the sound track of a video counts as one in its pictures.
    """
    seen = [getattr(layers, layer).state for layer in Layer]
    marks, drawn = {layers.watermark.state}, {layers.visible.state}
    if sound is not None:
        seen += [sound.visible.state, sound.watermark.state]
        marks.add(sound.watermark.state)
        drawn.add(sound.visible.state)
    metadata, credentials = layers.metadata, layers.credentials
    signed = credentials.source_type if credentials.state is State.PRESENT else ""
    signed_intact = signed if credentials.content == "intact" else ""
    if any(pair.result == "disagree" for pair in pairs):
        return Verdict.CONFLICT
    if (
        signed_intact in _IPTC_GENERATED
        or State.PRESENT in marks
        or metadata.value == "1"
        or (not metadata.value and metadata.source_type in _IPTC_GENERATED)
    ):
        return Verdict.AI_CONFIRMED
    if (
        metadata.value == "2"
        or signed_intact in AI_SOURCE_TYPES
        or (not metadata.value and metadata.source_type in AI_SOURCE_TYPES)
    ):
        return Verdict.AI_POSSIBLE
    if metadata.value or State.PRESENT in drawn or signed in AI_SOURCE_TYPES:
        return Verdict.AI_SUSPECTED
    return Verdict.CANNOT_TELL if State.CANNOT_TELL in seen else Verdict.NO_LABEL_FOUND


def exit_code(report: Report) -> ExitCode:
    """Exit code of ``verify`` for one file."""
    if report.error is not None:
        return ExitCode(report.error.exit_code)
    if report.compliance is not None and report.compliance.result != "pass":
        return ExitCode.NEGATIVE
    if not report.is_labelled or report.layers.credentials.content == "altered":
        return ExitCode.NEGATIVE
    return ExitCode.OK
