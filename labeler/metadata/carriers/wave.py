"""WAVE: the label as JSON in a RIFF chunk ``AIGC`` (TC260-PG-202510A), XMP in ``_PMX``.

Odd labels are looked for in ``LIST`` ``INFO`` and in an ID3 tag chunk. Sources: XMP specification part 3
(``_PMX``), Microsoft RIFF (INFO list).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from labeler.media.containers import iff, wave
from labeler.media.containers.riff import Chunk
from labeler.metadata.carriers import id3
from labeler.metadata.carriers.base import MAX_PACKETS, New, Slots, Text, decode, is_label, mixed, whole_label

__all__ = ["PLACE", "read", "write"]

PLACE = "wav-chunk"
"""The guide's place: RIFF chunk ``AIGC``."""

_ID3 = frozenset({b"id3 ", b"ID3 "})


def read(source: BinaryIO) -> Slots:
    """The slots of a WAVE file; the sound is not read.

    Raises:
        DamagedMedia: if its chunks cannot be walked.
        LimitExceeded: if a chunk that has to be read is absurdly large.
    """
    packets: list[bytes] = []
    texts: list[Text] = []
    for chunk in wave.walk(source).chunks:
        if chunk.kind == b"_PMX":
            packets.append(iff.payload(source, chunk))
        elif chunk.kind == b"AIGC":
            texts.append(Text(PLACE, decode(iff.payload(source, chunk)).strip("\0"), True))
        elif chunk.kind == b"LIST":
            for kind, text in _info(iff.payload(source, chunk)):
                if kind == b"AIGC" or is_label(decode(text)):
                    texts.append(Text("wav-info", decode(text).strip("\0"), kind == b"AIGC"))
        elif chunk.kind in _ID3:
            texts += id3.texts_in(iff.payload(source, chunk), "wav-id3")
    return Slots(packets=tuple(packets[:MAX_PACKETS]), texts=tuple(texts))


def write(source: BinaryIO, target: BinaryIO, new: New) -> tuple[str, ...]:
    """The file with the label in its chunk, XMP replaced, and other labels taken out.

    New chunks stand before ``data``, where a reader that never seeks finds them.

    Raises:
        DamagedMedia: if the chunks cannot be walked.
        LimitExceeded: if a chunk that has to be read is absurdly large.
    """
    file = wave.walk(source)
    queue = list(new.packets)
    label: list[bytes] = [new.text.encode()]

    def change(chunk: Chunk) -> bytes | Chunk | None:
        if chunk.kind == b"AIGC":
            return label.pop() if label else None
        if chunk.kind == b"_PMX" and queue:
            return queue.pop(0)
        if chunk.kind == b"LIST":
            return _without_labels(iff.payload(source, chunk))
        if chunk.kind in _ID3:
            old = iff.payload(source, chunk)
            return id3.without_labels(old)
        return chunk

    # what is there already is replaced where it stands, and only what is missing is added
    there = {chunk.kind for chunk in file.chunks}
    added = [] if b"AIGC" in there else [(b"AIGC", label.pop())]
    added += [] if b"_PMX" in there else [(b"_PMX", packet) for packet in queue[:1]]
    wave.rewrite(source, target, file, change, added)
    return mixed(read(source).texts)


def _info(payload: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The texts of an INFO list; nothing of any other list."""
    if payload[:4] != b"INFO":
        return
    position = 4
    while position + 8 <= len(payload):
        size = int.from_bytes(payload[position + 4 : position + 8], "little")
        if position + 8 + size > len(payload):
            return
        yield payload[position : position + 4], payload[position + 8 : position + 8 + size]
        position += 8 + size + (size & 1)


def _without_labels(payload: bytes) -> bytes | None:
    """A list without labels, None if nothing is left of it."""
    items = list(_info(payload))
    kept = [(kind, text) for kind, text in items if kind != b"AIGC" and not whole_label(decode(text))]
    if len(kept) == len(items):
        return payload
    parts = [kind + len(text).to_bytes(4, "little") + text + b"\0" * (len(text) & 1) for kind, text in kept]
    return b"INFO" + b"".join(parts) if parts else None
