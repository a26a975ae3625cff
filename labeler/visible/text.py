"""The visible mark on texts: a line before and a line after everything else, and finding such lines again.

GB 45438-2025 5.1: a text prompt with both elements, at the start and/or the end of the text, or at a
suitable place in the middle. The default is both ends. The wording of the end line says what is meant in
full; both carry both elements unless English is asked for.

The detector looks at the first and the last 64 characters of what a reader sees, without blanks around it
(64 is the choice of a public verifier; the standard gives no number). It reports

* labeler's own lines (``labeler-mark``),
* what else begins or ends there and has the form of a label (``text-label``): 0.9 for a line of its own or in
  brackets, 0.6 for a sentence in running text.

>>> marks("both").head
'【AI生成 · AI-generated】'
>>> [e.text for e in detect(Edges("【AI生成】 Some text.", "Some text.")).evidence]
['AI生成']
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from labeler.media.text.model import Edges
from labeler.types import Evidence, State, VisibleReport
from labeler.visible.textlabel import words_of_label
from labeler.visible.wording import SEPARATOR, wording

__all__ = [
    "KIND",
    "OTHER",
    "WINDOW",
    "Marks",
    "between",
    "detect",
    "detect_inside",
    "is_mark",
    "marks",
    "missing",
    "other_words",
    "translated",
]

KIND = "labeler-mark"
OTHER = "text-label"
WINDOW = 64
"""Characters looked at, at each end."""

_BRACKETS = re.compile(
    r"[\[【(（〔〖「『<《]([^\[\]【】()（）〔〕〖〗「」『』<>《》]{2,60})[\]】)）〕〗」』>》](?!\()"
)
_LINE = re.compile(r"([^\n]+)")
_SENTENCE = re.compile(r"([^\n。！!？?；;]+?(?:[。！!？?；;]|\.(?=\s)|$))", re.MULTILINE)
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The two lines of one language.

    Attributes:
        lang: ``zh``, ``en`` or ``both``.
        head: the line before the text.
        tail: the line after it.
        text: the wording as it is reported.
    """

    lang: str
    head: str
    tail: str
    text: str

    @property
    def behind(self) -> str:
        """The mark behind a paragraph."""
        return f"〔{self.text}〕"


_TAILS = {
    "zh": "（本内容由人工智能生成）",
    "en": "(This content is AI-generated)",
    "both": f"（本内容由人工智能生成{SEPARATOR}This content is AI-generated）",
}


def marks(lang: str) -> Marks:
    """The lines for a language.

    Raises:
        UsageError: unknown language.
    """
    text = wording(lang).text
    head = f"[{text}]" if lang == "en" else f"【{text}】"
    return Marks(lang=lang, head=head, tail=_TAILS[lang], text=text)


_OURS = tuple(marks(lang) for lang in ("both", "zh", "en"))


def missing(edges: Edges, lang: str, *, anew: bool = False) -> tuple[str, str]:
    """The lines that are still to be written: none of ours is ever put on top of another.

    Args:
        edges: from a format's ``edges``.
        lang: ``zh``, ``en`` or ``both``.
        anew: lines in another language are missing too, as in a format where new lines take their place.

    Returns:
        Head and tail; "" where one of ours stands already.
    """
    wanted = marks(lang)
    head, tail = _windows(edges)
    there = (wanted,) if anew else _OURS
    return (
        "" if any(m.head in head for m in there) else wanted.head,
        "" if any(m.tail in tail for m in there) else wanted.tail,
    )


def other_words(edges: Edges, lang: str) -> str:
    """The wording of our lines at the ends that are in another language than ``lang``; "" if there are none."""
    head, tail = _windows(edges)
    return next((m.text for m in _OURS if m.lang != lang and (m.head in head or m.tail in tail)), "")


def translated(text: str, lang: str) -> str:
    """A paragraph with the lines of ours in it, and the mark behind it, in another language."""
    wanted = marks(lang)
    lines = text.splitlines(keepends=True)
    for index, line in enumerate(lines):
        for m in _OURS:
            if is_mark(line):
                line = line.replace(m.head, wanted.head).replace(m.tail, wanted.tail)
            elif line.rstrip().endswith(m.behind):
                line = wanted.behind.join(line.rsplit(m.behind, 1))
        lines[index] = line
    return "".join(lines)


def is_mark(text: str) -> bool:
    """Whether a paragraph is one of our lines and nothing else, apart from the format's own signs."""
    clean = _IGNORABLE.sub("", text).strip(" >\t\r\n")
    return any(clean in (m.head, m.tail) for m in _OURS)


def between(text: str, change: Callable[[str], str]) -> str:
    """Change a paragraph without our lines at its start and end, which stay as they are."""
    head = tail = ""
    lines = text.splitlines(keepends=True)
    if lines and is_mark(lines[0]):
        head = lines.pop(0)
    if lines and is_mark(lines[-1]):
        tail = lines.pop()
    core = "".join(lines)
    ending = core[len(core.rstrip()) :]
    core = core[: len(core) - len(ending)]
    return head + (change(core) if core else "") + ending + tail


def detect(edges: Edges) -> VisibleReport:
    """Look at both ends of a text.

    Args:
        edges: from a format's ``edges``.
    """
    evidence: list[Evidence] = []
    head, tail = _windows(edges)
    for window, edge, last in ((head, edges.head, False), (tail, edges.tail, True)):
        found = [Evidence(kind=KIND, text=m.text, score=1.0) for m in _OURS if m.head in window]
        found += [
            Evidence(kind=KIND, text=m.tail.strip("（）()"), score=1.0) for m in _OURS if m.tail in window
        ]
        other = None if found else _other(_seen(edge), last=last)
        found += [other] if other else []
        evidence += [item for item in found if item not in evidence]
    return VisibleReport(state=State.PRESENT if evidence else State.ABSENT, evidence=tuple(evidence))


def detect_inside(body: bytes) -> VisibleReport:
    """Look for our own lines anywhere in plain text or Markdown, for texts whose paragraphs were moved.

    Args:
        body: UTF-8. In the middle only whole lines count, as labeler writes them.
    """
    evidence: list[Evidence] = []
    for mark in _OURS:
        for line, text in ((mark.head, mark.text), (mark.tail, mark.tail.strip("（）()"))):
            at = body.find(line.encode())
            while at >= 0 and not _is_line(body, at, at + len(line.encode())):
                at = body.find(line.encode(), at + 1)
            if at >= 0:
                evidence.append(Evidence(kind=KIND, text=text, score=0.9))
    return VisibleReport(state=State.PRESENT if evidence else State.ABSENT, evidence=tuple(evidence))


def _is_line(body: bytes, start: int, end: int) -> bool:
    before = body[max(0, start - 8) : start].rstrip(b"> \t")
    after = body[end : end + 8].lstrip(b" \t")
    return (not before or before.endswith((b"\n", b"\r"))) and (not after or after.startswith((b"\n", b"\r")))


def _windows(edges: Edges) -> tuple[str, str]:
    """The windows, free of invisible characters; our own lines are compared as they are written."""
    return _seen(edges.head)[:WINDOW], _seen(edges.tail)[-WINDOW:]


def _seen(edge: str) -> str:
    return _IGNORABLE.sub("", edge).strip()


def _other(edge: str, *, last: bool) -> Evidence | None:
    """A label of somebody else that begins (at the end: ends) within the window."""
    for pattern, score in ((_BRACKETS, 0.9), (_LINE, 0.9), (_SENTENCE, 0.6)):
        for match in pattern.finditer(edge):
            near = match.end() > len(edge) - WINDOW if last else match.start() < WINDOW
            if near and (words := words_of_label(match[1])):
                return Evidence(kind=OTHER, text=words, score=score)
    return None
