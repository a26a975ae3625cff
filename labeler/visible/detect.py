"""Find labeler's own mark again: after JPEG, resizing, and in a screenshot.

The badge of `labeler.visible.badge` is known at every scale, and its plate keeps its surroundings away,
so normalised cross-correlation finds it (Lewis, Fast Normalized Cross-Correlation, 1995):

1. *Seek*: two short pieces, 生成 and the first letters of AI-generated, are matched at `SEEK_EM` px over
   reduced pictures, one for each size of text from 2.8 % to 16 % of the shortest side. The best places
   are candidates.
2. *Fit*: each candidate is matched with the whole badge of every wording at `FIT_EM` px, over close sizes.
3. *Check*, independent of the sum over the badge: every single glyph must correlate in its own cell, so
   that other words of like shape fail; and the plate must be dark and even around bright words.

A mark is accepted if all three measures pass; the thresholds stand between the distributions measured on
marked pictures (JPEG, resized, screenshots) and on unmarked ones, see ``tests/visible/test_detect.py``.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
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
from labeler.visible.fonts import Face, find_face
from labeler.visible.wording import LONG_WORDINGS, SEPARATOR, WORDINGS, clean_text, forms

__all__ = ["KIND", "MIN_BADGE", "MIN_CONTRAST", "MIN_GLYPH", "MIN_SUB", "detect"]

F32 = npt.NDArray[np.float32]

KIND = "labeler-mark"
"""The kind of evidence: a mark drawn by labeler."""

MIN_BADGE = 0.72
"""Least correlation of the whole badge."""
MIN_GLYPH = 0.66
"""Least correlation of its worst glyph."""
MIN_SUB = 0.62
"""Least mean correlation of the pieces of the second line, where there is one."""
MIN_CONTRAST = 0.15
"""Least difference between words and plate, in parts of white."""

SEEK_EM = 8.0
"""px: size of the text while seeking."""
FIT_EM = 24.0
"""px: size of the text while fitting."""
_SOFT = 1.0
SMALLEST_EM = 7.0
"""px: text below this cannot be read back."""
_MIN_SEEK = 0.45
_MIN_PIECE = 0.70
_WORTH = 0.55
_RATIOS = (0.028, 0.16)
_STEP = 1.13
_MASTER_EM = 48.0
_CANDIDATES = 6
_FRAME = 640
_LARGEST_SMALL_EM = 20.0
_SUB_CHUNKS = 4
_INSET = 0.12
_SIDE = 3
_SAME_GROUND = 0.035
_STACKED_BELOW = 72


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Form:
    """One form of a wording, rendered large: `ink` float32 0..1, lengths in px at `_MASTER_EM`."""

    text: str
    ink: F32
    inset: int
    glyphs: tuple[tuple[int, int, int, int], ...]
    sub: tuple[tuple[int, int, int, int], ...]
    glyph_ink: float
    piece: tuple[int, int, int, int]
    key: str
    common: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A candidate in px of the base frame: score and position of the piece, size of the text."""

    score: float
    key: str
    x: float
    y: float
    em: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A badge fitted to a place, in px of the picture given; the three measures of acceptance."""

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

    Text smaller than `SMALLEST_EM` px or 2.8 % of the shortest side is not found, nor a rotated mark, one
    with a user's text or font unless they are given, or one that was cut.

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
    known = _known(font, None if text is None else clean_text(text))
    base, factor = _base(pixels)
    places = _seek(base, known, factor)
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


@functools.lru_cache(maxsize=8)
def _known(font: Path | None, text: str | None) -> tuple[_Form, ...]:
    """Every form that may have been drawn."""
    if text is not None:
        lines = [(badges.wrap(text, n), "", text) for n in (1, 2, 3)]
    else:
        words = {**WORDINGS, **{f"long-{k}": w for k, w in LONG_WORDINGS.items()}}
        lines = [
            (main, sub, f"{''.join(main)}{SEPARATOR}{sub}" if sub else "".join(main))
            for w in words.values()
            for main, sub in forms(w.main, w.sub)
        ]
    unique = {(main, sub): said for main, sub, said in lines}
    face = find_face("".join("".join(main) + sub for main, sub in unique), font=font)
    return tuple(_form(face, main, sub, said) for (main, sub), said in unique.items())


def _form(face: Face, main: tuple[str, ...], sub: str, text: str) -> _Form:
    made = badges.render(face, main, sub, _MASTER_EM)
    cells = made.glyphs[-len(main[-1].replace(" ", "")) :]
    tail = main[-1].endswith("生成")
    chosen = cells[-2:] if tail else cells[:6]
    last = "".join(cell[0] for cell in chosen)
    y, h = chosen[0][2], chosen[0][4]
    x0, x1 = chosen[0][1], chosen[-1][1] + chosen[-1][3]
    # less a rim, within which the round corners show what is behind the badge
    inset = int(_INSET * _MASTER_EM)
    ink = made.ink[inset:-inset, inset:-inset].astype(np.float32) / np.float32(255)
    pad, gap = (int(v * _MASTER_EM) for v in (badges.PAD_X - _INSET, 0.8 * badges.LINE_GAP))
    # the plate continues on the outer side only: beyond the piece stand other glyphs
    left, top = max(0, x0 - inset - (0 if tail else pad)), max(0, y - inset - gap)
    right, bottom = (
        min(ink.shape[1], x1 - inset + (pad if tail else 0)),
        min(ink.shape[0], y - inset + h + gap),
    )
    return _Form(
        text=text,
        ink=ink,
        inset=inset,
        glyphs=tuple((x - inset, y - inset, w, h) for _, x, y, w, h in made.glyphs),
        sub=_chunks(made.lines[-1], inset) if sub else (),
        glyph_ink=float(made.glyph_ink),
        piece=(left, top, right - left, bottom - top),
        key=last,
        common=len(main) == 1 or last == "生成",
    )


def _chunks(line: tuple[int, int, int, int], inset: int) -> tuple[tuple[int, int, int, int], ...]:
    """The second line in pieces, without its upper and lower ends, which any bright bar would match."""
    x, y, w, h = line[0] - inset, line[1] - inset, line[2], line[3]
    edges = [x + round(w * i / _SUB_CHUNKS) for i in range(_SUB_CHUNKS + 1)]
    return tuple((a, y + h // 8, b - a, h - h // 8 - h // 4) for a, b in itertools.pairwise(edges))


def _base(pixels: npt.NDArray[Any]) -> tuple[F32, int]:
    """The picture in grey, float32 0..1, halved while its shortest side is at least 2 x `_FRAME`."""
    factor = 1
    while min(pixels.shape[:2]) >= 2 * _FRAME:
        height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
        pixels = cv2.resize(
            pixels[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_LINEAR
        )
        factor *= 2
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    base = pixels.astype(np.float32)
    base *= np.float32(1 / np.iinfo(pixels.dtype).max)
    # where nothing varies a correlation is 0 / 0: an invisible grain makes it nearly 0
    grain = _grain()
    for y in range(0, base.shape[0], grain.shape[0]):
        for x in range(0, base.shape[1], grain.shape[1]):
            part = base[y : y + grain.shape[0], x : x + grain.shape[1]]
            part += grain[: part.shape[0], : part.shape[1]]
    return base, factor


@functools.lru_cache(maxsize=1)
def _grain() -> F32:
    return np.random.default_rng(45438).normal(0, 1 / 255, (256, 256)).astype(np.float32)


def _resized(ink: F32, scale: float) -> F32:
    size = (max(2, round(ink.shape[1] * scale)), max(2, round(ink.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(ink, size, interpolation=how), dtype=np.float32)


def _seek(base: F32, known: tuple[_Form, ...], factor: int) -> list[_Place]:
    """Candidates for the pieces over all sizes, strongest first."""
    height, width = base.shape
    short = min(height, width)
    pieces: dict[str, F32] = {}
    for form in known:
        if form.key not in pieces and (form.common or short * factor < _STACKED_BELOW):
            x, y, w, h = form.piece
            pieces[form.key] = _resized(form.ink[y : y + h, x : x + w], SEEK_EM / _MASTER_EM)
    low = max(SMALLEST_EM / factor, _RATIOS[0] * short)
    high = max(_RATIOS[1] * short, _LARGEST_SMALL_EM / factor)
    pyramid: list[npt.NDArray[Any]] = [base]
    found: list[_Place] = []
    for step in range(math.ceil(math.log(high / low) / math.log(_STEP)) + 1):
        em = low * _STEP**step
        scale = SEEK_EM / em
        while scale <= 0.5 ** len(pyramid):
            last = pyramid[-1]
            half = (max(1, last.shape[1] // 2), max(1, last.shape[0] // 2))
            pyramid.append(
                cv2.resize(last[: 2 * half[1], : 2 * half[0]], half, interpolation=cv2.INTER_LINEAR)
            )
        source = pyramid[-1] if scale < 1 else base
        size = (round(width * scale), round(height * scale))
        level = cv2.resize(source, size, interpolation=cv2.INTER_LINEAR)
        sx, sy = width / size[0], height / size[1]
        for key, piece in pieces.items():
            if piece.shape[0] > size[1] or piece.shape[1] > size[0]:
                continue
            scores = cv2.matchTemplate(level, piece, cv2.TM_CCOEFF_NORMED)
            for score, x, y in _peaks(scores, piece.shape):
                if score < _MIN_SEEK:
                    break
                found.append(_Place(score=score, key=key, x=x * sx, y=y * sy, em=em))
    found.sort(key=lambda p: p.score, reverse=True)
    chosen: list[_Place] = []
    for place in found:
        if all(
            abs(place.x - c.x) > 0.7 * c.em or abs(place.y - c.y) > 0.7 * c.em or place.key != c.key
            for c in chosen
        ):
            chosen.append(place)
            if len(chosen) == _CANDIDATES:
                break
    return chosen


def _peak(scores: npt.NDArray[Any]) -> tuple[float, int, int]:
    """The highest place of a correlation map: score, x, y. Flat areas give no number, or a wild one."""
    _, top, _, (x, y) = cv2.minMaxLoc(scores)
    if not -1.01 <= top <= 1.01:
        scores[~(np.abs(scores) <= 1.01)] = 0
        _, top, _, (x, y) = cv2.minMaxLoc(scores)
    return float(top), int(x), int(y)


def _peaks(scores: npt.NDArray[Any], shape: tuple[int, ...]) -> list[tuple[float, int, int]]:
    """The two highest places of a correlation map, apart from one another."""
    peaks = []
    for _ in range(2):
        score, x, y = _peak(scores)
        peaks.append((score, x, y))
        h, w = shape[0] // 2, shape[1] // 2
        scores[max(0, y - h) : y + h + 1, max(0, x - w) : x + w + 1] = -1
    return peaks


def _fit(base: F32, place: _Place, known: tuple[_Form, ...]) -> Match | None:
    """The wording and size that fit best at a candidate; None if a closer look finds not even the piece."""
    mates = [form for form in known if form.key == place.key]
    score, em = -1.0, place.em
    for fine in (0.94, 0.97, 1.0, 1.03, 1.06):
        at = _correlate(base, place, mates[0], place.em * fine, piece=True)
        if at is not None and at.score > score:
            score, em = at.score, place.em * fine
    if score < _MIN_PIECE:
        return None
    tried: list[tuple[Match, _Form]] = []
    for form in mates:
        match = _best(_match(base, place, form, em * fine) for fine in (0.97, 1.0, 1.03))
        if match is not None and match.badge >= _WORTH:
            for step in (0.015, 0.008):
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Correlation:
    """The best place of a template: score; box in px of the base frame; cell of the zoomed patch."""

    score: float
    box: tuple[float, float, float, float]
    cell: tuple[int, int, int, int]
    patch: F32
    template: F32


def _correlate(base: F32, place: _Place, form: _Form, em: float, *, piece: bool) -> _Correlation | None:
    """Correlate one form, or its piece only, at one size around a candidate; None if it does not fit."""
    zoom = FIT_EM / em
    scale = em / _MASTER_EM
    height, width = base.shape
    part_x, part_y, part_w, part_h = form.piece
    ink = form.ink[part_y : part_y + part_h, part_x : part_x + part_w] if piece else form.ink
    left = place.x - (0 if piece else part_x * scale)
    top = place.y - (0 if piece else part_y * scale)
    w, h = ink.shape[1] * scale, ink.shape[0] * scale
    slack = 0.35 * em
    x0, y0 = max(0, math.floor(left - slack)), max(0, math.floor(top - slack))
    x1, y1 = min(width, math.ceil(left + w + slack)), min(height, math.ceil(top + h + slack))
    if x1 - x0 < w - 1 or y1 - y0 < h - 1:
        return None
    patch = _soft(_resized(base[y0:y1, x0:x1], zoom))
    kx, ky = patch.shape[1] / (x1 - x0), patch.shape[0] / (y1 - y0)
    size = (min(round(w * kx), patch.shape[1]), min(round(h * ky), patch.shape[0]))
    template = _soft(cv2.resize(ink, size, interpolation=cv2.INTER_AREA))
    score, x, y = _peak(cv2.matchTemplate(patch, template, cv2.TM_CCOEFF_NORMED))
    return _Correlation(
        score=score,
        box=(x0 + x / kx, y0 + y / ky, size[0] / kx, size[1] / ky),
        cell=(x, y, size[0], size[1]),
        patch=patch,
        template=template,
    )


def _soft(picture: npt.NDArray[Any]) -> F32:
    """Blurred a little, so that parts of a pixel and the sharpness of a picture do not matter."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), _SOFT), dtype=np.float32)


def _match(base: F32, place: _Place, form: _Form, em: float) -> Match | None:
    """The three measures of one form at one size; None if it does not fit into the picture."""
    at = _correlate(base, place, form, em, piece=False)
    if at is None:
        return None
    tx, ty = (at.template.shape[i] / form.ink.shape[i] for i in (1, 0))
    left, top = at.cell[:2]
    seen = at.patch[top : top + at.cell[3], left : left + at.cell[2]]
    x, y, w, h = at.box
    words, plate, brightest = _levels(seen, at.template)
    rim = form.inset * em / _MASTER_EM
    return Match(
        text=form.text,
        box=(x - rim, y - rim, w + 2 * rim, h + 2 * rim),
        em=em,
        glyph_px=form.glyph_ink * em / _MASTER_EM,
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
    return _peak(cv2.matchTemplate(area, part, cv2.TM_CCOEFF_NORMED))[0]


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
    """Whether bright strokes stand on the ground; a column that is bright from top to bottom is an edge."""
    bright = np.mean(side > bar, axis=0)
    strokes = np.mean((bright > 0) & (bright < 0.8))
    return bool(strokes > 0.1 and np.mean(np.abs(side - plate) < 2 * _SAME_GROUND) > 0.35)


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
