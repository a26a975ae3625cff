"""The list of geometries that the search tries.

A hypothesis is a 2 x 2 matrix B: line k of the mark stands at frequency B k / 128 of the received working
frame. Frame coordinates x (from the frame's centre) map to coordinates u of the marked frame by
``u = B^T x - tau``. Every B also stands for -B, its half turn, which the search tests at no extra cost.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["aspects", "rotations", "scales", "small_turns", "tilts", "wide"]

Floats: TypeAlias = npt.NDArray[np.float32]

_SCALE_STEP = 0.0085
_ASPECT_STEP = 0.010
_ANGLES = 432  # in a half turn
_MIRROR = np.diag([-1.0, 1.0])
_QUARTER = np.array([[0.0, -1.0], [1.0, 0.0]])


def _rotation(angle: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Rotation matrices (n, 2, 2)."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)


def _with(matrices: npt.NDArray[np.float64], *, mirror: bool, quarter: bool) -> Floats:
    """Add mirrored and quarter-turned versions."""
    result = matrices
    if mirror:
        result = np.concatenate([result, result @ _MIRROR])
    if quarter:
        result = np.concatenate([result, _QUARTER @ result])
    return np.asarray(result, np.float32)


@lru_cache(maxsize=1)
def scales() -> Floats:
    """Crops and larger canvases: scale 0.26 to 1.6 of the lattice, both mirrors, quarter turns."""
    steps = np.exp(np.arange(np.log(0.26), np.log(1.6), _SCALE_STEP))
    return _with(steps[:, None, None] * np.eye(2), mirror=True, quarter=True)


@lru_cache(maxsize=1)
def aspects() -> Floats:
    """Changes of aspect by up to 40 percent: unimodular stretches along the axes."""
    half = np.arange(_ASPECT_STEP, np.log(1.4), _ASPECT_STEP) / 2
    stretch = np.concatenate([-half, half])
    matrices = np.zeros((len(stretch), 2, 2))
    matrices[:, 0, 0], matrices[:, 1, 1] = np.exp(stretch), np.exp(-stretch)
    return _with(matrices, mirror=True, quarter=True)


@lru_cache(maxsize=8)
def rotations(height: int, width: int) -> Floats:
    """Any angle, on the same canvas or on one enlarged to hold all; both mirrors.

    Args:
        height: of the received frame, px.
        width: of the received frame, px.
    """
    angle = np.arange(_ANGLES) * np.pi / _ANGLES
    turn = _rotation(angle)
    parts = [turn]
    # An enlarged canvas: w' = w |cos| + h |sin|, h' = w |sin| + h |cos|; solved for w and h.
    cosine, sine = np.abs(np.cos(angle)), np.abs(np.sin(angle))
    determinant = cosine**2 - sine**2
    with np.errstate(divide="ignore", invalid="ignore"):
        w = (width * cosine - height * sine) / determinant
        h = (height * cosine - width * sine) / determinant
        grown = np.sqrt(height * width / (w * h))
    usual = np.isfinite(grown) & (w > 0.2 * width) & (h > 0.2 * height) & (grown < 1.6)
    parts.append(grown[usual, None, None] * turn[usual])
    unsure = ~usual | (np.abs(determinant) < 0.1)
    for scale in np.exp(np.arange(np.log(1.2), np.log(1.5), 0.014)):
        parts.append(scale * turn[unsure])
    return _with(np.concatenate(parts), mirror=True, quarter=False)


@lru_cache(maxsize=1)
def tilts() -> Floats:
    """Rotation within 20 degrees, scale 0.94 to 1.06: a page laid askew on the scanner."""
    step = np.pi / _ANGLES
    angle = np.arange(-round(np.pi / 9 / step), round(np.pi / 9 / step) + 1) * step
    scale = np.exp(np.arange(-0.06, 0.061, 1.4 * _SCALE_STEP))
    return np.asarray((scale[:, None, None, None] * _rotation(angle)).reshape(-1, 2, 2), np.float32)


@lru_cache(maxsize=1)
def small_turns() -> Floats:
    """Rotation within 15 degrees with scale 0.6 to 1.05: turned and cropped."""
    step = np.pi / _ANGLES
    angle = np.arange(-round(np.pi / 12 / step), round(np.pi / 12 / step) + 1) * step
    scale = np.exp(np.arange(np.log(0.6), np.log(1.05), _SCALE_STEP))
    turn = _rotation(angle)
    return np.asarray((scale[:, None, None, None] * turn).reshape(-1, 2, 2), np.float32)


@lru_cache(maxsize=1)
def wide() -> Floats:
    """Any angle with scale 0.45 to 1.1, both mirrors: many, so only the strongest are looked at."""
    turn = _rotation(np.arange(_ANGLES) * np.pi / _ANGLES)
    scale = np.exp(np.arange(np.log(0.45), np.log(1.1), _SCALE_STEP * 1.3))
    matrices = (scale[:, None, None, None] * turn).reshape(-1, 2, 2)
    return _with(matrices, mirror=True, quarter=False)
