"""What the detector looks for: every form of every wording, rendered large, with the cells of its glyphs."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labeler.visible import badge as badges
from labeler.visible.fonts import Face, find_face
from labeler.visible.wording import LONG_WORDINGS, SEPARATOR, WORDINGS, forms

__all__ = ["INSET", "MASTER_EM", "Form", "known_forms"]

F32 = npt.NDArray[np.float32]
Cell = tuple[int, int, int, int]

MASTER_EM = 48.0
"""px: em at which the forms are rendered."""
INSET = 0.12
"""Rim of the plate left out, in em: within it the round corners show what is behind the badge."""
_SUB_CHUNKS = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Form:
    """One form of a wording, rendered large; lengths in px at `MASTER_EM`.

    Attributes:
        text: the wording as it is reported.
        ink: float32 (h, w) 0..1, coverage of the words, without the rim of the plate.
        inset: width of that rim.
        glyphs: cells of the glyphs of the main lines in `ink`: x, y, w, h.
        sub: cells of the second line, cut into a few.
        glyph_ink: height of the smallest mandatory glyph.
        piece: the part that is sought first: x, y, w, h.
        key: the words of that part; forms with the same key share it.
        stacked: one of our wordings broken into lines, for small pictures only.
    """

    text: str
    ink: F32
    inset: int
    glyphs: tuple[Cell, ...]
    sub: tuple[Cell, ...]
    glyph_ink: float
    piece: Cell
    key: str
    stacked: bool


@functools.lru_cache(maxsize=8)
def known_forms(font: Path | None, text: str | None) -> tuple[Form, ...]:
    """Every form that may have been drawn: those of our wordings, or those of a user's text.

    Raises:
        UsageError: the user's font is none, or lacks characters.
        DependencyMissing: no font was found.
    """
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
    return tuple(_form(face, main, sub, said, users=text is not None) for (main, sub), said in unique.items())


def _form(face: Face, main: tuple[str, ...], sub: str, text: str, *, users: bool) -> Form:
    made = badges.render(face, main, sub, MASTER_EM)
    cells = made.glyphs[-len(main[-1].replace(" ", "")) :]
    tail = main[-1].endswith("生成")
    chosen = cells[-2:] if tail else cells[:6]
    last = "".join(cell[0] for cell in chosen)
    y, h = chosen[0][2], chosen[0][4]
    x0, x1 = chosen[0][1], chosen[-1][1] + chosen[-1][3]
    # less a rim, within which the round corners show what is behind the badge
    inset = int(INSET * MASTER_EM)
    ink = made.ink[inset:-inset, inset:-inset].astype(np.float32) / np.float32(255)
    pad, gap = (int(v * MASTER_EM) for v in (badges.PAD_X - INSET, 0.8 * badges.LINE_GAP))
    # the plate continues on the outer side only: beyond the piece stand other glyphs
    left, top = max(0, x0 - inset - (0 if tail else pad)), max(0, y - inset - gap)
    right, bottom = (
        min(ink.shape[1], x1 - inset + (pad if tail else 0)),
        min(ink.shape[0], y - inset + h + gap),
    )
    return Form(
        text=text,
        ink=ink,
        inset=inset,
        glyphs=tuple((x - inset, y - inset, w, h) for _, x, y, w, h in made.glyphs),
        sub=_chunks(made.lines[-1], inset) if sub else (),
        glyph_ink=float(made.glyph_ink),
        piece=(left, top, right - left, bottom - top),
        key=last,
        stacked=len(main) > 1 and not users,
    )


def _chunks(line: Cell, inset: int) -> tuple[Cell, ...]:
    """The second line in pieces, without its upper and lower ends, which any bright bar would match."""
    x, y, w, h = line[0] - inset, line[1] - inset, line[2], line[3]
    edges = [x + round(w * i / _SUB_CHUNKS) for i in range(_SUB_CHUNKS + 1)]
    return tuple((a, y + h // 8, b - a, h - h // 8 - h // 4) for a, b in itertools.pairwise(edges))
