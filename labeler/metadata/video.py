"""The metadata layer for video: write one label, read whatever labels there are.

===================  ==============================================  =================  ================
container            where the label stands (TC260-PG-20257A)        carrier            IPTC fields
===================  ==============================================  =================  ================
MP4, MOV, M4V, M4A   moov.udta.meta, key ``AIGC``                    ``mp4-keys``       XMP, ``uuid`` box
Matroska, WebM       SimpleTag ``AIGC``                              ``matroska-tag``   further SimpleTags
AVI                  LIST INFO, chunk ``AIGC``                       ``avi-info``       XMP, ``_PMX`` chunk
FLV                  script data, ``onMetaData.AIGC``                ``flv-onmetadata`` further properties
MPEG-TS              ``<name>.aigc.json`` beside the file            ``sidecar``        there
===================  ==============================================  =================  ================

Everything is container surgery: coded media is copied byte by byte, and only headers are held in memory.
"""

from __future__ import annotations

import importlib
from typing import BinaryIO

from labeler.errors import UnsupportedMedia
from labeler.media.containers.stream import copy_range, file_size
from labeler.metadata import tagged
from labeler.types import Finding, Label, MediaInfo, MetadataReport, State

__all__ = ["carrier", "read", "write"]

_MP4 = ("mp4", "moov.udta.meta, key AIGC (TC260-PG-20257A)", True)
_MATROSKA = ("matroska", "SimpleTag AIGC (TC260-PG-20257A)", False)
_CARRIERS: dict[str, tuple[str, str, bool]] = {
    "video/mp4": _MP4,
    "video/quicktime": _MP4,
    "video/x-m4v": _MP4,
    "audio/mp4": _MP4,
    "video/x-matroska": _MATROSKA,
    "video/webm": _MATROSKA,
    "video/x-msvideo": ("avi", "LIST INFO, chunk AIGC (TC260-PG-20257A)", True),
    "video/x-flv": ("flv", "onMetaData.AIGC (TC260-PG-20257A)", False),
}
_SIDECAR_TYPES = frozenset({"video/mp2t"})


def carrier(media_type: str) -> str:
    """Where a label goes: the name of the place, or ``sidecar`` (``<name>.aigc.json`` beside the file).

    Raises:
        UnsupportedMedia: for a type that this layer does not know.
    """
    return "sidecar" if media_type in _SIDECAR_TYPES else _tagged(media_type).place


def write(
    source: BinaryIO,
    target: BinaryIO,
    info: MediaInfo,
    label: Label,
    *,
    prompt: str = "",
    prompt_writer: str = "",
) -> tuple[Finding, ...]:
    """Write the label; afterwards the file carries exactly this one. See ``tagged.write``.

    Args:
        source: the file to read, seekable.
        target: where the result goes, in pieces.
        info: what the file is; only ``media_type`` is used.
        label: what to say.
        prompt: text for the IPTC field AIPromptInformation; off by default, prompts can be personal.
        prompt_writer: name for AIPromptWriterName; likewise.

    Returns:
        Findings about the label and about what was replaced or could not be.

    Raises:
        DamagedMedia: if the container cannot be walked, or its XMP packet is not well-formed.
        LimitExceeded: if a header is absurdly large, or an offset would pass its field.
        UnsupportedMedia: for a type without a carrier, or a file that cannot be changed safely.
    """
    if info.media_type in _SIDECAR_TYPES:
        copy_range(source, target, 0, file_size(source))
        detail = f"{info.media_type} has no place for metadata; the label belongs in a sidecar file."
        return (Finding(id="meta.sidecar", severity="info", detail=detail),)
    place = _tagged(info.media_type)
    return tagged.write(place, source, target, label, prompt=prompt, prompt_writer=prompt_writer)


def read(source: BinaryIO, info: MediaInfo) -> MetadataReport:
    """Read every label and the IPTC fields of a video; odd labels are findings, never errors.

    Args:
        source: the file, seekable; only headers are read.
        info: what the file is; only ``media_type`` is used.

    Raises:
        DamagedMedia: if the container itself cannot be walked.
        LimitExceeded: if a header is absurdly large.
        UnsupportedMedia: for a type that this layer does not know.
    """
    if info.media_type in _SIDECAR_TYPES:
        reason = f"{info.media_type} has no place for metadata; look for a sidecar file."
        return MetadataReport(state=State.NOT_APPLICABLE, reason=reason)
    return tagged.read(_tagged(info.media_type), source)


def _tagged(media_type: str) -> tagged.Tagged:
    try:
        name, where, has_xmp = _CARRIERS[media_type]
    except KeyError:
        raise UnsupportedMedia(f"the metadata layer for video does not know {media_type!r}.") from None
    module = importlib.import_module(f"labeler.metadata.carriers.{name}")
    return tagged.Tagged(module.PLACE, where, module.read, module.write, xmp=has_xmp)
