r"""The label as a YAML mapping, ``AIGC:`` and lines below it, read and written line by line.

Sources: YAML 1.2.2 (7.3 flow scalars, 7.4 flow collections, 8.1 block scalars), as far as labels use it; the
placement of Markdown labels in TC260-PG-20258A 6.5. A YAML library would turn an unquoted provider code of
octal digits into a number and write the whole block anew; here every scalar stays the text it is, and
writing quotes every value.

>>> find("AIGC:\n  Label: '1'\n  ContentProducer: 001171110100\n  ProduceID: \"7\"\n")[0].parsed.fields
{'Label': '1', 'ContentProducer': '001171110100', 'ProduceID': '7'}
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from labeler.metadata import aigc
from labeler.types import Finding

__all__ = ["Found", "find", "find_toml", "lines", "toml_line"]

_HEAD = re.compile(r"^(['\"]?)(?:AIGC|aigc)\1[ \t]*:[ \t]*(.*)$", re.MULTILINE)
_KEY = re.compile(r"[ \t]+(['\"]?)([A-Za-z][\w-]*)\1[ \t]*:(?:[ \t]+|$)(.*)$")
_NUMBER_LIKE = re.compile(
    r"[-+]?(?:0[xo])?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|\.inf|\.nan", re.IGNORECASE
)
_LINE_END = re.compile(r"\r\n|\n|\r")
_MAX_LINES = 200
_MAX_FOUND = 8
_TOML = re.compile(
    r"^(?:AIGC[ \t]*=[^\r\n]*(?:\r\n|\n|\r|\Z)|\[AIGC\][^\r\n]*(?:\r\n|\n|\r|\Z)(?:(?!\[)[^\r\n]*(?:\r\n|\n|\r))*)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Found:
    """A label: what it says, and where its lines stand (characters, line ends included)."""

    parsed: aigc.Parsed
    start: int
    end: int


def find(text: str, *, loose: bool = False) -> list[Found]:
    """Every mapping named AIGC at the left margin.

    Args:
        text: front matter without its fences, or any text.
        loose: a blank line ends the mapping (for labels in running text).
    """
    found: list[Found] = []
    floor = 0
    for head in _HEAD.finditer(text):
        if head.start() < floor or len(found) >= _MAX_FOUND:
            continue
        end, rows = _rows(text, head.end(), loose=loose)
        value = head[2].strip()
        parsed = _flow(value, rows) if value and not value.startswith("#") else _block(rows)
        if parsed is not None:
            found.append(Found(parsed, head.start(), end))
            floor = end
    return found


def _rows(text: str, position: int, *, loose: bool) -> tuple[int, list[str]]:
    """Indented lines below a key: where they end, and their texts."""
    rows: list[str] = []
    first = _LINE_END.match(text, position)
    end = position = first.end() if first else len(text)
    while position < len(text) and len(rows) < _MAX_LINES:
        ending = _LINE_END.search(text, position)
        stop = ending.start() if ending else len(text)
        row = text[position:stop]
        position = ending.end() if ending else len(text)
        if not row.strip():
            if loose:
                break
            rows.append("")
            continue
        if row[0] not in " \t":
            break
        rows.append(row)
        end = position
    return end, rows


def _flow(value: str, rows: list[str]) -> aigc.Parsed | None:
    joined = " ".join([value, *(row.strip() for row in rows)]).strip()
    if joined[:1] in "'\"":
        joined = _scalar(joined, [])[0]
    parsed = aigc.parse_label(joined)
    if parsed is not None or not joined.startswith("{"):
        return parsed
    fields: dict[str, str] = {}  # a YAML flow mapping that is no JSON
    for key, text in re.findall(r"([A-Za-z0-9]+)['\"]?[ ]*:[ ]*('[^']*'|\"[^\"]*\"|[^,}]*)", joined):
        if key in aigc.FIELDS:
            fields[key] = _scalar(text.strip(), [])[0]
    return aigc.Parsed(fields=fields) if {"Label", "ProduceID"} & fields.keys() else None


def _block(rows: list[str]) -> aigc.Parsed | None:
    fields: dict[str, str] = {}
    findings: list[Finding] = []
    index = 0
    while index < len(rows):
        match = _KEY.match(rows[index])
        index += 1
        if match is None:
            continue
        indent = len(rows[index - 1]) - len(rows[index - 1].lstrip())
        more: list[str] = []
        while index < len(rows) and not _ends(rows[index], indent, match[3], more):
            more.append(rows[index].strip())
            index += 1
        name = next((f for f in aigc.FIELDS if f.lower() == match[2].lower()), "")
        if not name:
            continue
        text, kind = _scalar(match[3].strip(), more)
        if kind == "null":
            findings.append(_odd("cn.meta.types", f"{name} is null, not a string."))
        elif kind == "number":
            findings.append(
                _odd("cn.meta.syntax", f"{name} is not quoted; other readers take it for a number.")
            )
        if name != match[2]:
            findings.append(_odd("cn.meta.syntax", f"the field {name} is spelled {match[2][:40]!r}."))
        fields[name] = text
    if not {"Label", "ContentProducer", "ProduceID"} & fields.keys():
        return None
    return aigc.Parsed(fields=fields, findings=tuple(findings))


def _ends(row: str, indent: int, value: str, more: list[str]) -> bool:
    """Whether a line starts the next key rather than continuing a value."""
    so_far = " ".join([value.strip(), *more])
    if so_far[:1] in "'\"" and so_far:
        quote = so_far[0]
        body = so_far[1:].replace("''", "") if quote == "'" else re.sub(r"\\.", "", so_far[1:])
        if quote not in body:
            return False
    return not row.strip() or len(row) - len(row.lstrip()) <= indent


def _odd(finding_id: str, detail: str) -> Finding:
    return Finding(id=finding_id, severity="warn", detail=detail)


def _scalar(value: str, more: list[str]) -> tuple[str, str]:
    """The text of a scalar, and ``quoted``, ``plain``, ``number`` or ``null``."""
    if value[:1] in ("|", ">"):
        return ("\n" if value[0] == "|" else " ").join(more), "quoted"
    joined = " ".join([value, *more]).strip()
    if joined.startswith("'"):
        end = re.match(r"'((?:[^']|'')*)'", joined)
        return (end[1] if end else joined[1:]).replace("''", "'"), "quoted"
    if joined.startswith('"'):
        end = re.match(r'"((?:[^"\\]|\\.)*)"', joined)
        try:
            return str(json.loads(end[0] if end else joined + '"', strict=False)), "quoted"
        except ValueError:
            return (end[1] if end else joined[1:]), "quoted"
    plain = re.split(r"[ \t]#", joined, maxsplit=1)[0].strip()
    if plain in ("", "~", "null", "Null", "NULL"):
        return "", "null"
    return plain, "number" if _NUMBER_LIKE.fullmatch(plain) else "plain"


# ------------------------------------------------------------------------------------------ writing


def _quoted(text: str) -> str:
    if any(ord(letter) < 0x20 or letter in "\x7f\x85\u2028\u2029" for letter in text):
        return json.dumps(text)
    return "'" + text.replace("'", "''") + "'"


def lines(fields: Mapping[str, str], newline: str) -> str:
    """The mapping, every value quoted."""
    rows = [f"  {name}: {_quoted(fields[name])}" for name in aigc.FIELDS if name in fields]
    return newline.join(["AIGC:", *rows, ""])


# --------------------------------------------------------------------------------------------- TOML


def find_toml(text: str) -> list[Found]:
    """A label in TOML front matter: ``AIGC = {...}``, a JSON string, or a table."""
    span = _TOML.search(text)
    if span is None:
        return []
    try:
        value = tomllib.loads(text).get("AIGC")
    except tomllib.TOMLDecodeError:
        return []
    parsed = aigc.parse_label(value if isinstance(value, str) else json.dumps(value, default=str))
    return [Found(parsed, span.start(), span.end())] if parsed else []


def toml_line(fields: Mapping[str, str], newline: str) -> str:
    """The label as an inline table on one line."""
    items = ", ".join(f"{name} = {json.dumps(fields[name])}" for name in aigc.FIELDS if name in fields)
    return f"AIGC = {{ {items} }}{newline}"
