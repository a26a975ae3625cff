"""Matroska and WebM: the elements of a segment, and rewriting its tags without touching a cluster.

Only headers are held in memory. When something before the clusters grows, the positions in ``SeekHead`` and
``Cues`` (and ``Position`` in clusters) are written anew; they count from the segment's first byte. Segments
and clusters of unknown size, as live recorders write them, stay so.

Source: RFC 8794 (EBML: variable-size integers 4, CRC-32 11.3.1, Void 11.3.2), RFC 9559 (Matroska: 5.1).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from labeler.errors import DamagedMedia, LimitExceeded
from labeler.media.containers.splice import Edit, Shift
from labeler.media.containers.stream import copy_edited, file_size, read_at

__all__ = [
    "ATTACHMENTS",
    "CLUSTER",
    "TAGS",
    "Element",
    "Segment",
    "children",
    "element",
    "number",
    "rewrite_tags",
    "uint",
    "walk",
]

EBML, SEGMENT = 0x1A45DFA3, 0x18538067
SEEK_HEAD, INFO, TRACKS, CUES, CLUSTER = 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1F43B675
TAGS, CHAPTERS, ATTACHMENTS = 0x1254C367, 0x1043A770, 0x1941A469
VOID, CRC = 0xEC, 0xBF
_TOP = frozenset({SEEK_HEAD, INFO, TRACKS, CUES, CLUSTER, TAGS, CHAPTERS, ATTACHMENTS})
_SEEK, _SEEK_ID, _SEEK_POSITION = 0x4DBB, 0x53AB, 0x53AC
_CUE_MASTERS = frozenset({CUES, 0xBB, 0xB7, 0xDB})
_CUE_CLUSTER = 0xF1
_CUE_POSITIONS = frozenset({_CUE_CLUSTER, 0xEA, 0x97, 0xEB})  # also codec state, and those of references
_CLUSTER_POSITION = 0xA7

_MAX_HEADER = 64 << 20
_MAX_TOP = 500_000
_MAX_BLOCKS = 3_000_000
_MAX_CHILDREN = 500_000


@dataclass(frozen=True, slots=True)
class Element:
    """One element.

    Attributes:
        id: with its length marker, as in the standard.
        start: offset of its first byte.
        body: offset behind its header.
        end: offset behind it.
        unknown: true if its size field says "unknown".
    """

    id: int
    start: int
    body: int
    end: int
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """The first segment of a file, and its elements in order.

    Attributes:
        box: the segment.
        elements: SeekHead, Info, Tracks, Clusters ...
        size: bytes of the file.
    """

    box: Element
    elements: tuple[Element, ...]
    size: int

    def of(self, wanted: int) -> list[Element]:
        """The elements of one kind."""
        return [item for item in self.elements if item.id == wanted]


def walk(source: BinaryIO) -> Segment:
    """The elements of a file's first segment, without reading what is in them.

    Raises:
        DamagedMedia: if it is no Matroska file, or an element is cut off.
        LimitExceeded: if it has absurdly many elements.
    """
    size = file_size(source)
    head = _header(source, 0, size)
    if head.id != EBML or head.unknown:
        raise DamagedMedia("not a Matroska file: it does not begin with an EBML header.")
    segment = _header(source, head.end, size)
    while segment.id == VOID:
        segment = _header(source, segment.end, size)
    if segment.id != SEGMENT:
        raise DamagedMedia("the Matroska file has no segment behind its header.")
    found: list[Element] = []
    position, left = segment.body, _MAX_BLOCKS
    while position < segment.end:
        item = _header(source, position, segment.end)
        if segment.unknown and item.id in (EBML, SEGMENT):
            segment = Element(SEGMENT, segment.start, segment.body, position, True)
            break
        if item.unknown:
            if item.id != CLUSTER:
                raise DamagedMedia(f"element {item.id:X} at byte {position} has no size.")
            end, left = _end_of_cluster(source, item, left)
            item = Element(CLUSTER, item.start, item.body, end, True)
        found.append(item)
        if len(found) > _MAX_TOP:
            raise LimitExceeded(f"the segment has more than {_MAX_TOP} elements.")
        position = item.end
    if not any(item.id == TRACKS for item in found):
        raise DamagedMedia("the segment has no tracks: the file is cut off, or only a part of a stream.")
    return Segment(segment, tuple(found), size)


def _header(source: BinaryIO, position: int, end: int) -> Element:
    raw = read_at(source, position, min(12, end - position))
    return _parse(raw, 0, position, end)


def _parse(raw: bytes, at: int, start: int, end: int) -> Element:
    """The element whose header begins at ``raw[at]``; ``start`` is the offset that this byte has."""
    width = 9 - raw[at].bit_length() if at < len(raw) and raw[at] else 9
    mark = at + width
    wide = 9 - raw[mark].bit_length() if width <= 4 and mark < len(raw) and raw[mark] else 9
    if wide > 8 or len(raw) < mark + wide:
        raise DamagedMedia(f"byte {start} of the Matroska file begins no element.")
    number = int.from_bytes(raw[at:mark], "big")
    size = int.from_bytes(raw[mark : mark + wide], "big") ^ 1 << 7 * wide
    body = start + width + wide
    unknown = size == (1 << 7 * wide) - 1
    stop = end if unknown else body + size
    if stop > end:
        raise DamagedMedia(f"element {number:X} at byte {start} reaches behind the end of what holds it.")
    return Element(number, start, body, stop, unknown)


def _end_of_cluster(source: BinaryIO, cluster: Element, left: int) -> tuple[int, int]:
    """Where a cluster of unknown size ends: at the next element of the segment's own level.

    Args:
        source: the file.
        cluster: the cluster, as far as the segment goes.
        left: how many elements may still be looked at, so that a hostile file cannot take for ever.

    Returns:
        The end, and what is left of ``left``.
    """
    position = cluster.body
    while position < cluster.end:
        item = _header(source, position, cluster.end)
        if item.id in _TOP or item.id in (EBML, SEGMENT):
            break
        if item.unknown:
            raise DamagedMedia(f"element {item.id:X} at byte {position} has no size.")
        left -= 1
        if left <= 0:
            raise LimitExceeded(f"clusters without a size hold more than {_MAX_BLOCKS} elements.")
        position = item.end
    return position, left


def load(source: BinaryIO, item: Element) -> bytes:
    """A whole header element.

    Raises:
        LimitExceeded: if it is absurdly large.
        DamagedMedia: if the file ends within it.
    """
    if item.end - item.start > _MAX_HEADER:
        raise LimitExceeded(
            f"element {item.id:X} has {item.end - item.start} bytes; the limit is {_MAX_HEADER}."
        )
    return read_at(source, item.start, item.end - item.start, exact=True)


def children(data: bytes, parent: Element | None = None) -> tuple[Element, ...]:
    """The elements in one; without ``parent``, those in the element that ``data`` is.

    Raises:
        DamagedMedia: if one is cut off, of unknown size, or there are absurdly many.
    """
    if parent is None:
        parent = _parse(data[:12], 0, 0, len(data))
    found: list[Element] = []
    position = parent.body
    while position < parent.end:
        item = _parse(data[position : position + 12], 0, position, parent.end)
        if item.unknown:
            raise DamagedMedia(f"element {item.id:X} has no size.")
        found.append(item)
        if len(found) > _MAX_CHILDREN:
            raise DamagedMedia(f"an element holds more than {_MAX_CHILDREN} elements.")
        position = item.end
    return tuple(found)


def number(data: bytes, item: Element) -> int:
    """The value of an unsigned integer element, at most 8 bytes."""
    return int.from_bytes(data[item.body : min(item.end, item.body + 8)], "big")


def element(kind: int, body: bytes, *, width: int = 0) -> bytes:
    """An element with its size in ``width`` bytes, or as few as are needed."""
    wide = max(width, next(n for n in range(1, 9) if len(body) < (1 << 7 * n) - 1))
    return (
        kind.to_bytes((kind.bit_length() + 7) // 8, "big")
        + (len(body) | 1 << 7 * wide).to_bytes(wide, "big")
        + body
    )


def uint(kind: int, value: int, *, width: int = 1) -> bytes:
    """An unsigned integer element of at least ``width`` bytes."""
    return element(kind, value.to_bytes(max(width, (value.bit_length() + 7) // 8), "big"))


def master(kind: int, body: bytes, *, crc: bool = False) -> bytes:
    """A master element, with a CRC-32 over the rest if asked for (RFC 8794 11.3.1)."""
    check = element(CRC, zlib.crc32(body).to_bytes(4, "little")) if crc else b""
    return element(kind, check + body)


def rewrite_tags(source: BinaryIO, target: BinaryIO, segment: Segment, tags: bytes) -> None:
    """Write the file with another ``Tags`` element; every other one is taken out.

    It stands where the first one stood, or, so that streaming readers see it, before the first cluster.

    Args:
        source: the file that ``segment`` describes.
        target: where the result goes.
        segment: its elements.
        tags: the whole new element.

    Raises:
        DamagedMedia: if positions in the file make no sense.
        LimitExceeded: if an index is absurdly large.
    """
    base = segment.box.body
    first = next((item.start for item in segment.elements if item.id == CLUSTER), segment.box.end)
    old = segment.of(TAGS)
    place = min([first, *(item.start for item in old)])
    fixed = [Edit(place, place, tags)] + [Edit(item.start, item.end, b"") for item in old]
    heads = {item: load(source, item) for item in segment.of(SEEK_HEAD)}
    cues = {item: load(source, item) for item in segment.of(CUES)}
    edits = fixed
    for _ in range(10):  # a position can need one more byte, which moves what follows
        shift = Shift(edits)

        def moved(position: int, shift: Shift = shift) -> int:
            return shift(base + position) - base

        new = list(fixed)
        for index, (item, data) in enumerate(heads.items()):
            tags_at = _before(edits, place) - base if index == 0 else None
            new.append(Edit(item.start, item.end, _seek_head(data, moved, tags_at)))
        new += [Edit(item.start, item.end, _cues(data, moved)) for item, data in cues.items()]
        if [edit.new for edit in new] == [edit.new for edit in edits]:
            break
        edits = new
    edits += _crc_of_segment(segment) + _clusters(source, segment, Shift(edits))
    growth = sum(len(edit.new) - (edit.end - edit.start) for edit in edits)
    if not segment.box.unknown:
        edits.append(_size(segment.box, growth))
    copy_edited(source, target, edits, size=segment.size)


def _before(edits: Sequence[Edit], place: int) -> int:
    """Where something inserted at ``place`` begins."""
    ends = (edit for edit in edits if edit.end <= place and edit.start < place)
    return place + sum(len(edit.new) - (edit.end - edit.start) for edit in ends)


def _seek_head(data: bytes, moved: Callable[[int], int], tags_at: int | None) -> bytes:
    """A SeekHead with new positions, and with one entry for the tags or, for None, without any."""
    parts: list[bytes] = []
    crc = False
    for item in children(data):
        if item.id == CRC:
            crc = True
        elif item.id == _SEEK:
            fields = {field.id: field for field in children(data, item)}
            if _SEEK_ID not in fields or _SEEK_POSITION not in fields:
                continue
            wanted, at = fields[_SEEK_ID], fields[_SEEK_POSITION]
            if number(data, wanted) != TAGS:
                position = uint(_SEEK_POSITION, moved(number(data, at)), width=at.end - at.body)
                parts.append(element(_SEEK, data[wanted.start : wanted.end] + position))
        elif item.id != VOID:
            parts.append(data[item.start : item.end])
    if tags_at is not None:
        entry = uint(_SEEK_ID, TAGS) + uint(_SEEK_POSITION, tags_at, width=4)
        parts.append(element(_SEEK, entry))
    return master(SEEK_HEAD, b"".join(parts), crc=crc)


def _cues(data: bytes, moved: Callable[[int], int], item: Element | None = None, depth: int = 0) -> bytes:
    """An index (a point in it, a track of that, a reference of that) with new cluster positions."""
    parts: list[bytes] = []
    crc = False
    for child in children(data, item):
        if child.id == CRC:
            crc = True
        elif child.id in _CUE_MASTERS and depth < 3:
            parts.append(_cues(data, moved, child, depth + 1))
        elif child.id in _CUE_POSITIONS:
            old = number(data, child)
            new = moved(old) if old or child.id == _CUE_CLUSTER else 0  # elsewhere 0 is "none"
            parts.append(uint(child.id, new, width=child.end - child.body))
        else:
            parts.append(data[child.start : child.end])
    return master(CUES if item is None else item.id, b"".join(parts), crc=crc)


def _crc_of_segment(segment: Segment) -> list[Edit]:
    """A checksum over the whole segment is not kept: it becomes a Void element of its size."""
    return [
        Edit(item.start, item.end, _void(item.end - item.start))
        for item in segment.elements[:1]
        if item.id == CRC
    ]


def _void(size: int) -> bytes:
    return element(VOID, bytes(size - 2)) if size < 100 else element(VOID, bytes(size - 9), width=8)


def _clusters(source: BinaryIO, segment: Segment, shift: Shift) -> list[Edit]:
    """Clusters that tell their own position: the new one, in the same number of bytes, or none."""
    edits: list[Edit] = []
    for cluster in segment.of(CLUSTER):
        if shift(cluster.start) == cluster.start:
            continue
        head = read_at(source, cluster.body, min(96, cluster.end - cluster.body))
        at, crc = 0, None
        while at < len(head) and head[at] in (CRC, 0xE7, _CLUSTER_POSITION, 0xAB):
            item = _parse(head[at : at + 12], 0, at, max(len(head), at + 12))
            if item.id == CRC:
                crc = item
            if item.id == _CLUSTER_POSITION and item.end <= len(head):
                edits += _position(source, segment, cluster, (item, crc), shift)
            at = item.end
    return edits


def _position(
    source: BinaryIO,
    segment: Segment,
    cluster: Element,
    found: tuple[Element, Element | None],
    shift: Shift,
) -> list[Edit]:
    item, crc = found
    value = shift(cluster.start) - segment.box.body
    width = item.end - item.body
    fits = 0 <= value < 1 << 8 * width
    new = uint(_CLUSTER_POSITION, value, width=width) if fits else b""
    if len(new) != item.end - item.start:
        new = _void(item.end - item.start)
    start = cluster.body + item.start
    edits = [Edit(start, start + len(new), new)]
    if crc is not None:
        body = cluster.body + crc.end
        if cluster.end - body <= _MAX_HEADER:
            rest = bytearray(read_at(source, body, cluster.end - body, exact=True))
            rest[start - body : start - body + len(new)] = new
            check = element(CRC, zlib.crc32(rest).to_bytes(4, "little"))
        else:
            check = _void(crc.end - crc.start)
        edits.append(Edit(cluster.body + crc.start, body, check))
    return edits


def _size(segment: Element, growth: int) -> Edit:
    """The segment's size, in as many bytes as it had if it fits."""
    width = segment.body - segment.start - 4
    size = segment.end - segment.body + growth
    width = width if size < (1 << 7 * width) - 1 else 8
    return Edit(segment.start + 4, segment.body, (size | 1 << 7 * width).to_bytes(width, "big"))
