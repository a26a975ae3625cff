"""Fonts for visible marks: where they come from, and whether they hold every glyph that is needed.

Order: the font a user names; the Simplified Chinese face of Noto Sans CJK from the package
``noto-cjk-sans-otc`` (SIL Open Font License 1.1); a font of the system. No font is part of labeler.
Pillow draws a box (tofu) for a character that a font lacks, so coverage is checked first.
"""

from __future__ import annotations

import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from PIL import ImageFont

from labeler.errors import DependencyMissing, UsageError

__all__ = ["Face", "find_face", "load", "missing_glyphs"]

_SYSTEM = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/System/Library/Fonts/PingFang.ttc",
    "/System/Library/Fonts/STHeiti Medium.ttc",
    "/System/Library/Fonts/Hiragino Sans GB.ttc",
    "C:/Windows/Fonts/msyh.ttc",
    "C:/Windows/Fonts/simhei.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/System/Library/Fonts/Helvetica.ttc",
    "C:/Windows/Fonts/arial.ttf",
)
"""Usual places of fonts, Chinese ones first."""

_MAX_FACES = 32
_PROBE_PX = 32.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One face of a font file.

    Attributes:
        path: the file.
        index: its face within a collection.
        family: the name the face gives itself.
        bundled: true for Noto Sans CJK SC, the face that `labeler.visible.image.detect` knows best.
    """

    path: Path
    index: int
    family: str
    bundled: bool = False


@functools.lru_cache(maxsize=32)
def load(face: Face, em: float) -> ImageFont.FreeTypeFont:
    """A face at a size of `em` px (fractions allowed), laid out without an external engine.

    Raises:
        DependencyMissing: the file cannot be read as a font.
    """
    try:
        return ImageFont.truetype(
            str(face.path), size=em, index=face.index, layout_engine=ImageFont.Layout.BASIC
        )
    except OSError as error:
        raise DependencyMissing(
            f"cannot read the font: {error}.", remedy="Name another file with --font.", path=face.path
        ) from error


def missing_glyphs(face: Face, text: str) -> str:
    """The characters of `text` that a face cannot draw, each once, in order.

    A missing character is drawn as the glyph ``.notdef``; a noncharacter (U+FFFE, never assigned) shows
    how that looks. Nothing at all drawn for a character that is no space counts as missing too.
    """
    font = load(face, _PROBE_PX)
    tofu = _ink(font, "\ufffe")
    missing = (c for c in text if not c.isspace() and _ink(font, c) in (tofu, (b"", (0, 0))))
    return "".join(dict.fromkeys(missing))


def _ink(font: ImageFont.FreeTypeFont, char: str) -> tuple[bytes, tuple[int, int]]:
    mask = font.getmask(char)
    data = bytes(mask)
    return (data, mask.size) if any(data) else (b"", (0, 0))


def find_face(text: str, *, font: Path | None = None) -> Face:
    """The face to draw a text with.

    Args:
        text: what will be drawn; every character must be covered.
        font: a user's font file; no other is tried then.

    Raises:
        UsageError: the user's font is not there or lacks characters.
        DependencyMissing: no font was found, or none has all characters.
    """
    if font is not None:
        return _user_face(Path(font), text)
    return _default_face(text)


def _user_face(path: Path, text: str) -> Face:
    if not path.is_file():
        raise UsageError(
            "the font is not a file.", remedy="Give the path of a .ttf, .otf or .ttc file.", path=path
        )
    face = _best_face(path)
    if face is None:
        raise UsageError(
            "the file is not a font that can be read.", remedy="Give a .ttf, .otf or .ttc file.", path=path
        )
    if missing := missing_glyphs(face, text):
        raise UsageError(
            f"the font {face.family!r} has no glyph for {_named(missing)}.",
            remedy="Choose a font with these characters, or leave --font out.",
            path=path,
        )
    return face


@functools.lru_cache(maxsize=64)
def _default_face(text: str) -> Face:
    seen: list[tuple[Face, str]] = []
    for path in _candidates():
        if not path.is_file():
            continue
        face = _best_face(path)
        if face is None:
            continue
        missing = missing_glyphs(face, text)
        if not missing:
            return face
        seen.append((face, missing))
    remedy = (
        "Install the package noto-cjk-sans-otc (pip install noto-cjk-sans-otc) or name a font with --font."
    )
    if not seen:
        raise DependencyMissing("no font was found for the visible mark.", remedy=remedy)
    face, missing = min(seen, key=lambda item: len(item[1]))
    raise DependencyMissing(
        f"no font has glyphs for all of {text!r}; the nearest, {face.family!r}, lacks {_named(missing)}.",
        remedy=remedy,
    )


def _candidates() -> list[Path]:
    spec = importlib.util.find_spec("noto_cjk_sans_otc")
    folders = [Path(p) for p in (spec.submodule_search_locations or ())] if spec else []
    return [p for folder in folders for p in sorted(folder.glob("*.tt[cf]"))] + [Path(p) for p in _SYSTEM]


@functools.lru_cache(maxsize=64)
def _best_face(path: Path) -> Face | None:
    """The Simplified Chinese face of a collection, else its first; None if it is no font.

    The same code point has another shape in Japanese, Korean and Traditional Chinese faces.
    """
    first: Face | None = None
    for index in range(_MAX_FACES):
        try:
            family = ImageFont.truetype(str(path), size=16, index=index).getname()[0] or ""
        except (OSError, ValueError):
            break
        bundled = family == "Noto Sans CJK SC"
        face = Face(path=path, index=index, family=family, bundled=bundled)
        words = family.split()
        if "Mono" not in words and ("SC" in words or "GB" in words):
            return face
        first = first or face
    return first


def _named(chars: str) -> str:
    return ", ".join(f"{c!r} (U+{ord(c):04X})" for c in chars)
