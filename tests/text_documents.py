# ruff: noqa: E501 (documents read better on one line)
"""Small texts and documents of our own making, one of each format."""

from __future__ import annotations

import io
import zipfile

ENGLISH = (
    "The river rose in the night. By morning the lower fields were under water.\n\nNobody had seen it coming."
)
CHINESE = "夜里河水上涨。到了早晨，低处的田地已经被水淹没。\n\n没有人预料到这一点。"
XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
RELS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"
P = "http://schemas.openxmlformats.org/presentationml/2006/main"
S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def package(parts: dict[str, str | bytes], *, stored: tuple[str, ...] = ()) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in parts.items():
            info = zipfile.ZipInfo(name, (2024, 2, 3, 4, 5, 6))
            info.compress_type = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            file.writestr(info, content)
    return buffer.getvalue()


def _types(part: str, kind: str) -> str:
    return (
        f'{XML}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/{part}" ContentType="application/vnd.openxmlformats-officedocument.{kind}.main+xml"/></Types>'
    )


def _rels(*targets: tuple[str, str]) -> str:
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, 1)
    )
    return f'{XML}<Relationships xmlns="{RELS}">{links}</Relationships>'


def docx(text: str = ENGLISH) -> bytes:
    body = "".join(f"<w:p><w:r><w:t>{line}</w:t></w:r></w:p>" for line in text.split("\n") if line)
    return package(
        {
            "[Content_Types].xml": _types("word/document.xml", "wordprocessingml.document"),
            "_rels/.rels": _rels(("officeDocument", "word/document.xml")),
            "word/document.xml": f'{XML}<w:document xmlns:w="{W}"><w:body>{body}<w:sectPr><w:pgSz w:w="11906" w:h="16838"/></w:sectPr></w:body></w:document>',
        }
    )


def pptx(slides: int = 2) -> bytes:
    ids = "".join(f'<p:sldId id="{255 + n}" r:id="rId{n}"/>' for n in range(1, slides + 1))
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": _types("ppt/presentation.xml", "presentationml.presentation"),
        "_rels/.rels": _rels(("officeDocument", "ppt/presentation.xml")),
        "ppt/presentation.xml": f'{XML}<p:presentation xmlns:p="{P}" xmlns:r="{OFFICE}"><p:sldIdLst>{ids}</p:sldIdLst><p:sldSz cx="12192000" cy="6858000"/></p:presentation>',
        "ppt/_rels/presentation.xml.rels": _rels(
            *(("slide", f"slides/slide{n}.xml") for n in range(1, slides + 1))
        ),
    }
    for n in range(1, slides + 1):
        shape = (
            '<p:sp><p:nvSpPr><p:cNvPr id="2" name="Title"/><p:cNvSpPr/><p:nvPr/></p:nvSpPr><p:spPr/>'
            f"<p:txBody><a:bodyPr/><a:p><a:r><a:t>Slide number {n} tells a story.</a:t></a:r></a:p></p:txBody></p:sp>"
        )
        parts[f"ppt/slides/slide{n}.xml"] = (
            f'{XML}<p:sld xmlns:p="{P}" xmlns:a="{A}"><p:cSld><p:spTree><p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/>'
            f"</p:nvGrpSpPr><p:grpSpPr/>{shape}</p:spTree></p:cSld></p:sld>"
        )
    return package(parts)


def xlsx() -> bytes:
    cells = '<row r="1"><c r="A1" t="inlineStr"><is><t>Month</t></is></c><c r="B1"><v>0.10</v></c></row>'
    return package(
        {
            "[Content_Types].xml": _types("xl/workbook.xml", "spreadsheetml.sheet"),
            "_rels/.rels": _rels(("officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": f'{XML}<workbook xmlns="{S}" xmlns:r="{OFFICE}"><sheets><sheet name="Data" sheetId="1" r:id="rId1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": _rels(("worksheet", "worksheets/sheet1.xml")),
            "xl/worksheets/sheet1.xml": f'{XML}<worksheet xmlns="{S}"><sheetData>{cells}</sheetData></worksheet>',
        }
    )


def odt(text: str = ENGLISH) -> bytes:
    office, words = (
        "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
        "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
    )
    body = "".join(f"<text:p>{line}</text:p>" for line in text.split("\n") if line)
    manifest = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    return package(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "META-INF/manifest.xml": f'{XML}<manifest:manifest xmlns:manifest="{manifest}" manifest:version="1.3">'
            '<manifest:file-entry manifest:full-path="/" manifest:media-type="application/vnd.oasis.opendocument.text"/>'
            '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>',
            "content.xml": f'{XML}<office:document-content xmlns:office="{office}" xmlns:text="{words}" office:version="1.3"><office:body><office:text>'
            f"<text:sequence-decls/>{body}</office:text></office:body></office:document-content>",
            "meta.xml": f'{XML}<office:document-meta xmlns:office="{office}" office:version="1.3"><office:meta/></office:document-meta>',
        },
        stored=("mimetype",),
    )


def epub() -> bytes:
    def page(words: str) -> str:
        return f'{XML}<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml"><head><title>T</title></head><body>\n<p>{words}</p>\n</body></html>\n'

    container = "urn:oasis:names:tc:opendocument:xmlns:container"
    return package(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": f'{XML}<container version="1.0" xmlns="{container}"><rootfiles>'
            '<rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
            "OPS/book.opf": f'{XML}<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
            "<dc:title>Story</dc:title></metadata><manifest>"
            '<item id="a" href="one%20a.xhtml" media-type="application/xhtml+xml"/><item id="b" href="two.xhtml" media-type="application/xhtml+xml"/>'
            '</manifest><spine><itemref idref="a"/><itemref idref="b"/></spine></package>',
            "OPS/one a.xhtml": page("It began with rain."),
            "OPS/two.xhtml": page("It ended with sun."),
        },
        stored=("mimetype",),
    )


def html(text: str = ENGLISH) -> bytes:
    paragraphs = "\n".join(f"<p>{line}</p>" for line in text.split("\n") if line)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>A &lt;body&gt; of water</title>\n'
        f"<script>var x = '<body>';</script>\n</head>\n<body class=\"a>b\">\n{paragraphs}\n</body>\n</html>\n"
    ).encode()


def subrip() -> bytes:
    return b"1\r\n00:00:01,000 --> 00:00:03,500\r\nThe river rose.\r\n\r\n2\r\n00:00:04,000 --> 00:00:06,000\r\nIn the night.\r\n"


def webvtt() -> bytes:
    return b"WEBVTT - title\n\nSTYLE\n::cue { color: red }\n\nintro\n00:01.000 --> 00:03.500\nThe <b>river</b> rose.\n\n00:04.000 --> 00:06.000\nIn the night.\n"


def samples() -> dict[str, bytes]:
    """File name -> content."""
    return {
        "story.txt": ENGLISH.encode() + b"\n",
        "story.md": b"---\ntitle: 'River: a story'\nid: 0011\n---\n\n# River\n\n" + ENGLISH.encode() + b"\n",
        "story.html": html(),
        "story.json": b'{\n  "title": "River",\n  "price": 1.10,\n  "tags": ["a", {"b": 1e5}]\n}\n',
        "story.jsonl": b'{"t":"one","n":1.0}\n{"t":"two","n":2}\n[3]\n{"t":"three"}\n',
        "story.srt": subrip(),
        "story.vtt": webvtt(),
        "story.docx": docx(),
        "story.pptx": pptx(),
        "story.xlsx": xlsx(),
        "story.odt": odt(),
        "story.epub": epub(),
    }


def pdf(pages: int = 2, *, words: str = "The river rose in the night.", rotate: int = 0) -> bytes:
    import pikepdf

    with pikepdf.new() as document:
        for number in range(pages):
            page = document.add_blank_page(page_size=(595, 842))
            font = pikepdf.Dictionary(
                Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
            )
            page.obj.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=document.make_indirect(font)))
            drawn = f"BT /F1 18 Tf 72 760 Td ({words}) Tj 0 -24 Td (page {number + 1}) Tj ET"
            page.obj.Contents = document.make_stream(drawn.encode())
            if rotate:
                page.obj.Rotate = rotate
        buffer = io.BytesIO()
        document.save(buffer, deterministic_id=True)
    return buffer.getvalue()


def without(data: bytes, name: str, parts: tuple[str, ...]) -> dict[str, bytes]:
    """Members of a package other than those named."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert file.testzip() is None, name
        return {n: file.read(n) for n in file.namelist() if n not in parts}
