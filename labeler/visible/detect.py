"""Find labeler's own mark again: after JPEG, resizing, and in a screenshot.

The badge of `labeler.visible.badge` is known at every scale, and its plate keeps its surroundings away,
so normalised cross-correlation finds it (Lewis, Fast Normalized Cross-Correlation, 1995):

1. *Seek*: two short pieces, 生成 and the first letters of AI-generated, are matched at `SEEK_EM` px over
   reduced pictures, one for each size of text from 2.8 % to 26 % of the shortest side. The best places
   are candidates.
2. *Fit*: each candidate is matched with the whole badge of every wording at `FIT_EM` px, over close sizes.
3. *Check*, independent of the sum over the badge: every single glyph must correlate in its own cell, so
   that other words of like shape fail; the words must stand out from a plate that is free beside them; and
   they must not be part of a text that goes on.

Measured over 546 marked pictures (39 pictures, photographs to noise, each in JPEG quality 50, at half size,
both, grey, and in screenshots at 0.7 to 1.3 of the size; text of 9 px and more) against other words on the
very same badge (AI合成, AI生产, HI生成, AI-graduated, ...), the strongest thing that is no mark; a picture
without words never came past the piece:

==============  =============  ==========  ===========
measure         marks, lowest  other       threshold
==============  =============  ==========  ===========
whole badge     0.85           0.91        0.72
worst glyph     0.82           0.55        0.66
second line     0.72           0.61        0.66
==============  =============  ==========  ===========

The row "second line" is about one-line badges taken for two. Words that differ by a stroke (AI主成, Al生成)
pass: at 11 px nothing could tell them. So do our own words in our own font, white on dark, where they stand
alone: that is a mark, whoever drew it.
``tests/visible/test_visible_detect.py`` repeats the measurement.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from labeler.errors import DependencyMissing, UsageError
from labeler.types import Evidence, State, VisibleReport
from labeler.visible import badge as badges
from labeler.visible.forms import MASTER_EM, Form, known_forms
from labeler.visible.seek import STACKED_BELOW, Place, base_frame, correlate, peak, seek
from labeler.visible.wording import clean_text

__all__ = ["KIND", "MIN_BADGE", "MIN_CONTRAST", "MIN_GLYPH", "MIN_SUB", "detect"]

F32 = npt.NDArray[np.float32]

KIND = "labeler-mark"
"""The kind of evidence: a mark drawn by labeler."""

MIN_BADGE = 0.72
"""Least correlation of the whole badge."""
MIN_GLYPH = 0.66
"""Least correlation of its worst glyph."""
MIN_SUB = 0.66
"""Least mean correlation of the pieces of the second line, where there is one."""
MIN_CONTRAST = 0.15
"""Least difference between words and plate, in parts of white."""

_MIN_PIECE = 0.70
_WORTH = 0.45
_SIDE = 3
_SAME_GROUND = 0.035


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A badge fitted to a place, and the measures by which it is accepted.

    Attributes:
        text: the wording.
        box: x, y, w, h of the plate, px of the picture.
        em: px of the main line.
        glyph_px: px, ink height of the smallest mandatory glyph.
        badge: correlation of the whole badge.
        glyph: correlation of the worst glyph of the main lines.
        sub: mean correlation of the second line's pieces; 1 without one.
        words: brightness of the words, 0..1.
        plate: brightness of the plate, 0..1.
        contrast: words less the brightest part of the plate.
        alone: the words are not part of a text that goes on.
    """

    text: str
    box: tuple[float, float, float, float]
    em: float
    glyph_px: float
    badge: float
    glyph: float
    sub: float
    words: float
    plate: float
    contrast: float
    alone: bool = True

    @property
    def accepted(self) -> bool:
        """Whether all measures pass."""
        return (
            self.badge >= MIN_BADGE
            and self.glyph >= MIN_GLYPH
            and self.sub >= MIN_SUB
            and self.contrast >= MIN_CONTRAST
            and self.alone
        )


def detect(pixels: npt.NDArray[Any], *, font: Path | None = None, text: str | None = None) -> VisibleReport:
    """Find labeler's own visible mark.

    Not found are text smaller than 7 px or 2.8 % of the shortest side, a mark that was turned, mirrored,
    stretched or cut, and one with a user's text or font unless they are given here.

    Args:
        pixels: (h, w) grey or (h, w, 3) RGB, uint8 or uint16.
        font: the font file the mark was drawn with, if it was a user's.
        text: the text of the mark, if it was a user's.

    Returns:
        PRESENT with one `Evidence` for each mark found (the wording, the box of its plate, the height of its
        smallest glyph over the shortest side, the correlation of the whole badge as score), else ABSENT;
        CANNOT_TELL without a font to compare with.

    Raises:
        UsageError: wrong shape or dtype; unfit text or font.
    """
    try:
        found = [m for m in search(pixels, font=font, text=text) if m.accepted]
    except DependencyMissing as error:
        return VisibleReport(state=State.CANNOT_TELL, reason=str(error))
    short = min(pixels.shape[:2])
    evidence = tuple(
        Evidence(
            kind=KIND,
            text=m.text,
            box=_whole(m.box, pixels.shape[1], pixels.shape[0]),
            score=round(min(1.0, m.badge), 4),
            height_ratio=round(m.glyph_px / short, 5),
        )
        for m in found
    )
    return VisibleReport(state=State.PRESENT if evidence else State.ABSENT, evidence=evidence)


def search(pixels: npt.NDArray[Any], *, font: Path | None = None, text: str | None = None) -> list[Match]:
    """The best fits found, strongest first, accepted or not; `detect` reports the accepted ones."""
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3) or not pixels.size:
        raise UsageError(f"a picture must be (h, w) or (h, w, 3), not {pixels.shape}.")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise UsageError(f"a picture must be uint8 or uint16, not {pixels.dtype}.")
    known = known_forms(font, None if text is None else clean_text(text))
    if min(pixels.shape[:2]) >= STACKED_BELOW:
        known = tuple(form for form in known if not form.stacked)
    base, factor = base_frame(pixels)
    places = seek(base, known, factor)
    fits: list[Match] = []
    for place in places:
        if any(m.accepted and _overlap((place.x, place.y, place.em, place.em), m.box) > 0.5 for m in fits):
            continue
        match = _fit(base, place, known)
        if match is not None:
            alone = not (match.accepted and _within_text(base, match))
            fits.append(dataclasses.replace(match, alone=alone))
    # the second line of a badge is a wording of its own: of those that overlap, the larger badge counts
    fits.sort(key=lambda m: (m.accepted, m.box[2] * m.box[3] if m.accepted else m.badge), reverse=True)
    kept: list[Match] = []
    for match in fits:
        if all(_overlap(match.box, other.box) <= 0.2 for other in kept):
            kept.append(match)
    return [_scaled(match, factor) for match in kept]


def _fit(base: F32, place: Place, known: tuple[Form, ...]) -> Match | None:
    """The wording and size that fit best at a candidate; None if a closer look finds not even the piece."""
    mates = [form for form in known if form.key == place.key]
    score, em = -1.0, place.em
    for fine in (0.94, 0.97, 1.0, 1.03, 1.06):
        at = correlate(base, place, mates[0], place.em * fine, piece=True)
        if at is not None and at.score > score:
            score, em = at.score, place.em * fine
    if score < _MIN_PIECE:
        return None
    tried: list[tuple[Match, Form]] = []
    for form in mates:
        match = _match(base, place, form, em)
        if match is not None and match.badge >= _WORTH:
            for step in (0.03, 0.015, 0.008):
                finer = [_match(base, place, form, match.em * fine) for fine in (1 - step, 1 + step)]
                match = _best([match, *finer]) or match
        if match is not None:
            tried.append((match, form))
    # a badge with two lines holds the one with its first line: the larger one that passes is the truth
    passed = [item for item in tried if item[0].accepted]
    if passed:
        return max(passed, key=lambda item: item[1].ink.size)[0]
    return _best(match for match, _ in tried)


def _best(matches: Iterable[Match | None]) -> Match | None:
    return max((m for m in matches if m is not None), key=lambda m: m.badge, default=None)


def _match(base: F32, place: Place, form: Form, em: float) -> Match | None:
    """The three measures of one form at one size; None if it does not fit into the picture."""
    at = correlate(base, place, form, em, piece=False)
    if at is None:
        return None
    tx, ty = (at.template.shape[i] / form.ink.shape[i] for i in (1, 0))
    left, top = at.cell[:2]
    seen = at.patch[top : top + at.cell[3], left : left + at.cell[2]]
    x, y, w, h = at.box
    words, plate, brightest = _levels(seen, at.template)
    rim = form.inset * em / MASTER_EM
    return Match(
        text=form.text,
        box=(x - rim, y - rim, w + 2 * rim, h + 2 * rim),
        em=em,
        glyph_px=form.glyph_ink * em / MASTER_EM,
        badge=at.score,
        glyph=min(_cell(seen, at.template, cell, tx, ty, 1) for cell in form.glyphs),
        sub=float(np.mean([_cell(seen, at.template, cell, tx, ty, 0) for cell in form.sub] or [1.0])),
        words=words,
        plate=plate,
        contrast=words - brightest,
    )


def _cell(
    seen: F32, template: F32, cell: tuple[int, int, int, int], tx: float, ty: float, margin: int
) -> float:
    """Correlation of one glyph in its own cell, with a pixel of play."""
    x, y, w, h = cell
    x0, x1 = max(0, round(x * tx) - margin), min(template.shape[1], round((x + w) * tx) + margin)
    y0, y1 = max(0, round(y * ty) - margin), min(template.shape[0], round((y + h) * ty) + margin)
    part = template[y0:y1, x0:x1]
    area = seen[max(0, y0 - 1) : y1 + 1, max(0, x0 - 1) : x1 + 1]
    return peak(cv2.matchTemplate(area, part, cv2.TM_CCOEFF_NORMED))[0]


def _levels(seen: F32, template: F32) -> tuple[float, float, float]:
    """Brightness of the words, of the plate, and of the brightest part of the plate or of its sides."""
    words, plate = seen[template > 0.6], seen[template < 0.02]
    if not words.size or not plate.size:
        return 0.0, 0.0, 0.0
    sides = (np.percentile(side, 95) for side in (seen[:, :_SIDE], seen[:, -_SIDE:]))
    return float(np.median(words)), float(np.median(plate)), float(max(np.percentile(plate, 80), *sides))


def _within_text(base: F32, match: Match) -> bool:
    """Whether words of the same brightness go on beside a match, on a ground that is no other than its plate.

    So look words of a page that is set in white on dark. Behind a badge the ground would have to have the
    very brightness of the plate, 18 / 255.
    """
    x, y, w, h = match.box
    em = match.em
    out, gap = 0.3 * em, 0.06 * em
    around = (
        _part(base, (x, y - gap - out, w, out)),
        _part(base, (x, y + h + gap, w, out)),
        _part(base, (x - gap - out, y, out, h)),
        _part(base, (x + w + gap, y, out, h)),
    )
    ground = np.abs(np.concatenate([part.ravel() for part in around]) - match.plate)
    if not ground.size or float(np.mean(ground < _SAME_GROUND)) < 0.6:
        return False
    reach = 0.9 * em
    sides = (
        _part(base, (x + (badges.PAD_X - 0.15) * em - reach, y, reach, h)),
        _part(base, (x + w - (badges.PAD_X - 0.15) * em, y, reach, h)),
    )
    bar = match.plate + 0.7 * (match.words - match.plate)
    return any(side.size and _like_text(side, match.plate, bar) for side in sides)


def _like_text(side: F32, plate: float, bar: float) -> bool:
    """Whether bright strokes stand on the ground.

    A column that is bright from top to bottom is an edge; less ink than a letter has (2 %) is a speck.
    """
    bright = np.mean(side > bar, axis=0)
    strokes = np.mean((bright > 0) & (bright < 0.8))
    return bool(
        strokes > 0.1 and np.mean(bright) > 0.02 and np.mean(np.abs(side - plate) < 2 * _SAME_GROUND) > 0.35
    )


def _part(base: F32, box: tuple[float, float, float, float]) -> F32:
    x0, y0 = max(0, round(box[0])), max(0, round(box[1]))
    return base[y0 : max(y0, round(box[1] + box[3])), x0 : max(x0, round(box[0] + box[2]))]


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Common area over the smaller area."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(0.0, w) * max(0.0, h) / min(a[2] * a[3], b[2] * b[3])


def _scaled(match: Match, factor: int) -> Match:
    x, y, w, h = (v * factor for v in match.box)
    return dataclasses.replace(
        match, box=(x, y, w, h), em=match.em * factor, glyph_px=match.glyph_px * factor
    )


def _whole(box: tuple[float, float, float, float], width: int, height: int) -> tuple[int, int, int, int]:
    x0, y0 = max(0, round(box[0])), max(0, round(box[1]))
    x1, y1 = min(width, round(box[0] + box[2])), min(height, round(box[1] + box[3]))
    return x0, y0, x1 - x0, y1 - y0
