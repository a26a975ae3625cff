"""FLAC: the label as Vorbis comment ``AIGC=`` (TC260-PG-202510A), its IPTC fields as further comments."""

from __future__ import annotations

from typing import BinaryIO

from labeler.media.containers import comments, flac, id3
from labeler.media.containers.flac import Block
from labeler.metadata.carriers import id3 as id3_carrier
from labeler.metadata.carriers import vorbis
from labeler.metadata.carriers.base import New, Slots, Text, is_label, mixed

__all__ = ["PLACE", "read", "write"]

PLACE = vorbis.PLACE

_EMPTY = comments.build(comments.Comments(b"labeler", ()))


def read(source: BinaryIO) -> Slots:
    """The slots of a FLAC file; the frames are not read.

    Raises:
        DamagedMedia: if its metadata blocks cannot be walked.
    """
    file = flac.walk(source)
    texts: list[Text] = []
    properties: list[tuple[str, str]] = []
    for block in file.blocks:
        if block.kind == flac.COMMENT:
            data = flac.payload(source, block)
            texts += vorbis.texts(data)
            properties += vorbis.properties(data)
    texts += _in_front(source, file)
    return Slots(texts=tuple(texts), properties=tuple(properties))


def _in_front(source: BinaryIO, file: flac.Flac) -> list[Text]:
    """Labels in an ID3 tag in front, which is read and never written."""
    tag = id3.find(source) if file.start else None
    return [] if tag is None else id3_carrier.texts_of(tag, "flac-id3")


def write(source: BinaryIO, target: BinaryIO, new: New) -> tuple[str, ...]:
    """The file with the label in its comments and other labels taken out; frames byte by byte.

    Returns:
        Places whose label stays.

    Raises:
        DamagedMedia: if its metadata blocks cannot be walked.
        LimitExceeded: if the comments would not fit in 16 MiB.
    """
    file = flac.walk(source)
    lists = [block for block in file.blocks if block.kind == flac.COMMENT]

    def change(block: Block) -> bytes | Block | None:
        if block.kind != flac.COMMENT:
            return block
        return vorbis.changed(flac.payload(source, block), new if block == lists[0] else None)

    added = [] if lists else [(flac.COMMENT, vorbis.changed(_EMPTY, new))]
    flac.rewrite(source, target, file, change, added)
    front = tuple(text.place for text in _in_front(source, file) if is_label(text.text))
    return front + mixed(text for block in lists for text in vorbis.texts(flac.payload(source, block)))
