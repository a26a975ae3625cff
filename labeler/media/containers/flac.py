"""FLAC files: their metadata blocks, and rewriting them without touching a frame.

Source: RFC 9639 (sections 6 to 8). An ID3v2 tag that some programs put in front is skipped and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from labeler.errors import DamagedMedia, LimitExceeded
from labeler.media.containers.stream import copy_range, file_size, read_at

__all__ = [
    "APPLICATION",
    "COMMENT",
    "PADDING",
    "PICTURE",
    "SEEKTABLE",
    "STREAMINFO",
    "Block",
    "Flac",
    "payload",
    "rewrite",
    "walk",
]

STREAMINFO, PADDING, APPLICATION, SEEKTABLE, COMMENT, CUESHEET, PICTURE = range(7)
_MAX_BLOCKS = 10_000
_MAX_SIZE = (1 << 24) - 1


@dataclass(frozen=True, slots=True)
class Block:
    """One metadata block.

    Attributes:
        kind: 0 STREAMINFO to 6 PICTURE.
        start: offset of its header.
        size: bytes behind the four of the header.
    """

    kind: int
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Flac:
    """A FLAC file.

    Attributes:
        start: offset of ``fLaC``.
        blocks: the metadata blocks, STREAMINFO first.
        frames: offset of the first frame.
        size: bytes of the file.
    """

    start: int
    blocks: tuple[Block, ...]
    frames: int
    size: int


def walk(source: BinaryIO) -> Flac:
    """The metadata blocks.

    Raises:
        DamagedMedia: if it is no FLAC file or its metadata is cut off.
    """
    size = file_size(source)
    head = read_at(source, 0, 10)
    start = 0
    if head[:3] == b"ID3" and len(head) == 10:
        start = 10 + ((head[6] & 127) << 21 | (head[7] & 127) << 14 | (head[8] & 127) << 7 | head[9] & 127)
    if read_at(source, start, 4) != b"fLaC":
        raise DamagedMedia("not a FLAC file: it does not begin with fLaC.")
    position = start + 4
    blocks: list[Block] = []
    last = False
    while not last:
        header = read_at(source, position, 4)
        length = int.from_bytes(header[1:4], "big")
        if len(header) < 4 or position + 4 + length > size:
            raise DamagedMedia(f"the FLAC metadata block at byte {position} is cut off.")
        last = bool(header[0] & 128)
        blocks.append(Block(header[0] & 127, position, length))
        position += 4 + length
        if len(blocks) > _MAX_BLOCKS:
            raise DamagedMedia(f"the FLAC file has more than {_MAX_BLOCKS} metadata blocks.")
    if blocks[0].kind != STREAMINFO or blocks[0].size < 34:
        raise DamagedMedia("the FLAC file does not begin with a STREAMINFO block.")
    return Flac(start, tuple(blocks), position, size)


def payload(source: BinaryIO, block: Block) -> bytes:
    """The bytes of a block behind its header (16 MiB at most, by the format)."""
    return read_at(source, block.start + 4, block.size, exact=True)


def rewrite(
    source: BinaryIO,
    target: BinaryIO,
    flac: Flac,
    change: Callable[[Block], bytes | Block | None],
    new: Sequence[tuple[int, bytes]] = (),
) -> None:
    """Write the file with metadata blocks changed, removed and added; the frames byte by byte.

    Args:
        source: the file.
        target: where the result goes.
        flac: what ``walk`` found.
        change: for every block itself, its new content, or None to leave it out; STREAMINFO must stay.
        new: kind and content of blocks to add, behind STREAMINFO.

    Raises:
        LimitExceeded: if a block does not fit in 16 MiB.
    """
    kept: list[tuple[int, bytes | Block]] = []
    for index, block in enumerate(flac.blocks):
        content = change(block)
        if content is not None:
            kept.append((block.kind, content))
        if index == 0:
            kept += new
    copy_range(source, target, 0, flac.start + 4)
    for index, (kind, content) in enumerate(kept):
        size = content.size if isinstance(content, Block) else len(content)
        if size > _MAX_SIZE:
            raise LimitExceeded(f"a FLAC metadata block cannot have {size} bytes.")
        flag = 128 if index == len(kept) - 1 else 0
        target.write(bytes([flag | kind]) + size.to_bytes(3, "big"))
        if isinstance(content, Block):
            copy_range(source, target, content.start + 4, content.start + 4 + size)
        else:
            target.write(content)
    copy_range(source, target, flac.frames, flac.size)
