"""Band-limited resampling of a stream by a fixed ratio, as one matrix product a block.

The filter is a sinc with 24 zero crossings on each side under a Kaiser window (beta 9), cut off at 94 % of the
lower Nyquist frequency. Output sample j stands at input position ``j M / L``. As the phases repeat after L
outputs, a block of outputs is a fixed matrix times a window of inputs; BLAS does the rest.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np

from labeler.watermark.sound.profile import RATE, Floats

__all__ = ["Resampler", "ratio_of"]

_CROSSINGS = 24
_BETA = 9.0
_CUTOFF = 0.94
_DENOMINATOR = 640
_BLOCK = 320  # inputs in a block, at least


def ratio_of(rate: int) -> Fraction:
    """Working rate over ``rate``, as the nearest fraction with a denominator of at most 640."""
    return Fraction(RATE, rate).limit_denominator(_DENOMINATOR)


@lru_cache(maxsize=8)
def _kernel(up: int, down: int) -> tuple[Floats, int, int, int]:
    """Matrix (inputs, outputs), inputs consumed by a block, outputs made by it, inputs looked ahead and back."""
    cut = _CUTOFF * min(1.0, up / down)
    half = int(np.ceil(_CROSSINGS / cut))
    repeats = -(-_BLOCK // down)
    taken, made = down * repeats, up * repeats
    where = np.arange(taken + 2 * half)[:, None] - half - np.arange(made)[None, :] * down / up
    shape = np.clip(1 - (where / half) ** 2, 0, None)
    matrix = cut * np.sinc(cut * where) * np.i0(_BETA * np.sqrt(shape)) / np.i0(_BETA) * (shape > 0)
    return np.ascontiguousarray(matrix, np.float32), taken, made, half


class Resampler:
    """A stream at another rate, without delay: sample j of the output stands at time j of its rate.

    Args:
        ratio: output rate over input rate.
        channels: rows of every block.
    """

    def __init__(self, ratio: Fraction, channels: int) -> None:
        self._same = ratio == 1
        self._matrix, self._taken, self._made, self._half = _kernel(ratio.numerator, ratio.denominator)
        self._rest = np.zeros((channels, self._half), np.float32)

    def push(self, block: Floats) -> Floats:
        """Outputs (channels, k) that are ready after inputs (channels, m)."""
        if self._same:
            return block
        data = np.concatenate([self._rest, block], axis=1)
        count = max(data.shape[1] - 2 * self._half, 0) // self._taken
        self._rest = data[:, count * self._taken :].copy()
        if count == 0:
            return np.zeros((len(data), 0), np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(data, self._taken + 2 * self._half, axis=1)
        out = windows[:, : count * self._taken : self._taken] @ self._matrix
        return out.reshape(len(data), count * self._made)

    def flush(self) -> Floats:
        """The outputs that are left, with silence after the end; up to a block more than the input had."""
        if self._same:
            return np.zeros((len(self._rest), 0), np.float32)
        return self.push(np.zeros((len(self._rest), 2 * self._half + self._taken), np.float32))
