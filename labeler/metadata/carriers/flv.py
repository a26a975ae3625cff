"""FLV: the label as property ``AIGC`` of ``onMetaData`` (TC260-PG-20257A), IPTC fields as further properties.

A script tag of its own for XMP (``onXMPData``) is not used: ffmpeg 9 takes it for a data stream. When the tag
grows, the file positions in it (``keyframes.filepositions``, ``filesize`` ...) move with the frames.

Source: Adobe Flash Video File Format Specification 10.1, annex E.5 (onMetaData).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

from labeler.errors import DamagedMedia
from labeler.media.containers import flv
from labeler.media.containers.flv import Property
from labeler.media.containers.splice import Edit, Shift, splice
from labeler.media.containers.stream import copy_edited, read_at
from labeler.metadata import aigc
from labeler.metadata.carriers.base import New, Slots, Text, remainder

__all__ = ["PLACE", "read", "write"]

PLACE = "flv-onmetadata"
"""The guide's place: property ``AIGC`` of ``onMetaData``."""

_NAME = "onMetaData"
_POSITIONS = frozenset({("lastkeyframelocation",), ("filesize",)})


def read(source: BinaryIO) -> Slots:
    """The slots of an FLV file.

    Raises:
        DamagedMedia: if its tags cannot be walked.
        LimitExceeded: if there are absurdly many.
    """
    texts: list[Text] = []
    named: list[tuple[str, str]] = []
    for tag in flv.tags(source):
        if tag.kind != flv.SCRIPT:
            continue
        try:
            name, _, _, found = flv.properties(flv.load(source, tag))
        except DamagedMedia:
            continue  # cue points and other events need not be objects
        for item in found:
            place = _place(name, item)
            if place:
                texts.append(Text(place, item.text, item.path[-1] == "AIGC"))
            if name == _NAME and len(item.path) == 1 and item.text:
                named.append((item.path[0], item.text))
    return Slots(texts=tuple(texts), properties=tuple(named))


def write(source: BinaryIO, target: BinaryIO, new: New) -> tuple[str, ...]:
    """The file with the label and the named texts in its first ``onMetaData``, and other labels taken out.

    Args:
        source: a seekable file; frames are copied, never changed.
        target: where the result goes.
        new: the label and the named texts.

    Returns:
        Nothing: every label can be taken out.

    Raises:
        DamagedMedia: if the tags cannot be walked.
        LimitExceeded: if there are absurdly many, or the script data grows over 16 MiB.
    """
    fresh = b"".join(_member(name, text) for name, text in (("AIGC", new.text), *new.properties))
    replaced = {name.upper() for name, _ in new.properties}
    scripts: list[_Script] = []
    written = False
    for tag in flv.tags(source):
        if tag.kind != flv.SCRIPT:
            continue
        data = flv.load(source, tag)
        try:
            name, at, last, found = flv.properties(data)
        except DamagedMedia:
            continue
        ours = name == _NAME and not written
        gone = _outermost(item for item in found if _goes(name, item, replaced if ours else set()))
        edits = [Edit(item.start, item.end, _rest(data, item)) for item in gone]
        if ours:
            edits.append(Edit(last, last, fresh))
            written = True
        if edits and data[at] == flv.ECMA:
            kept = sum(len(item.path) == 1 for item in found) - sum(len(item.path) == 1 for item in gone)
            count = kept + (1 + len(new.properties) if ours else 0)
            edits.append(Edit(at + 1, at + 5, struct.pack(">I", count)))
        scripts.append(_Script(tag, data, edits, found if name == _NAME else ()))
    changes = [_tag_edit(source, script) for script in scripts if script.edits]
    if not written:
        start = flv.first_tag(source)
        body = flv.string(_NAME) + struct.pack(">BI", flv.ECMA, 1 + len(new.properties)) + fresh + b"\0\0\x09"
        changes.append(Edit(start, start, flv.script(body)))
    shift = Shift(changes)
    for script in scripts:
        script.edits.extend(_positions(script, shift))
    changes = [edit for edit in changes if edit.start == edit.end]
    changes += [_tag_edit(source, script) for script in scripts if script.edits]
    copy_edited(source, target, changes)
    return ()


@dataclass(frozen=True, slots=True)
class _Script:
    """A script tag, its data, what is to change in it, and its properties if it is an ``onMetaData``."""

    tag: flv.Tag
    data: bytes
    edits: list[Edit]
    found: tuple[Property, ...]


def _tag_edit(source: BinaryIO, script: _Script) -> Edit:
    header = read_at(source, script.tag.start, 11, exact=True)
    return Edit(
        script.tag.start, script.tag.next, flv.script(splice(script.data, script.edits), header=header)
    )


def _positions(script: _Script, shift: Shift) -> list[Edit]:
    """Edits of the numbers that are positions in the file."""
    edits: list[Edit] = []
    for item in script.found:
        if item.kind != flv.NUMBER or not (
            item.path in _POSITIONS or item.path[:2] == ("keyframes", "filepositions")
        ):
            continue
        old = struct.unpack_from(">d", script.data, item.value + 1)[0]
        if 0 <= old < 1 << 53 and shift(int(old)) != int(old):
            edits.append(Edit(item.value + 1, item.end, struct.pack(">d", shift(int(old)))))
    return edits


def _member(name: str, text: str) -> bytes:
    raw = name.encode()
    return struct.pack(">H", len(raw)) + raw + flv.string(text)


def _place(script: str, item: Property) -> str:
    """What the place of a label is called, "" for a value that is none and does not claim to be."""
    if item.path[-1] != "AIGC" and not ("{" in item.text and aigc.parse_label(item.text) is not None):
        return ""
    return PLACE if (script, item.path) == (_NAME, ("AIGC",)) else "flv-script"


def _goes(script: str, item: Property, replaced: set[str]) -> bool:
    top = len(item.path) == 1 and item.path[0].upper() in replaced
    return top or (bool(_place(script, item)) and not item.path[-1].isdigit())


def _outermost(items: Iterable[Property]) -> list[Property]:
    """Without the properties inside others; they are in the order of their names."""
    kept: list[Property] = []
    for item in items:
        if not kept or item.start >= kept[-1].end:
            kept.append(item)
    return kept


def _rest(data: bytes, item: Property) -> bytes:
    """What stays of a property whose text holds a label: nothing, or the rest of the text."""
    rest = None if item.path[-1] == "AIGC" else remainder(item.text)
    return data[item.start : item.value] + flv.string(rest) if rest else b""
