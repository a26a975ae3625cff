"""HTML and XHTML: places for a mark and a meta element, found by a scan that writes nothing anew.

Source: HTML Living Standard, 13.1 (writing documents) and 13.2.5 (tokenisation), as far as they matter for
finding tags: comments, raw text elements and quoted attributes are stepped over.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from labeler.errors import LimitExceeded
from labeler.media.text.encoding import decode
from labeler.media.text.limits import DEFAULT
from labeler.media.text.model import EDGE_CHARS, Edges, NoPlace, Retext, collapse

__all__ = ["CLASS", "HTML", "Meta", "Places", "Tag", "places", "tags"]

CLASS = "aigc-label"
_RAW = frozenset(
    {b"script", b"style", b"textarea", b"title", b"xmp", b"iframe", b"noscript", b"template", b"svg", b"math"}
)
_HEAD = frozenset(
    {b"meta", b"title", b"link", b"script", b"style", b"base", b"html", b"head", b"noscript", b"template"}
)
_BLOCKS = frozenset(
    b"p div h1 h2 h3 h4 h5 h6 li td th tr br hr section article header footer pre blockquote "
    b"table ul ol dl dd dt figure".split()
)
_NAME = re.compile(rb"</?([A-Za-z][^\s/>]*)")
_NEXT = re.compile(rb">|=\s*([\"'])")
_ATTRIBUTE = re.compile(rb"([^\s=/>\"']+)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>\"']+))?")


class Tag(NamedTuple):
    """A start or end tag: name in lower case, bounds, and where its raw content ends for script and the like."""

    name: bytes
    closing: bool
    start: int
    end: int
    attributes: bytes = b""
    content_end: int = 0

    def get(self, name: str) -> str | None:
        """An attribute's value, entities resolved."""
        for match in _ATTRIBUTE.finditer(self.attributes):
            if match[1].lower() == name.encode():
                return html.unescape((match[2] or b"").strip(b"\"'").decode("utf-8", "replace"))
        return None


def tags(body: bytes) -> Iterator[Tag]:
    """All tags outside comments and raw text elements, in order.

    Raises:
        LimitExceeded: there are more than a document has.
    """
    position = count = 0
    lowered: bytes | None = None
    while True:
        position = body.find(b"<", position)
        if position < 0:
            return
        if body.startswith(b"<!--", position):
            end = body.find(b"-->", position + 4)
            position = len(body) if end < 0 else end + 3
            continue
        if body[position + 1 : position + 2] in (b"!", b"?"):
            end = body.find(b">", position)
            position = len(body) if end < 0 else end + 1
            continue
        match = _NAME.match(body, position)
        if match is None:
            position += 1
            continue
        end = content_end = _tag_end(body, match.end())
        if not end:
            return
        name, closing = match[1].lower(), body[position + 1] == 0x2F
        attributes = body[match.end() : end - 1]
        if name in _RAW and not closing and not attributes.endswith(b"/"):
            lowered = body.lower() if lowered is None else lowered
            found = lowered.find(b"</" + name, end)
            content_end = len(body) if found < 0 else found
        count += 1
        if count > DEFAULT.tags:
            raise LimitExceeded(f"the page has more than {DEFAULT.tags} tags.")
        yield Tag(name, closing, position, end, attributes, content_end)
        position = content_end


def _tag_end(body: bytes, position: int) -> int:
    """Behind the ``>`` of a tag; 0 if the file ends within it."""
    while match := _NEXT.search(body, position):
        if match[1] is None:
            return match.end()
        position = body.find(match[1], match.end()) + 1
        if not position:
            return 0
    return 0


@dataclass(frozen=True, slots=True)
class Meta:
    """A meta element: its name, its content, its bounds."""

    name: str
    content: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Places:
    """Where things go, in bytes of the body.

    Attributes:
        first: for the first block of the body.
        last: for the last one.
        head: for a meta element.
        xhtml: whether elements must be closed as XML wants it.
        metas: meta elements with a name or property.
        cut: whether the file ends within a script or another element whose content is no markup.
    """

    first: int
    last: int
    head: int
    xhtml: bool
    metas: tuple[Meta, ...]
    cut: bool = False


def places(body: bytes) -> Places:
    """Find the places in a document or fragment."""
    first = last = head = head_open = -1
    quiet, pending = _after_doctype(body), True  # behind all that belongs to the head where no tag says so
    metas: list[Meta] = []
    cut = False
    for tag in tags(body):
        cut = tag.content_end == len(body) and tag.content_end > tag.end
        if tag.name == b"body" and not tag.closing and first < 0:
            first = tag.end
        elif tag.name == b"head":
            head_open = tag.end if not tag.closing and head_open < 0 else head_open
            head = tag.start if tag.closing and head < 0 else head
        if tag.closing and (tag.name == b"body" or (tag.name == b"html" and last < 0)):
            last = tag.start
        pending = pending and tag.name in _HEAD and not body[quiet : tag.start].strip()
        if pending:
            quiet = max(tag.end, tag.content_end)
        if tag.name == b"meta" and not tag.closing and len(metas) < 1000:
            name = tag.get("name") or tag.get("property") or tag.get("itemprop")
            if name is not None:
                metas.append(Meta(name, tag.get("content") or "", tag.start, tag.end))
    first = first if first >= 0 else quiet
    last = last if last >= first else len(body)
    head = head if head >= 0 else head_open if head_open >= 0 else min(quiet, first)
    return Places(
        first, last, head, b'xmlns="http://www.w3.org/1999/xhtml"' in body[:4096], tuple(metas), cut
    )


def _after_doctype(body: bytes) -> int:
    match = re.match(
        rb"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--(?:(?!-->).)*-->\s*)?<!doctype[^>]*>(?:\r?\n)?",
        body[:8192],
        re.IGNORECASE | re.DOTALL,
    )
    return match.end() if match else 0


def _blocks(body: bytes, start: int, end: int, *, most: int) -> list[str]:
    """Text between two places, a paragraph an item."""
    result: list[str] = []
    current: list[str] = []
    position, size = start, 0

    def add(raw: bytes) -> int:
        text = html.unescape(raw.decode("utf-8", "replace"))
        current.append(text)
        return len(text.strip())

    for tag in tags(body[start:end]):
        at = start + tag.start
        size += add(body[position:at])
        position = start + max(tag.end, tag.content_end)
        if tag.name in _BLOCKS:
            result.append("".join(current))
            current.clear()
            if size > most:
                return result
    add(body[position:end])
    result.append("".join(current))
    return result


class _Html:
    """A paragraph as the first and as the last block of the body."""

    def edges(self, data: bytes) -> Edges:
        body = decode(data).body
        where = places(body)
        head = _blocks(body, where.first, min(where.last, where.first + (1 << 18)), most=EDGE_CHARS)
        begin = max(where.first, where.last - (1 << 16))
        cut = body.find(b"<", begin, where.last) if begin > where.first else begin
        tail = _blocks(body, max(cut, begin), where.last, most=1 << 20)
        return collapse(head, tail)

    def mark(self, data: bytes, head: str, tail: str) -> bytes:
        text = decode(data)
        body, line = text.body, text.newline
        where = places(body)
        if where.cut:
            raise NoPlace("the page ends within a script, a style or the like, where no mark can be seen.")

        def block(words: str) -> bytes:
            return f'<p class="{CLASS}">{html.escape(words, quote=False)}</p>'.encode()

        before = after = b""
        if head:
            fresh = body[: where.first].endswith((b"\n", b"\r")) or not where.first
            before = block(head) + line if fresh else line + block(head)
        if tail:
            fresh = body[: where.last].endswith((b"\n", b"\r"))
            after = block(tail) + line if fresh else line + block(tail)
        parts = [body[: where.first], before, body[where.first : where.last], after, body[where.last :]]
        return text.encode(b"".join(parts), references=True)

    def retext(self, data: bytes, change: Retext) -> bytes:
        text = decode(data)
        body = text.body
        where = places(body)
        pieces: list[bytes] = [body[: where.first]]
        position = where.first
        for tag in tags(body[where.first : where.last]):
            at = where.first + tag.start
            pieces += [
                _change(body[position:at], change, tag.name in _BLOCKS),
                body[at : where.first + max(tag.end, tag.content_end)],
            ]
            position = where.first + max(tag.end, tag.content_end)
        if position < where.last:
            pieces.append(_change(body[position : where.last], change, True))
            position = where.last
        pieces.append(body[position:])
        return text.encode(b"".join(pieces), references=True)

    def raw_text(self, data: bytes) -> bytes:
        body = decode(data).body
        if re.search(rb"&#(?:x[eE]01|917|x[fF][eE]0|650)", body):
            body = html.unescape(body.decode("utf-8", "surrogatepass")).encode("utf-8", "replace")
        return body


def _change(raw: bytes, change: Retext, ending: bool) -> bytes:
    """The last text before a block ends is the end of a paragraph; other text stays."""
    core = raw.rstrip()
    if not ending or not core.strip():
        return raw
    return change(core.decode("utf-8", "surrogatepass")).encode("utf-8", "surrogatepass") + raw[len(core) :]


HTML = _Html()
