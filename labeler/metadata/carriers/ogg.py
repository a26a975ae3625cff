"""Ogg Vorbis, Opus, Speex and FLAC: the label as Vorbis comment ``AIGC=`` (TC260-PG-202510A).

In a chained file every stream has comments of its own; the label stands in those of the first one, and is looked for
in all.
"""

from __future__ import annotations

from typing import BinaryIO

from labeler.errors import DamagedMedia, UnsupportedMedia
from labeler.media.containers import ogg
from labeler.media.containers.ogg import Stream
from labeler.metadata.carriers import vorbis
from labeler.metadata.carriers.base import New, Slots, Text

__all__ = ["PLACE", "read", "write"]

PLACE = vorbis.PLACE

_MAGIC = {"vorbis": b"\x03vorbis", "opus": b"OpusTags", "speex": b""}


def _split(stream: Stream) -> tuple[bytes, bytes]:
    """What stands before the comment list, and the list."""
    packet = stream.comment
    if stream.kind == "flac":
        return packet[:4], packet[4:]
    magic = _MAGIC[stream.kind]
    if not packet.startswith(magic):
        raise DamagedMedia(f"the {stream.kind} stream has no comment packet.")
    return magic, packet[len(magic) :]


def read(source: BinaryIO) -> Slots:
    """The slots of an Ogg file; of the sound only page headers are read.

    Raises:
        DamagedMedia: if its pages cannot be walked.
        LimitExceeded: if headers are absurdly large.
    """
    texts: list[Text] = []
    properties: list[tuple[str, str]] = []
    for number, stream in enumerate(s for s in ogg.streams(source) if s.kind):
        data = _split(stream)[1]
        found = vorbis.texts(data)
        texts += found if number == 0 else [Text("ogg-chained", text.text, text.named) for text in found]
        properties += vorbis.properties(data) if number == 0 else []
    return Slots(texts=tuple(texts), properties=tuple(properties))


def write(source: BinaryIO, target: BinaryIO, new: New) -> tuple[str, ...]:
    """The file with the label in the first stream's comments and other labels taken out.

    Raises:
        DamagedMedia: if the pages cannot be walked.
        UnsupportedMedia: if no stream has comments, or sound shares a page with headers.
        LimitExceeded: if headers are absurdly large.
    """
    written = 0

    def change(number: int, stream: Stream) -> bytes:
        nonlocal written
        written += 1
        before, data = _split(stream)
        result = vorbis.changed(data, new if number == 0 else None)
        if stream.kind == "flac":  # a FLAC metadata block with its header
            if len(result) >= 1 << 24:
                raise UnsupportedMedia("the comments do not fit in a FLAC block.")
            before = before[:1] + len(result).to_bytes(3, "big")
        return before + result

    ogg.rewrite(source, target, change)
    if not written:
        raise UnsupportedMedia("the Ogg file has no stream of sound that labeler knows.")
    return ()
