"""MP3: the label as ID3v2 ``TXXX`` with the description ``AIGC`` (TC260-PG-202510A), XMP in ``PRIV`` ``XMP``.

ADTS streams (``.aac``) have no place of their own; by the guide they take XMP, which stands in an ID3v2 tag in front,
as HTTP Live Streaming has it. In ID3v2.2, which has no private frames, XMP stands in a general object.
Odd labels are looked for in other text frames, comments and an APE tag. Source: XMP specification part 3 (MP3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from labeler.errors import DamagedMedia
from labeler.media.containers import id3
from labeler.media.containers.id3 import Frame, Tag
from labeler.media.containers.stream import copy_range, file_size, read_at
from labeler.metadata.carriers.base import MAX_PACKETS, New, Slots, Text, decode, is_label, mixed, whole_label

__all__ = ["PLACE", "AdtsCarrier", "read", "texts_in", "texts_of", "without_labels", "write"]

PLACE = "id3-txxx"
"""The guide's place: ``TXXX`` with the description ``AIGC``."""

_OWNER = b"XMP\0"
_OBJECT = b"\0application/rdf+xml\0\0XMP\0"
_NEW_VERSION = 4
_MAX_TAGS = 8
_MAX_APE = 1 << 20


def _tags(source: BinaryIO) -> list[Tag]:
    """The tags in front; a file that two programs tagged can have several."""
    found: list[Tag] = []
    position = 0
    size = file_size(source)
    while len(found) < _MAX_TAGS and (tag := id3.find(source, position)) is not None:
        position += tag.size
        if position > size:
            raise DamagedMedia("the ID3 tag is cut off.")
        found.append(tag)
    return found


def read(source: BinaryIO) -> Slots:
    """The slots of an MP3 file.

    Raises:
        DamagedMedia: if its ID3 tag is cut off.
        LimitExceeded: if it is absurdly large.
    """
    packets: list[bytes] = []
    texts: list[Text] = []
    for index, tag in enumerate(_tags(source)):
        packets += [packet for frame in tag.frames if (packet := _packet(frame)) is not None]
        texts += _texts(tag, PLACE if index == 0 else "id3-second", "id3-other")
    texts += _at_the_end(source)
    return Slots(packets=tuple(packets[:MAX_PACKETS]), texts=tuple(texts))


def _packet(frame: Frame) -> bytes | None:
    if frame.kind == "PRIV" and frame.body.startswith(_OWNER):
        return frame.body[len(_OWNER) :]
    if frame.kind in ("GEO", "GEOB") and frame.body.startswith(_OBJECT):
        return frame.body[len(_OBJECT) :]
    return None


def _texts(tag: Tag, place: str, other: str) -> list[Text]:
    """Labels in text frames: those named AIGC, and others that hold one."""
    found: list[Text] = []
    for frame in tag.frames:
        named = _is_named(frame)
        texts = id3.texts(frame)
        if texts is None:
            continue
        if named:
            found.append(Text(place, texts[1], True))
        elif "AIGC" in texts[0].upper() or is_label(texts[1]):
            found.append(Text(other, texts[1], "AIGC" in texts[0].upper()))
    return found


def _is_named(frame: Frame) -> bool:
    texts = id3.texts(frame)
    return frame.kind in ("TXXX", "TXX") and texts is not None and texts[0] == "AIGC"


def _is_label(frame: Frame) -> bool:
    texts = id3.texts(frame)
    return texts is not None and (texts[0].upper() == "AIGC" or whole_label(texts[1]))


def texts_of(tag: Tag, place: str) -> list[Text]:
    """Labels in a tag that stands where the format has another place for them."""
    return _texts(tag, place, place)


def texts_in(data: bytes, place: str) -> list[Text]:
    """Labels in a tag that stands in a chunk of another format."""
    tag = id3.parse(data)
    return [] if tag is None else texts_of(tag, place)


def without_labels(data: bytes) -> bytes | None:
    """Such a tag without labels; None if nothing is left of it."""
    tag = id3.parse(data)
    if tag is None or not any(_is_label(frame) for frame in tag.frames):
        return data
    kept = [frame for frame in tag.frames if not _is_label(frame)]
    return id3.build(tag.version, kept) if kept else None


def _at_the_end(source: BinaryIO) -> list[Text]:
    """Labels in tags behind the sound: those are read, and never written."""
    found: list[Text] = []
    for kind, start, end in id3.tail(source, file_size(source)):
        if kind == "ape" and end - start <= _MAX_APE:
            data = read_at(source, start, end - start)
            at = data.find(b"AIGC\0")
            if at >= 8:
                size = int.from_bytes(data[at - 8 : at - 4], "little")
                found.append(Text("ape", decode(data[at + 5 : at + 5 + size]), True))
        elif kind == "id3v2" and (tag := id3.find(source, start)) is not None:
            found += _texts(tag, "id3-end", "id3-end")
    return found


def write(source: BinaryIO, target: BinaryIO, new: New) -> tuple[str, ...]:
    """The file with the label in its frame, XMP replaced, and other labels taken out.

    A file without a tag gets one of version 2.4; the version of an existing tag stays.

    Returns:
        Places behind the sound whose label stays.

    Raises:
        DamagedMedia: if the ID3 tag is cut off.
        LimitExceeded: if it would be absurdly large.
    """
    return _write(source, target, new, label=True)


def _write(source: BinaryIO, target: BinaryIO, new: New, *, label: bool) -> tuple[str, ...]:
    tags = _tags(source) or [Tag(_NEW_VERSION, (), 0, 0)]
    queue = list(new.packets)
    for index, tag in enumerate(tags):
        fresh = id3.user_text(tag.version, "AIGC", new.text) if label and index == 0 else None
        frames = _changed(tag, fresh, queue, last=index == len(tags) - 1)
        same = b"".join(frame.raw for frame in frames) == b"".join(frame.raw for frame in tag.frames)
        padding = tag.padding if same else max(0, tag.padding - _growth(tag.frames, frames))
        target.write(id3.build(tag.version, frames, padding))
    copy_range(source, target, sum(tag.size for tag in tags), file_size(source))
    behind = tuple(text.place for text in _at_the_end(source) if is_label(text.text))
    return behind + mixed(text for tag in tags for text in texts_of(tag, "id3-other"))


def _growth(old: Sequence[Frame], new: Sequence[Frame]) -> int:
    return sum(len(frame.raw) for frame in new) - sum(len(frame.raw) for frame in old)


def _changed(tag: Tag, label: Frame | None, queue: list[bytes], *, last: bool) -> list[Frame]:
    """The frames of a tag with label and packets replaced where they stood, or put at the end."""
    frames: list[Frame] = []
    for frame in tag.frames:
        if _is_label(frame):
            if label is not None and _is_named(frame):
                frames.append(label)
                label = None
        elif queue and _packet(frame) is not None:
            frames.append(_xmp(tag.version, queue.pop(0)))
        else:
            frames.append(frame)
    frames += [label] if label is not None else []
    if last:
        frames += [_xmp(tag.version, packet) for packet in queue]
    return frames


def _xmp(version: int, packet: bytes) -> Frame:
    if version == 2:
        return id3.general_object(_OBJECT + packet)
    return id3.private(version, "XMP", packet)


class AdtsCarrier:
    """The carrier of ADTS streams: as MP3, but the label stands in XMP."""

    PLACE = "xmp"
    read = staticmethod(read)

    @staticmethod
    def write(source: BinaryIO, target: BinaryIO, new: New) -> tuple[str, ...]:
        """See ``write``."""
        return _write(source, target, new, label=False)
