"""The eight flips and quarter turns of a picture, on arrays and on lattice spectra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from labeler.watermark.layout import TILE, grid_index

__all__ = ["ORIENTATIONS", "Orientation"]

Ints: TypeAlias = npt.NDArray[np.int64]
Complexes: TypeAlias = npt.NDArray[np.complex64]


@dataclass(frozen=True, slots=True)
class Orientation:
    """Undo a change of orientation: mirror left-right if ``mirror``, then turn ``turns`` quarters left.

    Attributes:
        turns: quarter turns, counter-clockwise.
        mirror: whether to mirror first.
    """

    turns: int
    mirror: bool

    def apply(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The array, turned upright."""
        flipped = np.fliplr(array) if self.mirror else array
        return np.ascontiguousarray(np.rot90(flipped, self.turns))

    def affine(self, height: int, width: int) -> npt.NDArray[np.float64]:
        """(2, 3): upright pixel (x, y, 1) -> pixel of the array of that height and width."""
        matrices = (
            [[1, 0, 0], [0, 1, 0]],
            [[0, -1, width - 1], [1, 0, 0]],
            [[-1, 0, width - 1], [0, -1, height - 1]],
            [[0, 1, 0], [-1, 0, height - 1]],
        )
        matrix = np.array(matrices[self.turns], np.float64)
        if self.mirror:
            matrix[0] = [0, 0, width - 1] - matrix[0]
        return matrix

    def lines(self, grid: Complexes, k: Ints, height: int, width: int, tile: int = TILE) -> Complexes:
        """Periodic spectrum of the upright array at lines k (n, 2), from that of the array as it is.

        Args:
            grid: (1891,) spectrum of the array as it is, all cells summed.
            k: lines wanted.
            height: of the array, px.
            width: of the array, px.
            tile: period, px.
        """
        matrix = self.affine(height, width)
        turned = k @ matrix[:, :2].T.astype(np.int64)
        phase = np.exp(2j * np.pi * (turned @ matrix[:, 2]) / tile)
        lower = (turned[:, 0] < 0) | ((turned[:, 0] == 0) & (turned[:, 1] < 0))
        values = grid[grid_index(np.where(lower[:, None], -turned, turned))]
        return np.asarray(np.where(lower, values.conj(), values) * phase, np.complex64)


ORIENTATIONS = tuple(Orientation(turns, mirror) for mirror in (False, True) for turns in range(4))
"""All eight, the identity first."""
