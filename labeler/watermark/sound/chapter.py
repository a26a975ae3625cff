"""Reading one chapter of a sound: all marks in it and where they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from labeler.watermark.code import Bits
from labeler.watermark.sound.judge import Judge
from labeler.watermark.sound.layout import SoundLayout
from labeler.watermark.sound.localise import Trace, stretches, trace_of
from labeler.watermark.sound.profile import Floats
from labeler.watermark.sound.reading import chip_steps, looks
from labeler.watermark.sound.search import search
from labeler.watermark.sound.sync import PERIOD, SEGMENT, Peak, peaks, score_maps
from labeler.watermark.sound.track import STEP_SECONDS, STEPS_PER_CHIP, Track, track_of
from labeler.watermark.statistics import sync_log10

__all__ = ["Found", "Mark", "read_chapter"]

_GATE, _WINDOW_GATE = 4.0, 4.8
_WINDOWS = (4, 2)
_PEAKS = 3
_WINDOW_PEAKS = 12
_SEGMENT_Z = 4.0
_QUIET_SHARE = 42.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A mark that was read.

    Attributes:
        key: number of the key.
        payload: 8 bytes.
        word: (384,) code bits.
        log10_p: of a false find in the whole file.
        rho: correlation with the code word.
        z: sync score.
        tempo: change of tempo since marking.
        pitch: change of frequencies.
        stage: how it was found.
        parts: (start, end, z) of the stretches that carry it, seconds of the chapter.
    """

    key: int
    payload: bytes
    word: Bits
    log10_p: float
    rho: float
    z: float
    tempo: float
    pitch: float
    stage: str
    parts: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a chapter holds.

    Attributes:
        marks: that were read.
        trace_log10: log10 p of the clearest sync finding, 0 if none.
        trace_key: its key.
    """

    marks: tuple[Mark, ...]
    trace_log10: float
    trace_key: int


def read_chapter(
    samples: Floats, layouts: Sequence[SoundLayout], judge: Judge, *, quick: bool = False, deep: bool = False
) -> Found:
    """Look for marks.

    Args:
        samples: (n,) at the working rate.
        layouts: of the keys.
        judge: of the file.
        quick: unchanged clock and frequencies only.
        deep: search all combinations of tempo and pitch.
    """
    track = track_of(samples)
    found = _scan(track, layouts, judge)
    if found.marks or quick:
        return found
    for change in search(samples, list(layouts), deep=deep):
        changed = track_of(samples, tempo=change.tempo, pitch=change.pitch)
        more = _scan(changed, [layouts[change.key]], judge)
        if more.marks:
            return replace(
                more, marks=tuple(replace(mark, key=change.key, stage="search") for mark in more.marks)
            )
        log10_p = sync_log10(change.z, change.hypotheses)
        if log10_p < found.trace_log10:
            found = replace(found, trace_log10=log10_p, trace_key=change.key)
    return found


@dataclass(slots=True)
class _Reading:
    """A mark with its trace along the track."""

    mark: Mark
    peak: Peak
    trace: Trace
    parts: list[tuple[int, int]]


def _scan(track: Track, layouts: Sequence[SoundLayout], judge: Judge) -> Found:
    """Marks of a track on its clock."""
    readings: list[_Reading] = []
    trace_log10, trace_key = 0.0, 0
    for stage, key, peak in _peaks(track, layouts):
        if judge.tired:
            break
        if _explained(peak, key, readings):
            continue
        mark = _read(track, peak, key, layouts[key], judge, stage)
        log10_p = sync_log10(peak.z, peak.hypotheses)
        if mark is not None:
            reading = _follow(track, peak, mark, layouts[key])
            if reading.parts and not any(_same(reading, other) for other in readings):
                readings.append(reading)
        elif log10_p < trace_log10:
            trace_log10, trace_key = log10_p, key
    _share(readings)
    marks = tuple(replace(r.mark, parts=_seconds(r, track)) for r in readings if r.parts)
    return Found(marks=marks, trace_log10=trace_log10, trace_key=trace_key)


def _peaks(track: Track, layouts: Sequence[SoundLayout]) -> Iterator[tuple[str, int, Peak]]:
    """Peaks of the whole, best first, then those of windows."""
    if track.steps < SEGMENT // 4:
        return
    maps = score_maps(track, list(layouts), track.values)
    whole = [
        (key, peak) for key, scores in enumerate(maps) for peak in peaks(scores, gate=_GATE, most=_PEAKS)
    ]
    for key, peak in sorted(whole, key=lambda item: -item[1].z):
        yield ("drift" if abs(peak.drift) * track.steps > 2 * STEPS_PER_CHIP else "none"), key, peak
    for length in _WINDOWS:
        if len(maps[0].energy) <= length:
            continue
        windows = [
            (key, peak)
            for key, scores in enumerate(maps)
            for peak in peaks(scores, length=length, gate=_WINDOW_GATE, most=_WINDOW_PEAKS)
        ]
        for key, peak in sorted(windows, key=lambda item: -item[1].z):
            yield "window", key, peak


def _read(track: Track, peak: Peak, key: int, layout: SoundLayout, judge: Judge, stage: str) -> Mark | None:
    for look in looks(track, peak, layout):
        log10_p = judge.accept(look)
        if log10_p is not None and look.payload is not None:
            return Mark(
                key=key,
                payload=look.payload,
                word=look.word,
                log10_p=log10_p,
                rho=look.rho,
                z=peak.z,
                tempo=track.tempo / (1 + peak.drift),
                pitch=track.pitch,
                stage=stage,
            )
    return None


def _follow(track: Track, peak: Peak, mark: Mark, layout: SoundLayout) -> _Reading:
    """Where along the whole track the mark is, with the clock of the peak."""
    whole = replace(peak, start=0, stop=-(-track.steps // SEGMENT))
    steps, first = chip_steps(track, whole)
    trace = trace_of(track.values[:, steps], steps, first, layout.pattern(mark.word))
    parts = [part for part in stretches(trace.ratio) if trace.z(*part) >= _SEGMENT_Z]
    return _Reading(mark, peak, trace, parts)


def _same(one: _Reading, other: _Reading) -> bool:
    """Whether two readings are of one mark: the same words at the same place of the period."""
    distance = (one.peak.phase - other.peak.phase) % PERIOD
    near = min(distance, PERIOD - distance) <= STEPS_PER_CHIP
    return near and one.mark.key == other.mark.key and bool((one.mark.word == other.mark.word).all())


def _explained(peak: Peak, key: int, readings: list[_Reading]) -> bool:
    """Whether a peak lies mostly where a mark was read already."""
    begin, end = peak.start * SEGMENT, peak.stop * SEGMENT
    for reading in readings:
        covered = sum(
            max(min(int(reading.trace.steps[stop - 1]), end) - max(int(reading.trace.steps[start]), begin), 0)
            for start, stop in reading.parts
        )
        distance = (peak.phase - reading.peak.phase) % PERIOD
        same = key == reading.mark.key and min(distance, PERIOD - distance) <= STEPS_PER_CHIP
        if covered > (0.05 if same else 0.85) * (min(end, int(reading.trace.steps[-1])) - begin):
            return True
    return False


def _share(readings: list[_Reading]) -> None:
    """Where two marks claim the same stretch, cut it where the likelihoods cross."""
    for number, one in enumerate(readings):
        for other in readings[number + 1 :]:
            grid = other.trace.steps
            taken = np.zeros(len(grid))
            for start, stop in one.parts:
                inside = (grid >= one.trace.steps[start]) & (grid <= one.trace.steps[stop - 1])
                taken[inside] = np.interp(grid[inside], one.trace.steps, one.trace.ratio)
            own = other.trace.ratio - taken
            other.parts = [
                part for part in stretches(own.astype(np.float32)) if other.trace.z(*part) >= _SEGMENT_Z
            ]
            mine = np.zeros(len(one.trace.steps))
            for start, stop in other.parts:
                inside = (one.trace.steps >= grid[start]) & (one.trace.steps <= grid[stop - 1])
                mine[inside] = np.inf
            ratio = np.where(np.isinf(mine), -abs(one.trace.ratio) - 1, one.trace.ratio)
            one.parts = [
                part for part in stretches(ratio.astype(np.float32)) if one.trace.z(*part) >= _SEGMENT_Z
            ]


def _seconds(reading: _Reading, track: Track) -> tuple[tuple[float, float, float], ...]:
    """Stretches in seconds of the file."""
    scale = STEP_SECONDS / track.tempo
    steps = reading.trace.steps
    return tuple(
        (
            float(steps[start]) * scale,
            float(steps[stop - 1] + STEPS_PER_CHIP) * scale,
            reading.trace.z(start, stop),
        )
        for start, stop in reading.parts
    )
