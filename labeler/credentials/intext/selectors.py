r"""A.8: a manifest as invisible variation selectors at the end of a text.

    U+FEFF | "C2PATXT\0" | version 1 | length, 32 bits, big-endian | manifest store | padding

with every byte b behind the mark written as U+FE00 + b below 16, else U+E0100 + b - 16. The hash is over the
NFC form of the text without the wrapper. How long a store is in UTF-8 depends on its bytes, which change
with every signature; padding brings the wrapper to 3 + 4 (13 + length) + 6 bytes, so that its length depends
on the store's alone: bytes 0 (three in UTF-8), then at most two bytes 0x10 (four). This is what c2pa-rs
writes (its feature ``unstable_plain_text``). No other padding is taken: whatever stands in the wrapper is
not protected by the hash.
"""

from __future__ import annotations

import re

from labeler.credentials.intext.model import CORRUPTED, MAX_STORE, Damage, Found, Place, is_store

__all__ = ["MULTIPLE", "Selectors", "decode", "encode", "padded", "target_size"]

MULTIPLE = "manifest.text.multipleWrappers"

_MARK = "\ufeff".encode()
_HEAD = b"C2PATXT\0\x01"
_MAGIC_BYTES = 8
_HEADER = 13
_TABLE = [chr(0xFE00 + b) if b < 16 else chr(0xE0100 + b - 16) for b in range(256)]
_ANY = rb"\xef\xb8[\x80-\x8f]|\xf3\xa0[\x84-\x86][\x80-\xbf]|\xf3\xa0\x87[\x80-\xaf]"
_RUN = re.compile(rb"(?:%s)++" % _ANY)  # possessive: else a run of a million takes a gigabyte
_PADDING = re.compile(rb"\x00*(?:\x10{0,2}|\xff{0,2})")
_LONG_RUN = 120
_REMAINS = tuple(
    (
        prefix,
        re.compile(
            re.escape(prefix) + rb"[\x80-\x8f]?(?:[\x84-\x87][\x80-\xbf])?(?:%s){%d}" % (_ANY, _LONG_RUN)
        ),
    )
    for prefix in (b"\xf3\xa0", b"\xef\xb8")  # how the two kinds of selectors begin
)
_MAX_CANDIDATES = 64


def encode(data: bytes) -> bytes:
    r"""Bytes as selectors, in UTF-8.

    >>> encode(b"\x0f\x10").decode() == "\ufe0f\U000e0100"
    True
    """
    return "".join([_TABLE[b] for b in data]).encode()


def decode(run: bytes) -> bytes:
    """The bytes of a run of selectors (UTF-8 in, nothing but selectors)."""
    points = map(ord, run.decode())
    return bytes(p - 0xFE00 if p < 0xFE10 else p - 0xE0100 + 16 for p in points)


_MAGIC = encode(_HEAD[:_MAGIC_BYTES])
_TRACE = encode(b"jumdc2")


def target_size(length: int) -> int:
    """Bytes in UTF-8 of the padded wrapper of a store of ``length`` bytes."""
    return len(_MARK) + 4 * (_HEADER + length) + 6


def padded(manifest: bytes) -> bytes:
    """The wrapper of a manifest, `target_size` bytes long."""
    body = encode(_HEAD + len(manifest).to_bytes(4, "big") + manifest)
    gap = target_size(len(manifest)) - len(_MARK) - len(body)
    return _MARK + body + encode(bytes((gap - 4 * (gap % 3)) // 3) + b"\x10" * (gap % 3))


class Selectors:
    """The form A.8."""

    name = "A.8"
    normalised = True

    def place(self, data: bytes) -> Place:
        """At the end."""
        return Place(data, b"")

    def wrap(self, manifest: bytes, place: Place) -> bytes:
        """The padded wrapper."""
        return padded(manifest)

    def find(self, data: bytes) -> Found | Damage | None:
        """The one whole wrapper; others that are not whole count as text, so nobody can spoil it by adding one."""
        whole: list[Found] = []
        damage: Damage | None = None
        position = tried = 0
        while (position := data.find(_MAGIC, position)) >= 0:
            tried += 1
            if tried > _MAX_CANDIDATES:
                return Damage(MULTIPLE, "more C2PA wrappers stand in the text than anybody needs.")
            found, position = self._read(data, position)
            if isinstance(found, Found):
                whole.append(found)
            else:
                damage = damage or found
        if len(whole) > 1:
            return Damage(
                MULTIPLE, "several C2PA wrappers stand in the text: which one is meant is not known."
            )
        if whole:
            return whole[0]
        if damage is None and data.find(_TRACE) >= 0:
            return Damage(CORRUPTED, "the C2PA wrapper is corrupted: its beginning is lost.")
        if damage is None and any(data.find(p) >= 0 and remains.search(data) for p, remains in _REMAINS):
            what = f"more than {_LONG_RUN} variation selectors in a row stand in the text"
            return Damage(CORRUPTED, f"{what}: the rest of a C2PA wrapper, or something else that is hidden.")
        return damage

    def _read(self, data: bytes, magic: int) -> tuple[Found | Damage, int]:
        """What begins at a magic number, and where to go on."""
        run = _RUN.match(data, magic)
        assert run is not None
        end = run.end()
        start = magic - len(_MARK)
        if start < 0 or data[start:magic] != _MARK:
            return Damage(CORRUPTED, "the C2PA wrapper is damaged: its marker, U+FEFF, is lost."), end
        header = decode(_first(data[magic:end], _HEADER))
        if len(header) < _HEADER:
            return Damage(CORRUPTED, "the C2PA wrapper is truncated within its header."), end
        if header[: len(_HEAD)] != _HEAD:
            return Damage(CORRUPTED, f"the C2PA wrapper has the unknown version {header[8]}."), end
        length = int.from_bytes(header[9:], "big")
        if length > MAX_STORE:
            return Damage(CORRUPTED, f"the C2PA wrapper announces more than {MAX_STORE >> 20} MB."), end
        if end - magic > 4 * (_HEADER + length) + (1 << 16):
            return Damage(CORRUPTED, "the C2PA wrapper has far more padding than it needs."), end
        content = decode(data[magic:end])[_HEADER:]
        if len(content) < length:
            detail = f"{len(content)} of {length} bytes are there"
            return Damage(CORRUPTED, f"the C2PA wrapper is truncated or interrupted: {detail}."), end
        manifest = content[:length]
        if not is_store(manifest):
            return Damage(CORRUPTED, "the C2PA wrapper is corrupted: it holds no C2PA manifest store."), end
        clean = _PADDING.fullmatch(content[length:])
        found = Found(
            form=self.name,
            manifest=manifest,
            data=data,
            start=start,
            end=end,
            normalised=True,
            odd="" if clean else "its padding carries other data",
        )
        return found, end


def _first(run: bytes, count: int) -> bytes:
    """The first selectors of a run."""
    return run[: 4 * count].decode("utf-8", "ignore")[:count].encode()
