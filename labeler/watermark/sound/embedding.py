"""The difference signal of a sound at the working rate, host block by host block (4.096 s).

Every channel gets the same gains; what is added is the difference they make within the bands, so all that
lies outside them stays as it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from labeler.watermark.sound.choice import Choice, choose
from labeler.watermark.sound.depth import depth, reference_level
from labeler.watermark.sound.features import statistic
from labeler.watermark.sound.guard import Guard
from labeler.watermark.sound.layout import SoundLayout
from labeler.watermark.sound.profile import (
    BAND_BINS,
    BANDS,
    CHIP,
    COLUMNS,
    WINDOW,
    Floats,
    hann,
)
from labeler.watermark.sound.spectrum import FLOOR, PACKED, band_powers, frame_offset, frames_at, spectra

__all__ = ["Marker"]

_HOP = CHIP // 2
_BLOCK = COLUMNS * CHIP
_OVERLAP = WINDOW // _HOP - 1
_NORM = 1.5  # sum of the squared Hann window over a hop of a quarter
_REGION = 4
"""Host blocks looked at before the pattern is chosen (16.4 s)."""


@dataclass(slots=True)
class _Host:
    """A host block.

    Attributes:
        packed: (channels, 512, 320) band columns of the spectra.
        levels: (40, 256) mean level over channels, dB.
        mid: (40, 256) level of the mean of all channels, dB.
        full: (256,) level of the whole spectrum, dB.
        columns: how many columns the file really has here.
    """

    packed: Floats
    levels: Floats
    mid: Floats
    full: Floats
    columns: int


class Marker:
    """Makes the difference signal of a stream.

    Args:
        channels: of the sound.
        payload: 8 bytes.
        layout: the key's layout.
        strength: r of the depth law, dB.
    """

    def __init__(self, channels: int, payload: bytes, layout: SoundLayout, strength: float) -> None:
        self._payload = payload
        self._layout = layout
        self._strength = strength
        self._samples = np.zeros((channels, -frame_offset()), np.float32)
        self._programme = np.zeros((channels, 0), np.float32)
        self._waiting: list[_Host] = []
        self._before: _Host | None = None
        self._choice: Choice | None = None
        self._carry = np.zeros((channels, _OVERLAP, _HOP), np.float32)
        self._skip = -frame_offset()
        self._guard = Guard(channels)
        self._columns = 0
        self._length = 0
        self._top = self._energy = 0.0

    @property
    def evidence(self) -> float:
        """How clearly the mark will show in the sound as it leaves here: expected correlation, in deviations."""
        return self._top / np.sqrt(self._energy) if self._energy > 0 else 0.0

    def push(self, samples: Floats) -> Floats:
        """Difference signal that is ready after samples (channels, n) at the working rate."""
        self._length += samples.shape[1]
        self._programme = np.concatenate([self._programme, samples], axis=1)
        self._samples = np.concatenate([self._samples, samples], axis=1)
        need = _BLOCK + WINDOW - _HOP
        while self._samples.shape[1] >= need:
            self._waiting.append(_analyse(self._samples[:, :need], COLUMNS))
            self._samples = self._samples[:, _BLOCK:].copy()
        return self._emit(last=False)

    def flush(self) -> Floats:
        """The rest; afterwards all outputs together are as long as all inputs."""
        total = -(-(self._length + -frame_offset()) // CHIP)
        done = self._columns + sum(host.columns for host in self._waiting)
        while done < total:
            columns = min(total - done, COLUMNS)
            padded = np.zeros((len(self._samples), _BLOCK + WINDOW - _HOP), np.float32)
            rest = self._samples[:, : padded.shape[1]]
            padded[:, : rest.shape[1]] = rest
            self._samples = self._samples[:, _BLOCK:]
            self._waiting.append(_analyse(padded, columns))
            done += columns
        return self._emit(last=True)

    def _emit(self, *, last: bool) -> Floats:
        if self._choice is None:
            if not self._waiting or (len(self._waiting) < _REGION and not last):
                return self._limit([], last=last)
            host = np.concatenate([part.mid for part in self._waiting[:_REGION]], axis=1)
            size = sum(part.columns for part in self._waiting[:_REGION])
            self._choice = choose(self._payload, self._layout, statistic(host, 1)[:, :size])
        pieces = []
        while len(self._waiting) > (0 if last else 1):
            pieces.append(self._mark(self._waiting[0], self._waiting[1:2]))
            self._before = self._waiting.pop(0)
        return self._limit(pieces, last=last)

    def _mark(self, host: _Host, after: list[_Host]) -> Floats:
        """The difference signal of a host block, overlap-added: (channels, 65536)."""
        assert self._choice is not None
        around = [part for part in (self._before, host, *after) if part is not None]
        levels = np.concatenate([part.levels[:, : part.columns] for part in around], axis=1)
        full = np.concatenate([part.full[: part.columns] for part in around])
        start = 0 if self._before is None else COLUMNS
        deep = depth(levels, reference_level(levels, full), self._strength)[:, start : start + host.columns]
        phase = self._columns % COLUMNS
        chips = np.roll(self._choice.pattern, -phase, axis=1)[:, : host.columns]
        decibels = np.zeros((BANDS, COLUMNS), np.float32)
        decibels[:, : host.columns] = deep * chips
        self._columns += host.columns
        self._foresee(host, decibels, chips)
        gain = np.exp(decibels * np.float32(np.log(10) / 20)) - 1
        gain = np.repeat(np.repeat(gain.T, 2 * BAND_BINS, axis=1), 2, axis=0)
        channels, frames = host.packed.shape[:2]
        packed = np.zeros((channels * frames, WINDOW), np.float32)
        packed[:, PACKED] = (host.packed * gain).reshape(channels * frames, -1)
        flags = cv2.DFT_INVERSE | cv2.DFT_ROWS | cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT
        waves = np.asarray(cv2.dft(packed, flags=flags)) * (hann(WINDOW) / np.float32(_NORM))
        parts = waves.reshape(channels, frames, _OVERLAP + 1, _HOP)
        out = np.zeros((channels, frames + _OVERLAP, _HOP), np.float32)
        out[:, :_OVERLAP] = self._carry
        for part in range(_OVERLAP + 1):
            out[:, part : part + frames] += parts[:, :, part]
        self._carry = out[:, frames:].copy()
        return out[:, :frames].reshape(channels, -1)

    def _foresee(self, host: _Host, decibels: Floats, chips: Floats) -> None:
        """Add up what a detector will see of the pattern."""
        seen = statistic(host.mid + decibels, 1)[:, : host.columns]
        self._top += float((seen * chips).sum())
        self._energy += float((seen * seen).sum())

    def _limit(self, pieces: list[Floats], *, last: bool) -> Floats:
        """Cut what lies before the first sample and behind the last, then limit by the programme."""
        channels = len(self._programme)
        mark = np.concatenate([*pieces, np.zeros((channels, 0), np.float32)], axis=1)
        cut = min(self._skip, mark.shape[1])
        self._skip -= cut
        mark = mark[:, cut:]
        if last:
            mark = np.concatenate([mark, self._carry.reshape(channels, -1)], axis=1)
        mark = mark[:, : self._programme.shape[1]]
        programme = self._programme[:, : mark.shape[1]]
        self._programme = self._programme[:, mark.shape[1] :].copy()
        if mark.shape[1] == 0 and not last:
            return mark
        return self._guard.push(programme, mark, last=last)


def _analyse(samples: Floats, columns: int) -> _Host:
    """Spectra and levels of a host block of samples (channels, 65920)."""
    starts = np.arange(2 * COLUMNS, dtype=np.int64) * _HOP
    whole = np.stack([spectra(frames_at(row, starts)) for row in samples])
    packed = np.ascontiguousarray(whole[:, :, PACKED])
    power = np.stack([band_powers(channel) for channel in packed]).mean(axis=0)
    mid = band_powers(packed.mean(axis=0)) if len(packed) > 1 else power
    full = (whole * whole).sum(axis=2).mean(axis=0)
    return _Host(
        packed=packed,
        levels=_columns_level(power),
        mid=_columns_level(mid),
        full=_decibel(full.reshape(COLUMNS, 2).sum(axis=1)),
        columns=columns,
    )


def _columns_level(power: Floats) -> Floats:
    """Level of the chips, (40, 256), of band powers (512, 40)."""
    return np.ascontiguousarray(_decibel(power.reshape(COLUMNS, 2, BANDS).sum(axis=1)).T)


def _decibel(power: Floats) -> Floats:
    return np.asarray(10 * np.log10(power + np.float32(FLOOR)), np.float32)
