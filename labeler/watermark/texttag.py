"""The invisible tag of finished texts: a payload as variation selectors, opt-in.

A frame of 11 bytes, each byte one selector (43 bytes of UTF-8): a byte b is U+FE00 + b below 16, else
U+E0100 + b - 16 (Unicode 16, 23.4; the mapping that C2PA 2.4 A.8 uses)::

    0xA1 | payload (8 bytes) | check (2 bytes) = HMAC-SHA256(K, 0xA1 || payload)[0:2]
    K    = HKDF(master, salt = key id, info = "labeler/watermark/text-tag/1")

What it is good for, and what not. The tag goes along when text is copied, and survives NFC, NFKC, JSON,
Markdown and HTML round trips and reordering; it is repeated so that excerpts keep one. It dies when somebody
strips combining marks or default-ignorable characters, encodes to GBK, retypes, paraphrases or translates.
**Anyone can copy it onto any other text**: a tag says "tag present", never "authentic". With 16 bits of
check a text of a stranger shows a tag of one of our keys by design only; the search counts every run tried.

Frames are put after punctuation, white space or other letters, never directly after a Han ideograph, where
the first selector could form a real ideographic variation and change the glyph, nor after an emoji. Runs of
other people (emoji presentation, ideographic variation sequences: one selector each) are never touched.
"""

from __future__ import annotations

import functools
import hmac
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from labeler.core.keys import WatermarkKey
from labeler.errors import InputError, UsageError
from labeler.types import State, WatermarkReport

__all__ = [
    "ALGORITHM",
    "EVERY",
    "REASON",
    "CannotTag",
    "detect",
    "detect_bytes",
    "embed",
    "frame",
    "remove",
]

ALGORITHM = "io.github.labeler.text-tag.1"
"""Name of the mark in soft bindings."""

EVERY = ("sentence", "paragraph", "end")
"""How often the frame is repeated."""

REASON = "no tag was found; a statistical mark of the generation cannot be checked without the tokenizer and the key"
"""Why a text without a tag is not "unmarked"."""

_MAGIC = 0xA1
_FRAME = 11
_PURPOSE = "watermark/text-tag/1"
_MAX_RUNS = 100_000
_LONGEST_RUN = 100_000
_RUN = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{11,}")
_RUN_BYTES = re.compile(rb"(?:\xef\xb8[\x80-\x8f]|\xf3\xa0(?:[\x84-\x86][\x80-\xbf]|\x87[\x80-\xaf])){11,}+")
_MAGIC_BYTES = "\U000e0191".encode()
_SENTENCE = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|[。！？；…]+[”’」』）】]*")
_LINE = re.compile(r"[^\r\n]*[^\s][^\r\n]*")
_BLANK_AHEAD = re.compile(r"(?:\r\n|\n|\r(?!\n))[ \t]*(?:\r\n|\n|\r|\Z)|\Z")
_ENDS = frozenset('.!?…。！？；:："”’』」）)]】〕>')
_HAN = re.compile(
    r"[\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_EMOJI_KINDS = frozenset({"So", "Sk", "Mn", "Me", "Mc", "Cf", "Co", "Cn", "Cs"})


class CannotTag(InputError):
    """The text has no place for a tag; the layer is not applicable."""


@functools.lru_cache(maxsize=4)
def frame(payload: bytes, key: WatermarkKey) -> str:
    """The eleven selectors.

    Args:
        payload: 8 bytes.
        key: the watermark key.
    """
    if len(payload) != 8:
        raise ValueError(f"a payload has 8 bytes, not {len(payload)}")
    data = bytes([_MAGIC]) + payload
    data += hmac.digest(key.derive(_PURPOSE), data, "sha256")[:2]
    return "".join(chr(0xFE00 + b if b < 16 else 0xE0100 + b - 16) for b in data)


def embed(text: str, payload: bytes, key: WatermarkKey, *, every: str = "paragraph") -> str:
    """The text with tags; frames of labeler that were in it are replaced.

    Args:
        text: finished text.
        payload: 8 bytes.
        key: the watermark key.
        every: ``sentence``, ``paragraph`` or ``end``; short posts want ``sentence``.

    Raises:
        CannotTag: there is no place that is safe.
        UsageError: unknown ``every``.
    """
    if every not in EVERY:
        raise UsageError(
            f"unknown repetition {every!r} of the tag.", remedy=f"Use one of: {', '.join(EVERY)}."
        )
    text = remove(text)
    selectors = frame(payload, key)
    spots: list[int] = []
    for start, stop in _paragraphs(text):
        end = _spot(text, start, stop)
        inside = (
            []
            if every != "sentence"
            else [match.end() for match in _SENTENCE.finditer(text, start, stop) if _safe(text, match.end())]
        )
        spots += sorted({*inside, *([] if end is None else [end])})
    if every == "end":
        spots = spots[-1:]
    if not spots:
        raise CannotTag("the text has no punctuation, space or letter behind which a tag may stand.")
    pieces, position = [], 0
    for spot in spots:
        pieces += [text[position:spot], selectors]
        position = spot
    return "".join([*pieces, text[position:]])


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """Paragraphs: lines up to a blank one, or to one that ends like a sentence (hard-wrapped lines do not)."""
    start = -1
    for line in _LINE.finditer(text):
        start = line.start() if start < 0 else start
        if line[0].rstrip()[-1] in _ENDS or _BLANK_AHEAD.match(text, line.end()):
            yield start, line.end()
            start = -1


def remove(text: str) -> str:
    """The text without frames; emoji and ideographic variations, one selector each, stay.

    Only runs that begin like a frame are taken, of whatever key, so that replacing a tag leaves no other.
    """
    return _RUN.sub(lambda run: "" if _is_ours(run[0]) else run[0], text)


def _is_ours(run: str) -> bool:
    data = _bytes(run)
    return len(data) % _FRAME == 0 and all(data[i] == _MAGIC for i in range(0, len(data), _FRAME))


def _bytes(run: str) -> bytes:
    return bytes(ord(c) - 0xFE00 if c < "\ufe10" else ord(c) - 0xE0100 + 16 for c in run)


def _spot(text: str, start: int, end: int) -> int | None:
    """The last safe place of a paragraph, at its end if that is safe."""
    while end > start and text[end - 1].isspace():
        end -= 1
    if _safe(text, end):
        return end
    for position in range(end - 1, start, -1):
        kind = unicodedata.category(text[position - 1])
        if (
            kind in ("Po", "Ps", "Pe", "Pi", "Pf", "Pd", "Zs")
            and _safe(text, position)
            and _breakable(text, position)
        ):
            return position
    return None


def _breakable(text: str, position: int) -> bool:
    """Whether what follows is not itself attached to what stands before (a selector, a joiner, an accent)."""
    return position >= len(text) or unicodedata.category(text[position]) not in ("Mn", "Mc", "Me", "Cf")


def _safe(text: str, position: int) -> bool:
    """Whether a selector after this character changes nothing: no ideograph, emoji, digit or keycap."""
    before = text[position - 1] if position else ""
    if not before or _HAN.match(before) or before in "#*\u203c\u2049\u3030\u303d" or before.isdigit():
        return False
    return unicodedata.category(before) not in _EMOJI_KINDS and _breakable(text, position)


# ----------------------------------------------------------------------------------------- detection


def detect(text: str, keys: Sequence[WatermarkKey]) -> WatermarkReport:
    """Look for tags of some keys.

    Returns:
        PRESENT with the payload that stands most often; CANNOT_TELL with `REASON` if there is none, since
        a statistical mark may still be there.
    """
    return _report((run[0] for run in _RUN.finditer(text)), keys)


def detect_bytes(data: bytes, keys: Sequence[WatermarkKey]) -> WatermarkReport:
    """The same on UTF-8, without decoding what is no tag."""
    return _report(_runs(data), keys)


def _runs(data: bytes) -> Iterator[str]:
    """Runs from the first magic byte on; searching for it is many times faster than for any selector."""
    position = data.find(_MAGIC_BYTES)
    while position >= 0:
        run = _RUN_BYTES.match(data, position)
        if run:
            yield data[position : min(run.end(), position + 4 * _LONGEST_RUN)].decode("utf-8", "ignore")
        position = data.find(_MAGIC_BYTES, run.end() if run else position + 4)


def _report(runs: Iterable[str], keys: Sequence[WatermarkKey]) -> WatermarkReport:
    derived = [(key, key.derive(_PURPOSE)) for key in keys]
    votes: Counter[tuple[bytes, str]] = Counter()
    tried = damaged = 0
    for run in runs:
        if tried > _MAX_RUNS:
            break
        data = _bytes(run[:_LONGEST_RUN])
        for start in range(len(data) - _FRAME + 1):
            if data[start] != _MAGIC:
                continue
            tried += 1
            body, check = data[start : start + 9], data[start + 9 : start + _FRAME]
            fits = [key.key_id for key, secret in derived if hmac.digest(secret, body, "sha256")[:2] == check]
            votes.update((body[1:], key_id) for key_id in fits)
            damaged += not fits
    if not votes:
        reason = REASON
        if damaged:
            reason = f"{damaged} runs look like tags of a key that is not here; {REASON}"
        return WatermarkReport(state=State.CANNOT_TELL, reason=reason)
    (payload, key_id), count = votes.most_common(1)[0]
    others = len({p for p, _ in votes}) - 1
    chance = min(0.0, math.log10(max(1, tried) * max(1, len(keys))) - 24 * math.log10(2))
    geometry = {
        "kind": "text-tag",
        "frames": count,
        "meaning": "tag present; anyone can copy it to another text",
    }
    if others:
        geometry["other_payloads"] = others
    return WatermarkReport(
        state=State.PRESENT,
        payload=payload.hex(),
        mark_id=payload.hex()[2:],
        key_id=key_id,
        log10_p=round(chance, 1),
        geometry=geometry,
    )
