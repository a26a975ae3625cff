"""Matroska and WebM: the label as SimpleTag ``AIGC`` of the whole file (TC260-PG-20257A), IPTC fields beside it.

Matroska has no place for XMP, so the IPTC fields are SimpleTags named as in the IPTC standard, and the
official tags ``ARTIST``, ``COPYRIGHT`` and ``DATE_TAGGED`` (matroska.org, "Tags").

Source: RFC 9559 5.1.8 (Tags, Tag, Targets, SimpleTag).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from labeler.media.containers import matroska
from labeler.media.containers.matroska import Element, children, element, number, uint
from labeler.metadata import aigc
from labeler.metadata.carriers.base import New, Slots, Text, decode, remainder

__all__ = ["PLACE", "read", "write"]

PLACE = "matroska-tag"
"""The guide's place: a SimpleTag ``AIGC`` that applies to the whole file."""

_TAG, _TARGETS, _SIMPLE = 0x7373, 0x63C0, 0x67C8
_NAME, _STRING, _BINARY, _LANGUAGE, _DEFAULT = 0x45A3, 0x4487, 0x4485, 0x447A, 0x4484
_TARGET_TYPE = 0x68CA
_UIDS = frozenset({0x63C5, 0x63C9, 0x63C4, 0x63C6})  # of a track, edition, chapter, attachment
_WHOLE = 50  # TargetTypeValue of a movie, episode or concert
_MAX_TEXT = 1 << 20
_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class _Simple:
    """A SimpleTag: its place in the element, its name and text, and how deep it is nested."""

    item: Element
    name: str
    text: str
    depth: int


def read(source: BinaryIO) -> Slots:
    """The slots of a Matroska file.

    Raises:
        DamagedMedia: if its elements cannot be walked.
        LimitExceeded: if there are absurdly many.
    """
    segment = matroska.walk(source)
    texts: list[Text] = []
    properties: list[tuple[str, str]] = []
    for tags in segment.of(matroska.TAGS):
        data = matroska.load(source, tags)
        for tag in children(data):
            if tag.id != _TAG:
                continue
            whole = _is_whole(data, tag)
            for simple in _simples(data, tag):
                if whole and not simple.depth:
                    properties.append((simple.name, simple.text))
                if "AIGC" in simple.name.upper() or ("{" in simple.text and _holds(simple.text)):
                    texts.append(Text(_place(simple, whole), simple.text, "AIGC" in simple.name.upper()))
    return Slots(texts=tuple(texts), properties=tuple(properties))


def write(source: BinaryIO, target: BinaryIO, new: New) -> tuple[str, ...]:
    """The file with the label and the named texts in its tags, and other labels taken out.

    Args:
        source: a seekable file; clusters are copied, never changed but for the position they tell.
        target: where the result goes.
        new: the label and the named texts.

    Returns:
        Nothing: every label can be taken out.

    Raises:
        DamagedMedia: if the elements cannot be walked.
        LimitExceeded: if there are absurdly many.
    """
    segment = matroska.walk(source)
    replaced = {name.upper() for name, _ in new.properties}
    body = b""
    crc = False
    for tags in segment.of(matroska.TAGS):
        data = matroska.load(source, tags)
        for item in children(data):
            if item.id == matroska.CRC:
                crc = True
            elif item.id == _TAG:
                body += _kept(data, item, replaced if _is_whole(data, item) else set())
            elif item.id != matroska.VOID:
                body += data[item.start : item.end]
    ours = element(_TARGETS, uint(_TARGET_TYPE, _WHOLE))
    ours += b"".join(_simple(name, text) for name, text in (("AIGC", new.text), *new.properties))
    matroska.rewrite_tags(
        source, target, segment, matroska.master(matroska.TAGS, body + element(_TAG, ours), crc=crc)
    )
    return ()


def _is_whole(data: bytes, tag: Element) -> bool:
    """True if a tag applies to the whole file: no target, or only targets numbered 0."""
    targets = [item for item in children(data, tag) if item.id == _TARGETS]
    uids = [item for found in targets for item in children(data, found) if item.id in _UIDS]
    return all(number(data, item) == 0 for item in uids)


def _simples(data: bytes, parent: Element, depth: int = 0) -> Iterator[_Simple]:
    for item in children(data, parent):
        if item.id != _SIMPLE:
            continue
        yield _read_simple(data, item, depth)
        if depth < _MAX_DEPTH:
            yield from _simples(data, item, depth + 1)


def _read_simple(data: bytes, item: Element, depth: int) -> _Simple:
    name = text = ""
    for field in children(data, item):
        raw = data[field.body : field.end]
        if field.id == _NAME:
            name = decode(raw[:256]).rstrip("\0")
        elif field.id in (_STRING, _BINARY) and len(raw) <= _MAX_TEXT and not text:
            text = decode(raw).rstrip("\0")
    return _Simple(item, name, text, depth)


def _holds(text: str) -> bool:
    return aigc.parse_label(text) is not None


def _place(simple: _Simple, whole: bool) -> str:
    if simple.depth:
        return "matroska-nested-tag"
    if not whole:
        return "matroska-track-tag"
    return PLACE if simple.name == "AIGC" else "matroska-other-tag"


def _kept(data: bytes, tag: Element, replaced: set[str]) -> bytes:
    """A Tag without labels and without the named texts; nothing if no SimpleTag is left of it."""
    parts: list[bytes] = []
    left = False
    for item in children(data, tag):
        if item.id != _SIMPLE:
            parts.append(b"" if item.id == matroska.CRC else data[item.start : item.end])
        elif raw := _without_label(data, item, replaced, 0):
            parts.append(raw)
            left = True
    return element(_TAG, b"".join(parts)) if left else b""


def _without_label(data: bytes, item: Element, replaced: set[str], depth: int) -> bytes:
    simple = _read_simple(data, item, depth)
    if simple.name == "AIGC" or (not depth and simple.name.upper() in replaced):
        return b""
    rest = remainder(simple.text)
    if rest == "":
        return b""
    parts: list[bytes] = []
    for field in children(data, item):
        if field.id == _SIMPLE and depth < _MAX_DEPTH:
            parts.append(_without_label(data, field, replaced, depth + 1))
        elif rest is not None and field.id in (_STRING, _BINARY):
            parts.append(element(_STRING, rest.encode()))
        elif field.id != matroska.CRC:
            parts.append(data[field.start : field.end])
    return element(_SIMPLE, b"".join(parts))


def _simple(name: str, text: str) -> bytes:
    """A SimpleTag in undetermined language."""
    fields = element(_NAME, name.encode()) + element(_LANGUAGE, b"und") + uint(_DEFAULT, 1)
    return element(_SIMPLE, fields + element(_STRING, text.encode("utf-8", "backslashreplace")))
