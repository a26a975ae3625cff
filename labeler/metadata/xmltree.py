"""An XML tree that knows where every element and attribute stands in the bytes.

XMP packets of other people are edited at those places, so that prefixes, comments, processing
instructions, white space and unknown content stay byte by byte as they were: a tree library that
writes the document anew would rename prefixes and lose half of that.

Parsing is expat's. Document type declarations are refused before anything in them is read, which
rules out entity expansion and external entities (the same rule as defusedxml's ``forbid_dtd``); the
number of elements and attributes and their depth are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

__all__ = ["Attribute", "Node", "XmlError", "escape", "escape_attribute", "parse"]

MAX_BYTES = 16 << 20
MAX_NODES = 150_000
MAX_ATTRIBUTES = 2_000
MAX_DEPTH = 256
_ATTRIBUTE = re.compile(rb"""\s+([^\s=/>"']+)\s*=\s*("[^"]*"|'[^']*')""")
_INVALID = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"


class XmlError(ValueError):
    """The packet is not well-formed, holds a DTD, or is too large."""


@dataclass(slots=True)
class Attribute:
    """One attribute; ``start`` includes the white space before it, ``inner`` is behind the quote."""

    name: str
    namespace: str
    local: str
    value: str
    start: int
    inner: int
    end: int


@dataclass(slots=True)
class Node:
    """One element.

    Attributes:
        name: name with prefix, as written.
        namespace: its namespace URI, empty if the prefix is not bound.
        local: name without prefix.
        start: offset of ``<``.
        open_end: offset behind the ``>`` of the start tag.
        close_start: offset of ``</``; equals ``open_end`` for an empty-element tag.
        end: offset behind the element.
        empty: true for ``<a/>``.
        prefixes: prefix -> namespace in scope.
        text: character data directly in it.
    """

    name: str
    namespace: str
    local: str
    start: int
    open_end: int
    empty: bool
    prefixes: Mapping[str, str]
    attributes: list[Attribute] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)
    close_start: int = 0
    end: int = 0
    text: str = ""

    def child(self, namespace: str, local: str) -> Node | None:
        """The first child element of that name."""
        return next((n for n in self.children if n.local == local and n.namespace == namespace), None)

    def attribute(self, namespace: str, local: str) -> Attribute | None:
        """The attribute of that name."""
        return next((a for a in self.attributes if a.local == local and a.namespace == namespace), None)

    def walk(self) -> Iterator[Node]:
        """This element and all below it, in document order."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))


class _Builder:
    """Expat handlers that build the tree."""

    def __init__(self, data: bytes, offset: int) -> None:
        self.data = data
        self.offset = offset
        self.root: Node | None = None
        self.stack: list[Node] = []
        self.texts: list[list[str]] = []
        self.count = 0
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.ordered_attributes = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.finish
        self.parser.CharacterDataHandler = self.characters
        self.parser.StartDoctypeDeclHandler = self.doctype

    def doctype(self, *_arguments: object) -> None:
        raise XmlError("the packet holds a document type declaration")

    def start(self, name: str, attributes: list[str]) -> None:
        self.count += 1 + len(attributes) // 2
        crowded = self.count > MAX_NODES or len(attributes) > 2 * MAX_ATTRIBUTES
        if crowded or len(self.stack) >= MAX_DEPTH:
            raise XmlError("the packet has too many, or too deeply nested, elements and attributes")
        start = self.parser.CurrentByteIndex + self.offset
        parent = self.stack[-1] if self.stack else None
        prefixes: Mapping[str, str] = parent.prefixes if parent else {"xml": _XML_NAMESPACE}
        pairs = list(zip(attributes[::2], attributes[1::2], strict=True))
        own = {k[6:] if k != "xmlns" else "": v for k, v in pairs if k == "xmlns" or k.startswith("xmlns:")}
        if own:
            prefixes = {**prefixes, **own}
        position = start + 1 + len(name.encode())
        found: list[Attribute] = []
        for key, value in pairs:
            match = _ATTRIBUTE.match(self.data, position)
            if match is None or match[1] != key.encode():
                raise XmlError("the attributes of an element could not be located")
            prefix, colon, local = key.partition(":")
            namespace = prefixes.get(prefix, "") if colon else ""
            local = local if colon else key
            found.append(Attribute(key, namespace, local, value, position, match.start(2) + 1, match.end()))
            position = match.end()
        close = self.data.index(b">", position)
        prefix, colon, local = name.partition(":")
        node = Node(
            name=name,
            namespace=prefixes.get(prefix if colon else "", ""),
            local=local if colon else name,
            start=start,
            open_end=close + 1,
            empty=self.data[close - 1 : close] == b"/",
            prefixes=prefixes,
            attributes=found,
        )
        if parent is not None:
            parent.children.append(node)
        elif self.root is None:
            self.root = node
        self.stack.append(node)
        self.texts.append([])

    def finish(self, _name: str) -> None:
        node = self.stack.pop()
        node.text = "".join(self.texts.pop())
        if node.empty:
            node.close_start = node.end = node.open_end
        else:
            node.close_start = self.parser.CurrentByteIndex + self.offset
            node.end = self.data.index(b">", node.close_start) + 1

    def characters(self, text: str) -> None:
        if self.texts:
            self.texts[-1].append(text)


def parse(data: bytes) -> Node:
    """The root element of a UTF-8 document; NULs and white space around the document are ignored.

    Raises:
        XmlError: if it is not well-formed, or refused.
    """
    if len(data) > MAX_BYTES:
        raise XmlError(f"the packet is larger than {MAX_BYTES} bytes")
    head = len(data) - len(data.lstrip(b"\0 \t\r\n"))
    core = data[head:].rstrip(b"\0 \t\r\n")
    builder = _Builder(data, head)
    try:
        builder.parser.Parse(core, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise XmlError(str(error)) from error
    finally:
        # The handlers are bound methods: without this the parser and the tree keep each other alive.
        builder.parser.StartElementHandler = None
        builder.parser.EndElementHandler = None
        builder.parser.CharacterDataHandler = None
        builder.parser.StartDoctypeDeclHandler = None
    if builder.root is None:
        raise XmlError("no element found")
    return builder.root


def escape(text: str) -> str:
    """Text as element content; characters that XML 1.0 cannot hold are left out."""
    clean = _INVALID.sub("", text)
    return clean.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def escape_attribute(text: str) -> str:
    """Text as an attribute value in either kind of quotes."""
    clean = escape(text).replace('"', "&quot;").replace("'", "&#39;")
    return clean.replace("\n", "&#10;").replace("\t", "&#9;")
