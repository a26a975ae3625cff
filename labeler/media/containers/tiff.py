"""TIFF image file directories, classic and BigTIFF, both byte orders; also the inside of EXIF.

Nothing that exists is moved: a new value goes to the end of the file, and only if IFD0 has no room
for a new entry is IFD0 itself written again at the end, its pointers unchanged.

Sources: TIFF 6.0 section 2, Adobe Photoshop TIFF Technical Notes / XMP part 3 1.1.9 (tag 700),
BigTIFF proposal (libtiff), CIPA DC-008 (EXIF) 4.6.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from labeler.errors import DamagedMedia, LimitExceeded

__all__ = ["XMP_TAG", "Entry", "Header", "Ifd", "find", "first", "header", "ifd", "ifds", "set_value"]

XMP_TAG = 700
_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_MAX_IFDS = 10_000
_UNDEFINED = 7


@dataclass(frozen=True, slots=True)
class Header:
    """Byte order and kind.

    Attributes:
        endian: ``<`` or ``>``, for ``struct``.
        big: true for BigTIFF.
        first: offset of IFD0.
    """

    endian: str
    big: bool
    first: int

    @property
    def entry_size(self) -> int:
        """Bytes of one directory entry."""
        return 20 if self.big else 12

    @property
    def count_format(self) -> str:
        """``struct`` format of the number of entries."""
        return self.endian + ("Q" if self.big else "H")

    @property
    def offset_format(self) -> str:
        """``struct`` format of an offset."""
        return self.endian + ("Q" if self.big else "I")

    @property
    def inline(self) -> int:
        """Largest value in bytes that stands in the entry itself."""
        return 8 if self.big else 4


@dataclass(frozen=True, slots=True)
class Entry:
    """One directory entry.

    Attributes:
        tag: tag number.
        kind: field type.
        count: number of values.
        offset: where the value's bytes stand.
        size: bytes of the value.
        position: where the entry itself stands.
        inside: true if the value lies inside the file.
    """

    tag: int
    kind: int
    count: int
    offset: int
    size: int
    position: int
    inside: bool

    def value(self, data: bytes) -> bytes:
        """The value's bytes, empty if they lie outside the file."""
        return data[self.offset : self.offset + self.size] if self.inside else b""


@dataclass(frozen=True, slots=True)
class Ifd:
    """One directory.

    Attributes:
        offset: where it stands.
        entries: in file order.
        next: offset of the next directory, 0 for the last one.
    """

    offset: int
    entries: tuple[Entry, ...]
    next: int


def header(data: bytes) -> Header:
    """Read the eight or sixteen bytes of the header.

    Raises:
        DamagedMedia: if it is no TIFF header.
    """
    endian = {b"II": "<", b"MM": ">"}.get(data[:2])
    if endian is None or len(data) < 8:
        raise DamagedMedia("not a TIFF structure: no byte-order mark.")
    (version,) = struct.unpack_from(endian + "H", data, 2)
    if version == 42:
        return Header(endian, False, struct.unpack_from(endian + "I", data, 4)[0])
    if version == 43 and len(data) >= 16 and struct.unpack_from(endian + "HH", data, 4) == (8, 0):
        return Header(endian, True, struct.unpack_from(endian + "Q", data, 8)[0])
    raise DamagedMedia(f"not a TIFF structure: version {version} is neither 42 nor 43.")


def ifd(data: bytes, head: Header, offset: int) -> Ifd:
    """Read one directory.

    Raises:
        DamagedMedia: if the directory reaches behind the end of the data.
    """
    first = offset + struct.calcsize(head.count_format)
    if offset < 8 or first > len(data):
        raise DamagedMedia(f"TIFF directory at byte {offset} lies outside the file.")
    (count,) = struct.unpack_from(head.count_format, data, offset)
    end = first + count * head.entry_size
    if end > len(data):
        raise DamagedMedia(
            f"TIFF directory at byte {offset} claims {count} entries and reaches behind the end."
        )
    form = head.endian + ("HHQ" if head.big else "HHI")
    start = struct.calcsize(form)
    entries: list[Entry] = []
    for position in range(first, end, head.entry_size):
        tag, kind, number = struct.unpack_from(form, data, position)
        size = _SIZES.get(kind, 0) * number
        where = position + start
        if size > head.inline:
            (where,) = struct.unpack_from(head.offset_format, data, where)
        entries.append(Entry(tag, kind, number, where, size, position, where + size <= len(data)))
    follow = 0
    if end + struct.calcsize(head.offset_format) <= len(data):
        (follow,) = struct.unpack_from(head.offset_format, data, end)
    return Ifd(offset, tuple(entries), follow)


def ifds(data: bytes, head: Header) -> Iterator[Ifd]:
    """The chain of directories (pages); a loop ends it.

    Raises:
        DamagedMedia: if one of them cannot be read.
    """
    seen: set[int] = set()
    offset = head.first
    while offset and offset not in seen and len(seen) < _MAX_IFDS:
        seen.add(offset)
        directory = ifd(data, head, offset)
        yield directory
        offset = directory.next


def first(data: bytes) -> Ifd:
    """IFD0.

    Raises:
        DamagedMedia: if it cannot be read.
    """
    head = header(data)
    return ifd(data, head, head.first)


def find(directory: Ifd, tag: int) -> Entry | None:
    """The first entry with this tag."""
    return next((entry for entry in directory.entries if entry.tag == tag), None)


def set_value(data: bytes, tag: int, value: bytes, *, kind: int = _UNDEFINED) -> bytes:
    """The file with ``tag`` of IFD0 set to a byte string, everything else where it was.

    A former value of the same tag is overwritten with zeros where it is no longer used, so that it
    cannot be found by searching the file.

    Args:
        data: a TIFF file.
        tag: tag number.
        value: bytes of the value, longer than what fits in the entry itself.
        kind: field type of a new entry, 1 (BYTE) or 7 (UNDEFINED); an existing entry of either
            type keeps its own.

    Raises:
        DamagedMedia: if IFD0 cannot be read.
        LimitExceeded: if a classic TIFF would pass 4 GiB.
    """
    head = header(data)
    directory = ifd(data, head, head.first)
    value = value.ljust(head.inline + 1, b"\0")
    entry = find(directory, tag)
    out = bytearray(data)
    if entry is not None:
        if entry.value(data) == value:
            return data
        kept = entry.kind if entry.kind in (1, _UNDEFINED) else kind
        at = _reuse(out, head, directory, entry, value)
        _write_entry(out, head, entry.position, (tag, kept, len(value)), at)
        return bytes(out)
    at = _append(out, head, value)
    first = directory.offset + struct.calcsize(head.count_format)
    tail = first + len(directory.entries) * head.entry_size
    pointer = struct.calcsize(head.offset_format)
    raw = [data[e.position : e.position + head.entry_size] for e in directory.entries]
    new = bytearray(head.entry_size)
    _write_entry(new, head, 0, (tag, kind, len(value)), at)
    raw.insert(sum(1 for e in directory.entries if e.tag <= tag), bytes(new))
    block = struct.pack(head.count_format, len(raw)) + b"".join(raw)
    where = _append(out, head, block + data[tail : tail + pointer].ljust(pointer, b"\0"))
    struct.pack_into(head.offset_format, out, 8 if head.big else 4, where)
    return bytes(out)


def _reuse(out: bytearray, head: Header, directory: Ifd, entry: Entry, value: bytes) -> int:
    """Put a value where its predecessor stood, or at the end; returns its offset."""
    start, end = entry.offset, entry.offset + entry.size
    fields = struct.calcsize(head.count_format) + struct.calcsize(head.offset_format)
    directory_end = directory.offset + fields + len(directory.entries) * head.entry_size
    apart = start >= 16 and (end <= directory.offset or start >= directory_end)
    if not (
        entry.inside and entry.size > head.inline and apart and _is_text(out[start : min(end, start + 64)])
    ):
        return _append(out, head, value)
    if end == len(out):
        del out[start:]
        return _append(out, head, value)
    out[start:end] = bytes(entry.size)
    if len(value) <= entry.size:
        out[start : start + len(value)] = value
        return start
    return _append(out, head, value)


def _is_text(begin: bytearray) -> bool:
    """True for what an XMP packet begins with; nothing else is ever overwritten."""
    return begin.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _append(out: bytearray, head: Header, block: bytes) -> int:
    out.extend(bytes(-len(out) % 8))
    at = len(out)
    out.extend(block)
    if not head.big and len(out) >= 1 << 32:
        raise LimitExceeded("a classic TIFF file cannot be larger than 4 GiB.")
    return at


def _write_entry(
    out: bytearray, head: Header, position: int, field: tuple[int, int, int], offset: int
) -> None:
    struct.pack_into(head.endian + ("HHQQ" if head.big else "HHII"), out, position, *field, offset)
