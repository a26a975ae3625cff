"""Which stretches of a sound carry a known pattern.

For every column, ``e`` is the correlation of its chips with the pattern and ``q`` their energy; with the mark
e ~ N(g q, q), without e ~ N(0, q), so the log likelihood ratio is ``g e - g^2 q / 2``. The stretches are those
between the turning points of its running sum that rise or fall by at least a threshold: the best
segmentation for a fixed price of a stretch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labeler.watermark.sound.profile import COLUMNS, Floats, Ints

__all__ = ["Trace", "stretches", "trace_of"]

THRESHOLD = 14.0
"""Rise of the log likelihood ratio (nats) that makes a stretch."""
_GAIN_MIN = 0.05
_GAIN_START = 0.7
_SECOND = 62  # columns
_ROUNDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A known pattern along a track.

    Attributes:
        steps: (n,) step of every column.
        match: (n,) e.
        energy: (n,) q.
        ratio: (n,) log likelihood ratio.
    """

    steps: Ints
    match: Floats
    energy: Floats
    ratio: Floats

    def z(self, start: int, stop: int) -> float:
        """Standardised correlation of columns ``start`` to ``stop``."""
        return float(self.match[start:stop].sum() / np.sqrt(self.energy[start:stop].sum() + 1e-9))


def trace_of(values: Floats, steps: Ints, first: int, pattern: Floats) -> Trace:
    """Compare a track with a pattern.

    The gain g is that of the stretches themselves: it starts from the clearest second and is measured again
    in the stretches found with it.

    Args:
        values: (40, n) chips at ``steps``.
        steps: (n,) of the track.
        first: pattern column of the first.
        pattern: (40, 256) chips +-1.
    """
    columns = (first + np.arange(values.shape[1])) % COLUMNS
    match = np.einsum("bn,bn->n", values, pattern[:, columns])
    energy = np.einsum("bn,bn->n", values, values)
    sums = [np.convolve(part, np.ones(min(_SECOND, len(part))), "valid") for part in (match, energy)]
    best = int((sums[0] / np.sqrt(sums[1] + 1e-9)).argmax())
    gain = _GAIN_START * float(sums[0][best] / (sums[1][best] + 1e-9))
    for _ in range(_ROUNDS):
        ratio = gain * match - gain * gain * energy / 2
        parts = stretches(ratio)
        if not parts:
            break
        inside = np.concatenate([np.arange(*part) for part in parts])
        gain = max(float(match[inside].sum() / (energy[inside].sum() + 1e-9)), _GAIN_MIN)
    return Trace(
        steps=steps,
        match=np.asarray(match, np.float32),
        energy=np.asarray(energy, np.float32),
        ratio=np.asarray(gain * match - gain * gain * energy / 2, np.float32),
    )


def stretches(ratio: Floats, threshold: float = THRESHOLD) -> list[tuple[int, int]]:
    """Column ranges (start, stop) in which the running sum of ``ratio`` rises by the threshold or more."""
    total = np.concatenate([[0.0], np.cumsum(ratio, dtype=np.float64)])
    found: list[tuple[int, int]] = []
    here = 0
    while True:
        part = total[here:]
        risen = part - np.minimum.accumulate(part) >= threshold
        if not risen.any():
            return found
        start = here + int(part[: int(risen.argmax()) + 1].argmin())
        part = total[start:]
        fallen = np.maximum.accumulate(part) - part >= threshold
        end = int(fallen.argmax()) if fallen.any() else len(part) - 1
        found.append((start, start + int(part[: end + 1].argmax())))
        if not fallen.any():
            return found
        here = start + end
