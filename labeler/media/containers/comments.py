"""Vorbis comments: the list of ``NAME=value`` texts in FLAC, Ogg Vorbis, Opus and Speex.

Sources: Vorbis I specification, section 5; RFC 7845 section 5.2 (bytes behind the list in OpusTags).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from labeler.errors import DamagedMedia

__all__ = ["Comments", "build", "parse"]

_MAX_COMMENTS = 100_000


@dataclass(frozen=True, slots=True)
class Comments:
    """A comment list.

    Attributes:
        vendor: the encoder's name, as bytes.
        items: entries as they stand, ``NAME=value``.
        rest: what follows the list (framing bit, padding).
    """

    vendor: bytes
    items: tuple[bytes, ...]
    rest: bytes = b""

    def pairs(self) -> Iterable[tuple[str, str]]:
        """Name in upper case, and value, of every entry that has both."""
        for item in self.items:
            name, equals, value = item.partition(b"=")
            if equals:
                yield name.decode("ascii", "replace").upper(), value.decode("utf-8", "replace")


def parse(data: bytes) -> Comments:
    """A list from its bytes.

    Raises:
        DamagedMedia: if it is cut off.
    """

    def take(position: int) -> tuple[bytes, int]:
        end = position + 4 + int.from_bytes(data[position : position + 4], "little")
        if position + 4 > len(data) or end > len(data):
            raise DamagedMedia("the comments are cut off.")
        return data[position + 4 : end], end

    vendor, position = take(0)
    count = int.from_bytes(data[position : position + 4], "little")
    if position + 4 > len(data) or count > min(_MAX_COMMENTS, (len(data) - position) // 4):
        raise DamagedMedia(f"the list claims {count} comments, more than fit.")
    position += 4
    items = []
    for _ in range(count):
        item, position = take(position)
        items.append(item)
    return Comments(vendor, tuple(items), data[position:])


def build(comments: Comments) -> bytes:
    """The bytes of a list."""
    parts = [struct.pack("<I", len(comments.vendor)), comments.vendor, struct.pack("<I", len(comments.items))]
    for item in comments.items:
        parts += [struct.pack("<I", len(item)), item]
    return b"".join([*parts, comments.rest])
