"""AVIF and HEIC: XMP as ``mime`` item (TC260-PG-20259A; ISO/IEC 23008-12 annex A.3), odd labels in Exif items."""

from __future__ import annotations

from collections.abc import Sequence

from labeler.errors import UnsupportedMedia
from labeler.media.containers import heif
from labeler.media.containers.splice import Edit, splice
from labeler.metadata.carriers import exif
from labeler.metadata.carriers.base import Slots, Text

__all__ = ["read", "write"]

_MAX_ITEMS = 8
_MAX_BYTES = 16 << 20


def read(data: bytes) -> Slots:
    """The slots of an AVIF or HEIC file.

    Raises:
        DamagedMedia: if its boxes cannot be walked.
    """
    try:
        meta = heif.read(data)
    except UnsupportedMedia:
        return Slots()
    packets = tuple(_joined(data, meta, item.id) for item in _xmp_items(meta))
    texts: list[Text] = []
    found = _exif_items(meta)
    for item in found:
        payload = _joined(data, meta, item.id)
        texts += exif.texts(payload[_tiff_start(payload) :])
    return Slots(packets=packets, texts=tuple(texts), has_exif=bool(found))


def write(data: bytes, packets: Sequence[bytes]) -> tuple[bytes, tuple[str, ...]]:
    """The file with its XMP items replaced (or a first one put in) and odd labels overwritten with spaces.

    Args:
        data: an AVIF or HEIC file; coded pictures and tracks are not touched.
        packets: as many as ``read`` gave, or one if there were none.

    Returns:
        The new file, and the places whose label could not be taken out.

    Raises:
        DamagedMedia: if the boxes cannot be walked.
        LimitExceeded: if there is no item id or offset left.
        UnsupportedMedia: if the file has absolute offsets that cannot be moved (fragments), or no items.
    """
    data, left = _blank(data)
    items = _xmp_items(heif.read(data))
    if not items:
        return heif.add_item(data, heif.read(data), packets[0]), left
    for item, packet in zip(items, packets, strict=True):
        meta = heif.read(data)
        if _joined(data, meta, item.id) != packet:
            data = heif.replace_item(data, meta, item.id, packet)
    return data, left


def _xmp_items(meta: heif.Meta) -> list[heif.Item]:
    """XMP items, those that describe the primary picture first."""
    found = [item for item in meta.items.values() if item.content_type.lower().startswith(heif.XMP_TYPE)]
    return sorted(found, key=lambda item: item.id not in meta.describes)[:_MAX_ITEMS]


def _exif_items(meta: heif.Meta) -> list[heif.Item]:
    return [item for item in meta.items.values() if item.kind == b"Exif"][:_MAX_ITEMS]


def _joined(data: bytes, meta: heif.Meta, number: int) -> bytes:
    """An item's data; nothing if there is absurdly much of it."""
    ranges = heif.item_ranges(data, meta, number)
    if sum(end - start for start, end in ranges) > _MAX_BYTES:
        return b""
    return b"".join(data[start:end] for start, end in ranges)


def _tiff_start(payload: bytes) -> int:
    """Offset of the TIFF header in an Exif item (ISO/IEC 23008-12 A.2.1: a 32-bit offset stands first)."""
    return 4 + int.from_bytes(payload[:4], "big")


def _blank(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    meta = heif.read(data)
    edits: list[Edit] = []
    left: list[str] = []
    for item in _exif_items(meta):
        ranges = heif.item_ranges(data, meta, item.id)
        if not ranges:
            continue
        payload = _joined(data, meta, item.id)
        start = _tiff_start(payload)
        found = exif.blank(payload[start:], base=ranges[0][0] + start)
        if len(ranges) == 1:
            edits += [Edit(at, at + len(new), new) for at, new in found]
        elif found:
            left.append("exif")
    return (splice(data, edits) if edits else data), tuple(left)
