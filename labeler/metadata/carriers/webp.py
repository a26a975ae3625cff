"""WebP: XMP in the ``XMP `` chunk (TC260-PG-20259A; RFC 9649 2.7.1.4), odd labels in EXIF."""

from __future__ import annotations

from collections.abc import Sequence

from labeler.media.containers import riff
from labeler.media.containers.splice import Edit, splice
from labeler.metadata.carriers import exif
from labeler.metadata.carriers.base import MAX_PACKETS, Slots, Text

__all__ = ["read", "write"]

_EXIF = b"Exif\0\0"
_BEFORE_XMP = frozenset({b"VP8X", b"ICCP", b"ANIM", b"ANMF", b"ALPH", b"VP8 ", b"VP8L", b"EXIF"})


def read(data: bytes) -> Slots:
    """The slots of a WebP file.

    Raises:
        DamagedMedia: if its chunks cannot be walked.
    """
    file = riff.walk(data, b"WEBP")
    packets = tuple(chunk.payload(data) for chunk in file.chunks if chunk.kind == b"XMP ")
    texts: list[Text] = []
    has_exif = False
    for chunk in file.chunks:
        if chunk.kind == b"EXIF":
            has_exif = True
            texts += exif.texts(chunk.payload(data).removeprefix(_EXIF))
    return Slots(packets=packets[:MAX_PACKETS], texts=tuple(texts), has_exif=has_exif)


def write(data: bytes, packets: Sequence[bytes]) -> tuple[bytes, tuple[str, ...]]:
    """The file with its XMP packets replaced (or a first one put in) and odd labels taken out.

    Args:
        data: a WebP file; ALPH, VP8, VP8L, ANIM and ANMF chunks are not touched. A VP8X chunk is made
            if there is none.
        packets: as many as ``read`` gave, or one if there were none.

    Raises:
        DamagedMedia: if the chunks cannot be walked or the picture's size cannot be read.
    """
    file = riff.walk(data, b"WEBP")
    queue = iter(packets)
    had_packet = False
    chunks: list[tuple[bytes, bytes]] = []
    last = 0
    for chunk in file.chunks:
        payload = chunk.payload(data)
        if chunk.kind == b"XMP ":
            payload = next(queue, payload)
            had_packet = True
        elif chunk.kind == b"EXIF":
            body = payload.removeprefix(_EXIF)
            found = exif.blank(body, base=len(payload) - len(body))
            payload = splice(payload, [Edit(at, at + len(new), new) for at, new in found])
        chunks.append((chunk.kind, payload))
        if chunk.kind in _BEFORE_XMP:
            last = len(chunks)
    if not had_packet:
        chunks.insert(last, (b"XMP ", packets[0]))
    return riff.build(b"WEBP", riff.vp8x(chunks), data[file.end :]), ()
