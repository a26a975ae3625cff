"""Keep the mark under the programme: no noise before an onset, none in a pause.

Analysis windows of 32 ms spread a chip's change over time. Here the difference signal is limited, millisecond
by millisecond, to 14 dB below an envelope of the programme: the largest level within 2 ms, decaying by 0.4 dB
a millisecond afterwards (post-masking).
"""

from __future__ import annotations

import cv2
import numpy as np

from labeler.watermark.sound.profile import RATE, Floats

__all__ = ["Guard"]

_STEP = RATE // 1000
_BELOW = 10 ** (-14 / 20)
_DECAY = 10 ** (-0.4 / 20)
_REACH = 2
_AHEAD = 4
_FLOOR = 1e-9


class Guard:
    """A stream of difference signal, limited; 4 ms late.

    Args:
        channels: rows of every block.
    """

    def __init__(self, channels: int) -> None:
        self._programme = np.zeros((channels, 0), np.float32)
        self._mark = np.zeros((channels, 0), np.float32)
        self._past = 0
        self._held = np.full((channels, 1), _FLOOR, np.float64)

    def push(self, programme: Floats, mark: Floats, *, last: bool = False) -> Floats:
        """Limit a block; returns what is ready (less by 4 ms, all at the end).

        Args:
            programme: (channels, n) the sound.
            mark: (channels, n) the difference signal at the same time.
            last: there will be no more.
        """
        programme = np.concatenate([self._programme, programme], axis=1)
        mark = np.concatenate([self._mark, mark], axis=1)
        size = mark.shape[1]
        if size == 0:
            return mark
        steps = -(-size // _STEP)
        gain = np.minimum(self._envelope(_level(programme, steps)) * _BELOW / _level(mark, steps), 1)
        gain = cv2.erode(gain.astype(np.float32), np.ones((1, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
        where = (np.arange(size) + 0.5) / _STEP - 0.5
        centres = np.arange(steps)
        smooth = np.stack([np.interp(where, centres, row) for row in gain]).astype(np.float32)
        limited = mark * smooth
        stop = size if last else max(size // _STEP - _AHEAD, self._past) * _STEP
        start = self._past * _STEP
        keep = max(stop // _STEP - _AHEAD, 0)
        self._programme = programme[:, keep * _STEP :].copy()
        self._mark = mark[:, keep * _STEP :].copy()
        self._past = stop // _STEP - keep
        self._held = self._curve[:, keep - 1 : keep] if keep else self._held
        return np.asarray(limited[:, start:stop], np.float32)

    def _envelope(self, level: Floats) -> Floats:
        """Largest level within reach, then a decay by a constant factor."""
        kernel = np.ones((1, 2 * _REACH + 1), np.uint8)
        top = cv2.dilate(level, kernel, borderType=cv2.BORDER_REPLICATE)
        fall = np.arange(top.shape[1]) * np.log(_DECAY)
        raised = np.maximum(np.log(top.astype(np.float64)) - fall, np.log(self._held) + np.log(_DECAY))
        self._curve = np.exp(np.maximum.accumulate(raised, axis=1) + fall)
        return np.asarray(self._curve, np.float32)


def _level(signal: Floats, steps: int) -> Floats:
    """Root mean square of every millisecond: (channels, steps)."""
    padded = np.zeros((len(signal), steps * _STEP), np.float32)
    padded[:, : signal.shape[1]] = signal
    square = (padded * padded).reshape(len(signal), steps, _STEP).mean(axis=2)
    return np.asarray(np.sqrt(square) + _FLOOR, np.float32)
