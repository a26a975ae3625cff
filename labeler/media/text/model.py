"""What every text format offers: the text at its two ends, a place for a mark there, and its running text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from labeler.errors import InputError

__all__ = ["EDGE_CHARS", "Edges", "NoPlace", "Retext", "TextFormat", "collapse", "squeeze"]

EDGE_CHARS = 400
"""Characters of text taken at each end for the detector."""

Retext = Callable[[str], str]
"""Given one paragraph of running text, the paragraph as it is to be."""


class NoPlace(InputError):
    """The document has no place for a visible mark or a tag; the layer is not applicable."""


@dataclass(frozen=True, slots=True)
class Edges:
    """The text a reader sees first and last, at most `EDGE_CHARS` each, paragraphs on lines of their own."""

    head: str
    tail: str


class TextFormat(Protocol):
    """One format; all functions take and give whole files."""

    def edges(self, data: bytes) -> Edges:
        """The text at both ends."""

    def mark(self, data: bytes, head: str, tail: str) -> bytes:
        """The file with ``head`` before and ``tail`` after everything else; "" writes none."""

    def retext(self, data: bytes, change: Retext) -> bytes:
        """The file with every paragraph of running text changed; all else byte for byte as it was."""

    def raw_text(self, data: bytes) -> bytes:
        """Bytes in which invisible characters stand as UTF-8."""


def squeeze(texts: list[str]) -> str:
    """Paragraphs as lines, without empty ones."""
    return "\n".join(line for text in texts if (line := " ".join(text.split())))


def collapse(head: list[str], tail: list[str]) -> Edges:
    """Edges of the first and the last paragraphs."""
    return Edges(squeeze(head)[:EDGE_CHARS], squeeze(tail)[-EDGE_CHARS:])
