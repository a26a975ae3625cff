"""The first pass of the detector: a reduced frame, and the places in it that may hold a mark."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from labeler.visible.forms import MASTER_EM, Form

__all__ = ["SMALLEST_EM", "STACKED_BELOW", "Correlation", "Place", "base_frame", "correlate", "peak", "seek"]

F32 = npt.NDArray[np.float32]

SEEK_EM = 8.0
"""px: size of the text while seeking."""
FIT_EM = 24.0
"""px: size of the text while fitting."""
SMALLEST_EM = 7.0
"""px: text below this cannot be read back."""
RATIOS = (0.028, 0.26)
"""Sizes of text sought, in parts of the shortest side."""
STACKED_BELOW = 96
"""px of the shortest side: words stand below one another, and are sought so, only in pictures below."""

_STEP = 1.13
_SOFT = 1.0
_MIN_SEEK = 0.45
_CANDIDATES = 8
_FRAME = 640
_LARGEST_SMALL_EM = 20.0
_LARGEST_LEVEL = 1_500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A candidate in px of the base frame: score and position of the piece, size of the text."""

    score: float
    key: str
    x: float
    y: float
    em: float


def base_frame(pixels: npt.NDArray[Any]) -> tuple[F32, int]:
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


def resized(ink: F32, scale: float) -> F32:
    """A template or patch scaled, at least 2 x 2 px."""
    size = (max(2, round(ink.shape[1] * scale)), max(2, round(ink.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(ink, size, interpolation=how), dtype=np.float32)


def seek(base: F32, known: tuple[Form, ...], factor: int) -> list[Place]:
    """Candidates for the pieces over all sizes, strongest first.

    Args:
        base: float32 (h, w), from `base_frame`.
        known: the forms; their pieces are sought, each once.
        factor: px of the picture to a px of `base`.
    """
    height, width = base.shape
    short = min(height, width)
    pieces: dict[str, F32] = {}
    for form in known:
        if form.key not in pieces:
            x, y, w, h = form.piece
            pieces[form.key] = resized(form.ink[y : y + h, x : x + w], SEEK_EM / MASTER_EM)
    low = max(SMALLEST_EM / factor, RATIOS[0] * short, SEEK_EM * math.sqrt(height * width / _LARGEST_LEVEL))
    high = max(RATIOS[1] * short, _LARGEST_SMALL_EM / factor, low)
    pyramid: list[npt.NDArray[Any]] = [base]
    found: list[Place] = []
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
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        level = cv2.resize(source, size, interpolation=cv2.INTER_LINEAR)
        sx, sy = width / size[0], height / size[1]
        for key, piece in pieces.items():
            if piece.shape[0] > size[1] or piece.shape[1] > size[0]:
                continue
            scores = cv2.matchTemplate(level, piece, cv2.TM_CCOEFF_NORMED)
            for score, x, y in _peaks(scores, piece.shape):
                if score < _MIN_SEEK:
                    break
                found.append(Place(score=score, key=key, x=x * sx, y=y * sy, em=em))
    found.sort(key=lambda p: p.score, reverse=True)
    chosen: list[Place] = []
    for place in found:
        if all(
            abs(place.x - c.x) > 0.7 * c.em or abs(place.y - c.y) > 0.7 * c.em or place.key != c.key
            for c in chosen
        ):
            chosen.append(place)
            if len(chosen) == _CANDIDATES:
                break
    return chosen


def peak(scores: npt.NDArray[Any]) -> tuple[float, int, int]:
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
        score, x, y = peak(scores)
        peaks.append((score, x, y))
        h, w = shape[0] // 2, shape[1] // 2
        scores[max(0, y - h) : y + h + 1, max(0, x - w) : x + w + 1] = -1
    return peaks


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Correlation:
    """The best place of a template: score; box in px of the base frame; cell of the zoomed patch."""

    score: float
    box: tuple[float, float, float, float]
    cell: tuple[int, int, int, int]
    patch: F32
    template: F32


def correlate(base: F32, place: Place, form: Form, em: float, *, piece: bool) -> Correlation | None:
    """Correlate one form, or its piece only, at one size around a candidate; None if it does not fit."""
    zoom = FIT_EM / em
    scale = em / MASTER_EM
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
    patch = _soft(resized(base[y0:y1, x0:x1], zoom))
    kx, ky = patch.shape[1] / (x1 - x0), patch.shape[0] / (y1 - y0)
    size = (min(round(w * kx), patch.shape[1]), min(round(h * ky), patch.shape[0]))
    template = _soft(cv2.resize(ink, size, interpolation=cv2.INTER_AREA))
    score, x, y = peak(cv2.matchTemplate(patch, template, cv2.TM_CCOEFF_NORMED))
    return Correlation(
        score=score,
        box=(x0 + x / kx, y0 + y / ky, size[0] / kx, size[1] / ky),
        cell=(x, y, size[0], size[1]),
        patch=patch,
        template=template,
    )


def _soft(picture: npt.NDArray[Any]) -> F32:
    """Blurred a little, so that parts of a pixel and the sharpness of a picture do not matter."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), _SOFT), dtype=np.float32)
