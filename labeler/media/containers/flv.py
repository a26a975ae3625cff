"""FLV: its tags, and the values (AMF0) in its script data.

Source: Adobe Flash Video File Format Specification 10.1, annex E (header, tags, SCRIPTDATA, onMetaData);
AMF 0 Specification, section 2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from labeler.errors import DamagedMedia, LimitExceeded
from labeler.media.containers.stream import file_size, read_at

__all__ = [
    "ECMA",
    "NUMBER",
    "SCRIPT",
    "Property",
    "Tag",
    "first_tag",
    "load",
    "properties",
    "script",
    "string",
    "tags",
]

SCRIPT = 18
"""Type of a script data tag."""

NUMBER, _BOOLEAN, _STRING, _OBJECT, _NULL, _UNDEFINED, _REFERENCE = 0, 1, 2, 3, 5, 6, 7
ECMA, _STRICT, _DATE, _LONG = 8, 10, 11, 12
_MAX_TAGS = 3_000_000
_MAX_VALUES = 500_000
_MAX_DEPTH = 16


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag.

    Attributes:
        kind: 8 sound, 9 video, 18 script data.
        start: offset of its header.
        body: offset of its data.
        end: offset behind its data; the 4-byte size of the tag follows.
    """

    kind: int
    start: int
    body: int
    end: int

    @property
    def next(self) -> int:
        """Offset of the next tag."""
        return self.end + 4


@dataclass(frozen=True, slots=True)
class Property:
    """A value in script data.

    Attributes:
        path: names from the object's root, indexes of arrays as decimal text.
        kind: AMF0 type marker.
        start: offset of its name in the data (for elements of arrays, of the value).
        value: offset of its type marker.
        end: offset behind it.
        text: its text, for strings.
    """

    path: tuple[str, ...]
    kind: int
    start: int
    value: int
    end: int
    text: str = ""


def first_tag(source: BinaryIO) -> int:
    """Offset of the first tag.

    Raises:
        DamagedMedia: if the file has no FLV header.
    """
    head = read_at(source, 0, 9)
    start = int.from_bytes(head[5:9], "big")
    if len(head) < 9 or head[:3] != b"FLV" or start < 9:
        raise DamagedMedia("not an FLV file.")
    return start + 4


def tags(source: BinaryIO) -> Iterator[Tag]:
    """All tags, without reading their data.

    Raises:
        DamagedMedia: if a tag is cut off or of no known type.
        LimitExceeded: above 3 million tags (8 hours).
    """
    position, size = first_tag(source), file_size(source)
    for _ in range(_MAX_TAGS):
        if position >= size:
            return
        head = read_at(source, position, 11)
        kind, end = head[0] & 0x1F, position + 11 + int.from_bytes(head[1:4], "big")
        if len(head) < 11 or kind not in (8, 9, SCRIPT) or end > size:
            raise DamagedMedia(f"the FLV tag at byte {position} is cut off or damaged.")
        yield Tag(kind, position, position + 11, end)
        position = end + 4
    raise LimitExceeded(f"the FLV file has more than {_MAX_TAGS} tags.")


def load(source: BinaryIO, tag: Tag) -> bytes:
    """The data of a tag, at most 16 MiB."""
    return read_at(source, tag.body, tag.end - tag.body, exact=True)


def script(payload: bytes, *, header: bytes = bytes(11)) -> bytes:
    """A script data tag with its size behind it; time and stream are those of ``header``.

    Raises:
        LimitExceeded: above 16 MiB.
    """
    if len(payload) >= 1 << 24:
        raise LimitExceeded("the script data is larger than an FLV tag can be.")
    kind = header[0] & 0xE0 | SCRIPT
    head = bytes([kind]) + len(payload).to_bytes(3, "big") + header[4:11]
    return head + payload + struct.pack(">I", len(payload) + 11)


def string(text: str) -> bytes:
    """A string value, long if need be."""
    raw = text.encode("utf-8", "backslashreplace")
    if len(raw) < 1 << 16:
        return struct.pack(">BH", _STRING, len(raw)) + raw
    return struct.pack(">BI", _LONG, len(raw)) + raw


def properties(data: bytes) -> tuple[str, int, int, tuple[Property, ...]]:
    """What script data says: its name, and the properties of the object behind it.

    Returns:
        The name (``onMetaData``), the offset of the object's type marker, the offset behind its last
        property, and all properties, those of objects in objects included.

    Raises:
        DamagedMedia: if it cannot be read, or its value is no object.
    """
    try:
        reader = _Reader(data)
        if data[:1] != bytes([_STRING]):
            raise DamagedMedia("script data of the FLV file does not begin with a name.")
        name, at = reader.name(1)
        if data[at] not in (_OBJECT, ECMA):
            raise DamagedMedia(f"the value of {name[:40]!r} is no object.")
        last = reader.members(at + (5 if data[at] == ECMA else 1), (), 0)
        return name, at, last, tuple(reader.found)
    except (IndexError, struct.error) as error:
        raise DamagedMedia("script data of the FLV file is cut off.") from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.found: list[Property] = []

    def name(self, at: int) -> tuple[str, int]:
        end = at + 2 + struct.unpack_from(">H", self.data, at)[0]
        if end > len(self.data):
            raise IndexError
        return self.data[at + 2 : end].decode("utf-8", "replace"), end

    def members(self, at: int, path: tuple[str, ...], depth: int) -> int:
        """Read members until the end marker; the offset of the empty name before it, or of the end of the data."""
        while at < len(self.data):
            if self.data[at : at + 3] == b"\0\0\x09":
                return at
            name, value = self.name(at)
            at = self.value(at, value, (*path, name), depth)
        return at

    def value(self, start: int, at: int, path: tuple[str, ...], depth: int) -> int:
        if len(self.found) >= _MAX_VALUES or depth > _MAX_DEPTH:
            raise LimitExceeded("the FLV file's script data holds too many or too deep values.")
        kind, index = self.data[at], len(self.found)
        self.found.append(Property(path, kind, start, at, at))
        text = ""
        if kind in (_STRING, _LONG):
            wide = 2 if kind == _STRING else 4
            end = at + 1 + wide + int.from_bytes(self.data[at + 1 : at + 1 + wide], "big")
            text = self.data[at + 1 + wide : end].decode("utf-8", "replace")
        elif kind in (_OBJECT, ECMA):
            end = self.members(at + (5 if kind == ECMA else 1), path, depth + 1) + 3
        elif kind == _STRICT:
            end = at + 5
            for number in range(struct.unpack_from(">I", self.data, at + 1)[0]):
                end = self.value(end, end, (*path, str(number)), depth + 1)
        else:
            sizes = {NUMBER: 9, _BOOLEAN: 2, _NULL: 1, _UNDEFINED: 1, _REFERENCE: 3, _DATE: 11}
            if kind not in sizes:
                raise DamagedMedia(f"script data of the FLV file holds a value of type {kind}.")
            end = at + sizes[kind]
        if end > len(self.data):
            raise IndexError
        self.found[index] = Property(path, kind, start, at, end, text)
        return end
