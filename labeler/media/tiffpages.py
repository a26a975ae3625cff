"""TIFF files put together from encoded pages, each with the descriptive tags of the page it replaces.

Encoders write what codes the pixels and know only some of the rest. Here the coding tags and the picture
data come from the encoder, and every other tag (text, resolution, ICC, XMP, IPTC, EXIF, GPS, private ones)
comes from the source, byte by byte apart from the byte order.

Sources: TIFF 6.0; Adobe Photoshop TIFF Technical Notes; CIPA DC-008 (EXIF); C2PA 2.2 A.3.4 (tag 52545).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from labeler.errors import DamagedMedia, LimitExceeded
from labeler.media.containers import tiff

__all__ = ["assemble"]

_STRIP_OFFSETS, _STRIP_SIZES, _TILE_OFFSETS, _TILE_SIZES = 273, 279, 324, 325
_PHOTOMETRIC, _ICC, _LAYERS, _MAKER_NOTE = 262, 34675, 37724, 37500
_CODING = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281, 284}
    | {292, 293, 317, 320, 321, 322, 323, 324, 325, 332, 334, 338, 339, 340, 341, 347}
    | {512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532}
)
"""Tags that say how the pixels are stored; they come from the encoder."""
_FOLDERS = frozenset({34665, 34853, 40965})
"""EXIF, GPS and interoperability directories; their value is an offset that must be set anew."""
_GONE = {
    288: "",
    289: "",
    290: "the grey response curve (tag 290)",
    291: "the grey response curve (tag 291)",
    301: "the transfer function (tag 301)",
    330: "reduced pictures and other directories within a page (tag 330)",
    52545: "",  # the C2PA manifest, which no longer fits
}
"""Tags that are meaningless with new pixels, and how to call what is lost."""
_WIDTH = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 4,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 4,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
"""Bytes that are swapped together, by field type."""
_LONG, _LONG8, _IFD = 4, 16, 13


@dataclass(frozen=True, slots=True)
class _Field:
    """One tag with its value in little-endian bytes; ``folder`` in place of a value for a directory."""

    tag: int
    kind: int
    count: int
    value: bytes = b""
    folder: tuple[_Field, ...] | None = None


def assemble(source: bytes, pages: Sequence[bytes]) -> tuple[bytes, tuple[str, ...]]:
    """One TIFF file of ``pages``, BigTIFF if the source is.

    Args:
        source: the file whose pages were decoded.
        pages: TIFF files of one page each, in the order of the source's pages, little-endian.

    Returns:
        The file, and what could not be kept, one sentence each.

    Raises:
        DamagedMedia: the source's directories cannot be read.
        LimitExceeded: a classic TIFF would pass 4 GiB.
    """
    head = tiff.header(source)
    old = list(tiff.ifds(source, head))
    notes: dict[str, None] = {}
    out = bytearray(
        struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0) if head.big else struct.pack("<2sHI", b"II", 42, 0)
    )
    link = 8 if head.big else 4
    for number, page in enumerate(pages):
        fresh = tiff.header(page)
        if fresh.endian != "<":
            raise ValueError("encoded TIFF pages must be little-endian")
        coding = tiff.ifd(page, fresh, fresh.first)
        fields = list(_coding(out, page, coding, big=head.big))
        if number < len(old):
            photometric = tiff.find(coding, _PHOTOMETRIC)
            colour = int.from_bytes(photometric.value(page), "little") if photometric else 1
            fields += _descriptive(source, head, old[number], colour, notes)
        at, follow = _write_directory(out, sorted(fields, key=lambda field: field.tag), big=head.big)
        struct.pack_into("<Q" if head.big else "<I", out, link, at)
        link = follow
    return bytes(out), tuple(notes)


def _coding(out: bytearray, page: bytes, directory: tiff.Ifd, *, big: bool) -> Iterator[_Field]:
    """Copy the picture data of an encoded page to the end of ``out``; its coding tags."""
    for offsets_tag, sizes_tag in ((_STRIP_OFFSETS, _STRIP_SIZES), (_TILE_OFFSETS, _TILE_SIZES)):
        offsets, sizes = tiff.find(directory, offsets_tag), tiff.find(directory, sizes_tag)
        if offsets is None or sizes is None:
            continue
        moved = []
        for start, size in zip(_numbers(page, offsets), _numbers(page, sizes), strict=True):
            out.extend(bytes(len(out) & 1))
            moved.append(len(out))
            out.extend(page[start : start + size])
        _check_size(out, big=big)
        value = struct.pack(f"<{len(moved)}{'Q' if big else 'I'}", *moved)
        yield _Field(offsets_tag, _LONG8 if big else _LONG, len(moved), value)
    for entry in directory.entries:
        if entry.tag in _CODING and entry.tag not in (_STRIP_OFFSETS, _TILE_OFFSETS):
            yield _Field(entry.tag, entry.kind, entry.count, entry.value(page))


def _numbers(data: bytes, entry: tiff.Entry) -> list[int]:
    form = {3: "H", 4: "I", _LONG8: "Q"}[entry.kind]
    return list(struct.unpack(f"<{entry.count}{form}", entry.value(data)))


def _descriptive(
    source: bytes, head: tiff.Header, directory: tiff.Ifd, colour: int, notes: dict[str, None]
) -> Iterator[_Field]:
    for entry in directory.entries:
        if entry.tag in _CODING:
            continue
        if entry.tag in _GONE or entry.kind == _IFD:
            what = _GONE.get(entry.tag, f"the directory of tag {entry.tag}")
            if what:
                notes[f"{what} cannot be kept with new pixels."] = None
        elif entry.tag == _ICC and not _icc_fits(entry.value(source), colour):
            notes["the ICC profile is for another number of channels and is not kept."] = None
        else:
            if entry.tag == _LAYERS:
                notes["the Photoshop layers are kept and show the picture as it was before."] = None
            field = _copied(source, head, entry, notes, depth=0)
            if field is None:
                notes[f"the damaged tag {entry.tag} is not kept."] = None
            else:
                yield field


def _icc_fits(profile: bytes, colour: int) -> bool:
    """False if the ICC header (ICC.1 7.2.6) names another kind of colour than the photometric interpretation."""
    expected = {b"GRAY": (0, 1), b"RGB ": (2, 3, 6), b"CMYK": (5,)}.get(profile[16:20])
    return expected is None or colour in expected


def _copied(
    source: bytes, head: tiff.Header, entry: tiff.Entry, notes: dict[str, None], *, depth: int
) -> _Field | None:
    """The field in little-endian bytes, or None if it is damaged."""
    width = _WIDTH.get(entry.kind)
    if width is None or not entry.inside:
        return None
    raw = entry.value(source)
    if width > 1 and head.endian == ">":
        raw = np.frombuffer(raw, f">u{width}").astype(f"<u{width}").tobytes()
    if entry.tag not in _FOLDERS:
        if entry.tag == _MAKER_NOTE and depth:
            notes[
                "the camera's private notes (MakerNote) are kept but moved; not every program finds its way."
            ] = None
        return _Field(entry.tag, entry.kind, entry.count, raw)
    if depth > 2 or width not in (4, 8) or entry.count != 1:
        return None
    try:
        inner = tiff.ifd(source, head, int.from_bytes(raw, "little"))
    except DamagedMedia:
        return None
    fields = [_copied(source, head, each, notes, depth=depth + 1) for each in inner.entries]
    kept = {field.tag: field for field in fields if field is not None}
    return _Field(entry.tag, entry.kind, 1, folder=tuple(kept[tag] for tag in sorted(kept)))


def _write_directory(out: bytearray, fields: Sequence[_Field], *, big: bool) -> tuple[int, int]:
    """Append the values, then the directory; its offset, and where the offset of the next one stands."""
    inline, number = (8, "<Q") if big else (4, "<I")
    entries = bytearray()
    for field in fields:
        kind, value = field.kind, field.value
        if field.folder is not None:
            at, _ = _write_directory(out, field.folder, big=big)
            kind = _LONG8 if kind == _LONG8 else _LONG
            value = struct.pack("<Q" if kind == _LONG8 else "<I", at)
        entries += struct.pack("<HHQ" if big else "<HHI", field.tag, kind, field.count)
        if len(value) <= inline:
            entries += value.ljust(inline, b"\0")
        else:
            out.extend(bytes(len(out) & 1))
            entries += struct.pack(number, len(out))
            out.extend(value)
    out.extend(bytes(-len(out) % 8))
    at = len(out)
    out += struct.pack("<Q" if big else "<H", len(fields)) + entries
    follow = len(out)
    out += struct.pack(number, 0)
    _check_size(out, big=big)
    return at, follow


def _check_size(out: bytearray, *, big: bool) -> None:
    if not big and len(out) >= 1 << 32:
        raise LimitExceeded("a classic TIFF file cannot be larger than 4 GiB.")
