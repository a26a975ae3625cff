"""Looking for a mark whose clock or frequencies were changed: speed, tempo, pitch.

On the most active 13 s, at 8 ms a step, every hypothesis (tempo, pitch) is folded and correlated with the sync
chips. Three lines hold what people do: both changed alike (speed), tempo alone, pitch alone. The best are
refined at 4 ms on up to 30 s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labeler.watermark.sound.features import statistic
from labeler.watermark.sound.layout import SoundLayout
from labeler.watermark.sound.profile import BANDS, CHIP, COLUMNS, RATE, SYNC_BANDS, Floats
from labeler.watermark.sound.spectrum import bin_powers, levels_of, scaled_bands
from labeler.watermark.sound.sync import correlate, fold_spectrum, sync_spectrum
from labeler.watermark.sound.track import padded, starts_of

__all__ = ["Change", "search"]

_COARSE_SECONDS, _FINE_SECONDS = 13, 30
_TEMPO_STEP, _PITCH_STEP, _MOST = 0.0025, 0.0075, 0.06
_GATE, _FINE_GATE = 4.2, 4.6
_REFINED = 3
_BATCH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A hypothesis that fits.

    Attributes:
        key: number of the key.
        tempo: factor.
        pitch: factor.
        z: standardised score.
        hypotheses: places compared to find it.
    """

    key: int
    tempo: float
    pitch: float
    z: float
    hypotheses: int


def search(samples: Floats, layouts: list[SoundLayout], *, deep: bool = False) -> list[Change]:
    """Hypotheses that pass the gate after refinement, best first.

    Args:
        samples: (n,) at the working rate.
        layouts: of the keys.
        deep: the whole plane instead of three lines.
    """
    grid = _plane() if deep else _lines()
    coarse = _Folder(_most_active(samples, _COARSE_SECONDS), CHIP // 2)
    scores = coarse.scores(grid, layouts)
    places = len(grid) * COLUMNS * 2
    fine: _Folder | None = None
    found = []
    for key, row in enumerate(scores):
        for index in _best(grid, row):
            if fine is None:
                fine = _Folder(_most_active(samples, _FINE_SECONDS), CHIP // 4)
            near = _neighbours(*grid[index])
            refined = fine.scores(near, [layouts[key]])[0]
            best = int(refined.argmax())
            if refined[best] >= _FINE_GATE:
                tempo, pitch = near[best]
                found.append(
                    Change(
                        key=key,
                        tempo=tempo,
                        pitch=pitch,
                        z=float(refined[best]),
                        hypotheses=places * len(near),
                    )
                )
    return sorted(found, key=lambda change: -change.z)


def _lines() -> list[tuple[float, float]]:
    tempos = [1 + _TEMPO_STEP * n for n in range(-round(_MOST / _TEMPO_STEP), round(_MOST / _TEMPO_STEP) + 1)]
    pitches = [
        1 + _PITCH_STEP * n for n in range(-round(_MOST / _PITCH_STEP), round(_MOST / _PITCH_STEP) + 1)
    ]
    speed = [(tempo, 1 + _PITCH_STEP * round((tempo - 1) / _PITCH_STEP)) for tempo in tempos]
    return sorted({*speed, *((tempo, 1.0) for tempo in tempos), *((1.0, pitch) for pitch in pitches)})


def _plane() -> list[tuple[float, float]]:
    count, pitches = round(_MOST / _TEMPO_STEP), round(_MOST / _PITCH_STEP)
    return [
        (1 + _TEMPO_STEP * a, 1 + _PITCH_STEP * b)
        for a in range(-count, count + 1)
        for b in range(-pitches, pitches + 1)
    ]


def _neighbours(tempo: float, pitch: float) -> list[tuple[float, float]]:
    return [(tempo + 0.00025 * a, pitch + 0.00375 * b) for b in (-1, 0, 1) for a in range(-6, 7)]


def _best(grid: list[tuple[float, float]], scores: Floats) -> list[int]:
    """The best hypotheses that are no neighbours of a better one."""
    kept: list[int] = []
    for index in np.argsort(-scores):
        if scores[index] < _GATE or len(kept) == _REFINED:
            break
        tempo, pitch = grid[index]
        if all(
            abs(tempo - grid[k][0]) > 1.5 * _TEMPO_STEP or abs(pitch - grid[k][1]) > 1.5 * _PITCH_STEP
            for k in kept
        ):
            kept.append(int(index))
    return kept


def _most_active(samples: Floats, seconds: int) -> Floats:
    """The stretch of so many seconds with the most power after compression (square root)."""
    blocks = len(samples) // RATE
    if blocks <= seconds:
        return samples[: seconds * RATE]
    level = np.sqrt((samples[: blocks * RATE].reshape(blocks, RATE) ** 2).mean(axis=1))
    total = np.convolve(np.sqrt(level), np.ones(seconds), "valid")
    start = int(total.argmax()) * RATE
    return samples[start : start + seconds * RATE]


class _Folder:
    """Folds one stretch under many hypotheses.

    Args:
        samples: the stretch.
        hop: samples in a step.
    """

    def __init__(self, samples: Floats, hop: int) -> None:
        self._hop = hop
        self._powers = bin_powers(padded(samples), starts_of(len(samples), 1.0, hop))
        self._pitch = 0.0
        self._values = np.zeros((BANDS, 0), np.float32)

    def scores(self, grid: list[tuple[float, float]], layouts: list[SoundLayout]) -> Floats:
        """Highest standardised score over all phases: (keys, hypotheses)."""
        steps = CHIP // self._hop
        templates = [sync_spectrum(layout.key, steps) for layout in layouts]
        out = np.zeros((len(layouts), len(grid)), np.float32)
        order = sorted(range(len(grid)), key=lambda index: grid[index][1])
        for first in range(0, len(order), _BATCH):
            part = order[first : first + _BATCH]
            folded = np.stack([self._fold(*grid[index]) for index in part])
            spread = np.sqrt((folded**2).sum(axis=(1, 2)) * (SYNC_BANDS / BANDS / steps)) + 1e-9
            spectrum = fold_spectrum(folded)
            for key, template in enumerate(templates):
                out[key, part] = correlate(spectrum, template).max(axis=1) / spread
        return out

    def _fold(self, tempo: float, pitch: float) -> Floats:
        steps = CHIP // self._hop
        period = COLUMNS * steps
        if pitch != self._pitch:
            powers = np.ascontiguousarray((self._powers @ scaled_bands(pitch)).T)
            levels = levels_of(powers, steps // 2) if powers.shape[1] > steps else powers[:, :0]
            self._values = statistic(levels, steps) if levels.shape[1] else levels
            self._pitch = pitch
        size = self._values.shape[1]
        source = np.rint(np.arange(int(size * tempo)) / tempo).astype(np.int64)
        source = source[source < size]
        room = np.zeros((BANDS, max(-(-len(source) // period), 1) * period), np.float32)
        np.take(self._values, source, axis=1, out=room[:, : len(source)])
        return np.asarray(room.reshape(BANDS, -1, period).sum(axis=1), np.float32)
