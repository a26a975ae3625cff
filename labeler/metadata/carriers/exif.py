"""Labels in EXIF texts (ImageDescription, UserComment, XPComment), where some producers put them.

EXIF is never laid out anew: an old label is overwritten with spaces of the same length, so that no
offset changes (maker notes depend on theirs).

Source: CIPA DC-008-2019 4.6.4 (ImageDescription), 4.6.5 (UserComment and its character codes).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from labeler.errors import DamagedMedia
from labeler.media.containers import tiff
from labeler.metadata import aigc
from labeler.metadata.carriers.base import Text

__all__ = ["blank", "texts"]

_DESCRIPTION, _XP_COMMENT, _EXIF_IFD, _USER_COMMENT = 0x010E, 0x9C9C, 0x8769, 0x9286
_CODES = {b"ASCII\0\0\0": "utf-8", b"\0" * 8: "utf-8", b"JIS\0\0\0\0\0": "iso2022_jp"}


@dataclass(frozen=True, slots=True)
class _Place:
    offset: int
    text: str
    codec: str


def texts(data: bytes) -> tuple[Text, ...]:
    """The texts that mention AIGC or look like JSON.

    Args:
        data: EXIF from its TIFF header on, or a whole TIFF file.
    """
    return tuple(Text("exif", place.text) for place in _places(data))


def blank(data: bytes, *, base: int = 0) -> list[tuple[int, bytes]]:
    """Overwrites that take every label out: offset (plus ``base``) and spaces of the same length."""
    result: list[tuple[int, bytes]] = []
    taken = 0
    for place in sorted(_places(data), key=lambda place: place.offset):
        parsed = aigc.parse_label(place.text)
        if parsed is None:
            continue
        start = len(place.text[: parsed.start].encode(place.codec))
        size = len(place.text[parsed.start : parsed.end].encode(place.codec))
        spaces = " ".encode(place.codec)
        at = place.offset + start
        if at >= taken:  # two tags may share one value
            result.append((base + at, spaces * (size // len(spaces))))
            taken = at + size
    return result


def _places(data: bytes) -> Iterator[_Place]:
    try:
        head = tiff.header(data)
        first = tiff.ifd(data, head, head.first)
    except DamagedMedia:
        return
    found = [tiff.find(first, _DESCRIPTION), tiff.find(first, _XP_COMMENT)]
    pointer = tiff.find(first, _EXIF_IFD)
    if pointer is not None and len(raw := pointer.value(data)) in (4, 8):
        offset = int.from_bytes(raw, "little" if head.endian == "<" else "big")
        with contextlib.suppress(DamagedMedia):
            found.append(tiff.find(tiff.ifd(data, head, offset), _USER_COMMENT))
    for entry in found:
        if entry is None or not entry.inside or not 2 <= entry.size <= aigc.MAX_LABEL:
            continue
        place = _decode(entry, entry.value(data), head.endian)
        if place is not None and ("AIGC" in place.text or "Label" in place.text):
            yield place


def _decode(entry: tiff.Entry, raw: bytes, endian: str) -> _Place | None:
    native = "utf-16-le" if endian == "<" else "utf-16-be"
    other = "utf-16-be" if endian == "<" else "utf-16-le"
    if entry.tag == _XP_COMMENT:
        return _strict(entry.offset, raw, ("utf-16-le",))
    if entry.tag != _USER_COMMENT:
        return _strict(entry.offset, raw, ("utf-8", "latin-1"))
    if raw[:8] == b"UNICODE\0":
        for codec in (native, other):
            place = _strict(entry.offset + 8, raw[8:], (codec,))
            if place is not None and "{" in place.text:
                return place
        return _strict(entry.offset + 8, raw[8:], ("utf-8",))
    if raw[:8] in _CODES:
        return _strict(entry.offset + 8, raw[8:], (_CODES[raw[:8]], "utf-8", "latin-1"))
    return _strict(entry.offset, raw, ("utf-8", "latin-1"))


def _strict(offset: int, raw: bytes, codecs: tuple[str, ...]) -> _Place | None:
    """Decode with the first codec that maps back to the same bytes, so that places can be counted."""
    for codec in codecs:
        if codec.startswith("utf-16"):
            raw = raw[: len(raw) // 2 * 2]
        try:
            text = raw.decode(codec)
        except UnicodeDecodeError:
            continue
        if text.encode(codec) == raw:
            return _Place(offset, text, codec)
    return None
