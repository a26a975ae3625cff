"""The one table that says which module serves which modality; all of them are imported when first needed."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from labeler.core.keys import WatermarkKey
from labeler.errors import UnsupportedMedia, UsageError
from labeler.media.files import Scratch, Source
from labeler.media.formats import extensions
from labeler.media.limits import Limits
from labeler.media.sniff import describe, modality_of, sniff
from labeler.pipeline.marked import Marked
from labeler.pipeline.options import LabelOptions, VerifyOptions
from labeler.pipeline.seen import Seen
from labeler.profiles import Profile
from labeler.types import (
    Finding,
    Label,
    Layer,
    MediaInfo,
    MetadataReport,
    Modality,
)

__all__ = ["check_name", "examine", "metadata_of", "probe", "signals_of"]


class Probe(Protocol):
    """Media room: what a file is, from its header."""

    def probe(self, data: bytes, name: str, *, limits: Limits) -> MediaInfo: ...


class Probed(Protocol):
    """What the media room knows of sound or video; the part that all rooms share is ``info``."""

    @property
    def info(self) -> MediaInfo: ...


class StreamProbe(Protocol):
    """The same for sound and video, which are not read whole."""

    def probe(self, file: BinaryIO, size: int, name: str, *, limits: Limits) -> Probed: ...


class Metadata(Protocol):
    """Metadata layer of one modality."""

    def carrier(self, media_type: str) -> str: ...

    def write(
        self, source: BinaryIO, target: BinaryIO, info: MediaInfo, label: Label
    ) -> tuple[Finding, ...]: ...

    def read(self, source: BinaryIO, info: MediaInfo) -> MetadataReport: ...


class Signals(Protocol):
    """The pass that decodes once, runs both signal layers, and encodes once; and the way back."""

    def apply(
        self,
        source: Source,
        info: MediaInfo,
        layers: Sequence[Layer],
        *,
        payload: bytes,
        key: WatermarkKey,
        profile: Profile,
        options: LabelOptions,
        scratch: Scratch | None,
    ) -> Marked: ...

    def detect(
        self,
        source: Source,
        info: MediaInfo,
        layers: Sequence[Layer],
        *,
        keys: Sequence[WatermarkKey],
        options: VerifyOptions,
    ) -> Seen: ...


_PROBE = {
    Modality.IMAGE: "labeler.media.image",
    Modality.TEXT: "labeler.media.text.probe",
    Modality.AUDIO: "labeler.media.audio.probe",
    Modality.VIDEO: "labeler.media.video.probe",
}
_METADATA = {modality: f"labeler.metadata.{modality}" for modality in Modality}
_SIGNALS = {modality: f"labeler.pipeline.{modality}" for modality in Modality}
_MAY_BE_TEXT = frozenset({"application/octet-stream", "application/pdf", "application/zip"})
"""What the first bytes of texts and documents look like; their own probe looks closer."""


def probe(source: Source, limits: Limits) -> MediaInfo:
    """What the file is; its content decides, the name only where content cannot.

    Raises:
        UnsupportedMedia: not a type that labeler handles.
        DamagedMedia, LimitExceeded: as the modality's probe finds.
    """
    media_type = sniff(source.head)
    modality = modality_of(media_type)
    if modality is None and media_type in _MAY_BE_TEXT and source.size:
        modality = Modality.TEXT
    if modality is None:
        raise UnsupportedMedia(describe(media_type, source.size), path=source.path)
    if source.file is not None:
        return cast(MediaInfo, examine(source, limits).info)
    module = cast(Probe, _load(_PROBE, modality))
    return module.probe(source.data, str(source.path), limits=limits)


def check_name(source: Source, output: Path, limits: Limits) -> None:
    """Check that an output's name does not promise another type than the input's, as no file is converted.

    The input's own extension is kept whatever the content is, and extensions that labeler does not know pass.

    Raises:
        UsageError: it does.
    """
    suffix = output.suffix.lower()
    if suffix == source.path.suffix.lower() or not any(suffix in each for each in extensions().values()):
        return
    media_type = probe(source, limits).media_type
    known = extensions().get(media_type, (suffix,))
    if suffix not in known:
        raise UsageError(
            f"the output's name ends in {suffix}, but the input is {media_type}, and labeler does not convert.",
            remedy=f"Give a name that ends in {' or '.join(known)}.",
            path=output,
        )


def examine(source: Source, limits: Limits) -> Any:
    """All that the media room knows of sound or video on the disk: ``AudioInfo`` or ``VideoInfo``."""
    if source.known is None:
        with source.open() as file:
            name = _PROBE[Modality.AUDIO if _only_sound(file) else Modality.VIDEO]
            module = cast(StreamProbe, importlib.import_module(name))
            source.known = module.probe(file, source.size, str(source.path), limits=limits)
    return source.known


def _only_sound(file: BinaryIO) -> bool:
    """Whether it is sound; an MP4 file can be either, whatever brand it names."""
    media_type = sniff(file.read(4096))
    if media_type in ("audio/mp4", "video/mp4"):
        from labeler.media.audio.mp4sound import has_video

        return not has_video(file)
    return media_type.startswith("audio/")


def metadata_of(modality: Modality) -> Metadata:
    """The metadata layer of a modality."""
    return cast(Metadata, _load(_METADATA, modality))


def signals_of(modality: Modality) -> Signals:
    """The signal pass of a modality."""
    return cast(Signals, _load(_SIGNALS, modality))


def _load(table: dict[Modality, str], modality: Modality) -> Any:
    return importlib.import_module(table[modality])
