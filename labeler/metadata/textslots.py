"""Where a label stands in texts without a package: front matter, meta elements, members, notes.

Every slot reads all labels it knows of, wherever other tools put them, and writes exactly one, in its place
by the guides (regimes: Markdown front matter TC260-PG-20258A 6.5; the others are labeler's own choice, told
in the module of each format).
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from labeler.errors import UnsupportedMedia
from labeler.media.containers.splice import Edit, splice
from labeler.media.text import frontmatter
from labeler.media.text.encoding import TextData, decode
from labeler.media.text.html import places
from labeler.media.text.jsontext import scan, set_members
from labeler.metadata import aigc, yamllabel

__all__ = [
    "PROPERTIES",
    "HtmlSlot",
    "JsonLinesSlot",
    "JsonSlot",
    "MarkdownSlot",
    "Slot",
    "SlotLabel",
    "VttSlot",
]

PROPERTIES = ("DigitalSourceType", "AISystemUsed", "DC.created", "DC.creator", "DC.rights")
"""Names of the fields beside the label, in carriers that hold named properties."""

_WINDOW = 1 << 18
_MOST = 100
"""Labels read of one file."""

_NOTE = re.compile(
    rb"^NOTE[ \t]+AIGC[ \t]*(?:\r\n|\n|\r)?(\{[^\r\n]*)(?:\r\n|\n|\r|\Z)(?:\r\n|\n|\r)?", re.MULTILINE
)
_BLANK = re.compile(rb"(?:\r\n|\n|\r(?!\n))[ \t]*(?:\r\n|\n|\r)")


@dataclass(frozen=True, slots=True)
class SlotLabel:
    """A label and where it stood; ``odd`` says what is wrong with the place, or is ""."""

    place: str
    parsed: aigc.Parsed
    odd: str = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a slot holds: labels, the properties beside them, and places named AIGC without a label."""

    labels: tuple[SlotLabel, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    empty: tuple[str, ...] = ()


class Slot(Protocol):
    """A carrier; ``extra`` holds `PROPERTIES`, which carriers without named properties leave out."""

    name: str
    keeps_properties: bool

    def read(self, data: bytes) -> Contents:
        """Every label."""

    def write(self, data: bytes, fields: Mapping[str, str], extra: Mapping[str, str]) -> bytes:
        """The file with exactly this label."""


# -------------------------------------------------------------------------------------------- Markdown


class MarkdownSlot:
    """Front matter, merged by line edit; labels in running text are read, and taken out when one is written."""

    name = "front-matter"
    keeps_properties = False

    def read(self, data: bytes) -> Contents:
        """Labels in front matter blocks, then in the text's first and last 256 KB."""
        text = decode(data)
        return Contents(tuple(label for label, _, _ in self._find(text.body)))

    def _find(self, body: bytes) -> list[tuple[SlotLabel, int, int]]:
        """Labels with their bounds in bytes."""
        found: list[tuple[SlotLabel, int, int]] = []
        blocks = frontmatter.find_all(body)
        for index, block in enumerate(blocks):
            inner = body[block.inner : block.inner_end].decode("utf-8", "surrogateescape")
            odd = "the second front matter, which no site generator reads" if index else ""
            for item in yamllabel.find(inner) if block.kind == "yaml" else yamllabel.find_toml(inner):
                start, end = _bytes_at(inner, item.start, item.end, block.inner)
                found.append((SlotLabel("front-matter", item.parsed, odd), start, end))
        floor = blocks[-1].end if blocks else 0
        windows = [(floor, min(len(body), floor + _WINDOW))]
        if windows[0][1] < len(body):
            windows.append((max(windows[0][1], len(body) - _WINDOW), len(body)))
        for start, end in windows:
            if b"AIGC" in body[start:end]:
                found += self._loose(body, start, end)
        return found

    def _loose(self, body: bytes, start: int, end: int) -> list[tuple[SlotLabel, int, int]]:
        text = body[start:end].decode("utf-8", "surrogateescape")
        found = []
        for item in yamllabel.find(text, loose=True):
            bounds = _bytes_at(text, item.start, item.end, start)
            found.append((SlotLabel("text", item.parsed, "running text"), *bounds))
        return found

    def write(self, data: bytes, fields: Mapping[str, str], extra: Mapping[str, str]) -> bytes:
        """Into the first front matter; made if there is none."""
        text = decode(data)
        body, newline = text.body, text.newline.decode()
        blocks = frontmatter.find_all(body)
        here = blocks[0] if blocks else None
        toml = here is not None and here.kind == "toml"
        new = (yamllabel.toml_line if toml else yamllabel.lines)(fields, newline).encode(
            "utf-8", "surrogatepass"
        )
        edits: list[Edit] = []
        done = False
        for _, start, end in self._find(body):
            inside = here is not None and here.inner <= start < here.inner_end
            edits.append(Edit(start, end, new if inside and not done else b""))
            done = done or inside
        if not done and here is not None:
            if body[here.inner : here.inner_end].lstrip().startswith(b"{"):
                raise UnsupportedMedia(
                    "the front matter is one flow mapping, into which no label can be put line by line."
                )
            at = here.inner if toml else here.inner_end
            edits.append(Edit(at, at, new))
        elif not done:
            fence = b"---" + text.newline
            gap = b"" if body.startswith((b"\n", b"\r")) or not body else text.newline
            edits.append(Edit(0, 0, fence + new + fence + gap))
        return text.encode(splice(body, edits))


def _bytes_at(text: str, start: int, end: int, base: int) -> tuple[int, int]:
    begin = base + len(text[:start].encode("utf-8", "surrogateescape"))
    return begin, begin + len(text[start:end].encode("utf-8", "surrogateescape"))


# ------------------------------------------------------------------------------------------------ HTML


class HtmlSlot:
    """``<meta name="AIGC" content="{...}">`` in the head; no guide names a place for HTML."""

    name = "html-meta"
    keeps_properties = True

    def read(self, data: bytes) -> Contents:
        """Meta elements whose name holds AIGC."""
        labels, empty = [], []
        properties: dict[str, str] = {}
        for meta in places(decode(data).body).metas:
            if "aigc" in meta.name.lower():
                parsed = aigc.parse_label(meta.content)
                if parsed is None:
                    empty.append("html-meta")
                else:
                    labels.append(SlotLabel("html-meta", parsed))
            elif meta.name in PROPERTIES:
                properties.setdefault(meta.name, meta.content)
        return Contents(tuple(labels), properties, tuple(empty))

    def write(self, data: bytes, fields: Mapping[str, str], extra: Mapping[str, str]) -> bytes:
        """One element for the label, one for each property."""
        text = decode(data)
        where = places(text.body)
        slash = " /" if where.xhtml else ""
        edits: list[Edit] = []
        fresh: list[bytes] = []
        wanted = {"AIGC": aigc.serialise(fields), **extra}
        for name, value in wanted.items():
            element = f'<meta name="{name}" content="{html.escape(value)}"{slash}>'.encode(
                "utf-8", "surrogatepass"
            )
            old = [
                m
                for m in where.metas
                if m.name == name
                or (name == "AIGC" and aigc.parse_label(m.content) and "aigc" in m.name.lower())
            ]
            if old:
                same = old[0].content == value and old[0].name == name
                edits += [] if same else [Edit(old[0].start, old[0].end, element)]
                edits += [Edit(m.start, m.end, b"") for m in old[1:]]
            else:
                fresh.append(element + text.newline)
        if fresh:
            edits.append(Edit(where.head, where.head, b"".join(fresh)))
        return text.encode(splice(text.body, edits), references=True)


# ------------------------------------------------------------------------------------------------ JSON


class JsonSlot:
    """Member ``AIGC`` of the outermost object; other roots have no place."""

    name = "json"
    keeps_properties = False

    def read(self, data: bytes) -> Contents:
        """The member, or the object itself if it is a label."""
        body = decode(data).body
        return self._read(body, 0, len(body))

    def _read(self, body: bytes, start: int, end: int) -> Contents:
        root = scan(body, start, end)
        labels, empty = [], []
        for member in root.members:
            if member.name.lower() == "aigc":
                parsed = aigc.parse_label(body[member.start : member.end].decode("utf-8", "replace"))
                if parsed is None:
                    empty.append("json")
                else:
                    labels.append(SlotLabel("json", parsed))
        return Contents(tuple(labels), empty=tuple(empty))

    def write(self, data: bytes, fields: Mapping[str, str], extra: Mapping[str, str]) -> bytes:
        """Set the member."""
        text = decode(data)
        value = self._value(text, fields)
        return text.encode(set_members(text.body, scan(text.body), {"AIGC": value}))

    def _value(self, text: TextData, fields: Mapping[str, str]) -> str:
        value = aigc.serialise(fields)
        return value if text.codec == "utf-8" else json.dumps(json.loads(value), separators=(",", ":"))


_LINES = re.compile(rb"[^\r\n]+")


class JsonLinesSlot(JsonSlot):
    """The member in every line that is an object, so that it stays when lines are taken out."""

    name = "jsonl"

    def read(self, data: bytes) -> Contents:
        """The labels that differ; one that stands in every line is one label."""
        body = decode(data).body
        labels: list[SlotLabel] = []
        seen: set[tuple[tuple[str, str], ...]] = set()
        same = b""  # how the last line with a label begins: most lines of a file begin so
        for line in _LINES.finditer(body):
            if same and line[0].startswith(same):
                continue
            if b'"AIGC"' not in line[0] and b'"aigc"' not in line[0]:
                continue
            found = self._read(body, *line.span())
            same = _beginning(line[0]) if found.labels else b""
            for label in found.labels:
                key = tuple(sorted(label.parsed.fields.items()))
                if key not in seen and len(seen) < _MOST:
                    seen.add(key)
                    labels.append(label)
        return Contents(tuple(labels))

    def write(self, data: bytes, fields: Mapping[str, str], extra: Mapping[str, str]) -> bytes:
        """Set the member in every object."""
        text = decode(data)
        value = {"AIGC": self._value(text, fields)}
        pieces: list[bytes] = []
        position = count = 0
        for line in _LINES.finditer(text.body):
            root = scan(line[0]) if line[0].strip() else None
            if root is not None and root.is_object:
                pieces += [text.body[position : line.start()], set_members(line[0], root, value)]
                position = line.end()
                count += 1
        if not count:
            raise UnsupportedMedia("no line is an object, so there is no place for a label.")
        return text.encode(b"".join([*pieces, text.body[position:]]))


def _beginning(line: bytes) -> bytes:
    """A line up to the end of its label, if the label is its first member."""
    members = scan(line).members
    return line[: members[0].end] if members and members[0].name == "AIGC" else b""


# ------------------------------------------------------------------------------------------------- VTT


class VttSlot:
    """A comment block ``NOTE AIGC {...}`` behind the header (WebVTT 4.1: comments may stand there)."""

    name = "vtt-note"
    keeps_properties = False

    def read(self, data: bytes) -> Contents:
        """Every such comment."""
        labels: list[SlotLabel] = []
        empty: list[str] = []
        for note in _NOTE.finditer(decode(data).body):
            if len(labels) + len(empty) >= _MOST:
                break
            parsed = aigc.parse_label(note[1].decode("utf-8", "replace"))
            if parsed is None:
                empty.append("vtt-note")
            else:
                labels.append(SlotLabel("vtt-note", parsed))
        return Contents(tuple(labels), empty=tuple(empty))

    def write(self, data: bytes, fields: Mapping[str, str], extra: Mapping[str, str]) -> bytes:
        """One comment; ``>`` is escaped, since an arrow would end it."""
        text = decode(data)
        body, newline = text.body, text.newline
        new = b"NOTE AIGC " + aigc.serialise(fields).replace(">", "\\u003e").encode() + newline * 2
        edits: list[Edit] = []
        notes = [n for n in _NOTE.finditer(body) if aigc.parse_label(n[1].decode("utf-8", "replace"))]
        for index, note in enumerate(notes):
            edits.append(Edit(*note.span(), b"" if index else new))
        if not notes:
            blank = _BLANK.search(body)
            at = blank.end() if blank else len(body)
            edits.append(Edit(at, at, new if blank else newline * 2 + new))
        return text.encode(splice(body, edits))
