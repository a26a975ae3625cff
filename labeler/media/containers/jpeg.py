"""JPEG marker segments: walk, replace and insert, without touching the entropy-coded data.

Sources: ITU-T T.81 Annex B (markers and segments), JFIF 1.02, Adobe XMP Specification Part 3
section 1.1.3 (APP1 XMP and ExtendedXMP), CIPA DC-007-2009 (Multi-Picture Format, APP2 ``MPF``).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labeler.errors import DamagedMedia, LimitExceeded
from labeler.media.containers import tiff
from labeler.media.containers.splice import Edit, Shift, splice

__all__ = [
    "APP0",
    "APP1",
    "APP2",
    "APP9",
    "APP11",
    "APP13",
    "APP14",
    "COM",
    "EXIF",
    "EXTENDED_XMP",
    "MAX_PAYLOAD",
    "MAX_XMP",
    "MPF",
    "SOF",
    "XMP",
    "Layout",
    "Segment",
    "apply",
    "encode",
    "metadata_slot",
    "walk",
]

APP0, APP1, APP2, APP9, APP11, APP13, APP14 = 0xE0, 0xE1, 0xE2, 0xE9, 0xEB, 0xED, 0xEE
COM, SOS, EOI = 0xFE, 0xDA, 0xD9
SOF = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
"""Start-of-frame markers (T.81 table B.1)."""

EXIF = b"Exif\x00\x00"
XMP = b"http://ns.adobe.com/xap/1.0/\x00"
EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\x00"
MPF = b"MPF\x00"
MAX_PAYLOAD = 65533
"""Bytes that one segment holds behind its length field."""
MAX_XMP = 65502
"""Bytes of one XMP packet in one APP1 segment (XMP part 3, table 6)."""

_MAX_SEGMENTS = 50_000
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})


@dataclass(frozen=True, slots=True)
class Segment:
    """One marker segment of the header.

    Attributes:
        marker: second byte of the marker, ``0xE1`` for APP1.
        start: offset of its first byte, fill bytes and stray bytes before it included.
        body: offset of the first payload byte, behind the length field.
        end: offset behind the payload.
    """

    marker: int
    start: int
    body: int
    end: int

    def payload(self, data: bytes) -> bytes:
        """The bytes behind the length field."""
        return data[self.body : self.end]

    def starts(self, data: bytes, prefix: bytes) -> bool:
        """True if the payload begins with ``prefix``."""
        return data.startswith(prefix, self.body, self.end)


@dataclass(frozen=True, slots=True)
class Layout:
    """The header of a JPEG file.

    Attributes:
        segments: every segment between SOI and the first SOS, in order.
        scan: offset of the first SOS marker; all bytes from here on are left alone.
    """

    segments: tuple[Segment, ...]
    scan: int

    def components(self, data: bytes) -> int:
        """Number of colour components by the frame header, 0 if there is none."""
        for segment in self.segments:
            if segment.marker in SOF and segment.end - segment.body >= 6:
                return data[segment.body + 5]
        return 0


def walk(data: bytes) -> Layout:
    """Find the segments before the first scan.

    Stray bytes between segments are accepted, as libjpeg does; they are kept with the segment that
    follows them.

    Raises:
        DamagedMedia: if there is no SOI, no scan, or a segment reaches behind the end of the file.
    """
    if not data.startswith(b"\xff\xd8"):
        raise DamagedMedia("not a JPEG file: it does not begin with FF D8.")
    segments: list[Segment] = []
    position = 2
    while True:
        start = position
        found = _MARKER.search(data, position)
        if found is None:
            raise DamagedMedia("the JPEG file ends before its first scan.")
        position = found.start()
        marker = data[position + 1]
        if marker == SOS:
            return Layout(tuple(segments), position)
        if marker == EOI:
            raise DamagedMedia("the JPEG file has no scan before its end marker.")
        position += 2
        if marker in _STANDALONE or marker == 0xD8:
            continue
        if position + 2 > len(data):
            raise DamagedMedia("the JPEG file ends inside a segment header.")
        length = int.from_bytes(data[position : position + 2], "big")
        end = position + length
        if length < 2 or end > len(data):
            raise DamagedMedia(f"JPEG segment {marker:#04x} at byte {position - 2} reaches behind the end.")
        segments.append(Segment(marker, start, position + 2, end))
        if len(segments) > _MAX_SEGMENTS:
            raise DamagedMedia(f"the JPEG file has more than {_MAX_SEGMENTS} segments before its scan.")
        position = end


def encode(marker: int, payload: bytes) -> bytes:
    """One segment as bytes.

    Raises:
        LimitExceeded: if the payload does not fit in one segment.
    """
    if len(payload) > MAX_PAYLOAD:
        raise LimitExceeded(f"{len(payload)} bytes do not fit in one JPEG segment (at most {MAX_PAYLOAD}).")
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def metadata_slot(data: bytes, layout: Layout) -> int:
    """Offset at which a new APP1 goes: behind the leading JFIF, JFXX and Exif segments."""
    position = 2
    for segment in layout.segments:
        if segment.marker == APP0 or (segment.marker == APP1 and segment.starts(data, EXIF)):
            position = segment.end
        else:
            break
    return position


def apply(data: bytes, layout: Layout, edits: Sequence[Edit]) -> bytes:
    """Splice header edits and keep a Multi-Picture index (gain maps, stereo pairs) right.

    MPF entries count from the MPF header, and the first one states the size of the primary image;
    both move when something before the trailing images grows.
    """
    return splice(data, (*edits, *_mpf_edits(data, layout, edits)))


def _mpf_edits(data: bytes, layout: Layout, edits: Iterable[Edit]) -> list[Edit]:
    edits = list(edits)
    shift = Shift(edits)
    result: list[Edit] = []
    for segment in layout.segments:
        if segment.marker != APP2 or not segment.starts(data, MPF):
            continue
        if any(edit.start < segment.end and segment.body < edit.end for edit in edits):
            continue
        base = segment.body + len(MPF)
        try:
            head = tiff.header(data[base : segment.end])
            index = tiff.ifd(data[base : segment.end], head, head.first)
        except DamagedMedia:
            continue
        for entry in index.entries:
            if entry.tag != 0xB002 or not entry.inside:
                continue
            for number in range(min(entry.size // 16, 1000)):
                at = base + entry.offset + 16 * number + 4
                size, offset = struct.unpack_from(head.endian + "II", data, at)
                if number == 0:
                    moved = (shift(size) if size > segment.start else size, offset)
                elif offset:
                    moved = (size, shift(base + offset) - shift(base))
                else:
                    moved = (size, offset)
                if moved != (size, offset) and 0 <= min(moved) <= max(moved) < 1 << 32:
                    result.append(Edit(at, at + 8, struct.pack(head.endian + "II", *moved)))
    return result
