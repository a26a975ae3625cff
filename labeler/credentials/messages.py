"""Text from elsewhere, made fit to be shown."""

from __future__ import annotations

import datetime as dt

__all__ = ["clause", "is_time", "plain"]


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


def is_time(text: str) -> bool:
    """Whether a text is a time with a zone (RFC 3339), as C2PA wants it in ``when``.

    >>> is_time("2026-11-23T12:00:00Z"), is_time("yesterday"), is_time("2026-11-23")
    (True, False, False)
    """
    try:
        return dt.datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
