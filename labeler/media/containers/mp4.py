"""MP4, MOV and M4A as files: their boxes, and rewriting the header without touching a coded byte.

Only headers are held in memory; media data is copied piece by piece. When the header grows before the
media data, a ``free`` box behind it is used up first; what is left moves the data, and every absolute
offset moves with it: chunk offsets (``stco``, ``co64``, ``saio``), fragment base offsets (``tfhd``),
``sidx`` and ``tfra``.

Source: ISO/IEC 14496-12 sections 4.2, 8.7.5, 8.7.9, 8.8.7, 8.8.10, 8.16.3; QuickTime File Format (files
without ``ftyp``, zero behind the user data list).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from labeler.errors import DamagedMedia, LimitExceeded, UnsupportedMedia
from labeler.media.containers import isobmff
from labeler.media.containers.isobmff import Box, find
from labeler.media.containers.splice import Edit, splice
from labeler.media.containers.stream import copy_edited, file_size, read_at

__all__ = ["MAX_HEADER", "XMP_UUID", "apply", "children", "header", "inside", "load", "rewrite", "top_level"]

MAX_HEADER = 64 << 20
"""Bytes of a header box (``moov``, ``moof``, ``mfra``) that are read; 10 hours of 60 fps need about 20 MB."""

XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
"""Extended type of the box that holds an XMP packet (XMP specification part 3, MPEG-4)."""

_FIRST = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"uuid"})
_CONTAINERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"mfra"})
_MAX_TOP = 500_000
_MAX_INSIDE = 100_000


def top_level(source: BinaryIO) -> tuple[Box, ...]:
    """The boxes of a file, without reading what is in them; junk that is no box may follow the movie.

    Args:
        source: a seekable file.

    Raises:
        DamagedMedia: if it does not begin with a box of a movie, a box is cut off, or there is no ``moov``.
        LimitExceeded: above half a million boxes.
    """
    size = file_size(source)
    found: list[Box] = []
    position = 0
    while position + 8 <= size:
        head = read_at(source, position, 16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        body = position + 8
        if not found and kind not in _FIRST:
            raise DamagedMedia("not an MP4 or QuickTime file: it does not begin with a box of a movie.")
        if length == 1 and len(head) == 16:
            length, body = int.from_bytes(head[8:16], "big"), position + 16
        end = size if length == 0 else position + length
        if end < body or end > size:
            if any(item.kind == b"moov" for item in found) and not kind.isalnum():
                break
            raise DamagedMedia(f"box {kind!r} at byte {position} reaches behind the end of the file.")
        found.append(Box(kind, position, body, end, length == 0))
        if len(found) > _MAX_TOP:
            raise LimitExceeded(f"the file has more than {_MAX_TOP} boxes.")
        position = end
    if find(tuple(found), b"moov") is None:
        raise DamagedMedia("the file has no moov box: it is cut off, or only a part of a stream.")
    return tuple(found)


def load(source: BinaryIO, item: Box, *, limit: int = MAX_HEADER) -> bytes:
    """A whole box, header included.

    Raises:
        DamagedMedia: if the file ends within it.
        LimitExceeded: if it is larger than ``limit`` bytes.
    """
    size = item.end - item.start
    if size > limit:
        raise LimitExceeded(f"the {item.kind!r} box has {size} bytes; the limit is {limit}.")
    return read_at(source, item.start, size, exact=True)


def header(source: BinaryIO, top: tuple[Box, ...]) -> tuple[bytes, Box]:
    """The ``moov`` box, and itself with offsets inside these bytes.

    Raises:
        UnsupportedMedia: for a compressed header (QuickTime ``cmov``).
        LimitExceeded: if it is absurdly large.
    """
    moov = next(item for item in top if item.kind == b"moov")
    data = load(source, moov)
    here = Box(b"moov", 0, moov.body - moov.start, len(data), moov.open)
    if find(children(data, here), b"cmov") is not None:
        raise UnsupportedMedia("the movie header is compressed (cmov).", remedy="Convert the file first.")
    return data, here


def children(data: bytes, parent: Box, *, skip: int = 0) -> tuple[Box, ...]:
    """The boxes in a box, behind ``skip`` bytes of fields; zeros at the end are its padding (QuickTime).

    Raises:
        DamagedMedia: if one reaches behind the end, or claims to reach to the end of the file.
    """
    found = isobmff.children(data, parent, skip=skip)
    if found and found[-1].open and found[-1].kind == bytes(4):
        found = found[:-1]
    if any(item.open for item in found):
        raise DamagedMedia("a box inside another one has no size.")
    return found


def inside(data: bytes, root: Box) -> Iterator[tuple[Box, tuple[Box, ...]]]:
    """Every box in the containers of a movie header or fragment, with the boxes that hold it.

    Raises:
        DamagedMedia: if boxes cannot be walked, or there are absurdly many.
    """
    stack: list[tuple[Box, tuple[Box, ...]]] = [(root, ())]
    seen = 0
    while stack:
        item, parents = stack.pop()
        seen += 1
        if seen > _MAX_INSIDE:
            raise DamagedMedia(f"more than {_MAX_INSIDE} boxes in a header.")
        yield item, parents
        if item.kind in _CONTAINERS and len(parents) < 8:
            within = (*parents, item)
            stack += [(child, within) for child in reversed(children(data, item))]


def apply(data: bytes, edits: Iterable[tuple[tuple[Box, ...], Edit]]) -> bytes:
    """Edits within nested boxes, and the sizes of all boxes around them.

    Args:
        data: what the boxes' offsets count in.
        edits: each with the boxes that hold it, from the outermost.

    Raises:
        DamagedMedia: if edits overlap.
        LimitExceeded: if a size does not fit its field.
    """
    growth: dict[Box, int] = {}
    flat: list[Edit] = []
    for parents, edit in edits:
        flat.append(edit)
        for parent in parents:
            growth[parent] = growth.get(parent, 0) + len(edit.new) - (edit.end - edit.start)
    for parent, delta in growth.items():
        if delta and not parent.open:
            flat.append(isobmff.resize(parent, parent.end - parent.start + delta))
    return splice(data, flat)


def rewrite(
    source: BinaryIO,
    target: BinaryIO,
    top: tuple[Box, ...],
    moov: bytes,
    *,
    behind: bytes = b"",
    edits: Iterable[Edit] = (),
) -> None:
    """Write the file with another header.

    Args:
        source: the file that ``top`` describes.
        target: where the result goes.
        top: its boxes.
        moov: the new ``moov`` box, with offsets still as in the source.
        behind: boxes to stand right behind it.
        edits: further edits, of whole boxes at the top level, against offsets of the source.

    Raises:
        DamagedMedia: if fragments or tables cannot be read.
        LimitExceeded: if a 32-bit offset would pass 4 GiB.
        UnsupportedMedia: if items with file offsets would have to move.
    """
    place = next(item for item in top if item.kind == b"moov")
    if place.open:  # "to the end of the file" would swallow what stands behind it
        moov = _closed(moov)
    changes = [Edit(place.start, place.end, moov + behind), *edits]
    growth = len(moov) + len(behind) - (place.end - place.start)
    changes += _use_free(top, place, growth)
    moves = _Moves(changes)
    starts = np.array([item.start for item in top if item.kind not in (b"free", b"skip")], np.int64)
    if (moves(starts) != starts).any():
        changes[0] = Edit(place.start, place.end, _moved_header(moov, moves) + behind)
        touched = {edit.start for edit in changes}
        changes += _moved_top(source, [item for item in top if item.start not in touched], moves)
    copy_edited(source, target, changes)


class _Moves:
    """Where positions of the source stand afterwards: ``splice.Shift`` for whole tables."""

    def __init__(self, edits: Iterable[Edit]) -> None:
        moves = [(edit.end, len(edit.new) - (edit.end - edit.start)) for edit in edits]
        self._moves = [move for move in moves if move[1]]

    def __call__(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        result = positions.copy()
        for end, delta in self._moves:
            result += np.where(positions >= end, delta, 0)
        return result


def _closed(moov: bytes) -> bytes:
    if len(moov) >= 1 << 32:
        raise LimitExceeded("the movie header is too large.")
    return struct.pack(">I", len(moov)) + moov[4:]


def _use_free(top: tuple[Box, ...], place: Box, growth: int) -> list[Edit]:
    """Let the free box behind the header take up its growth, so that nothing behind it moves."""
    free = next((item for item in top if item.start == place.end), None)
    if growth == 0 or free is None or free.kind not in (b"free", b"skip") or free.open:
        return []
    left = free.end - free.start - growth
    if free.body - free.start != 8 or not (left == 0 or 8 <= left < 1 << 32):
        return []
    if left == 0:
        return [Edit(free.start, free.end, b"")]
    start = struct.pack(">I4s", left, free.kind)
    if growth < 0:
        return [Edit(free.start, free.body, start + bytes(-growth))]
    return [Edit(free.start, free.body + growth, start)]


def _moved_header(moov: bytes, moves: _Moves) -> bytes:
    """The header with its absolute offsets moved."""
    edits: list[Edit] = []
    for item, _ in inside(moov, Box(b"moov", 0, _body(moov), len(moov))):
        if item.kind in (b"stco", b"co64"):
            edits += _table(moov, item, 8, 4 if item.kind == b"stco" else 8, moves)
        elif item.kind == b"saio" and item.end - item.body >= 8:
            version, flags = moov[item.body], int.from_bytes(moov[item.body + 1 : item.body + 4], "big")
            edits += _table(moov, item, 16 if flags & 1 else 8, 8 if version else 4, moves)
        elif item.kind == b"meta":
            _refuse_items(moov[item.body : item.end])
    return splice(moov, edits)


def _body(data: bytes) -> int:
    return 16 if data[:4] == b"\0\0\0\1" else 8


def _table(data: bytes, item: Box, skip: int, width: int, moves: _Moves) -> list[Edit]:
    """The edit of a table of offsets: its entries begin ``skip`` bytes into the box, their number before them."""
    at = item.body + skip
    if at > item.end:
        return []
    count = min(int.from_bytes(data[at - 4 : at], "big"), (item.end - at) // width)
    old = np.frombuffer(data, f">u{width}", count, at)
    if count and int(old.max()) >= 1 << 62:
        raise DamagedMedia("a chunk offset points behind every file.")
    new = moves(old.astype(np.int64))
    if count and width == 4 and int(new.max()) >= 1 << 32:
        raise LimitExceeded(
            "a chunk offset does not fit in 32 bits any more.",
            remedy="Write the file with its moov box behind the media data.",
        )
    return [Edit(at, at + count * width, new.astype(f">u{width}").tobytes())] if count else []


def _refuse_items(meta: bytes) -> None:
    """Item locations are file offsets; in movies nobody has them, so they are refused and not moved."""
    if b"iloc" in meta:
        raise UnsupportedMedia("the movie header holds items with file offsets, which labeler cannot move.")


def _moved_top(source: BinaryIO, items: Iterable[Box], moves: _Moves) -> list[Edit]:
    edits: list[Edit] = []
    for item in items:
        if item.kind == b"moof":
            edits += _moved_fragment(source, item, moves)
        elif item.kind == b"sidx":
            edits += _moved_index(source, item, moves)
        elif item.kind == b"mfra":
            data = load(source, item)
            for child in children(data, Box(b"mfra", 0, item.body - item.start, len(data))):
                if child.kind == b"tfra":
                    edits += [_at(edit, item.start) for edit in _moved_random_access(data, child, moves)]
        elif item.kind == b"meta":
            _refuse_items(load(source, item))
    return edits


def _at(edit: Edit, offset: int) -> Edit:
    return Edit(edit.start + offset, edit.end + offset, edit.new)


def _one(data: bytes, at: int, width: int, moves: _Moves) -> Edit:
    old = int.from_bytes(data[at : at + width], "big")
    new = int(moves(np.array([min(old, 1 << 62)]))[0])
    if not 0 <= new < 1 << 8 * width:
        raise LimitExceeded("a file offset does not fit in its field any more.")
    return Edit(at, at + width, new.to_bytes(width, "big"))


def _moved_fragment(source: BinaryIO, item: Box, moves: _Moves) -> list[Edit]:
    """``tfhd`` base data offsets (flag 1); all other offsets of a fragment are relative."""
    data = load(source, item)
    edits: list[Edit] = []
    for child, _ in inside(data, Box(b"moof", 0, item.body - item.start, len(data))):
        if child.kind == b"tfhd" and child.end - child.body >= 16 and data[child.body + 3] & 1:
            edits.append(_at(_one(data, child.body + 8, 8, moves), item.start))
    return edits


def _moved_index(source: BinaryIO, item: Box, moves: _Moves) -> list[Edit]:
    """``first_offset`` of a segment index counts from the end of the box."""
    data = read_at(source, item.body, min(28, item.end - item.body))
    wide = data[:1] != b"\0"
    width, at = (8, 20) if wide else (4, 16)
    if len(data) < at + width:
        raise DamagedMedia("the segment index box is too short.")
    first = int.from_bytes(data[at : at + width], "big")
    ends = moves(np.array([item.end, item.end + min(first, 1 << 61)]))
    new = int(ends[1] - ends[0])
    if not 0 <= new < 1 << 8 * width:
        raise LimitExceeded("a segment index offset does not fit in its field any more.")
    return [Edit(item.body + at, item.body + at + width, new.to_bytes(width, "big"))]


def _moved_random_access(data: bytes, item: Box, moves: _Moves) -> list[Edit]:
    """``moof_offset`` of every entry of ``tfra``."""
    at = item.body + 16
    if at > item.end:
        raise DamagedMedia("the random access box is too short.")
    sizes = int.from_bytes(data[item.body + 8 : item.body + 12], "big")
    count = int.from_bytes(data[at - 4 : at], "big")
    width = 8 if data[item.body] else 4
    entry = 2 * width + sum((sizes >> place & 3) + 1 for place in (0, 2, 4))
    if count * entry > item.end - at:
        raise DamagedMedia("the random access table is cut off.")
    if not count:
        return []
    table = np.frombuffer(data, np.uint8, count * entry, at).reshape(count, entry).copy()
    old = np.ascontiguousarray(table[:, width : 2 * width]).view(f">u{width}")[:, 0]
    new = moves(np.minimum(old, 1 << 62).astype(np.int64))
    if width == 4 and int(new.max()) >= 1 << 32:
        raise LimitExceeded("a random access offset does not fit in 32 bits any more.")
    table[:, width : 2 * width] = new.astype(f">u{width}").view(np.uint8).reshape(count, width)
    return [Edit(at, at + count * entry, table.tobytes())]
