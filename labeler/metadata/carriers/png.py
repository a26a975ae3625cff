"""PNG: XMP in an iTXt chunk (TC260-PG-20259A; XMP part 3, 1.1.5), odd labels in text chunks and eXIf."""

from __future__ import annotations

from collections.abc import Sequence

from labeler.media.containers import png
from labeler.media.containers.splice import Edit, splice
from labeler.metadata import aigc
from labeler.metadata.carriers import exif
from labeler.metadata.carriers.base import MAX_PACKETS, Slots, Text, decode, is_label, whole_label

__all__ = ["read", "write"]

_MAX_XMP = 16 << 20
_MAX_TEXT = 1 << 18
_MAX_INFLATED = 32 << 20
_RAW_PROFILE = b"Raw profile type xmp"


def read(data: bytes) -> Slots:
    """The slots of a PNG or APNG file.

    Raises:
        DamagedMedia: if its chunks cannot be walked.
    """
    packets: list[bytes] = []
    readonly: list[bytes] = []
    texts: list[Text] = []
    has_exif = False
    budget = [_MAX_INFLATED]
    for chunk in png.walk(data):
        if chunk.kind == b"eXIf":
            has_exif = True
            texts += exif.texts(_tiff(chunk.payload(data)))
            continue
        text = _text(data, chunk, budget)
        if text is None:
            continue
        if text.keyword == png.XMP_KEYWORD:
            packets.append(text.text)
        elif text.keyword == _RAW_PROFILE:
            readonly.append(_raw_profile(text.text))
        elif (odd := _odd(text)) is not None:
            texts.append(odd)
    return Slots(
        packets=tuple(packets[:MAX_PACKETS]), readonly=tuple(readonly), texts=tuple(texts), has_exif=has_exif
    )


def write(data: bytes, packets: Sequence[bytes]) -> tuple[bytes, tuple[str, ...]]:
    """The file with its XMP packets replaced (or a first one put in) and odd labels taken out.

    Args:
        data: a PNG file; IHDR, PLTE, IDAT and frame chunks are not touched.
        packets: as many as ``read`` gave, or one if there were none.

    Returns:
        The new file, and the places whose label could not be taken out without harm to other data.

    Raises:
        DamagedMedia: if the chunks cannot be walked.
    """
    edits: list[Edit] = []
    left: list[str] = []
    queue = iter(packets)
    had_packet = False
    slot = 0
    budget = [_MAX_INFLATED]
    for chunk in png.walk(data):
        if chunk.kind in (b"IDAT", b"fcTL") and not slot:
            slot = chunk.start
        if chunk.kind == b"eXIf":
            payload = chunk.payload(data)
            body = _tiff(payload)
            found = exif.blank(body, base=len(payload) - len(body))
            if found:
                changed = splice(payload, [Edit(at, at + len(new), new) for at, new in found])
                edits.append(Edit(chunk.start, chunk.end, png.encode(chunk.kind, changed)))
            continue
        text = _text(data, chunk, budget)
        if text is None:
            continue
        if text.keyword == png.XMP_KEYWORD:
            had_packet = True
            packet = next(queue, text.text)
            if packet != text.text:
                edits.append(Edit(chunk.start, chunk.end, png.encode_itxt(png.XMP_KEYWORD, packet)))
        elif (odd := _odd(text)) is not None and is_label(odd.text):
            if whole_label(odd.text):
                edits.append(Edit(chunk.start, chunk.end, b""))
            else:
                left.append(odd.place)
        if not slot and chunk.kind == b"IEND":
            slot = chunk.start
    if not had_packet:
        slot = slot or png.walk(data)[-1].start
        edits.append(Edit(slot, slot, png.encode_itxt(png.XMP_KEYWORD, packets[0])))
    return splice(data, edits), tuple(left)


def _text(data: bytes, chunk: png.Chunk, budget: list[int]) -> png.Text | None:
    """A text chunk; compressed ones are inflated within a budget for the whole file."""
    if chunk.kind not in (b"tEXt", b"zTXt", b"iTXt"):
        return None
    keyword = data[chunk.body : chunk.body + 80].partition(b"\0")[0]
    limit = _MAX_XMP if keyword in (png.XMP_KEYWORD, _RAW_PROFILE) else _MAX_TEXT
    limit = max(0, min(limit, budget[0]))
    text = png.read_text(data, chunk, limit=limit)
    if text is None:
        budget[0] -= limit
    elif text.compressed:
        budget[0] -= len(text.text)
    return text


def _odd(text: png.Text) -> Text | None:
    named = b"AIGC" in text.keyword.upper()
    if len(text.text) > aigc.MAX_LABEL or not (named or b"AIGC" in text.text):
        return None
    return Text("png-text", decode(text.text), named)


def _tiff(payload: bytes) -> bytes:
    return payload.removeprefix(b"Exif\0\0")


def _raw_profile(text: bytes) -> bytes:
    """ImageMagick's hexadecimal profile: name, length, digits."""
    parts = text.strip().split(b"\n", 2)
    digits = b"".join(parts[2].split()) if len(parts) == 3 else b""
    try:
        return bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        return b""
