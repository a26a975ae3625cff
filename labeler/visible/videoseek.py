"""Find labeler's own visible mark in sampled frames of a video.

What moves is blurred away by a temporal median, what stands still stays: the mark, and whatever else does.
The picture detector looks at the median of the first seconds (where GB 45438-2025 5.4 wants the mark), of
all frames, and, if neither shows one, of each stretch of the video. Where it found one, the frames are
compared with the found badge one by one, which tells from when to when it is shown.

Frames are kept in grey at a shortest side of 540 px at most, and no more than `_KEPT` of them: when there
are more, every second one goes, so that a long video costs no more memory than a short one.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from labeler.errors import UsageError
from labeler.types import Evidence, State, VisibleReport
from labeler.visible.detect import detect as detect_picture

__all__ = ["Seeker", "detect"]

U8 = npt.NDArray[np.uint8]

SHORT = 540
"""px: shortest side of the frames that are kept."""
FIRST = 2.0
"""Seconds: the beginning, which is looked at on its own."""
SEEN = 0.6
"""Least correlation of a frame with the badge as found, for the frame to count as showing it."""

_KEPT = 64
_FIRST_KEPT = 12
_STRETCHES = 4


@dataclass(frozen=True, slots=True)
class _Kept:
    time: float
    frame: U8


class Seeker:
    """Looks for a mark in frames that are handed in one by one, in order of time.

    Args:
        font: the font file the mark was drawn with, if it was a user's.
        text: the text of the mark, if it was a user's.
    """

    def __init__(self, *, font: Path | None = None, text: str | None = None) -> None:
        self._font, self._text = font, text
        self._first: list[_Kept] = []
        self._kept: list[_Kept] = []
        self._last: list[_Kept] = []
        self._stride = 1
        self._count = 0
        self._shape: tuple[int, ...] = ()

    def push(self, frame: npt.NDArray[Any], time: float) -> None:
        """Hand in one frame.

        Args:
            frame: as displayed, luma (h, w) or RGB (h, w, 3), uint8 or uint16 (of the full 16 bits).
            time: seconds from the beginning.

        Raises:
            UsageError: wrong shape or dtype, or another size than the frames before.
        """
        if frame.ndim not in (2, 3) or (frame.ndim == 3 and frame.shape[2] != 3) or not frame.size:
            raise UsageError(f"a frame must be (h, w) or (h, w, 3), not {frame.shape}.")
        if frame.dtype not in (np.uint8, np.uint16):
            raise UsageError(f"a frame must be uint8 or uint16, not {frame.dtype}.")
        shape = frame.shape[:2]
        if self._shape and shape != self._shape:
            raise UsageError(f"the frames are {self._shape[::-1]} px, this one {shape[::-1]}.")
        self._shape = shape
        early = time < (self._first[0].time if self._first else time) + FIRST
        early = early and len(self._first) < _FIRST_KEPT
        wanted = self._count % self._stride == 0
        self._count += 1
        kept = _Kept(time, _reduced(frame))
        self._last = [kept]  # a mark that is shown to the end is told so
        if early:
            self._first.append(kept)
        if wanted:
            self._kept.append(kept)
            if len(self._kept) > _KEPT:
                self._kept = self._kept[::2]
                self._stride *= 2

    def finish(self) -> VisibleReport:
        """What was found.

        Returns:
            PRESENT with one `Evidence` for each mark (box and frame in px as displayed, time from the first
            to the last frame that shows it), else ABSENT; CANNOT_TELL without frames, or without a font to
            compare with.
        """
        frames = sorted(
            {kept.time: kept for kept in (*self._kept, *self._first, *self._last)}.values(),
            key=lambda k: k.time,
        )
        if not frames:
            return VisibleReport(state=State.CANNOT_TELL, reason="no frame of the video could be looked at.")
        found: list[tuple[Evidence, U8]] = []
        for group in self._groups():
            median = _median([kept.frame for kept in group])
            report = detect_picture(median, font=self._font, text=self._text)
            if report.state is State.CANNOT_TELL:
                return report
            for mark in report.evidence:
                if not any(_same(mark, other) for other, _ in found):
                    found.append((mark, median))
            if found and group is self._kept:
                break  # the stretches would tell no more
        evidence = tuple(self._told(mark, median, frames) for mark, median in found)
        return VisibleReport(state=State.PRESENT if evidence else State.ABSENT, evidence=evidence)

    def _groups(self) -> Iterable[Sequence[_Kept]]:
        """Frames whose median is looked at: the first seconds, all, then each stretch."""
        if self._first and self._first[-1].time < self._kept[-1].time:
            yield self._first
        yield self._kept
        size = math.ceil(len(self._kept) / _STRETCHES)
        if size >= 2 and len(self._kept) > size:
            yield from (self._kept[at : at + size] for at in range(0, len(self._kept), size))

    def _told(self, mark: Evidence, median: U8, frames: Sequence[_Kept]) -> Evidence:
        """The evidence in px of the video, with the times at which it is shown."""
        assert mark.box is not None
        height, width = frames[0].frame.shape
        scale = self._shape[1] / width, self._shape[0] / height
        x, y, w, h = mark.box
        badge = _normal(median[y : y + h, x : x + w])
        likeness = (
            (kept.time, float(np.vdot(_normal(kept.frame[y : y + h, x : x + w]), badge))) for kept in frames
        )
        times = [time for time, value in likeness if value >= SEEN]
        box = (round(x * scale[0]), round(y * scale[1]), round(w * scale[0]), round(h * scale[1]))
        return dataclasses.replace(
            mark,
            box=box,
            frame=(self._shape[1], self._shape[0]),
            time=(times[0], times[-1]) if times else None,
        )


def detect(
    frames: Iterable[npt.NDArray[Any]],
    times: Iterable[float],
    *,
    font: Path | None = None,
    text: str | None = None,
) -> VisibleReport:
    """Find labeler's own visible mark in frames at hand; see `Seeker`.

    Args:
        frames: as displayed, luma (h, w) or RGB (h, w, 3), uint8 or uint16, in order of time.
        times: seconds of each.
        font: the font file the mark was drawn with, if it was a user's.
        text: the text of the mark, if it was a user's.
    """
    seeker = Seeker(font=font, text=text)
    for frame, time in zip(frames, times, strict=True):
        seeker.push(frame, time)
    return seeker.finish()


def _reduced(frame: npt.NDArray[Any]) -> U8:
    """Grey, 8 bits, shortest side at most `SHORT`."""
    if frame.dtype == np.uint16:
        frame = (frame >> 8).astype(np.uint8)
    factor = SHORT / min(frame.shape[:2])
    if factor < 1:
        size = (max(1, round(frame.shape[1] * factor)), max(1, round(frame.shape[0] * factor)))
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    if frame.ndim == 3:
        frame = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)
    return frame.copy() if factor >= 1 else np.asarray(frame, np.uint8)


def _median(frames: Sequence[U8]) -> U8:
    """The temporal median, in bands so that the stack stays small; of an even number the lower middle one."""
    if len(frames) == 1:
        return frames[0]
    out = np.empty_like(frames[0])
    middle = (len(frames) - 1) // 2
    rows = max(1, (8 << 20) // (len(frames) * out.shape[1]))
    for y in range(0, out.shape[0], rows):
        band = np.stack([frame[y : y + rows] for frame in frames])
        band.partition(middle, axis=0)
        out[y : y + rows] = band[middle]
    return out


def _normal(part: U8) -> npt.NDArray[np.float32]:
    """A piece of a frame with mean 0 and length 1."""
    flat = part.astype(np.float32)
    flat -= flat.mean()
    return np.asarray(flat / (np.linalg.norm(flat) + np.float32(1e-6)), np.float32)


def _same(mark: Evidence, other: Evidence) -> bool:
    """Whether two finds are one: most of the smaller box is common."""
    assert mark.box is not None and other.box is not None
    (ax, ay, aw, ah), (bx, by, bw, bh) = mark.box, other.box
    wide = min(ax + aw, bx + bw) - max(ax, bx)
    high = min(ay + ah, by + bh) - max(ay, by)
    return wide > 0 and high > 0 and wide * high > 0.5 * min(aw * ah, bw * bh)
