"""What happens to the geometry of videos: the hypotheses of the search.

A hypothesis is a matrix B as in :mod:`labeler.watermark.hypotheses`: line k of the mark stands at frequency
B k / 128 of the received working frame. Half turns are tested with each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labeler.watermark.motion.frames import STEPS

__all__ = ["Stage", "stages"]

Matrices: TypeAlias = npt.NDArray[np.float32]

_SCALE_MIN, _SCALE_MAX, _SCALE_STEP = 0.21, 2.1, 0.0085
"""From crops to about 0.4 of each side to a small picture on a large canvas (blurred fill, letterbox), all grains."""
_ASPECT_MAX, _ASPECT_STEP = 0.45, 0.010
_TURN_MAX, _TURN_STEP = np.radians(6.0), np.pi / 432
_TURN_SCALES = np.exp(np.arange(-0.16, 0.061, 0.012))
_MIRROR = np.diag([-1.0, 1.0])
_QUARTER = np.array([[0.0, -1.0], [1.0, 0.0]])


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A list of hypotheses.

    Attributes:
        name: as reported.
        matrices: (n, 2, 2) float32.
        rigid: whether only scale and shift vary.
        tries: how many candidates are read.
    """

    name: str
    matrices: Matrices
    rigid: bool
    tries: int


@lru_cache(maxsize=1)
def stages() -> tuple[Stage, ...]:
    """Lists of hypotheses, likeliest first."""
    upright, turned = (
        _with(_scales(), mirror=False, quarter=False),
        _with(_scales(), mirror=True, quarter=True),
    )
    return (
        Stage("crop or canvas", upright, rigid=True, tries=6),
        Stage("turned crop or canvas", turned[len(upright) :], rigid=True, tries=2),
        Stage("aspect", _grained(_with(_aspects(), mirror=True, quarter=True)), rigid=False, tries=3),
        Stage("rotation", _grained(_with(_turns(), mirror=True, quarter=False)), rigid=False, tries=3),
    )


def _with(matrices: npt.NDArray[np.float64], *, mirror: bool, quarter: bool) -> Matrices:
    result = matrices
    if mirror:
        result = np.concatenate([result, result @ _MIRROR])
    if quarter:
        result = np.concatenate([result, _QUARTER @ result])
    return np.asarray(result, np.float32)


def _grained(matrices: Matrices) -> Matrices:
    """The hypotheses for every grain."""
    return np.concatenate([matrices * np.float32(step) for step in STEPS])


def _scales() -> npt.NDArray[np.float64]:
    steps = np.exp(np.arange(np.log(_SCALE_MIN), np.log(_SCALE_MAX), _SCALE_STEP))
    return np.asarray(steps[:, None, None] * np.eye(2))


def _aspects() -> npt.NDArray[np.float64]:
    """Stretches along the axes that keep the area."""
    half = np.arange(_ASPECT_STEP, _ASPECT_MAX, _ASPECT_STEP) / 2
    stretch = np.concatenate([-half, half])
    matrices = np.zeros((len(stretch), 2, 2))
    matrices[:, 0, 0], matrices[:, 1, 1] = np.exp(stretch), np.exp(-stretch)
    return matrices


def _turns() -> npt.NDArray[np.float64]:
    """Small rotations, as they are or cropped and enlarged to hide the corners."""
    count = round(_TURN_MAX / _TURN_STEP)
    angle = np.arange(-count, count + 1) * _TURN_STEP
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
    return np.asarray((_TURN_SCALES[:, None, None, None] * turn).reshape(-1, 2, 2))
