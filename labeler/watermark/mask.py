"""How strongly each place may be changed: the perceptual mask and the strength rule.

The mask follows the local texture energy (root of its deviation), but through a median and an erosion of the
logarithm, so that an isolated edge or a letter on a flat ground does not count as texture. Flat and saturated
places have a cap of their own, since there nothing hides the mark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.watermark.analysis import HostEnergy, block_mean

__all__ = ["Mask", "mask_of", "target_psnr"]

Floats: TypeAlias = npt.NDArray[np.float32]

_ENERGY_MAX = 20.0**2
_ENERGY_FLOOR = 2.0**2
_LOG_STEP = 12.0
_NOISELESS_RMS, _SMOOTH_RMS = 0.5, 0.8  # caps of the local rms without texture and at one grey level of it
_SATURATED_RMS = 0.7
_RELAXED = 2.0  # factor on both caps for small pictures and documents
_GAIN_MAX, _GAIN_MAX_SMALL = 2.3, 1.5  # dB above the base for quiet pictures
_WHITE, _BLACK = 252.0, 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """Relative amplitude of the mark at a quarter of the frame's resolution.

    Attributes:
        amplitude: (h/4, w/4) float32, relative.
        cap: (h/4, w/4) float32, largest permitted local rms, grey levels.
        activity: rms of the masked texture, grey levels.
        flat: share of the area without texture.
    """

    amplitude: Floats
    cap: Floats
    activity: float
    flat: float

    def scaled(self, mean_square: float, *, relaxed: bool = False) -> Floats:
        """Local rms of a mark of unit tile whose mean square is ``mean_square``, caps respected.

        Small pictures and documents have relaxed caps.
        Where a cap bites, the rest of the picture takes over (three rounds), by at most 6 dB.
        """
        base = self.amplitude * np.float32(
            np.sqrt(mean_square / max(float((self.amplitude**2).mean()), 1e-12))
        )
        cap = self.cap * np.float32(_RELAXED) if relaxed else self.cap
        result = np.minimum(base, cap)
        gain = 1.0
        for _ in range(3):
            free = base * np.float32(gain) < cap
            spent = float((result[~free] ** 2).sum())
            room = float(((base[free]) ** 2).sum())
            if room <= 0:
                break
            gain = min(np.sqrt(max(mean_square * base.size - spent, 0) / room), 2.0)
            result = np.minimum(base * np.float32(gain), cap)
        return np.asarray(result, np.float32)


def mask_of(luma: Floats, host: HostEnergy) -> Mask:
    """The mask of a frame.

    Args:
        luma: (h, w) float32, 0..255.
        host: its high-pass plane and energies.
    """
    logs = np.log2(host.energy + 1) * np.float32(_LOG_STEP)
    levels = cv2.medianBlur(np.clip(logs, 0, 255).astype(np.uint8), 7)
    levels = cv2.erode(levels, np.ones((3, 3), np.uint8))
    energy = np.exp2(levels.astype(np.float32) / np.float32(_LOG_STEP)) - 1
    capped = np.minimum(energy, np.float32(_ENERGY_MAX))
    amplitude = (capped + np.float32(_ENERGY_FLOOR)) ** np.float32(0.2)
    mean = block_mean(luma)
    smooth = energy < 1
    cap = np.where(smooth, _NOISELESS_RMS + (_SMOOTH_RMS - _NOISELESS_RMS) * energy, np.float32(64))
    cap = np.where(smooth & ((mean > _WHITE) | (mean < _BLACK)), np.float32(_SATURATED_RMS), cap)
    return Mask(
        amplitude=np.asarray(amplitude, np.float32),
        cap=np.asarray(cap, np.float32),
        activity=float(np.sqrt(capped.mean())),
        flat=float(smooth.mean()),
    )


def target_psnr(activity: float, base: float, *, small: bool = False) -> float:
    """PSNR for a picture, dB: 2.6 more for half the texture, from -1.85 to +2.3 (small: +1.5) about the base."""
    return base + float(
        np.clip(-2.6 * np.log2(max(activity, 1e-3) / 8.75), -1.85, _GAIN_MAX_SMALL if small else _GAIN_MAX)
    )
