"""How strong the mark of a clip must and may be: tried out on a few seconds of it.

Clips differ by more than ten decibels in what the same mark costs and survives. So a piece of the clip is marked,
encoded as it will be delivered, and encoded once more as a platform would. The margin of our own codeword after
that says how strong the mark must be; what the delivered piece lost in quality and grew in size says how strong it
may be. The second has the last word: without it, flat and quiet clips would be marked ever more strongly. If the
grain that the size of the frames suggests falls short, its neighbour is tried as well.

No process is started here: the caller encodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.watermark.motion.frames import GRAINS, Grain
from labeler.watermark.motion.marking import VideoMark

__all__ = ["FAST_SCALE", "GOALS", "Goal", "Trial", "Tuned", "loss_of", "tune"]

Floats: TypeAlias = npt.NDArray[np.float32]
Pixels: TypeAlias = npt.NDArray[Any]

FAST_SCALE = 1.0
"""Scale without a probe."""
_LOSS_PER_VIF = 100.0
_LOSS_FRAMES = 8
_MARGIN_SLOPE = 16.0  # dB for ten times the strength; 26 where no cap holds, 13 where they do
_GROWTH_POWER = 1.5  # the size grows about so with the strength
_DELIVERED = 4.0
"""dB of margin that the delivered clip itself must have, whatever that costs."""
_MOST = 4.0
_SMOOTH = 1.6
"""Scale of the strong mark for clips so smooth that the caps of the default one leave nothing to read."""
_FIRST_SCALE, _NEAR = 1.4, 0.06  # a scale so near to the first is not tried again
_BETTER = 2.0  # dB that another grain must gain
_STEP_MAX = 1.6  # the scale changes at most so much from trial to trial
_VIF_NOISE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a strength aims at.

    Attributes:
        crf: of x264 for the encode that plays the platform.
        tiers: what each margin after it may cost: dB (see :meth:`VideoMark.margin`), quality loss (about points of
            VMAF), growth of the delivered size (0.1 = 10 %). The first must be had, the second is a wish that may
            cost less; the stronger of the two is taken.
        least: smallest scale.
        most: largest scale.
    """

    crf: int
    tiers: tuple[tuple[float, float, float], ...]
    least: float
    most: float

    @property
    def loss(self) -> float:
        """Quality loss allowed at the most."""
        return max(tier[1] for tier in self.tiers)

    @property
    def growth(self) -> float:
        """Growth allowed at the most."""
        return max(tier[2] for tier in self.tiers)


GOALS = {
    "default": Goal(
        crf=32, tiers=((1.0, 1.8, 0.155), (3.0, 1.35, 0.08), (9.0, 0.6, 0.05)), least=0.5, most=3.5
    ),
    "strong": Goal(crf=36, tiers=((1.0, 2.8, 0.27), (3.0, 2.8, 0.16), (9.0, 1.3, 0.12)), least=0.6, most=4.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What encoding a piece gave.

    Attributes:
        size: of the delivered piece, bytes.
        delivered: its decoded luma planes, one for each frame given.
        attacked: the same after the second encode; empty if not asked for.
    """

    size: int
    delivered: Sequence[Pixels]
    attacked: Sequence[Pixels] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """The outcome.

    Attributes:
        scale: for :func:`labeler.watermark.video.prepare`.
        grain: likewise.
        strength: likewise; ``strong`` in place of ``default`` for a clip too smooth for that.
        margin: dB after the second encode, predicted for that scale (of the strength that was tried).
        loss: predicted quality loss, about points of VMAF.
        growth: predicted growth of the size.
        limited: what decided the strength: ``quality``, ``size``, ``range``, ``delivery`` or "".
    """

    scale: float
    grain: Grain
    strength: str
    margin: float
    loss: float
    growth: float
    limited: str = ""

    def at(self, scale: float) -> Tuned:
        """What another scale is predicted to give."""
        change = scale / self.scale
        return replace(
            self,
            scale=scale,
            margin=self.margin + _MARGIN_SLOPE * math.log10(change),
            loss=self.loss * change**2,
            growth=self.growth * change**_GROWTH_POWER,
        )


def tune(
    frames: Sequence[Pixels],
    make: Callable[[float, Grain], VideoMark],
    attempt: Callable[[Iterable[Pixels], bool], Trial],
    *,
    grain: Grain,
    strength: str = "default",
    bit_depth: int = 8,
) -> Tuned:
    """Find scale and grain for a clip, in two to four trials with a mark and one without.

    Args:
        frames: (H, W) luma planes of a piece, in order; not changed.
        make: a mark of this strength and a given scale and grain, usually
            :func:`labeler.watermark.video.prepare` with all else fixed.
        attempt: encode these luma planes (with the clip's own chroma) as for delivery and decode; if the second
            argument is true, encode the result again with the CRF of the goal and decode that as well. The planes
            are made one by one as they are asked for.
        strength: ``default`` or ``strong``.
        grain: the one to try first.
        bit_depth: of the samples.
    """
    goal = GOALS[strength]
    plain = attempt(frames, False)

    def tried(scale: float, grain: Grain) -> Tuned:
        mark = make(scale, grain)
        trial = attempt(_marked(frames, mark), True)
        margin = mark.margin(_spread(trial.attacked, 60))
        loss = loss_of(frames, plain.delivered, trial.delivered, bit_depth)
        growth = trial.size / max(plain.size, 1) - 1
        result = _next(goal, scale, margin, loss, growth, grain=grain, strength=strength)
        least = scale * 10 ** ((_DELIVERED - mark.margin(_spread(trial.delivered, 60))) / _MARGIN_SLOPE)
        if least > result.scale:  # a mark that cannot be read as delivered is worth nothing
            result = replace(result.at(min(least, _STEP_MAX * scale, _MOST)), limited="delivery")
        return result

    best = tried(_FIRST_SCALE, grain)
    # Too many bytes: a coarser grain costs fewer. Too much quality: a finer one costs less.
    step = -1 if best.limited == "quality" else 1
    number = GRAINS.index(grain) + step
    while best.margin < goal.tiers[0][0] and 0 <= number < len(GRAINS):
        other = tried(_FIRST_SCALE, GRAINS[number])
        if other.margin < best.margin + _BETTER:
            break
        best, number = other, number + step
    if abs(best.scale / _FIRST_SCALE - 1) < _NEAR:
        return best
    last = tried(best.scale, best.grain)
    if best.scale < _FIRST_SCALE <= last.scale and last.limited != "delivery":
        # The first scale was over budget, whatever the second trial foretells: what lies between is left.
        last = last.at((best.scale * _FIRST_SCALE) ** 0.5)
    asks_for_more = last.limited == "delivery" and last.scale > (1 + _NEAR) * best.scale
    if asks_for_more and strength == "default":
        return replace(last, scale=_SMOOTH, strength="strong")
    return last


def _marked(frames: Sequence[Pixels], mark: VideoMark) -> Iterator[Pixels]:
    for index, y in enumerate(frames):
        plane = np.ascontiguousarray(y).copy()
        mark.apply(plane, index)
        yield plane


def _next(
    goal: Goal, scale: float, margin: float, loss: float, growth: float, *, grain: Grain, strength: str
) -> Tuned:
    """The scale that a trial recommends: what the margin needs, no more than quality and size allow."""
    options = []
    for wanted, most_loss, most_growth in goal.tiers:
        limits = {
            "": scale * 10 ** ((wanted - margin) / _MARGIN_SLOPE),
            "quality": scale * (most_loss / max(loss, 0.05)) ** 0.5,
            "size": scale * (most_growth / max(growth, 0.005)) ** (1 / _GROWTH_POWER),
            "range": goal.most,
        }
        limited = min(limits, key=lambda name: limits[name])
        options.append((limits[limited], limited))
    chosen = max(max(options)[0], goal.least)
    limited = options[0][1]
    chosen = float(np.clip(chosen, scale / _STEP_MAX, scale * _STEP_MAX))
    tried = Tuned(
        scale=scale, grain=grain, strength=strength, margin=margin, loss=loss, growth=growth, limited=limited
    )
    return tried.at(chosen)


def loss_of(
    source: Sequence[Pixels], plain: Sequence[Pixels], marked: Sequence[Pixels], bit_depth: int = 8
) -> float:
    """Quality that a delivery lost by the mark, about points of VMAF.

    The difference of visual information fidelity (Sheikh and Bovik 2006, pixel domain, the three coarser scales) of
    the two deliveries to the source, times a constant fitted to VMAF v0.6.1 on the tuning clips.
    """
    unit = np.float32(1 / (1 << (bit_depth - 8)))
    count = min(len(source), len(plain), len(marked))
    total = 0.0
    picked = np.unique(np.linspace(0, count - 1, min(_LOSS_FRAMES, count)).astype(int))
    for index in picked:
        planes = [np.asarray(group[int(index)], np.float32) * unit for group in (source, plain, marked)]
        total += _fidelity(planes[0], planes[1]) - _fidelity(planes[0], planes[2])
    return _LOSS_PER_VIF * total / max(len(picked), 1)


def _fidelity(source: Floats, other: Floats) -> float:
    """Visual information fidelity, mean of the scales 1/2, 1/4 and 1/8."""
    total = 0.0
    for sigma in (1.8, 1.0, 0.6):
        source, other = np.asarray(cv2.pyrDown(source)), np.asarray(cv2.pyrDown(other))
        first, second = _blur(source, sigma), _blur(other, sigma)
        one = np.maximum(_blur(source * source, sigma) - first * first, 1e-6)
        two = np.maximum(_blur(other * other, sigma) - second * second, 1e-6)
        both = _blur(source * other, sigma) - first * second
        gain = np.maximum(both / one, 0)
        rest = np.maximum(two - gain * both, 1e-6)
        kept = np.log2(1 + gain * gain * one / (rest + _VIF_NOISE)).sum()
        total += float(kept) / max(float(np.log2(1 + one / _VIF_NOISE).sum()), 1e-6)
    return total / 3


def _blur(plane: Floats, sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), np.float32)


def _spread(frames: Sequence[Pixels], count: int) -> Iterator[Pixels]:
    """At most ``count`` evenly spaced frames."""
    for index in np.unique(np.linspace(0, len(frames) - 1, min(count, len(frames))).astype(int)):
        yield frames[int(index)]
