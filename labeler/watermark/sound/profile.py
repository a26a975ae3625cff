"""The numbers of audio profile 1: what embedder and detector must share."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "BANDS",
    "BAND_BINS",
    "CHIP",
    "COLUMNS",
    "FIRST_BIN",
    "PURPOSE",
    "RATE",
    "SYNC_BANDS",
    "WINDOW",
    "Bools",
    "Floats",
    "Ints",
    "hann",
]

Floats: TypeAlias = npt.NDArray[np.float32]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

PURPOSE = "watermark/audio/1"
RATE = 16_000
"""Working sample rate, Hz."""
WINDOW = 512
"""Hann window, samples (32 ms); a bin has 31.25 Hz."""
CHIP = 256
"""A chip lasts 256 samples (16 ms) ..."""
BAND_BINS = 4
"""... and is 4 bins (125 Hz) wide."""
FIRST_BIN = 14
"""The bands begin at 437.5 Hz ..."""
BANDS = 40
"""... and end at 5437.5 Hz."""
COLUMNS = 256
"""The pattern repeats after 256 chips (4.096 s)."""
SYNC_BANDS = 8
"""Chips of every column that depend on the key only."""


def hann(size: int) -> Floats:
    """The periodic Hann window: 0.5 - 0.5 cos(2 pi n / size)."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size), np.float32)
