"""JPEG: XMP in APP1 (TC260-PG-20259A; XMP part 3, 1.1.3), odd labels in APPn, COM and EXIF."""

from __future__ import annotations

from collections.abc import Sequence

from labeler.errors import DamagedMedia, LimitExceeded
from labeler.media.containers import jpeg
from labeler.media.containers.splice import Edit
from labeler.metadata import xmp
from labeler.metadata.carriers import exif
from labeler.metadata.carriers.base import MAX_PACKETS, Slots, Text, decode, is_label, whole_label

__all__ = ["read", "write"]

_MAX_EXTENDED = 64 << 20


def read(data: bytes) -> Slots:
    """The slots of a JPEG file.

    Raises:
        DamagedMedia: if its header cannot be walked.
    """
    layout = jpeg.walk(data)
    packets: list[bytes] = []
    texts: list[Text] = []
    has_exif = False
    for segment in layout.segments:
        if _is_xmp(data, segment):
            packets.append(data[segment.body + len(jpeg.XMP) : segment.end])
        elif segment.marker == jpeg.APP1 and segment.starts(data, jpeg.EXIF):
            has_exif = True
            texts += exif.texts(data[segment.body + len(jpeg.EXIF) : segment.end])
        elif (text := _odd(data, segment)) is not None:
            texts.append(text)
    extended = _extended(data, layout)
    return Slots(
        packets=tuple(packets[:MAX_PACKETS]), readonly=extended, texts=tuple(texts), has_exif=has_exif
    )


def write(data: bytes, packets: Sequence[bytes]) -> tuple[bytes, tuple[str, ...]]:
    """The file with its XMP packets replaced (or a first one put in) and odd labels taken out.

    Args:
        data: a JPEG file whose entropy-coded data is not touched.
        packets: as many as ``read`` gave, or one if there were none.

    Returns:
        The new file, and the places whose label could not be taken out without harm to other data.

    Raises:
        DamagedMedia: if the header cannot be walked, or the file has no end marker.
        LimitExceeded: if a packet does not fit in one APP1 segment.
    """
    layout = jpeg.walk(data)
    if data.rfind(b"\xff\xd9", layout.scan) < 0:
        raise DamagedMedia("the JPEG file is cut off: it has no end marker (FF D9).")
    edits: list[Edit] = []
    left: list[str] = []
    queue = iter(packets)
    had_packet = False
    for segment in layout.segments:
        if _is_xmp(data, segment):
            had_packet = True
            old = data[segment.body + len(jpeg.XMP) : segment.end]
            packet = next(queue, old)
            if packet != old:
                edits.append(Edit(segment.body - 4, segment.end, _segment(packet)))
        elif segment.marker == jpeg.APP1 and segment.starts(data, jpeg.EXIF):
            base = segment.body + len(jpeg.EXIF)
            found = exif.blank(data[base : segment.end], base=base)
            edits += [Edit(at, at + len(new), new) for at, new in found]
        elif (text := _odd(data, segment)) is not None and is_label(text.text):
            if text.named or whole_label(text.text):
                edits.append(Edit(segment.start, segment.end, b""))
            else:
                left.append(text.place)
    if not had_packet:
        slot = jpeg.metadata_slot(data, layout)
        edits.append(Edit(slot, slot, _segment(packets[0])))
    return jpeg.apply(data, layout, edits), tuple(left)


def _segment(packet: bytes) -> bytes:
    packet = xmp.shrink(packet, jpeg.MAX_XMP)
    if len(packet) > jpeg.MAX_XMP:
        raise LimitExceeded(
            f"the XMP packet has {len(packet)} bytes with the label; one JPEG segment holds {jpeg.MAX_XMP}.",
            remedy="Move bulky XMP properties (history, thumbnails) elsewhere, or use another format.",
        )
    return jpeg.encode(jpeg.APP1, jpeg.XMP + packet)


def _is_xmp(data: bytes, segment: jpeg.Segment) -> bool:
    return segment.marker == jpeg.APP1 and segment.starts(data, jpeg.XMP)


def _odd(data: bytes, segment: jpeg.Segment) -> Text | None:
    """An APPn or COM segment with AIGC in it that no standard claims for something else."""
    marker = segment.marker
    if marker != jpeg.COM and not (0xE0 <= marker <= 0xEF and marker not in (jpeg.APP0, jpeg.APP11)):
        return None
    if segment.starts(data, b"ICC_PROFILE\0") or segment.starts(data, jpeg.EXTENDED_XMP):
        return None
    if data.find(b"AIGC", segment.body, segment.end) < 0:
        return None
    place = "jpeg-comment" if marker == jpeg.COM else f"jpeg-app{marker - 0xE0}"
    text = decode(segment.payload(data))
    named = text.startswith("AIGC") and whole_label(text[4:].lstrip("\0"))
    return Text(place, text[4:].lstrip("\0:= ") if named and not is_label(text) else text, named)


def _extended(data: bytes, layout: jpeg.Layout) -> tuple[bytes, ...]:
    """ExtendedXMP portions put together by GUID (XMP part 3, 1.1.3.1); incomplete ones are left out."""
    head = len(jpeg.EXTENDED_XMP)
    parts: dict[bytes, tuple[int, dict[int, bytes]]] = {}
    total = 0
    for segment in layout.segments:
        if segment.marker != jpeg.APP1 or not segment.starts(data, jpeg.EXTENDED_XMP):
            continue
        payload = segment.payload(data)[head:]
        if len(payload) < 40:
            continue
        size, offset = int.from_bytes(payload[32:36], "big"), int.from_bytes(payload[36:40], "big")
        parts.setdefault(payload[:32], (size, {}))[1].setdefault(offset, payload[40:])
        total += len(payload)
        if total > _MAX_EXTENDED:
            return ()
    result: list[bytes] = []
    for size, pieces in parts.values():
        joined = b"".join(piece for _, piece in sorted(pieces.items()))
        if len(joined) == size:
            result.append(joined)
    return tuple(result)
