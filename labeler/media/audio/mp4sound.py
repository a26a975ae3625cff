"""The sound track of an MP4, M4A or QuickTime file.

Sources: ISO/IEC 14496-12 (tkhd, mdhd, hdlr, stsd, stts, elst), 14496-14 5.6 (esds), 14496-3 1.6.2 (AAC configuration),
QuickTime File Format (sound sample description), the ALAC magic cookie, RFC 9639 10.2, Opus in ISOBMFF 4.3.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from labeler.errors import DamagedMedia, UnsupportedMedia
from labeler.media.audio.headers import Header
from labeler.media.audio.mpeg import AAC_RATES
from labeler.media.containers import mp4
from labeler.media.containers.isobmff import Box, boxes, find

__all__ = ["has_video", "read_mp4"]

_CODECS = {
    b"mp4a": "aac",
    b"alac": "alac",
    b"fLaC": "flac",
    b"Opus": "opus",
    b".mp3": "mp3",
    b"ac-3": "ac3",
    b"ec-3": "eac3",
    b"sowt": "pcm_s16le",
    b"twos": "pcm_s16be",
    b"in24": "pcm_s24be",
    b"in32": "pcm_s32be",
    b"fl32": "pcm_f32be",
    b"fl64": "pcm_f64be",
}
_OBJECTS = {0x40: "aac", 0x66: "aac", 0x67: "aac", 0x68: "aac", 0x69: "mp3", 0x6B: "mp3", 0xAD: "opus"}
_SLACK = 4096
"""Samples by which priming and the last frame may differ: edit lists count in units of the movie's clock."""


@dataclass(slots=True)
class _Track:
    """What the boxes of one track say."""

    handler: bytes = b""
    timescale: int = 0
    ticks: int = 0
    samples: int = 0
    size: int = 0
    description: bytes = b""
    edits: list[tuple[int, int]] = field(default_factory=list)


def has_video(source: BinaryIO) -> bool:
    """True if a track is a picture, other than a still cover.

    Raises:
        DamagedMedia: if the boxes cannot be walked.
    """
    tracks, _ = _tracks(source)
    return any(track.handler == b"vide" and track.samples > 1 for track in tracks)


def read_mp4(source: BinaryIO) -> Header:
    """The header of the sound track.

    Raises:
        DamagedMedia: if the boxes cannot be walked.
        UnsupportedMedia: if there is no sound track, or more than one.
    """
    tracks, movie_scale = _tracks(source)
    sounds = [track for track in tracks if track.handler == b"soun" and track.description]
    if len(sounds) != 1:
        what = "no sound track" if not sounds else f"{len(sounds)} sound tracks"
        raise UnsupportedMedia(
            f"the MP4 file has {what}.", remedy="Extract one track into a file of its own."
        )
    track = sounds[0]
    codec, rate, channels, bits = _description(track.description)
    if not track.timescale:
        raise DamagedMedia("the sound track has no clock (mdhd).")
    ticks = track.ticks
    kept = [(length, start) for length, start in track.edits if start >= 0]
    if len(kept) == 1 and movie_scale:
        length, start = kept[0]
        shown = length * track.timescale // movie_scale
        ticks = min(max(0, ticks - start), shown) if shown else max(0, ticks - start)
    frames = round(ticks * rate / track.timescale)
    seconds = track.ticks / track.timescale
    return Header(
        container="mp4",
        codec=codec,
        rate=rate,
        channels=channels,
        bits=bits,
        frames=frames,
        slack=-1 if len(track.edits) > 2 or not track.samples else _SLACK * -(-rate // track.timescale),
        bit_rate=round(track.size * 8 / seconds) if seconds > 0.01 else 0,
        vbr=codec not in ("pcm_s16le", "pcm_s16be"),
    )


def _tracks(source: BinaryIO) -> tuple[list[_Track], int]:
    """The tracks, and ticks a second of the movie's clock."""
    data, moov = mp4.header(source, mp4.top_level(source))
    tracks: dict[int, _Track] = {}
    movie_scale = 0
    for item, parents in mp4.inside(data, moov):
        body = data[item.body : item.end]
        if item.kind == b"mvhd" and len(body) >= 24:
            movie_scale = _clock(body)[0]
        owner = next((parent for parent in parents if parent.kind == b"trak"), None)
        if owner is not None:
            _take(tracks.setdefault(owner.start, _Track()), item, body)
        elif item.kind == b"trak":
            tracks.setdefault(item.start, _Track())
    return list(tracks.values()), movie_scale


def _clock(body: bytes) -> tuple[int, int]:
    """Time scale and duration of mvhd and mdhd."""
    if body[:1] == b"\1" and len(body) >= 32:
        return struct.unpack_from(">IQ", body, 20)
    scale, duration = struct.unpack_from(">II", body, 12)
    return scale, duration


def _take(track: _Track, item: Box, body: bytes) -> None:
    if item.kind == b"mdhd" and len(body) >= 24:
        track.timescale, track.ticks = _clock(body)
    elif item.kind == b"hdlr" and len(body) >= 12 and not track.handler:
        track.handler = body[8:12]
    elif item.kind == b"stsd" and len(body) >= 16:
        track.description = body[8:]
    elif item.kind == b"stts" and len(body) >= 8:
        count = min(int.from_bytes(body[4:8], "big"), (len(body) - 8) // 8)
        table = np.frombuffer(body, ">u4", 2 * count, 8).reshape(count, 2).astype(np.float64)
        track.samples = int(min(table[:, 0].sum(), 1e15))
        track.ticks = int(min((table[:, 0] * table[:, 1]).sum(), 1e15)) or track.ticks
    elif item.kind == b"stsz" and len(body) >= 12:
        size, count = struct.unpack_from(">II", body, 4)
        count = count if size else min(count, (len(body) - 12) // 4)
        sizes = 0 if size else int(np.frombuffer(body, ">u4", count, 12).sum(dtype=np.uint64))
        track.size = size * count or sizes
    elif item.kind == b"edts":
        track.edits = _edits(body)


def _edits(body: bytes) -> list[tuple[int, int]]:
    """Duration in the movie's clock, and start in the track's, of every edit."""
    item = find(boxes(body, 0, len(body), junk=True), b"elst")
    if item is None or item.end - item.body < 8:
        return []
    wide = body[item.body] == 1
    width, form = (20, ">Qq") if wide else (12, ">Ii")
    count = min(
        int.from_bytes(body[item.body + 4 : item.body + 8], "big"), (item.end - item.body - 8) // width
    )
    return [struct.unpack_from(form, body, item.body + 8 + index * width) for index in range(min(count, 100))]


def _description(data: bytes) -> tuple[str, int, int, int]:
    """Codec, Hz, channels and bits of the first sample description."""
    size, kind = int.from_bytes(data[:4], "big"), data[4:8]
    data = data[: max(size, 8)]
    if len(data) < 36:
        raise DamagedMedia("the sound track's description is cut off.")
    version, channels, bits, rate = struct.unpack_from(">H6xHH4xI", data, 16)
    rate >>= 16
    skip = 36
    if version == 1:
        skip = 52
    elif version == 2 and len(data) >= 72:
        skip = 72
        rate, channels = (
            round(min(struct.unpack_from(">d", data, 40)[0], 1e7)),
            int.from_bytes(data[48:52], "big"),
        )
    codec = _CODECS.get(kind, "pcm" if kind == b"lpcm" else kind.decode("latin-1").strip())
    inner = boxes(data, min(skip, len(data)), len(data), junk=True) if len(data) - skip >= 8 else ()
    wave = find(inner, b"wave")
    if wave is not None:
        inner += boxes(data, wave.body, wave.end, junk=True)
    if kind == b"mp4a" and (box := find(inner, b"esds")) is not None:
        codec, rate, channels = _esds(data[box.body + 4 : box.end], rate, channels)
    elif kind == b"alac" and (box := find(inner, b"alac")) is not None and box.end - box.body >= 28:
        cookie = data[box.body + 4 : box.end]
        bits, channels, rate = cookie[5], cookie[9], int.from_bytes(cookie[20:24], "big")
    elif kind == b"Opus":
        rate = 48000
    elif kind == b"fLaC" and (box := find(inner, b"dfLa")) is not None and box.end - box.body >= 42:
        packed = int.from_bytes(data[box.body + 18 : box.body + 26], "big")
        rate, channels, bits = packed >> 44, (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1
    lossless = codec in ("alac", "flac") or codec.startswith("pcm")
    return codec, rate, channels, bits if lossless else 0


def _esds(data: bytes, rate: int, channels: int) -> tuple[str, int, int]:
    """Codec, Hz and channels from an elementary stream descriptor."""
    codec, config = "aac", b""
    position, end = 0, len(data)
    for _ in range(16):
        if position + 2 > end:
            break
        tag, position = data[position], position + 1
        length = 0
        for _ in range(4):
            if position >= end:
                return codec, rate, channels
            byte, position = data[position], position + 1
            length = length << 7 | byte & 127
            if not byte & 128:
                break
        if tag == 3:
            flags = data[position + 2] if position + 2 < end else 0
            position += 3 + 2 * bool(flags & 128) + 2 * bool(flags & 32)
        elif tag == 4:
            codec = _OBJECTS.get(data[position], f"mp4a-{data[position]:#04x}") if position < end else codec
            position += 13
        elif tag == 5:
            config = data[position : position + length]
            break
        else:
            position += length
    return (codec, *_aac(config, rate, channels)) if codec == "aac" and config else (codec, rate, channels)


def _aac(config: bytes, rate: int, channels: int) -> tuple[int, int]:
    """Hz and channels of an AudioSpecificConfig; SBR that is declared doubles the rate."""
    bits = int.from_bytes(config[:16].ljust(16, b"\0"), "big")
    place = 128

    def take(count: int) -> int:
        nonlocal place
        place -= count
        return bits >> place & (1 << count) - 1

    def frequency() -> int:
        index = take(4)
        return take(24) if index == 15 else AAC_RATES[index] if index < len(AAC_RATES) else 0

    kind = take(5)
    kind = 32 + take(6) if kind == 31 else kind
    rate = frequency() or rate
    configuration = take(4)
    channels = {0: channels, 7: 8, 11: 7, 12: 8, 14: 8}.get(configuration, configuration)
    if kind in (5, 29):
        rate = frequency() or rate
        channels = 2 if kind == 29 and channels == 1 else channels
    return rate, channels
