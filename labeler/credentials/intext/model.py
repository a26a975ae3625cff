"""What the three forms have in common."""

from __future__ import annotations

import binascii
from dataclasses import dataclass, field
from typing import Protocol

__all__ = [
    "CORRUPTED",
    "MAX_STORE",
    "REMOTE",
    "Damage",
    "Form",
    "Found",
    "Place",
    "decode_base64",
    "is_store",
    "store_or_damage",
]

CORRUPTED = "manifest.text.corruptedWrapper"
REMOTE = "manifest.inaccessible"
MAX_STORE = 4 << 20
"""Bytes of a manifest store in a text; larger ones are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A manifest in a text, not yet validated.

    Attributes:
        form: ``A.7``, ``A.8`` or ``A.9``.
        manifest: the store, as ``.c2pa`` files have it.
        data: the whole text.
        start: of the range that the hash is expected to leave out, in bytes of ``data``.
        end: behind it.
        inner: bounds that the range left out must hold at least, and
        outer: must not go beyond; equal to start and end where the form leaves no choice.
        normalised: whether the hash is over the NFC form (A.8) or over the bytes as they are.
        odd: what else stands in the range, so that the hash does not protect it; "" if nothing does.
    """

    form: str
    manifest: bytes = field(repr=False)
    data: bytes = field(repr=False)
    start: int
    end: int
    inner: tuple[int, int] = (-1, -1)
    outer: tuple[int, int] = (-1, -1)
    normalised: bool = False
    odd: str = ""

    def allows(self, start: int, length: int) -> bool:
        """Whether a hash over the bytes as they are may leave out this range."""
        inner, outer = (r if r[0] >= 0 else (self.start, self.end) for r in (self.inner, self.outer))
        return outer[0] <= start <= inner[0] and inner[1] <= start + length <= outer[1]


@dataclass(frozen=True, slots=True)
class Damage:
    """Something of a manifest is there, and cannot be used.

    Attributes:
        code: C2PA status code, or one of labeler's own where the specification names none.
        reason: in words.
    """

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a manifest goes: the file's bytes before it and behind it."""

    before: bytes = field(repr=False)
    after: bytes = field(repr=False)


class Form(Protocol):
    """One form."""

    name: str
    normalised: bool

    def place(self, data: bytes) -> Place:
        """Where the manifest of an unsigned text goes."""

    def wrap(self, manifest: bytes, place: Place) -> bytes:
        """The bytes that go there, all of them left out of the hash."""

    def find(self, data: bytes) -> Found | Damage | None:
        """The one manifest of this form; `Damage` if there are several, or remains."""


def is_store(data: bytes) -> bool:
    """Whether bytes are one JUMBF superbox from end to end (ISO 19566-5, 4.2)."""
    return len(data) >= 8 and data[4:8] == b"jumb" and int.from_bytes(data[:4], "big") == len(data)


def decode_base64(text: bytes) -> bytes | None:
    """The bytes of canonical base64 without blanks, or None: no second spelling of the same bytes."""
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        return None
    return data if binascii.b2a_base64(data, newline=False) == text else None


def store_or_damage(text: bytes, code: str, what: str) -> bytes | Damage:
    """Decode base64 to a manifest store."""
    if len(text) > MAX_STORE * 4 // 3 + 4:
        return Damage(code, f"{what} is larger than {MAX_STORE >> 20} MB.")
    data = decode_base64(text)
    if data is None:
        return Damage(code, f"{what} is corrupted: it is no clean base64.")
    if not is_store(data):
        return Damage(code, f"{what} is corrupted: it is cut, or holds no C2PA manifest store.")
    return data
