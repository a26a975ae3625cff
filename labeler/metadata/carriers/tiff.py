"""TIFF: XMP in tag 700 (0x2BC) of IFD0, type UNDEFINED (TC260-PG-20259A), odd labels in IFD0 and EXIF texts."""

from __future__ import annotations

from collections.abc import Sequence

from labeler.media.containers import tiff
from labeler.media.containers.splice import Edit, splice
from labeler.metadata.carriers import exif
from labeler.metadata.carriers.base import Slots

__all__ = ["read", "write"]

_EXIF_IFD = 0x8769


def read(data: bytes) -> Slots:
    """The slots of a TIFF file: those of IFD0, which stands for the whole file.

    Raises:
        DamagedMedia: if IFD0 cannot be read.
    """
    head = tiff.header(data)
    first = tiff.ifd(data, head, head.first)
    entry = tiff.find(first, tiff.XMP_TAG)
    packet = entry.value(data) if entry is not None else b""
    return Slots(
        packets=(packet,) if packet.strip(b"\0 \t\r\n") else (),
        texts=exif.texts(data),
        has_exif=tiff.find(first, _EXIF_IFD) is not None,
    )


def write(data: bytes, packets: Sequence[bytes]) -> tuple[bytes, tuple[str, ...]]:
    """The file with the XMP packet of IFD0 replaced or put in, and odd labels overwritten with spaces.

    Args:
        data: a TIFF file; strips, tiles and further pages stay where they are.
        packets: one packet.

    Returns:
        The new file, and nothing left.

    Raises:
        DamagedMedia: if IFD0 cannot be read.
        LimitExceeded: if a classic TIFF would pass 4 GiB.
    """
    found = exif.blank(data)
    changed = splice(data, [Edit(at, at + len(new), new) for at, new in found]) if found else data
    return tiff.set_value(changed, tiff.XMP_TAG, packets[0]), ()
