"""Frames as the video mark sees them: luma at half the working frame's resolution, whitened.

The lines of the video layout end at 18 cycles a tile of 128 px, so half the resolution of the working frame (area
320^2, tile 64 px) holds all of them at a quarter of the cost. The kernels of the image mark take the tile as a
parameter.

The lattice has three grains. The medium and the coarse one belong to smaller working frames, so their tiles are 1.43
and 2 times as large on the picture: in small and blurred clips codecs leave nothing of the fine one, and a coarser
mark costs fewer bits, if more visual quality.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

import cv2
import numpy as np
import numpy.typing as npt

from labeler.watermark.analysis import HostEnergy, host_energy, whiten
from labeler.watermark.frame import FRAME, frame_size, reduce_to
from labeler.watermark.layout import TILE

__all__ = [
    "GRAINS",
    "HALF_TILE",
    "STEPS",
    "Grain",
    "half_shape",
    "host_of",
    "luma_half",
    "to_shape",
    "whiten_frame",
    "whiten_sum",
    "working_shape",
]

Floats: TypeAlias = npt.NDArray[np.float32]
Pixels: TypeAlias = npt.NDArray[Any]

HALF_TILE = TILE // 2
"""Period of the lattice in px of the half-resolution frame."""
Grain: TypeAlias = Literal["fine", "medium", "coarse"]
GRAINS: tuple[Grain, ...] = get_args(Grain)
_SIDES: dict[Grain, int] = {"fine": FRAME, "medium": 448, "coarse": 320}
STEPS = tuple(_SIDES[grain] / FRAME for grain in GRAINS)
"""Frequency of a line of each grain in the fine working frame, over that of the fine line."""
VARIANCE_FLOOR = 6.0
"""Places of less variance (squared levels) count as flat. Codecs empty them of mark and picture alike; with the low
floor of pictures, what little is left there would be read as loudly as the rest."""
_SUM_SIGMA = 4.0  # half-resolution px
_SUM_POWER = -0.4


def working_shape(height: int, width: int, grain: Grain = "fine") -> tuple[int, int]:
    """Height and width of the working frame for a video of that size, px."""
    return frame_size(height, width, _SIDES[grain])


def half_shape(height: int, width: int, grain: Grain = "fine") -> tuple[int, int]:
    """Height and width of the half-resolution frame for a video of that size, px."""
    rows, columns = working_shape(height, width, grain)
    return rows // 2, columns // 2


def to_shape(plane: Floats, shape: tuple[int, int]) -> Floats:
    """A whitened plane of the fine half-resolution frame, at the size of that of another grain."""
    if plane.shape == shape:
        return plane
    return np.asarray(cv2.resize(plane, shape[::-1], interpolation=cv2.INTER_AREA), np.float32)


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
    return whiten(host_of(luma), HALF_TILE)


def host_of(luma: Floats) -> HostEnergy:
    """High-pass plane and energies of one half-resolution frame."""
    return host_energy(luma, HALF_TILE, VARIANCE_FLOOR)


def whiten_sum(total: Floats) -> Floats:
    """Whiten a sum of whitened frames once more: where the same content stood all the time, it adds up too."""
    power = cv2.GaussianBlur(cv2.multiply(total, total), (0, 0), _SUM_SIGMA)
    floor = np.float32(0.02 * float(power.mean()) + 1e-12)
    return np.asarray(cv2.multiply(total, cv2.pow(power + floor, _SUM_POWER)), np.float32)
