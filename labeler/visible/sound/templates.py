"""The patterns that the detector compares a sound with: the rhythm at its speeds, every prompt at its speeds."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np

from labeler.visible.sound import rhythm, speech
from labeler.visible.sound.features import HOP, TONES, WINDOW, Features
from labeler.visible.sound.loudness import Floats

__all__ = ["REACH", "RHYTHM_SPEEDS", "SPEECH_SPEEDS", "Template", "compressed", "rhythms", "spoken"]

RHYTHM_SPEEDS = tuple(round(1 + i / 100, 2) for i in range(-6, 7))
"""Unit lengths of the rhythm that are tried, over 120 ms."""
SPEECH_SPEEDS = tuple(round(1 + i / 100, 2) for i in range(-5, 6))
"""Lengths of the prompts that are tried, over their own."""
REACH = 63
"""Windows on each side (0.5 s) against whose mean a band's level is taken."""

_MARGIN = 1.5
_POWER = 0.15
_LEAST = 1e-12
_PROMPT_RATE = 16_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Template:
    """One pattern.

    Attributes:
        name: ``rhythm``, or of the prompt.
        pattern: float32 (length, rows), zero mean and norm 1 over all of it.
        lead: seconds from the middle of its first window to the beginning of the mark.
        seconds: length of the mark.
    """

    name: str
    pattern: Floats
    lead: float
    seconds: float


def compressed(power: Floats) -> Floats:
    """Levels of bands over time (n, rows), as an ear would have it: a root, less its mean over a second."""
    level = np.power(power + np.float32(_LEAST), np.float32(_POWER))
    mean = cv2.blur(level, (1, 2 * REACH + 1), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(level - mean, np.float32)


@functools.cache
def rhythms() -> tuple[Template, ...]:
    """The rhythm at every speed; its one row is the tone's magnitude."""
    return tuple(
        Template(
            name="rhythm",
            pattern=_normed(rhythm.envelope(1 / HOP, unit=rhythm.UNIT * s, margin=_MARGIN)[:, None]),
            lead=_MARGIN * rhythm.UNIT * s - HOP / 2,
            seconds=len(rhythm.pattern()) * rhythm.UNIT * s,
        )
        for s in RHYTHM_SPEEDS
    )


@functools.cache
def spoken() -> tuple[Template, ...]:
    """Every prompt at every speed."""
    return tuple(_spoken(name, speed) for name in speech.PROMPTS for speed in SPEECH_SPEEDS)


def _spoken(name: str, speed: float) -> Template:
    """A prompt's features, stretched in time."""
    sound = speech.prompt(name, _PROMPT_RATE)
    quiet = np.zeros(round(REACH * HOP * _PROMPT_RATE), np.float32)
    features = Features(_PROMPT_RATE, 1)
    power = features.push(np.concatenate([quiet, sound, quiet])[:, None])[:, len(TONES) :]
    count = round(len(power) * speed)
    stretched = cv2.resize(power, (power.shape[1], count), interpolation=cv2.INTER_LINEAR)
    edge = round(REACH * speed)
    levels = compressed(np.asarray(stretched, np.float32))[edge : count - edge]
    return Template(
        name=name, pattern=_normed(levels), lead=-WINDOW / 2, seconds=len(sound) / _PROMPT_RATE * speed
    )


def _normed(pattern: Floats) -> Floats:
    pattern = pattern - pattern.mean()
    return (pattern / np.linalg.norm(pattern)).astype(np.float32)
