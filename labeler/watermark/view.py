"""A picture as the watermark looks at it: reductions and analyses of it, each made once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from labeler.watermark.analysis import HostEnergy
from labeler.watermark.frame import Planes, exactly, frame_size, halved, planes_of
from labeler.watermark.reading import Reading, energies, of_energies

__all__ = ["Analysis", "View"]

Pixels: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What embedder and detector both need to know of a picture in one working frame.

    Attributes:
        planes: its planes.
        luma: high-pass luma and energies.
        chroma: the same of chroma, or None for a grey picture.
        reading: both whitened, with their lattice spectra.
    """

    planes: Planes
    luma: HostEnergy
    chroma: HostEnergy | None
    reading: Reading


class View:
    """A picture, looked at on white paper.

    Args:
        pixels: (H, W) or (H, W, 3) RGB, uint8 or uint16; not to be changed while the view is used.
        alpha: (H, W), same dtype; fully transparent pixels are seen as white.

    Attributes:
        pixels: as seen.
        stored: as given.
        alpha: as given.

    Raises:
        ValueError: the arrays are not as described.
    """

    def __init__(self, pixels: Pixels, alpha: Pixels | None = None) -> None:
        _check(pixels, alpha)
        self.stored, self.alpha = pixels, alpha
        self.pixels = _flatten(pixels, alpha)
        self._halves = [self.pixels]
        self._analyses: dict[int, Analysis] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, px."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def reduced(self, height: int, width: int) -> Pixels:
        """The same as :func:`~labeler.watermark.frame.reduce_to` of the pixels."""
        level = 0
        while self.size[0] >> level >= 2 * height and self.size[1] >> level >= 2 * width:
            level += 1
            if level == len(self._halves):
                self._halves.append(halved(self._halves[-1]))
        return exactly(self._halves[level], height, width)

    def frame(self, side: int) -> Pixels:
        """The picture in the working frame of that side."""
        return self.reduced(*frame_size(*self.size, side))

    def analysis(self, side: int) -> Analysis:
        """The analysis of the working frame of that side."""
        if side not in self._analyses:
            planes = planes_of(self.frame(side))
            luma, chroma = energies(planes)
            self._analyses[side] = Analysis(
                planes=planes, luma=luma, chroma=chroma, reading=of_energies(luma, chroma)
            )
        return self._analyses[side]


def _check(pixels: Pixels, alpha: Pixels | None) -> None:
    if pixels.dtype not in (np.uint8, np.uint16) or pixels.ndim not in (2, 3):
        raise ValueError(
            f"pixels must be (H, W) or (H, W, 3) of uint8 or uint16, not {pixels.dtype} {pixels.shape}"
        )
    if pixels.ndim == 3 and pixels.shape[2] != 3:
        raise ValueError(f"colour pixels must have 3 channels, not {pixels.shape[2]}")
    if alpha is not None and alpha.shape != pixels.shape[:2]:
        raise ValueError(f"alpha is {alpha.shape}, the picture {pixels.shape[:2]}")


def _flatten(pixels: Pixels, alpha: Pixels | None) -> Pixels:
    if alpha is None:
        return pixels
    flat = pixels.copy()
    flat[alpha == 0] = np.iinfo(pixels.dtype).max
    return flat
