"""A.9: a manifest between two delimiters, in a comment of its host format.

    <!-- -----BEGIN C2PA MANIFEST----- data:application/c2pa;base64,... -----END C2PA MANIFEST----- -->

The hash is over the file's bytes as they are, without the lines of the block. The first line of a file is the
place that C2PA recommends; Markdown keeps it for front matter and WebVTT for its header, so the block is
the last line of a Markdown file, and a ``NOTE`` behind the header of WebVTT.

What else may stand in the lines left out is the comment's own signs and nothing more: otherwise anybody
could put words there that the hash does not protect.
"""

from __future__ import annotations

import base64
import re

from labeler.credentials.intext.model import REMOTE, Damage, Found, Place, store_or_damage

__all__ = ["BEGIN", "END", "MULTIPLE", "Armour", "Note"]

BEGIN = b"-----BEGIN C2PA MANIFEST-----"
END = b"-----END C2PA MANIFEST-----"
MULTIPLE = "manifest.structuredText.multipleReferences"
_NONE = "manifest.structuredText.noManifest"
_MALFORMED = "manifest.structuredText.malformedReference"

_URI = b"data:application/c2pa;base64,"
_REMOTE = re.compile(rb"https?://[^\s<>\"]{1,2000}")
_OPENED = re.compile(rb"[ \t]*(?:<!--|/\*|//|#|--|;|%|\.\.|NOTE)?[ \t]*")
_CLOSED = re.compile(rb"[ \t]*(?:-->|\*/)?[ \t]*")
_ENDING = re.compile(rb".{0,2}[A-Za-z0-9+/=]{64}[ \t]*", re.DOTALL)
_TO_LINE_END = re.compile(rb"[^\r\n]*")
_BLANK_END = re.compile(rb"(?:\r\n|\n|\r)\Z")
_LINE_END = (b"\r\n", b"\n", b"\r")


class Armour:
    """The form A.9 as a comment of its own at the end of a Markdown file."""

    name = "A.9"
    normalised = False
    blank = False  # whether the blank line behind the block belongs to it

    def place(self, data: bytes) -> Place:
        """At the end."""
        return Place(data, b"")

    def wrap(self, manifest: bytes, place: Place) -> bytes:
        """A line of its own; the last line has an end if the last line of the file had one."""
        line = b"<!-- " + _block(manifest) + b" -->"
        ending = _line_end(place.before)
        if not place.before:
            return line
        return line + ending if place.before.endswith((b"\n", b"\r")) else ending + line

    def find(self, data: bytes) -> Found | Damage | None:
        """The one block that holds a manifest."""
        begins, ends = data.count(BEGIN), data.count(END)
        if not begins and not ends:
            return None
        if begins != 1 or ends != 1:
            return _unpaired(data, begins, ends)
        begin, end = data.find(BEGIN), data.find(END)
        inner = data[begin + len(BEGIN) : end] if begin < end else b""
        reference = inner.strip(b" \t\r\n")
        if not reference.startswith(_URI):
            return _other(reference, begin < end)
        store = store_or_damage(reference[len(_URI) :], _MALFORMED, "the C2PA manifest block")
        if isinstance(store, Damage):
            return store
        end += len(END)
        bounds, outer, odd = _lines(data, begin, end, blank=self.blank)
        if inner.replace(reference, b"").strip(b" ") and not _is_multiline(inner, reference):
            odd = odd or "blanks of many kinds stand in the block"
        return Found(
            form=self.name,
            manifest=store,
            data=data,
            start=bounds[0],
            end=bounds[1],
            inner=(begin, end),
            outer=outer,
            odd=odd,
        )


class Note(Armour):
    """The same as a comment of its own behind the header of WebVTT."""

    blank = True

    def place(self, data: bytes) -> Place:
        """Behind the first blank line, or at the end of a file that has none."""
        blank = re.search(rb"(?:\r\n|\n|\r(?!\n))[ \t]*(?:\r\n|\n|\r)", data)
        at = blank.end() if blank else len(data)
        return Place(data[:at], data[at:])

    def wrap(self, manifest: bytes, place: Place) -> bytes:
        """A line and a blank line, which ends a comment."""
        ending = _line_end(place.before)
        line = b"NOTE " + _block(manifest)
        if place.after:
            return line + ending * 2
        return ending + line if _BLANK_END.search(place.before) else ending * 2 + line


def _block(manifest: bytes) -> bytes:
    return b" ".join((BEGIN, _URI + base64.b64encode(manifest), END))


def _line_end(data: bytes) -> bytes:
    match = re.search(rb"\r\n|\n|\r", data[: 1 << 20])
    return match[0] if match else b"\n"


def _is_multiline(inner: bytes, reference: bytes) -> bool:
    """Whether the delimiters and the reference stand on three lines, as in front matter."""
    return inner in {ending + reference + ending for ending in _LINE_END}


def _lines(data: bytes, begin: int, end: int, *, blank: bool) -> tuple[tuple[int, int], tuple[int, int], str]:
    """The block's lines, how far the range left out may reach around them, and what is odd in them."""
    start = max(data.rfind(b"\n", 0, begin), data.rfind(b"\r", 0, begin)) + 1
    rest = _TO_LINE_END.match(data, end)
    stop = rest.end() if rest else end
    clean = _OPENED.fullmatch(data, start, begin) and _CLOSED.fullmatch(data, end, stop)
    odd = "" if clean else "other text stands in the lines of its block"
    behind = _ending(data, stop)
    further = _ending(data, stop + behind) if behind else 0
    before = next((len(e) for e in _LINE_END if data.endswith(e, 0, start)), 0)
    outer = (start - before, stop + behind + further)
    if not behind:  # the last line of a file without a final line end: the break before it came with it
        return (start - before, stop), outer, odd
    return (start, stop + behind + (further if blank else 0)), outer, odd


def _ending(data: bytes, at: int) -> int:
    """Length of the line end that stands here, or 0."""
    return next((len(e) for e in _LINE_END if data.startswith(e, at)), 0)


def _unpaired(data: bytes, begins: int, ends: int) -> Damage | None:
    """Several blocks, or half of one; None for texts that only talk of such blocks."""
    whole = data.count(BEGIN + b" " + _URI) + len(re.findall(BEGIN + rb"\r?\n" + _URI, data))
    if whole > 1:
        return Damage(
            MULTIPLE, "several C2PA manifest blocks stand in the text: which is meant is not known."
        )
    if whole:
        return Damage(_NONE, "the C2PA manifest block is corrupted: its delimiters do not pair up.")
    end = data.find(END)
    if not begins and ends and _ENDING.search(data, max(0, end - 80), end):
        return Damage(_NONE, "the C2PA manifest block is corrupted: its beginning is lost.")
    return None


def _other(reference: bytes, ordered: bool) -> Damage | None:
    """A block without a manifest in it."""
    if not ordered:
        return Damage(_NONE, "the C2PA manifest block is corrupted: its delimiters stand in the wrong order.")
    if remote := _REMOTE.fullmatch(reference):
        url = remote[0][:200].decode("ascii", "replace")
        return Damage(REMOTE, f"the manifest is remote and was not fetched: {url}")
    code = _MALFORMED if reference else "manifest.structuredText.emptyReference"
    return Damage(code, "a C2PA manifest block stands in the text without a manifest in it.")
