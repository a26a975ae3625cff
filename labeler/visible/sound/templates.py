"""The patterns that the detector compares a sound with: the rhythm at its speeds, every prompt at its speeds.

A correlation over the whole pattern forgives one wrong letter or word. So every part of it has to agree as well: each
unit of the rhythm on or off as it should be (unless the score alone leaves no doubt: other Morse code reaches 0.86),
each 0.4 s of a prompt.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np

from labeler.visible.sound import rhythm, speech
from labeler.visible.sound.features import HOP, TONES, WINDOW, Features
from labeler.visible.sound.loudness import Floats

__all__ = ["LEAST", "REACH", "RHYTHM_SPEEDS", "SPEECH_SPEEDS", "Template", "compressed", "rhythms", "spoken"]

RHYTHM_SPEEDS = tuple(round(1 + i / 100, 2) for i in range(-6, 7))
"""Unit lengths of the rhythm that are tried, over 120 ms."""
SPEECH_SPEEDS = tuple(round(1 + i / 100, 2) for i in range(-5, 6))
"""Lengths of the prompts that are tried, over their own."""
REACH = 63
"""Windows on each side (0.5 s) against whose mean a band's level is taken."""

LEAST = {"rhythm": 0.60, "zh": 0.60, "zh-short": 0.68, "en": 0.62}
"""Score that a find needs, by pattern; measured in docs/audible.md."""

_MARGIN = 1.5
_HALF_ON = 0.6
_SURE = 0.90
_PART = 0.4
_LEAST_OF_PARTS = 0.40
_LEAST_OF_SHORT_PARTS = 0.22
_POWER = 0.15
_LEAST = 1e-12
_PROMPT_RATE = 16_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Template:
    """One pattern.

    Attributes:
        name: ``rhythm``, or of the prompt.
        pattern: float32 (length, rows), zero mean and norm 1 over all of it.
        speed: how much longer it is than the mark as it is made.
        least: score that a find needs.
        lead: seconds from the middle of its first window to the beginning of the mark.
        seconds: length of the mark.
    """

    name: str
    pattern: Floats
    speed: float
    least: float
    lead: float
    seconds: float

    def agrees(self, rows: Floats, score: float) -> bool:
        """Whether all parts of a place (length, rows) where the score is high enough agree with the pattern."""
        if self.name != "rhythm":
            return self._parts_agree(rows)
        return score >= _SURE or self._units_agree(rows[:, 0])

    def _units_agree(self, level: Floats) -> bool:
        """All units are louder or softer than 0.6 of what the units that are on have."""
        on = np.concatenate([[0], rhythm.pattern(), [0]]).astype(bool)
        unit = rhythm.UNIT * self.speed / HOP
        middles = (np.arange(len(on)) - 1 + _MARGIN + 0.5) * unit - 0.5
        nearby = np.arange(-round(unit / 4), round(unit / 4) + 1)
        places = np.clip(np.rint(middles[:, None]).astype(int) + nearby, 0, len(level) - 1)
        units = np.median(level[places], axis=1)
        return bool(((units > _HALF_ON * np.median(units[on])) == on).all())

    def _parts_agree(self, rows: Floats) -> bool:
        """The correlation coefficients of all stretches of 0.4 s reach a least."""
        count = max(2, round(self.seconds / self.speed / _PART))
        edges = np.linspace(0, len(rows), count + 1).astype(int)[:-1]
        both, own, other = (
            np.add.reduceat((a * b).sum(axis=1, dtype=np.float64), edges)
            for a, b in ((rows, self.pattern), (rows, rows), (self.pattern, self.pattern))
        )
        least = _LEAST_OF_SHORT_PARTS if self.name == "zh-short" else _LEAST_OF_PARTS
        return bool((both >= least * np.sqrt(own * other)).all())


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
            speed=s,
            least=LEAST["rhythm"],
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
        name=name,
        pattern=_normed(levels),
        speed=speed,
        least=LEAST[name],
        lead=-WINDOW / 2,
        seconds=len(sound) / _PROMPT_RATE * speed,
    )


def _normed(pattern: Floats) -> Floats:
    pattern = pattern - pattern.mean()
    return (pattern / np.linalg.norm(pattern)).astype(np.float32)
