"""The tags of an MP4 or MOV file, carried over to its new version byte for byte.

ffmpeg knows some of the boxes that tags stand in and writes those anew, dropping keys it has no place for. So the
boxes themselves are copied: ``moov.udta``, ``moov.meta`` (ISO/IEC 14496-12 8.10, 8.11; QuickTime File Format,
"User data", "Metadata") and the XMP packet in its ``uuid`` box (XMP specification part 3).
"""

from __future__ import annotations

from pathlib import Path

from labeler.media.containers import isobmff, mp4
from labeler.media.containers.splice import Edit
from labeler.media.containers.stream import read_at

__all__ = ["carry_over"]

_TAGS = frozenset({b"udta", b"meta"})


def carry_over(source: Path, target: Path) -> None:
    """Replace the tags of ``target`` by those of ``source``; a source without tags leaves the target as it is.

    Raises:
        DamagedMedia: one of them is not the MP4 or MOV file that it was.
        LimitExceeded: absurdly large tags.
        UnsupportedMedia: tags that point to places in the file.
    """
    with source.open("rb") as old:
        top = mp4.top_level(old)
        data, moov = mp4.header(old, top)
        tags = b"".join(data[b.start : b.end] for b in isobmff.children(data, moov) if b.kind in _TAGS)
        packets = b"".join(
            mp4.load(old, item)
            for item in top
            if item.kind == b"uuid" and read_at(old, item.body, 16) == mp4.XMP_UUID
        )
    if not tags and not packets:
        return
    part = target.with_name(f"{target.name}.tags")
    try:
        with target.open("rb") as new, part.open("xb") as out:
            top = mp4.top_level(new)
            data, moov = mp4.header(new, top)
            edits = [((moov,), Edit(moov.end, moov.end, tags))]
            if tags:
                kept = [b for b in isobmff.children(data, moov) if b.kind in _TAGS]
                edits += [((moov,), Edit(b.start, b.end, b"")) for b in kept]
            mp4.rewrite(new, out, top, mp4.apply(data, edits), behind=packets)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
