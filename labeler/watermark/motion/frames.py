"""Frames as the video mark sees them: luma at half the working frame's resolution, whitened.

The lines of the video layout end at 16 cycles a tile of 128 px, so half the resolution of the working frame (area
320^2, tile 64 px) holds all of them at a quarter of the cost. The kernels of the image mark take the tile as a
parameter.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.watermark.analysis import host_energy, whiten
from labeler.watermark.frame import FRAME, frame_size, reduce_to
from labeler.watermark.layout import TILE

__all__ = ["HALF_TILE", "half_shape", "luma_half", "whiten_frame", "whiten_sum"]

Floats: TypeAlias = npt.NDArray[np.float32]
Pixels: TypeAlias = npt.NDArray[Any]

HALF_TILE = TILE // 2
"""Period of the lattice in px of the half-resolution frame."""
_SUM_SIGMA = 4.0  # half-resolution px
_SUM_POWER = -0.4


def half_shape(height: int, width: int) -> tuple[int, int]:
    """Height and width of the half-resolution frame for a video of that size, px."""
    rows, columns = frame_size(height, width, FRAME)
    return rows // 2, columns // 2


def luma_half(y: Pixels, shape: tuple[int, int], bit_depth: int = 8) -> Floats:
    """Luma at half resolution, on the scale of 8 bits.

    Args:
        y: (H, W) uint8 or uint16 luma plane.
        shape: of the result, from :func:`half_shape`.
        bit_depth: of the samples.
    """
    small = np.asarray(reduce_to(y, *shape), np.float32)
    return small if bit_depth == 8 else small * np.float32(1 / (1 << (bit_depth - 8)))


def whiten_frame(luma: Floats) -> Floats:
    """The whitened plane of one half-resolution frame, like that of a picture."""
    return whiten(host_energy(luma, HALF_TILE), HALF_TILE)


def whiten_sum(total: Floats) -> Floats:
    """Whiten a sum of whitened frames once more: where the same content stood all the time, it adds up too."""
    power = cv2.GaussianBlur(cv2.multiply(total, total), (0, 0), _SUM_SIGMA)
    floor = np.float32(0.02 * float(power.mean()) + 1e-12)
    return np.asarray(cv2.multiply(total, cv2.pow(power + floor, _SUM_POWER)), np.float32)
