"""The picture inside a picture: what bars, pillars or a blurred copy of itself surround.

A letterboxed clip read as a whole is a small picture on a large canvas, where only a search finds the mark, and half
of the evidence is noise. Read inside its bars it is the clip as it was.

The edge of a picture pasted onto something is a straight line from side to side: the change from its last row to the
next is large everywhere at once, while rows nearby change little by little. Two such lines that face each other, with
less detail outside than between them, are taken for the edges.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

__all__ = ["inner_of"]

Pixels: TypeAlias = npt.NDArray[Any]
Changes: TypeAlias = npt.NDArray[np.float64]

_NEAR, _GAP = 8, 2
"""An edge is compared with so many lines on either side, from so many lines away on: codecs smear it."""
_CHANGE_MIN, _CHANGE_MAX = 1.0, 32
"""Levels; less change nearby, and more change of a pixel, count as so much."""
_STEP_MIN, _STEP_CENTRED, _STEP = 1.8, 3.0, 8.0
"""How much any edge must exceed the change nearby; two at the same distance from the middle, as geometric mean; and
each of two that are not."""
_CENTRED = 4  # px
_EDGES = 8
_QUIET = 0.6
"""Detail outside over detail inside, at the most."""
_LEAST, _LEAST_PX = 0.2, 64


def inner_of(y: Pixels) -> tuple[slice, slice] | None:
    """Rows and columns of the picture inside bars or a blurred fill, or None if there is nothing around it.

    Args:
        y: (H, W) luma.
    """
    plane = y.astype(np.int32)
    least = max(_LEAST * min(y.shape), _LEAST_PX)
    rows = _extent(_changes(plane, 0), least)
    columns = _extent(_changes(plane[rows], 1), least)
    return None if (rows.start, columns.start) == (0, 0) else (rows, columns)


def _changes(plane: npt.NDArray[np.int32], axis: int) -> Changes:
    """Mean change from each line to the next; a pixel counts for so much only, so that logos are no edges."""
    change = np.minimum(np.abs(np.diff(plane, axis=axis)), _CHANGE_MAX)
    return np.asarray(change.mean(axis=1 - axis))


def _extent(change: Changes, least: float) -> slice:
    """Lines between two edges; all lines if there are none.

    Args:
        change: (n - 1,) mean change from each line to the next.
        least: lines that a picture has at the least.
    """
    count = len(change) + 1
    whole = slice(0, count)
    if count < 4 * (_NEAR + _GAP):
        return whole
    padded = np.pad(change, _NEAR + _GAP, mode="reflect")
    around = np.median(sliding_window_view(padded, _NEAR), axis=1)
    before, after = around[: len(change)], around[_NEAR + 2 * _GAP + 1 :]
    step = change / np.maximum(np.maximum(before, after), _CHANGE_MIN)
    peak = step >= sliding_window_view(np.pad(step, _GAP), 2 * _GAP + 1).max(axis=1)
    peaks = np.flatnonzero(peak & (step > _STEP_MIN))
    edges = [int(line) for line in peaks[np.argsort(-step[peaks])][:_EDGES]]
    pairs = [(one, two) for one in edges for two in edges if two - one >= least]
    centred = {pair: abs(pair[0] + 1 - (count - pair[1] - 1)) <= _CENTRED for pair in pairs}
    for one, two in sorted(pairs, key=lambda pair: (not centred[pair], -step[pair[0]] * step[pair[1]])):
        if centred[one, two]:
            clear = math.sqrt(step[one] * step[two]) >= _STEP_CENTRED
        else:
            clear = min(step[one], step[two]) >= _STEP
        if not clear:
            continue
        outside = np.concatenate([change[: max(one - 1, 0)], change[two + 2 :]])
        if len(outside) and np.median(outside) <= _QUIET * np.median(change[one + 2 : two - 1]):
            return slice(one + 1, two + 1)
    return whole
