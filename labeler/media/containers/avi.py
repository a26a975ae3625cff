"""AVI: its chunks, and changing those before the frames without touching a frame.

Growth is taken from a ``JUNK`` chunk before the frames if there is one; else the frames move, and the
absolute offsets of the indexes move with them: OpenDML super indexes (``indx``) and the bases of the indexes
that they name, and ``idx1`` where it counts from the beginning of the file.

Sources: Microsoft "AVI RIFF File Reference"; OpenDML AVI File Format Extensions 1.02, sections 2 and 3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from labeler.errors import DamagedMedia, LimitExceeded
from labeler.media.containers.splice import Edit, Shift
from labeler.media.containers.stream import copy_edited, file_size, read_at

__all__ = ["Chunk", "chunk", "load", "rewrite", "top_level"]

_MAX_CHUNKS = 500_000
_MAX_HEADER = 64 << 20
_MAX_INDEXES = 100_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk.

    Attributes:
        kind: FourCC.
        form: type of a ``RIFF`` or ``LIST``, else empty.
        start: offset of its FourCC.
        body: offset behind its header, and behind the type of a list.
        end: offset behind its data, padding excluded.
    """

    kind: bytes
    form: bytes
    start: int
    body: int
    end: int

    @property
    def next(self) -> int:
        """Offset behind its padding."""
        return self.end + (self.end - self.start & 1)


def top_level(source: BinaryIO) -> tuple[tuple[Chunk, tuple[Chunk, ...]], ...]:
    """The RIFF chunks of a file (``AVI``, then any ``AVIX``), each with the chunks in it.

    Raises:
        DamagedMedia: if it is no AVI file, or a chunk or the list of frames is cut off or missing.
        LimitExceeded: if there are absurdly many chunks.
    """
    size = file_size(source)
    found: list[tuple[Chunk, tuple[Chunk, ...]]] = []
    position = count = 0
    while position + 12 <= size:
        riff = _header(read_at(source, position, 12), 0, position, size)
        if riff.kind != b"RIFF" or (riff.form != b"AVIX" if found else riff.form != b"AVI "):
            if found:
                break  # what stands behind the last RIFF belongs to nobody
            raise DamagedMedia("not an AVI file.")
        found.append((riff, tuple(_inside(source, riff))))
        count += 1 + len(found[-1][1])
        if count > _MAX_CHUNKS:
            raise LimitExceeded(f"the AVI file has more than {_MAX_CHUNKS} chunks.")
        position = riff.next
    if not found or not any(item.form == b"movi" for item in found[0][1]):
        raise DamagedMedia("the AVI file has no list of frames: it is cut off.")
    return tuple(found)


def _inside(source: BinaryIO, riff: Chunk) -> Iterator[Chunk]:
    position = riff.body
    for _ in range(_MAX_CHUNKS):
        if position + 8 > riff.end:
            return
        item = _header(read_at(source, position, min(12, riff.end - position)), 0, position, riff.end)
        yield item
        position = item.next
    raise LimitExceeded(f"the AVI file has more than {_MAX_CHUNKS} chunks.")


def _header(raw: bytes, at: int, start: int, end: int) -> Chunk:
    """The chunk whose header begins at ``raw[at]``; a missing last padding byte is accepted."""
    kind, size = raw[at : at + 4], int.from_bytes(raw[at + 4 : at + 8], "little")
    is_list = kind in (b"RIFF", b"LIST") and size >= 4
    stop = start + 8 + size
    if stop > end:
        raise DamagedMedia(f"chunk {kind!r} at byte {start} reaches behind the end of what holds it.")
    form = raw[at + 8 : at + 12] if is_list else b""
    return Chunk(kind, form, start, start + (12 if is_list else 8), stop)


def load(source: BinaryIO, item: Chunk) -> bytes:
    """A whole chunk without padding.

    Raises:
        LimitExceeded: if it is absurdly large.
        DamagedMedia: if the file ends within it.
    """
    if item.end - item.start > _MAX_HEADER:
        raise LimitExceeded(f"the {item.kind!r} chunk has {item.end - item.start} bytes.")
    return read_at(source, item.start, item.end - item.start, exact=True)


def children(data: bytes, parent: Chunk | None = None) -> tuple[Chunk, ...]:
    """The chunks in a list, or, without ``parent``, in the list that ``data`` is.

    Raises:
        DamagedMedia: if one is cut off.
        LimitExceeded: if there are absurdly many.
    """
    item = parent or _header(data, 0, 0, len(data))
    found: list[Chunk] = []
    position = item.body
    while position + 8 <= item.end:
        child = _header(data, position, position, item.end)
        found.append(child)
        if len(found) > _MAX_CHUNKS:
            raise LimitExceeded(f"a list has more than {_MAX_CHUNKS} chunks.")
        position = child.next
    return tuple(found)


def chunk(kind: bytes, payload: bytes, *, form: bytes = b"") -> bytes:
    """A chunk, or a list of type ``form``, padded to an even size."""
    size = len(form) + len(payload)
    return kind + size.to_bytes(4, "little") + form + payload + b"\0" * (size & 1)


def rewrite(
    source: BinaryIO,
    target: BinaryIO,
    top: tuple[tuple[Chunk, tuple[Chunk, ...]], ...],
    edits: Iterable[Edit],
) -> None:
    """Write the file with chunks of the first RIFF replaced, removed or put in.

    Args:
        source: the file that ``top`` describes.
        target: where the result goes.
        top: its chunks.
        edits: of whole chunks with their padding, against offsets of the source.

    Raises:
        DamagedMedia: if chunks overlap.
        LimitExceeded: if the RIFF chunk would pass 4 GiB.
    """
    riff, items = top[0]
    changes = list(edits)
    movi = next(item for item in items if item.form == b"movi")
    before = [edit for edit in changes if edit.end <= movi.start]
    changes += _use_junk(items, movi, sum(len(edit.new) - (edit.end - edit.start) for edit in before), before)
    shift = Shift(changes)
    growth = sum(len(edit.new) - (edit.end - edit.start) for edit in changes)
    size = riff.end - riff.start - 8 + growth
    if size >= 1 << 32:
        raise LimitExceeded("an AVI file's first part cannot be larger than 4 GiB.")
    edited = {edit.start for edit in changes}
    if shift(movi.start) != movi.start:
        changes += [
            edit for item in items if item.kind == b"idx1" for edit in _old_index(source, item, movi, shift)
        ]
    if growth or shift(movi.start) != movi.start:
        for item in items:
            if item.form == b"hdrl" and item.start not in edited:
                changes += _indexes(source, item, shift)
    changes.append(Edit(riff.start + 4, riff.start + 8, size.to_bytes(4, "little")))
    copy_edited(source, target, changes)


def _use_junk(items: Iterable[Chunk], movi: Chunk, growth: int, taken: list[Edit]) -> list[Edit]:
    """Let a JUNK chunk before the frames take up the growth, so that no frame moves."""
    if not growth:
        return []
    for junk in items:
        if (
            junk.kind != b"JUNK"
            or junk.start >= movi.start
            or any(e.start == junk.start < e.end for e in taken)
        ):
            continue
        left = junk.next - junk.start - growth
        if left == 0:
            return [Edit(junk.start, junk.next, b"")]
        if 8 <= left < 1 << 31 and growth > 0:
            return [Edit(junk.start, junk.body + growth, b"JUNK" + (left - 8).to_bytes(4, "little"))]
        if left < 1 << 31 and growth < 0:
            header = b"JUNK" + (left - 8).to_bytes(4, "little")
            return [Edit(junk.start, junk.body, header + bytes(-growth))]
    return []


def _indexes(source: BinaryIO, header: Chunk, shift: Shift) -> list[Edit]:
    """OpenDML indexes of all streams: absolute offsets in ``indx``, and the bases of the indexes that it names."""
    data = load(source, header)
    edits: list[Edit] = []
    left = _MAX_INDEXES
    for stream in children(data):
        if stream.form != b"strl":
            continue
        for index in children(data, stream):
            if index.kind != b"indx" or index.end - index.body < 24:
                continue
            used = int.from_bytes(data[index.body + 4 : index.body + 8], "little")
            if data[index.body + 3] == 1:  # an index of chunks right here
                edits.append(_moved(data, index.body + 12, header.start, shift))
                continue
            used = min(used, (index.end - index.body - 24) // 16, left)
            left -= used
            for at in range(index.body + 24, index.body + 24 + 16 * used, 16):
                edits.append(_moved(data, at, header.start, shift))
                place = int.from_bytes(data[at : at + 8], "little")
                named = read_at(source, min(place, 1 << 62), 32)
                if len(named) == 32 and b"ix" in (named[:2], named[2:4]):
                    edits.append(_moved(named, 20, place, shift))
    return edits


def _moved(data: bytes, at: int, offset: int, shift: Shift) -> Edit:
    """The edit of a 64-bit offset at ``data[at]``, which stands ``offset`` further in the file."""
    new = shift(int.from_bytes(data[at : at + 8], "little")) & (1 << 64) - 1
    return Edit(offset + at, offset + at + 8, struct.pack("<Q", new))


def _old_index(source: BinaryIO, item: Chunk, movi: Chunk, shift: Shift) -> list[Edit]:
    """``idx1``, where it counts from the beginning of the file: told by its first entry, which names a chunk."""
    first = read_at(source, item.body, 16)
    if len(first) < 16 or item.end - item.body < 16:
        return []
    offset = int.from_bytes(first[8:12], "little")
    if offset < movi.start or read_at(source, offset, 4) != first[:4]:
        return []
    data = load(source, item)[8:]
    table = np.frombuffer(data[: len(data) // 16 * 16], "<u4").reshape(-1, 4).copy()
    delta = shift(movi.start) - movi.start
    if int(table[:, 2].max()) + delta >= 1 << 32:
        raise LimitExceeded("an index offset does not fit in 32 bits any more.")
    table[:, 2] += np.uint32(delta & 0xFFFFFFFF)
    return [Edit(item.body, item.body + table.nbytes, table.tobytes())]
