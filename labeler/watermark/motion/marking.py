"""Put the mark of one clip onto its frames: a tile for the whole clip, an envelope renewed every few frames."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.watermark.analysis import spectrum, whiten
from labeler.watermark.code import Bits
from labeler.watermark.decoding import Evidence, observe
from labeler.watermark.embedding import answer_of, choose, plan_folded, render, soften
from labeler.watermark.layout import Layout
from labeler.watermark.message import candidates
from labeler.watermark.motion.frames import (
    HALF_TILE,
    Grain,
    half_shape,
    host_of,
    luma_half,
    whiten_frame,
    whiten_sum,
    working_shape,
)
from labeler.watermark.motion.mask import local_rms
from labeler.watermark.motion.views import by_time, sync_pattern

__all__ = ["REFRESH", "VideoMark", "make_tile", "plan_word"]

Floats: TypeAlias = npt.NDArray[np.float32]
Pixels: TypeAlias = npt.NDArray[Any]

REFRESH = 12
"""The envelope is renewed after so many frames, and at cuts."""
_TILE_STEPS, _MASK_STEPS = 32, 32  # steps for one unit in the bytes of tile and envelope
_CUT = 18.0  # mean change of a coarse sample of the frame, levels
_SAMPLE = 24  # px between samples


def plan_word(
    samples: Sequence[Floats], payload: bytes, layout: Layout, *, strength: float, flat: float
) -> tuple[Bits, Floats]:
    """The codeword that suits a clip best, and its tile.

    Args:
        samples: (h, w) half-resolution luma of frames spread over the clip.
        payload: 8 bytes.
        layout: the key's layout.
        strength: rms of the mark, grey levels.
        flat: cap in flat places, grey levels.

    Returns:
        Code bits (384,) and the tile (512, 512) float32 of the working frame, mean square one.
    """
    total = np.zeros_like(samples[0])
    answer = 0.0
    for luma in samples:
        host = host_of(luma)
        cv2.add(total, whiten(host, HALF_TILE), dst=total)
        answer += answer_of(host, local_rms(luma, None, strength=strength, flat=flat), tile=HALF_TILE)
    # The spectrum is normalised, so host and answer are compared as sums over the samples.
    plan = plan_folded(spectrum(total, HALF_TILE), answer, layout.luma, layout)
    word = choose([plan], candidates(payload, layout.key))
    symbols = soften([plan], word)
    return word, render(plan, word, symbols[0], layout)


def make_tile(
    tile: Floats, height: int, width: int, grain: Grain = "fine"
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """The tile over a whole frame of that size: what is to be added and what taken away, bytes."""
    rows, columns = working_shape(height, width, grain)
    side = len(tile)
    spread = np.tile(tile, (-(-rows // side), -(-columns // side)))[:rows, :columns]
    method = cv2.INTER_AREA if rows > height else cv2.INTER_CUBIC
    full = cv2.resize(spread, (width, height), interpolation=method) * np.float32(_TILE_STEPS)
    return cv2.convertScaleAbs(np.maximum(full, 0)), cv2.convertScaleAbs(np.minimum(full, 0))


class VideoMark:
    """The mark of one clip; see :func:`labeler.watermark.video.prepare`.

    Attributes:
        width: of the frames, px.
        height: of the frames, px.
        strength: rms over the frame before caps, grey levels of 8 bits.
        word: (384,) the code bits sent.
        grain: of the lattice.
    """

    def __init__(
        self,
        *,
        width: int,
        height: int,
        grain: Grain,
        layout: Layout,
        word: Bits,
        tile: Floats,
        strength: float,
        flat: float,
        bit_depth: int,
    ) -> None:
        self.width, self.height = width, height
        self.strength, self.word, self.grain = strength, word, grain
        self._layout, self._tile = layout, tile
        self._flat, self._bit_depth = flat, bit_depth
        self._plus, self._minus = make_tile(tile, height, width, grain)
        self._half = half_shape(height, width, grain)
        self._index: int | None = None
        self._made = 0
        self._before: tuple[int, Floats] | None = None
        self._coarse: Pixels | None = None
        self._up: Pixels = np.zeros(0, np.uint8)
        self._down: Pixels = self._up

    def apply(self, y: Pixels, index: int) -> None:
        """Mark one frame in place.

        Args:
            y: (H, W) luma, uint8 for 8 bits, uint16 for more; writable.
            index: number of the frame; frames come in order (a jump only costs a new envelope).
        """
        if y.shape != (self.height, self.width):
            raise ValueError(f"the frame is {y.shape}, not {(self.height, self.width)}")
        if y.dtype != (np.uint8 if self._bit_depth == 8 else np.uint16):
            raise ValueError(f"the frame is {y.dtype}, but has {self._bit_depth} bits")
        coarse = y[::_SAMPLE, ::_SAMPLE].astype(np.float32)
        stale = (
            self._index is None
            or index != self._index + 1
            or index - self._made >= REFRESH
            or self._is_cut(coarse)
        )
        if stale:
            self._renew(y, index)
        elif index + 1 - self._made >= REFRESH:
            self._before = (index, luma_half(y, self._half, self._bit_depth))
        self._index, self._coarse = index, coarse
        if self._bit_depth == 8:
            cv2.add(y, self._up, dst=y)
            cv2.subtract(y, self._down, dst=y)
        else:
            cv2.add(y, self._up, dst=y)
            np.minimum(y, np.uint16((1 << self._bit_depth) - 1), out=y)
            cv2.subtract(y, self._down, dst=y)

    def _is_cut(self, coarse: Pixels) -> bool:
        scale = 1 << (self._bit_depth - 8)
        return self._coarse is not None and float(np.abs(coarse - self._coarse).mean()) > _CUT * scale

    def _renew(self, y: Pixels, index: int) -> None:
        """A new envelope from this frame."""
        luma = luma_half(y, self._half, self._bit_depth)
        before = self._before[1] if self._before is not None and self._before[0] == index - 1 else None
        if before is not None and float(np.abs(luma - before).mean()) > _CUT:
            before = None
        rms = local_rms(luma, before, strength=self.strength, flat=self._flat)
        steps = cv2.convertScaleAbs(rms * np.float32(_MASK_STEPS))
        spread = cv2.resize(steps, (self.width, self.height), interpolation=cv2.INTER_LINEAR)
        kind = cv2.CV_8U if self._bit_depth == 8 else cv2.CV_16U
        unit = (1 << (self._bit_depth - 8)) / (_TILE_STEPS * _MASK_STEPS)
        self._up = cv2.multiply(self._plus, spread, scale=unit, dtype=kind)
        self._down = cv2.multiply(self._minus, spread, scale=unit, dtype=kind)
        self._made = index
        self._before = (index, luma) if REFRESH == 1 else None

    def margin(self, frames: Iterable[Pixels]) -> float:
        """How well received frames, unchanged in geometry, show this mark: Eb/N0 of the code, dB.

        The code is decoded from about 0.5 dB on.

        Args:
            frames: (H, W) luma planes like those marked.
        """
        planes = [whiten_frame(luma_half(y, self._half, self._bit_depth)) for y in frames]
        total = by_time(planes, sync_pattern(self._layout, self._half))
        evidence = Evidence(luma=spectrum(whiten_sum(total), HALF_TILE), chroma=None)
        carrier = self._layout.luma
        signs = 1 - 2 * self.word.astype(np.float32)
        votes = observe(evidence, self._layout).values * signs[carrier.bit]
        mean = max(float(votes.mean()), 1e-6)
        noise = max(float(votes.var()), 1e-6)
        return 10 * math.log10(len(votes) / 96 * mean**2 / (2 * noise))
