"""How strongly each place of a frame may be changed, now.

Texture hides the mark, motion does not: the eye follows what moves and sees the mark slide over it. So the mark
is drawn back where the picture changes; and since what is taken from there must not turn up on a still wall or
sky, the local rms is capped everywhere by the texture that is there, in grey levels.
"""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.watermark.analysis import high_pass
from labeler.watermark.motion.frames import HALF_TILE

__all__ = ["FLAT_RMS", "local_rms"]

Floats: TypeAlias = npt.NDArray[np.float32]

FLAT_RMS = {"default": 0.51, "strong": 0.78}
"""Local rms allowed without any texture, grey levels before rounding (which adds up to 0.08)."""
_TEXTURE, _TEXTURE_FREE = 30.0, 0.4  # how fast the cap grows with the texture's energy, and from where on
_POWER = 0.06  # amplitude is energy to this power
_ENERGY_MIN, _ENERGY_MAX = 2.0**2, 20.0**2
_LOG_STEP = 12.0
_MOTION_SHARE, _MOTION_LEVELS = 0.9, 3.0
_MOTION_SIGMA = 4.0  # px of the mask's grid


def local_rms(luma: Floats, before: Floats | None, *, strength: float, flat: float) -> Floats:
    """Local rms that the mark shall have.

    Args:
        luma: (h, w) float32 half-resolution luma, 0..255.
        before: the same of the frame before, or None if unknown.
        strength: rms over the frame before caps, grey levels.
        flat: cap where there is no texture, grey levels.

    Returns:
        (h / 2, w / 2) float32, grey levels.
    """
    size = (max(luma.shape[1] // 2, 1), max(luma.shape[0] // 2, 1))
    high = high_pass(luma, HALF_TILE)
    energy = cv2.resize(cv2.multiply(high, high), size, interpolation=cv2.INTER_AREA)
    # Median and erosion of the logarithm: an isolated edge or a letter does not count as texture.
    logs = np.log2(energy + 1) * np.float32(_LOG_STEP)
    levels = cv2.medianBlur(np.clip(logs, 0, 255).astype(np.uint8), 7)
    levels = cv2.erode(levels, np.ones((3, 3), np.uint8))
    texture = np.exp2(levels.astype(np.float32) / np.float32(_LOG_STEP)) - 1
    amplitude = (np.minimum(texture, np.float32(_ENERGY_MAX)) + np.float32(_ENERGY_MIN)) ** np.float32(_POWER)
    if before is not None:
        change = cv2.resize(cv2.absdiff(luma, before), size, interpolation=cv2.INTER_AREA)
        change = cv2.GaussianBlur(change, (0, 0), _MOTION_SIGMA) * np.float32(1 / _MOTION_LEVELS)
        amplitude *= (1 - _MOTION_SHARE) + np.float32(_MOTION_SHARE) / (1 + change * change)
    amplitude *= np.float32(strength / max(float(np.sqrt((amplitude**2).mean())), 1e-6))
    rough = np.maximum(texture - np.float32(_TEXTURE_FREE), 0)
    cap = np.float32(flat) * np.sqrt(1 + np.float32(_TEXTURE) * rough)
    return np.asarray(np.minimum(amplitude, cap), np.float32)
