"""GIF blocks: walk, and the XMP application extension.

Sources: GIF89a specification (blocks, sub-blocks, appendix B), XMP part 3 section 1.1.2 (the XMP packet
stands raw in the extension, followed by a 258-byte "magic trailer" that leads a reader of sub-blocks
to the block's end wherever it lands).
"""

from __future__ import annotations

from dataclasses import dataclass

from labeler.errors import DamagedMedia

__all__ = [
    "APPLICATION",
    "COMMENT",
    "IMAGE",
    "LOOPS",
    "XMP_ID",
    "Block",
    "Layout",
    "encode_xmp",
    "is_application",
    "sub_blocks",
    "walk",
    "xmp_packet",
]

IMAGE, COMMENT, APPLICATION = 0x2C, 0xFE, 0xFF
_EXTENSION, _TRAILER = 0x21, 0x3B
XMP_ID = b"XMP DataXMP"
LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
"""Application extensions that hold the number of repetitions."""
_MAGIC = b"\x01" + bytes(range(255, -1, -1)) + b"\x00"
_MAX_BLOCKS = 100_000
_MAX_SUB_BLOCKS = 4_000_000


@dataclass(frozen=True, slots=True)
class Block:
    """One block.

    Attributes:
        kind: ``IMAGE``, or the label of an extension.
        start: offset of its introducer.
        body: offset of its first sub-block.
        end: offset behind its terminator.
    """

    kind: int
    start: int
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A GIF file.

    Attributes:
        blocks: all blocks in order, the trailer excluded.
        first: offset behind the header, logical screen and global colour table.
    """

    blocks: tuple[Block, ...]
    first: int


def walk(data: bytes) -> Layout:
    """All blocks. A missing trailer is accepted, a block that is cut off is not.

    Raises:
        DamagedMedia: if the header is missing, a block is cut off or unknown, or there is no picture.
    """
    if data[:6] not in (b"GIF87a", b"GIF89a") or len(data) < 13:
        raise DamagedMedia("not a GIF file: its header is missing.")
    position = first = 13 + _table(data[10])
    blocks: list[Block] = []
    total = 0
    while position < len(data) and data[position] != _TRAILER:
        start = position
        if data[start] == _EXTENSION and start + 2 <= len(data):
            body, kind = start + 2, data[start + 1] if start + 1 < len(data) else 0
        elif data[start] == IMAGE and start + 10 < len(data):
            body, kind = start + 11 + _table(data[start + 9]), IMAGE
        else:
            raise DamagedMedia(f"unknown or cut off GIF block at byte {start}.")
        position = body
        while True:
            if position >= len(data):
                raise DamagedMedia(f"the GIF block at byte {start} is cut off.")
            size = data[position]
            position += 1 + size
            total += 1
            if size == 0:
                break
        blocks.append(Block(kind, start, body, position))
        if len(blocks) > _MAX_BLOCKS or total > _MAX_SUB_BLOCKS:
            raise DamagedMedia(
                f"the GIF file has more than {_MAX_BLOCKS} blocks or {_MAX_SUB_BLOCKS} sub-blocks."
            )
    if not any(block.kind == IMAGE for block in blocks):
        raise DamagedMedia("the GIF file holds no picture.")
    return Layout(tuple(blocks), first)


def _table(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def sub_blocks(data: bytes, block: Block) -> bytes:
    """The data of all sub-blocks, joined."""
    pieces: list[bytes] = []
    position = block.body
    while position < block.end and data[position]:
        size = data[position]
        pieces.append(data[position + 1 : position + 1 + size])
        position += 1 + size
    return b"".join(pieces)


def is_application(data: bytes, block: Block, name: bytes) -> bool:
    """True for an application extension of that identifier and authentication code."""
    return block.kind == APPLICATION and data[block.body : block.body + 12] == b"\x0b" + name


def xmp_packet(data: bytes, block: Block) -> bytes | None:
    """The XMP packet of an application extension, or None if the block is another one.

    Writers that put the packet into ordinary sub-blocks instead of before a magic trailer are
    understood too.
    """
    if not is_application(data, block, XMP_ID):
        return None
    raw = data[block.body + 12 : block.end]
    if raw.endswith(_MAGIC):
        return raw[: -len(_MAGIC)]
    return sub_blocks(data, Block(block.kind, block.start, block.body + 12, block.end))


def encode_xmp(packet: bytes) -> bytes:
    """An XMP application extension.

    Raises:
        DamagedMedia: if the packet holds a NUL byte, which would end the extension early.
    """
    if b"\0" in packet:
        raise DamagedMedia("an XMP packet with NUL bytes cannot stand in a GIF file.")
    return bytes([_EXTENSION, APPLICATION]) + b"\x0b" + XMP_ID + packet + _MAGIC
