"""Plain text, Markdown, SubRip and WebVTT: marks as lines, blocks and cues.

Sources: CommonMark 0.31 (block quotes, fenced code), WebVTT (W3C Candidate Recommendation, 4.1 file
structure); SubRip has no standard, the form is that which players read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from labeler.media.text import frontmatter
from labeler.media.text.encoding import TextData, decode
from labeler.media.text.model import EDGE_CHARS, Edges, NoPlace, Retext

__all__ = ["MARKDOWN", "PLAIN", "SUBRIP", "WEBVTT"]

_WINDOW = 1 << 14
_PIECE = 1 << 20
_SHEBANG = re.compile(rb"#![^\r\n]*(?:\r\n|\n|\r)|<\?xml[^>]*\?>(?:\r\n|\n|\r)?")
_PARAGRAPH = re.compile(r"(?:[^\r\n]*[^\s][^\r\n]*(?:\r\n|\n|\r|\Z))+")
_FENCE = re.compile(r"^ {0,3}(```+|~~~+)", re.MULTILINE)
_TIMING = re.compile(
    rb"^[ \t]*(\d{1,3}:)?(\d\d):(\d\d)[.,](\d{3})[ \t]*-->[ \t]*(?:(\d{1,3}):)?(\d\d):(\d\d)[.,](\d{3})[^\r\n]*",
    re.MULTILINE,
)
_BREAK = re.compile(rb"(?:\r\n|\n|\r(?!\n))[ \t]*(?:\r\n|\n|\r)")
_NUMBER = re.compile(rb"[ \t]*(\d{1,9})[ \t]*(?:\r\n|\n|\r)")
_TAGS = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
_CUE_WINDOW = 1 << 18
_SECONDS = 2
_WRAPPER_MARK = (
    "\ufeff\U000e0133\U000e0122".encode()
)  # U+FEFF and the first two letters of C2PA's magic number
_SELECTORS = re.compile(rb"(?:\xef\xb8[\x80-\x8f]|\xf3\xa0[\x84-\x87][\x80-\xbf])++\s*")
_MAX_COMMENTS = 4


def _cut(body: bytes) -> Edges:
    """Edges of a body, without decoding all of it."""
    if len(body) <= 2 * _WINDOW:
        text = body.decode("utf-8", "replace")
        return Edges(text.lstrip()[:EDGE_CHARS], text.rstrip()[-EDGE_CHARS:])
    head, tail = body[:_WINDOW].lstrip(), body[-_WINDOW:].rstrip()
    return Edges(head.decode("utf-8", "replace")[:EDGE_CHARS], tail.decode("utf-8", "replace")[-EDGE_CHARS:])


def _shown(body: bytes) -> bytes:
    """A body without what no reader sees at its end: a C2PA manifest as variation selectors (C2PA 2.4, A.8)."""
    mark = body.rfind(_WRAPPER_MARK)
    return body[:mark] if mark >= 0 and _SELECTORS.fullmatch(body, mark + 3) else body


def _without_comments(body: bytes) -> bytes:
    """A body without HTML comments at its end, such as a C2PA manifest (C2PA 2.4, A.9)."""
    for _ in range(_MAX_COMMENTS):
        end = len(body.rstrip()) if body[-1:].isspace() else len(body)
        opening = body.rfind(b"<!--", 0, end) if body.endswith(b"-->", 0, end) else -1
        if opening < 0:
            break
        body = body[:opening]
    return body


def _join(text: TextData, at: int, head: bytes, tail: bytes) -> bytes:
    body = text.body
    if not head and not tail:
        return text.encode(body)
    return text.encode(b"".join([body[:at], head, body[at:] if at else body, tail]))


def _final(body: bytes) -> bool:
    return body.endswith((b"\n", b"\r"))


class _Plain:
    """Lines of their own at both ends; the last line has an end if the last line of the file had one."""

    def edges(self, data: bytes) -> Edges:
        return _cut(self._visible(_shown(decode(data).body)))

    def _start(self, body: bytes) -> int:
        match = _SHEBANG.match(body)
        return match.end() if match else 0

    def _visible(self, body: bytes) -> bytes:
        start = self._start(body)
        return body[start:] if start else body

    def mark(self, data: bytes, head: str, tail: str) -> bytes:
        text = decode(data)
        line = text.newline
        before = head.encode() + line if head else b""
        after = tail.encode() if tail else b""
        if after:
            after = (
                after + line if _final(text.body) else (line + after if text.body or before == b"" else after)
            )
        at = self._start(text.body)
        if at and not _final(text.body[:at]) and before:
            before = line + before
        return _join(text, at, before, after)

    def retext(self, data: bytes, change: Retext) -> bytes:
        text = decode(data)
        start = self._start(text.body)
        pieces = [text.body[:start]]
        whole = self.fences and (b"```" in text.body or b"~~~" in text.body)
        while start < len(text.body):  # in pieces, so that a large file never stands in memory as characters
            end = -1 if whole else text.body.find(text.newline * 2, start + _PIECE)
            end = len(text.body) if end < 0 else end
            pieces.append(_paragraphs(text.body[start:end], change, fences=self.fences))
            start = end
        return text.encode(b"".join(pieces))

    fences = False

    def raw_text(self, data: bytes) -> bytes:
        return _shown(decode(data).body)


def _paragraphs(body: bytes, change: Retext, *, fences: bool) -> bytes:
    """Change each paragraph; in Markdown leave fenced and indented code, tables and HTML alone."""
    content = body.decode("utf-8", "surrogatepass")
    closed = _code_spans(content) if fences else []
    pieces: list[str] = []
    position = 0
    for match in _PARAGRAPH.finditer(content):
        inside = any(start < match.end() and match.start() < end for start, end in closed)
        special = fences and match[0].startswith(("    ", "\t", "|", "<", "[", "---", "==="))
        if inside or special:
            continue
        core = match[0].rstrip()
        pieces += [content[position : match.start()], change(core), match[0][len(core) :]]
        position = match.end()
    pieces.append(content[position:])
    return "".join(pieces).encode("utf-8", "surrogatepass")


def _code_spans(content: str) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    opened: tuple[int, str] | None = None
    for match in _FENCE.finditer(content):
        if opened is None:
            opened = match.start(), match[1]
        elif match[1].startswith(opened[1]):
            spans.append((opened[0], match.end()))
            opened = None
    if opened is not None:
        spans.append((opened[0], len(content)))
    return spans


class _Markdown(_Plain):
    """Block quotes after the front matter and at the end."""

    fences = True

    def edges(self, data: bytes) -> Edges:
        return _cut(self._visible(_without_comments(_shown(decode(data).body))))

    def _start(self, body: bytes) -> int:
        found = frontmatter.find_all(body)
        return found[-1].end if found else 0

    def mark(self, data: bytes, head: str, tail: str) -> bytes:
        text = decode(data)
        body, line = text.body, text.newline
        at = self._start(body)
        before = after = b""
        if head:
            lead = b"" if not at else line if _final(body[:at]) else line * 2
            before = lead + b"> " + head.encode() + line
            if not body[at:].startswith((b"\n", b"\r")):
                before += line
        if tail:
            after = b"> " + tail.encode()
            after = line + after + line if _final(body) else (line * 2 + after if body else line + after)
        return _join(text, at, before, after)


@dataclass(frozen=True, slots=True)
class _Cue:
    start: int
    text_start: int
    end: int
    until: int


def _milliseconds(hours: bytes | None, minutes: bytes, seconds: bytes, rest: bytes) -> int:
    return ((int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(rest)


def _cues(body: bytes) -> list[_Cue]:
    found: list[_Cue] = []
    floor = 0
    for match in _TIMING.finditer(body):
        if match.start() < floor:
            continue
        *_, blank = (None, *_BREAK.finditer(body, max(0, match.start() - 500), match.start()))
        start = blank.end() if blank else 0
        ending = _BREAK.search(body, match.end())
        end = ending.start() if ending else len(body.rstrip())
        until = _milliseconds(match[5], match[6], match[7], match[8])
        found.append(_Cue(max(start, floor), match.end(), max(end, match.end()), until))
        floor = end
    return found


class _Subtitles:
    """A cue of its own for the first two seconds, and one for the two seconds after the last cue."""

    vtt = False

    def edges(self, data: bytes) -> Edges:
        body = decode(data).body

        def said(body: bytes, part: slice) -> str:
            texts = (body[cue.text_start : cue.end].decode("utf-8", "replace") for cue in _cues(body)[part])
            return "\n".join(_TAGS.sub("", text).strip() for text in texts)

        head, tail = body[:_CUE_WINDOW], body[-_CUE_WINDOW:]
        return Edges(said(head, slice(12))[:EDGE_CHARS], said(tail, slice(-12, None))[-EDGE_CHARS:])

    def mark(self, data: bytes, head: str, tail: str) -> bytes:
        text = decode(data)
        body, line = text.body, text.newline
        cues = _cues(body)
        if not cues:
            raise NoPlace("the subtitles hold no cue.")
        start, end, until = cues[0].start, cues[-1].end, max(cue.until for cue in cues)
        before = after = b""
        if head:
            number = b"" if self.vtt else b"0" + line
            before = number + self._timing(0) + line + head.encode() + line * 2
        if tail:
            last = _NUMBER.match(body, cues[-1].start)
            count = len(cues) if last is None else int(last[1])
            number = b"" if self.vtt else str(count + 1).encode() + line
            after = line * 2 + number + self._timing(until) + line + tail.encode()
        return text.encode(b"".join([body[:start], before, body[start:end], after, body[end:]]))

    def _timing(self, at: int) -> bytes:
        point = "." if self.vtt else ","

        def clock(value: int) -> str:
            seconds, rest = divmod(value, 1000)
            return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{rest:03}"

        return f"{clock(at)} --> {clock(at + _SECONDS * 1000)}".encode()

    def retext(self, data: bytes, change: Retext) -> bytes:
        text = decode(data)
        pieces: list[bytes] = []
        position = 0
        for cue in _cues(text.body):
            words = text.body[cue.text_start : cue.end]
            core = words.rstrip()
            lead = len(core) - len(core.lstrip())
            if not core.strip():
                continue
            changed = change(core[lead:].decode("utf-8", "surrogatepass")).encode("utf-8", "surrogatepass")
            pieces += [text.body[position : cue.text_start + lead], changed]
            position = cue.text_start + len(core)
        return text.encode(b"".join([*pieces, text.body[position:]]))

    def raw_text(self, data: bytes) -> bytes:
        return decode(data).body


class _WebVtt(_Subtitles):
    vtt = True


PLAIN = _Plain()
MARKDOWN = _Markdown()
SUBRIP = _Subtitles()
WEBVTT = _WebVtt()
