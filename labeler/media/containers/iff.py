"""Chunked files that are walked and rewritten as streams: what WAVE and AIFF have in common.

Only chunk headers are read; bodies are copied piece by piece, so that a file of any size needs little
memory. Sources: EA IFF 85 (big-endian), Microsoft RIFF (little-endian).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal

from labeler.errors import DamagedMedia, LimitExceeded, OutputError
from labeler.media.containers.riff import Chunk
from labeler.media.containers.stream import copy_range, read_at

__all__ = ["MAX_CHUNKS", "MAX_PAYLOAD", "Made", "Piece", "changed", "payload", "total", "walk", "write"]

MAX_CHUNKS = 20_000
MAX_PAYLOAD = 64 << 20
"""Bytes of a chunk that is read into memory (never the sound itself)."""

Order = Literal["little", "big"]


@dataclass(frozen=True, slots=True)
class Made:
    """The data of a chunk as it is being made: its size is known before its bytes are.

    Attributes:
        size: bytes.
        pieces: the bytes, in pieces.
    """

    size: int
    pieces: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk to write: bytes, a chunk of the source that is copied, or data that is being made.

    Attributes:
        kind: FourCC.
        content: its data, padding excluded.
    """

    kind: bytes
    content: bytes | Chunk | Made

    @property
    def size(self) -> int:
        """Number of data bytes."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.size


def walk(
    source: BinaryIO,
    start: int,
    end: int,
    size: int,
    order: Order,
    sizes: dict[bytes, int] | None = None,
    *,
    unknown: tuple[int, ...] = (0xFFFFFFFF,),
) -> tuple[tuple[Chunk, ...], int]:
    """The chunks between two offsets.

    A missing last padding byte is accepted, and so is a form whose declared end is too early, as long as
    the file itself holds the chunk.

    Args:
        source: a seekable file.
        start: offset of the first chunk.
        end: offset behind the form, as declared.
        size: bytes of the file.
        order: of the bytes in a size field.
        sizes: true sizes of chunks whose size field does not tell it.
        unknown: what such a size field says.

    Returns:
        The chunks, and where the form really ends.

    Raises:
        DamagedMedia: if a chunk is cut off, or there are absurdly many.
    """
    found: list[Chunk] = []
    position = start
    while position + 8 <= min(end, size):
        head = read_at(source, position, 8)
        length = int.from_bytes(head[4:], order)
        if length in unknown and sizes and head[:4] in sizes:
            length = sizes[head[:4]]
        stop = position + 8 + length
        if stop > size:
            raise DamagedMedia(
                f"the chunk {head[:4]!r} is cut off: {length} bytes declared, {size - position - 8} there."
            )
        found.append(Chunk(head[:4], position, length))
        if len(found) > MAX_CHUNKS:
            raise DamagedMedia(f"the file has more than {MAX_CHUNKS} chunks.")
        position = stop + (length & 1)
        end = max(end, stop)
    return tuple(found), min(max(end, position), size) if found else min(end, size)


def payload(source: BinaryIO, chunk: Chunk, *, limit: int = MAX_PAYLOAD) -> bytes:
    """The data of a chunk.

    Raises:
        LimitExceeded: if it is larger than ``limit`` bytes.
    """
    if chunk.size > limit:
        raise LimitExceeded(f"the {chunk.kind!r} chunk has {chunk.size} bytes; the limit is {limit}.")
    return read_at(source, chunk.body, chunk.size, exact=True)


def changed(
    chunks: Iterable[Chunk],
    change: Callable[[Chunk], bytes | Chunk | None],
    new: Iterable[tuple[bytes, bytes]],
    *,
    before: bytes,
) -> list[Piece]:
    """Chunks with some changed, removed and added.

    Args:
        chunks: of the file.
        change: for every chunk itself, its new data, or None to leave it out.
        new: kind and data of chunks to add.
        before: kind of the chunk that they are put in front of, else they come last.
    """
    made = [(chunk.kind, change(chunk)) for chunk in chunks]
    pieces = [Piece(kind, content) for kind, content in made if content is not None]
    at = next((i for i, piece in enumerate(pieces) if piece.kind == before), len(pieces))
    pieces[at:at] = [Piece(kind, content) for kind, content in new]
    return pieces


def total(pieces: Iterable[Piece]) -> int:
    """Bytes of the chunks, headers and padding included."""
    return sum(8 + piece.size + (piece.size & 1) for piece in pieces)


def write(
    source: BinaryIO, target: BinaryIO, pieces: Sequence[Piece], order: Order, *, elsewhere: bytes = b""
) -> None:
    """Write chunks one after the other; a size above 32 bits is written as 0xFFFFFFFF (RF64).

    Args:
        source: what chunks are copied from.
        target: where they go.
        pieces: the chunks.
        order: of the bytes in a size field.
        elsewhere: kind of the chunk whose size stands somewhere else, and is 0xFFFFFFFF here.

    Raises:
        OutputError: if data that is being made has another size than was announced.
    """
    for piece in pieces:
        size = 0xFFFFFFFF if piece.kind == elsewhere else min(piece.size, 0xFFFFFFFF)
        target.write(piece.kind + size.to_bytes(4, order))
        if isinstance(piece.content, Chunk):
            copy_range(source, target, piece.content.body, piece.content.body + piece.size)
        elif isinstance(piece.content, Made):
            _write_made(target, piece.content)
        else:
            target.write(piece.content)
        if piece.size & 1:
            target.write(b"\0")


def _write_made(target: BinaryIO, made: Made) -> None:
    written = 0
    for data in made.pieces:
        target.write(data)
        written += len(data)
    if written != made.size:
        raise OutputError(f"{written} bytes of sound were made where {made.size} were announced.")
