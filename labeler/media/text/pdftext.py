"""The words that the first and the last page of a PDF draw, as far as their fonts tell.

Source: ISO 32000-2, 9.4.3 (text-showing operators), 9.10.3 (ToUnicode CMaps). Characters come from a font's
ToUnicode map, else from Latin-1 for simple fonts; a font with neither gives nothing. Order is that of the
content stream, which is the reading order in most documents but need not be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Pdf, Stream, String

from labeler.media.text import pdf
from labeler.media.text.model import EDGE_CHARS, Edges

__all__ = ["edges"]

_MAX_CONTENT = 4 << 20
_MAX_MAP = 200_000
_CODES = re.compile(rb"begincodespacerange(.*?)endcodespacerange", re.DOTALL)
_CHARS = re.compile(rb"beginbfchar(.*?)endbfchar", re.DOTALL)
_RANGES = re.compile(rb"beginbfrange(.*?)endbfrange", re.DOTALL)
_HEX = re.compile(rb"<([0-9A-Fa-f\s]*)>")
_RANGE = re.compile(rb"<([0-9A-Fa-f\s]+)>\s*<([0-9A-Fa-f\s]+)>\s*(?:<([0-9A-Fa-f\s]*)>|\[(.*?)\])", re.DOTALL)


@dataclass(slots=True)
class _Font:
    """How to read the strings of a font."""

    width: int = 1
    table: dict[int, str] = field(default_factory=dict)
    latin: bool = True

    def decode(self, raw: bytes) -> str:
        if not self.table:
            return raw.decode("latin-1") if self.latin else ""
        codes = (int.from_bytes(raw[i : i + self.width], "big") for i in range(0, len(raw), self.width))
        return "".join(self.table.get(code, chr(code) if self.latin else "") for code in codes)


def edges(document: Pdf) -> Edges:
    """Text at the head of the first and at the foot of the last page."""
    places = pdf.pages(document)
    first = _page_text(places[0])
    last = first if len(places) == 1 else _page_text(places[-1])
    return Edges(first[:EDGE_CHARS], last[-EDGE_CHARS:])


def _page_text(page: pikepdf.Page) -> str:
    content = pdf.page_content(page)
    if len(content) > _MAX_CONTENT:
        return ""
    resources: Any = page.obj.get("/Resources")
    named: Any = resources.get("/Font") if isinstance(resources, Dictionary) else None
    fonts: dict[str, _Font] = {}
    pieces: list[str] = []
    font = _Font()
    try:
        program = pikepdf.parse_content_stream(page)
    except (pikepdf.PdfError, ValueError, TypeError):
        return ""
    for operands, operator in (
        (list(i.operands), str(i.operator)) for i in program if hasattr(i, "operands")
    ):
        if operator == "Tf" and operands:
            name = str(operands[0])
            if name not in fonts:
                fonts[name] = _read_font(named.get(name) if isinstance(named, Dictionary) else None)
            font = fonts[name]
        elif operator in ("Tj", "'", '"') and operands and isinstance(operands[-1], String):
            pieces.append(("" if operator == "Tj" else "\n") + font.decode(bytes(operands[-1])))
        elif operator == "TJ" and operands and isinstance(operands[0], Array):
            pieces += _shown(operands[0], font)
        elif operator in ("TD", "T*", "Tm", "ET") or (operator == "Td" and not _zero(operands[-1:])):
            pieces.append("\n")
    text = "".join(pieces)
    return "\n".join(line for row in text.split("\n") if (line := " ".join(row.split())))


def _zero(values: list[Any]) -> bool:
    try:
        return all(float(value) == 0 for value in values)
    except (TypeError, ValueError):
        return False


def _shown(array: Any, font: _Font) -> list[str]:
    pieces = []
    for item in array:
        if isinstance(item, String):
            pieces.append(font.decode(bytes(item)))
        elif not isinstance(item, (Dictionary, Array)) and float(item) < -200:
            pieces.append(" ")
    return pieces


def _read_font(value: Any) -> _Font:
    if not isinstance(value, Dictionary):
        return _Font()
    font = _Font(latin=str(value.get("/Subtype", "")) != "/Type0")
    font.width = 1 if font.latin else 2
    stream = value.get("/ToUnicode")
    if isinstance(stream, Stream):
        _read_map(pdf.stream_bytes(stream)[: 1 << 21], font)
    return font


def _number(raw: bytes) -> int:
    return int(b"".join(raw.split()) or b"0", 16)


def _characters(raw: bytes) -> str:
    digits = b"".join(raw.split())
    return bytes.fromhex((digits + b"0" * (-len(digits) % 4)).decode()).decode("utf-16-be", "replace")


def _read_map(data: bytes, font: _Font) -> None:
    spaces = _CODES.search(data)
    if spaces and (code := _HEX.search(spaces[1])):
        font.width = max(1, min(4, len(b"".join(code[1].split())) // 2))
    for block in _CHARS.findall(data):
        codes = _HEX.findall(block)
        for code_, text in zip(codes[::2], codes[1::2], strict=False):
            if len(font.table) < _MAX_MAP:
                font.table[_number(code_)] = _characters(text)
    for block in _RANGES.findall(data):
        for low, high, text, listed in _RANGE.findall(block):
            start, stop = _number(low), min(_number(high), _number(low) + 0xFFFF)
            if len(font.table) + stop - start > _MAX_MAP:
                return
            if listed:
                for offset, item in enumerate(_HEX.findall(listed)[: stop - start + 1]):
                    font.table[start + offset] = _characters(item)
            elif base := _characters(text):
                for offset in range(stop - start + 1):
                    last = ord(base[-1]) + offset
                    font.table[start + offset] = base[:-1] + (chr(last) if last < 0x110000 else "")
