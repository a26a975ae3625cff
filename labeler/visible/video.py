"""The visible mark on video: rendered once, drawn on every frame's planes, found again in sampled frames.

The badge is the one of pictures (`labeler.visible.image`): its words are white, its plate is dark grey, so
that drawing it in Y'CbCr needs no colour matrix: luma gets grey values in the video's range, chroma goes
towards its neutral value. Only the part of a frame below the badge is read and written. For a video that
players turn, mirror or stretch, the badge is turned, mirrored and squeezed the other way.

GB 45438-2025 5.4 asks for words at least 5 % of the shortest side high, from the first frame on, for at
least 2 s at normal speed; the default is the whole video.

Example:
    >>> import numpy as np
    >>> y, u, v = (np.full(size, 128, np.uint8) for size in ((480, 640), (240, 320), (240, 320)))
    >>> mark = prepare(640, 480, lang="zh", position="bottom-right")
    >>> mark.apply(y, u, v)
    >>> int(y.max()), mark.text
    (235, 'AI生成')
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from labeler.errors import UsageError
from labeler.types import Evidence
from labeler.visible import image
from labeler.visible.detect import KIND
from labeler.visible.videoseek import Seeker, detect

__all__ = ["MIN_SECONDS", "Seeker", "VideoMark", "detect", "evidence", "frames_shown", "prepare"]

Plane = npt.NDArray[Any]
F32 = npt.NDArray[np.float32]

MIN_SECONDS = 2.0
"""GB 45438-2025 5.4: a mark is shown at least so long, at normal speed."""

_WHITE = {"smpte2084": 0.58, "arib-std-b67": 0.75}
"""Code value of diffuse white (203 cd/m2) in HDR, in parts of the range (ITU-R BT.2408-7, table 1)."""
_DARK = {"smpte2084": 0.16}
"""Code value of the plate where it is not the one of pictures: 1 cd/m2 in PQ (SMPTE ST 2084)."""
_REFERENCES = 8


@dataclass(frozen=True, slots=True, eq=False)
class _Blend:
    """How one plane is drawn: ``plane x keep + frost x show + add``, float32 (h, w) each.

    ``frost`` is the plane below the badge, reduced to ``small`` (width, height), blurred by ``sigma``, times
    ``gain`` plus ``base``. ``keep`` is None where the plate covers everything. ``box`` is x, y, w, h in the plane.
    """

    box: tuple[int, int, int, int]
    keep: F32 | None
    show: F32
    add: F32
    small: tuple[int, int]
    sigma: float
    gain: float
    base: float

    def draw(self, plane: Plane) -> None:
        x, y, w, h = self.box
        view = plane[y : y + h, x : x + w]
        frost: Plane = cv2.resize(view, self.small, interpolation=cv2.INTER_AREA).astype(np.float32)
        frost = cv2.GaussianBlur(frost, (0, 0), self.sigma, borderType=cv2.BORDER_REFLECT)
        frost = frost * np.float32(self.gain) + np.float32(self.base)
        drawn: Plane = cv2.resize(frost, (w, h), interpolation=cv2.INTER_LINEAR)
        drawn *= self.show
        if self.keep is not None:
            drawn += self.keep * view
        drawn += self.add
        view[...] = drawn.astype(plane.dtype)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VideoMark:
    """A visible mark made for the frames of one video.

    Attributes:
        mark: the mark of the picture as displayed: its words, box and measures.
        width: px of a frame as stored.
        height: px of a frame as stored.
        roi: x, y, w, h in the luma plane as stored; no sample outside is touched.
        subsampling: luma columns and rows per chroma sample.
        dtype: of the planes.
    """

    mark: image.Mark
    width: int
    height: int
    roi: tuple[int, int, int, int]
    subsampling: tuple[int, int]
    dtype: np.dtype[Any]
    _luma: _Blend
    _chroma: _Blend

    @property
    def text(self) -> str:
        """The words drawn, as one line."""
        return self.mark.text

    @property
    def position(self) -> str:
        """The corner taken, of the picture as displayed."""
        return self.mark.position

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x, y, w, h of the plate, px of the picture as displayed."""
        return self.mark.box

    @property
    def frame(self) -> tuple[int, int]:
        """Width and height of the picture as displayed, px."""
        return self.mark.width, self.mark.height

    def apply(self, y: Plane, u: Plane | None = None, v: Plane | None = None) -> None:
        """Draw the mark on one frame, in place.

        Args:
            y: luma, (height, width) as stored, uint8, or uint16 of the depth prepared for.
            u: Cb, (ceil(height / rows), ceil(width / columns)), of the same dtype; None for grey.
            v: Cr, likewise.

        Raises:
            UsageError: a plane of another size or dtype.
        """
        across, down = self.subsampling
        chroma = (-(-self.height // down), -(-self.width // across))
        for plane, shape in ((y, (self.height, self.width)), (u, chroma), (v, chroma)):
            if plane is not None and (plane.shape != shape or plane.dtype != self.dtype):
                raise UsageError(
                    f"a plane is {plane.shape} {plane.dtype}; the mark is made for {shape} {self.dtype}."
                )
        self._luma.draw(y)
        for plane in (u, v):
            if plane is not None:
                self._chroma.draw(plane)


def prepare(
    width: int,
    height: int,
    *,
    lang: str = "both",
    text: str | None = None,
    font: Path | None = None,
    position: str = "auto",
    ratio: float = 0.073,
    long: bool = False,
    reference: Sequence[Plane] | None = None,
    rotation: float = 0.0,
    mirrored: bool = False,
    sar: Fraction | float = 1,
    subsampling: tuple[int, int] = (2, 2),
    depth: int = 8,
    full_range: bool = False,
    transfer: str = "",
) -> VideoMark:
    """Make the mark for the frames of one video.

    Args:
        width: px of a frame as stored.
        height: px of a frame as stored.
        lang: wording ``zh``, ``en`` or ``both``.
        text: a user's text instead.
        font: a user's font file; the detector needs the same one to find the mark again.
        position: ``auto`` or a corner of `image.POSITIONS`, of the picture as displayed. ``auto`` takes the
            corner that is calmest in most of the reference frames, without any the bottom right.
        ratio: em over the shortest side as displayed; 0.073 makes the smallest glyph 5.3 % high.
        long: write 人工智能 for AI.
        reference: frames as stored, luma (h, w) or RGB (h, w, 3); used to choose a corner only.
        rotation: degrees, anticlockwise, that a player turns the picture by; taken to a quarter turn.
        mirrored: a player also mirrors it from left to right, after turning.
        sar: width over height of one sample; 0 means unknown, and is taken as 1.
        subsampling: luma columns and rows per chroma sample, (2, 2) for 4:2:0.
        depth: bits per sample, 8 to 16; above 8 the planes are uint16, samples in the low bits.
        full_range: luma from 0 to the largest value, else the video range (16 to 235 in 8 bits).
        transfer: transfer characteristics as ffmpeg names them; for HDR (``smpte2084``, ``arib-std-b67``)
            the words get the brightness of paper, not of the sun.

    Returns:
        The mark.

    Raises:
        UsageError: see `image.prepare`; also a depth or subsampling that does not exist.
        DependencyMissing: no font with all characters.
        MarkDoesNotFit: no legible form of the mark fits into the picture.
    """
    if not 8 <= depth <= 16 or not {*subsampling} <= {1, 2, 4} or width < 1 or height < 1:
        raise UsageError(f"no video has {width} x {height} px, {depth} bits and subsampling {subsampling}.")
    turns = round(rotation / 90) % 4
    stretch = float(sar) if sar and 0.1 <= float(sar) <= 10 else 1.0
    square = max(1, round(width * stretch))
    shown = (height, square) if turns % 2 else (square, height)
    options = {"lang": lang, "text": text, "font": font, "ratio": ratio, "long": long}
    if position == "auto":
        position = _corner(reference or (), square, turns, mirrored, shown, options)
    mark = image.prepare(*shown, position=position, **options)  # type: ignore[arg-type]
    ink, plate = (
        _stored(part, turns, mirrored, width / square) for part in (mark.badge.ink, mark.badge.plate)
    )
    x, y = _origin(mark.box, turns, mirrored, (square, height))
    x = min(round(x * width / square), width - ink.shape[1])
    ink, plate, (x, y) = _aligned(ink, plate, (x, y), subsampling)
    low, span = (0, (1 << depth) - 1) if full_range else (16 << depth - 8, 219 << depth - 8)
    white = low + span * _WHITE.get(transfer, 1.0)
    dark = low + span * _DARK.get(transfer, image.DARK)
    neutral = float(1 << depth - 1)
    across, down = subsampling
    em = mark.badge.em
    luma = _blend(ink, plate, (x, y), (em * width / square, em), white, dark)
    chroma = _blend(
        _touched(ink, across, down),
        _averaged(plate, across, down),
        (x // across, y // down),
        (em * width / square / across, em / down),
        neutral,
        neutral,
    )
    luma = _cropped(luma, width, height)
    chroma = _cropped(chroma, -(-width // across), -(-height // down))
    return VideoMark(
        mark=mark,
        width=width,
        height=height,
        roi=luma.box,
        subsampling=subsampling,
        dtype=np.dtype(np.uint8 if depth == 8 else np.uint16),
        _luma=luma,
        _chroma=chroma,
    )


def frames_shown(rate: Fraction | float, seconds: float | None) -> int | None:
    """How many frames from the first on carry a mark that is shown for some seconds.

    Args:
        rate: frames a second.
        seconds: at least `MIN_SECONDS`; None for the whole video.

    Returns:
        The number of frames, rounded up, or None for all.

    Raises:
        UsageError: fewer seconds, or no rate.
    """
    if seconds is None:
        return None
    if not seconds >= MIN_SECONDS:
        raise UsageError(
            f"a mark is shown for at least {MIN_SECONDS:g} s (GB 45438-2025 5.4), not {seconds}."
        )
    if not 0 < rate < math.inf:
        raise UsageError(f"a video has no rate of {rate} frames a second.")
    return math.ceil(Fraction(rate) * Fraction(seconds))


def evidence(mark: VideoMark, *, end: float | None = None) -> Evidence:
    """What was written, in the form in which `detect` reports what it found.

    Args:
        mark: from `prepare`.
        end: seconds up to which it is shown, if known.
    """
    return Evidence(
        kind=KIND,
        text=mark.text,
        box=mark.box,
        frame=mark.frame,
        time=None if end is None else (0.0, end),
        score=1.0,
        height_ratio=mark.mark.glyph_ratio,
    )


# ---------------------------------------------------------------------------------- stored and displayed


def _corner(
    reference: Sequence[Plane],
    square: int,
    turns: int,
    mirrored: bool,
    shown: tuple[int, int],
    options: dict[str, Any],
) -> str:
    """The corner that is calmest in most frames."""
    step = max(1, len(reference) // _REFERENCES)
    votes: Counter[str] = Counter()
    for frame in reference[::step]:
        seen = np.rot90(_square(frame, square), turns)
        seen = np.ascontiguousarray(seen[:, ::-1] if mirrored else seen)
        votes[image.prepare(*shown, reference=seen, **options).position] += 1
    most = max(votes.values(), default=0)
    return next((corner for corner in image.POSITIONS if most and votes[corner] == most), image.POSITIONS[0])


def _square(frame: Plane, width: int) -> Plane:
    """A frame with square samples; 10-bit ones become 8-bit, only their detail counts."""
    if frame.dtype == np.uint16:
        frame = (frame >> max(0, int(frame.max()).bit_length() - 8)).astype(np.uint8)
    if frame.shape[1] == width:
        return frame
    return cv2.resize(frame, (width, frame.shape[0]), interpolation=cv2.INTER_AREA)


def _stored(part: Plane, turns: int, mirrored: bool, squeeze: float) -> F32:
    """A mask as it stands in the frame as stored, float32 0..1."""
    part = np.rot90(part[:, ::-1] if mirrored else part, -turns)
    part = np.ascontiguousarray(part).astype(np.float32) / np.float32(255)
    width = max(1, round(part.shape[1] * squeeze))
    if width == part.shape[1]:
        return part
    how = cv2.INTER_AREA if width < part.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (width, part.shape[0]), interpolation=how), np.float32)


def _origin(
    box: tuple[int, int, int, int], turns: int, mirrored: bool, size: tuple[int, int]
) -> tuple[int, int]:
    """Left and top of a displayed box in a frame of ``size`` before turning."""
    x, y, w, h = box
    width, height = size
    if mirrored:
        x = (height if turns % 2 else width) - x - w
    return ((x, y), (width - y - h, x), (width - x - w, height - y - h), (y, height - x - w))[turns]


def _aligned(
    ink: F32, plate: F32, at: tuple[int, int], subsampling: tuple[int, int]
) -> tuple[F32, F32, tuple[int, int]]:
    """Masks padded so that they begin and end with whole chroma samples."""
    (x, y), (across, down) = at, subsampling
    left, top = x % across, y % down
    right, bottom = -(x + ink.shape[1]) % across, -(y + ink.shape[0]) % down
    pad = ((top, bottom), (left, right))
    return np.pad(ink, pad), np.pad(plate, pad), (x - left, y - top)


def _touched(part: F32, across: int, down: int) -> F32:
    """A mask at the size of a chroma plane, as strong as its strongest sample: thin strokes take no colour."""
    height, width = part.shape
    return np.ascontiguousarray(part.reshape(height // down, down, width // across, across).max(axis=(1, 3)))


def _averaged(part: F32, across: int, down: int) -> F32:
    """A mask at the size of a chroma plane."""
    size = (part.shape[1] // across, part.shape[0] // down)
    return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.float32)


def _blend(
    ink: F32, plate: F32, at: tuple[int, int], em: tuple[float, float], words: float, ground: float
) -> _Blend:
    """How a plane is drawn whose words have the value ``words`` and whose plate goes towards ``ground``."""
    height, width = ink.shape
    factor = max(1.0, em[0] / 8), max(1.0, em[1] / 8)
    keep = (1 - plate) * (1 - ink)
    return _Blend(
        box=(*at, width, height),
        keep=keep if keep.any() else None,
        show=plate * (1 - ink),
        add=ink * np.float32(words) + np.float32(0.5),
        small=(max(1, round(width / factor[0])), max(1, round(height / factor[1]))),
        sigma=max(0.5, image.FROST * em[1] / factor[1]),
        gain=1 - image.OPACITY,
        base=ground * image.OPACITY,
    )


def _cropped(blend: _Blend, width: int, height: int) -> _Blend:
    """Without what reaches over the edge of a plane of odd size."""
    x, y, w, h = blend.box
    w, h = min(w, width - x), min(h, height - y)
    cut = {
        name: None if part is None else np.ascontiguousarray(part[:h, :w])
        for name, part in (("keep", blend.keep), ("show", blend.show), ("add", blend.add))
    }
    return dataclasses.replace(blend, box=(x, y, w, h), **cut)  # type: ignore[arg-type]
