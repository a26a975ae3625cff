"""AVIF and HEIC: the items of the ``meta`` box, read one and put one in.

A new item's data goes to the end of the file, so coded pictures stay byte by byte as they are; when the
``meta`` box grows, item locations and chunk offsets behind it are moved with them.

Sources: ISO/IEC 14496-12 section 8.11 (meta, iloc, iinf, pitm, iref, idat), ISO/IEC 23008-12 section 6.2
and annex A.3 (XMP as ``mime`` item, ``cdsc`` reference to the picture it describes).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from labeler.errors import DamagedMedia, LimitExceeded, UnsupportedMedia
from labeler.media.containers import isobmff
from labeler.media.containers.isobmff import Box
from labeler.media.containers.splice import Edit, Shift, splice

__all__ = ["XMP_TYPE", "Item", "Location", "Meta", "add_item", "item_ranges", "read", "replace_item"]

XMP_TYPE = b"application/rdf+xml"
_MAX_EXTENTS = 200_000
_IN_FILE, _IN_IDAT = 0, 1


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the item information box."""

    id: int
    kind: bytes
    content_type: bytes = b""


@dataclass(frozen=True, slots=True)
class Location:
    """One entry of the item location box.

    Attributes:
        id: item id.
        method: 0 file offset, 1 offset in ``idat``, 2 offset in another item.
        reference: data reference index, 0 for this file.
        base: base offset.
        extents: (index, offset, length) each.
    """

    id: int
    method: int
    reference: int
    base: int
    extents: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Meta:
    """The file-level ``meta`` box.

    Attributes:
        top: all boxes of the file.
        box: the meta box.
        parts: the boxes in it.
        primary: id of the primary item.
        items: by id, in file order.
        locations: by id, in file order.
        describes: ids of the items that have a ``cdsc`` reference to the primary item.
        widths: sizes of offset, length, base offset and index fields in ``iloc``.
        version: version of ``iloc``.
    """

    top: tuple[Box, ...]
    box: Box
    parts: tuple[Box, ...]
    primary: int
    items: dict[int, Item]
    locations: dict[int, Location]
    describes: frozenset[int]
    widths: tuple[int, int, int, int]
    version: int = field(default=0)

    def part(self, kind: bytes) -> Box:
        """A box in the meta box that has to be there.

        Raises:
            DamagedMedia: if it is not.
        """
        found = isobmff.find(self.parts, kind)
        if found is None:
            raise DamagedMedia(f"the file's meta box has no {kind.decode('latin-1')} box.")
        return found


class _Reader:
    """Big-endian fields of one box; reading past its end is damage, not an IndexError."""

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.data, self.position, self.end = data, start, end

    def uint(self, width: int) -> int:
        position = self.position
        if position + width > self.end:
            raise DamagedMedia(f"a box that ends at byte {self.end} is shorter than its fields.")
        self.position = position + width
        return int.from_bytes(self.data[position : self.position], "big")

    def text(self) -> bytes:
        stop = self.data.find(b"\0", self.position, self.end)
        stop = self.end if stop < 0 else stop
        text = self.data[self.position : stop]
        self.position = min(stop + 1, self.end)
        return text


def read(data: bytes) -> Meta:
    """Read the meta box.

    Raises:
        DamagedMedia: if the boxes cannot be walked or there is no meta box.
        UnsupportedMedia: if there are no items in it.
    """
    top = isobmff.top_level(data)
    meta = isobmff.find(top, b"meta")
    if meta is None:
        raise DamagedMedia("the file has no meta box, so it holds no still picture.")
    parts = isobmff.children(data, meta, skip=4)
    known = {kind: isobmff.find(parts, kind) for kind in (b"iinf", b"iloc", b"pitm", b"iref")}
    info, places, first, refs = known.values()
    if info is None or places is None or first is None:
        raise UnsupportedMedia("the file's meta box holds no picture items, as in a bare image sequence.")
    reader = _Reader(data, first.body, first.end)
    primary = reader.uint(2 if reader.uint(4) >> 24 == 0 else 4)
    locations, widths, version = _locations(data, places)
    return Meta(
        top=top,
        box=meta,
        parts=parts,
        primary=primary,
        items=_items(data, info),
        locations=locations,
        describes=frozenset(_describing(data, refs, primary)) if refs is not None else frozenset(),
        widths=widths,
        version=version,
    )


def _items(data: bytes, info: Box) -> dict[int, Item]:
    reader = _Reader(data, info.body, info.end)
    reader.uint(2 if reader.uint(4) >> 24 == 0 else 4)
    items: dict[int, Item] = {}
    for entry in isobmff.boxes(data, reader.position, info.end):
        if entry.kind != b"infe":
            continue
        fields = _Reader(data, entry.body, entry.end)
        version = fields.uint(4) >> 24
        number = fields.uint(4 if version >= 3 else 2)
        fields.uint(2)
        kind, content_type = b"", b""
        if version >= 2:
            kind = fields.uint(4).to_bytes(4, "big")
        fields.text()
        if version < 2 or kind == b"mime":
            content_type = fields.text()
        items.setdefault(number, Item(number, kind, content_type))
    return items


def _locations(data: bytes, places: Box) -> tuple[dict[int, Location], tuple[int, int, int, int], int]:
    reader = _Reader(data, places.body, places.end)
    version = reader.uint(4) >> 24
    sizes = reader.uint(2)
    widths = (sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15, sizes & 15 if version else 0)
    if version > 2 or any(width not in (0, 4, 8) for width in widths):
        raise DamagedMedia("the item location box has a version or field sizes that do not exist.")
    offset_width, length_width, base_width, index_width = widths
    count = reader.uint(2 if version < 2 else 4)
    locations: dict[int, Location] = {}
    total = 0
    for _ in range(count):
        number = reader.uint(2 if version < 2 else 4)
        method = reader.uint(2) & 15 if version else _IN_FILE
        reference, base = reader.uint(2), reader.uint(base_width)
        extents: list[tuple[int, int, int]] = []
        extent_count = reader.uint(2)
        total += extent_count
        if total > _MAX_EXTENTS:
            raise DamagedMedia(f"the item location box has more than {_MAX_EXTENTS} extents.")
        for _ in range(extent_count):
            index = reader.uint(index_width)
            extents.append((index, reader.uint(offset_width), reader.uint(length_width)))
        locations[number] = Location(number, method, reference, base, tuple(extents))
    return locations, widths, version


def _describing(data: bytes, refs: Box, primary: int) -> Iterator[int]:
    version = _Reader(data, refs.body, refs.end).uint(4) >> 24
    width = 2 if version == 0 else 4
    for entry in isobmff.children(data, refs, skip=4):
        if entry.kind == b"cdsc":
            fields = _Reader(data, entry.body, entry.end)
            source = fields.uint(width)
            if any(fields.uint(width) == primary for _ in range(fields.uint(2))):
                yield source


def item_ranges(data: bytes, meta: Meta, number: int) -> tuple[tuple[int, int], ...]:
    """Where an item's bytes stand in the file: (start, end) of every extent.

    Returns:
        Nothing if the item is not in this file, is derived from other items, or an extent lies outside.
    """
    location = meta.locations.get(number)
    if location is None or location.reference or location.method not in (_IN_FILE, _IN_IDAT):
        return ()
    begin, limit = 0, len(data)
    if location.method == _IN_IDAT:
        idat = isobmff.find(meta.parts, b"idat")
        if idat is None:
            return ()
        begin, limit = idat.body, idat.end
    ranges: list[tuple[int, int]] = []
    total = 0
    for _index, offset, length in location.extents:
        start = begin + location.base + offset
        end = start + length if length else limit
        total += end - start
        if end > limit or start > end or total > len(data):
            return ()
        ranges.append((start, end))
    return tuple(ranges)


def add_item(data: bytes, meta: Meta, payload: bytes, *, content_type: bytes = XMP_TYPE) -> bytes:
    """The file with one more ``mime`` item that describes the primary item.

    Raises:
        DamagedMedia: if a box of the meta box is missing.
        LimitExceeded: if there is no item id or offset left.
        UnsupportedMedia: if the file has absolute offsets that cannot be moved (fragments).
    """
    number = max((*meta.items, *meta.locations, meta.primary)) + 1
    if number > 0xFFFF:
        raise LimitExceeded("the file has no item id of 16 bits left.")
    info = meta.part(b"iinf")
    entry = isobmff.full_box(
        b"infe", 2, 0, struct.pack(">HH4s", number, 0, b"mime") + b"\0" + content_type + b"\0"
    )
    edits = [_counted(data, info, entry)]
    refs = isobmff.find(meta.parts, b"iref")
    if refs is None:
        wide = meta.primary > 0xFFFF
        reference = _reference(number, meta.primary, 4 if wide else 2)
        edits.append(Edit(info.end, info.end, isobmff.full_box(b"iref", 1 if wide else 0, 0, reference)))
    else:
        wide = data[refs.body] != 0
        reference = _reference(number, meta.primary, 4 if wide else 2)
        body = refs.payload(data) + reference
        edits.append(Edit(refs.start, refs.end, isobmff.box(b"iref", body)))
    return _relocate(data, meta, edits, number, payload)


def replace_item(data: bytes, meta: Meta, number: int, payload: bytes) -> bytes:
    """The file with other data for an item that is there.

    Data that fits goes where the old data was, with spaces behind it; otherwise the old place is cleared
    and the new data goes to the end of the file.

    Raises:
        DamagedMedia, LimitExceeded, UnsupportedMedia: as ``add_item``.
    """
    ranges = item_ranges(data, meta, number)
    own = 0 < len(ranges) <= 16 and not any(
        start < end2 and start2 < end
        for other in meta.locations
        if other != number
        for start2, end2 in item_ranges(data, meta, other)
        for start, end in ranges
    )
    size = sum(end - start for start, end in ranges)
    if own and len(ranges) == 1 and len(payload) <= size:
        return splice(data, [Edit(*ranges[0], payload.ljust(size, b" "))])
    edits: list[Edit] = []
    if own:
        last = next((b for b in reversed(meta.top) if b.kind == b"mdat"), None)
        if (
            len(ranges) == 1
            and last is not None
            and (last.body, last.end) == ranges[0]
            and last is meta.top[-1]
        ):
            edits.append(Edit(last.start, last.end, b""))
        else:
            edits += [Edit(start, end, bytes(end - start)) for start, end in ranges]
    return _relocate(data, meta, edits, number, payload)


def _reference(source: int, target: int, width: int) -> bytes:
    return isobmff.box(b"cdsc", source.to_bytes(width, "big") + b"\0\1" + target.to_bytes(width, "big"))


def _counted(data: bytes, info: Box, entry: bytes) -> Edit:
    """The item information box with one more entry."""
    width = 2 if data[info.body] == 0 else 4
    start = info.body + 4
    count = int.from_bytes(data[start : start + width], "big") + 1
    if count >= 1 << 8 * width:
        raise LimitExceeded("the item information box cannot count one more item.")
    body = data[info.body : start] + count.to_bytes(width, "big") + data[start + width : info.end] + entry
    return Edit(info.start, info.end, isobmff.box(b"iinf", body))


def _relocate(data: bytes, meta: Meta, edits: list[Edit], number: int, payload: bytes) -> bytes:
    """Apply edits, put ``payload`` at the end, and make every offset right again."""
    places = meta.part(b"iloc")
    widths = (max(4, meta.widths[0]), max(4, meta.widths[1]), *meta.widths[2:])
    if len(data) + len(payload) + 65536 >= 1 << 32:
        widths = (8, 8, *meta.widths[2:])
    locations = dict(meta.locations)
    locations[number] = Location(number, _IN_FILE, 0, 0, ((0, 0, len(payload)),))
    size = len(_iloc(locations, widths, meta.version))
    end = meta.top[-1].end
    chunk = isobmff.box(b"mdat", payload)
    placed = [*edits, Edit(places.start, places.end, bytes(size)), Edit(end, end, chunk)]
    growth = sum(
        len(e.new) - (e.end - e.start) for e in placed if meta.box.start < e.start and e.end <= meta.box.end
    )
    grown = meta.box.end - meta.box.start + growth
    placed.append(isobmff.resize(meta.box, grown))
    if meta.top[-1].open and meta.top[-1] is not meta.box:
        last = meta.top[-1]
        if not any(edit.start <= last.start < edit.end for edit in edits):
            placed.append(isobmff.resize(last, last.end - last.start))
    shift = Shift(placed)
    moved = {key: _moved(place, shift) for key, place in locations.items()}
    total = len(data) + sum(len(edit.new) - (edit.end - edit.start) for edit in placed)
    at = total - (len(data) - end) - len(payload)
    base, offset = (at, 0) if widths[2] else (0, at)
    moved[number] = Location(number, _IN_FILE, 0, base, ((0, offset, len(payload)),))
    table = _iloc(moved, widths, meta.version)
    placed = [
        Edit(e.start, e.end, table) if (e.start, e.end) == (places.start, places.end) else e for e in placed
    ]
    return splice(data, [*placed, *isobmff.chunk_offset_edits(data, meta.top, shift)])


def _moved(place: Location, shift: Callable[[int], int]) -> Location:
    """The location after the surgery, in the form that its writer chose.

    Where a base offset is used it alone moves: libheif writes it so, and c2pa-rs, which moves items once
    more when it puts its manifest in, expects either the base or the offsets to count, not both.
    """
    if place.method != _IN_FILE or place.reference:
        return place
    if not any(offset or length or place.base for _, offset, length in place.extents):
        return place
    starts = [place.base + offset for _, offset, _ in place.extents]
    deltas = {shift(start) - start for start in starts}
    if place.base and len(deltas) == 1 and place.base + min(deltas) >= 0:
        return replace(place, base=place.base + deltas.pop())
    extents = tuple(
        (index, shift(start) - place.base, length)
        for start, (index, _, length) in zip(starts, place.extents, strict=True)
    )
    if any(offset < 0 for _, offset, _ in extents):
        extents = tuple((index, offset + place.base, length) for index, offset, length in extents)
        return replace(place, base=0, extents=extents)
    return replace(place, extents=extents)


def _iloc(locations: dict[int, Location], widths: tuple[int, ...], version: int) -> bytes:
    offset_width, length_width, base_width, index_width = widths
    wide = 2 if version < 2 else 4
    sizes = offset_width << 12 | length_width << 8 | base_width << 4 | (index_width if version else 0)
    out = bytearray(struct.pack(">H", sizes) + len(locations).to_bytes(wide, "big"))
    try:
        for place in locations.values():
            out += place.id.to_bytes(wide, "big")
            if version:
                out += struct.pack(">H", place.method)
            out += struct.pack(">H", place.reference) + place.base.to_bytes(base_width, "big")
            out += struct.pack(">H", len(place.extents))
            for index, offset, length in place.extents:
                out += index.to_bytes(index_width, "big") if version else b""
                out += offset.to_bytes(offset_width, "big") + length.to_bytes(length_width, "big")
    except OverflowError:
        raise LimitExceeded("an item location does not fit in its field any more.") from None
    return isobmff.full_box(b"iloc", version, 0, bytes(out))
