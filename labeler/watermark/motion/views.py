"""Three ways to add up the slots of a clip: plainly, weighted by time, weighted by place.

Key frames carry the mark, the rest may only add noise; bars and blurred fill carry nothing. How much a stretch of
time or a part of the picture is worth is measured by the keyed sync lines, whose phases are independent of chips
and tags, so the weights cannot favour a wrong payload.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.watermark.analysis import synthesis
from labeler.watermark.layout import GRID_COLUMNS, GRID_ROWS, Layout
from labeler.watermark.motion.frames import HALF_TILE, whiten_sum

__all__ = ["by_place", "by_time", "plain", "sync_pattern"]

Floats: TypeAlias = npt.NDArray[np.float32]
Planes: TypeAlias = Sequence[Floats]

_BLOCK = 32  # half-resolution px
_WEIGHT_MIN, _PLACE_MIN = 0.06, 0.05


def plain(planes: Planes) -> Floats:
    """The sum of the planes."""
    total = planes[0].copy()
    for plane in planes[1:]:
        cv2.add(total, plane, dst=total)
    return total


def by_time(planes: Planes, pattern: Floats, align: Callable[[Floats], Floats] | None = None) -> Floats:
    """The sum, each plane weighted by its own sync correlation.

    Args:
        planes: (h, w) whitened slots in order of time.
        pattern: the sync lines as they lie on these planes, once they are aligned.
        align: brings a plane to the shape of the pattern, linearly; if they have another one.

    Returns:
        The sum, not aligned.
    """
    flat = pattern.reshape(-1)
    score = np.array(
        [float((align(plane) if align else plane).reshape(-1) @ flat) for plane in planes], np.float32
    )
    power = np.array([float(cv2.norm(plane, cv2.NORM_L2SQR)) for plane in planes], np.float32)
    score /= np.maximum(power, 1e-9)
    weight = np.clip(score / max(float(score.max()), 1e-12), _WEIGHT_MIN, 1)
    total = np.zeros_like(planes[0])
    for plane, w in zip(planes, weight, strict=True):
        cv2.scaleAdd(plane, float(w), total, dst=total)
    return total


def by_place(total: Floats, layout: Layout) -> Floats:
    """A sum that lies on the lattice, rows and columns of blocks weighted by their sync correlation."""
    normal = whiten_sum(total)
    product = cv2.multiply(normal, sync_pattern(layout, normal.shape))
    rows, columns = max(normal.shape[0] // _BLOCK, 1), max(normal.shape[1] // _BLOCK, 1)
    blocks = cv2.resize(product, (columns, rows), interpolation=cv2.INTER_AREA)
    down, across = _profile(blocks.mean(axis=1)), _profile(blocks.mean(axis=0))
    weight = np.outer(down, across).astype(np.float32)
    size = (normal.shape[1], normal.shape[0])
    spread = cv2.resize(weight, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.multiply(total, spread), np.float32)


def _profile(means: Any) -> Any:
    smooth = _smooth(means)
    return np.clip(smooth / max(float(smooth.max()), 1e-12), _PLACE_MIN, 1)


def _smooth(values: Any) -> Floats:
    """Each value a quarter, half and quarter of its neighbourhood."""
    return np.convolve(np.pad(values, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid").astype(np.float32)


@lru_cache(maxsize=8)
def _sync_tile(layout: Layout) -> Floats:
    grid = np.zeros((1, GRID_ROWS * GRID_COLUMNS), np.complex64)
    grid[0, layout.sync_grid] = np.exp(1j * layout.luma.sync_phase)
    return np.asarray(synthesis(grid, HALF_TILE)[0], np.float32)


def sync_pattern(layout: Layout, shape: tuple[int, ...]) -> Floats:
    """The sync lines over a plane of that shape."""
    tile = _sync_tile(layout)
    rows, columns = -(-shape[0] // HALF_TILE), -(-shape[1] // HALF_TILE)
    return np.ascontiguousarray(np.tile(tile, (rows, columns))[: shape[0], : shape[1]])
