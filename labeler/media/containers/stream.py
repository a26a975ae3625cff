"""Reading pieces of a large file, and copying it with some ranges replaced, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import BinaryIO

from labeler.errors import DamagedMedia
from labeler.media.containers.splice import Edit

__all__ = ["copy_edited", "copy_range", "file_size", "read_at"]

_CHUNK = 1 << 20


def file_size(source: BinaryIO) -> int:
    """Bytes in a seekable file."""
    return source.seek(0, os.SEEK_END)


def read_at(source: BinaryIO, position: int, size: int, *, exact: bool = False) -> bytes:
    """Up to ``size`` bytes from ``position``.

    Raises:
        DamagedMedia: with ``exact``, if there are fewer.
    """
    source.seek(position)
    data = source.read(size)
    if exact and len(data) != size:
        raise DamagedMedia(f"the file ends at byte {position + len(data)}, {size - len(data)} bytes early.")
    return data


def copy_range(source: BinaryIO, target: BinaryIO, start: int, end: int) -> None:
    """Copy bytes ``start`` to ``end`` in pieces of a megabyte.

    Raises:
        DamagedMedia: if the file is shorter.
    """
    source.seek(start)
    left = end - start
    while left > 0:
        piece = source.read(min(left, _CHUNK))
        if not piece:
            raise DamagedMedia(f"the file ends {left} bytes early.")
        target.write(piece)
        left -= len(piece)


def copy_edited(
    source: BinaryIO, target: BinaryIO, edits: Iterable[Edit], *, size: int | None = None
) -> None:
    """Copy a file with ranges replaced; insertions at one place keep the order in which they were given.

    Args:
        source: a seekable file.
        target: where the result goes.
        edits: against offsets of the source.
        size: bytes of the source; asked of the file if not given.

    Raises:
        DamagedMedia: if edits overlap, as they do when structures of a file overlap, or the file is short.
    """
    end = file_size(source) if size is None else size
    position = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start < position or not edit.start <= edit.end <= end:
            raise DamagedMedia(f"structures of the file overlap at byte {edit.start}.")
        copy_range(source, target, position, edit.start)
        target.write(edit.new)
        position = edit.end
    copy_range(source, target, position, end)
