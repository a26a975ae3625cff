"""What a visible mark says, and whether that satisfies GB 45438-2025.

GB 45438-2025 5.1 to 5.3 ask every explicit label for an AI element (``人工智能`` or ``AI``) and a
generation element (``生成`` and/or ``合成``). English words alone do not satisfy the letter of it, so the
bilingual wording is the default.

>>> WORDINGS["both"].text
'AI生成 · AI-generated'
>>> [has_gb_elements(w.text) for w in WORDINGS.values()]
[True, False, True]
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from labeler.errors import UsageError

__all__ = [
    "LONG_WORDINGS",
    "MAX_CHARS",
    "SEPARATOR",
    "WORDINGS",
    "Wording",
    "clean_text",
    "forms",
    "gb_glyphs",
    "has_gb_elements",
    "wording",
]

AI_ELEMENTS = ("人工智能", "AI")
"""GB 45438-2025 5.1 a): one of these must stand in the text."""

GENERATION_ELEMENTS = ("生成", "合成")
"""GB 45438-2025 5.1 b): at least one of these must stand in the text."""

SEPARATOR = " · "
"""Stands between the two languages where a mark is reported as one line of text."""

MAX_CHARS = 40
"""Longest user's text, in characters: a label is read in passing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """One of labeler's own wordings.

    Attributes:
        lang: ``zh``, ``en`` or ``both``.
        main: the line at full size; it carries the GB elements, where there are any.
        sub: the smaller line below it, or empty.
    """

    lang: str
    main: str
    sub: str = ""

    @property
    def text(self) -> str:
        """The wording as one line, as it is reported."""
        return f"{self.main}{SEPARATOR}{self.sub}" if self.sub else self.main


WORDINGS = {
    "zh": Wording(lang="zh", main="AI生成"),
    "en": Wording(lang="en", main="AI-generated"),
    "both": Wording(lang="both", main="AI生成", sub="AI-generated"),
}
"""The wordings by ``--lang``."""

LONG_WORDINGS = {
    "zh": Wording(lang="zh", main="人工智能生成"),
    "en": WORDINGS["en"],
    "both": Wording(lang="both", main="人工智能生成", sub="AI-generated"),
}
"""The same with the AI element written out; twice as wide."""


def wording(lang: str, *, long: bool = False) -> Wording:
    """The wording for a language.

    Args:
        lang: ``zh``, ``en`` or ``both``.
        long: write 人工智能 instead of AI.

    Raises:
        UsageError: unknown language.
    """
    try:
        return (LONG_WORDINGS if long else WORDINGS)[lang]
    except KeyError:
        raise UsageError(
            f"unknown language {lang!r} for the visible mark.", remedy="Use zh, en or both."
        ) from None


def forms(main: str, sub: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The forms of one of our wordings, the richest first."""
    if sub:
        yield (main,), sub
    yield (main,), ""
    head, tail = (main[:-2], main[-2:]) if main.endswith("生成") else (main[:3], main[3:])
    yield (head, tail), ""
    if main == "AI生成":
        yield ("AI", "生", "成"), ""
    elif main.endswith("生成"):
        yield from forms("AI生成", "")


def has_gb_elements(text: str) -> bool:
    """Whether a text carries both elements of GB 45438-2025 5.1, after NFKC (full-width ＡＩ counts).

    >>> has_gb_elements("本图由人工智能合成"), has_gb_elements("AI-generated"), has_gb_elements("生成")
    (True, False, False)
    """
    text = unicodedata.normalize("NFKC", text)
    return any(e in text for e in AI_ELEMENTS) and any(e in text for e in GENERATION_ELEMENTS)


def gb_glyphs(text: str) -> str:
    """The characters of a text that belong to GB elements, each once: those whose size is prescribed.

    >>> gb_glyphs("AI生成 · AI-generated")
    'AI生成'
    """
    found = (e for e in AI_ELEMENTS + GENERATION_ELEMENTS if e in text)
    return "".join(dict.fromkeys("".join(found)))


def clean_text(text: str) -> str:
    """A user's text, fit to be drawn: NFC, one line, no control or invisible characters.

    Args:
        text: any text.

    Returns:
        The text with runs of white space made one space.

    Raises:
        UsageError: empty, longer than `MAX_CHARS`, or with control, format (bidirectional), private,
            unassigned or surrogate characters, which would hide or reorder what is shown; or in a script
            that needs shaping.
    """
    text = unicodedata.normalize("NFC", text)
    kinds = {c: unicodedata.category(c) for c in text}
    bad = sorted(f"U+{ord(c):04X}" for c, kind in kinds.items() if kind[0] == "C" or kind in ("Zl", "Zp"))
    if bad:
        raise UsageError(
            f"the text of the visible mark holds control or invisible characters: {', '.join(bad)}.",
            remedy="Give one line of plain text.",
        )
    if any(unicodedata.bidirectional(c) in ("R", "AL") or kind[0] == "M" for c, kind in kinds.items()):
        raise UsageError(
            "the text of the visible mark needs shaping (right to left, or combining signs), which is not done.",
            remedy="Use a script that is written from left to right in separate characters.",
        )
    text = " ".join(text.split())
    if not text:
        raise UsageError(
            "the text of the visible mark is empty.", remedy="Leave it out for the default wording."
        )
    if len(text) > MAX_CHARS:
        raise UsageError(
            f"the text of the visible mark has {len(text)} characters, at most {MAX_CHARS} are drawn.",
            remedy="Shorten it.",
        )
    return text
