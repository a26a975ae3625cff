"""ISO base media file format: boxes, and the absolute chunk offsets of tracks.

Source: ISO/IEC 14496-12 sections 4.2 (boxes), 8.7.5 (stco, co64), 8.8 (fragments).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from labeler.errors import DamagedMedia, LimitExceeded, UnsupportedMedia
from labeler.media.containers.splice import Edit

__all__ = ["Box", "box", "boxes", "children", "chunk_offset_edits", "find", "full_box", "resize", "top_level"]

_MAX_BOXES = 100_000
_CONTAINERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"udta", b"mvex"})


@dataclass(frozen=True, slots=True)
class Box:
    """One box.

    Attributes:
        kind: four-character code.
        start: offset of its size field.
        body: offset behind its header (for ``uuid`` boxes before the extended type).
        end: offset behind it.
        open: true if its size field is 0, "to the end of the file".
    """

    kind: bytes
    start: int
    body: int
    end: int
    open: bool = False

    def payload(self, data: bytes) -> bytes:
        """The bytes behind the header."""
        return data[self.body : self.end]


def boxes(data: bytes, start: int, end: int, *, junk: bool = False) -> tuple[Box, ...]:
    """The boxes between two offsets; with ``junk``, bytes that cannot be a box end the list.

    Raises:
        DamagedMedia: if a box is too short for its header or reaches behind ``end``.
    """
    found: list[Box] = []
    position = start
    while position + 8 <= end:
        size, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        body = position + 8
        if size == 1 and position + 16 <= end:
            size, body = int.from_bytes(data[body : body + 8], "big"), body + 8
        stop = end if size == 0 else position + size
        if stop < body or stop > end:
            if junk and found and not kind.isalnum():
                break
            raise DamagedMedia(f"box {kind!r} at byte {position} reaches behind the end of what holds it.")
        found.append(Box(kind, position, body, stop, size == 0))
        if len(found) > _MAX_BOXES:
            raise DamagedMedia(f"more than {_MAX_BOXES} boxes at one level.")
        position = stop
    return tuple(found)


def top_level(data: bytes) -> tuple[Box, ...]:
    """The boxes of a file, which begins with ``ftyp``; junk that is no box may follow.

    Raises:
        DamagedMedia: if it does not, or a box is cut off.
    """
    if data[4:8] != b"ftyp":
        raise DamagedMedia("not an ISO media file: it does not begin with an ftyp box.")
    return boxes(data, 0, len(data), junk=True)


def children(data: bytes, parent: Box, *, skip: int = 0) -> tuple[Box, ...]:
    """The boxes in a box; ``skip`` bytes of fields stand before them (4 in a FullBox)."""
    return boxes(data, min(parent.body + skip, parent.end), parent.end)


def find(found: tuple[Box, ...], kind: bytes) -> Box | None:
    """The first box of that kind."""
    return next((item for item in found if item.kind == kind), None)


def box(kind: bytes, payload: bytes) -> bytes:
    """A box with a 32-bit size.

    Raises:
        LimitExceeded: if it would need 64 bits.
    """
    if len(payload) + 8 >= 1 << 32:
        raise LimitExceeded(f"a {kind!r} box of {len(payload)} bytes is too large.")
    return struct.pack(">I4s", len(payload) + 8, kind) + payload


def full_box(kind: bytes, version: int, flags: int, payload: bytes) -> bytes:
    """A box with version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags) + payload)


def resize(item: Box, size: int) -> Edit:
    """The edit that states another size in a box's header, in the field that it has.

    Raises:
        LimitExceeded: if the size does not fit in that field.
    """
    if item.body - item.start == 16:
        return Edit(item.start + 8, item.start + 16, struct.pack(">Q", size))
    if size >= 1 << 32:
        raise LimitExceeded(f"the {item.kind!r} box cannot grow to {size} bytes.")
    return Edit(item.start, item.start + 4, struct.pack(">I", size))


def chunk_offset_edits(data: bytes, top: tuple[Box, ...], shift: Callable[[int], int]) -> list[Edit]:
    """Edits that keep the chunk offsets of all tracks right when something before them grows.

    Raises:
        UnsupportedMedia: if the file has other absolute offsets (fragments, encryption).
        LimitExceeded: if a 32-bit offset would pass 4 GiB.
    """
    if any(item.kind in (b"moof", b"mfra", b"sidx") for item in top):
        raise UnsupportedMedia("a fragmented file cannot be changed in place.")
    edits: list[Edit] = []
    for item in _inside(data, top):
        if item.kind == b"saio":
            raise UnsupportedMedia(
                "a file with auxiliary sample data (encryption) cannot be changed in place."
            )
        if item.kind not in (b"stco", b"co64") or item.end - item.body < 8:
            continue
        width, letter = (4, "I") if item.kind == b"stco" else (8, "Q")
        count = min(
            int.from_bytes(data[item.body + 4 : item.body + 8], "big"), (item.end - item.body - 8) // width
        )
        old = struct.unpack_from(f">{count}{letter}", data, item.body + 8)
        new = [shift(offset) for offset in old]
        if list(old) == new:
            continue
        if width == 4 and max(new) >= 1 << 32:
            raise LimitExceeded("a chunk offset does not fit in 32 bits any more.")
        at = item.body + 8
        edits.append(Edit(at, at + count * width, struct.pack(f">{count}{letter}", *new)))
    return edits


def _inside(data: bytes, top: tuple[Box, ...]) -> Iterator[Box]:
    stack = [(item, 0) for item in top if item.kind == b"moov"]
    seen = 0
    while stack:
        item, depth = stack.pop()
        seen += 1
        if seen > _MAX_BOXES:
            raise DamagedMedia(f"more than {_MAX_BOXES} boxes in the movie box.")
        yield item
        if item.kind in _CONTAINERS and depth < 16:
            stack.extend((inner, depth + 1) for inner in children(data, item))
