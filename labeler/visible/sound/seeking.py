"""Find audible marks in a sound that streams by: normalised correlation of its features with the patterns.

The score is the correlation coefficient between the pattern and the features at one place, over all windows and
bands of the pattern: 1 for the mark alone, about 0 for anything else. It does not depend on loudness.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labeler.types import Evidence, State, VisibleReport
from labeler.visible.sound import rhythm, speech
from labeler.visible.sound.features import BANDS, HOP, TONES, WINDOW, Features
from labeler.visible.sound.loudness import Floats
from labeler.visible.sound.templates import LEAST, REACH, Template, compressed, rhythms, spoken

__all__ = ["Seeker", "detect"]

_CHUNK = 4096
_PAD = 0.7
_MOST = 256
_QUIET = 1e-4

Complexes: TypeAlias = npt.NDArray[np.complex64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Find:
    """A mark found: name of the pattern, score, start and end in seconds."""

    name: str
    score: float
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Bank:
    """Patterns of as many rows, ready to be correlated with chunks of features.

    Attributes:
        patterns: what is sought.
        spectra: complex64 (patterns, rows, chunk / 2 + 1), conjugated.
        reach: windows of the longest pattern.
    """

    patterns: tuple[Template, ...]
    spectra: Complexes
    reach: int

    def scores(self, chunk: Floats) -> Floats:
        """Correlation coefficients (patterns, places) at the first ``_CHUNK - reach + 1`` windows of (chunk, rows)."""
        places = _CHUNK - self.reach + 1
        rows = np.ascontiguousarray(chunk.T)
        found = np.einsum("prf,rf->pf", self.spectra, np.fft.rfft(rows, axis=1).astype(np.complex64))
        top = np.fft.irfft(found, _CHUNK, axis=1)[:, :places]
        sums = np.concatenate([[0.0], np.cumsum(chunk.sum(axis=1, dtype=np.float64))])
        squares = np.concatenate([[0.0], np.cumsum((chunk.astype(np.float64) ** 2).sum(axis=1))])
        out = np.empty((len(self.patterns), places), np.float32)
        for row, template in enumerate(self.patterns):
            n = len(template.pattern)
            total, energy = (c[n : n + places] - c[:places] for c in (sums, squares))
            energy = energy - total**2 / (n * chunk.shape[1])
            out[row] = top[row] / np.sqrt(np.maximum(energy, 0) + n * chunk.shape[1] * _QUIET**2)
        return out


@functools.cache
def _banks() -> tuple[_Bank, _Bank]:
    return _bank(rhythms()), _bank(spoken())


def _bank(patterns: tuple[Template, ...]) -> _Bank:
    spectra = np.stack([np.fft.rfft(t.pattern.T, _CHUNK, axis=1).conj() for t in patterns])
    return _Bank(
        patterns=patterns,
        spectra=spectra.astype(np.complex64),
        reach=max(len(t.pattern) for t in patterns),
    )


class Seeker:
    """One sound that is searched while it streams by, in bounded memory.

    Args:
        rate: Hz.
        channels: of the sound.

    Attributes:
        highest: the highest score of every pattern so far, whether a find or not.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self.highest = dict.fromkeys(LEAST, 0.0)
        self._features = Features(rate, channels)
        self._channels = channels
        self._pad = round(_PAD * rate)
        self._rows = np.zeros((0, len(TONES) + BANDS), np.float32)
        self._first = -self._pad / rate + WINDOW / 2  # seconds at the middle of the first row held
        self._finds: list[_Find] = []
        self._add(np.zeros((self._pad, channels), np.float32))

    def push(self, block: Floats) -> None:
        """Take samples (m, channels), float32, full scale 1."""
        self._add(block)

    def finish(self) -> VisibleReport:
        """The end of the sound: what was found in all of it, in order of time."""
        self._add(np.zeros((self._pad, self._channels), np.float32))
        while len(self._rows):
            self._advance(np.pad(self._rows, ((0, _CHUNK + 2 * REACH - len(self._rows)), (0, 0))))
        finds = sorted(_apart(self._finds)[:_MOST], key=lambda f: f.start)
        evidence = tuple(
            Evidence(
                kind="labeler-rhythm" if f.name == "rhythm" else "labeler-speech",
                text=rhythm.TEXT if f.name == "rhythm" else speech.PROMPTS[f.name],
                time=(round(max(f.start, 0.0), 3), round(f.end, 3)),
                score=round(min(f.score, 1.0), 3),
            )
            for f in finds
        )
        return VisibleReport(state=State.PRESENT if evidence else State.ABSENT, evidence=evidence)

    def _add(self, block: Floats) -> None:
        self._rows = np.concatenate([self._rows, self._features.push(block)])
        while len(self._rows) >= _CHUNK + 2 * REACH:
            self._advance(self._rows)

    def _advance(self, rows: Floats) -> None:
        """Search the rows held, at the end with silence behind them, and let go of those that are done with."""
        done = self._search(rows)
        self._rows = self._rows[done:]
        self._first += done * HOP

    def _search(self, rows: Floats) -> int:
        """Search the first chunk of rows; how many of them are done with.

        REACH rows on each side of the chunk only serve to take the mean of a band; the first ones of a sound are
        silence, pushed before it.
        """
        chunk = rows[: _CHUNK + 2 * REACH]
        begin = self._first + REACH * HOP
        tones = np.sqrt(chunk[REACH:-REACH, : len(TONES)])
        marks, prompts = _banks()
        for tone in np.split(tones, len(TONES), axis=1):
            self._collect(marks, tone, begin)
        self._collect(prompts, compressed(chunk[:, len(TONES) :])[REACH:-REACH], begin)
        return _CHUNK - max(marks.reach, prompts.reach) + 1

    def _collect(self, bank: _Bank, rows: Floats, begin: float) -> None:
        """Keep the peaks of every pattern that exceed its threshold and agree in every part."""
        for scores, template in zip(bank.scores(rows), bank.patterns, strict=True):
            self.highest[template.name] = max(self.highest[template.name], float(scores.max()))
            high = np.flatnonzero(scores >= template.least)
            length = len(template.pattern)
            while len(high):
                top = int(high[np.argmax(scores[high])])
                score = float(scores[top])
                if template.agrees(rows[top : top + length], score):
                    start = begin + top * HOP + template.lead
                    end = start + template.seconds
                    self._finds.append(_Find(name=template.name, score=score, start=start, end=end))
                high = high[np.abs(high - top) >= length // 4]
        if len(self._finds) > 8 * _MOST:
            self._finds = _apart(self._finds)[: 4 * _MOST]


def _apart(finds: list[_Find]) -> list[_Find]:
    """The best finds, none over another by more than a third of the shorter one."""
    kept: list[_Find] = []
    for find in sorted(finds, key=lambda f: f.score, reverse=True):
        if all(
            min(find.end, k.end) - max(find.start, k.start) < min(find.end - find.start, k.end - k.start) / 3
            for k in kept
        ):
            kept.append(find)
    return kept


def detect(samples: Floats, rate: int) -> VisibleReport:
    """Find the audible marks in a whole sound.

    Args:
        samples: float32 (n, channels), full scale 1.
        rate: Hz.
    """
    seeker = Seeker(rate, samples.shape[1])
    seeker.push(samples)
    return seeker.finish()
