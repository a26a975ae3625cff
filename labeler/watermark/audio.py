"""The invisible sound watermark: embed 64 bits, detect them, say how sure and where.

Samples in, samples or a report out, block by block; no files. Profile 1, described in docs/watermark-audio.md.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from labeler.core.keys import WatermarkKey
from labeler.errors import LabelerError, UsageError
from labeler.types import Segment, State, WatermarkReport
from labeler.watermark.sound.chapter import Mark, read_chapter
from labeler.watermark.sound.depth import STRENGTHS
from labeler.watermark.sound.embedding import Marker
from labeler.watermark.sound.judge import Judge
from labeler.watermark.sound.layout import SoundLayout
from labeler.watermark.sound.profile import PURPOSE, RATE, Floats
from labeler.watermark.sound.resample import Resampler, ratio_of

__all__ = [
    "ALGORITHM",
    "RATE_MIN",
    "SECONDS_MIN",
    "STRENGTHS",
    "CannotMark",
    "Detector",
    "Embedded",
    "Embedder",
    "detect",
    "embed",
]

ALGORITHM = "io.github.labeler.audio.1"
"""Name of profile 1 in a C2PA soft binding."""
RATE_MIN = 8000
"""Sounds of a lower sample rate are not marked, Hz."""
RATE_MAX = 768_000
SECONDS_MIN = 1.5
"""Shorter sounds are not marked, and cannot show a mark."""
_PEAK_MIN = 1e-4  # full scale = 1
_AMPLITUDE_MAX = 16.0
_EVIDENCE_MIN = 20.0
_SECONDS_WEAK = 5.0
_CHAPTER = 300 * RATE
_CHAPTER_OVERLAP = 20 * RATE
_TRACE_LOG10 = -6.0
_GAP = 1.0  # s, between stretches of the same mark that are told as one
_BLOCK = 1 << 18


class CannotMark(LabelerError):
    """The sound cannot carry the watermark; other layers can still label it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """A marked sound.

    Attributes:
        samples: like the input; may exceed full scale a little where the input comes close to it.
        snr: of the input over the difference, dB.
        weak: empty, or why the mark will be hard to read.
    """

    samples: Floats
    snr: float
    weak: str


class Embedder:
    """Marks a stream.

    Keeps up to about 25 s of sound: the pattern is chosen after the first 16 s.

    Args:
        rate: sample rate, Hz.
        channels: columns of every block.
        payload: 8 bytes.
        key: the watermark key.
        strength: ``gentle``, ``default`` or ``strong``.

    Raises:
        CannotMark: the sample rate is too low.
        UsageError: there is no such strength.
    """

    def __init__(
        self, rate: int, channels: int, payload: bytes, key: WatermarkKey, *, strength: str = "default"
    ) -> None:
        if strength not in STRENGTHS:
            raise UsageError(f"unknown strength {strength!r}.", remedy=f"Use one of: {', '.join(STRENGTHS)}.")
        if len(payload) != 8:
            raise ValueError(f"a payload has 8 bytes, not {len(payload)}")
        if channels < 1 or not 0 < rate <= RATE_MAX:
            raise ValueError(f"cannot mark {channels} channels at {rate} Hz")
        if rate < RATE_MIN:
            raise CannotMark(
                f"the sample rate is {rate} Hz; an invisible mark needs at least {RATE_MIN} Hz.",
                remedy="Metadata and the audible label carry the label instead.",
            )
        ratio = ratio_of(rate)
        self._rate, self._channels = rate, channels
        self._down = Resampler(ratio, channels)
        self._up = Resampler(1 / ratio, channels)
        self._marker = Marker(channels, payload, SoundLayout.of(key.derive(PURPOSE)), STRENGTHS[strength])
        self._input: deque[Floats] = deque()
        self._mark = np.zeros((channels, 0), np.float32)
        self._frames = 0
        self._peak = 0.0
        self._power = self._change = 0.0
        self._done = False

    def push(self, block: Floats) -> Floats:
        """Marked samples (k, channels) that are ready after a block (m, channels) of float32, full scale 1."""
        if block.ndim != 2 or block.shape[1] != self._channels:
            raise ValueError(f"a block is (n, {self._channels}), not {block.shape}")
        if self._done:
            raise ValueError("the stream was flushed")
        out = []
        for start in range(0, len(block), _BLOCK):
            rows = np.ascontiguousarray(block[start : start + _BLOCK].T, np.float32)
            clean = _sane(rows)
            self._frames += rows.shape[1]
            self._peak = max(self._peak, float(np.abs(clean).max(initial=0)))
            self._input.append(rows)
            out.append(self._add(self._up.push(self._marker.push(self._down.push(clean)))))
        return np.concatenate([*out, np.zeros((0, self._channels), np.float32)])

    def flush(self) -> Floats:
        """The rest; all outputs together have exactly the length of all inputs."""
        self._done = True
        marks = [
            self._up.push(self._marker.push(self._down.flush())),
            self._up.push(self._marker.flush()),
            self._up.flush(),
        ]
        left = sum(rows.shape[1] for rows in self._input)
        mark = np.concatenate([self._mark, *marks, np.zeros((self._channels, left), np.float32)], axis=1)
        self._mark = mark[:, :0]
        return self._add(mark[:, :left])

    @property
    def snr(self) -> float:
        """Of the sound over the difference, so far, dB."""
        return (
            10 * math.log10(self._power / self._change) if self._change > 0 and self._power > 0 else math.inf
        )

    @property
    def silent(self) -> bool:
        """Whether nothing was heard so far: nothing was marked either."""
        return self._peak < _PEAK_MIN

    @property
    def weak(self) -> str:
        """After :meth:`flush`: empty, or why the mark will be hard or impossible to read."""
        if self.silent:
            return "the sound is silent: there is no mark"
        seconds = self._frames / self._rate
        if seconds < SECONDS_MIN:
            return f"the sound lasts {seconds:.1f} s: the mark cannot be read"
        if seconds < _SECONDS_WEAK:
            return f"the sound lasts {seconds:.1f} s: the mark may not survive compression"
        if self._marker.evidence < _EVIDENCE_MIN:
            return "the sound has too little between 0.7 and 5.7 kHz: the mark may not survive compression"
        return ""

    def _add(self, mark: Floats) -> Floats:
        self._mark = np.concatenate([self._mark, mark], axis=1)
        out = [np.zeros((self._channels, 0), np.float32)]
        while self._input and self._mark.shape[1]:
            rows = self._input.popleft()
            count = min(rows.shape[1], self._mark.shape[1])
            change = self._mark[:, :count]
            self._power += float(np.vdot(rows[:, :count], rows[:, :count]))
            self._change += float(np.vdot(change, change))
            out.append(rows[:, :count] + change)
            self._mark = self._mark[:, count:]
            if count < rows.shape[1]:
                self._input.appendleft(rows[:, count:])
        return np.ascontiguousarray(np.concatenate(out, axis=1).T)


def embed(
    samples: Floats, rate: int, payload: bytes, key: WatermarkKey, *, strength: str = "default"
) -> Embedded:
    """Embed a payload; the same as one :class:`Embedder` for all.

    Args:
        samples: (n, channels) float32, full scale 1.
        rate: sample rate, Hz.
        payload: 8 bytes.
        key: the watermark key.
        strength: ``gentle``, ``default`` or ``strong``.

    Raises:
        CannotMark: the sound is silent, too short, or its sample rate too low.
        UsageError: there is no such strength.
    """
    embedder = Embedder(rate, samples.shape[1], payload, key, strength=strength)
    marked = np.concatenate([embedder.push(samples), embedder.flush()])
    remedy = "Metadata and the audible label carry the label instead."
    if embedder.silent:
        raise CannotMark("the sound is silent; an invisible mark has nothing to hide in.", remedy=remedy)
    if len(samples) < SECONDS_MIN * rate:
        raise CannotMark(
            f"the sound lasts {len(samples) / rate:.2f} s; an invisible mark needs at least {SECONDS_MIN} s.",
            remedy=remedy,
        )
    return Embedded(samples=marked, snr=embedder.snr, weak=embedder.weak)


class Detector:
    """Looks for marks in a stream.

    Keeps up to 320 s of sound at 16 kHz, and reads it chapter by chapter.

    Args:
        rate: sample rate, Hz.
        channels: columns of every block.
        keys: the keys to try.
        quick: unchanged speed, tempo and pitch only.
        deep: search all combinations of tempo and pitch up to 6 %, not only speed, tempo and pitch alone.
    """

    def __init__(
        self,
        rate: int,
        channels: int,
        keys: Sequence[WatermarkKey],
        *,
        quick: bool = False,
        deep: bool = False,
    ) -> None:
        if channels < 1 or not 0 < rate <= RATE_MAX:
            raise ValueError(f"cannot read {channels} channels at {rate} Hz")
        self._rate, self._channels = rate, channels
        self._keys = list(keys)
        self._layouts = [SoundLayout.of(key.derive(PURPOSE)) for key in keys]
        self._quick, self._deep = quick, deep
        self._down = Resampler(ratio_of(rate), 1)
        self._judge = Judge()
        self._waiting: list[Floats] = []
        self._held = 0
        self._start = 0
        self._frames = 0
        self._peak = 0.0
        self._marks: list[Mark] = []
        self._trace = (0.0, 0)
        self._fresh = False

    def push(self, block: Floats) -> None:
        """Take a block (m, channels) of float32, full scale 1."""
        if block.ndim != 2 or block.shape[1] != self._channels:
            raise ValueError(f"a block is (n, {self._channels}), not {block.shape}")
        for start in range(0, len(block), _BLOCK):
            rows = _sane(np.ascontiguousarray(block[start : start + _BLOCK].T, np.float32))
            self._frames += rows.shape[1]
            self._peak = max(self._peak, float(np.abs(rows).max(initial=0)))
            self._keep(self._down.push(_to_mono(rows)[None])[0])

    def finish(self) -> WatermarkReport:
        """What was found: PRESENT, ABSENT, or CANNOT_TELL with the reason."""
        self._keep(self._down.flush()[0])
        if self._fresh or not self._start:
            self._read(last=True)
        seconds = self._frames / self._rate
        if self._marks:
            return self._present(seconds)
        search = "quick" if self._quick else "deep" if self._deep else "lines"
        if self._trace[0] < _TRACE_LOG10:
            key_id = self._keys[self._trace[1]].key_id
            return WatermarkReport(
                state=State.CANNOT_TELL,
                key_id=key_id,
                log10_p=round(self._trace[0], 1),
                geometry={"search": search},
                reason=f"there are traces of a mark of key {key_id}, but its payload cannot be read",
            )
        if seconds < SECONDS_MIN:
            return WatermarkReport(
                state=State.CANNOT_TELL, reason=f"the sound lasts {seconds:.2f} s; too short to show a mark"
            )
        if self._peak < _PEAK_MIN:
            return WatermarkReport(
                state=State.CANNOT_TELL, reason="the sound is silent and cannot show a mark"
            )
        return WatermarkReport(state=State.ABSENT, geometry={"search": search})

    def _keep(self, samples: Floats) -> None:
        self._waiting.append(samples)
        self._held += len(samples)
        self._fresh = self._fresh or len(samples) > 0
        while self._held >= _CHAPTER + _CHAPTER_OVERLAP:
            self._read(last=False)

    def _read(self, *, last: bool) -> None:
        """Read a chapter; keep its end for the next."""
        samples = np.concatenate([*self._waiting, np.zeros(0, np.float32)])
        chapter = samples if last else samples[: _CHAPTER + _CHAPTER_OVERLAP]
        found = read_chapter(chapter, self._layouts, self._judge, quick=self._quick, deep=self._deep)
        offset = self._start / RATE
        for mark in found.marks:
            self._marks.append(_moved(mark, offset))
        if found.trace_log10 < self._trace[0]:
            self._trace = (found.trace_log10, found.trace_key)
        self._start += _CHAPTER
        rest = samples[_CHAPTER:].copy() if not last else samples[:0]
        self._waiting, self._held = [rest], len(rest)
        self._fresh = len(rest) > _CHAPTER_OVERLAP

    def _present(self, seconds: float) -> WatermarkReport:
        segments = _segments(self._marks, self._keys, seconds)
        length: dict[tuple[str, str], float] = {}
        for part in segments:
            who = (part.payload, part.key_id)
            length[who] = length.get(who, 0) + part.end - part.start
        payload, key_id = max(length, key=lambda who: length[who])
        mine = [m for m in self._marks if m.payload.hex() == payload and self._keys[m.key].key_id == key_id]
        best = min(mine, key=lambda mark: mark.log10_p)
        return WatermarkReport(
            state=State.PRESENT,
            payload=payload,
            mark_id=payload[2:],
            key_id=key_id,
            log10_p=round(best.log10_p, 1),
            geometry={
                "tempo": round(best.tempo, 5),
                "pitch": round(best.pitch, 4),
                "search": best.stage,
                "z": round(best.z, 1),
                "rho": round(best.rho, 1),
                "share": round(
                    min(sum(part.end - part.start for part in segments) / max(seconds, 1e-9), 1), 3
                ),
            },
            segments=segments,
        )


def detect(
    samples: Floats, rate: int, keys: Sequence[WatermarkKey], *, quick: bool = False, deep: bool = False
) -> WatermarkReport:
    """Look for marks; the same as one :class:`Detector` for all.

    Args:
        samples: (n, channels) float32, full scale 1.
        rate: sample rate, Hz.
        keys: the keys to try.
        quick: unchanged speed, tempo and pitch only.
        deep: search all combinations of tempo and pitch.
    """
    detector = Detector(rate, samples.shape[1], keys, quick=quick, deep=deep)
    detector.push(samples)
    return detector.finish()


def _sane(rows: Floats) -> Floats:
    """Numbers that are none become silence, absurd ones are limited."""
    top = float(np.abs(rows).max(initial=0))
    if top <= _AMPLITUDE_MAX:
        return rows
    clean = np.nan_to_num(rows, nan=0, posinf=0, neginf=0)
    return np.asarray(np.clip(clean, -_AMPLITUDE_MAX, _AMPLITUDE_MAX), np.float32)


def _to_mono(rows: Floats) -> Floats:
    """The mean of all channels, or half the difference of the first two where that is louder (opposite phase)."""
    if len(rows) == 1:
        return np.asarray(rows[0], np.float32)
    mid = rows.mean(axis=0)
    side = (rows[0] - rows[1]) * np.float32(0.5)
    return np.asarray(side if np.vdot(side, side) > np.vdot(mid, mid) else mid, np.float32)


def _moved(mark: Mark, offset: float) -> Mark:
    """A mark with its stretches in seconds of the file."""
    return replace(mark, parts=tuple((start + offset, end + offset, z) for start, end, z in mark.parts))


def _segments(marks: Sequence[Mark], keys: Sequence[WatermarkKey], seconds: float) -> tuple[Segment, ...]:
    """Stretches in order of time; those of one payload and key that touch are joined."""
    pieces: list[dict[str, Any]] = []
    for mark in marks:
        pieces += [
            {
                "start": start,
                "end": min(end, seconds),
                "z": z,
                "who": (mark.payload.hex(), keys[mark.key].key_id),
            }
            for start, end, z in mark.parts
        ]
    joined: list[dict[str, Any]] = []
    for piece in sorted(pieces, key=lambda piece: piece["start"]):
        before = next((other for other in reversed(joined) if other["who"] == piece["who"]), None)
        if before is not None and piece["start"] <= before["end"] + _GAP:
            before["end"] = max(before["end"], piece["end"])
            before["z"] = max(before["z"], piece["z"])
        else:
            joined.append(piece)
    return tuple(
        Segment(
            start=round(piece["start"], 3),
            end=round(piece["end"], 3),
            payload=piece["who"][0],
            key_id=piece["who"][1],
            log10_p=round(-(piece["z"] ** 2) / 2 * math.log10(math.e), 1),
        )
        for piece in joined
    )
