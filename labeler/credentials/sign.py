"""Sign media: embed a manifest, or make one for a sidecar.

Traps of c2pa-python 0.38.1 that this module fences (all measured): signing a file onto itself empties
it; a failed signature leaves a complete but invalid output; the errors of streams and callbacks are
swallowed; a ``Builder`` signs once; type names such as ``image/jpg`` are refused.
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO, cast

from labeler.credentials import apng, guard, manifest, trust
from labeler.credentials.formats import c2pa_format, embeds
from labeler.credentials.identity import NativeSigner, SigningIdentity
from labeler.credentials.messages import clause
from labeler.errors import DamagedMedia, InputError, LabelerError, OutputError, UnsupportedMedia, UsageError
from labeler.types import Label, MediaInfo

__all__ = ["embeds", "has_manifest", "sign"]


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
    if target is source or (parent is not None and parent is target):
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
    keep = parent is not None and (
        label.edited or parent is source or has_manifest(parent, parent_type or info.media_type)
    )
    definition = manifest.definition(
        label,
        media_type=c2pa_format(info.media_type),
        has_parent=keep,
        payload=payload,
        algorithm=algorithm,
        fingerprint=fingerprint,
        title=title,
        training=training,
        visible_text=visible_text,
    )
    try:
        with NativeSigner(identity) as signer:
            return _sign(definition, signer, source, target, info, parent if keep else None, parent_type)
    except BaseException:
        if target is not None:
            _empty(target)
        raise


def _sign(
    definition: dict[str, Any],
    signer: NativeSigner,
    source: BinaryIO,
    target: BinaryIO | None,
    info: MediaInfo,
    parent: BinaryIO | None,
    parent_type: str,
) -> bytes:
    form = c2pa_format(info.media_type)
    parent_form = c2pa_format(parent_type or info.media_type)
    if target is not None and form == "image/png" and apng.is_animated(source):

        def make(data_hash: dict[str, Any]) -> bytes:
            assertion = {"label": "c2pa.hash.data", "data": data_hash}
            bound = {**definition, "assertions": [*definition["assertions"], assertion]}
            nothing = io.BytesIO()
            return _build(bound, signer, nothing, None, "application/octet-stream", parent, parent_form)

        return apng.sign(source, target, make)
    return _build(definition, signer, source, target, form, parent, parent_form)


def _build(
    definition: dict[str, Any],
    signer: NativeSigner,
    source: BinaryIO,
    target: BinaryIO | None,
    form: str,
    parent: BinaryIO | None,
    parent_form: str,
) -> bytes:
    import c2pa

    reader, writer = _Tap(source), _Tap(cast(BinaryIO, _Sink()) if target is None else target)

    def attempt(damage: str) -> bytes:
        with c2pa.Builder(definition, trust.signing_context(manifest.CREATED_LABELS)) as builder:
            if parent is not None:
                _add_parent(builder, parent, parent_form, damage)
            if target is None:
                builder.set_no_embed()
            source.seek(0)
            return bytes(builder.sign(signer.native, form, reader, writer))

    try:
        try:
            return attempt(guard.refusal(parent) if parent is not None else "")
        except c2pa.C2paError as error:
            if parent is None or signer.failure or reader.failure or writer.failure:
                raise
            _empty(writer)
            return attempt(clause(str(error)))
    except c2pa.C2paError as error:
        problem = _explain(error, signer, reader, writer)
        raise problem from problem.__cause__


def _add_parent(builder: Any, parent: BinaryIO, form: str, damage: str) -> None:
    """Keep the incoming file as ingredient.

    Args:
        builder: a `c2pa.Builder`.
        parent: the incoming file.
        form: its type.
        damage: if not empty, why its manifest cannot be kept: it was tried, and c2pa failed. The
            ingredient then says so instead of carrying it, and readers call the chain broken.
    """
    ingredient: dict[str, Any] = {"relationship": "parentOf", "label": manifest.PARENT}
    if damage:
        status = {"code": "claim.malformed", "url": "", "explanation": damage}
        results = {"activeManifest": {"success": [], "informational": [], "failure": [status]}}
        text = "its manifest is damaged and could not be kept"
        ingredient |= {"format": form, "description": text, "validation_results": results}
        form = "application/octet-stream"
    parent.seek(0)
    tap = _Tap(parent)
    try:
        builder.add_ingredient(ingredient, form, tap)
    except Exception:
        if tap.failure is not None:
            raise InputError(f"the file cannot be read: {clause(str(tap.failure))}.") from tap.failure
        raise


def _explain(error: Exception, signer: NativeSigner, reader: _Tap, writer: _Tap) -> BaseException:
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
    tap = _Tap(source)
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


def _empty(target: BinaryIO | _Tap) -> None:
    try:
        target.seek(0)
        target.truncate(0)
    except (OSError, ValueError):  # closed, or a broken disk: the caller discards it anyway
        return


class _Tap:
    """A stream for c2pa that keeps the first exception, because c2pa drops it."""

    def __init__(self, stream: BinaryIO) -> None:
        self.failure: Exception | None = None
        self._stream = stream

    def readinto(self, buffer: Any) -> int:
        try:
            return int(self._stream.readinto(buffer))  # type: ignore[attr-defined]
        except Exception as error:
            self.failure = self.failure or error
            raise

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)

    def write(self, data: bytes) -> int:
        try:
            return self._stream.write(data)
        except Exception as error:
            self.failure = self.failure or error
            raise

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def truncate(self, size: int) -> int:
        return self._stream.truncate(size)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except Exception as error:
            self.failure = self.failure or error
            raise


class _Sink:
    """Where the copy of the media goes that c2pa writes even for a sidecar."""

    def __init__(self) -> None:
        self._position = self._size = 0

    def readinto(self, buffer: Any) -> int:
        return 0

    def read(self, size: int = -1) -> bytes:
        return b""

    def write(self, data: bytes) -> int:
        self._position += len(data)
        self._size = max(self._size, self._position)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def truncate(self, size: int) -> int:
        self._size = size
        return size

    def flush(self) -> None:
        return None
