"""Evidence of a clip: whitened frames, kept in a bounded number of slots along time.

A slot is the sum of the whitened frames of a stretch of time. When there are too many, neighbours are merged, so a
long clip costs no more memory than a short one and the slots stay evenly long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["SLOTS_MAX", "Slot", "Timeline"]

Floats: TypeAlias = npt.NDArray[np.float32]

SLOTS_MAX = 120
"""Most slots kept; about 50 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A stretch of time.

    Attributes:
        first: time of its first frame, s.
        last: time of its last frame, s.
        plane: (h, w) float32, sum of its whitened half-resolution frames.
        cut: whether another scene begins with it.
    """

    first: float
    last: float
    plane: Floats
    cut: bool = False


class Timeline:
    """The slots of a clip, in order of time."""

    def __init__(self) -> None:
        self.slots: list[Slot] = []
        self.frames = 0
        self._open: Slot | None = None
        self._filled = 0
        self._each = 1

    def push(self, plane: Floats, time: float, *, cut: bool = False) -> None:
        """Add a whitened frame at ``time`` (s); ``cut``: it begins another scene."""
        new = Slot(first=time, last=time, plane=plane, cut=cut)
        self._open = new if self._open is None else _join(self._open, new)
        self._filled += 1
        self.frames += 1
        if self._filled >= self._each:
            self._close()

    def finish(self) -> list[Slot]:
        """All slots."""
        if self._open is not None:
            self._close()
        return self.slots

    def _close(self) -> None:
        if self._open is not None:
            self.slots.append(self._open)
        self._open, self._filled = None, 0
        if len(self.slots) >= SLOTS_MAX:
            pairs = [self.slots[i : i + 2] for i in range(0, len(self.slots), 2)]
            self.slots = [_join(pair[0], pair[1]) if len(pair) == 2 else pair[0] for pair in pairs]
            self._each *= 2


def _join(one: Slot, two: Slot) -> Slot:
    plane = np.asarray(cv2.add(one.plane, two.plane), np.float32)
    return Slot(first=one.first, last=two.last, plane=plane, cut=one.cut or two.cut)
