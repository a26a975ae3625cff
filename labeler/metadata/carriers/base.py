"""What every carrier module offers: find the slots of a file, and write XMP packets back into them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from labeler.metadata import aigc

__all__ = ["MAX_PACKETS", "New", "Slots", "Text", "decode", "is_label", "mixed", "whole_label"]


MAX_PACKETS = 32
"""XMP packets looked at in one file; real files have one, rarely two."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text outside XMP that holds, or claims to hold, a label.

    Attributes:
        place: ``png-text``, ``exif``, ``jpeg-app9``, ``jpeg-comment``, ``gif-comment`` ...
        text: its text.
        named: true if the field itself is called AIGC.
    """

    place: str
    text: str
    named: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Where a file can carry, and where it does carry, what this layer is about.

    Attributes:
        packets: XMP packets that can be rewritten, the main one first.
        readonly: XMP packets in places that are read but never written (JPEG ExtendedXMP).
        texts: labels outside XMP.
        has_exif: true if the file has EXIF data.
        properties: named texts beside the label (name, text), where the container has no place for XMP.
    """

    packets: tuple[bytes, ...] = ()
    readonly: tuple[bytes, ...] = ()
    texts: tuple[Text, ...] = ()
    has_exif: bool = False
    properties: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """What a carrier of sound or video is to write.

    Attributes:
        text: the label.
        packets: XMP packets, as many as were read, or one if there were none.
        properties: named texts, for a container without a place for XMP; each replaces those of its name.
    """

    text: str
    packets: tuple[bytes, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()


def decode(data: bytes) -> str:
    """Text of unknown encoding: UTF-8 if it is, else Latin-1."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def is_label(text: str) -> bool:
    """True if the text holds an Annex E label."""
    return aigc.parse_label(text) is not None


def whole_label(text: str) -> bool:
    """True if the text is a label and nothing else, so that its field can be removed as a whole."""
    parsed = aigc.parse_label(text)
    if parsed is None:
        return False
    return not text[: parsed.start].strip("\ufeff\0 \t\r\n") and not text[parsed.end :].strip("\0 \t\r\n")


def mixed(texts: Iterable[Text]) -> tuple[str, ...]:
    """Places of texts that hold a label among other words; those stay as they are."""
    return tuple(t.place for t in texts if not t.named and is_label(t.text) and not whole_label(t.text))


def remainder(text: str) -> str | None:
    """What a text says beside a label: None if it holds none, "" if it says nothing else."""
    parsed = aigc.parse_label(text) if "{" in text else None
    if parsed is None:
        return None
    return (text[: parsed.start] + text[parsed.end :]).strip("\ufeff\0 \t\r\n")
