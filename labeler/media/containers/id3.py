"""ID3v2 tags (2.2, 2.3, 2.4): frames as bytes, and building a tag again; what stands at the end of an MP3.

A frame that is not ours stays byte for byte, header included. Unsynchronisation of a whole tag (2.3) is undone,
because the frames in it cannot be told apart otherwise; extended headers (padding size, CRC) are dropped.

Sources: id3.org, ID3 tag version 2.2, 2.3.0 and 2.4.0 (structure and native frames); ID3v1; APE tag 2.0.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from labeler.errors import LimitExceeded
from labeler.media.containers.stream import read_at

__all__ = [
    "MAX_TAG",
    "Frame",
    "Tag",
    "build",
    "find",
    "general_object",
    "parse",
    "private",
    "tail",
    "text",
    "texts",
    "user_text",
]

MAX_TAG = 64 << 20
"""Bytes of a tag that is read; the format allows 256 MiB, pictures need a few."""

_MAX_FRAMES = 50_000
_UNSYNC, _EXTENDED, _FOOTER = 0x80, 0x40, 0x10
_FRAME_UNSYNC, _FRAME_LENGTH = 0x02, 0x01
_OPAQUE = {3: 0xC0, 4: 0x0C}
"""Format flags of compressed or encrypted frames, in the second flag byte."""
_CODECS = ("latin-1", "utf-16", "utf-16-be", "utf-8")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes:
        kind: ``TXXX``, ``PRIV``, ... (three letters in 2.2).
        raw: header and body, as they stand in the tag.
        body: content, unsynchronisation undone; empty if it is compressed or encrypted.
    """

    kind: str
    raw: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag.

    Attributes:
        version: 2, 3 or 4.
        frames: in order.
        padding: bytes of zeros behind the frames.
        size: bytes of the tag in the file, header and footer included.
    """

    version: int
    frames: tuple[Frame, ...]
    padding: int
    size: int


def find(source: BinaryIO, start: int = 0) -> Tag | None:
    """The tag at an offset, or None.

    Raises:
        LimitExceeded: if it claims more than 64 MiB.
    """
    head = read_at(source, start, 10)
    size = _size(head)
    if size is None:
        return None
    if size > MAX_TAG:
        raise LimitExceeded(f"the ID3 tag has {size} bytes; the limit is {MAX_TAG}.")
    return parse(head + read_at(source, start + 10, size - 10))


def _size(head: bytes) -> int | None:
    if head[:3] != b"ID3" or len(head) < 10 or not 2 <= head[3] <= 4 or head[4] == 255:
        return None
    if any(byte & 0x80 for byte in head[6:10]):
        return None
    return 10 + _syncsafe(head[6:10]) + (10 if head[3] == 4 and head[5] & _FOOTER else 0)


def _syncsafe(data: bytes) -> int:
    value = 0
    for byte in data:
        value = value << 7 | byte & 127
    return value


def _to_syncsafe(value: int) -> bytes:
    return bytes(value >> shift & 127 for shift in (21, 14, 7, 0))


def parse(data: bytes) -> Tag | None:
    """A tag from its bytes; frames end where bytes that cannot be one begin. None if it is no tag."""
    size = _size(data[:10])
    if size is None:
        return None
    version, flags = data[3], data[5]
    body = data[10 : 10 + _syncsafe(data[6:10])]
    if flags & _UNSYNC and version < 4:
        body = body.replace(b"\xff\0", b"\xff")
    if flags & _EXTENDED and version > 2:
        body = body[_extended(body, version) :]
    frames, end = _frames(body, version, bool(flags & _UNSYNC), version == 4)
    if version == 4 and body[end : end + 4].strip(b"\0"):
        # some programs write plain sizes into 2.4 tags
        plain, plain_end = _frames(body, version, bool(flags & _UNSYNC), False)
        if plain_end > end:
            frames, end = plain, plain_end
    return Tag(version, tuple(frames), len(body) - end, min(size, len(data)))


def _extended(body: bytes, version: int) -> int:
    """Bytes of the extended header."""
    size = _syncsafe(body[:4]) if version == 4 else int.from_bytes(body[:4], "big") + 4
    return min(max(size, 4), len(body))


def _frames(body: bytes, version: int, unsync: bool, syncsafe: bool) -> tuple[list[Frame], int]:
    found: list[Frame] = []
    letters, header = (3, 6) if version == 2 else (4, 10)
    position = 0
    while position + header <= len(body) and len(found) < _MAX_FRAMES:
        name = body[position : position + letters]
        if not name.isalnum() or name != name.upper():
            break
        field = body[position + letters : position + 2 * letters]
        size = _syncsafe(field) if syncsafe else int.from_bytes(field, "big")
        end = position + header + size
        if end > len(body):
            break
        raw = body[position:end]
        if syncsafe is False and version == 4:
            raw = raw[:4] + _to_syncsafe(size) + raw[8:]
        if version == 4 and unsync and not raw[9] & _FRAME_UNSYNC and b"\xff\0" in raw[10:]:
            raw = raw[:9] + bytes([raw[9] | _FRAME_UNSYNC]) + raw[10:]
        found.append(Frame(name.decode("latin-1"), raw, _content(raw, version)))
        position = end
    return found, position


def _content(raw: bytes, version: int) -> bytes:
    if version == 2:
        return raw[6:]
    flags = raw[9]
    if flags & _OPAQUE[version]:
        return b""
    body = raw[10:]
    if version == 3:
        return body[1:] if flags & 0x20 else body
    body = body[1:] if flags & 0x40 else body
    body = body[4:] if flags & _FRAME_LENGTH else body
    return body.replace(b"\xff\0", b"\xff") if flags & _FRAME_UNSYNC else body


def build(version: int, frames: Iterable[Frame], padding: int = 0) -> bytes:
    """A tag with these frames.

    Raises:
        LimitExceeded: above 64 MiB.
    """
    body = b"".join(frame.raw for frame in frames) + bytes(padding)
    if len(body) > MAX_TAG:
        raise LimitExceeded(f"the ID3 tag would have {len(body)} bytes; the limit is {MAX_TAG}.")
    return b"ID3" + bytes([version, 0, 0]) + _to_syncsafe(len(body)) + body


def _frame(version: int, kind: str, body: bytes) -> Frame:
    if version == 2:
        raw = kind.encode() + len(body).to_bytes(3, "big") + body
    else:
        size = _to_syncsafe(len(body)) if version == 4 else struct.pack(">I", len(body))
        raw = kind.encode() + size + b"\0\0" + body
    return Frame(kind, raw, body)


def user_text(version: int, description: str, value: str) -> Frame:
    """A user-defined text frame: ``TXXX``, or ``TXX`` in 2.2."""
    if version == 4:
        code, codec, end = 3, "utf-8", b"\0"
    elif (description + value).isascii():
        code, codec, end = 0, "latin-1", b"\0"
    else:
        code, codec, end = 1, "utf-16", b"\0\0"
    body = bytes([code]) + description.encode(codec) + end + value.encode(codec)
    return _frame(version, "TXX" if version == 2 else "TXXX", body)


def private(version: int, owner: str, data: bytes) -> Frame:
    """A private frame; there is none in 2.2."""
    return _frame(version, "PRIV", owner.encode("latin-1") + b"\0" + data)


def general_object(body: bytes) -> Frame:
    """A general object of version 2.2."""
    return _frame(2, "GEO", body)


def texts(frame: Frame) -> tuple[str, str] | None:
    """Description and value of a user-defined text frame or a comment, or None."""
    body = frame.body
    if frame.kind in ("COMM", "COM"):
        body = body[:1] + body[4:]
    elif frame.kind not in ("TXXX", "TXX"):
        return None
    if not body or body[0] >= len(_CODECS):
        return None
    wide = body[0] in (1, 2)
    rest = body[1:]
    if wide:
        at = next((i for i in range(0, len(rest) - 1, 2) if rest[i : i + 2] == b"\0\0"), len(rest))
    else:
        at = rest.find(b"\0")
        at = len(rest) if at < 0 else at
    skip = 2 if wide else 1
    return text(body[0], rest[:at]), text(body[0], rest[at + skip :])


def text(code: int, data: bytes) -> str:
    """Text in one of ID3's four encodings; a UTF-16 text without byte order mark is little-endian."""
    codec = _CODECS[code] if code < len(_CODECS) else "latin-1"
    if code == 1 and data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        codec = "utf-16-le"
    return data.decode(codec, "replace").rstrip("\0").removeprefix("\ufeff")


def tail(source: BinaryIO, size: int) -> Iterator[tuple[str, int, int]]:
    """What stands behind the sound of an MP3: name, start and end of ID3v1, APE and ID3v2 tags, last first."""
    end = size
    for _ in range(8):
        if end >= 128 and read_at(source, end - 128, 3) == b"TAG":
            yield "id3v1", end - 128, end
            end -= 128
            continue
        foot = read_at(source, max(0, end - 32), 32)
        if len(foot) == 32 and foot[:8] == b"APETAGEX":
            length, flags = struct.unpack_from("<I4xI", foot, 12)
            start = end - length - (32 if flags & 0x80000000 else 0)
            if 0 <= start < end - 31:
                yield "ape", start, end
                end = start
                continue
        if foot[-10:-7] == b"3DI" and (length := _size(b"ID3" + foot[-7:])) is not None and length <= end:
            yield "id3v2", end - length, end
            end -= length
            continue
        return
