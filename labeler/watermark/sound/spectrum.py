"""Short-time spectra as OpenCV packs them, and the level of every chip.

``cv2.dft`` packs a row of 512 real samples as [Re0, Re1, Im1, Re2, Im2, ..., Re256]: bin k stands at columns
2k-1 and 2k, so a band of 4 bins is 8 neighbouring columns, and a real gain of a band multiplies 8 columns.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from labeler.watermark.sound.profile import BAND_BINS, BANDS, CHIP, FIRST_BIN, WINDOW, Floats, Ints, hann

__all__ = ["FLOOR", "PACKED", "band_powers", "bin_powers", "chip_levels", "frames_at", "levels_of", "spectra"]

FLOOR = 1e-7
"""Added to the power of a chip, full scale = 1."""
PACKED = slice(2 * FIRST_BIN - 1, 2 * (FIRST_BIN + BAND_BINS * BANDS) - 1)
"""Columns of a packed spectrum that the bands occupy."""
MARGIN = 12
"""Bins kept beyond the bands on each side where the bands may be scaled."""
_FRAMES = 2048  # spectra made at once


@lru_cache(maxsize=1)
def _window() -> Floats:
    return hann(WINDOW)


def frames_at(samples: Floats, starts: Ints) -> Floats:
    """Windowed frames (n, 512) of samples (k,) that begin at ``starts``; all must lie inside."""
    view = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)
    return np.asarray(view[starts] * _window(), np.float32)


def spectra(frames: Floats) -> Floats:
    """Packed spectra of frames (n, 512)."""
    return np.asarray(cv2.dft(frames, flags=cv2.DFT_ROWS), np.float32)


@lru_cache(maxsize=1)
def _sum_of_bands() -> Floats:
    return np.repeat(np.eye(BANDS, dtype=np.float32), 2 * BAND_BINS, axis=0)


def band_powers(packed: Floats) -> Floats:
    """Power of the bands, (n, 40), of the band columns (n, 320) of packed spectra."""
    return np.asarray((packed * packed) @ _sum_of_bands(), np.float32)


def chip_levels(samples: Floats, starts: Ints) -> Floats:
    """Power of the bands of the frames at ``starts``: (40, n)."""
    out = np.empty((BANDS, len(starts)), np.float32)
    for first in range(0, len(starts), _FRAMES):
        part = starts[first : first + _FRAMES]
        out[:, first : first + len(part)] = band_powers(spectra(frames_at(samples, part))[:, PACKED]).T
    return out


def bin_powers(samples: Floats, starts: Ints) -> Floats:
    """Power of the bins from ``FIRST_BIN - 12`` to 12 beyond the bands, of the frames at ``starts``: (n, 184)."""
    low, high = FIRST_BIN - MARGIN, FIRST_BIN + BAND_BINS * BANDS + MARGIN
    out = np.empty((len(starts), high - low), np.float32)
    for first in range(0, len(starts), _FRAMES):
        part = starts[first : first + _FRAMES]
        packed = spectra(frames_at(samples, part))[:, 2 * low - 1 : 2 * high - 1]
        pairs = (packed * packed).reshape(len(part), high - low, 2)
        np.add(pairs[..., 0], pairs[..., 1], out=out[first : first + len(part)])
    return out


def scaled_bands(factor: float) -> Floats:
    """Matrix (184, 40) that sums the bins of :func:`bin_powers` to bands whose edges are ``factor`` times as high."""
    low = FIRST_BIN - MARGIN
    edges = (FIRST_BIN - 0.5 + BAND_BINS * np.arange(BANDS + 1)) * factor + 0.5 - low
    bins = np.arange(BAND_BINS * BANDS + 2 * MARGIN)[:, None]
    upper = np.clip(edges[None, 1:] - bins, 0, 1)
    lower = np.clip(edges[None, :-1] - bins, 0, 1)
    return np.asarray(upper - lower, np.float32)


def levels_of(powers: Floats, stride: int) -> Floats:
    """Level of chips, dB: frames ``stride`` apart (half a chip) are added.

    Args:
        powers: (40, n) of frames.
        stride: frames in half a chip, ``CHIP / 2 / hop``.

    Returns:
        (40, n - stride), 10 log10 of the power.
    """
    total = powers[:, :-stride] + powers[:, stride:]
    total += np.float32(FLOOR)
    levels: Floats = np.asarray(cv2.log(total), np.float32)
    levels *= np.float32(10 / np.log(10))
    return levels


def frame_offset() -> int:
    """First sample of frame 0 of column 0: its centre lies a quarter chip after the column's beginning."""
    return CHIP // 4 - WINDOW // 2
