"""Put the delta planes of a frame onto the pixels of a picture, fast and without wrap-around.

The deltas travel as bytes (132 + 8 d; the 4 rounds when the byte is divided by 8): one byte resize to the size of
the picture, then one saturating weighted sum.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.watermark.layout import line_amplitude

__all__ = ["add_delta", "delta_image", "mean_square_error", "resize_gain"]

Floats: TypeAlias = npt.NDArray[np.float32]
Pixels: TypeAlias = npt.NDArray[Any]

_STEPS = 8  # steps a grey level in a delta byte
_ZERO = 128 + _STEPS // 2  # the byte of no change
_STRIP = 1 << 17  # values in a strip
BLUE_GREEN, BLUE_BLUE = -0.344136, 1.772
"""Change of G and B for one level of Cb (BT.601); R does not change."""
CHROMA_POWER = (BLUE_GREEN**2 + BLUE_BLUE**2) / 3
"""Mean square error over R, G, B for one squared level of Cb."""


def delta_image(luma: Floats, chroma: Floats | None) -> npt.NDArray[np.uint8]:
    """Bytes 132 + 8 d at frame size: (h, w) for grey, (h, w, 3) for RGB.

    Args:
        luma: (h, w) change of luma, grey levels.
        chroma: (h/2, w/2) change of Cb, or None.
    """
    base = _to_bytes(luma)
    if chroma is None:
        return base
    size = (luma.shape[1], luma.shape[0])
    blue = cv2.resize(_to_bytes(chroma), size, interpolation=cv2.INTER_LINEAR)
    channels = [base] + [
        cv2.addWeighted(base, 1.0, blue, share, -share * _ZERO) for share in (BLUE_GREEN, BLUE_BLUE)
    ]
    return np.asarray(cv2.merge(channels), np.uint8)


def _to_bytes(delta: Floats) -> npt.NDArray[np.uint8]:
    # convertScaleAbs with an offset saturates at both ends only above zero, hence the maximum.
    low = np.maximum(delta, np.float32(-_ZERO / _STEPS))
    return np.asarray(cv2.convertScaleAbs(low, alpha=_STEPS, beta=_ZERO), np.uint8)


def add_delta(pixels: Pixels, delta: npt.NDArray[np.uint8], *, alpha: Pixels | None = None) -> Pixels:
    """Add a delta image to a picture of any size.

    Args:
        pixels: (H, W) or (H, W, 3), uint8 or uint16.
        delta: bytes at frame size, one or three channels.
        alpha: (H, W); where it is zero nothing changes.

    Returns:
        A new array like ``pixels``.
    """
    height, width = pixels.shape[:2]
    if pixels.ndim == 3 and delta.ndim == 2:
        delta = np.asarray(cv2.merge([delta] * 3), np.uint8)
    method = _method(height / delta.shape[0])
    spread = cv2.resize(delta, (width, height), interpolation=method)
    result = _add_bytes(pixels, spread) if pixels.dtype == np.uint8 else _add_words(pixels, spread)
    if alpha is not None:
        cv2.copyTo(pixels, np.asarray(alpha == 0, np.uint8), dst=result)
    return result


def _method(ratio: float) -> int:
    """How deltas are resized: bilinear, or area means when much is lost in size."""
    return cv2.INTER_AREA if ratio < 0.6 else cv2.INTER_LINEAR


def _add_bytes(pixels: Pixels, delta: Pixels) -> Pixels:
    """``pixels + floor(delta / 8) - 16``, saturated, written over ``delta``.

    Exact: the sum is a multiple of 1/16 in float32, and a sixteenth above the middle it never rounds from a tie.
    """
    offset = 1 / 16 - 0.5 - _ZERO // _STEPS
    return np.asarray(cv2.addWeighted(pixels, 1.0, delta, 1 / _STEPS, offset, dst=delta), np.uint8)


def _add_words(pixels: Pixels, delta: Pixels) -> Pixels:
    """The same for 16-bit samples, in strips that stay in the cache."""
    result = np.empty_like(pixels)
    rows = max(_STRIP // max(pixels[0].size, 1), 1)
    for top in range(0, len(pixels), rows):
        strip = slice(top, top + rows)
        change = (delta[strip].astype(np.int32) - _ZERO) * 257 // _STEPS
        result[strip] = np.clip(pixels[strip].astype(np.int32) + change, 0, 65535)
    return result


def mean_square_error(before: Pixels, after: Pixels) -> float:
    """Mean squared difference over all values, in 8-bit levels."""
    scale = 1.0 if before.dtype == np.uint8 else 1 / 257**2
    rows = max((1 << 20) // max(before[0].size, 1), 1)
    total = 0.0
    for top in range(0, before.shape[0], rows):
        one, two = before[top : top + rows], after[top : top + rows]
        total += cv2.norm(one.reshape(one.shape[0], -1), two.reshape(two.shape[0], -1), cv2.NORM_L2SQR)
    return total * scale / before.size


@lru_cache(maxsize=64)
def _gain(ratio: float, fine: bool) -> float:
    """Energy that lattice noise keeps when it is resized by ``ratio``; fine: at luma's resolution."""
    rng = np.random.default_rng(0)
    half = 64
    spectrum = np.zeros((2 * half, half + 1), np.complex128)
    limit = 30 if fine else 28
    fy, fx = np.meshgrid(np.fft.fftfreq(2 * half) * 2 * half, np.arange(half + 1), indexing="ij")
    radius = np.hypot(fy, fx)
    ring = (radius >= 4) & (radius <= limit)
    shape = line_amplitude("luma" if fine else "chroma", radius[ring])
    spectrum[ring] = shape * np.exp(2j * np.pi * rng.random(ring.sum()))
    noise = np.fft.irfft2(spectrum).astype(np.float32)
    whole = (2 * half, 2 * half)
    out: Any = noise
    start = noise
    if not fine:  # chroma is made at half the resolution and enlarged twice
        start = np.asarray(cv2.resize(noise, (half, half), interpolation=cv2.INTER_AREA), np.float32)
        out = cv2.resize(start, whole, interpolation=cv2.INTER_LINEAR)
    size = max(round(2 * half * ratio), 8)
    if size != 2 * half:
        out = cv2.resize(out, (size, size), interpolation=_method(ratio))
    return float((out**2).mean() / (start**2).mean())


def resize_gain(ratio: float, *, fine: bool) -> float:
    """Share of its energy that the mark keeps when a frame is enlarged ``ratio`` times.

    Args:
        ratio: side of the picture over side of the frame.
        fine: True for luma, False for chroma, which is enlarged from half the resolution.
    """
    return _gain(round(ratio, 2), fine)
