"""What packages have in common: relationships, and XML bodies whose blocks stand in a row."""

from __future__ import annotations

import posixpath
from collections import deque
from dataclasses import dataclass, field
from urllib.parse import unquote
from xml.sax.saxutils import escape

from labeler.errors import DamagedMedia
from labeler.media.containers.splice import Edit, splice
from labeler.media.text.model import EDGE_CHARS, Edges, Retext, collapse
from labeler.media.text.package import Package
from labeler.media.text.xmlscan import Scan, local, scan, tag_end

__all__ = ["Blocks", "Element", "elements", "find_blocks", "relations", "resolve", "retext_blocks"]

_KEPT = 40


@dataclass(frozen=True, slots=True)
class Element:
    """An element met: its name, attributes by local name, start offset and depth."""

    name: str
    attributes: dict[str, str]
    at: int
    depth: int


class _Collect(Scan):
    def __init__(self, names: frozenset[str], most: int) -> None:
        self.names, self.most = names, most
        self.found: list[Element] = []

    def opened(self, name: str, attributes: dict[str, str], depth: int, at: int) -> None:
        if local(name) in self.names and len(self.found) < self.most:
            self.found.append(Element(name, attributes, at, depth))


def elements(data: bytes, *names: str, most: int = 50_000) -> list[Element]:
    """All elements of some local names, in document order."""
    handler = _Collect(frozenset(names), most)
    scan(data, handler)
    return handler.found


def relations(package: Package, part: str) -> dict[str, str]:
    """Targets of a part's internal relationships by id, as names in the package (ECMA-376 part 2, 9.3)."""
    folder, name = posixpath.split(part)
    source = posixpath.join(folder, "_rels", name + ".rels")
    if source not in package:
        return {}
    found = elements(package.read(source), "Relationship")
    return {
        e.attributes.get("Id", ""): resolve(part, e.attributes.get("Target", ""))
        for e in found
        if e.attributes.get("TargetMode") != "External"
    }


def resolve(base: str, target: str) -> str:
    """A reference within a package as a name in it."""
    path = unquote(target.partition("#")[0])
    if path.startswith("/"):
        return path.lstrip("/")
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), path))


@dataclass(frozen=True, slots=True)
class Blocks:
    """A body of blocks.

    Attributes:
        container: name of the element with its prefix.
        first: where a first block goes.
        last: where a last block goes.
        head: text of the first paragraphs.
        tail: text of the last paragraphs.
        texts: of the last text element of each paragraph: start, end, text.
    """

    container: str
    first: int
    last: int
    head: list[str]
    tail: list[str]
    texts: list[tuple[int, int, str]] = field(default_factory=list)

    @property
    def edges(self) -> Edges:
        """Text at both ends."""
        return collapse(self.head, self.tail)


class _Body(Scan):
    """Collects paragraphs of one container."""

    def __init__(
        self,
        data: bytes,
        container: str,
        paragraphs: frozenset[str],
        text: str,
        before: frozenset[str],
        after: frozenset[str],
    ) -> None:
        self.data, self.container, self.paragraphs, self.text = data, container, paragraphs, text
        self.before, self.after = before, after
        self.name = ""
        self.inside = 0
        self.first = self.last = -1
        self.head: list[str] = []
        self.tail: deque[str] = deque(maxlen=_KEPT)
        self.open: list[list[str]] = []
        self.capture = 0
        self.spans: list[tuple[int, int, str]] = []
        self.span: tuple[int, int, str] | None = None
        self.piece: list[str] = []
        self.start = 0
        self.close = -1

    def opened(self, name: str, attributes: dict[str, str], depth: int, at: int) -> None:
        short = local(name)
        if not self.inside:
            if short == self.container and self.first < 0:
                self.inside, self.name = depth, name
                self.first = tag_end(self.data, at)
            return
        if depth == self.inside + 1:
            if short in self.before:
                self.first = -2
            elif self.first == -2:
                self.first = at
            self.last = at if short in self.after else -1
        if short in self.paragraphs:
            self.open.append([])
        if not self.text or short == self.text:
            self.capture += 1
            if short == self.text:
                self.start, self.piece = tag_end(self.data, at), []

    def said(self, text: str) -> None:
        if self.open and (self.capture or not self.text):
            self.open[-1].append(text)
            self.piece.append(text)

    def closed(self, name: str, depth: int, at: int) -> None:
        short = local(name)
        if self.text and short == self.text and self.capture:
            self.capture -= 1
            words = "".join(self.piece)
            if words.strip() and self.open:
                self.span = (self.start, at, words)
        if short in self.paragraphs and self.open:
            words = "".join(self.open.pop())
            if self.span:
                self.spans.append(self.span)
                self.span = None
            if words.strip():
                if len(self.head) < _KEPT:
                    self.head.append(words[: 4 * EDGE_CHARS])
                self.tail.append(words[-4 * EDGE_CHARS :])
        if depth == self.inside:
            self.close = at
            self.inside = 0


def find_blocks(
    data: bytes,
    container: str,
    *,
    paragraphs: frozenset[str],
    text: str = "",
    before: frozenset[str] = frozenset(),
    after: frozenset[str] = frozenset(),
) -> Blocks:
    """Find the paragraphs of a body.

    Args:
        data: an XML part.
        container: local name of the element that holds the blocks.
        paragraphs: local names of paragraphs.
        text: local name of the elements that hold characters; "" takes all characters.
        before: children that must stay before the first block.
        after: children that must stay behind the last one.

    Raises:
        DamagedMedia: there is no such body.
    """
    body = _Body(data, container, paragraphs, text, before, after)
    scan(data, body)
    if body.close < 0 or data[body.close : body.close + 2] != b"</":
        raise DamagedMedia(f"the document has no {container}, or an empty one.")
    first = body.close if body.first == -2 else body.first
    last = body.last if body.last >= 0 else body.close
    return Blocks(body.name, min(first, last), last, body.head, list(body.tail), body.spans)


def retext_blocks(data: bytes, blocks: Blocks, change: Retext) -> bytes:
    """The part with the last text of each paragraph changed."""
    edits = []
    for start, end, text in blocks.texts:
        new = change(text)
        if new != text:
            edits.append(Edit(start, end, escape(new).encode()))
    return splice(data, edits)
