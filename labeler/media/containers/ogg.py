"""Ogg files: pages, packets, and a new comment packet without touching a packet of sound.

Sources: RFC 3533 (pages, lacing, CRC), RFC 7845 (Opus: OpusHead, OpusTags), Vorbis I specification
(sections 4.2 and 5), FLAC in Ogg (RFC 9639 section 10.1), Speex manual.

The header packets of a stream are laid out on new pages; when their number changes, the pages behind are
renumbered and their checksums computed anew. Packets of sound, their pages and granule positions stay.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from labeler.errors import DamagedMedia, LimitExceeded
from labeler.media.containers.stream import file_size, read_at

__all__ = ["Page", "Stream", "check", "checksum", "pages", "rewrite", "streams"]

_MAX_HEADERS = 64 << 20
_MAX_STREAMS = 1_000
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_NO_GRANULE = (1 << 64) - 1
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_KINDS = (
    (b"\x01vorbis", "vorbis"),
    (b"OpusHead", "opus"),
    (b"\x7fFLAC", "flac"),
    (b"Speex   ", "speex"),
)


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        start: offset of ``OggS``.
        flags: 1 continued packet, 2 first page, 4 last page of its stream.
        granule: granule position; 2^64 - 1 where no packet ends on the page.
        serial: of the logical stream.
        sequence: number of the page in its stream.
        lacing: segment table.
        size: bytes, header included.
    """

    start: int
    flags: int
    granule: int
    serial: int
    sequence: int
    lacing: bytes
    size: int

    @property
    def first(self) -> bool:
        """True for the first page of a stream."""
        return bool(self.flags & _FIRST)


@dataclass(slots=True)
class Stream:
    """A logical stream and its header packets.

    Attributes:
        serial: serial number.
        kind: ``vorbis``, ``opus``, ``flac``, ``speex`` or "" for anything else.
        packets: header packets that are complete, identification first.
        start: offset of its first page.
        end: offset behind the last page of its headers.
        done: true when the comment packet, and on Vorbis the set-up packet, has been read.
        rest: beginning of a packet that is not complete.
        held: pages of the headers behind the first.
        shift: by how much pages behind the headers are renumbered.
        behind: lacing and body of sound on the last of them, where some encoders put it.
    """

    serial: int
    kind: str
    start: int
    packets: list[bytes] = field(default_factory=list)
    end: int = 0
    done: bool = False
    rest: bytearray = field(default_factory=bytearray)
    held: list[Page] = field(default_factory=list)
    shift: int = 0
    behind: tuple[bytes, bytes] = (b"", b"")

    @property
    def comment(self) -> bytes:
        """The comment packet, or empty bytes."""
        return self.packets[1] if len(self.packets) > 1 else b""


def checksum(page: bytes) -> int:
    """CRC-32 of a page whose checksum field is zero (RFC 3533: polynomial 0x04C11DB7, not reflected).

    zlib's CRC has the same polynomial with the bits of every byte the other way round.
    """
    value = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(value.to_bytes(4, "little").translate(_REVERSED), "big")


def pages(source: BinaryIO, start: int = 0, size: int | None = None) -> Iterator[Page]:
    """All pages from an offset on, headers read only.

    Raises:
        DamagedMedia: if something else than a page stands there, or a page is cut off.
    """
    end = file_size(source) if size is None else size
    position = start
    while position < end:
        head = read_at(source, position, 27 + 255)
        if head[:4] != b"OggS" or len(head) < 27 or head[4] != 0:
            raise DamagedMedia(f"no Ogg page at byte {position}, where one has to be.")
        lacing = head[27 : 27 + head[26]]
        length = 27 + head[26] + sum(lacing)
        if len(lacing) < head[26] or position + length > end:
            raise DamagedMedia(f"the Ogg page at byte {position} is cut off.")
        granule, serial, sequence = struct.unpack_from("<QII", head, 6)
        yield Page(position, head[5], granule, serial, sequence, lacing, length)
        position += length


def check(source: BinaryIO) -> None:
    """Read every page.

    Raises:
        DamagedMedia: if a checksum is wrong or a page is missing.
    """
    expected: dict[int, int] = {}
    for page in pages(source):
        data = read_at(source, page.start, page.size, exact=True)
        if checksum(data[:22] + bytes(4) + data[26:]) != int.from_bytes(data[22:26], "little"):
            raise DamagedMedia(f"the Ogg page at byte {page.start} is damaged: its checksum is wrong.")
        if not page.first and expected.get(page.serial, page.sequence) != page.sequence:
            raise DamagedMedia(f"a page is missing before byte {page.start}.")
        expected[page.serial] = page.sequence + 1


def streams(source: BinaryIO, *, chained: bool = True) -> tuple[Stream, ...]:
    """The logical streams with their header packets, in order; chained ones too.

    Args:
        source: a seekable file.
        chained: look through the whole file for streams that follow one another; otherwise stop when the
            headers of the first ones are complete.

    Raises:
        DamagedMedia: if the pages cannot be walked, or headers are cut off.
        LimitExceeded: if headers are absurdly large.
    """
    found: list[Stream] = []
    active: dict[int, Stream] = {}
    for page in pages(source):
        if page.first:
            if len(found) >= _MAX_STREAMS:
                raise LimitExceeded(f"the Ogg file has more than {_MAX_STREAMS} streams.")
            active[page.serial] = _open(source, page)
            found.append(active[page.serial])
        elif (stream := active.get(page.serial)) is not None and not stream.done:
            _collect(source, stream, page)
        elif not chained and all(stream.done for stream in found):
            break
    if not found:
        raise DamagedMedia("the Ogg file has no stream.")
    if any(not stream.done for stream in found):
        raise DamagedMedia("the Ogg file ends within the headers of a stream.")
    return tuple(found)


def rewrite(source: BinaryIO, target: BinaryIO, change: Callable[[int, Stream], bytes | None]) -> None:
    """Write the file with other comment packets.

    Args:
        source: a seekable file.
        target: where the result goes.
        change: from the number of a stream of sound (0 for the first) and the stream, its new comment packet,
            or None to leave it.

    Raises:
        DamagedMedia: if pages cannot be walked, or headers are cut off.
        LimitExceeded: if headers are absurdly large.
    """
    active: dict[int, Stream] = {}
    known = 0
    for page in pages(source):
        if page.first:
            active[page.serial] = _open(source, page)
            target.write(read_at(source, page.start, page.size, exact=True))
            continue
        stream = active.get(page.serial)
        if stream is None:
            raise DamagedMedia(f"the Ogg page at byte {page.start} belongs to no stream.")
        if not stream.done:
            stream.held.append(page)
            _collect(source, stream, page)
            if stream.done:
                _headers(source, target, stream, change(known, stream))
                known += 1
            continue
        data = read_at(source, page.start, page.size, exact=True)
        target.write(_renumbered(data, page.sequence + stream.shift) if stream.shift else data)
    if any(not stream.done for stream in active.values()):
        raise DamagedMedia("the Ogg file ends within the headers of a stream.")


def _open(source: BinaryIO, page: Page) -> Stream:
    data = _body(source, page)
    kind = next((name for magic, name in _KINDS if data.startswith(magic)), "")
    if not page.lacing or page.lacing[-1] == 255 or sum(length < 255 for length in page.lacing) != 1:
        kind = ""
    stream = Stream(page.serial, kind, page.start, [data] if kind else [], page.start + page.size)
    stream.done = not kind
    return stream


def _body(source: BinaryIO, page: Page) -> bytes:
    skip = 27 + len(page.lacing)
    return read_at(source, page.start + skip, page.size - skip, exact=True)


def _collect(source: BinaryIO, stream: Stream, page: Page) -> None:
    """Take the packets of a header page; the headers end with the page on which the last of them ends."""
    data = _body(source, page)
    enough = 3 if stream.kind == "vorbis" else 2
    position = 0
    for index, length in enumerate(page.lacing):
        if len(stream.packets) >= enough:
            stream.behind = (page.lacing[index:], data[position:])
            break
        stream.rest += data[position : position + length]
        position += length
        if length < 255:
            stream.packets.append(bytes(stream.rest))
            stream.rest.clear()
    if len(stream.rest) + sum(map(len, stream.packets)) > _MAX_HEADERS:
        raise LimitExceeded(f"the headers of an Ogg stream are larger than {_MAX_HEADERS} bytes.")
    stream.end = page.start + page.size
    stream.done = len(stream.packets) >= enough


def _headers(source: BinaryIO, target: BinaryIO, stream: Stream, comment: bytes | None) -> None:
    """Write the header pages of a stream: as they were, or laid out anew with another comment packet."""
    if comment is None or comment == stream.comment:
        for page in stream.held:
            target.write(read_at(source, page.start, page.size, exact=True))
        return
    packets = [comment, *stream.packets[2:]]
    first, last = stream.held[0].sequence, stream.held[-1]
    written = list(_lay_out(packets, stream.serial, first))
    lacing, body = stream.behind
    if lacing:
        head = _head(last.flags & _LAST, last.granule, stream.serial, len(lacing))
        written.append(_renumbered(head + lacing + body, first + len(written)))
    elif last.flags & _LAST:  # a stream without sound
        written[-1] = _renumbered(
            written[-1][:5] + bytes([written[-1][5] | _LAST]) + written[-1][6:], first + len(written) - 1
        )
    for data in written:
        target.write(data)
    stream.shift = first + len(written) - (last.sequence + 1)


def _head(flags: int, granule: int, serial: int, segments: int) -> bytes:
    """A page header without number and checksum."""
    return struct.pack("<4sBBQIIIB", b"OggS", 0, flags, granule, serial, 0, 0, segments)


def _lay_out(packets: list[bytes], serial: int, sequence: int) -> Iterator[bytes]:
    """Pages of at most 255 segments with these packets."""
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    body = b"".join(packets)
    position, continued = 0, False
    for at in range(0, len(lacing), 255):
        part = lacing[at : at + 255]
        size = sum(part)
        granule = _NO_GRANULE if min(part) == 255 else 0
        head = _head(_CONTINUED if continued else 0, granule, serial, len(part))
        yield _renumbered(head + part + body[position : position + size], sequence)
        continued = part[-1] == 255
        position += size
        sequence += 1


def _renumbered(page: bytes, sequence: int) -> bytes:
    blank = page[:18] + struct.pack("<II", sequence & 0xFFFFFFFF, 0) + page[26:]
    return blank[:22] + struct.pack("<I", checksum(blank)) + blank[26:]
