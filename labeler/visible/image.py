"""The visible mark on pictures: prepare it once, apply it to each frame, find it again.

The mark is a badge of white words on a dark frosted plate near a corner of the picture (GB 45438-2025
5.2: at the edge or in a corner, clearly legible, at least 5 % of the shortest side high). The plate
blurs and darkens what lies below it, so that white on plate keeps a contrast of at least 4.5 : 1
(WCAG 2.2, 1.4.3) on every background, and always looks the same to `detect`.

Example:
    >>> import numpy as np
    >>> picture = np.full((480, 640, 3), 200, np.uint8)
    >>> mark = prepare(640, 480, lang="zh", position="bottom-right")
    >>> mark.text, mark.glyph_ratio >= 0.05
    ('AI生成', True)
    >>> apply(picture, mark).shape
    (480, 640, 3)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from labeler.errors import InputError, UsageError
from labeler.types import Evidence
from labeler.visible import badge as badges
from labeler.visible.detect import KIND, detect
from labeler.visible.fonts import Face, find_face
from labeler.visible.wording import SEPARATOR, clean_text, wording
from labeler.visible.wording import forms as forms_of

__all__ = ["POSITIONS", "Mark", "MarkDoesNotFit", "apply", "apply_alpha", "detect", "evidence", "prepare"]

Pixels = npt.NDArray[Any]

POSITIONS = ("bottom-right", "bottom-left", "top-right", "top-left")
"""Corners, the preferred one first."""

MIN_GLYPH_RATIO = 0.05
"""GB 45438-2025 5.2: text height over the shortest side."""

EM_SMALL = 11.0
"""px: below this, Chinese characters lose strokes; small pictures get at least this size if it fits."""
EM_FLOOR = 9.0
"""px: below this nothing is drawn."""
SUB_FLOOR = 8.0
"""px: smallest em of the English line; without room for it the line is left out."""
SUB_GROWTH = 1.35
"""The whole badge may grow by this factor to keep its English line."""
MARGIN = 0.02
"""Distance from the edges, in parts of the shortest side."""
MAX_COVER = 0.5
"""The badge may hide this part of the picture at most."""

DARK = 18 / 255
"""sRGB value of the plate."""
OPACITY = 0.70
"""Opacity of the plate's colour: white below it becomes sRGB 0.35, 7.1 : 1 under white words."""
FROST = 0.45
"""Standard deviation of the blur below the plate, in em."""


class MarkDoesNotFit(InputError):
    """The picture is too small or too narrow for legible words; the visible layer is not applicable."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mark:
    """A visible mark made for pictures of one size.

    Attributes:
        text: the words drawn, as one line.
        lang: ``zh``, ``en``, ``both``, or empty for a user's text.
        width: px of the picture.
        height: px of the picture.
        box: x, y, w, h of the plate in px; no pixel outside is touched.
        position: the corner taken.
        badge: coverage of words and plate, uint8 (h, w).
        em_ratio: em of the main line over the shortest side.
        line_ratio: ink height of the main line over the shortest side.
        glyph_ratio: ink height of its smallest glyph (of the GB elements, where it has them) over the
            shortest side; 0.05 is the bar of GB 45438-2025 5.2.
    """

    text: str
    lang: str
    width: int
    height: int
    box: tuple[int, int, int, int]
    position: str
    badge: badges.Badge
    em_ratio: float
    line_ratio: float
    glyph_ratio: float


def prepare(
    width: int,
    height: int,
    *,
    lang: str = "both",
    text: str | None = None,
    font: Path | None = None,
    position: str = "auto",
    ratio: float = 0.073,
    reference: Pixels | None = None,
    long: bool = False,
) -> Mark:
    """Make the mark for pictures of one size.

    Small pictures get a simpler badge rather than an illegible one: first the English line goes, then
    the words are set in two lines, then one below the other.

    Args:
        width: px of the picture.
        height: px of the picture.
        lang: wording ``zh``, ``en`` or ``both``.
        text: a user's text instead, one line; it is broken into up to three if it has to be.
        font: a user's font file; the detector needs the same one to find the mark again.
        position: ``auto`` or a corner of `POSITIONS`. ``auto`` takes the calmest corner of `reference`,
            and without one, or where all are alike, the bottom right.
        ratio: em over the shortest side, 0.03 to 0.25. 0.073 makes the smallest glyph 5.3 % high.
        reference: the picture, (h, w) or (h, w, 3), uint8 or uint16; used to choose a corner only.
        long: write 人工智能 for AI.

    Returns:
        The mark.

    Raises:
        UsageError: unknown position or language, ratio out of range, unfit text, unfit user's font.
        DependencyMissing: no font with all characters.
        MarkDoesNotFit: no legible form of the mark fits into the picture.
    """
    if position not in ("auto", *POSITIONS):
        raise UsageError(f"unknown position {position!r}.", remedy=f"Use auto, {', '.join(POSITIONS)}.")
    if not 0.03 <= ratio <= 0.25:
        raise UsageError(f"the text size {ratio} is not within 0.03 to 0.25 of the shortest side.")
    if reference is not None and reference.shape[:2] != (height, width):
        raise UsageError(f"the reference picture is {reference.shape[1::-1]}, not {(width, height)} px.")
    if text is None:
        words = wording(lang, long=long)
        forms = list(forms_of(words.main, words.sub))
    else:
        lang = ""
        text = clean_text(text)
        forms = [(badges.wrap(text, n), "") for n in (1, 2, 3)]
    face = find_face("".join(forms[0][0]) + forms[0][1], font=font)
    for main, sub in forms:
        made = _fit(face, main, sub, width, height, ratio)
        if made is not None and made.plate.size <= MAX_COVER * width * height:
            box_w, box_h = made.size
            corner = position if position != "auto" else _calmest(reference, (box_w, box_h), width, height)
            x, y = _place(corner, (box_w, box_h), width, height)
            short = min(width, height)
            joined = "".join(main) if text is None else text
            return Mark(
                text=f"{joined}{SEPARATOR}{sub}" if sub else joined,
                lang=lang if sub or lang != "both" else "zh",
                width=width,
                height=height,
                box=(x, y, box_w, box_h),
                position=corner,
                badge=made,
                em_ratio=made.em / short,
                line_ratio=made.line_ink / short,
                glyph_ratio=made.glyph_ink / short,
            )
    raise MarkDoesNotFit(
        f"a legible mark {forms[0][0][0]!r} does not fit into {width} x {height} px.",
        remedy="Use a shorter text, a larger picture, or label it without the visible layer.",
    )


def _fit(
    face: Face, main: tuple[str, ...], sub: str, width: int, height: int, ratio: float
) -> badges.Badge | None:
    """The badge at the size asked for, or at the largest legible size below that fits, or None."""
    short = min(width, height)
    margin = _margin(short)
    want = max(ratio * short, EM_SMALL)
    if sub:
        sub_em = badges.render(face, main, sub, want).sub_em
        want *= max(1.0, SUB_FLOOR / sub_em)
        if want > SUB_GROWTH * max(ratio * short, EM_SMALL):
            return None
    need = MIN_GLYPH_RATIO * min(1.0, ratio / 0.073) * short
    for step in range(64):
        em = round(want * 0.97**step * 4) / 4
        if em < EM_FLOOR:
            return None
        made = badges.render(face, main, sub, em)
        while step == 0 and made.glyph_ink < need:
            em += 0.5
            made = badges.render(face, main, sub, em)
        if sub and made.sub_em < SUB_FLOOR - 0.3:
            return None
        if made.glyph_ink < need:
            return None
        box_w, box_h = made.size
        if box_w + 2 * margin <= width and box_h + 2 * margin <= height:
            return made
    return None


def _margin(short: int) -> int:
    return round(MARGIN * short) if short >= 48 else 0


def _place(corner: str, size: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    margin = _margin(min(width, height))
    x = margin if corner.endswith("left") else width - margin - size[0]
    y = margin if corner.startswith("top") else height - margin - size[1]
    return x, y


def _calmest(reference: Pixels | None, size: tuple[int, int], width: int, height: int) -> str:
    """The corner with the least detail below the mark; the bottom right unless another is clearly calmer."""
    if reference is None:
        return POSITIONS[0]
    unrest = {}
    for corner in POSITIONS:
        x, y = _place(corner, size, width, height)
        part = reference[y : y + size[1], x : x + size[0]]
        part = part[:: max(1, size[1] // 200), :: max(1, size[1] // 200)]
        small = cv2.resize(part, (min(96, size[0]), min(64, size[1])), interpolation=cv2.INTER_AREA).astype(
            np.float32
        )
        if small.ndim == 3:
            small = small.mean(axis=2)
        small *= 255.0 / np.iinfo(reference.dtype).max
        unrest[corner] = float(np.abs(np.diff(small, axis=0)).mean() + np.abs(np.diff(small, axis=1)).mean())
    best = min(unrest.values())
    return next(corner for corner in POSITIONS if unrest[corner] <= 1.15 * best + 0.5)


def apply(pixels: Pixels, mark: Mark, *, alpha: Pixels | None = None, in_place: bool = False) -> Pixels:
    """Draw the mark on one frame.

    Args:
        pixels: (h, w) grey or (h, w, 3) RGB, uint8 or uint16, of the size the mark was prepared for.
        mark: from `prepare`.
        alpha: (h, w) opacity of the same dtype, not premultiplied. What shows through below the plate is
            taken as mid-grey; store the new opacity from `apply_alpha` with the result.
        in_place: write into `pixels` and return it, instead of a copy.

    Returns:
        The frame with the mark; outside `Mark.box` every sample is as before.

    Raises:
        UsageError: wrong size, shape or dtype.
    """
    _check(pixels, mark)
    x, y, w, h = mark.box
    out = pixels if in_place else pixels.copy()
    view = out[y : y + h, x : x + w]
    top = float(np.iinfo(pixels.dtype).max)
    below = view.astype(np.float32) * np.float32(1 / top)
    plate = _coverage(mark.badge.plate, below.ndim)
    ink = _coverage(mark.badge.ink, below.ndim)
    if alpha is None:
        drawn = _frosted(below, mark.badge.em)
        drawn -= below
        drawn *= plate
        drawn += below
    else:
        old = _coverage(alpha[y : y + h, x : x + w], below.ndim)
        frost = _frosted(np.float32(0.5) + old * (below - np.float32(0.5)), mark.badge.em)
        new = np.float32(1) - (1 - plate) * (1 - old)
        drawn = (plate * frost + (1 - plate) * old * below) / np.maximum(new, np.float32(1e-6))
        np.copyto(drawn, below, where=new <= 0)
    drawn += ink * (1 - drawn)
    drawn *= top
    drawn += 0.5
    view[...] = drawn.astype(pixels.dtype)
    return out


def apply_alpha(alpha: Pixels, mark: Mark, *, in_place: bool = False) -> Pixels:
    """The opacity of a frame after `apply`: the plate is opaque.

    Args:
        alpha: (h, w) uint8 or uint16, not premultiplied.
        mark: from `prepare`.
        in_place: write into `alpha` and return it.

    Returns:
        The new opacity; outside `Mark.box` as before.
    """
    _check(alpha, mark)
    x, y, w, h = mark.box
    out = alpha if in_place else alpha.copy()
    top = float(np.iinfo(alpha.dtype).max)
    old = _coverage(alpha[y : y + h, x : x + w], 2)
    new = old + _coverage(mark.badge.plate, 2) * (1 - old)
    out[y : y + h, x : x + w] = (new * top + 0.5).astype(alpha.dtype)
    return out


def _check(pixels: Pixels, mark: Mark) -> None:
    if pixels.dtype not in (np.uint8, np.uint16) or not (
        pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    ):
        raise UsageError(
            f"a frame must be (h, w) or (h, w, 3) of uint8 or uint16, not {pixels.shape} {pixels.dtype}."
        )
    if pixels.shape[:2] != (mark.height, mark.width):
        raise UsageError(f"the mark is made for {mark.width} x {mark.height} px, not {pixels.shape[1::-1]}.")


def _coverage(mask: Pixels, ndim: int) -> npt.NDArray[np.float32]:
    part = mask.astype(np.float32) * np.float32(1 / np.iinfo(mask.dtype).max)
    return part if ndim == 2 else np.asarray(cv2.merge([part, part, part]), dtype=np.float32)


def _frosted(below: npt.NDArray[np.float32], em: float) -> npt.NDArray[np.float32]:
    """What shows through the plate, float32 0..1: blurred at a fraction of the size, then darkened."""
    height, width = below.shape[:2]
    factor = max(1.0, em / 8)
    small = cv2.resize(
        below, (max(1, round(width / factor)), max(1, round(height / factor))), interpolation=cv2.INTER_AREA
    )
    small = cv2.GaussianBlur(small, (0, 0), max(0.5, FROST * em / factor), borderType=cv2.BORDER_REFLECT)
    small = small * np.float32(1 - OPACITY) + np.float32(DARK * OPACITY)
    full = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(full, dtype=np.float32)


def evidence(mark: Mark) -> Evidence:
    """What was written, in the form in which `detect` reports what it found."""
    return Evidence(kind=KIND, text=mark.text, box=mark.box, score=1.0, height_ratio=mark.glyph_ratio)
