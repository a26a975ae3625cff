"""JSON and JSON Lines: members of the outermost object, found and set without writing the rest anew.

Source: RFC 8259; JSON Lines 1.0 (one value a line). Values are never touched, numbers never parsed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from labeler.errors import DamagedMedia
from labeler.media.text.encoding import decode
from labeler.media.text.model import EDGE_CHARS, Edges, NoPlace, Retext

__all__ = ["JSON", "JSON_LINES", "NOTICE", "Member", "Root", "scan", "set_members"]

NOTICE = "AIGC-Notice"
"""Member that carries the visible wording where an object is shown to people."""

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]', re.DOTALL)
_SPACE = re.compile(rb"[ \t\r\n]*")
_INDENT = re.compile(rb"\{([ \t]*(?:\r\n|\n|\r)[ \t]*)")
_LINE = re.compile(rb"[^\r\n]*[^\s][^\r\n]*")


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the outermost object: its name, the bounds of its value, and where its name starts."""

    name: str
    start: int
    end: int
    name_start: int


@dataclass(frozen=True, slots=True)
class Root:
    """The outermost value: whether it is an object, its bounds and its members."""

    is_object: bool
    start: int
    end: int
    members: tuple[Member, ...] = ()


def scan(body: bytes, start: int = 0, end: int | None = None) -> Root:
    """Find the members of the outermost object.

    Raises:
        DamagedMedia: brackets do not fit one another, or something follows the value.
    """
    end = len(body) if end is None else end
    begin = _skip(body, start)
    opening = body[begin : begin + 1]
    if opening not in (b"{", b"["):
        return Root(False, begin, end)
    stack = bytearray()
    members: list[Member] = []
    name, name_start, value_start = "", -1, -1
    for token in _TOKEN.finditer(body, begin, end):
        kind = token[0][0]
        if kind in b"{[":
            stack.append(kind)
            if len(stack) > 1000:
                raise DamagedMedia("the JSON is nested too deeply.")
        elif kind in b"}]":
            if not stack or stack.pop() != (0x7B if kind == 0x7D else 0x5B):
                raise DamagedMedia(f"the JSON is broken: a bracket at byte {token.start()} closes nothing.")
            if not stack:
                _close(members, name, name_start, value_start, token.start(), body)
                if body[token.end() : end].strip(b" \t\r\n\0"):
                    raise DamagedMedia("something follows the JSON value.")
                return Root(opening == b"{", begin, token.end(), tuple(members))
        elif len(stack) == 1 and opening == b"{":
            if kind == 0x22 and value_start < 0:
                name, name_start = _string(token[0]), token.start()
            elif kind == 0x3A:
                value_start = token.end()
            elif kind == 0x2C:
                _close(members, name, name_start, value_start, token.start(), body)
                value_start = -1
    raise DamagedMedia("the JSON is cut short.")


def _close(members: list[Member], name: str, name_start: int, start: int, end: int, body: bytes) -> None:
    if start >= 0:
        start = _skip(body, start)
        while end > start and body[end - 1] in b" \t\r\n":
            end -= 1
        members.append(Member(name, start, end, name_start))


def _string(raw: bytes) -> str:
    try:
        return str(json.loads(raw.decode("utf-8", "replace"), strict=False))
    except ValueError:
        return ""


def _skip(body: bytes, position: int) -> int:
    match = _SPACE.match(body, position)
    return match.end() if match else position


def set_members(body: bytes, root: Root, values: Mapping[str, str]) -> bytes:
    """The object with members set to JSON texts; new ones come first, in the layout of the object.

    Raises:
        NoPlace: the value is no object.
    """
    if not root.is_object:
        raise NoPlace("the outermost JSON value is no object and has no place for a member.")
    there = {member.name: member for member in root.members}
    edits = [(there[name].start, there[name].end, text) for name, text in values.items() if name in there]
    fresh = {name: text for name, text in values.items() if name not in there}
    layout = _INDENT.match(body, root.start)
    space = layout[1] if layout else b""
    colon = (
        b": "
        if space
        or re.match(
            rb'"(?:[^"\\]|\\.)*"\s*:\s', body[root.members[0].name_start :][:4096] if root.members else b""
        )
        else b":"
    )
    comma = b"," if space else b", " if colon == b": " else b","
    items = [json.dumps(name).encode() + colon + text.encode() for name, text in fresh.items()]
    added = (comma + space).join(items)
    if items:
        at = root.start + 1
        text = space + added + (b"," if space else comma) if root.members else added
        if not root.members and space:
            text = b""
            edits.append((at, at, added.decode()))
        else:
            edits.append((at, at, text.decode()))
    for start, end, text_ in sorted(edits, reverse=True):
        body = body[:start] + text_.encode() + body[end:]
    return body


class _Json:
    """A member ``AIGC-Notice`` with the head line alone; JSON is data and has no end that a reader sees."""

    def edges(self, data: bytes) -> Edges:
        body = decode(data).body
        root = scan(body)
        notice = next((m for m in root.members if m.name == NOTICE), None)
        text = "" if notice is None else _string(body[notice.start : notice.end])
        if not text and not root.is_object and body[root.start : root.start + 1] == b'"':
            text = _string(body[root.start : root.end].strip())
        return Edges(text[:EDGE_CHARS], text[-EDGE_CHARS:])

    def mark(self, data: bytes, head: str, tail: str) -> bytes:
        text = decode(data)
        if not head:  # one member says it all
            return data
        value = json.dumps(head, ensure_ascii=text.codec != "utf-8")
        return text.encode(set_members(text.body, scan(text.body), {NOTICE: value}))

    def retext(self, data: bytes, change: Retext) -> bytes:
        raise NoPlace("values of JSON are data and are not changed; label the string before it is stored.")

    def raw_text(self, data: bytes) -> bytes:
        return _unescaped(decode(data).body)


def _unescaped(body: bytes) -> bytes:
    r"""Variation selectors written as \\uXXXX become characters."""
    if b"\\u" not in body:
        return body

    def plain(match: re.Match[bytes]) -> bytes:
        return _string(b'"' + match[0] + b'"').encode("utf-8", "replace")

    return re.sub(rb"(?:\\u(?:[dD][bB]40\\u[dD][dDcC]|[fF][eE]0)[0-9a-fA-F]{1,2})+", plain, body)


class _JsonLines(_Json):
    """The member in the first and in the last line that is an object."""

    def edges(self, data: bytes) -> Edges:
        body = decode(data).body
        lines = self._ends(body)
        found = [super(_JsonLines, self).edges(body[start:end]) for start, end in lines]
        return Edges(found[0].head, found[-1].tail) if found else Edges("", "")

    def _ends(self, body: bytes) -> list[tuple[int, int]]:
        first = _LINE.search(body)
        if first is None:
            return []
        tail = body.rstrip()
        start = max(tail.rfind(b"\n"), tail.rfind(b"\r")) + 1
        spans = [first.span(), (start, len(tail))]
        return list(dict.fromkeys(spans))

    def mark(self, data: bytes, head: str, tail: str) -> bytes:
        text = decode(data)
        body = text.body
        spans = self._ends(body)
        if not spans:
            raise NoPlace("the file holds no JSON line.")
        words = [head] if len(spans) == 1 else [head, tail]
        for (start, end), said in sorted(zip(spans, words, strict=True), reverse=True):
            if said:
                value = json.dumps(said, ensure_ascii=text.codec != "utf-8")
                line = body[start:end]
                body = body[:start] + set_members(line, scan(line), {NOTICE: value}) + body[end:]
        return text.encode(body)


JSON = _Json()
JSON_LINES = _JsonLines()
