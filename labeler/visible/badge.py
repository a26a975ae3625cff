"""The badge: white words on a dark plate with round corners, as coverage masks of a given size.

Everything is measured on the rendered bitmap, not on the font's em box: GB 45438-2025 5.2 asks for a
text height of at least 5 % of the shortest side and does not say which height; the smallest glyph of
the mandatory elements is the strictest reading (reference/regimes.md 1.2). All lengths of the badge
follow from the em of its main line, so that a detector knows its geometry at every scale.
"""

from __future__ import annotations

import functools
import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from labeler.visible.fonts import Face, load
from labeler.visible.wording import gb_glyphs

__all__ = ["Badge", "ink_height", "render", "wrap"]

U8 = npt.NDArray[np.uint8]

PAD_X = 0.34
"""Plate beside the ink of the widest line, in em."""
PAD_Y = 0.28
"""Plate above and below the ink, in em."""
LINE_GAP = 0.20
"""Between the ink of two lines, in em."""
SUB_MAX = 0.62
"""Largest em of the second line, in em of the main line."""
RADIUS = 0.30
"""Radius of the plate's corners, in em."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Badge:
    """A rendered badge.

    Attributes:
        ink: uint8 (h, w), coverage of the words.
        plate: uint8 (h, w), coverage of the plate.
        lines: the ink of each line in badge coordinates: x, y, w, h in px.
        glyphs: cells of the main line's glyphs that are not blank: character, x, y, w, h in px.
        em: px, size of the main line.
        sub_em: px, size of the second line, 0 without one.
        glyph_ink: px, height of the ink of the smallest glyph of the GB elements, or without them of the
            smallest capital, digit or ideograph (see `ink_height`).
        line_ink: px, height of the ink of the main line.
    """

    ink: U8
    plate: U8
    lines: tuple[tuple[int, int, int, int], ...]
    glyphs: tuple[tuple[str, int, int, int, int], ...]
    em: float
    sub_em: float
    glyph_ink: int
    line_ink: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in px."""
        return self.plate.shape[1], self.plate.shape[0]


def ink_height(font: ImageFont.FreeTypeFont, text: str) -> int:
    """Height in px of the rows in which the text covers at least half a pixel somewhere."""
    width, height = font.getmask(text).size
    if not width or not height:
        return 0
    rows = np.asarray(_mask(font, text)).max(axis=1) >= 128
    return int(np.flatnonzero(rows)[-1] - np.flatnonzero(rows)[0] + 1) if rows.any() else 0


def _mask(font: ImageFont.FreeTypeFont, text: str) -> U8:
    """Coverage of a text, cropped to its ink."""
    x0, y0, x1, y1 = font.getbbox(text)
    image = Image.new("L", (int(x1 - x0) + 4, int(y1 - y0) + 4), 0)
    ImageDraw.Draw(image).text((2 - x0, 2 - y0), text, fill=255, font=font)
    box = image.getbbox()
    return np.asarray(image.crop(box) if box else image.crop((0, 0, 1, 1)), dtype=np.uint8)


def _ink_width(face: Face, em: float, text: str) -> float:
    x0, _, x1, _ = load(face, em).getbbox(text)
    return float(x1 - x0)


@functools.lru_cache(maxsize=16)
def render(face: Face, main: tuple[str, ...], sub: str, em: float) -> Badge:
    """Render a badge; every line is centred.

    Args:
        face: font face that covers all characters.
        main: the lines at full size.
        sub: the smaller last line, fitted to the width of the main lines, or empty.
        em: px of the main lines; fractions allowed.

    Returns:
        The badge; do not write into its arrays, they are shared.
    """
    font = load(face, em)
    masks = [_mask(font, line) for line in main]
    sub_em = 0.0
    if sub:
        reference = 64.0
        widest = max(m.shape[1] for m in masks)
        sub_em = min(SUB_MAX * em, reference * widest / _ink_width(face, reference, sub))
        masks.append(_mask(load(face, sub_em), sub))
    pad_x, pad_y, gap = (max(1, int(v * em)) for v in (PAD_X, PAD_Y, LINE_GAP))
    width = max(m.shape[1] for m in masks) + 2 * pad_x
    height = sum(m.shape[0] for m in masks) + gap * (len(masks) - 1) + 2 * pad_y
    ink = np.zeros((height, width), np.uint8)
    lines, glyphs, y = [], [], pad_y
    for i, mask in enumerate(masks):
        h, w = mask.shape
        x = (width - w) // 2
        ink[y : y + h, x : x + w] = mask
        lines.append((x, y, w, h))
        if i < len(main):
            glyphs += _cells(font, main[i], x, y, h)
        y += h + gap
    plate = _rounded(width, height, RADIUS * em)
    for array in (ink, plate):
        array.setflags(write=False)
    text = "".join(main)
    heights = [ink_height(font, c) for c in gb_glyphs(text) or "".join(c for c in text if _tall(c))]
    line_ink = max(ink_height(font, line) for line in main)
    return Badge(
        ink=ink,
        plate=plate,
        lines=tuple(lines),
        glyphs=tuple(glyphs),
        em=em,
        sub_em=sub_em,
        glyph_ink=min((v for v in heights if v), default=line_ink),
        line_ink=line_ink,
    )


def _cells(
    font: ImageFont.FreeTypeFont, line: str, x: int, y: int, h: int
) -> list[tuple[str, int, int, int, int]]:
    left = font.getbbox(line)[0]
    cells = []
    for i, char in enumerate(line):
        if char.isspace():
            continue
        start, stop = (font.getlength(line[:k]) - left for k in (i, i + 1))
        cells.append((char, x + int(start), y, max(1, int(stop + 0.999) - int(start)), h))
    return cells


def _rounded(width: int, height: int, radius: float) -> U8:
    """Coverage of a rectangle with round corners: 255 inside, by distance to the arc at its edge."""
    radius = min(radius, height / 2, width / 2)
    plate = np.full((height, width), 255, np.uint8)
    n = int(np.ceil(radius))
    away = radius - (np.arange(n) + 0.5)
    distance = np.hypot(away[:, None], away[None, :])
    corner = (np.clip(radius + 0.5 - distance, 0, 1) * 255 + 0.5).astype(np.uint8)
    plate[:n, :n] = corner
    plate[:n, width - n :] = corner[:, ::-1]
    plate[height - n :, :n] = corner[::-1]
    plate[height - n :, width - n :] = corner[::-1, ::-1]
    return plate


def wrap(text: str, lines: int) -> tuple[str, ...]:
    """A text in about equal lines: broken at spaces, or beside Chinese characters.

    >>> wrap("Made with AI by Example", 2), wrap("内容由人工智能生成", 2)
    (('Made with AI', 'by Example'), ('内容由人', '工智能生成'))
    """
    if lines <= 1:
        return (text,)
    breaks = [i for i in range(1, len(text)) if text[i] == " " or _wide(text[i]) or _wide(text[i - 1])]
    if not breaks:
        return (text,)
    target = sum(1 + _wide(c) for c in text) / lines
    at = min(breaks, key=lambda i: abs(sum(1 + _wide(c) for c in text[:i]) - target))
    return (text[:at].strip(), *wrap(text[at:].strip(), lines - 1))


def _tall(char: str) -> bool:
    """Whether a character has the full height of its script: capitals, digits, ideographs."""
    return unicodedata.category(char) in ("Lu", "Lo", "Nd")


def _wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"
