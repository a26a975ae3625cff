"""Where the pattern begins: correlation with the sync chips at all phases, by short FFTs.

The track is cut into segments of 2.56 s. Each is laid into one period of the pattern (1024 steps) at its place,
and correlated with the sync chips of a key at all 1024 phases. Sums over all segments, over neighbours, or
along a slanting line give the score of the whole, of windows, or of a clock that runs off.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.watermark.sound.layout import SoundLayout
from labeler.watermark.sound.profile import BANDS, COLUMNS, SYNC_BANDS, Floats, Ints
from labeler.watermark.sound.track import STEPS_PER_CHIP, Track

__all__ = ["PERIOD", "SEGMENT", "Peak", "ScoreMap", "fold_spectrum", "peaks", "score_maps", "sync_spectrum"]

Complexes: TypeAlias = npt.NDArray[np.complex64]

PERIOD = COLUMNS * STEPS_PER_CHIP
SEGMENT = 640
"""Steps in a segment."""
_BATCH = 8
_DRIFT_PRICE = 0.7  # a drift must raise z by so much to be believed
_DRIFT = 600e-6
"""Largest relative error of a clock that is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """A place where the sync chips fit.

    Attributes:
        z: standardised score.
        start: first segment.
        stop: one behind the last.
        phase: step of the period at which column 0 begins.
        drift: steps gained a step, relative to the middle of the track.
        hypotheses: places compared.
    """

    z: float
    start: int
    stop: int
    phase: int
    drift: float
    hypotheses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreMap:
    """Scores of a key.

    Attributes:
        scores: (segments, 1024).
        energy: (segments,) variance of a score without a mark.
    """

    scores: Floats
    energy: Floats


@lru_cache(maxsize=32)
def sync_spectrum(key: bytes, steps: int) -> Complexes:
    """Conjugate spectrum of the sync chips, ``steps`` steps a chip, without its constant part: (40, n)."""
    layout = SoundLayout.of(key)
    template = np.zeros((BANDS, COLUMNS * steps), np.float32)
    template[:, ::steps] = layout.sync
    return np.asarray(np.conj(np.fft.rfft(template, axis=1))[:, 1:-1], np.complex64)


def fold_spectrum(folded: Floats) -> Complexes:
    """Spectra of rows (..., 40, n) folded to a period, without constant part and highest frequency."""
    rows = folded.reshape(-1, folded.shape[-1])
    packed = np.asarray(cv2.dft(rows, flags=cv2.DFT_ROWS), np.float32)
    return packed[:, 1:-1].view(np.complex64).reshape(*folded.shape[:-1], -1)


def correlate(spectrum: Complexes, template: Complexes) -> Floats:
    """Scores at all phases, (..., n), of spectra (..., 40, n/2 - 1)."""
    total = (spectrum * template).sum(axis=-2)
    return np.asarray(
        np.fft.irfft(np.pad(total, [(0, 0)] * (total.ndim - 1) + [(1, 1)]), axis=-1), np.float32
    )


def score_maps(track: Track, layouts: list[SoundLayout], values: Floats) -> list[ScoreMap]:
    """Score map of every key.

    Args:
        track: the sound.
        layouts: of the keys.
        values: (40, n) the statistic, perhaps weighted.
    """
    count = -(-track.steps // SEGMENT)
    energy = np.zeros(count, np.float32)
    scores = np.zeros((len(layouts), count, PERIOD), np.float32)
    templates = [sync_spectrum(layout.key, STEPS_PER_CHIP) for layout in layouts]
    for first in range(0, count, _BATCH):
        numbers = range(first, min(first + _BATCH, count))
        folded = np.zeros((len(numbers), BANDS, PERIOD), np.float32)
        for row, number in enumerate(numbers):
            part = values[:, number * SEGMENT : (number + 1) * SEGMENT]
            energy[number] = float((part * part).sum()) * (SYNC_BANDS / BANDS / STEPS_PER_CHIP)
            place = number * SEGMENT % PERIOD
            head = min(PERIOD - place, part.shape[1])
            folded[row, :, place : place + head] = part[:, :head]
            folded[row, :, : part.shape[1] - head] = part[:, head:]
        spectrum = fold_spectrum(folded)
        for key, template in enumerate(templates):
            scores[key, first : first + len(numbers)] = correlate(spectrum, template)
    return [ScoreMap(scores=part, energy=energy) for part in scores]


def peaks(scores: ScoreMap, *, length: int = 0, gate: float, most: int) -> list[Peak]:
    """The best peaks of all windows of ``length`` segments (0: the whole track, also with a drifting clock)."""
    if length:
        return _window_peaks(scores, length, gate, most)
    count = len(scores.energy)
    middle = (count - 1) / 2 * SEGMENT
    drifts = _drifts(count)
    spread = float(np.sqrt(scores.energy.sum())) + 1e-9
    found: list[Peak] = []
    for drift in drifts:
        shift = np.rint(drift * (np.arange(count) * SEGMENT - middle)).astype(np.int64)
        total = np.zeros(PERIOD, np.float32)
        for value in np.unique(shift):
            total += np.roll(scores.scores[shift == value].sum(axis=0), -int(value))
        found += [
            Peak(
                z=float(total[phase]) / spread,
                start=0,
                stop=count,
                phase=int(phase),
                drift=float(drift),
                hypotheses=PERIOD * len(drifts),
            )
            for phase in _tops(total, gate * spread, most)
        ]
    return _distinct(found, most)


def _drifts(count: int) -> Floats:
    """Relative clock errors that differ by a step at the ends of so many segments."""
    half = count * SEGMENT / 2
    most = int(np.ceil(_DRIFT * half)) if count > 2 else 0
    if _DRIFT * half < 1:
        most = 0
    return np.asarray(np.arange(-most, most + 1) / half, np.float32)


def _window_peaks(scores: ScoreMap, length: int, gate: float, most: int) -> list[Peak]:
    count = len(scores.energy) - length + 1
    if count < 1:
        return []
    sums = sum(scores.scores[first : first + count] for first in range(length))
    spread = np.sqrt(sum(scores.energy[first : first + count] for first in range(length))) + 1e-9
    z = np.asarray(sums) / np.asarray(spread)[:, None]
    found = [
        Peak(
            z=float(z[start, phase]),
            start=int(start),
            stop=int(start) + length,
            phase=int(phase),
            drift=0.0,
            hypotheses=z.size,
        )
        for start in np.flatnonzero(z.max(axis=1) >= gate)
        for phase in _tops(z[start], gate, most)
    ]
    return sorted(found, key=lambda peak: -peak.z)


def _tops(score: Floats, gate: float, most: int) -> Ints:
    """The highest places over a gate, largest first."""
    places = np.flatnonzero(score >= gate)
    return places[np.argsort(-score[places])][: 4 * most]


def _distinct(found: list[Peak], most: int) -> list[Peak]:
    """The best peaks, without their immediate neighbours."""
    kept: list[Peak] = []
    for peak in sorted(found, key=lambda peak: (_DRIFT_PRICE if peak.drift else 0) - peak.z):
        if all(
            min((peak.phase - other.phase) % PERIOD, (other.phase - peak.phase) % PERIOD) > 3
            for other in kept
        ):
            kept.append(peak)
        if len(kept) == most:
            break
    return kept
