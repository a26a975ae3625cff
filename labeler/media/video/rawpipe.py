"""Uncompressed frames with exact times, as a Matroska stream for ffmpeg's stdin.

A pipe of bare samples knows no times, so frames that are not evenly spaced would be moved, doubled or dropped. This is
the smallest Matroska (RFC 9559) that keeps them: one cluster a frame, one tick a nanosecond, which is finer than every
container's own, so that rounding gives each time back exactly. It also carries what an encoder is to know about the
pictures: shape of a sample, fields, colours (ITU-T H.273 numbers) and static HDR data.
"""

from __future__ import annotations

import struct
from fractions import Fraction

from labeler.media.video.info import Colour, Mastering, VideoInfo

__all__ = ["NANOSECOND", "frame_header", "stream_header"]

NANOSECOND = Fraction(1, 1_000_000_000)
"""Seconds of one tick of the stream."""

_PRIMARIES = {
    "bt709": 1, "bt470m": 4, "bt470bg": 5, "smpte170m": 6, "smpte240m": 7, "film": 8, "bt2020": 9, "smpte428": 10,
    "smpte431": 11, "smpte432": 12, "ebu3213": 22, "jedec-p22": 22,
}  # fmt: skip
_TRANSFER = {
    "bt709": 1, "gamma22": 4, "bt470m": 4, "gamma28": 5, "bt470bg": 5, "smpte170m": 6, "smpte240m": 7, "linear": 8,
    "log100": 9, "log": 9, "log316": 10, "log_sqrt": 10, "iec61966-2-4": 11, "bt1361e": 12, "iec61966-2-1": 13,
    "bt2020-10": 14, "bt2020-12": 15, "smpte2084": 16, "smpte428": 17, "arib-std-b67": 18,
}  # fmt: skip
_MATRIX = {
    "gbr": 0, "bt709": 1, "fcc": 4, "bt470bg": 5, "smpte170m": 6, "smpte240m": 7, "ycgco": 8, "bt2020nc": 9,
    "bt2020c": 10, "smpte2085": 11, "chroma-derived-nc": 12, "chroma-derived-c": 13, "ictcp": 14,
}  # fmt: skip
_SITING = {"left": (1, 2), "center": (2, 2), "topleft": (1, 1), "top": (2, 1)}
_UNKNOWN = 2
_OPEN = b"\x01" + b"\xff" * 7


def _element(identifier: int, body: bytes) -> bytes:
    name = identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")
    return name + (len(body) | 1 << 56).to_bytes(8, "big") + body


def _number(identifier: int, value: int) -> bytes:
    return _element(identifier, value.to_bytes(8, "big"))


def _float(identifier: int, value: float) -> bytes:
    return _element(identifier, struct.pack(">d", value))


def stream_header(info: VideoInfo) -> bytes:
    """Everything before the first frame."""
    ebml = _element(
        0x1A45DFA3,
        b"".join(
            (
                _number(0x4286, 1),
                _number(0x42F7, 1),
                _number(0x42F2, 4),
                _number(0x42F3, 8),
                _element(0x4282, b"matroska"),
                _number(0x4287, 4),
                _number(0x4285, 2),
            )
        ),
    )
    video = b"".join(
        (
            _number(0xB0, info.width),
            _number(0xBA, info.height),
            _element(0x2EB524, info.layout.fourcc),
            _number(0x9A, 1 if info.field_order else 2),
            _number(0x9D, {"tff": 1, "bff": 6}[info.field_order]) if info.field_order else b"",
            _element(0x55B0, _colour(info.colour, info.mastering)),
        )
    )
    track = b"".join(
        (
            _number(0xD7, 1),
            _number(0x73C5, 1),
            _number(0x83, 1),
            _number(0x9C, 0),
            _number(0x23E383, max(1, round(1 / info.rate / NANOSECOND))),
            _element(0x86, b"V_UNCOMPRESSED"),
            _element(0xE0, video),
        )
    )
    names = _element(0x4D80, b"labeler") + _element(0x5741, b"labeler")
    about = _element(0x1549A966, _number(0x2AD7B1, 1) + names)
    return ebml + b"\x18\x53\x80\x67" + _OPEN + about + _element(0x1654AE6B, _element(0xAE, track))


def _colour(colour: Colour, mastering: Mastering | None) -> bytes:
    parts = [
        _number(0x55B1, _MATRIX.get(colour.space, _UNKNOWN)),
        _number(0x55BA, _TRANSFER.get(colour.transfer, _UNKNOWN)),
        _number(0x55BB, _PRIMARIES.get(colour.primaries, _UNKNOWN)),
    ]
    if colour.full is not None:
        parts.append(_number(0x55B9, 2 if colour.full else 1))
    if colour.chroma in _SITING:
        across, down = _SITING[colour.chroma]
        parts += [_number(0x55B7, across), _number(0x55B8, down)]
    if mastering is not None:
        if mastering.light:
            parts += [_number(0x55BC, mastering.light[0]), _number(0x55BD, mastering.light[1])]
        values = [_float(0x55D1 + place, value) for place, value in enumerate(mastering.primaries)]
        if mastering.luminance:
            values += [_float(0x55D9, mastering.luminance[1]), _float(0x55DA, mastering.luminance[0])]
        if values:
            parts.append(_element(0x55D0, b"".join(values)))
    return b"".join(parts)


def frame_header(time: int, duration: int, size: int) -> bytes:
    """What stands before the samples of one frame.

    Args:
        time: ns, not negative.
        duration: ns, at least 1.
        size: bytes of the samples, which must follow.
    """
    block = b"\xa1" + (size + 4 | 1 << 56).to_bytes(8, "big") + b"\x81\0\0\0"
    group = _number(0x9B, duration) + block
    body = _number(0xE7, time) + b"\xa0" + (len(group) + size | 1 << 56).to_bytes(8, "big") + group
    return b"\x1f\x43\xb6\x75" + (len(body) + size | 1 << 56).to_bytes(8, "big") + body
