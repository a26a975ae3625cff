"""RIFF chunks, and what WebP builds of them.

Sources: Microsoft RIFF (chunk layout), RFC 9649 (WebP: sections 2.3 to 2.7, VP8X flags, canvas),
RFC 6386 9.1 (VP8 frame header), WebP Lossless Bitstream section 3 (VP8L header).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from labeler.errors import DamagedMedia, LimitExceeded

__all__ = ["ALPHA", "ANIMATION", "EXIF", "ICC", "XMP", "Chunk", "Riff", "build", "vp8x", "walk"]

ANIMATION, XMP, EXIF, ALPHA, ICC = 0x02, 0x04, 0x08, 0x10, 0x20
"""Flags of the VP8X chunk (RFC 9649 2.7)."""

_MAX_CHUNKS = 200_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk.

    Attributes:
        kind: FourCC.
        start: offset of the FourCC.
        size: number of data bytes, padding excluded.
    """

    kind: bytes
    start: int
    size: int

    @property
    def body(self) -> int:
        """Offset of the first data byte."""
        return self.start + 8

    def payload(self, data: bytes) -> bytes:
        """The data bytes."""
        return data[self.body : self.body + self.size]


@dataclass(frozen=True, slots=True)
class Riff:
    """A RIFF file.

    Attributes:
        form: form type, for example ``b"WEBP"``.
        chunks: chunks of the top level, in order.
        end: offset behind the RIFF chunk; what follows belongs to nobody and is kept.
    """

    form: bytes
    chunks: tuple[Chunk, ...]
    end: int


def walk(data: bytes, form: bytes) -> Riff:
    """All chunks of the top level.

    A missing last padding byte is accepted.

    Raises:
        DamagedMedia: if the form is another one, or a chunk or the file is cut off.
    """
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != form:
        raise DamagedMedia(f"not a RIFF file of form {form.decode('latin-1')}.")
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data) + 1:
        raise DamagedMedia(f"the RIFF file is cut off: {end} bytes declared, {len(data)} there.")
    end = min(end, len(data))
    chunks: list[Chunk] = []
    position = 12
    while position + 8 <= end:
        chunk = Chunk(
            data[position : position + 4],
            position,
            int.from_bytes(data[position + 4 : position + 8], "little"),
        )
        if chunk.body + chunk.size > end:
            raise DamagedMedia(f"RIFF chunk {chunk.kind!r} at byte {position} reaches behind the end.")
        chunks.append(chunk)
        if len(chunks) > _MAX_CHUNKS:
            raise DamagedMedia(f"the RIFF file has more than {_MAX_CHUNKS} chunks.")
        position = chunk.body + chunk.size + (chunk.size & 1)
    return Riff(form, tuple(chunks), end)


def build(form: bytes, chunks: Iterable[tuple[bytes, bytes]], trailing: bytes = b"") -> bytes:
    """A RIFF file from (FourCC, data) pairs, padded; ``trailing`` stands behind the RIFF chunk.

    Raises:
        LimitExceeded: above 4 GiB.
    """
    pieces: list[bytes] = []
    total = 4
    for kind, payload in chunks:
        pad = b"\0" * (len(payload) & 1)
        pieces += [kind + len(payload).to_bytes(4, "little"), payload, pad]
        total += 8 + len(payload) + len(pad)
    if total >= 1 << 32:
        raise LimitExceeded("a RIFF file cannot be larger than 4 GiB.")
    return b"".join([b"RIFF" + total.to_bytes(4, "little") + form, *pieces, trailing])


def vp8x(chunks: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """WebP chunks with a VP8X chunk in front whose metadata flags tell the truth.

    An existing VP8X keeps its canvas, alpha and animation flags; a missing one is made from the
    VP8 or VP8L header.

    Raises:
        DamagedMedia: if the picture's size cannot be read.
    """
    items = list(chunks)
    kinds = {kind for kind, _ in items}
    old = next((payload for kind, payload in items if kind == b"VP8X"), None)
    if old is not None:
        if len(old) < 10:
            raise DamagedMedia("the WebP file's VP8X chunk is too short.")
        flags, reserved, canvas = old[0] & ~(ICC | EXIF | XMP), old[1:4], old[4:]
    else:
        width, height, alpha = _dimensions(items)
        flags, reserved = (ALPHA if alpha or b"ALPH" in kinds else 0), b"\0\0\0"
        canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    for kind, flag in ((b"ICCP", ICC), (b"EXIF", EXIF), (b"XMP ", XMP)):
        flags |= flag if kind in kinds else 0
    rest = [(kind, payload) for kind, payload in items if kind != b"VP8X"]
    return [(b"VP8X", bytes([flags]) + reserved + canvas), *rest]


def _dimensions(chunks: list[tuple[bytes, bytes]]) -> tuple[int, int, bool]:
    for kind, payload in chunks:
        if kind == b"VP8 " and len(payload) >= 10 and payload[3:6] == b"\x9d\x01\x2a":
            width, height = struct.unpack_from("<HH", payload, 6)
            width, height = width & 0x3FFF, height & 0x3FFF
            if width and height:
                return width, height, False
        if kind == b"VP8L" and len(payload) >= 5 and payload[0] == 0x2F:
            bits = int.from_bytes(payload[1:5], "little")
            return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1, bool(bits >> 28 & 1)
    raise DamagedMedia("the WebP file has no VP8 or VP8L picture whose size could be read.")
