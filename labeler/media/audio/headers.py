"""Headers of WAVE, AIFF and FLAC.

Sources: Microsoft WAVEFORMATEX and WAVEFORMATEXTENSIBLE; Apple AIFF 1.3 and AIFF-C; RFC 9639 section 8.2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from labeler.errors import DamagedMedia
from labeler.media.containers import aiff, flac, iff, wave
from labeler.media.containers.stream import read_at

__all__ = ["Header", "read_aiff", "read_flac", "read_wave", "wave_format"]

_EXTENSIBLE = 0xFFFE
_WAVE_CODECS = {
    0x02: "adpcm_ms",
    0x06: "pcm_alaw",
    0x07: "pcm_mulaw",
    0x11: "adpcm_ima_wav",
    0x31: "gsm_ms",
    0x50: "mp2",
    0x55: "mp3",
    0xFF: "aac",
}
_AIFC = {
    b"sowt": "pcm_s16le",
    b"fl32": "pcm_f32be",
    b"FL32": "pcm_f32be",
    b"fl64": "pcm_f64be",
    b"FL64": "pcm_f64be",
    b"raw ": "pcm_u8",
    b"in24": "pcm_s24be",
    b"in32": "pcm_s32be",
    b"alaw": "pcm_alaw",
    b"ALAW": "pcm_alaw",
    b"ulaw": "pcm_mulaw",
    b"ULAW": "pcm_mulaw",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a header says; names as in ``AudioInfo``."""

    container: str
    codec: str
    rate: int
    channels: int
    mask: int = 0
    bits: int = 0
    frames: int = 0
    slack: int = 0
    bit_rate: int = 0
    vbr: bool = False
    data: tuple[int, int] = (0, 0)
    damage: str = ""


def wave_format(form: bytes) -> tuple[str, int, int, int, int, int]:
    """Codec, channels, rate, bytes of a block, bits of a sample and channel mask from a ``fmt `` chunk.

    Raises:
        DamagedMedia: if it is too short, or its numbers contradict one another.
    """
    if len(form) < 14:
        raise DamagedMedia("the WAVE file's fmt chunk is too short.")
    tag, channels, rate, _, block = struct.unpack_from("<HHIIH", form)
    bits = int.from_bytes(form[14:16], "little") or 8
    mask = 0
    if tag == _EXTENSIBLE and len(form) >= 40:
        mask = int.from_bytes(form[20:24], "little")
        tag = int.from_bytes(form[24:26], "little")
    codec = _WAVE_CODECS.get(tag, "")
    if tag in (1, 3):
        width = block // channels if channels else 0
        if not width or block != width * channels or not width - 1 <= (bits - 1) // 8 <= width - 1:
            raise DamagedMedia(
                f"a WAVE block of {block} bytes cannot hold {channels} samples of {bits} bits."
            )
        bits = 8 * width
        codec = {1: {8: "pcm_u8", 16: "pcm_s16le", 24: "pcm_s24le", 32: "pcm_s32le"}, 3: {}}[tag].get(
            bits, ""
        )
        codec = codec or {(3, 32): "pcm_f32le", (3, 64): "pcm_f64le"}.get((tag, bits), "")
    return codec or f"wav-{tag:#06x}", channels, rate, block, bits, mask


def read_wave(source: BinaryIO) -> Header:
    """The header of a WAVE file.

    Raises:
        DamagedMedia: if format or sound are missing or cut off.
    """
    file = wave.walk(source)
    form, data = file.find(b"fmt "), file.find(b"data")
    if form is None or data is None:
        raise DamagedMedia("the WAVE file has no fmt chunk or no data chunk.")
    codec, channels, rate, block, bits, mask = wave_format(iff.payload(source, form, limit=1 << 16))
    end = data.body + data.size
    if codec.startswith("pcm_"):
        frames, slack = data.size // max(block, 1), 0
        return Header(
            container="wav",
            codec=codec,
            rate=rate,
            channels=channels,
            mask=mask,
            bits=bits,
            frames=frames,
            slack=slack,
            bit_rate=8 * block * rate,
            data=(data.body, end),
        )
    per_second = int.from_bytes(iff.payload(source, form, limit=1 << 16)[8:12], "little")
    fact = file.find(b"fact")
    frames = int.from_bytes(read_at(source, fact.body, min(4, fact.size)), "little") if fact else 0
    guess = data.size * rate // per_second if per_second else 0
    return Header(
        container="wav",
        codec=codec,
        rate=rate,
        channels=channels,
        frames=frames if 0 < frames < 4 * guess + rate else guess,
        slack=-1,
        bit_rate=8 * per_second,
    )


def read_aiff(source: BinaryIO) -> Header:
    """The header of an AIFF or AIFF-C file.

    Raises:
        DamagedMedia: if format or sound are missing or cut off.
    """
    file = aiff.walk(source)
    comm, ssnd = file.find(b"COMM"), file.find(b"SSND")
    if comm is None or comm.size < 18:
        raise DamagedMedia("the AIFF file has no whole COMM chunk.")
    head = iff.payload(source, comm, limit=1 << 16)
    channels, frames, bits = struct.unpack_from(">HIH", head)
    rate = aiff.extended(head[8:18])
    kind = head[18:22] if file.form == b"AIFC" and len(head) >= 22 else b"NONE"
    width = (bits + 7) // 8
    codec = {1: "pcm_s8", 2: "pcm_s16be", 3: "pcm_s24be", 4: "pcm_s32be"}.get(width, "")
    if kind not in (b"NONE", b"twos"):
        codec = _AIFC.get(kind, f"aifc-{kind.decode('latin-1', 'replace')}")
        if kind == b"sowt" and width in (3, 4):
            codec = f"pcm_s{8 * width}le"
        width = {"f3": 4, "f6": 8, "s1": 2, "s2": 3, "s3": 4}.get(codec[4:6], 1)
    if ssnd is None or ssnd.size < 8:
        if frames:
            raise DamagedMedia("the AIFF file has no SSND chunk with its sound.")
        return Header(container="aiff", codec=codec, rate=round(rate), channels=channels, bits=8 * width)
    offset = int.from_bytes(read_at(source, ssnd.body, 4), "big")
    start, end = ssnd.body + 8 + offset, ssnd.body + ssnd.size
    if codec.startswith("pcm_"):
        if start + frames * channels * width > end:
            there = max(0, end - start) // max(1, channels * width)
            raise DamagedMedia(f"the AIFF file is cut off: {frames} samples declared, {there} there.")
        end = start + frames * channels * width
    return Header(
        container="aiff",
        codec=codec,
        rate=round(rate),
        channels=channels,
        bits=8 * width if codec.startswith("pcm_") else 0,
        frames=frames,
        slack=0 if codec.startswith("pcm_") else -1,
        bit_rate=8 * width * channels * round(rate),
        data=(start, end),
    )


def read_flac(source: BinaryIO) -> Header:
    """The header of a FLAC file.

    Raises:
        DamagedMedia: if its metadata is cut off.
    """
    file = flac.walk(source)
    info = flac.payload(source, file.blocks[0])
    packed = int.from_bytes(info[10:18], "big")
    rate, channels = packed >> 44, (packed >> 41 & 7) + 1
    bits, frames = (packed >> 36 & 31) + 1, packed & (1 << 36) - 1
    return Header(
        container="flac",
        codec="flac",
        rate=rate,
        channels=channels,
        bits=bits,
        frames=frames,
        slack=0 if frames else -1,
        bit_rate=(file.size - file.frames) * 8 * rate // frames if frames else 0,
    )
