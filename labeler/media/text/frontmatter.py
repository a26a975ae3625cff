r"""Front matter: the block of settings at the head of a Markdown file.

``---`` lines around YAML (Jekyll, Hugo, Pandoc) or ``+++`` lines around TOML (Hugo). The opening line must
be the first of the file; a closing ``...`` is taken as well for YAML. Some labelling tools put a new block
above an existing one: blocks that follow one another are all found, the first is the one site generators see.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["FrontMatter", "find_all"]

_OPEN = re.compile(rb"(---|\+\+\+)[ \t]*(\r\n|\n|\r)")
_CLOSE = {
    b"---": re.compile(rb"^(?:---|\.\.\.)[ \t]*(?:\r\n|\n|\r|\Z)", re.MULTILINE),
    b"+++": re.compile(rb"^\+\+\+[ \t]*(?:\r\n|\n|\r|\Z)", re.MULTILINE),
}
_KEY = re.compile(rb"[ \t]*(?:#|\{|[\w.'\"-]+[ \t]*[:=])")
_BLANK = re.compile(rb"(?:[ \t]*(?:\r\n|\n|\r)){0,3}")
_MAX = 1 << 18
_MAX_BLOCKS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontMatter:
    """Where a block stands, in bytes of the UTF-8 body.

    Attributes:
        kind: ``yaml`` or ``toml``.
        start: of its opening line.
        inner: behind the opening line.
        inner_end: of the closing line.
        end: behind the closing line.
    """

    kind: str
    start: int
    inner: int
    inner_end: int
    end: int


def find_all(body: bytes) -> list[FrontMatter]:
    r"""All blocks at the head of a file, in order; [] without any.

    >>> [(b.kind, b.inner, b.inner_end) for b in find_all(b"---\ntitle: x\n---\n# T\n")]
    [('yaml', 4, 13)]
    >>> find_all(b"---\n\nA rule above, no settings.\n\n---\n")
    []
    """
    found: list[FrontMatter] = []
    position = 0
    while len(found) < _MAX_BLOCKS:
        opening = _OPEN.match(body, position)
        if opening is None:
            break
        inner = opening.end()
        closing = _CLOSE[opening[1]].search(body, inner, min(len(body), inner + _MAX))
        if closing is None or (closing.end() < len(body) and closing.end() == inner + _MAX):
            break
        empty = closing.start() == inner
        if not _KEY.match(body, inner) and (found or not empty):
            break
        kind = "yaml" if opening[1] == b"---" else "toml"
        found.append(
            FrontMatter(kind=kind, start=position, inner=inner, inner_end=closing.start(), end=closing.end())
        )
        blank = _BLANK.match(body, closing.end())
        position = blank.end() if blank else closing.end()
    return found
