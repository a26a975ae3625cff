"""A stretch of sound as the detector sees it: levels and statistics of chips, every 4 ms of the marked clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labeler.watermark.sound.features import statistic
from labeler.watermark.sound.profile import CHIP, RATE, WINDOW, Floats, Ints
from labeler.watermark.sound.spectrum import (
    bin_powers,
    chip_levels,
    frame_offset,
    levels_of,
    scaled_bands,
)

__all__ = ["HOP", "STEPS_PER_CHIP", "STEP_SECONDS", "Track", "padded", "track_of"]

HOP = 64
"""Samples in a step (4 ms)."""
STEPS_PER_CHIP = CHIP // HOP
STEP_SECONDS = HOP / RATE
_HALF = STEPS_PER_CHIP // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """Chips at every 4 ms.

    Attributes:
        values: (40, n) the statistic of a chip that begins at step t of the clock of the marked file.
        levels: (40, n) its level, dB.
        tempo: how much faster the file runs than when it was marked.
        pitch: by how much its frequencies are higher.
    """

    values: Floats
    levels: Floats
    tempo: float
    pitch: float

    @property
    def steps(self) -> int:
        """Number of steps."""
        return int(self.values.shape[1])


def padded(samples: Floats) -> Floats:
    """Samples with room for the frames at both ends."""
    return np.concatenate([np.zeros(-frame_offset(), np.float32), samples, np.zeros(WINDOW, np.float32)])


def starts_of(size: int, tempo: float, hop: int = HOP) -> Ints:
    """Where the frames of each step begin in :func:`padded` samples, ``size`` samples without padding."""
    steps = max(int((size - CHIP / 2) * tempo / hop), 0)
    return np.asarray(np.rint(np.arange(steps) * (hop / tempo)), np.int64)


def track_of(samples: Floats, *, tempo: float = 1.0, pitch: float = 1.0) -> Track:
    """The track of samples (n,) at the working rate.

    Args:
        samples: the sound.
        tempo: assumed change of tempo since marking.
        pitch: assumed change of frequencies.
    """
    starts = starts_of(len(samples), tempo)
    room = padded(samples)
    if pitch == 1.0:
        powers = chip_levels(room, starts)
    else:
        powers = np.ascontiguousarray((bin_powers(room, starts) @ scaled_bands(pitch)).T)
    levels = levels_of(powers, _HALF) if powers.shape[1] > _HALF else np.zeros((len(powers), 0), np.float32)
    values = statistic(levels, STEPS_PER_CHIP) if levels.shape[1] else levels
    return Track(values=values, levels=levels, tempo=tempo, pitch=pitch)
