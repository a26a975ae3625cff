"""Streams of self-contained frames without a container: MP3 (and layer II), ADTS.

Sources: ISO/IEC 11172-3 2.4.1 and 13818-3 (frame headers), ISO/IEC 13818-7 / 14496-3 (ADTS), the Xing, Info
and VBRI headers and LAME's extension as their authors describe them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from labeler.errors import DamagedMedia
from labeler.media.audio.headers import Header
from labeler.media.containers import id3
from labeler.media.containers.stream import file_size, read_at

__all__ = [
    "AAC_RATES",
    "adts_length",
    "frame_length",
    "is_adts",
    "is_mpeg",
    "nearest_rate",
    "read_adts",
    "read_mpeg",
]

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_KBPS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_WINDOW = 1 << 20
_MAX_LOST = 16 << 20
_MAX_JUNK = 1 << 17
_DECODER_DELAY = 529


@dataclass(frozen=True, slots=True)
class _Frame:
    """One MPEG frame header: bytes and samples of the frame, Hz, bits a second, layer, version, channels."""

    length: int
    samples: int
    rate: int
    bit_rate: int
    layer: int
    version: int
    channels: int


@dataclass(frozen=True, slots=True)
class _Walk:
    """A stream: where it begins, number and bytes of its frames, what was in between and at the end."""

    start: int
    frames: int
    size: int
    lost: int
    cut: bool
    varies: bool


def _parse(head: bytes) -> _Frame | None:
    """An MPEG frame header, None if it is none (or of free format, which nobody writes)."""
    if len(head) < 4 or head[0] != 255 or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    index, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or index in (0, 15) or rate == 3:
        return None
    hz = _RATES[version][rate]
    table = (1, layer) if version == 3 else (2, 1 if layer == 1 else 2)
    bps = 1000 * _KBPS[table][index - 1]
    padding = head[2] >> 1 & 1
    if layer == 1:
        length, samples = (12 * bps // hz + padding) * 4, 384
    else:
        samples = 576 if layer == 3 and version != 3 else 1152
        length = samples // 8 * bps // hz + padding
    return _Frame(length, samples, hz, bps, layer, version, 1 if head[3] >> 6 == 3 else 2)


@functools.cache
def _lengths() -> list[int]:
    """Length of an MPEG frame by the second and third byte of its header, 0 where that is none."""
    table = []
    for value in range(0xE000, 0x10000):
        frame = _parse(bytes([255, value >> 8, value & 255, 0]))
        table.append(frame.length if frame else 0)
    return table


def frame_length(buffer: bytes, at: int) -> int:
    """Bytes of the MPEG frame whose header stands there, 0 if none does."""
    if buffer[at] != 255 or buffer[at + 1] < 0xE0:
        return 0
    return _lengths()[(buffer[at + 1] << 8 | buffer[at + 2]) - 0xE000]


def adts_length(buffer: bytes, at: int) -> int:
    """Bytes of the ADTS frame whose header stands there, 0 if none does."""
    if buffer[at] != 255 or buffer[at + 1] & 0xF6 != 0xF0 or buffer[at + 2] >> 2 & 15 > 12:
        return 0
    length = (buffer[at + 3] & 3) << 11 | buffer[at + 4] << 3 | buffer[at + 5] >> 5
    return length if length >= 7 else 0


def nearest_rate(bit_rate: int, sample_rate: int, layer: int) -> int:
    """The bit rate of the format's table that is nearest, bits a second.

    >>> nearest_rate(127_997, 44100, 3)
    128000
    """
    table = _KBPS[1 if sample_rate >= 32000 else 2, layer if sample_rate >= 32000 else 2]
    return min((1000 * kbps for kbps in table), key=lambda rate: abs(rate - bit_rate))


def is_mpeg(head: bytes) -> bool:
    """True if bytes look like the beginning of an MP3 or layer II stream, as far as they reach.

    Layer I is left out: its header is also the byte order mark of UTF-16.
    """
    frame = _parse(head)
    if frame is None or frame.layer == 1:
        return False
    return len(head) < frame.length + 4 or frame_length(head, frame.length) > 0


def is_adts(head: bytes) -> bool:
    """True if bytes look like the beginning of an ADTS stream, as far as they reach."""
    length = adts_length(head, 0) if len(head) >= 7 else 0
    return length > 0 and (len(head) < length + 7 or adts_length(head, length) > 0)


def _bounds(source: BinaryIO) -> tuple[int, int]:
    """Where the stream begins behind its tags, and where the tags behind it begin."""
    size = file_size(source)
    start, end = 0, size
    for _ in range(8):
        tag = id3.find(source, start)
        if tag is None:
            break
        start += tag.size
    for _, begin, _ in id3.tail(source, size):
        end = begin
    return min(start, end), end


def _walk(
    source: BinaryIO,
    start: int,
    end: int,
    length_of: Callable[[bytes, int], int],
    same: tuple[int, int],
    size: int,
) -> _Walk:
    """Go from frame to frame; what cannot be a frame of the same stream is skipped and counted.

    Args:
        source: the file.
        start: where to begin.
        end: where to end.
        length_of: bytes of the frame at a place in a buffer, 0 if there is none.
        same: mask for second and third byte of a header: what has to stay the same.
        size: bytes of a header.
    """
    first = _first(source, start, end, length_of, size)
    head = read_at(source, first, size)
    want1, want2 = head[1] & same[0], head[2] & same[1]
    pattern = re.compile(
        b"\xff[" + b"".join(re.escape(bytes([b])) for b in range(256) if b & same[0] == want1) + b"]"
    )
    frames = total = lost = 0
    rates = set()
    position, base, buffer = first, 0, b""
    cut = False
    while position + size <= end:
        at = position - base
        if at + size > len(buffer) or at < 0:
            base, at = position, 0
            buffer = read_at(source, position, min(_WINDOW, end - position))
            if len(buffer) < size:
                break
        length = length_of(buffer, at)
        if length and buffer[at + 1] & same[0] == want1 and buffer[at + 2] & same[1] == want2:
            if position + length > end:
                cut = True
                break
            frames += 1
            total += length
            rates.add(buffer[at + 2] >> 4)
            position += length
            continue
        found = pattern.search(buffer, at + 1)
        step = (found.start() if found else len(buffer)) - at
        lost += step
        position += step
        if lost > _MAX_LOST:
            raise DamagedMedia(f"more than {_MAX_LOST >> 20} MB between the frames are no sound.")
    if not frames:
        raise DamagedMedia("there is not one whole frame of sound.")
    return _Walk(first, frames, total, lost, cut, len(rates) > 1)


def _first(source: BinaryIO, start: int, end: int, length_of: Callable[[bytes, int], int], size: int) -> int:
    """The first frame that another one, or the end, follows."""
    data = read_at(source, start, min(_MAX_JUNK, end - start))
    for match in re.finditer(b"\xff", data):
        at = match.start()
        if at + size > len(data) or not (length := length_of(data, at)):
            continue
        follows = at + length
        if follows + size > len(data):
            if start + follows >= end - size or length_of(read_at(source, start + follows, size), 0):
                return start + at
        elif length_of(data, follows):
            return start + at
    raise DamagedMedia("there is no frame of sound where the stream has to begin.")


def read_mpeg(source: BinaryIO) -> Header:
    """The header of an MP3, MP2 or MP1 stream, with its frames counted.

    Raises:
        DamagedMedia: if there is no stream.
    """
    start, end = _bounds(source)
    walk = _walk(source, start, end, frame_length, (0xFE, 0x0C), 4)
    head = read_at(source, walk.start, 2048)
    frame = _parse(head)
    assert frame is not None
    declared, skipped, is_tag, is_vbr = _encoder_tag(head[: frame.length], frame)
    frames = walk.frames - is_tag
    samples = frames * frame.samples
    damage = "the last frame is cut off." if walk.cut else ""
    if declared > frames:
        damage = f"the stream is cut off: {declared} frames declared, {frames} there."
    slack = -1 if walk.lost or damage or declared not in (0, frames) else frame.samples if skipped else 0
    size = walk.size - (frame.length if is_tag else 0)
    codec = {1: "mp1", 2: "mp2", 3: "mp3"}[frame.layer]
    return Header(
        container="mp3",
        codec=codec,
        rate=frame.rate,
        channels=frame.channels,
        frames=max(0, samples - (skipped if declared else 0)),
        slack=slack,
        bit_rate=round(size * 8 * frame.rate / samples) if samples else 0,
        vbr=is_vbr or (walk.varies and not is_tag),
        damage=damage,
    )


def _encoder_tag(data: bytes, frame: _Frame) -> tuple[int, int, bool, bool]:
    """Frames declared, samples to skip, whether the frame is such a tag, and whether it says VBR."""
    if data[36:40] == b"VBRI" and len(data) >= 54:
        return int.from_bytes(data[50:54], "big"), 0, True, True
    side = (17 if frame.channels == 1 else 32) if frame.version == 3 else (9 if frame.channels == 1 else 17)
    at = 4 + side
    kind = data[at : at + 4]
    if kind not in (b"Xing", b"Info") or frame.layer != 3 or len(data) < at + 8:
        return 0, 0, False, False
    flags = int.from_bytes(data[at + 4 : at + 8], "big")
    at += 8
    declared = int.from_bytes(data[at : at + 4], "big") if flags & 1 else 0
    at += 4 * bool(flags & 1) + 4 * bool(flags & 2) + 100 * bool(flags & 4) + 4 * bool(flags & 8)
    skipped = 0
    if data[at : at + 4] in (b"LAME", b"Lavf", b"Lavc") and len(data) >= at + 24:
        delay = int.from_bytes(data[at + 21 : at + 24], "big")
        skipped = (delay >> 12) + max(delay & 4095, _DECODER_DELAY)
    return declared, skipped, True, kind == b"Xing"


def read_adts(source: BinaryIO) -> Header:
    """The header of an ADTS stream, with its frames counted; SBR cannot be seen in it.

    Raises:
        DamagedMedia: if there is no stream.
        UnsupportedMedia: for another profile than Low Complexity.
    """
    start, end = _bounds(source)
    walk = _walk(source, start, end, adts_length, (0xFE, 0xFC), 7)
    head = read_at(source, walk.start, 7)
    rate = AAC_RATES[head[2] >> 2 & 15]
    configuration = (head[2] & 1) << 2 | head[3] >> 6
    seconds = walk.frames * 1024 / rate
    return Header(
        container="adts",
        codec="aac",
        rate=rate,
        channels=8 if configuration == 7 else configuration,
        frames=walk.frames * 1024,
        slack=0 if walk.lost == 0 and not walk.cut else -1,
        bit_rate=round(walk.size * 8 / seconds),
        vbr=True,
        damage="the last frame is cut off." if walk.cut else "",
    )
