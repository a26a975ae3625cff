"""Text from elsewhere, made fit to be shown."""

from __future__ import annotations

__all__ = ["clause", "plain"]


def plain(text: str, limit: int = 300) -> str:
    r"""One line, printable, at most ``limit`` characters.

    >>> plain("signed\x1b[31m by\n me.")
    'signed [31m by me.'
    """
    clean = "".join(char if char.isprintable() else " " for char in text[: 4 * limit])
    return " ".join(clean.split())[:limit]


def clause(text: str) -> str:
    """The same without a full stop, to be put into a sentence."""
    return plain(text).rstrip(".")
