"""The metadata layer for audio: write one label, read whatever labels there are.

=====================  =======================================  ====================  =======================
format                 where the label stands                   carrier               IPTC fields
=====================  =======================================  ====================  =======================
WAV, RF64, BW64        RIFF chunk ``AIGC``                      ``wav-chunk``         XMP, ``_PMX`` chunk
MP3                    ID3v2 ``TXXX``, description ``AIGC``     ``id3-txxx``          XMP, ``PRIV`` frame
FLAC                   Vorbis comment ``AIGC=``                 ``vorbis-comment``    further comments
Ogg Vorbis, Opus       Vorbis comment ``AIGC=``                 ``vorbis-comment``    further comments
M4A                    moov.udta.meta, key ``AIGC``             ``mp4-keys``          XMP, ``uuid`` box
AIFF, AIFF-C           XMP ``TC260:AIGC``                       ``xmp``               XMP, ``APPL`` chunk
AAC (ADTS)             XMP ``TC260:AIGC``                       ``xmp``               XMP, ID3v2 ``PRIV`` frame
=====================  =======================================  ====================  =======================

Placement follows TC260-PG-202510A; formats without a place of their own take XMP. Everything is container surgery:
coded sound is copied byte by byte, and only headers are held in memory.
"""

from __future__ import annotations

import importlib
from typing import BinaryIO

from labeler.errors import UnsupportedMedia
from labeler.metadata import tagged
from labeler.types import Finding, Label, MediaInfo, MetadataReport

__all__ = ["carrier", "read", "write"]

_CARRIERS: dict[str, tuple[str, str, bool]] = {
    "audio/wav": ("wave", "RIFF chunk AIGC (TC260-PG-202510A)", True),
    "audio/mpeg": ("id3", "ID3v2 TXXX with description AIGC (TC260-PG-202510A)", True),
    "audio/flac": ("flac", "Vorbis comment AIGC (TC260-PG-202510A)", False),
    "audio/ogg": ("ogg", "Vorbis comment AIGC (TC260-PG-202510A)", False),
    "audio/mp4": ("mp4", "moov.udta.meta, key AIGC (TC260-PG-202510A)", True),
    "audio/aiff": ("aiff", "XMP TC260:AIGC (TC260-PG-202510A)", True),
    "audio/aac": ("id3", "XMP TC260:AIGC (TC260-PG-202510A)", True),
}


def carrier(media_type: str) -> str:
    """Where a label goes: the name of the place in the file.

    Raises:
        UnsupportedMedia: for a type that this layer does not know.
    """
    return _tagged(media_type).place


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
        LimitExceeded: if a header is absurdly large, or a size would pass its field.
        UnsupportedMedia: for a type without a carrier, or a file that cannot be changed safely.
    """
    place = _tagged(info.media_type)
    return tagged.write(place, source, target, label, prompt=prompt, prompt_writer=prompt_writer)


def read(source: BinaryIO, info: MediaInfo) -> MetadataReport:
    """Read every label and the IPTC fields of a sound file; odd labels are findings, never errors.

    Args:
        source: the file, seekable; the sound is not read.
        info: what the file is; only ``media_type`` is used.

    Raises:
        DamagedMedia: if the container itself cannot be walked.
        LimitExceeded: if a header is absurdly large.
        UnsupportedMedia: for a type that this layer does not know.
    """
    return tagged.read(_tagged(info.media_type), source)


def _tagged(media_type: str) -> tagged.Tagged:
    try:
        name, where, has_xmp = _CARRIERS[media_type]
    except KeyError:
        raise UnsupportedMedia(f"the metadata layer for audio does not know {media_type!r}.") from None
    module = importlib.import_module(f"labeler.metadata.carriers.{name}")
    if media_type == "audio/aac":
        module = module.AdtsCarrier
    return tagged.Tagged(module.PLACE, where, module.read, module.write, xmp=has_xmp)
