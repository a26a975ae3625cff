"""The picture inside a picture: what bars, pillars or a blurred copy of itself surround.

A letterboxed clip read as a whole is a small picture on a large canvas, where only a search finds the mark, and half
of the evidence is noise. Read inside its bars it is the clip as it was.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["inner_of"]

Pixels: TypeAlias = npt.NDArray[Any]

_SHARP = 0.3  # share of the usual change from row to row, from which a row belongs to the picture
_WHOLE = 0.95  # a picture that fills so much of both sides has no bars
_LEAST, _LEAST_PX = 0.2, 64


def inner_of(y: Pixels) -> tuple[slice, slice] | None:
    """Rows and columns of the sharp picture, or None if it fills the frame.

    Args:
        y: (H, W) luma.
    """
    plane = y.astype(np.int32)
    rows = _extent(np.abs(np.diff(plane, axis=0)).mean(axis=1))
    columns = _extent(np.abs(np.diff(plane[rows], axis=1)).mean(axis=0))
    height, width = rows.stop - rows.start, columns.stop - columns.start
    if height > _WHOLE * y.shape[0] and width > _WHOLE * y.shape[1]:
        return None
    least = max(_LEAST * min(y.shape), _LEAST_PX)
    return None if min(height, width) < least else (rows, columns)


def _extent(change: npt.NDArray[np.floating]) -> slice:
    """First to last line whose change to the next is not small."""
    usual = float(np.percentile(change, 90))
    above = np.flatnonzero(change > max(_SHARP * usual, 1e-3))
    if len(above) == 0:
        return slice(0, len(change) + 1)
    # The step from a bar to the picture belongs to the line before the picture's first.
    first, last = int(above[0]), int(above[-1])
    return slice(0 if first <= 1 else first + 1, len(change) + 1 if last >= len(change) - 2 else last + 1)
