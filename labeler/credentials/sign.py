"""Sign media: embed a manifest, or make one for a sidecar.

Traps of c2pa-python 0.38.1 that this module fences (all measured): signing a file onto itself empties
it; a failed signature leaves a complete but invalid output; the errors of streams and callbacks are
swallowed; a ``Builder`` signs once; type names such as ``image/jpg`` are refused.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from labeler.credentials import apng, guard, manifest, read, trust
from labeler.credentials.formats import c2pa_format, embeds
from labeler.credentials.identity import NativeSigner, SigningIdentity
from labeler.credentials.messages import clause
from labeler.credentials.streams import Sink, Tap, empty, is_same_file
from labeler.errors import DamagedMedia, InputError, LabelerError, OutputError, UnsupportedMedia, UsageError
from labeler.types import Label, MediaInfo, Modality, State

__all__ = ["detached", "embeds", "has_manifest", "sign"]

_OPAQUE = "application/octet-stream"
_SIDECAR = "parent.c2pa"


def sign(
    source: BinaryIO,
    target: BinaryIO | None,
    info: MediaInfo,
    label: Label,
    identity: SigningIdentity,
    *,
    payload: str = "",
    algorithm: str = "",
    fingerprint: str = "",
    parent: BinaryIO | None = None,
    parent_type: str = "",
    parent_sidecar: bytes | None = None,
    title: str = "",
    training: str = "",
    visible_text: str = "",
) -> bytes:
    """Sign ``source``; samples are never decoded and stay bit-identical.

    The output is not read back here: the pipeline reads every layer back anyway.

    Args:
        source: the media, seekable, read from its start.
        target: receives the media with the manifest inside: another seekable stream, open for reading
            and writing (``w+b``), empty. None makes a sidecar manifest instead.
        info: the media's type.
        label: what the manifest says.
        identity: who signs.
        payload: watermark payload that the media carries, 16 hex digits: makes the soft binding.
        algorithm: its soft-binding algorithm; empty for ``io.github.labeler.watermark.1``.
        fingerprint: perceptual fingerprint of the media, kept in labeler's own assertion.
        parent: the file as it came in. It is kept as ``parentOf`` ingredient if it carries a manifest,
            or if the label says that AI edited it. A manifest that ``source`` itself carries counts too.
        parent_type: MIME type of ``parent``; default that of ``info``.
        parent_sidecar: the manifest of ``parent`` if it stood in a ``.c2pa`` file beside it.
        title: human-readable name of the file.
        training: ``allowed``, ``notAllowed`` or ``constrained``: preference on training and mining.
        visible_text: wording of a visible mark that was added.

    Returns:
        The manifest: for a sidecar, the bytes of the ``.c2pa`` file.

    Raises:
        UsageError: source and target are the same stream, or an option cannot be.
        UnsupportedMedia: a manifest cannot stand inside this type.
        DependencyMissing: the identity has expired.
        InputError: the source cannot be read, or is not what ``info`` says.
        OutputError: the target cannot be written, or signing failed; the target is emptied.
    """
    if target is not None and any(
        is_same_file(each, target) for each in (source, parent) if each is not None
    ):
        raise UsageError("source and target of a signature must be different streams.")
    if target is not None and not embeds(info.media_type, frames=info.frames):
        several = f" with {info.frames} frames" if info.frames > 1 else ""
        raise UnsupportedMedia(
            f"a manifest cannot stand inside {info.media_type}{several}.",
            remedy="It can be kept in a sidecar file, .c2pa beside the media.",
        )
    identity.check_validity()
    if parent is None and target is not None and has_manifest(source, info.media_type):
        parent, parent_type = source, info.media_type
    kept = None
    if parent is not None:
        form = c2pa_format(parent_type or info.media_type)
        carries = parent is source or has_manifest(parent, form)
        if carries or parent_sidecar or label.edited:
            kept = _Parent(parent, form, None if carries else parent_sidecar)
    definition = manifest.definition(
        label,
        media_type=c2pa_format(info.media_type),
        has_parent=kept is not None,
        payload=payload,
        algorithm=algorithm,
        fingerprint=fingerprint,
        title=title,
        training=training,
        visible_text=visible_text,
    )
    try:
        with NativeSigner(identity) as signer:
            return _sign(definition, signer, source, target, c2pa_format(info.media_type), kept)
    except BaseException:
        if target is not None:
            empty(target)
        raise


@dataclass(frozen=True, slots=True)
class _Parent:
    stream: BinaryIO
    form: str
    sidecar: bytes | None


def _sign(
    definition: dict[str, Any],
    signer: NativeSigner,
    source: BinaryIO,
    target: BinaryIO | None,
    form: str,
    parent: _Parent | None,
) -> bytes:
    if target is not None and form == "image/png" and apng.is_animated(source):

        def make(data_hash: dict[str, Any]) -> bytes:
            assertion = {"label": "c2pa.hash.data", "data": data_hash}
            bound = {**definition, "assertions": [*definition["assertions"], assertion]}
            return _build(bound, signer, io.BytesIO(), None, _OPAQUE, parent)

        return apng.sign(source, target, make)
    if target is None:
        assertion = {"label": "c2pa.hash.data", "data": _whole_hash(source)}
        bound = {**definition, "assertions": [*definition["assertions"], assertion]}
        return _build(bound, signer, io.BytesIO(), None, _OPAQUE, parent)
    return _build(definition, signer, source, target, form, parent)


def _whole_hash(source: BinaryIO) -> dict[str, Any]:
    """The hash that binds a sidecar to a file: of all its bytes (C2PA 2.2, 9.2.2), without holding them.

    Left to c2pa, this takes half a gigabyte of memory for a large file.
    """
    source.seek(0)
    digest = hashlib.file_digest(source, "sha256").digest()  # type: ignore[arg-type]
    return {"alg": "sha256", "hash": list(digest), "exclusions": [], "pad": []}


def detached(definition: dict[str, Any], signer: NativeSigner, data_hash: dict[str, Any]) -> bytes:
    """A manifest whose data hash the caller computed, for media that c2pa does not know."""
    assertion = {"label": "c2pa.hash.data", "data": data_hash}
    bound = {**definition, "assertions": [*definition["assertions"], assertion]}
    return _build(bound, signer, io.BytesIO(), None, _OPAQUE, None)


def _build(
    definition: dict[str, Any],
    signer: NativeSigner,
    source: BinaryIO,
    target: BinaryIO | None,
    form: str,
    parent: _Parent | None,
) -> bytes:
    import c2pa

    reader, writer = Tap(source), Tap(cast(BinaryIO, Sink()) if target is None else target)

    def attempt(damage: str) -> bytes:
        with c2pa.Builder(definition, trust.signing_context(manifest.CREATED_LABELS)) as builder:
            if parent is not None:
                _add_parent(builder, parent, damage)
            if target is None:
                builder.set_no_embed()
            source.seek(0)
            return bytes(builder.sign(signer.native, form, reader, writer))

    try:
        try:
            return attempt(_refusal(parent))
        except c2pa.C2paError as error:
            if parent is None or signer.failure or reader.failure or writer.failure:
                raise
            empty(writer)
            return attempt(clause(str(error)))
    except c2pa.C2paError as error:
        problem = _explain(error, signer, reader, writer)
        raise problem from problem.__cause__


def _refusal(parent: _Parent | None) -> str:
    if parent is None:
        return ""
    return guard.refusal(parent.stream if parent.sidecar is None else io.BytesIO(parent.sidecar))


def _add_parent(builder: Any, parent: _Parent, damage: str) -> None:
    """Keep the incoming file as ingredient.

    Args:
        builder: a `c2pa.Builder`.
        parent: the incoming file.
        damage: if not empty, why its manifest cannot be kept: it was tried, and c2pa failed. The
            ingredient then says so instead of carrying it, and readers call the chain broken.
    """
    ingredient: dict[str, Any] = {"relationship": "parentOf", "label": manifest.PARENT, "format": parent.form}
    form = parent.form
    if not damage and parent.sidecar is not None:
        extra, damage = _from_sidecar(builder, parent)
        ingredient |= extra
        form = _OPAQUE
    if damage:
        status = {"code": "claim.malformed", "url": "", "explanation": damage}
        results = {"activeManifest": {"success": [], "informational": [], "failure": [status]}}
        text = "its manifest is damaged and could not be kept"
        ingredient |= {"description": text, "validation_results": results}
        form = _OPAQUE
    parent.stream.seek(0)
    tap = Tap(parent.stream)
    try:
        builder.add_ingredient(ingredient, form, tap)
    except Exception:
        if tap.failure is not None:
            raise InputError(f"the file cannot be read: {clause(str(tap.failure))}.") from tap.failure
        raise


def _from_sidecar(builder: Any, parent: _Parent) -> tuple[dict[str, Any], str]:
    """What an ingredient whose manifest stood beside it needs, or why it cannot be had."""
    assert parent.sidecar is not None
    info = MediaInfo(media_type=parent.form, modality=Modality.IMAGE)
    found = read.raw(parent.stream, info, sidecar=parent.sidecar)
    if found["state"] is not State.PRESENT:
        return {}, str(found["reason"])
    builder.add_resource(_SIDECAR, io.BytesIO(parent.sidecar))
    store = found["store"]
    return {
        "active_manifest": store["active_manifest"],
        "validation_results": store["validation_results"],
        "manifest_data": {"format": "application/c2pa", "identifier": _SIDECAR},
    }, ""


def _explain(error: Exception, signer: NativeSigner, reader: Tap, writer: Tap) -> BaseException:
    """The exception behind what c2pa says: it swallows those of callbacks and streams."""
    text = clause(str(error))
    if signer.failure is not None:
        if isinstance(signer.failure, LabelerError) or not isinstance(signer.failure, Exception):
            return signer.failure
        name = type(signer.failure).__name__
        problem: LabelerError = OutputError(f"the signing key failed ({name}): {clause(str(signer.failure))}")
        problem.__cause__ = signer.failure
        return problem
    if writer.failure is not None:
        problem = OutputError(f"the signed file cannot be written: {clause(str(writer.failure))}.")
    elif reader.failure is not None:
        problem = InputError(f"the file to sign cannot be read: {clause(str(reader.failure))}.")
    elif "could not be parsed" in text or "type is unsupported" in text:
        problem = DamagedMedia(f"c2pa cannot find its way in this file: {text}.")
    else:
        remedy = (
            "`labeler keys check` says whether the certificate is at fault." if "ertificate" in text else ""
        )
        problem = OutputError(f"signing failed: {text}.", remedy=remedy)
    return problem


def has_manifest(source: BinaryIO, media_type: str) -> bool:
    """Whether a stream carries a manifest, or points to a remote one, whatever its validity."""
    if not embeds(media_type):
        return False
    if guard.refusal(source):
        return True
    import c2pa

    source.seek(0)
    tap = Tap(source)
    try:
        reader = c2pa.Reader.try_create(c2pa_format(media_type), tap, context=trust.probing_context())
    except c2pa.C2paError as error:
        if tap.failure is not None:
            raise InputError(f"the file cannot be read: {clause(str(tap.failure))}.") from tap.failure
        return not isinstance(error, c2pa.C2paError.NotSupported) and "not be parsed" not in str(error)
    if reader is None:
        return False
    reader.close()
    return True
