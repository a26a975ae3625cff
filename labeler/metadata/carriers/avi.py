"""AVI: the label as chunk ``AIGC`` in ``LIST INFO`` (TC260-PG-20257A), IPTC fields as XMP in chunk ``_PMX``.

The list stands before the frames, where every reader sees it.

Sources: Microsoft RIFF (INFO list, text with a zero behind it); XMP specification part 3, "AVI".
"""

from __future__ import annotations

from typing import BinaryIO

from labeler.errors import LimitExceeded
from labeler.media.containers import avi
from labeler.media.containers.avi import Chunk
from labeler.media.containers.splice import Edit
from labeler.metadata import aigc
from labeler.metadata.carriers.base import MAX_PACKETS, New, Slots, Text, decode, remainder

__all__ = ["PLACE", "read", "write"]

PLACE = "avi-info"
"""The guide's place: chunk ``AIGC`` in ``LIST INFO``."""

_MAX_TEXT = 1 << 20
_MAX_XMP = 32 << 20
_XMP = b"_PMX"


def read(source: BinaryIO) -> Slots:
    """The slots of an AVI file.

    Raises:
        DamagedMedia: if its chunks cannot be walked.
        LimitExceeded: if there are absurdly many.
    """
    _, items = avi.top_level(source)[0]
    found = [item for item in items if item.kind == _XMP][:MAX_PACKETS]
    if sum(item.end - item.body for item in found) > _MAX_XMP:
        raise LimitExceeded(f"the file holds more than {_MAX_XMP >> 20} MiB of XMP.")
    packets = [avi.load(source, item)[8:].rstrip(b"\0") for item in found]
    texts: list[Text] = []
    for item in items:
        if item.form == b"INFO":
            texts += [text for text, _ in _entries(avi.load(source, item)) if text is not None]
        elif item.kind == b"AIGC" and item.end - item.body <= _MAX_TEXT:
            texts.append(Text("avi-chunk", _text(avi.load(source, item)[8:]), True))
    return Slots(packets=tuple(packets), texts=tuple(texts))


def write(source: BinaryIO, target: BinaryIO, new: New) -> tuple[str, ...]:
    """The file with the label in its INFO list, XMP packets replaced, and other labels taken out.

    Args:
        source: a seekable file; frames are copied, never changed.
        target: where the result goes.
        new: the label and the XMP packets.

    Returns:
        Nothing: every label can be taken out.

    Raises:
        DamagedMedia: if the chunks cannot be walked.
        LimitExceeded: if there are absurdly many, or the file's first part would pass 4 GiB.
    """
    top = avi.top_level(source)
    items = top[0][1]
    movi = next(item for item in items if item.form == b"movi")
    queue = list(new.packets)
    label = avi.chunk(b"AIGC", new.text.encode("utf-8", "backslashreplace") + b"\0")
    edits: list[Edit] = []
    written = False
    for item in items:
        if item.form == b"INFO":
            content = _cleaned(avi.load(source, item))
            if item.start < movi.start and not written:
                content, written = content + label, True
            edits.append(
                Edit(item.start, item.next, avi.chunk(b"LIST", content, form=b"INFO") if content else b"")
            )
        elif item.kind == b"AIGC":
            edits.append(Edit(item.start, item.next, b""))
        elif item.kind == _XMP and queue:
            edits.append(Edit(item.start, item.next, avi.chunk(_XMP, queue.pop(0))))
    fresh = b"" if written else avi.chunk(b"LIST", label, form=b"INFO")
    fresh += b"".join(avi.chunk(_XMP, packet) for packet in queue)
    place = next((item.next for item in items if item.form == b"hdrl"), movi.start)
    edits.append(Edit(place, place, fresh))
    avi.rewrite(source, target, top, [edit for edit in edits if edit.new or edit.start != edit.end])
    return ()


def _text(raw: bytes) -> str:
    return decode(raw.rstrip(b"\0"))


def _entries(data: bytes) -> list[tuple[Text | None, Chunk]]:
    """Every entry of an INFO list, with its text if it holds a label or claims to."""
    found: list[tuple[Text | None, Chunk]] = []
    for item in avi.children(data):
        text = _text(data[item.body : item.end]) if item.end - item.body <= _MAX_TEXT else ""
        named = item.kind == b"AIGC"
        if named or ("{" in text and aigc.parse_label(text) is not None):
            found.append((Text(PLACE if named else "avi-info-text", text, named), item))
        else:
            found.append((None, item))
    return found


def _cleaned(data: bytes) -> bytes:
    """The entries of an INFO list without labels."""
    parts: list[bytes] = []
    for text, item in _entries(data):
        if text is None:
            parts.append(avi.chunk(item.kind, data[item.body : item.end]))
        elif not text.named and (rest := remainder(text.text)):
            parts.append(avi.chunk(item.kind, rest.encode() + b"\0"))
    return b"".join(parts)
