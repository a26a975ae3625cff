"""The invisible video watermark: 64 bits in the luma of a clip, found again after codecs and reframing.

Arrays in, arrays or a report out; no files, no ffmpeg. Described in docs/watermark-video.md. One
:class:`VideoMark` marks the frames of one clip; one :class:`Detector` looks at some sixty frames of a clip.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from labeler.core.keys import WatermarkKey
from labeler.errors import UsageError
from labeler.types import Segment, State, WatermarkReport
from labeler.watermark.image import SIDE_MIN, CannotMark
from labeler.watermark.layout import Layout
from labeler.watermark.motion.evidence import Slot, Timeline
from labeler.watermark.motion.finding import Found, Geometry, find_in, look, search_all, trace_log10
from labeler.watermark.motion.frames import Grain, half_shape, luma_half, whiten_frame
from labeler.watermark.motion.inner import inner_of
from labeler.watermark.motion.marking import VideoMark, plan_word
from labeler.watermark.motion.mask import FLAT_RMS
from labeler.watermark.motion.segments import runs, slot_scores

__all__ = [
    "ALGORITHM",
    "FINE_MEAN_SIDE",
    "MEAN_SIDE_MIN",
    "STRENGTHS",
    "CannotMark",
    "Detector",
    "VideoMark",
    "grain_of",
    "layout_of",
    "prepare",
]

Pixels: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float32]

ALGORITHM = "io.github.labeler.video.1"
"""Name of the video profile in a C2PA soft binding."""
PURPOSE = "watermark/video/1"
STRENGTHS = {"default": 0.9, "strong": 1.4}
"""Rms of the mark before caps for ``scale`` 1, grey levels of 8 bits."""
FINE_MEAN_SIDE = 440
"""Frames with a smaller root of the area (px) get the medium lattice unless a trial says otherwise."""
MEAN_SIDE_MIN = 215
"""Smaller frames, by the root of their area (px), are not marked: the lines would pass their resolution."""
_SIDE_READ = 32
_FLAT_RANGE = 2.0  # levels
_FRAMES_PLANNED = 12
_TRACE_LOG10 = -6.0
_FRAMES_BARS = 8
"""Bars are looked for in so many frames at the beginning."""
_COARSE, _CUT = 8, 14.0
"""A mean change of every eighth pixel by so many levels, from one frame looked at to the next, is a cut."""
_PAYLOADS_MAX = 8
_SLOTS_MIN = 4
"""Fewer slots in a row are not read for another payload."""


def layout_of(key: WatermarkKey) -> Layout:
    """The lattice of a key."""
    return Layout.of_video(key.derive(PURPOSE))


def grain_of(width: int, height: int) -> Grain:
    """The grain that suits frames of that size (px), as far as can be told without a trial."""
    return "medium" if math.sqrt(width * height) < FINE_MEAN_SIDE else "fine"


def prepare(
    width: int,
    height: int,
    payload: bytes,
    key: WatermarkKey,
    *,
    strength: str = "default",
    sample_luma: Sequence[Pixels],
    bit_depth: int = 8,
    scale: float = 1.0,
    grain: Grain | None = None,
) -> VideoMark:
    """Plan the mark of a clip.

    Args:
        width: of the frames, px.
        height: of the frames, px.
        payload: 8 bytes.
        key: the watermark key.
        strength: ``default`` or ``strong``.
        sample_luma: (height, width) luma planes, some twelve spread over the clip, uint8 or uint16.
        bit_depth: of the samples, 8 to 16.
        scale: factor on the strength, from :func:`labeler.watermark.motion.strength.tune`.
        grain: of the lattice; by the size of the frames if not given.

    Raises:
        CannotMark: the frames are too small or entirely flat.
        UsageError: there is no such strength.
    """
    if strength not in STRENGTHS:
        raise UsageError(f"unknown strength {strength!r}.", remedy=f"Use one of: {', '.join(STRENGTHS)}.")
    if min(width, height) < SIDE_MIN:
        raise CannotMark(
            f"the short side has {min(width, height)} px; an invisible mark needs at least {SIDE_MIN}.",
            remedy="Metadata and the visible label carry the label instead.",
        )
    if math.sqrt(width * height) < MEAN_SIDE_MIN:
        raise CannotMark(
            f"{width} x {height} px are too few for the invisible mark of video, which needs about 256 x 192.",
            remedy="Metadata and the visible label carry the label instead.",
        )
    if not sample_luma:
        raise ValueError("at least one sample frame is needed")
    grain = grain or grain_of(width, height)
    shape = half_shape(height, width, grain)
    step = max(len(sample_luma) // _FRAMES_PLANNED, 1)
    samples = [luma_half(y, shape, bit_depth) for y in sample_luma[::step]]
    if all(float(np.ptp(luma)) <= _FLAT_RANGE for luma in samples):
        raise CannotMark(
            "the clip is one flat area, where no invisible mark would survive.",
            remedy="Metadata and the visible label carry the label instead.",
        )
    layout = layout_of(key)
    level, flat = STRENGTHS[strength] * scale, FLAT_RMS[strength]
    word, tile = plan_word(samples, payload, layout, strength=level, flat=flat)
    return VideoMark(
        width=width,
        height=height,
        grain=grain,
        layout=layout,
        word=word,
        tile=tile,
        strength=level,
        flat=flat,
        bit_depth=bit_depth,
    )


_Pairs: TypeAlias = Sequence[tuple[WatermarkKey, Layout]]


class _View:
    """One way to see the frames: whole, or the picture inside bars."""

    def __init__(self, size: tuple[int, int], window: tuple[slice, slice] | None = None) -> None:
        self.size, self.shape = size, half_shape(*size)
        self.window = window if window is not None else (slice(None), slice(None))
        self.timeline = Timeline()


class Detector:
    """Look for a mark in a clip, frame by frame.

    Some sixty frames, evenly spaced, are enough for a short clip, and one a second for a long one; more do no
    harm and add little. Memory does not grow with their number.

    Args:
        width: of the frames, px.
        height: of the frames, px.
        keys: the keys to try.
        quick: unchanged geometry (any uniform scale), flips and quarter turns only.
        bit_depth: of the samples.
    """

    def __init__(
        self,
        width: int,
        height: int,
        keys: Sequence[WatermarkKey],
        *,
        quick: bool = False,
        bit_depth: int = 8,
    ) -> None:
        self._width, self._height = width, height
        self._keys, self._quick, self._bit_depth = tuple(keys), quick, bit_depth
        self._whole = _View((height, width))
        self._inner: _View | None = None
        self._unsure = _FRAMES_BARS
        self._flat = True
        self._before: Floats | None = None

    def push(self, y: Pixels, time: float) -> None:
        """Add a frame.

        Args:
            y: (height, width) luma, uint8 or uint16.
            time: seconds from the beginning; frames come in order.
        """
        if y.shape != (self._height, self._width):
            raise ValueError(f"the frame is {y.shape}, not {(self._height, self._width)}")
        if min(y.shape) < _SIDE_READ:
            return
        if self._unsure and self._inner is None:
            self._look_for_bars(y)
        luma = luma_half(y, self._whole.shape, self._bit_depth)
        if self._flat and float(np.ptp(luma)) > _FLAT_RANGE:
            self._flat = False
        coarse = luma[::_COARSE, ::_COARSE]
        cut = self._before is not None and float(np.abs(coarse - self._before).mean()) > _CUT
        self._before = coarse.copy()
        self._whole.timeline.push(whiten_frame(luma), float(time), cut=cut)
        if self._inner is not None:
            inside = np.ascontiguousarray(y[self._inner.window])
            plane = whiten_frame(luma_half(inside, self._inner.shape, self._bit_depth))
            self._inner.timeline.push(plane, float(time), cut=cut)

    def _look_for_bars(self, y: Pixels) -> None:
        """Open a second view for the picture inside bars or a blurred fill, if the first frames show one."""
        self._unsure -= 1
        window = inner_of(y)
        if window is not None:
            rows, columns = window
            self._inner = _View((rows.stop - rows.start, columns.stop - columns.start), window)

    def finish(self) -> WatermarkReport:
        """Search all that was pushed.

        Returns:
            PRESENT with the payload of the longest marked stretch, the geometry and all stretches; ABSENT; or
            CANNOT_TELL with the reason.
        """
        if min(self._width, self._height) < _SIDE_READ:
            return _cannot_tell(
                f"the short side has {min(self._width, self._height)} px; too small to show a mark"
            )
        views = [(view.timeline.slots, view.size) for view in (self._whole, self._inner) if view is not None]
        if not views[0][0]:
            return _cannot_tell("there are no frames")
        if self._flat:
            return _cannot_tell("the clip is flat and cannot show a mark")
        pairs = [(key, layout_of(key)) for key in self._keys]
        for slots, size in views:
            for key, layout in pairs:
                found = look(slots, layout, size)
                if found is not None:
                    return self._present(slots, size, found, key, layout, pairs)
        traces = []
        for slots, size in () if self._quick else reversed(views):
            for key, layout in pairs:
                found, z = search_all(slots, layout, inside=size != views[0][1])
                if found is not None:
                    return self._present(slots, size, found, key, layout, pairs)
                if trace_log10(z) < _TRACE_LOG10:
                    traces.append((trace_log10(z), key))
        search = "quick" if self._quick else "full"
        if traces:
            log10_p, key = min(traces, key=lambda trace: trace[0])
            return WatermarkReport(
                state=State.CANNOT_TELL,
                key_id=key.key_id,
                log10_p=round(log10_p, 1),
                geometry={"search": search},
                reason=f"there are traces of a mark of key {key.key_id}, but its payload cannot be read",
            )
        return WatermarkReport(state=State.ABSENT, geometry={"search": search})

    def _present(
        self,
        slots: Sequence[Slot],
        size: tuple[int, int],
        found: Found,
        key: WatermarkKey,
        layout: Layout,
        pairs: _Pairs,
    ) -> WatermarkReport:
        """The report of an accepted mark."""
        segments = _segments(slots, size, found, key, layout, pairs)
        held: dict[str, float] = {}
        for segment in segments:
            held[segment.payload] = held.get(segment.payload, 0.0) + segment.end - segment.start
        text = max(held, key=lambda payload: held[payload]) if held else found.decoded.payload.hex()
        first = next((segment for segment in segments if segment.payload == text), None)
        inside = self._inner is not None and slots is self._inner.timeline.slots
        return WatermarkReport(
            state=State.PRESENT,
            payload=text,
            mark_id=text[2:],
            key_id=first.key_id if first is not None else key.key_id,
            log10_p=round(found.log10_p, 1),
            geometry=_describe(found) | {"inside_bars": inside},
            segments=tuple(segments),
        )


def _segments(
    slots: Sequence[Slot],
    size: tuple[int, int],
    found: Found,
    key: WatermarkKey,
    layout: Layout,
    pairs: _Pairs,
) -> list[Segment]:
    """Stretches of the payload found, then of others in what it leaves free."""
    planes = [slot.plane for slot in slots]
    free = [(0, len(slots))]
    result: list[Segment] = []
    for _ in range(_PAYLOADS_MAX):
        geometry = found.geometry
        scores = slot_scores(
            planes,
            geometry.align,
            found.decoded.payload,
            layout,
            cells=geometry.placement is not None,
            read=found.slots,
        )
        stretches = [
            (start + one, start + two) for start, stop in free for one, two in runs(scores[start:stop])
        ]
        # What is too weak to show slot by slot was read in this stretch all the same.
        stretches = stretches or [found.slots]
        result += [_segment(slots, one, two, found, key) for one, two in stretches]
        rest = _without(free, stretches)
        free = [(one, two) for one, two in rest if two - one >= _SLOTS_MIN]
        another = _another(slots, size, free, geometry, pairs)
        if another is None:
            break
        found, key, layout = another
    return sorted(result, key=lambda segment: segment.start)


def _another(
    slots: Sequence[Slot],
    size: tuple[int, int],
    free: Sequence[tuple[int, int]],
    geometry: Geometry,
    pairs: _Pairs,
) -> tuple[Found, WatermarkKey, Layout] | None:
    """A mark in what is left free, in the geometry of the last one or in its own, as another clip's may be."""
    for one, two in free:
        for key, layout in pairs:
            found = find_in(slots[one:two], layout, geometry) or look(slots[one:two], layout, size)
            if found is not None:
                start, stop = found.slots
                return dataclasses.replace(found, slots=(one + start, one + stop)), key, layout
    return None


def _without(free: Sequence[tuple[int, int]], taken: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges less other ranges."""
    rest = list(free)
    for one, two in taken:
        rest = [part for start, stop in rest for part in ((start, min(stop, one)), (max(start, two), stop))]
    return [(start, stop) for start, stop in rest if start < stop]


def _segment(slots: Sequence[Slot], first: int, stop: int, found: Found, key: WatermarkKey) -> Segment:
    end = slots[stop].first if stop < len(slots) else slots[-1].last
    return Segment(
        start=round(slots[first].first, 3),
        end=round(end, 3),
        payload=found.decoded.payload.hex(),
        key_id=key.key_id,
        log10_p=round(found.log10_p, 1),
    )


def _describe(found: Found) -> dict[str, Any]:
    """Geometry of a finding for the report."""
    geometry = found.geometry
    scale, rotation, mirror = 1.0, -90.0 * geometry.orientation.turns % 360, geometry.orientation.mirror
    if geometry.placement is not None:
        matrix = geometry.placement.matrix[:2, :2]
        mirror = bool(np.linalg.det(matrix) < 0)
        if mirror:
            matrix = matrix @ np.diag([-1.0, 1.0])
        scale = math.sqrt(abs(float(np.linalg.det(matrix))))
        rotation = math.degrees(math.atan2(matrix[1, 0] - matrix[0, 1], matrix[0, 0] + matrix[1, 1]))
    return {
        "scale": round(scale, 4),
        "rotation": round(rotation, 2),
        "flip": mirror,
        "search": geometry.stage,
        "comparable": False,
        "rho": round(found.decoded.rho, 2),
    }


def _cannot_tell(reason: str) -> WatermarkReport:
    return WatermarkReport(state=State.CANNOT_TELL, reason=reason)
