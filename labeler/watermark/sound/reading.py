"""From chips to a payload: fold the repeats, weigh the chips, decode, look at the tag.

What a chip is worth depends on what happened to the sound: noise drowns the quiet ones, telephones cut the
high bands. The first try takes all chips alike; then the weight of every group of chips (band group x level
class) is refined by expectation maximisation. Evidence is always counted with weights that do not depend on
the key (see :mod:`labeler.watermark.statistics`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from labeler.watermark.code import Bits, decode, encode
from labeler.watermark.message import open_message
from labeler.watermark.sound.layout import SoundLayout
from labeler.watermark.sound.profile import BANDS, COLUMNS, Bools, Floats, Ints
from labeler.watermark.sound.sync import SEGMENT, Peak
from labeler.watermark.sound.track import STEPS_PER_CHIP, Track

__all__ = ["Look", "looks"]

_LEVEL_EDGES = (-55.0, -42.0, -25.0)
"""Level classes, dB relative to the 95th percentile."""
_BAND_GROUP = 5
_ROUNDS = 3
_PART_GAIN = 1.3
"""The mark of a part is so much clearer than the mean of a stretch that holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One decoding.

    Attributes:
        payload: 8 bytes, or None if the tag does not fit.
        word: (384,) code bits of the decoded message.
        rho: correlation with its code word (data chips), standard deviations.
    """

    payload: bytes | None
    word: Bits
    rho: float


def chip_steps(track: Track, peak: Peak, offset: int = 0) -> tuple[Ints, int]:
    """Steps at which the chips of a peak begin, and the column of the first."""
    begin, end = peak.start * SEGMENT, min(peak.stop * SEGMENT, track.steps)
    middle = (-(-track.steps // SEGMENT) - 1) / 2 * SEGMENT
    phase = peak.phase + offset
    first = -(-(begin - phase) // STEPS_PER_CHIP)
    count = max((end - 1 - phase) // STEPS_PER_CHIP - first + 1, 0)
    steps = phase + STEPS_PER_CHIP * (first + np.arange(count))
    if peak.drift:
        steps = np.rint(steps + peak.drift * (steps - middle)).astype(np.int64)
    inside = (steps >= 0) & (steps < track.steps)
    lost = int(np.argmax(inside)) if inside.any() else 0
    return steps[inside], first + lost


def looks(track: Track, peak: Peak, layout: SoundLayout) -> Iterator[Look]:
    """Decodings of a peak, the most promising first.

    Where the sync chips say that only a part of the track is marked, that part comes first; a window is
    widened or narrowed to it.
    """
    whole = Peak(
        z=peak.z,
        start=0,
        stop=-(-track.steps // SEGMENT),
        phase=peak.phase,
        drift=peak.drift,
        hypotheses=peak.hypotheses,
    )
    for offset in (0, 1, -1):
        steps, first = chip_steps(track, whole, offset)
        if len(steps) < COLUMNS // 4:
            return
        values = track.values[:, steps]
        inside = (steps >= peak.start * SEGMENT) & (steps < peak.stop * SEGMENT)
        for part in (
            _parts(values, first, inside, layout)
            if offset == 0
            else [_parts(values, first, inside, layout)[0]]
        ):
            folded = fold_classes(
                values[:, part], level_classes(track.levels[:, steps[part]]), first + part.start
            )
            plain = folded.sum(axis=0)
            softs = [layout.soft(plain), refine(folded, layout, plain)]
            for soft in softs if offset == 0 else softs[1:]:
                message = decode(soft[None])[0]
                word = encode(message)
                rho = correlation_of(plain, word, layout)
                yield Look(payload=open_message(message, layout.key), word=word, rho=rho)


def _parts(values: Floats, first: int, inside: Bools, layout: SoundLayout) -> list[slice]:
    """The columns that the sync chips show as marked, and those of the peak if they differ much."""
    columns = (first + np.arange(values.shape[1])) % COLUMNS
    chips = layout.sync[:, columns]
    match = (values * chips).sum(axis=0)
    energy = (values * values * (chips != 0)).sum(axis=0)
    own = np.flatnonzero(inside)
    if not len(own):
        return [slice(0, len(columns))]
    peak = slice(int(own[0]), int(own[-1]) + 1)
    gain = _PART_GAIN * float(match[peak].sum() / (energy[peak].sum() + 1e-9))
    total = np.concatenate([[0.0], np.cumsum(gain * match - gain * gain * energy / 2)])
    stop = int((total - np.minimum.accumulate(total)).argmax())
    start = int(total[: stop + 1].argmin())
    if stop - start < COLUMNS // 2 or gain <= 0:
        return [peak]
    common = max(min(stop, peak.stop) - max(start, peak.start), 0)
    same = common > 0.85 * max(stop - start, peak.stop - peak.start)
    return [peak] if same else [slice(start, stop), peak]


def level_classes(levels: Floats) -> Ints:
    """Class of every chip by its level, 0 = quietest."""
    top = np.percentile(levels, 95)
    return np.asarray(np.digitize(levels - top, _LEVEL_EDGES), np.int64)


def fold_classes(values: Floats, classes: Ints, first: int) -> Floats:
    """Sum over the repeats of the pattern, for each level class: (4, 40, 256); column 0 is chip column 0."""
    count = values.shape[1]
    lead = first % COLUMNS
    periods = -(-(lead + count) // COLUMNS)
    out = np.zeros((len(_LEVEL_EDGES) + 1, BANDS, COLUMNS), np.float32)
    room = np.zeros((BANDS, periods * COLUMNS), np.float32)
    for number in range(len(out)):
        np.multiply(values, classes == number, out=room[:, lead : lead + count])
        out[number] = room.reshape(BANDS, periods, COLUMNS).sum(axis=1)
    return out


def refine(folded: Floats, layout: SoundLayout, plain: Floats) -> Floats:
    """Soft decisions (384,) with group weights found by expectation maximisation."""
    shape = (len(folded), BANDS // _BAND_GROUP, _BAND_GROUP * COLUMNS)
    groups = (folded * layout.signs).reshape(shape)
    soft = layout.soft(plain)
    square = (groups**2).sum(axis=2) + 1e-6
    for _ in range(_ROUNDS):
        # Two-point fit of the soft decisions: mean m, variance of what is left.
        mean = float(np.abs(soft).mean())
        spread = max(float((soft**2).mean()) - mean**2, 0.05 * mean**2) + 1e-9
        expected = np.tanh(soft * (mean / spread))
        chips = np.append(expected, np.float32(0))[layout.bit].reshape(1, *shape[1:])
        gain = (groups * chips).sum(axis=2)
        # A group is worth its gain over its noise; damped, since a group is small.
        weight = np.maximum(gain, 0) / square
        weight = weight + 0.1 * weight.mean()
        weighted = (folded.reshape(shape) * weight[..., None]).sum(axis=0)
        soft = layout.soft(weighted.reshape(BANDS, COLUMNS))
    return soft


def correlation_of(cells: Floats, word: Bits, layout: SoundLayout) -> float:
    """Correlation of folded cells with the data chips of a code word."""
    data = np.where(layout.sync == 0, cells, 0)
    return float((data * layout.pattern(word)).sum() / np.sqrt((data * data).sum() + 1e-9))
