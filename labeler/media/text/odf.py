"""OpenDocument texts and EPUB books: a first and a last paragraph.

Sources: OpenDocument 1.3 part 3, 3.4 (office:text); EPUB 3.3, 5.7 (spine) and OCF 4.2.6.3 (container.xml).
"""

from __future__ import annotations

from xml.sax.saxutils import escape

from labeler.errors import DamagedMedia
from labeler.media.containers.splice import Edit, splice
from labeler.media.text.html import HTML
from labeler.media.text.model import Edges, NoPlace, Retext
from labeler.media.text.package import Package
from labeler.media.text.parts import Blocks, elements, find_blocks, resolve

__all__ = ["EPUB", "ODT", "opf_name"]

_PRELUDE = frozenset(
    {
        "alphabetical-index-auto-mark-file",
        "calculation-settings",
        "content-validations",
        "dde-connection-decls",
        "forms",
        "label-ranges",
        "sequence-decls",
        "tracked-changes",
        "user-field-decls",
        "variable-decls",
    }
)
_PROLOG = 1 << 16
_TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"


class _Odt:
    """The first and the last paragraph of the text, in its default style."""

    part = "content.xml"

    def _body(self, package: Package) -> tuple[bytes, Blocks]:
        data = package.read(self.part)
        return data, find_blocks(data, "text", paragraphs=frozenset({"p", "h"}), before=_PRELUDE)

    def edges(self, data: bytes) -> Edges:
        return self._body(Package(data))[1].edges

    def mark(self, data: bytes, head: str, tail: str) -> bytes:
        package = Package(data)
        xml, blocks = self._body(package)

        def paragraph(words: str) -> bytes:
            return f'<text:p xmlns:text="{_TEXT}">{escape(words)}</text:p>'.encode()

        edits = [Edit(blocks.first, blocks.first, paragraph(head))] if head else []
        if tail:
            edits.append(Edit(blocks.last, blocks.last, paragraph(tail)))
        return package.replace({self.part: splice(xml, edits)})

    def retext(self, data: bytes, change: Retext) -> bytes:
        raise NoPlace("the invisible tag is not written into OpenDocument files; label the string before.")

    def raw_text(self, data: bytes) -> bytes:
        return Package(data).read(self.part)


def opf_name(package: Package) -> str:
    """Name of the package document of a book.

    Raises:
        DamagedMedia: the container names none.
    """
    for element in elements(package.read("META-INF/container.xml"), "rootfile"):
        name = element.attributes.get("full-path", "")
        if name in package:
            return name
    raise DamagedMedia("the book has no package document.")


class _Epub:
    """The first block of the first, and the last block of the last document of the spine."""

    def _spine(self, package: Package) -> list[str]:
        name = opf_name(package)
        xml = package.read(name)
        items = {e.attributes.get("id", ""): e.attributes for e in elements(xml, "item")}
        found = []
        for element in elements(xml, "itemref"):
            item = items.get(element.attributes.get("idref", ""), {})
            path = resolve(name, item.get("href", ""))
            if path in package and "html" in item.get("media-type", "html"):
                found.append(path)
        if not found:
            raise NoPlace("the book has no chapter.")
        return found

    def _page(self, package: Package, name: str) -> bytes:
        page = package.read(name)
        if b"<!ENTITY" in page[:_PROLOG]:
            raise DamagedMedia(f"{name} declares entities, which are refused.")
        return page

    def edges(self, data: bytes) -> Edges:
        package = Package(data)
        spine = self._spine(package)
        return Edges(
            HTML.edges(self._page(package, spine[0])).head, HTML.edges(self._page(package, spine[-1])).tail
        )

    def mark(self, data: bytes, head: str, tail: str) -> bytes:
        package = Package(data)
        spine = self._spine(package)
        parts: dict[str, bytes] = {}
        for name, before, after in ((spine[0], head, ""), (spine[-1], "", tail)):
            if before or after:
                parts[name] = HTML.mark(parts.get(name) or self._page(package, name), before, after)
        return package.replace(parts)

    def retext(self, data: bytes, change: Retext) -> bytes:
        package = Package(data)
        return package.replace(
            {name: HTML.retext(self._page(package, name), change) for name in self._spine(package)}
        )

    def raw_text(self, data: bytes) -> bytes:
        package = Package(data)
        return b"\n".join(HTML.raw_text(self._page(package, name)) for name in self._spine(package))


ODT = _Odt()
EPUB = _Epub()
