"""Labelling one file: the only place that knows the order of the layers.

probe, decode, visible, watermark, encode, metadata, credentials, re-read and compare, publish atomically.
"""

from __future__ import annotations

import io
import os
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from labeler import profiles
from labeler.core.atomic import publish, sweep_stale
from labeler.core.keys import PUBLIC_KEY, KeyRing, WatermarkKey
from labeler.core.payload import Payload
from labeler.errors import AlreadyLabelled, DependencyMissing, LabelLost, OutputExists, UsageError
from labeler.media.files import Source, read_neighbour, read_source
from labeler.media.image import probe
from labeler.pipeline.options import LabelOptions, VerifyOptions
from labeler.pipeline.verify import CREDENTIALS_SUFFIX, verify_source
from labeler.types import Finding, Label, LabelResult, Layer, MediaInfo, Report, State

if TYPE_CHECKING:
    from labeler.credentials.identity import SigningIdentity

__all__ = ["Labelled", "label_one", "label_source", "new_label", "watermark_key"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A labelled file in memory, read back and compared, not yet published.

    Attributes:
        data: the file.
        sidecars: neighbouring files by suffix, where the format has no place for a layer.
        label: the label as written.
        layers: layers written.
        reread: the report of reading it back.
        notes: layers that could not be written and why; weak marks; what could not be kept.
    """

    data: bytes = field(repr=False)
    sidecars: dict[str, bytes] = field(repr=False)
    label: Label
    layers: tuple[Layer, ...]
    reread: Report
    notes: tuple[Finding, ...] = ()


def label_one(
    path: Path,
    output: Path,
    options: LabelOptions,
    *,
    overwrite: bool = False,
    before_publish: Callable[[Path], None] | None = None,
) -> LabelResult:
    """Label one file; the output appears whole or not at all, and the input is never touched.

    Args:
        path: regular file to label.
        output: where to publish; may be ``path`` itself with ``overwrite``.
        options: how to label.
        overwrite: replace an existing output.
        before_publish: called with ``path`` when all is ready and nothing is written yet (for a backup).

    Raises:
        LabelerError: anything of ``labeler.errors``; nothing was published then.
    """
    started = time.perf_counter()
    if not overwrite and os.path.lexists(output):
        raise OutputExists("the output exists already.", remedy="Use --force to replace it.", path=output)
    sweep_stale(output.parent)
    source = read_source(path, limits=options.limits)
    labelled = label_source(source, options)
    if before_publish is not None:
        before_publish(path)
    for suffix, data in labelled.sidecars.items():
        with publish(output.with_name(output.name + suffix), overwrite=overwrite) as file:
            file.write(data)
    with publish(output, overwrite=overwrite) as file:
        file.write(labelled.data)
    return LabelResult(
        input=str(path),
        output=str(output),
        input_sha256=source.sha256,
        output_sha256=Source(output, labelled.data).sha256,
        label=labelled.label,
        layers=labelled.layers,
        reread=labelled.reread,
        seconds=round(time.perf_counter() - started, 3),
        notes=labelled.notes,
    )


def label_source(source: Source, options: LabelOptions) -> Labelled:
    """Label bytes in memory and read the result back.

    Raises:
        AlreadyLabelled: there is a label and ``relabel`` is false.
        LabelLost: a layer that was written cannot be read back.
        InputError, UsageError, DependencyMissing: as their names say.
    """
    profile = profiles.load(options.profile)
    asked = options.layers or profile.layers
    required = profile.required.intersection(asked) if options.layers is None else frozenset(asked)
    info = probe(source.data, str(source.path), limits=options.limits)
    before = _existing(source, options)
    label = new_label(options, before.label)
    key = watermark_key(options) if Layer.WATERMARK in asked else PUBLIC_KEY
    notes = list(before.findings)
    signer = None
    if Layer.CREDENTIALS in asked:
        try:
            signer = _signer(options)
        except DependencyMissing as error:
            if Layer.CREDENTIALS in required:
                raise
            notes.append(Finding(id="credentials.impossible", severity="warn", detail=f"not signed: {error}"))
            asked = tuple(layer for layer in asked if layer is not Layer.CREDENTIALS)
    marked, signals, binding, signal_notes = _signals(source, info, asked, label, key, options)
    notes += signal_notes
    missing = {layer for layer in required if layer.is_signal} - set(signals)
    if missing:
        reasons = "; ".join(note.detail for note in signal_notes if note.severity != "info")
        raise UsageError(
            f"the {' and the '.join(sorted(missing))} layer cannot be written: {reasons}.",
            remedy="Choose other --layers, or a profile that does not require it.",
            path=source.path,
        )
    while True:
        data, sidecars = _containers(source, marked, info, asked, label, binding, signer)
        written = (*signals, *(layer for layer in asked if not layer.is_signal))
        reread = verify_source(
            Source(source.path, data),
            VerifyOptions(layers=written, quick=True, limits=options.limits, home=options.home),
            sidecars=sidecars,
        )
        lost = _lost(reread, label, written)
        optional = [layer for layer in lost if layer.is_signal and layer not in required]
        if not lost:
            return Labelled(
                data=data, sidecars=sidecars, label=label, layers=written, reread=reread, notes=tuple(notes)
            )
        if len(optional) < len(lost):
            raise LabelLost(
                f"the {', '.join(lost)} layer did not survive the writing; nothing was published.",
                remedy="Please report this file as a bug; --layers without it goes on meanwhile.",
                path=source.path,
            )
        signals = tuple(layer for layer in signals if layer not in lost)
        binding = _Binding(visible_text=binding.visible_text if Layer.VISIBLE in signals else "")
        notes += [
            Finding(id=f"{layer}.lost", severity="warn", detail=f"the {layer} did not survive the encoding")
            for layer in lost
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Binding:
    """What the manifest says about the signal layers: nothing of those that are not there."""

    visible_text: str = ""
    payload: str = ""
    algorithm: str = ""
    fingerprint: str = ""


def _existing(source: Source, options: LabelOptions) -> Report:
    """What the input's containers say already; raises unless it is unlabelled or may be relabelled."""
    report = verify_source(
        source,
        VerifyOptions(layers=(Layer.METADATA, Layer.CREDENTIALS), limits=options.limits, home=options.home),
    )
    if report.label is None and not report.layers.metadata.value:
        return report
    if not options.relabel:
        raise AlreadyLabelled(
            "the file carries a label already.", remedy="Use --relabel to replace your own.", path=source.path
        )
    if report.label is not None and report.label.producer != options.producer:
        raise UsageError(
            f"the label names another producer, {report.label.producer!r}; only its producer may replace it.",
            remedy="A receiving platform adds its own fields with `labeler propagate`.",
            path=source.path,
        )
    return report


def new_label(options: LabelOptions, old: Label | None = None) -> Label:
    """The label to write; relabelling keeps the content's id.

    Raises:
        UsageError: there is no producer.
    """
    if not options.producer:
        raise UsageError(
            "who labels? A label needs the name or code of the generation service.",
            remedy='Give --producer CODE, set LABELER_PRODUCER, or put producer = "CODE" into labeler.toml.',
        )
    return Label(
        producer=options.producer,
        produce_id=options.produce_id or (old.produce_id if old else uuid.uuid4().hex),
        generator=options.generator or (old.generator if old else ""),
        source_type=options.source_type,
        created=datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z"),
        author=options.author,
        rights=options.rights,
    )


def watermark_key(options: LabelOptions) -> WatermarkKey:
    """The key to mark with: the public one, or one of the ring."""
    return PUBLIC_KEY if options.key == PUBLIC_KEY.key_id else KeyRing(options.home).get(options.key)


def _signer(options: LabelOptions) -> SigningIdentity:
    from labeler.credentials import identity

    return identity.load(
        options.home,
        certificate=options.certificate,
        key=options.certificate_key,
        passphrase=options.passphrase,
    )


def _signals(
    source: Source,
    info: MediaInfo,
    asked: Sequence[Layer],
    label: Label,
    key: WatermarkKey,
    options: LabelOptions,
) -> tuple[bytes, tuple[Layer, ...], _Binding, Sequence[Finding]]:
    """Write the signal layers asked for; without any, the media stream stays bit for bit as it is."""
    layers = [layer for layer in asked if layer.is_signal]
    if not layers:
        return source.data, (), _Binding(), ()
    from labeler.pipeline import image

    payload = Payload.of(label)
    marked = image.apply(
        source,
        info,
        layers,
        payload=bytes(payload),
        key=key,
        profile=profiles.load(options.profile),
        options=options,
    )
    binding = _Binding(
        visible_text=marked.visible_text,
        payload=payload.hex if marked.algorithm else "",
        algorithm=marked.algorithm,
        fingerprint=marked.fingerprint,
    )
    return marked.data, marked.written, binding, marked.notes


def _containers(
    source: Source,
    marked: bytes,
    info: MediaInfo,
    asked: Sequence[Layer],
    label: Label,
    binding: _Binding,
    signer: SigningIdentity | None,
) -> tuple[bytes, dict[str, bytes]]:
    """Write metadata, then credentials, which sign everything before them."""
    data, sidecars = marked, {}
    if Layer.METADATA in asked:
        from labeler.metadata import image, sidecar

        if image.carrier(info.media_type) == "sidecar":
            sidecars[sidecar.SUFFIX] = sidecar.build(label)
        else:
            target = io.BytesIO()
            image.write(io.BytesIO(data), target, info, label)
            data = target.getvalue()
    if signer is not None:
        from labeler.credentials import sign

        embedded = sign.embeds(info.media_type, frames=info.frames)
        target = io.BytesIO()
        manifest = sign.sign(
            io.BytesIO(data),
            target if embedded else None,
            info,
            label,
            signer,
            payload=binding.payload,
            algorithm=binding.algorithm,
            fingerprint=binding.fingerprint,
            parent=io.BytesIO(source.data),
            parent_type=info.media_type,
            parent_sidecar=read_neighbour(source.path, CREDENTIALS_SUFFIX),
            visible_text=binding.visible_text,
            title=source.path.name,
        )
        if embedded:
            data = target.getvalue()
        else:
            sidecars[CREDENTIALS_SUFFIX] = manifest
    return data, sidecars


def _lost(report: Report, label: Label, written: Sequence[Layer]) -> list[Layer]:
    """Layers that do not read back as they were written."""
    layers = report.layers
    intact = {
        Layer.VISIBLE: layers.visible.state is State.PRESENT,
        Layer.WATERMARK: layers.watermark.payload == Payload.of(label).hex,
        Layer.METADATA: layers.metadata.label is not None and layers.metadata.label.mark_id == label.mark_id,
        Layer.CREDENTIALS: layers.credentials.content == "intact"
        and layers.credentials.label is not None
        and layers.credentials.label.mark_id == label.mark_id,
    }
    return [layer for layer in written if not intact[layer]]
