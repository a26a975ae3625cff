"""AIFF and AIFF-C: the label in XMP, in an ``APPL`` chunk with the signature ``XMP ``.

The guide for audio (TC260-PG-202510A) has no place of its own for AIFF; "other formats" take XMP. Odd labels are
looked for in text chunks, an ``AIGC`` chunk and an ID3 tag. Source: XMP specification part 3 (AIFF).
"""

from __future__ import annotations

from typing import BinaryIO

from labeler.media.containers import aiff, iff
from labeler.media.containers.riff import Chunk
from labeler.media.containers.stream import read_at
from labeler.metadata.carriers import id3
from labeler.metadata.carriers.base import MAX_PACKETS, New, Slots, Text, decode, is_label, mixed, whole_label

__all__ = ["PLACE", "read", "write"]

PLACE = "xmp"
"""The guide's place: XMP."""

_SIGNATURE = b"XMP "
_ID3 = b"ID3 "
_TEXTS = frozenset({b"ANNO", b"AUTH", b"NAME", b"(c) "})


def _is_xmp(source: BinaryIO, chunk: Chunk) -> bool:
    return chunk.kind == b"APPL" and chunk.size >= 4 and read_at(source, chunk.body, 4) == _SIGNATURE


def read(source: BinaryIO) -> Slots:
    """The slots of an AIFF file; the sound is not read.

    Raises:
        DamagedMedia: if its chunks cannot be walked.
        LimitExceeded: if a chunk that has to be read is absurdly large.
    """
    packets: list[bytes] = []
    texts: list[Text] = []
    for chunk in aiff.walk(source).chunks:
        if _is_xmp(source, chunk):
            packets.append(iff.payload(source, chunk)[4:])
        elif chunk.kind == b"AIGC":
            texts.append(Text("aiff-chunk", decode(iff.payload(source, chunk)).strip("\0"), True))
        elif chunk.kind in _TEXTS and is_label(text := decode(iff.payload(source, chunk))):
            texts.append(Text("aiff-text", text))
        elif chunk.kind == _ID3:
            texts += id3.texts_in(iff.payload(source, chunk), "aiff-id3")
    return Slots(packets=tuple(packets[:MAX_PACKETS]), texts=tuple(texts))


def write(source: BinaryIO, target: BinaryIO, new: New) -> tuple[str, ...]:
    """The file with XMP replaced, or a first packet put in before the sound, and other labels taken out.

    Raises:
        DamagedMedia: if the chunks cannot be walked.
        LimitExceeded: if the file would pass 4 GiB.
    """
    file = aiff.walk(source)
    queue = list(new.packets)

    def change(chunk: Chunk) -> bytes | Chunk | None:
        if chunk.kind == b"AIGC":
            return None
        if chunk.kind == b"APPL" and queue and _is_xmp(source, chunk):
            return _SIGNATURE + queue.pop(0)
        if chunk.kind in _TEXTS and whole_label(decode(iff.payload(source, chunk))):
            return None
        if chunk.kind == _ID3:
            return id3.without_labels(iff.payload(source, chunk))
        return chunk

    added = []
    if not any(_is_xmp(source, chunk) for chunk in file.chunks):
        added = [(b"APPL", _SIGNATURE + queue.pop(0))]
    aiff.rewrite(source, target, file, change, added)
    return mixed(read(source).texts)
