"""Replacing byte ranges of an immutable buffer, and saying where an old position went.

Every container module describes its surgery as a list of edits against the *source* offsets, so
that nothing has to be recomputed while the list is built and the untouched ranges are copied once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from labeler.errors import DamagedMedia

__all__ = ["Edit", "Shift", "splice"]


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace ``data[start:end]`` by ``new``; ``start == end`` inserts.

    Attributes:
        start: first byte replaced.
        end: first byte kept.
        new: what stands there afterwards.
    """

    start: int
    end: int
    new: bytes


def splice(data: bytes, edits: Iterable[Edit]) -> bytes:
    """Apply edits; insertions at one place keep the order in which they were given.

    Raises:
        DamagedMedia: if two edits overlap, as they do when structures of a file overlap.

    >>> splice(b"abcdef", [Edit(4, 5, b""), Edit(1, 1, b"-"), Edit(1, 1, b"+")])
    b'a-+bcdf'
    """
    ordered = sorted(edits, key=lambda edit: (edit.start, edit.end))
    pieces: list[bytes | memoryview] = []
    view = memoryview(data)
    position = 0
    for edit in ordered:
        if edit.start < position or not edit.start <= edit.end <= len(data):
            raise DamagedMedia(f"structures of the file overlap at byte {edit.start}.")
        pieces.append(view[position : edit.start])
        pieces.append(edit.new)
        position = edit.end
    pieces.append(view[position:])
    return b"".join(pieces)


class Shift:
    """Where a position of the source stands after ``splice``.

    A position at which something was inserted moves behind the insertion; a position inside a
    replaced range moves to the end of the replacement.

    >>> Shift([Edit(2, 2, b"xy")])(2)
    4
    """

    __slots__ = ("_moves",)

    def __init__(self, edits: Iterable[Edit]) -> None:
        self._moves = tuple(
            (edit.end, len(edit.new) - (edit.end - edit.start))
            for edit in edits
            if len(edit.new) != edit.end - edit.start
        )

    def __call__(self, position: int) -> int:
        """The position in the result that belongs to ``position`` in the source."""
        return position + sum(delta for end, delta in self._moves if end <= position)
