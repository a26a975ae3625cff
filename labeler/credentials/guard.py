"""Refuse manifests that would make c2pa allocate gigabytes.

c2pa-python 0.38.1 (c2pa-rs 0.91.3) believes the length that a CBOR string announces and allocates it
before it looks whether so many bytes are there: a manifest of 3 kB took 4.1 GB and 22 s (measured).
Limits of memory cannot be set from within, so the lengths are checked here, before c2pa sees the file.

The check looks for CBOR boxes wherever they are, not for the manifest's place in the container, so that
it and c2pa cannot disagree on where that is. In the two containers that cut a manifest in pieces it looks
at the pieces joined (JPEG APP11 segments, GIF sub-blocks). Compressed
manifests ("brob" boxes, C2PA 2.2, 11.2.4) are refused, because they cannot be looked into. Not covered:
containers that may compress or encode their parts (PDF, SVG, deflated ZIP, compressed ID3 frames).
"""

from __future__ import annotations

import contextlib
import mmap
import re
import struct
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO, TypeAlias

__all__ = ["has_traces", "refusal"]

Bytes: TypeAlias = bytes | mmap.mmap

_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd9]")
_BOXES = (b"cbor", b"brob")
_TRACE = b"jumdc2"  # a description box whose type is one of C2PA's (c2pa, c2ma, c2as, c2cl, c2cs)
_POINTER = b"provenance"
_GIF_BLOCK = b"C2PA_GIF"
_MAX_ITEMS = 2_000_000
_WINDOW = 32 << 20


def refusal(source: BinaryIO) -> str:
    """Why the manifest in this stream, or the manifest that this stream is, must not be read; or "".

    Args:
        source: media with or without a manifest, or the bytes of a ``.c2pa`` file; read from its start.
    """
    with _opened(source) as data:
        return next(filter(None, map(_check, _views(data))), "")


def has_traces(source: BinaryIO, *, remote: bool = False) -> bool:
    """Whether boxes of a C2PA manifest are there, even if c2pa does not find a manifest in them.

    Args:
        source: the media.
        remote: look also for the name of the XMP property that points to a remote manifest.
    """
    sought = (_TRACE, _POINTER) if remote else (_TRACE,)
    with _opened(source) as data:
        return any(_find(part, trace, 0) >= 0 for part in _views(data) for trace in sought)


@contextlib.contextmanager
def _opened(source: BinaryIO) -> Iterator[Bytes]:
    data = _whole(source)
    try:
        yield data
    finally:
        if isinstance(data, mmap.mmap):
            data.close()


def _whole(source: BinaryIO) -> Bytes:
    """The stream's bytes, without a copy if it is a file or a `BytesIO`."""
    if isinstance(source, BytesIO):
        return source.getvalue()
    source.seek(0)
    try:
        return mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError, AttributeError):  # no file, or an empty one
        return source.read()


def _views(data: Bytes) -> Iterator[Bytes]:
    """Where boxes stand in one piece: the data themselves, or the pieces joined."""
    if data[:2] == b"\xff\xd8":
        yield _jpeg_pieces(data)
    elif data[:4] == b"GIF8":
        yield from _gif_pieces(data)
    else:
        yield data


def _jpeg_pieces(data: Bytes) -> bytes:
    """Payloads of all APP11 segments; after the first, box length and type are repeated (ISO 19566-5)."""
    pieces: list[bytes] = []
    if data.find(b"\xff\xeb") < 0:
        return b""
    position = 2
    while found := _MARKER.search(data, position):
        start = found.start()
        position = start + 2
        if start + 4 > len(data):
            break
        (size,) = struct.unpack(">H", data[start + 2 : start + 4])
        if data[start + 1] == 0xEB and data[start + 4 : start + 6] == b"JP":
            payload = data[start + 4 : start + 2 + size]
            first = payload[4:8] == b"\0\0\0\1"
            pieces.append(payload[8 if first else 16 :])
        position = max(position, start + 2 + size)
    return b"".join(pieces)


def _gif_pieces(data: Bytes) -> Iterator[bytes]:
    position = -1
    while (position := data.find(_GIF_BLOCK, position + 1)) >= 0:
        at, pieces = position + 11, []
        while at < len(data) and (size := data[at]):
            pieces.append(data[at + 1 : at + 1 + size])
            at += 1 + size
        yield b"".join(pieces)


def _check(data: Bytes) -> str:
    for name in _BOXES:
        for content in _boxes(data, name):
            if name == b"brob":
                return "its manifest is compressed, which labeler does not read"
            if not _is_bounded(content):
                return "its manifest announces more bytes than it has"
    return ""


def _boxes(data: Bytes, name: bytes) -> Iterator[bytes]:
    """Contents of the JUMBF boxes of this type (ISO 19566-5): length, type, content."""
    start = _find(data, name, 4)
    while start >= 0:
        (size,) = struct.unpack(">I", data[start - 4 : start])
        begin = start + 4
        if size == 1:  # the length stands in 64 bits behind the type
            size, begin = int.from_bytes(data[start + 4 : start + 12], "big"), start + 12
        end = start - 4 + size if size else len(data)
        if begin < end <= len(data):  # else the letters stand there by chance, or c2pa refuses the length
            yield data[begin:end]
        start = _find(data, name, start + 1)


def _find(data: Bytes, name: bytes, start: int) -> int:
    """Like ``find``; of a mapped file only a window stays in memory."""
    if isinstance(data, bytes):
        return data.find(name, start)
    while start < len(data):
        found = data.find(name, start, start + _WINDOW + len(name) - 1)
        if found >= 0:
            return found
        begin = start // mmap.PAGESIZE * mmap.PAGESIZE
        data.madvise(mmap.MADV_DONTNEED, begin, min(start + _WINDOW, len(data)) - begin)
        start += _WINDOW
    return -1


def _is_bounded(cbor: bytes) -> bool:
    """Whether every string in CBOR data ends within them (RFC 8949, 3); the rest is left to c2pa.

    Heads are read one after the other: those of arrays, maps and tags are followed by their contents.
    """
    position, end, items = 0, len(cbor), 0
    while position < end:
        items += 1
        if items > _MAX_ITEMS:
            return False
        major, low = cbor[position] >> 5, cbor[position] & 31
        position += 1
        value = low
        if 24 <= low <= 27:
            width = 1 << (low - 24)
            value = int.from_bytes(cbor[position : position + width], "big")
            position += width
        elif low >= 28:
            continue  # indefinite length, a break, or reserved
        if major in (2, 3):
            position += value
            if position > end:
                return False
    return True
