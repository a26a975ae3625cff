"""The rhythm label of GB 45438-2025 5.3, ``短长 短短``: the Morse code of "AI" as a soft tone, played twice."""

from __future__ import annotations

import numpy as np

from labeler.visible.sound.loudness import Floats

__all__ = ["FREQUENCY", "GAP", "REPEATS", "SOFT", "TEXT", "UNIT", "UNITS", "envelope", "pattern", "tone"]

TEXT = "短长 短短 (Morse: AI)"
"""What a report says of the rhythm."""
UNIT = 0.12
"""Seconds of a short tone, and of the silence between two tones of a letter."""
FREQUENCY = 1000.0
"""Hz of the tone."""
UNITS = (1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1)
"""``.- ..``: on or off, a unit each."""
GAP = 5
"""Units of silence between two repeats."""
REPEATS = 2
"""How often the rhythm is played: twice can be told from music and speech with a wide margin, once cannot."""

_SECOND = 0.25
SOFT = 0.016
"""Seconds in which the tone comes and goes."""


def pattern() -> tuple[int, ...]:
    """On and off, unit by unit, over all repeats."""
    return (UNITS + (0,) * GAP) * (REPEATS - 1) + UNITS


def envelope(rate: float, *, unit: float = UNIT, margin: float = 0.0) -> Floats:
    """How loud the tone is over time, 0 to 1: on and off, convolved with a Hann window of 16 ms.

    Args:
        rate: values a second.
        unit: seconds.
        margin: units of silence before and after.
    """
    edges = np.concatenate([[0], pattern(), [0]]).astype(float)
    time = (np.arange(round((len(pattern()) + 2 * margin) * unit * rate)) + 0.5) / rate / unit - margin
    half = SOFT / unit / 2
    out = np.zeros(len(time))
    for edge in np.flatnonzero(np.diff(edges)):  # every edge is half a period of a cosine, integrated
        x = np.clip((time - edge) / half, -1, 1)
        out += (edges[edge + 1] - edges[edge]) * (0.5 + x / 2 + np.sin(np.pi * x) / (2 * np.pi))
    return out.astype(np.float32)


def tone(rate: int, count: int) -> Floats:
    """``count`` samples of the steady tone: 1000 Hz and a quarter of its octave."""
    phase = 2 * np.pi * FREQUENCY * np.arange(count) / rate
    return (np.sin(phase) + _SECOND * np.sin(2 * phase)).astype(np.float32)
