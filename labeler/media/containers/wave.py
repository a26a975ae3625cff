"""WAVE files of any size: RIFF, RF64 and BW64.

Sources: Microsoft Multimedia Programming Interface (RIFF, WAVE), EBU Tech 3306 (RF64: ``ds64``), ITU-R
BS.2088 (BW64). Programs that write into a pipe leave 0 or 0xFFFFFFFF as the size of ``RIFF`` and ``data``;
the sound of such a file runs to its end, and a rewritten file tells the true sizes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from labeler.errors import DamagedMedia
from labeler.media.containers import iff
from labeler.media.containers.iff import Piece
from labeler.media.containers.riff import Chunk
from labeler.media.containers.stream import copy_range, file_size, read_at

__all__ = ["DS64", "Wave", "ds64", "pieces_of", "rewrite", "walk", "write"]

_OPEN = 0xFFFFFFFF
_FORMS = (b"RIFF", b"RF64", b"BW64")
DS64 = 28
"""Bytes of a ``ds64`` chunk without a table."""


@dataclass(frozen=True, slots=True)
class Wave:
    """A WAVE file.

    Attributes:
        form: ``b"RIFF"``, ``b"RF64"`` or ``b"BW64"``.
        chunks: of the top level, in order, with true sizes; ``ds64`` is not among them.
        end: offset behind the form; what follows belongs to nobody and is kept.
        size: bytes of the file.
    """

    form: bytes
    chunks: tuple[Chunk, ...]
    end: int
    size: int

    def find(self, kind: bytes) -> Chunk | None:
        """The first chunk of a kind."""
        return next((chunk for chunk in self.chunks if chunk.kind == kind), None)


def walk(source: BinaryIO) -> Wave:
    """All chunks of the top level.

    Raises:
        DamagedMedia: if it is no WAVE file, or a chunk is cut off.
    """
    size = file_size(source)
    head = read_at(source, 0, 12)
    form = head[:4]
    if form not in _FORMS or head[8:12] != b"WAVE":
        raise DamagedMedia("not a WAVE file: it does not begin with RIFF, RF64 or BW64.")
    declared = int.from_bytes(head[4:8], "little")
    start = 12
    sizes: dict[bytes, int] = {}
    if form != b"RIFF":
        start, declared, sizes = _ds64(source)
    end = size if declared in (0, _OPEN) else 8 + declared
    if form == b"RIFF":
        sizes = {b"data": _until_end(source, start, size)}
    unfinished = form == b"RIFF" and declared in (0, _OPEN)
    unknown = (0, _OPEN) if unfinished else (_OPEN,)
    chunks, end = iff.walk(source, start, end, size, "little", sizes, unknown=unknown)
    if not unfinished and declared != _OPEN and size < declared:  # some count the 8 bytes of the header too
        raise DamagedMedia(f"the WAVE file is cut off: {8 + declared} bytes declared, {size} there.")
    return Wave(form, chunks, end, size)


def _until_end(source: BinaryIO, position: int, size: int) -> int:
    """Bytes from the body of the ``data`` chunk to the end of the file, for a header never finished."""
    for _ in range(iff.MAX_CHUNKS):
        head = read_at(source, position, 8)
        if len(head) < 8:
            return _OPEN
        if head[:4] == b"data":
            return size - position - 8
        length = int.from_bytes(head[4:], "little")
        position += 8 + length + (length & 1)
    return _OPEN


def _ds64(source: BinaryIO) -> tuple[int, int, dict[bytes, int]]:
    """Where the next chunk starts, the size of the form, and the sizes of the table."""
    head = read_at(source, 12, 8 + DS64)
    length = int.from_bytes(head[4:8], "little")
    if head[:4] != b"ds64" or len(head) < 8 + DS64 or length < DS64:
        raise DamagedMedia("the RF64 file has no ds64 chunk, which tells its size (EBU Tech 3306).")
    riff_size, data_size, _, count = struct.unpack_from("<QQQI", head, 8)
    sizes = {b"data": data_size}
    table = read_at(source, 20 + DS64, min(count, (length - DS64) // 12, 1000) * 12)
    for at in range(0, len(table) - 11, 12):
        sizes[table[at : at + 4]] = int.from_bytes(table[at + 4 : at + 12], "little")
    return 20 + length + (length & 1), riff_size, sizes


def pieces_of(wave: Wave) -> list[Piece]:
    """The chunks of a file, to be copied."""
    return [Piece(chunk.kind, chunk) for chunk in wave.chunks]


def rewrite(
    source: BinaryIO,
    target: BinaryIO,
    wave: Wave,
    change: Callable[[Chunk], bytes | Chunk | None],
    new: Sequence[tuple[bytes, bytes]] = (),
) -> None:
    """Write the file with chunks changed, removed and added; everything else byte by byte.

    Args:
        source: the file.
        target: where the result goes.
        wave: what ``walk`` found.
        change: for every chunk itself, its new data, or None to leave it out.
        new: kind and data of chunks to add, before ``data``.
    """
    pieces = iff.changed(wave.chunks, change, new, before=b"data")
    write(source, target, wave.form, pieces)
    copy_range(source, target, wave.end, wave.size)


def write(source: BinaryIO, target: BinaryIO, form: bytes, pieces: Sequence[Piece]) -> None:
    """Write a WAVE file; one that passes 4 GiB becomes RF64, in the place of a first ``JUNK`` chunk."""
    pieces = list(pieces)
    if form == b"RIFF" and 4 + iff.total(pieces) >= _OPEN:
        form = b"RF64"
        if pieces and pieces[0].kind == b"JUNK" and pieces[0].size == DS64:
            del pieces[0]
    if form == b"RIFF":
        target.write(form + (4 + iff.total(pieces)).to_bytes(4, "little") + b"WAVE")
        iff.write(source, target, pieces, "little")
        return
    data_size = next((piece.size for piece in pieces if piece.kind == b"data"), 0)
    others = [piece for piece in pieces if piece.kind != b"data" and piece.size >= _OPEN]
    table = [(piece.kind, piece.size) for piece in others]
    head = ds64(4 + iff.total(pieces) + 8 + DS64 + 12 * len(table), data_size, table)
    target.write(form + b"\xff\xff\xff\xff" + b"WAVE" + head)
    iff.write(source, target, pieces, "little", elsewhere=b"data")


def ds64(riff_size: int, data_size: int, table: Sequence[tuple[bytes, int]] = ()) -> bytes:
    """A ``ds64`` chunk, header included; the sample count is left 0, as for PCM it follows from the size."""
    body = struct.pack("<QQQI", riff_size, data_size, 0, len(table))
    body += b"".join(kind + struct.pack("<Q", size) for kind, size in table)
    return b"ds64" + struct.pack("<I", len(body)) + body
