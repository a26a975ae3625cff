"""What an earlier run left: a label or a mark in the input, or a labelled file where the output should be."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from labeler.errors import (
    AlreadyLabelled,
    DamagedMedia,
    DependencyMissing,
    LimitExceeded,
    OutputExists,
    UnsupportedMedia,
    UsageError,
)
from labeler.media.files import Source, open_source
from labeler.pipeline.glance import glance
from labeler.pipeline.modalities import probe
from labeler.pipeline.options import LabelOptions, VerifyOptions
from labeler.pipeline.verify import keys_at_hand, verify_one, verify_source
from labeler.types import (
    NON_AI_SOURCE_TYPES,
    CredentialsReport,
    Finding,
    Label,
    Layer,
    MediaInfo,
    Report,
    State,
)

__all__ = ["at_output", "foreign", "in_input", "mark_that_stays"]

_CONTAINERS = (Layer.METADATA, Layer.CREDENTIALS)
_LONGER = 60.0
"""Seconds by which audible marks make a file longer at most."""


def at_output(source: Source, output: Path, options: LabelOptions) -> LabelOptions:
    """How to label a file whose output is there already, made by an earlier run: with its id, if it is relabelled.

    Raises:
        AlreadyLabelled: it is the labelled input, and ``relabel`` is false.
        OutputExists: it is something else, or was made from something else.
    """
    report = verify_one(output, _looking(options))
    there, remedy = "the output exists already", "--force (in Python overwrite=True) replaces it."
    if report.label is None or report.label.producer != options.producer:
        raise OutputExists(f"{there}, and is not labelled as yours.", remedy=remedy, path=output)
    if why := _stale(source, output, options):
        raise OutputExists(f"{there}, but {why}.", remedy=remedy, path=output)
    if not options.relabel:
        raise AlreadyLabelled(
            f"{output} is there already, and labelled.", remedy="--relabel makes it anew.", path=source.path
        )
    return dataclasses.replace(options, produce_id=options.produce_id or report.label.produce_id)


def _stale(source: Source, output: Path, options: LabelOptions) -> str:
    """Why a labelled output was not made from this input, as far as dates and headers tell; "" if it may be."""
    if source.path.stat().st_mtime > output.stat().st_mtime:
        return "it is older than the input"
    before, after = (
        probe(each, options.limits) for each in (source, open_source(output, limits=options.limits))
    )
    facts = ("media_type", "width", "height", "frames", "sample_rate", "channels")
    longer = after.duration - before.duration
    if any(getattr(before, fact) != getattr(after, fact) for fact in facts) or not -1 < longer < _LONGER:
        return "it was made from another file"
    return ""


def in_input(source: Source, options: LabelOptions) -> Report:
    """What the input's containers say already; raises unless it is unlabelled or may be relabelled."""
    report = verify_source(source, _looking(options))
    if report.label is None and not report.layers.metadata.value:
        return report
    if not options.relabel:
        raise AlreadyLabelled(
            "the file carries a label already.", remedy="Use --relabel to replace your own.", path=source.path
        )
    if report.label is not None and report.label.producer != options.producer:
        raise UsageError(
            f"the label names another producer, {report.label.producer!r}; only its producer may replace it.",
            remedy="Leave the file as it is, or ask its producer for the unlabelled original.",
            path=source.path,
        )
    return report


def mark_that_stays(
    source: Source, info: MediaInfo, label: Label, options: LabelOptions
) -> tuple[Finding, ...]:
    """Look for an earlier watermark, which would stay in the samples beside a new label.

    Returns:
        A note, where that could not be seen.

    Raises:
        AlreadyLabelled, with ``relabel`` UsageError: it names another content than the label.
    """
    keys, trouble = keys_at_hand(options.home)
    try:
        seen = glance(source, info, keys, options.limits)
    except (DamagedMedia, UnsupportedMedia, LimitExceeded, DependencyMissing) as error:
        trouble = error.message
    else:
        if seen.state is State.PRESENT and seen.mark_id != label.mark_id:
            raise (UsageError if options.relabel else AlreadyLabelled)(
                f"the {info.modality} carries the watermark of another content, {seen.mark_id}, which would stay "
                "and contradict the label.",
                remedy="Name that content by its --producer and --produce-id, or label the original.",
                path=source.path,
            )
    if not trouble:
        return ()
    detail = f"an earlier watermark, if there is one, was not seen: {trouble}"
    return (Finding(id="watermark.unseen", severity="info", detail=detail),)


def foreign(manifest: CredentialsReport) -> Iterator[Finding]:
    """What to say of a manifest that the input carries already; it is kept as the parent of ours."""
    if manifest.state is State.PRESENT and manifest.content == "altered":
        detail = "the input's own C2PA manifest does not fit its content: it was changed after signing"
        yield Finding(id="credentials.input-altered", severity="warn", detail=detail)
    if manifest.state is State.PRESENT and manifest.source_type in NON_AI_SOURCE_TYPES:
        detail = f"the input's own C2PA manifest says {manifest.source_type}, which is not AI"
        yield Finding(id="credentials.input-not-ai", severity="warn", detail=detail)


def _looking(options: LabelOptions) -> VerifyOptions:
    return VerifyOptions(layers=_CONTAINERS, limits=options.limits, home=options.home)
