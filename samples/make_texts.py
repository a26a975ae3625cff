# ruff: noqa: E501, D103 (XML reads better on one line; the functions are named after what they write)
"""Make the sample texts and documents; all words are our own.

Run ``python samples/make_texts.py``. The output is deterministic.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import pikepdf

HERE = Path(__file__).resolve().parent

LIGHTHOUSE = """\
The lamp at Grey Point was lit for the first time in the autumn of the long storms. It burned oil then, four
litres a night, and somebody had to climb the hundred and twelve steps twice before dawn to trim the wick.

Today a small motor turns the lens, and the light counts for itself: one flash, a pause, two flashes. Ships
have better means to know where they are. Still, people in the village say that they sleep badly when the
fog hides the beam, as if a clock had stopped.

The keeper's house is a museum now. It shows a logbook, a pair of boots, and a barometer that has pointed to
"change" for thirty years.
"""

TEA = """\
山里的茶园在四月最忙。天还没有亮，采茶的人就背着竹篓上山，只取最上面的一芽两叶。

新采的叶子要在当天杀青。锅里的温度靠手去试：太热，叶边会焦；太凉，青气散不掉。老师傅说，机器可以替人翻炒，却不知道什么时候该停。

等到茶香慢慢出来，一天也就过去了。晚上大家围着桌子尝第一泡新茶，谁也不多说话。
"""

GARDEN = [
    ("Growing herbs on a windowsill", ""),
    ("", "Basil, chives and mint need little: a bright window, a pot with a hole, and water when the soil feels dry a finger deep."),
    ("", "Cut often and never more than a third at once. Plants that are harvested grow bushy; plants that are spared grow tall and flower."),
    ("", "In winter the light is short. Move the pots as near to the glass as they will go, and turn them once a week."),
]  # fmt: skip

REPORT = [
    ("Quarterly report: the bicycle workshop", True),
    ("In the last quarter the workshop repaired 212 bicycles, most of them brakes and chains. Eleven were beyond repair and gave their parts to others.", False),
    ("Two evenings a week were open to everybody. On an average evening nine people came, and six of them left with a bicycle that ran.", False),
    ("For the coming quarter we ask for a second work stand and for gloves in small sizes.", False),
]  # fmt: skip

SUBTITLES = [
    (1.0, 3.6, "Good morning. The ferry leaves in ten minutes."),
    (4.2, 7.0, "Please keep the stairs free for those who come ashore."),
    (7.8, 10.4, "The crossing takes about half an hour."),
]

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml"


def markdown() -> str:
    head = "---\ntitle: '山里的茶园'\ntags: [茶, 春天]\n---\n\n# 山里的茶园\n\n"
    return head + TEA + "\n## 要点\n\n* 一芽两叶\n* 当天杀青\n"


def page() -> str:
    blocks = "".join(
        f"<h1>{escape(title)}</h1>\n" if title else f"<p>{escape(words)}</p>\n" for title, words in GARDEN
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(GARDEN[0][0])}</title>\n</head>\n<body>\n{blocks}</body>\n</html>\n"
    )


def subtitles() -> str:
    def clock(seconds: float) -> str:
        return f"00:{int(seconds) // 60:02}:{seconds % 60:06.3f}"

    cues = "\n".join(f"{clock(start)} --> {clock(end)}\n{words}\n" for start, end, words in SUBTITLES)
    return f"WEBVTT\n\n{cues}"


def docx() -> bytes:
    """A document of four paragraphs, the first a heading."""

    def paragraph(words: str, heading: bool) -> str:
        style = '<w:pPr><w:pStyle w:val="Heading1"/></w:pPr>' if heading else ""
        return f'<w:p>{style}<w:r><w:t xml:space="preserve">{escape(words)}</w:t></w:r></w:p>'

    styles = (
        f'{_XML}<w:styles xmlns:w="{_W}"><w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/>'
        '<w:pPr><w:spacing w:after="160" w:line="276" w:lineRule="auto"/></w:pPr><w:rPr><w:sz w:val="22"/></w:rPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/><w:basedOn w:val="Normal"/>'
        '<w:pPr><w:outlineLvl w:val="0"/></w:pPr><w:rPr><w:b/><w:sz w:val="32"/></w:rPr></w:style></w:styles>'
    )
    body = "".join(paragraph(words, heading) for words, heading in REPORT)
    size = '<w:sectPr><w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="1418" w:right="1418" w:bottom="1418" w:left="1418" w:header="708" w:footer="708" w:gutter="0"/></w:sectPr>'
    return _package(
        {
            "[Content_Types].xml": f'{_XML}<Types xmlns="{_TYPES}"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="{_WORD}.document.main+xml"/>'
            f'<Override PartName="/word/styles.xml" ContentType="{_WORD}.styles+xml"/></Types>',
            "_rels/.rels": f'{_XML}<Relationships xmlns="{_RELATIONS}"><Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>',
            "word/_rels/document.xml.rels": f'{_XML}<Relationships xmlns="{_RELATIONS}"><Relationship Id="rId1" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
            "word/document.xml": f'{_XML}<w:document xmlns:w="{_W}"><w:body>{body}{size}</w:body></w:document>',
            "word/styles.xml": styles,
        }
    )


def _package(parts: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in parts.items():
            member = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(member, content)
    return buffer.getvalue()


def pdf() -> bytes:
    """Two pages in Helvetica, which every reader has."""
    pages = [LIGHTHOUSE.split("\n\n")[:2], LIGHTHOUSE.split("\n\n")[2:]]
    with pikepdf.new() as document:
        font = document.make_indirect(
            pikepdf.Dictionary(
                Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
            )
        )
        for number, paragraphs in enumerate(pages, 1):
            sheet = document.add_blank_page(page_size=(595, 842))
            sheet.obj.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
            title = "The light at Grey Point" if number == 1 else ""
            sheet.obj.Contents = document.make_stream(_drawn(title, paragraphs, number))
        document.docinfo["/Title"] = "The light at Grey Point"
        buffer = io.BytesIO()
        document.save(buffer, deterministic_id=True)
    return buffer.getvalue()


def _drawn(title: str, paragraphs: list[str], number: int) -> bytes:
    """Content of a page: lines of at most 80 characters in 11 points."""
    lines: list[str] = []
    for paragraph in paragraphs:
        line = ""
        for word in paragraph.split():
            if len(line) + len(word) > 80:
                lines.append(line)
                line = ""
            line = f"{line} {word}".strip()
        lines += [line, ""]

    def quoted(words: str) -> str:
        return "(" + words.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") + ") Tj"

    head = f"BT /F1 18 Tf 72 740 Td {quoted(title)} ET\n" if title else ""
    body = "\n".join(f"{quoted(line)} T*" for line in lines)
    return f"{head}BT /F1 11 Tf 16 TL 72 700 Td\n{body}\nET\nBT /F1 9 Tf 290 40 Td {quoted(str(number))} ET\n".encode(
        "ascii"
    )


def main() -> None:
    """Write all texts."""
    texts = {
        "lighthouse.txt": LIGHTHOUSE,
        "tea.md": markdown(),
        "tea.txt": TEA,
        "garden.html": page(),
        "ferry.vtt": subtitles(),
    }
    for name, text in texts.items():
        (HERE / name).write_bytes(text.encode())
    (HERE / "report.docx").write_bytes(docx())
    (HERE / "lighthouse.pdf").write_bytes(pdf())


if __name__ == "__main__":
    main()
