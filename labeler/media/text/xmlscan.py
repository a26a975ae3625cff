"""Reading XML parts of documents in one pass, with byte offsets, in bounded time and memory.

Expat calls back for every element; no tree is kept, so that a part with millions of elements costs time
only until the limit is reached. Document type declarations are refused before anything in them is read.
"""

from __future__ import annotations

import re
from xml.parsers import expat

from labeler.errors import DamagedMedia, LimitExceeded
from labeler.media.text.limits import DEFAULT, DocumentLimits

_TAG = re.compile(rb"""<[^>"']*(?:"[^"]*"[^>"']*|'[^']*'[^>"']*)*>""")

__all__ = ["Scan", "local", "prefix", "scan", "tag_end"]


def local(name: str) -> str:
    """A name without its prefix."""
    return name.rpartition(":")[2]


def prefix(name: str) -> str:
    """The prefix of a name with its colon, or ""."""
    return name[: name.index(":") + 1] if ":" in name else ""


def tag_end(data: bytes, start: int) -> int:
    """Behind the ``>`` of the tag that starts there; a quoted ``>`` is stepped over."""
    match = _TAG.match(data, start)
    if match is None:
        raise DamagedMedia("an XML tag does not end.")
    return match.end()


class Scan:
    """What is called while a part is read: subclass and override. ``depth`` is 1 for the root."""

    def opened(self, name: str, attributes: dict[str, str], depth: int, at: int) -> None:
        """A start tag at byte ``at``."""

    def closed(self, name: str, depth: int, at: int) -> None:
        """An end tag at byte ``at``, or for an empty element the start of its tag."""

    def said(self, text: str) -> None:
        """Character data, perhaps in pieces."""


def scan(data: bytes, handler: Scan, *, limits: DocumentLimits = DEFAULT) -> None:
    """Read a part.

    Raises:
        DamagedMedia: not well-formed, not UTF-8, or with a document type declaration.
        LimitExceeded: too many or too deeply nested elements.
    """
    if len(data) > limits.part_bytes:
        raise LimitExceeded(f"the XML part has {len(data) >> 20} MB.")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:64]:
        raise DamagedMedia("the XML part is not in UTF-8.")
    too_many = f"the XML part has more than {limits.elements} elements, or nests deeper than {limits.depth}."
    if data.count(b"<") > 2 * limits.elements + 1000:  # told before anything is parsed
        raise LimitExceeded(too_many)
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    depth = count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth += 1
        count += 1
        if count > limits.elements or depth > limits.depth:
            raise LimitExceeded(too_many)
        handler.opened(name, attributes, depth, parser.CurrentByteIndex)

    def finish(name: str) -> None:
        nonlocal depth
        handler.closed(name, depth, parser.CurrentByteIndex)
        depth -= 1

    def doctype(*_arguments: object) -> None:
        raise DamagedMedia("the XML part holds a document type declaration, which is refused.")

    parser.StartElementHandler = start
    parser.EndElementHandler = finish
    parser.CharacterDataHandler = handler.said
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError) as error:
        raise DamagedMedia(f"an XML part is not well-formed: {error}.") from error
    finally:
        parser.StartElementHandler = parser.EndElementHandler = None
        parser.CharacterDataHandler = parser.StartDoctypeDeclHandler = None
