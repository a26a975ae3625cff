"""Evidence of a clip: whitened frames, kept in a bounded number of slots along time.

A slot is the sum of the whitened frames of a stretch of time. When there are too many, neighbours are merged, so a
long clip costs no more memory than a short one and the slots stay evenly long.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["SLOTS_MAX", "Slot", "Timeline"]

Floats: TypeAlias = npt.NDArray[np.float32]

SLOTS_MAX = 120
"""Most slots kept, an even number; about 50 MB."""


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
    """The slots of a clip, in order of time; their planes lie in one array of bounded size."""

    def __init__(self) -> None:
        self.slots: list[Slot] = []
        self.frames = 0
        self._planes: Floats | None = None
        self._filled = 0
        self._each = 1

    def push(self, plane: Floats, time: float, *, cut: bool = False) -> None:
        """Add a whitened frame at ``time`` (s); ``cut``: it begins another scene."""
        if self._planes is None:
            self._planes = np.empty((SLOTS_MAX, *plane.shape), np.float32)
        if self._filled:
            slot = self.slots[-1]
            cv2.add(slot.plane, plane, dst=slot.plane)
            self.slots[-1] = replace(slot, last=time, cut=slot.cut or cut)
        else:
            place = self._planes[len(self.slots)]
            place[...] = plane
            self.slots.append(Slot(first=time, last=time, plane=place, cut=cut))
        self.frames += 1
        self._filled = (self._filled + 1) % self._each
        if len(self.slots) == SLOTS_MAX and not self._filled:
            self._halve()

    def _halve(self) -> None:
        """Add neighbours up."""
        assert self._planes is not None
        joined = []
        for place, one, two in zip(self._planes, self.slots[::2], self.slots[1::2], strict=False):
            np.add(one.plane, two.plane, out=place)
            joined.append(replace(one, last=two.last, plane=place, cut=one.cut or two.cut))
        self.slots = joined
        self._each *= 2
