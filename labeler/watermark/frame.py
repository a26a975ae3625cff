"""The working frame: every picture, whatever its size, is marked and read at about the same scale.

A picture of height H and width W is brought to a frame of area ``side^2`` (aspect kept, even dimensions).
Area rather than a side is normalised, so a change of aspect alone stretches the frame without changing the
density of the lattice. Chroma is kept at half the resolution of luma.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

__all__ = [
    "FRAME",
    "FRAME_SMALL",
    "Planes",
    "exactly",
    "frame_size",
    "halved",
    "luma_of",
    "planes_of",
    "reduce_to",
]

Floats: TypeAlias = npt.NDArray[np.float32]
Pixels: TypeAlias = npt.NDArray[Any]

FRAME = 640
"""Side (root of the area) of the working frame, px."""
FRAME_SMALL = 320
"""The same for small and document pictures, which are marked in luma only."""
_ENLARGE_MAX = 1 / 0.24


@dataclass(frozen=True, slots=True, kw_only=True)
class Planes:
    """One picture in the working frame.

    Attributes:
        luma: (h, w) float32, BT.601 luma, 0..255.
        chroma: (h/2, w/2) float32, BT.601 Cb + 128, or None for a grey picture.
        red: (h/2, w/2) float32, BT.601 Cr + 128, which carries no mark but tells about the host.
    """

    luma: Floats
    chroma: Floats | None
    red: Floats | None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, px."""
        return self.luma.shape[0], self.luma.shape[1]


def frame_size(height: int, width: int, side: float = FRAME) -> tuple[int, int]:
    """Height and width of the frame for a picture: even numbers, area about ``side`` squared."""
    scale = min(side / math.sqrt(height * width), _ENLARGE_MAX)
    return max(2 * round(height * scale / 2), 2), max(2 * round(width * scale / 2), 2)


def reduce_to(pixels: Pixels, height: int, width: int) -> Pixels:
    """Resize for analysis: halve by 2 x 2 means while possible, then once to the exact size."""
    while pixels.shape[0] >= 2 * height and pixels.shape[1] >= 2 * width:
        pixels = halved(pixels)
    return exactly(pixels, height, width)


def halved(pixels: Pixels) -> Pixels:
    """Means of 2 x 2; bilinear, so that odd sides keep the geometry."""
    half = (pixels.shape[1] // 2, pixels.shape[0] // 2)
    return cv2.resize(pixels, half, interpolation=cv2.INTER_LINEAR)


def exactly(pixels: Pixels, height: int, width: int) -> Pixels:
    """The last step of :func:`reduce_to`."""
    if pixels.shape[:2] == (height, width):
        return pixels
    shrinks = pixels.shape[0] > 1.1 * height or pixels.shape[1] > 1.1 * width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(pixels, (width, height), interpolation=method)


def planes_of(frame: Pixels) -> Planes:
    """Luma and chroma of a frame.

    Args:
        frame: (h, w) or (h, w, 3) RGB, uint8 or uint16, h and w even.
    """
    if frame.dtype == np.uint16:
        scaled: Floats = frame.astype(np.float32) * np.float32(1 / 257)
        if scaled.ndim == 2:
            return Planes(luma=scaled, chroma=None, red=None)
        luma = cv2.transform(scaled, np.array([[0.299, 0.587, 0.114]], np.float32))
        blue = cv2.transform(scaled, np.array([[-0.168736, -0.331264, 0.5]], np.float32)) + 128
        red = cv2.transform(scaled, np.array([[0.5, -0.418688, -0.081312]], np.float32)) + 128
        return Planes(luma=np.asarray(luma, np.float32), chroma=_half(blue), red=_half(red))
    if frame.ndim == 2:
        return Planes(luma=frame.astype(np.float32), chroma=None, red=None)
    ycc = cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb)
    grey: Floats = np.asarray(cv2.extractChannel(ycc, 0), np.float32)
    return Planes(luma=grey, chroma=_half(cv2.extractChannel(ycc, 2)), red=_half(cv2.extractChannel(ycc, 1)))


def luma_of(frame: Pixels) -> Floats:
    """The luma plane of :func:`planes_of` alone, 0..255."""
    if frame.dtype == np.uint16:
        return planes_of(frame).luma
    grey = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    return np.asarray(grey, np.float32)


def _half(channel: Any) -> Floats:
    plane = np.asarray(channel, np.float32)
    size = (plane.shape[1] // 2, plane.shape[0] // 2)
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)
