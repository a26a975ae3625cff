"""Animated GIF and WebP from frames that were encoded one by one.

Pillow's own writers merge equal neighbours into one frame and change frame counts; here every frame stays
a frame, with its own time. Sources: GIF89a specification; RFC 9649 (WebP) sections 2.7.1.1 and 2.7.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from labeler.media.containers import gif, riff

__all__ = ["GifFrame", "gif_file", "webp_file"]

_C2PA_GIF = b"C2PA_GIF\x01\x00\x00"
_GRAPHIC_CONTROL = 0xF9


@dataclass(frozen=True, slots=True, kw_only=True)
class GifFrame:
    """One frame of a GIF.

    Attributes:
        image: palette or grey picture with at most 256 colours.
        left: px from the left edge of the canvas.
        top: px from its top edge.
        duration: ms; GIF counts hundredths of a second.
    """

    image: Image.Image
    left: int = 0
    top: int = 0
    duration: float = 0.0


def gif_file(source: bytes, size: tuple[int, int], frames: Sequence[GifFrame]) -> bytes:
    """A GIF of frames, with the loop count, comments and application data of the source.

    Args:
        source: the GIF file that the frames came from.
        size: width and height of the canvas, px.
        frames: in order; a frame with transparency makes every frame be cleared before the next.
    """
    disposal = 2 if any("transparency" in frame.image.info for frame in frames) else 1
    pieces = [b"GIF89a" + struct.pack("<HHBBB", *size, 0x70, 0, 0)]
    layout = gif.walk(source)
    pieces += [
        source[block.start : block.end]
        for block in layout.blocks
        if block.kind in (gif.COMMENT, gif.APPLICATION) and not gif.is_application(source, block, _C2PA_GIF)
    ]
    pieces += [_gif_frame(frame, disposal if len(frames) > 1 else 0) for frame in frames]
    return b"".join(pieces) + b";"


def _gif_frame(frame: GifFrame, disposal: int) -> bytes:
    """Graphic control extension, image descriptor with its own colour table, and LZW data by Pillow."""
    buffer = io.BytesIO()
    frame.image.save(buffer, "GIF", optimize=False, interlace=False)
    data = buffer.getvalue()
    layout = gif.walk(data)
    image = next(block for block in layout.blocks if block.kind == gif.IMAGE)
    control = next((block for block in layout.blocks if block.kind == _GRAPHIC_CONTROL), None)
    transparent, index = 0, 0
    if control is not None:
        transparent, index = data[control.body + 1] & 1, data[control.body + 4]
    delay = min(round(frame.duration / 10), 0xFFFF)
    table = data[10] & 0x07
    return b"".join(
        (
            struct.pack("<BBBBHBB", 0x21, _GRAPHIC_CONTROL, 4, disposal << 2 | transparent, delay, index, 0),
            struct.pack("<BHHHHB", 0x2C, frame.left, frame.top, *frame.image.size, 0x80 | table),
            data[13 : layout.first],
            data[image.body - 1 : image.end],
        )
    )


def webp_file(
    frames: Sequence[tuple[Image.Image, float]],
    *,
    loop: int,
    background: Sequence[int],
    options: dict[str, Any],
) -> bytes:
    """An animated WebP in which every frame is a whole picture.

    Args:
        frames: RGB or RGBA pictures of one size, and their durations in ms.
        loop: how often it plays, 0 for ever.
        background: red, green, blue, alpha 0..255; a hint of which players make no use.
        options: Pillow's save options for one still picture.
    """
    width, height = frames[0][0].size
    flags = riff.ANIMATION | (riff.ALPHA if any(image.mode == "RGBA" for image, _ in frames) else 0)
    red, green, blue, alpha = background
    chunks = [
        (b"VP8X", bytes([flags, 0, 0, 0]) + _uint24(width - 1) + _uint24(height - 1)),
        (b"ANIM", bytes([blue, green, red, alpha]) + struct.pack("<H", loop)),
    ]
    for image, duration in frames:
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", **options)
        data = buffer.getvalue()
        picture = [
            data[chunk.start : chunk.body + chunk.size] + bytes(chunk.size & 1)
            for chunk in riff.walk(data, b"WEBP").chunks
            if chunk.kind in (b"VP8 ", b"VP8L", b"ALPH")
        ]
        length = min(max(round(duration), 0), 0xFFFFFF)
        head = _uint24(0) * 2 + _uint24(width - 1) + _uint24(height - 1) + _uint24(length)
        chunks.append((b"ANMF", head + b"\x02" + b"".join(picture)))  # 2: do not blend, do not dispose
    return riff.build(b"WEBP", chunks)


def _uint24(value: int) -> bytes:
    return value.to_bytes(3, "little")


def changed_box(before: np.ndarray[Any, Any], after: np.ndarray[Any, Any]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what differs; one pixel if nothing does, as a frame cannot be empty."""
    differs = before != after if before.ndim == 2 else (before != after).any(axis=2)
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if not rows.size:
        return 0, 0, 1, 1
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
