"""What the detector looks at: magnitudes of a few tones and of speech bands, 125 times a second, as a stream.

The front pair of channels is brought below 32 kHz by averaging neighbours and analysed with Hann windows of 32 ms every
8 ms; the powers of both are added, so that nothing cancels when one is turned over. Bands are given in Hz, so that
every sample rate yields the same features.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from labeler.visible.sound.loudness import Floats, front
from labeler.visible.sound.rhythm import FREQUENCY

__all__ = ["BANDS", "HOP", "TONES", "WINDOW", "Features"]

HOP = 0.008
"""Seconds between two windows."""
WINDOW = 0.032
"""Seconds of a window."""
TONES = tuple(FREQUENCY * f for f in (0.94, 0.97, 1.0, 1.03, 1.06))
"""Hz: the rhythm's tone at other speeds."""
BANDS = 20
"""Bands of speech, from 250 to 3400 Hz, equally wide in mel: what a telephone lets through."""

_LOW, _HIGH = 250.0, 3400.0
_HIGHEST_RATE = 32_000
_TONE_WIDTH = 47.0


def _band_centres() -> Floats:
    """Hz: BANDS + 2 centres on the mel scale; every band reaches to its neighbours' centres."""
    low, high = (2595 * np.log10(1 + f / 700) for f in (_LOW, _HIGH))
    return (700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)).astype(np.float32)


def _weights(frequency: Floats) -> Floats:
    """Weight of every bin's power in every tone and band: triangles, (bins, tones + bands)."""
    centres = _band_centres()
    columns = [np.clip(1 - np.abs(frequency - t) / _TONE_WIDTH, 0, 1) for t in TONES]
    for low, centre, high in zip(centres, centres[1:], centres[2:], strict=False):
        rising, falling = (frequency - low) / (centre - low), (high - frequency) / (high - centre)
        columns.append(np.clip(np.minimum(rising, falling), 0, 1))
    return np.ascontiguousarray(np.stack(columns, axis=1), np.float32)


class Features:
    """Features of one sound that streams by.

    Args:
        rate: Hz.
        channels: of the sound; the front pair is looked at.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._channels = front(channels)
        self._factor = max(1, -(-rate // _HIGHEST_RATE))
        self._rate = rate / self._factor
        self._size = max(round(WINDOW * self._rate), 4)
        transform = cv2.getOptimalDFTSize(self._size + self._size % 2)
        self._transform = transform + transform % 2
        frequency = np.arange(self._transform // 2 + 1) * self._rate / self._transform
        self._bins = min(int(np.searchsorted(frequency, _HIGH + 100)), self._transform // 2)
        self._weights = _weights(frequency[: self._bins].astype(np.float32))
        window = np.hanning(self._size + 2)[1:-1]
        self._window = (window / window.sum() * 2).astype(np.float32)
        self._loose = np.zeros((0, self._channels), np.float32)
        self._rest = np.zeros((self._channels, 0), np.float32)
        self._dropped = 0  # samples before the rest
        self._count = 0  # windows made so far

    def push(self, block: Floats) -> Floats:
        """Features (k, tones + bands), float32, power, of the windows that are complete with (m, channels) more."""
        block = np.concatenate([self._loose, block[:, : self._channels]])
        whole = len(block) // self._factor * self._factor
        self._loose = block[whole:].copy()
        block = np.clip(np.nan_to_num(block[:whole], posinf=0, neginf=0), -8, 8)
        slow = block.reshape(-1, self._factor, self._channels).mean(axis=1)
        self._rest = np.concatenate([self._rest, slow.T], axis=1)
        hop = HOP * self._rate
        end = self._dropped + self._rest.shape[1]
        count = max(0, int((end - self._size) / hop) + 1) if end >= self._size else 0
        starts = np.rint(np.arange(self._count, count) * hop).astype(np.int64)
        starts = starts[starts + self._size <= end] - self._dropped
        power = np.zeros((len(starts), len(TONES) + BANDS), np.float32)
        if not len(starts):
            return power
        for channel in self._rest:
            power += self._power(channel, starts)
        self._count += len(starts)
        used = min(int(np.rint(self._count * hop)) - self._dropped, self._rest.shape[1])
        self._rest, self._dropped = self._rest[:, used:].copy(), self._dropped + used
        return power / np.float32(self._channels)

    def _power(self, channel: Floats, starts: npt.NDArray[np.int64]) -> Floats:
        """Power in the tones and bands of one channel's windows, (windows, tones + bands)."""
        frames = np.zeros((len(starts), self._transform), np.float32)
        frames[:, : self._size] = np.lib.stride_tricks.sliding_window_view(channel, self._size)[starts]
        frames[:, : self._size] *= self._window
        spectrum = cv2.dft(frames, flags=cv2.DFT_ROWS)  # packed: re 0, re 1, im 1, re 2, im 2, ...
        parts = spectrum[:, 1 : 2 * self._bins - 1]
        power = np.zeros((len(starts), self._bins), np.float32)
        np.add(parts[:, ::2] ** 2, parts[:, 1::2] ** 2, out=power[:, 1:])
        return power @ self._weights
