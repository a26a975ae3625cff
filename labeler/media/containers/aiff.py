"""AIFF and AIFF-C files, walked and rewritten as streams.

Sources: Apple, Audio Interchange File Format 1.3 (1989) and AIFF-C (1991).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from labeler.errors import DamagedMedia, LimitExceeded
from labeler.media.containers import iff
from labeler.media.containers.iff import Piece
from labeler.media.containers.riff import Chunk
from labeler.media.containers.stream import copy_range, file_size, read_at

__all__ = ["Aiff", "extended", "rewrite", "walk", "write"]


@dataclass(frozen=True, slots=True)
class Aiff:
    """An AIFF file.

    Attributes:
        form: ``b"AIFF"`` or ``b"AIFC"``.
        chunks: of the top level, in order.
        end: offset behind the form.
        size: bytes of the file.
    """

    form: bytes
    chunks: tuple[Chunk, ...]
    end: int
    size: int

    def find(self, kind: bytes) -> Chunk | None:
        """The first chunk of a kind."""
        return next((chunk for chunk in self.chunks if chunk.kind == kind), None)


def walk(source: BinaryIO) -> Aiff:
    """All chunks of the top level.

    Raises:
        DamagedMedia: if it is no AIFF file, or a chunk is cut off.
    """
    size = file_size(source)
    head = read_at(source, 0, 12)
    if head[:4] != b"FORM" or head[8:12] not in (b"AIFF", b"AIFC"):
        raise DamagedMedia("not an AIFF file: it does not begin with FORM and AIFF or AIFC.")
    end = 8 + int.from_bytes(head[4:8], "big")
    if end > size + 1:
        raise DamagedMedia(f"the AIFF file is cut off: {end} bytes declared, {size} there.")
    chunks, end = iff.walk(source, 12, end, size, "big")
    return Aiff(head[8:12], chunks, end, size)


def rewrite(
    source: BinaryIO,
    target: BinaryIO,
    aiff: Aiff,
    change: Callable[[Chunk], bytes | Chunk | None],
    new: Sequence[tuple[bytes, bytes]] = (),
) -> None:
    """Write the file with chunks changed, removed and added before the sound; all else byte by byte.

    Args:
        source: the file.
        target: where the result goes.
        aiff: what ``walk`` found.
        change: for every chunk itself, its new data, or None to leave it out.
        new: kind and data of chunks to add.
    """
    pieces = iff.changed(aiff.chunks, change, new, before=b"SSND")
    write(source, target, aiff.form, pieces)
    copy_range(source, target, aiff.end, aiff.size)


def write(source: BinaryIO, target: BinaryIO, form: bytes, pieces: Sequence[Piece]) -> None:
    """Write an AIFF file.

    Raises:
        LimitExceeded: above 4 GiB, which the format cannot tell.
    """
    size = 4 + iff.total(pieces)
    if size >= 1 << 32:
        raise LimitExceeded("an AIFF file cannot be larger than 4 GiB.", remedy="Use WAV or FLAC.")
    target.write(b"FORM" + size.to_bytes(4, "big") + form)
    iff.write(source, target, pieces, "big")


def extended(data: bytes) -> float:
    """An 80-bit extended floating point number (IEEE 754, as in ``COMM``), or 0.0 if it is absurd.

    >>> extended(bytes.fromhex("400eac44000000000000"))
    44100.0
    """
    exponent = int.from_bytes(data[:2], "big")
    mantissa = int.from_bytes(data[2:10], "big")
    if len(data) < 10 or exponent & 0x8000 or not mantissa or not 0x3FFF <= exponent < 0x3FFF + 40:
        return 0.0
    return mantissa * 2.0 ** (exponent - 0x3FFF - 63)
