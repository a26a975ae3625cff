"""Word, PowerPoint and Excel files: a paragraph, a text box, a sheet.

Source: ECMA-376 part 1: 17.2.2 (body), 19.3.1.45 (shape tree), 18.2.19 (sheet). Namespace prefixes are taken
from the file, so that strict and transitional files are written alike.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

from labeler.errors import DamagedMedia
from labeler.media.containers.splice import Edit, splice
from labeler.media.text.model import Edges, NoPlace, Retext, collapse
from labeler.media.text.package import Package
from labeler.media.text.parts import Blocks, Element, elements, find_blocks, relations, retext_blocks
from labeler.media.text.xmlscan import local, prefix, tag_end

__all__ = ["DOCX", "PPTX", "SHEET", "XLSX"]

SHEET = "AI生成"
"""Name of the sheet that carries the label of a workbook."""

_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
_P = frozenset({"p"})
_SECTION = frozenset({"sectPr"})
_MAIN = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
_SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"


class _Docx:
    """The first and the last paragraph of the body, in the size of the document's own text."""

    part = "word/document.xml"

    def _body(self, package: Package) -> tuple[bytes, Blocks]:
        data = package.read(self.part)
        return data, find_blocks(data, "body", paragraphs=_P, text="t", after=_SECTION)

    def edges(self, data: bytes) -> Edges:
        return self._body(Package(data))[1].edges

    def mark(self, data: bytes, head: str, tail: str) -> bytes:
        package = Package(data)
        xml, blocks = self._body(package)
        w = prefix(blocks.container)

        def paragraph(words: str) -> bytes:
            return f"<{w}p><{w}r><{w}t>{escape(words)}</{w}t></{w}r></{w}p>".encode()

        edits = [Edit(blocks.first, blocks.first, paragraph(head))] if head else []
        if tail:
            edits.append(Edit(blocks.last, blocks.last, paragraph(tail)))
        return package.replace({self.part: splice(xml, edits)})

    def retext(self, data: bytes, change: Retext) -> bytes:
        package = Package(data)
        xml, blocks = self._body(package)
        return package.replace({self.part: retext_blocks(xml, blocks, change)})

    def raw_text(self, data: bytes) -> bytes:
        return Package(data).read(self.part)


class _Pptx:
    """A text box at the top left of the first slide, and at the bottom right of the last."""

    part = "ppt/presentation.xml"

    def _slides(self, package: Package) -> list[str]:
        targets = relations(package, self.part)
        found = elements(package.read(self.part), "sldId")
        ids = [next((v for k, v in e.attributes.items() if ":" in k and local(k) == "id"), "") for e in found]
        slides = [targets[i] for i in ids if targets.get(i, "") in package]
        if not slides:
            raise NoPlace("the presentation has no slide.")
        return slides

    def edges(self, data: bytes) -> Edges:
        package = Package(data)
        slides = self._slides(package)
        first, last = (self._tree(package.read(name)) for name in (slides[0], slides[-1]))
        # a text box of ours is the last shape of its slide, wherever it stands on it
        return collapse([*first.tail[-1:], *first.head], [*last.head[-3:], *last.tail[-2:]])

    def _tree(self, xml: bytes) -> Blocks:
        return find_blocks(xml, "spTree", paragraphs=_P, text="t", after=frozenset({"extLst"}))

    def mark(self, data: bytes, head: str, tail: str) -> bytes:
        package = Package(data)
        slides = self._slides(package)
        sizes = elements(package.read(self.part), "sldSz")
        cx, cy = 9_144_000, 6_858_000
        if sizes:
            cx, cy = (
                int(sizes[0].attributes.get(name, "0")) or size for name, size in (("cx", cx), ("cy", cy))
            )
        parts: dict[str, bytes] = {}
        for name, words, low in ((slides[0], head, False), (slides[-1], tail, True)):
            if words:
                xml = parts.get(name) or package.read(name)
                parts[name] = self._add(xml, words, cx, cy, low=low)
        return package.replace(parts)

    def _add(self, xml: bytes, words: str, cx: int, cy: int, *, low: bool) -> bytes:
        tree = self._tree(xml)
        p = prefix(tree.container)
        numbers = [
            int(e.attributes["id"]) for e in elements(xml, "cNvPr") if e.attributes.get("id", "").isdigit()
        ]
        height = 400_000
        width = min(cx, 150_000 + 150_000 * len(words))
        x, y = (cx - width, cy - height) if low else (0, 0)
        align = "r" if low else "l"
        box = (
            f'<{p}sp><{p}nvSpPr><{p}cNvPr id="{max(numbers, default=1) + 1}" name="AIGC label"/>'
            f'<{p}cNvSpPr txBox="1"/><{p}nvPr/></{p}nvSpPr><{p}spPr>'
            f'<a:xfrm xmlns:a="{_DRAWING}"><a:off x="{x}" y="{y}"/><a:ext cx="{width}" cy="{height}"/></a:xfrm>'
            f'<a:prstGeom xmlns:a="{_DRAWING}" prst="rect"><a:avLst/></a:prstGeom>'
            f'<a:solidFill xmlns:a="{_DRAWING}"><a:srgbClr val="FFFFFF"/></a:solidFill></{p}spPr><{p}txBody>'
            f'<a:bodyPr xmlns:a="{_DRAWING}" wrap="square" anchor="ctr"/>'
            f'<a:p xmlns:a="{_DRAWING}"><a:pPr algn="{align}"/><a:r><a:rPr lang="zh-CN" sz="1600">'
            f'<a:solidFill><a:srgbClr val="202020"/></a:solidFill></a:rPr>'
            f"<a:t>{escape(words)}</a:t></a:r></a:p></{p}txBody></{p}sp>"
        )
        return splice(xml, [Edit(tree.last, tree.last, box.encode())])

    def retext(self, data: bytes, change: Retext) -> bytes:
        package = Package(data)
        parts = {}
        for name in self._slides(package):
            xml = package.read(name)
            parts[name] = retext_blocks(xml, self._tree(xml), change)
        return package.replace(parts)

    def raw_text(self, data: bytes) -> bytes:
        package = Package(data)
        return b"\n".join(package.read(name) for name in self._slides(package))


class _Xlsx:
    """A sheet of its own behind the others, its tab named `SHEET`; no cell of another sheet is touched."""

    part = "xl/workbook.xml"
    added = "xl/worksheets/aigc-label.xml"

    def _sheets(self, package: Package) -> tuple[bytes, list[Element]]:
        xml = package.read(self.part)
        sheets = [e for e in elements(xml, "sheet") if e.depth == 3]
        if not sheets:
            raise DamagedMedia("the workbook has no sheet.")
        return xml, sheets

    def edges(self, data: bytes) -> Edges:
        package = Package(data)
        sheets = self._sheets(package)[1]
        names = [e.attributes.get("name", "") for e in sheets]
        shared: list[str] = []
        if "xl/sharedStrings.xml" in package:
            strings = package.read("xl/sharedStrings.xml")
            found = find_blocks(strings, "sst", paragraphs=frozenset({"si"}), text="t")
            shared = found.head[:3] + found.tail[-3:]
        if names[-1].startswith(SHEET):  # ours, perhaps written anew by another program
            return collapse(*[self._words(package, sheets[-1]) or shared[-2:]] * 2)
        return collapse([names[0], *shared[:3]], [*shared[-3:], names[-1]])

    def _words(self, package: Package, sheet: Element) -> list[str]:
        """Text that stands in the cells of a sheet itself."""
        key = next((v for k, v in sheet.attributes.items() if ":" in k and local(k) == "id"), "")
        part = relations(package, self.part).get(key, "")
        if part not in package:
            return []
        rows = frozenset({"c"})
        return find_blocks(package.read(part), "sheetData", paragraphs=rows, text="t").head

    def mark(self, data: bytes, head: str, tail: str) -> bytes:
        package = Package(data)
        xml, sheets = self._sheets(package)
        rows = "".join(
            f'<row r="{n}"><c r="A{n}" t="inlineStr"><is><t>{escape(words)}</t></is></c></row>'
            for n, words in enumerate([w for w in (head, tail) if w], 1)
        )
        if not rows:
            return data
        root = elements(xml, "workbook", most=1)[0]
        space = next(
            (v for k, v in root.attributes.items() if k == "xmlns" or k == "xmlns:" + prefix(root.name)[:-1]),
            "",
        )
        declaration = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        sheet = f'{declaration}<worksheet xmlns="{space}"><sheetData>{rows}</sheetData></worksheet>'
        parts = {self.added: sheet.encode()}
        if self.added in package:
            return package.replace(parts)
        names = {e.attributes.get("name", "").lower() for e in sheets}
        name = next(n for n in (SHEET, *(f"{SHEET} {i}" for i in range(2, 999))) if n.lower() not in names)
        number = max(int(e.attributes.get("sheetId", "0")) for e in sheets) + 1
        key = next(k for k in sheets[-1].attributes if ":" in k and local(k) == "id")
        space_key = "xmlns:" + prefix(key)[:-1]  # declared here, since some writers declare it on each sheet
        links = sheets[-1].attributes.get(space_key) or root.attributes.get(space_key, _MAIN[:-1])
        entry = (
            f'<{sheets[-1].name} {space_key}="{links}" name="{name}" sheetId="{number}" {key}="rIdAigc1"/>'
        )
        end = tag_end(xml, sheets[-1].at)
        if xml[end - 2 : end - 1] != b"/":
            end = tag_end(xml, end)
        parts[self.part] = splice(xml, [Edit(end, end, entry.encode())])
        kind = (
            _MAIN + "worksheet"
            if "purl.oclc.org" not in space
            else "http://purl.oclc.org/ooxml/officeDocument/relationships/worksheet"
        )
        rels = "xl/_rels/workbook.xml.rels"
        link = f'<Relationship Id="rIdAigc1" Type="{kind}" Target="worksheets/aigc-label.xml"/>'
        parts[rels] = _append(package.read(rels), "Relationships", link)
        types = f'<Override PartName="/{self.added}" ContentType="{_SHEET_TYPE}"/>'
        parts["[Content_Types].xml"] = _append(package.read("[Content_Types].xml"), "Types", types)
        return package.replace(parts)

    def retext(self, data: bytes, change: Retext) -> bytes:
        raise NoPlace("cells of a workbook are data and are not changed.")

    def raw_text(self, data: bytes) -> bytes:
        package = Package(data)
        return package.read("xl/sharedStrings.xml") if "xl/sharedStrings.xml" in package else b""


def _append(xml: bytes, root: str, entry: str) -> bytes:
    """An entry as the last child of the root element."""
    found = elements(xml, root, most=1)
    at = xml.rfind(b"</")
    if not found or found[0].depth != 1 or at < 0:
        raise DamagedMedia(f"a part of the package has no {root}.")
    p = prefix(found[0].name)
    return splice(xml, [Edit(at, at, entry.replace("<", f"<{p}", 1).encode())])


DOCX = _Docx()
PPTX = _Pptx()
XLSX = _Xlsx()
