"""What happens to texts on their way: encodings, filters, other formats, excerpts.

Every transform takes a text and gives one. Those that need a program or a package that labeler does not depend
on say so in ``needs``, and are left out where it is not there.
"""

from __future__ import annotations

import html
import html.parser
import importlib
import importlib.util
import io
import json
import re
import shutil
import subprocess
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import numpy as np

__all__ = ["TRANSFORMS", "Transform", "is_ignorable", "paragraphs", "sentences"]

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SENTENCE = re.compile(r"[^.!?。！？]+[.!?。！？]+[\ufe00-\ufe0f\U000e0100-\U000e01ef]*\s*")
_TIMEOUT = 120
_WORDS = {"en": " indeed", "zh": "确实"}
_PUNCTUATION = str.maketrans("，。；：！？（）【】“”‘’·—", ",.;:!?()[]\"\"''.-")


@dataclass(frozen=True, slots=True)
class Transform:
    """One transform.

    Attributes:
        name: as the table shows it.
        change: the text afterwards; the language and a generator of chance are given.
        needs: programs (``soffice``) or packages (``python:bleach``) that must be there.
    """

    name: str
    change: Callable[[str, str, np.random.Generator], str]
    needs: tuple[str, ...] = ()

    def missing(self) -> tuple[str, ...]:
        """What is needed and not there."""
        return tuple(need for need in self.needs if not _is_there(need))


def _is_there(need: str) -> bool:
    kind, _, name = need.partition(":")
    if kind == "python":
        return importlib.util.find_spec(name) is not None
    return shutil.which(need) is not None


def is_ignorable(char: str) -> bool:
    """Whether a character is Default_Ignorable_Code_Point (Unicode 16, DerivedCoreProperties), as far as texts go."""
    point = ord(char)
    return (
        point in (0xAD, 0x34F, 0x61C, 0x180E, 0x3164, 0xFEFF, 0xFFA0)
        or 0x200B <= point <= 0x200F
        or 0x202A <= point <= 0x202E
        or 0x2060 <= point <= 0x206F
        or 0xFE00 <= point <= 0xFE0F
        or 0xE0000 <= point <= 0xE0FFF
    )


def paragraphs(text: str) -> list[str]:
    """Paragraphs between blank lines."""
    return [part for part in re.split(r"\n\s*\n", text) if part.strip()]


def sentences(text: str) -> list[str]:
    """Sentences with the invisible characters behind their ends."""
    return _SENTENCE.findall(text)


def _keep(text: str, wanted: Callable[[str], bool]) -> str:
    return "".join(filter(wanted, text))


def _middle(text: str) -> str:
    parts = paragraphs(text)
    return parts[len(parts) // 2]


def _insert(text: str, language: str, rng: np.random.Generator) -> str:
    ends = [match.end() for match in re.finditer(r"\w(?=[ ,，的])", text)]
    at = ends[int(rng.integers(len(ends)))] if ends else len(text) // 2
    return text[:at] + _WORDS[language] + text[at:]


def _retyped(text: str) -> str:
    """What a reader sees and types again: no invisible characters, accents and signs as they look."""
    return unicodedata.normalize("NFC", _keep(text, lambda c: not is_ignorable(c)))


class _Words(html.parser.HTMLParser):
    """Text content; blocks end lines, as ``innerText`` has it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("p", "div", "blockquote", "h1", "h2", "li"):
            self.parts.append("\n\n")


def _from_html(page: str) -> str:
    words = _Words()
    words.feed(page)
    words.close()
    return re.sub(r"\n\s*\n", "\n\n", "".join(words.parts)).strip()


def _to_html(text: str) -> str:
    def block(part: str) -> str:
        return f"<p>{'<br>'.join(html.escape(line) for line in part.splitlines())}</p>"

    return "".join(map(block, paragraphs(text))).replace("<br>", "<br>\n")


def _docx(text: str) -> bytes:
    lines = "".join(
        f'<w:p><w:r><w:t xml:space="preserve">{escape(line)}</w:t></w:r></w:p>' for line in text.split("\n")
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr(
            "word/document.xml", f'<w:document xmlns:w="{_W}"><w:body>{lines}</w:body></w:document>'
        )
    return buffer.getvalue()


def _from_docx(data: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        root = ElementTree.fromstring(package.read("word/document.xml"))
    name = f"{{{_W}}}"
    return "\n".join("".join(t.text or "" for t in p.iter(f"{name}t")) for p in root.iter(f"{name}p"))


def _markdown(text: str) -> str:
    return _from_html(str(importlib.import_module("markdown").markdown(text)))


def _bleach(text: str) -> str:
    return html.unescape(str(importlib.import_module("bleach").clean(text)))


def _ftfy(text: str) -> str:
    return str(importlib.import_module("ftfy").fix_text(text))


def _python_docx(text: str) -> str:
    docx = importlib.import_module("docx")
    document = docx.Document()
    for line in text.split("\n"):
        document.add_paragraph(line)
    buffer = io.BytesIO()
    document.save(buffer)
    return "\n".join(each.text for each in docx.Document(io.BytesIO(buffer.getvalue())).paragraphs)


def _by_program(text: str, *, pdf: bool) -> str:
    """A page through LibreOffice to text, or to PDF and its text by Poppler."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "a.html")
        source.write_text(f'<meta charset="utf-8">{_to_html(text)}', encoding="utf-8")
        kind = "pdf" if pdf else "txt:Text (encoded):UTF8"
        command = ["soffice", "--headless", "--convert-to", kind, "--outdir", folder, str(source)]
        subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT)
        if not pdf:
            return Path(folder, "a.txt").read_text(encoding="utf-8-sig")
        command = ["pdftotext", "-enc", "UTF-8", str(Path(folder, "a.pdf")), "-"]
        return subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT).stdout.decode()


def _on(change: Callable[[str], str]) -> Callable[[str, str, np.random.Generator], str]:
    return lambda text, language, rng: change(text)


def _all() -> Iterator[Transform]:
    def add(name: str, change: Callable[[str], str], *needs: str) -> Transform:
        return Transform(name, _on(change), needs)

    normal = unicodedata.normalize
    yield add("UTF-8 and UTF-16 copy", lambda t: t.encode("utf-16").decode("utf-16").encode().decode())
    yield add("GB 18030 and back", lambda t: t.encode("gb18030").decode("gb18030"))
    yield add("GBK, unknown characters dropped", lambda t: t.encode("gbk", "ignore").decode("gbk"))
    yield add("NFC", lambda t: normal("NFC", t))
    yield add("NFKC", lambda t: normal("NFKC", t))
    yield add("NFKD", lambda t: normal("NFKD", t))
    yield add("strip()", str.strip)
    yield add("JavaScript trim", lambda t: t.strip(" \t\n\r\v\f\ufeff\xa0\u2028\u2029"))
    yield add("blanks at line ends dropped", lambda t: "\n".join(line.rstrip() for line in t.split("\n")))
    yield add("white space collapsed", lambda t: re.sub(r"\s+", " ", t))
    yield add("U+FEFF dropped", lambda t: t.replace("\ufeff", ""))
    yield add("Markdown to HTML to text", _markdown, "python:markdown")
    yield add("JSON, ASCII, and back", lambda t: str(json.loads(json.dumps(t))))
    yield add("HTML and back (parser of Python)", lambda t: _from_html(_to_html(t)))
    yield add("bleach.clean", _bleach, "python:bleach")
    yield add("ftfy.fix_text", _ftfy, "python:ftfy")
    yield add("DOCX and back (XML)", lambda t: _from_docx(_docx(t)))
    yield add("DOCX and back (python-docx)", _python_docx, "python:docx")
    yield add("LibreOffice to text", lambda t: _by_program(t, pdf=False), "soffice")
    yield add("LibreOffice to PDF to text", lambda t: _by_program(t, pdf=True), "soffice", "pdftotext")
    yield add("isprintable() filter", lambda t: _keep(t, lambda c: c.isprintable() or c in "\n\r\t"))
    yield add("Cf dropped", lambda t: _keep(t, lambda c: unicodedata.category(c) != "Cf"))
    yield add("Mn dropped (accents)", lambda t: _keep(t, lambda c: unicodedata.category(c) != "Mn"))
    yield add("default-ignorables dropped", lambda t: _keep(t, lambda c: not is_ignorable(c)))
    yield add("lower()", str.lower)
    yield add("punctuation made ASCII", lambda t: t.translate(_PUNCTUATION))
    yield add("one paragraph", _middle)
    yield add("one sentence", lambda t: sentences(_middle(t))[0])
    yield add("last 20 % of characters", lambda t: t[-len(t) // 5 :])
    yield add("first 50 % of characters", lambda t: t[: len(t) // 2])
    yield add("paragraphs reordered", lambda t: "\n\n".join(reversed(paragraphs(t))))
    yield Transform("one word inserted", _insert)
    yield add("retyped, or OCR", _retyped)


TRANSFORMS = tuple(_all())
