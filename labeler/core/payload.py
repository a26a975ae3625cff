"""The 64 bits that every watermark carries (contract.md, Identity shared by all layers)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from labeler.types import Label

__all__ = ["Payload"]

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """Watermark payload: version(4) = 1, Label value(2), kind(2), mark_id(56), most significant first.

    Attributes:
        value: GB 45438 label value as a number: 1 is, 2 may be, 3 suspected.
        kind: 0 generated, 1 edited by AI.
        mark_id: 14 hex digits.
        version: format of the payload.

    >>> Payload(value=1, kind=0, mark_id="0123456789abcd").hex
    '140123456789abcd'
    >>> Payload.from_hex("140123456789abcd").mark_id
    '0123456789abcd'
    """

    value: int
    kind: int
    mark_id: str
    version: int = _VERSION

    def __post_init__(self) -> None:
        if not (0 <= self.version < 16 and 0 <= self.value < 4 and 0 <= self.kind < 4):
            raise ValueError("a payload holds a version below 16, and a value and a kind below 4")
        if not re.fullmatch("[0-9a-f]{14}", self.mark_id):
            raise ValueError(f"a mark_id has 14 lower-case hex digits, not {self.mark_id!r}")

    @classmethod
    def of(cls, label: Label) -> Payload:
        """The payload of a label."""
        return cls(value=int(label.value), kind=int(label.edited), mark_id=label.mark_id)

    @classmethod
    def from_bytes(cls, data: bytes) -> Payload:
        """Read 8 bytes; every value is representable, ``version`` tells what to make of it."""
        if len(data) != 8:
            raise ValueError(f"a payload has 8 bytes, not {len(data)}")
        head = data[0]
        return cls(version=head >> 4, value=head >> 2 & 3, kind=head & 3, mark_id=data[1:].hex())

    @classmethod
    def from_hex(cls, text: str) -> Payload:
        """Read 16 hex digits."""
        return cls.from_bytes(bytes.fromhex(text))

    @property
    def hex(self) -> str:
        """16 hex digits."""
        return bytes(self).hex()

    def __bytes__(self) -> bytes:
        return bytes([self.version << 4 | self.value << 2 | self.kind]) + bytes.fromhex(self.mark_id)
