"""Labelling one file: the only place that knows the order of the layers.

probe, decode, visible, watermark, encode, metadata, credentials, re-read and compare, publish atomically.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import time
import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from labeler import profiles
from labeler.core.atomic import publish_all, scratch, sweep_stale
from labeler.core.keys import PUBLIC_KEY, KeyRing, WatermarkKey
from labeler.core.payload import Payload
from labeler.core.threads import one_thread
from labeler.errors import (
    DependencyMissing,
    LabelLost,
    UnsupportedMedia,
    UsageError,
)
from labeler.media.files import Scratch, Source, open_source, read_neighbour
from labeler.pipeline import compare, earlier
from labeler.pipeline.backup import back_up, is_same
from labeler.pipeline.marked import Marked
from labeler.pipeline.modalities import check_name, metadata_of, probe, signals_of
from labeler.pipeline.options import LabelOptions, VerifyOptions
from labeler.pipeline.verify import CREDENTIALS_SUFFIX, verify_source
from labeler.types import (
    Finding,
    Label,
    LabelResult,
    Layer,
    MediaInfo,
    Modality,
    Report,
)

if TYPE_CHECKING:
    from labeler.credentials.identity import SigningIdentity

__all__ = ["Labelled", "label_one", "label_source", "new_label", "watermark_key"]


_LONGEST = 1000
"""Characters of one field of a label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A labelled file, read back and compared, not yet published.

    Attributes:
        content: the file, in memory or on the disk as the input was.
        sidecars: neighbouring files by suffix, where the format has no place for a layer.
        label: the label as written.
        layers: layers written.
        sound_track: layers in the sound track of a video, read back too.
        reread: the report of reading it back.
        notes: layers that could not be written and why; weak marks; what could not be kept.
    """

    content: Source
    sidecars: dict[str, bytes] = field(repr=False)
    label: Label
    layers: tuple[Layer, ...]
    sound_track: tuple[Layer, ...] = ()
    reread: Report
    notes: tuple[Finding, ...] = ()


def label_one(
    path: Path,
    output: Path,
    options: LabelOptions,
    *,
    overwrite: bool = False,
) -> LabelResult:
    """Label one file; the output appears whole or not at all, and the input is never lost.

    Args:
        path: regular file to label.
        output: where to publish; may be ``path`` itself with ``overwrite``, which is then kept beside it as
            ``NAME.orig``.
        options: how to label.
        overwrite: replace an existing output.

    Raises:
        LabelerError: anything of ``labeler.errors``; nothing was published then.
    """
    started = time.perf_counter()
    source = open_source(path, limits=options.limits)
    check_name(source, output, options.limits)
    if not overwrite and os.path.lexists(output):
        options = earlier.at_output(source, output, options)
        overwrite = True
    sweep_stale(output.parent)
    with scratch(output.parent) as parts:
        labelled = label_source(source, options, parts)
        content, output_sha256 = labelled.content, labelled.content.sha256
        assert content.file is None or content.file != source.file, "the original would be moved"
        if is_same(path, output):
            back_up(path, relabel=options.relabel)
        publish_all(
            {
                output: content.file or content.data,
                **{
                    output.with_name(output.name + suffix): data for suffix, data in labelled.sidecars.items()
                },
            },
            overwrite=overwrite,
        )
    return LabelResult(
        input=str(path),
        output=str(output),
        input_sha256=source.sha256,
        output_sha256=output_sha256,
        label=labelled.label,
        layers=labelled.layers,
        sound_track=labelled.sound_track,
        reread=labelled.reread,
        seconds=round(time.perf_counter() - started, 3),
        notes=labelled.notes,
    )


@one_thread()
def label_source(source: Source, options: LabelOptions, parts: Scratch | None = None) -> Labelled:
    """Label an open file and read the result back.

    Args:
        source: the file.
        options: how to label.
        parts: gives temporary files; needed for sound and video, which are streamed.

    Raises:
        AlreadyLabelled: there is a label and ``relabel`` is false.
        LabelLost: a layer that was written cannot be read back.
        InputError, UsageError, DependencyMissing: as their names say.
    """
    job = _prepare(source, options, parts)
    marked = _signals(job)
    missing = sorted(layer for layer in job.required if layer.is_signal and layer not in marked.written)
    if missing:
        reasons = "; ".join(note.detail.rstrip(".") for note in marked.notes if note.severity != "info")
        raise UnsupportedMedia(
            f"the {' and the '.join(missing)} layer cannot be written: {reasons}.",
            remedy="Choose other --layers, or a profile that does not require it.",
            path=source.path,
        )
    labelled, lost = _finish(job, marked)
    if lost and all(layer.is_signal and layer not in job.required for layer in lost):
        labelled, lost = _finish(job, _without(marked, lost))  # the manifest must not claim what is not there
    if lost:
        raise LabelLost(
            f"the {' and the '.join(lost)} layer did not survive the writing; nothing was published.",
            remedy="Please report this file as a bug; --layers without it goes on meanwhile.",
            path=source.path,
        )
    more = compare.shortfalls(marked, labelled.layers, labelled.label, labelled.reread, job.options.profile)
    return dataclasses.replace(labelled, notes=(*labelled.notes, *more))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What is to be done with one file, decided before anything is written."""

    source: Source
    info: MediaInfo
    options: LabelOptions
    layers: tuple[Layer, ...]
    required: frozenset[Layer]
    label: Label
    signer: SigningIdentity | None
    notes: tuple[Finding, ...]
    parts: Scratch | None


def _prepare(source: Source, options: LabelOptions, parts: Scratch | None) -> _Job:
    profile = profiles.load(options.profile)
    info = probe(source, options.limits)
    layers, required = profile.layers_for(info.modality)
    if options.layers is not None:
        layers, required = options.layers, frozenset(options.layers)
    before = earlier.in_input(source, options)
    label = new_label(options, before.label)
    notes = (*before.findings, *earlier.foreign(before.layers.credentials))
    in_texts = info.modality is Modality.TEXT and options.layers is None  # their tag is opt-in
    if (Layer.WATERMARK not in layers or in_texts) and not all(layer.is_signal for layer in layers):
        notes += earlier.mark_that_stays(source, info, label, options)
    signer = None
    if Layer.CREDENTIALS in layers:
        try:
            signer = _signer(options)
        except DependencyMissing as error:
            if Layer.CREDENTIALS in required or options.certificate is not None:
                raise
            notes += (Finding(id="credentials.impossible", severity="warn", detail=f"not signed: {error}"),)
            layers = tuple(layer for layer in layers if layer is not Layer.CREDENTIALS)
    return _Job(
        source=source,
        info=info,
        options=options,
        layers=layers,
        required=required,
        label=label,
        signer=signer,
        notes=notes,
        parts=parts,
    )


def _without(marked: Marked, lost: Sequence[Layer]) -> Marked:
    """The same marked file, claiming less."""
    notes = (
        Finding(id=f"{layer}.lost", severity="warn", detail=f"the {layer} did not survive the encoding")
        for layer in lost
    )
    watermarked, drawn = Layer.WATERMARK not in lost, Layer.VISIBLE not in lost
    return dataclasses.replace(
        marked,
        written=tuple(layer for layer in marked.written if layer not in lost),
        visible_text=marked.visible_text if drawn else "",
        algorithm=marked.algorithm if watermarked else "",
        fingerprint=marked.fingerprint if watermarked else "",
        notes=(*marked.notes, *notes),
    )


def _finish(job: _Job, marked: Marked) -> tuple[Labelled, list[Layer]]:
    """Write the container layers, read all back; the second item names layers that were lost.

    A mark that a quick look misses is looked for thoroughly before it is called lost.
    """
    content, sidecars, notes = _containers(job, marked)
    written = (*marked.written, *(layer for layer in job.layers if not layer.is_signal))
    look = VerifyOptions(
        layers=written,
        quick=True,
        sound_track=bool(marked.sound_track),
        limits=job.options.limits,
        home=job.options.home,
    )
    reread = verify_source(content, look, sidecars=sidecars)
    lost = compare.lost(marked, written, job.label, reread)
    if any(layer.is_signal for layer in lost):
        reread = verify_source(content, dataclasses.replace(look, quick=False), sidecars=sidecars)
        lost = compare.lost(marked, written, job.label, reread)
    labelled = Labelled(
        content=content,
        sidecars=sidecars,
        label=job.label,
        layers=written,
        sound_track=compare.heard(marked, job.label, reread),
        reread=reread,
        notes=(*job.notes, *marked.notes, *notes),
    )
    return labelled, lost


def new_label(options: LabelOptions, old: Label | None = None) -> Label:
    """The label to write; relabelling keeps the content's id.

    Raises:
        UsageError: there is no producer.
    """
    if not options.producer.strip():
        raise UsageError(
            "who labels? A label needs the name or code of the generation service.",
            remedy='Give --producer CODE (in Python producer="CODE"), or set it once in labeler.toml.',
        )
    for name in ("producer", "produce_id", "generator", "author", "rights"):
        _check_text(name.replace("_", " "), getattr(options, name))
    return Label(
        producer=options.producer,
        produce_id=options.produce_id or (old.produce_id if old else uuid.uuid4().hex),
        generator=options.generator or (old.generator if old else ""),
        source_type=options.source_type,
        created=datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z"),
        author=options.author,
        rights=options.rights,
    )


def _check_text(name: str, text: str) -> None:
    """Raise UsageError for text that no metadata should carry."""
    if len(text) > _LONGEST or any(unicodedata.category(char) in ("Cc", "Cs") for char in text):
        raise UsageError(
            f"the {name} is longer than {_LONGEST} characters, or has control characters or invalid UTF-8.",
            remedy="Give one line of text.",
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


def _signals(job: _Job) -> Marked:
    """Write the signal layers asked for; without any, the media stream stays bit for bit as it is."""
    layers = [layer for layer in job.layers if layer.is_signal]
    if not layers:
        return Marked(content=job.source)
    return signals_of(job.info.modality).apply(
        job.source,
        job.info,
        layers,
        payload=bytes(Payload.of(job.label)),
        key=watermark_key(job.options) if Layer.WATERMARK in layers else PUBLIC_KEY,
        profile=profiles.load(job.options.profile),
        options=job.options,
        scratch=job.parts,
    )


def _containers(job: _Job, marked: Marked) -> tuple[Source, dict[str, bytes], tuple[Finding, ...]]:
    """Write metadata, then credentials, which sign everything before them."""
    content, sidecars = marked.content, {}
    notes: tuple[Finding, ...] = ()
    if Layer.METADATA in job.layers:
        from labeler.metadata import sidecar

        metadata = metadata_of(job.info.modality)
        if metadata.carrier(job.info.media_type) == "sidecar":
            sidecars[sidecar.SUFFIX] = sidecar.build(job.label)
        else:
            content, notes = content.rewritten(
                lambda source, target: metadata.write(source, target, job.info, job.label), job.parts
            )
            if any(
                note.id == "meta.sidecar" for note in notes
            ):  # this file has no place, though its type has
                sidecars[sidecar.SUFFIX] = sidecar.build(job.label)
    if Layer.CREDENTIALS in job.layers and job.signer is not None:
        manifest = None
        inside, why = _sign_in_text(job, job.signer, content, marked)
        if inside is not None:
            content = inside
        else:
            notes += why
            content, manifest = _sign(job, job.signer, content, marked)
        if manifest is not None:
            sidecars[CREDENTIALS_SUFFIX] = manifest
    if content is job.source:  # the output is published by its name: it must be a file of our own
        content, _ = content.rewritten(
            lambda source, target: shutil.copyfileobj(source, target, 1 << 20), job.parts
        )
    return content, sidecars, notes


def _sign_in_text(
    job: _Job, signer: SigningIdentity, content: Source, marked: Marked
) -> tuple[Source | None, tuple[Finding, ...]]:
    """The text with its manifest inside, if that is asked for; else None, and why it could not be."""
    if not job.options.in_text or job.info.modality is not Modality.TEXT:
        return None, ()
    from labeler.credentials import intext, sign

    if sign.embeds(job.info.media_type):
        return None, ()
    try:
        data = intext.sign_in_text(
            content.data,
            job.info.media_type,
            job.label,
            signer,
            payload=Payload.of(job.label).hex if marked.algorithm else "",
            algorithm=marked.algorithm,
            title=job.source.path.name.encode("utf-8", "replace").decode(),
            training=job.options.training,
            visible_text=marked.visible_text,
        )
    except UnsupportedMedia as error:
        detail = f"the manifest stands beside the text, not in it: {error.message}"
        return None, (Finding(id="credentials.beside", severity="info", detail=detail),)
    return Source(content.path, data), ()


def _sign(job: _Job, signer: SigningIdentity, content: Source, marked: Marked) -> tuple[Source, bytes | None]:
    """Sign the file: the signed file, or the same file and a manifest to stand beside it."""
    from labeler.credentials import sign

    embedded = sign.embeds(job.info.media_type, frames=job.info.frames, size=content.size, head=content.head)

    def write(source: BinaryIO, target: BinaryIO | None) -> bytes:
        with job.source.open() as parent:
            return sign.sign(
                source,
                target,
                job.info,
                job.label,
                signer,
                payload=Payload.of(job.label).hex if marked.algorithm else "",
                algorithm=marked.algorithm,
                fingerprint=marked.fingerprint,
                parent=parent if embedded else None,
                parent_type=job.info.media_type,
                parent_sidecar=read_neighbour(job.source.path, CREDENTIALS_SUFFIX),
                visible_text=marked.visible_text,
                title=job.source.path.name.encode("utf-8", "replace").decode(),
                training=job.options.training,
            )

    if embedded:
        return content.rewritten(write, job.parts)[0], None
    with content.open() as source:
        return content, write(source, None)
