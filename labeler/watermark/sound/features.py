"""What the chips look like against their neighbours: the whitened, self-scaled level.

``F = C - 1/2 (before + after)``, then ``F - 0.3 (band below + band above)``: sound is smooth over both, chips
are not. ``s`` is the local root mean square of F over 3 bands x 5 chips, plus 1 dB. The statistic of a chip
is ``v = clip(F / s, +-1.5) / s``: a chip in a restless place counts less.
"""

from __future__ import annotations

import cv2
import numpy as np

from labeler.watermark.sound.profile import Floats

__all__ = ["statistic", "unrest", "whiten"]

_BAND_SHARE = 0.3
_LEVEL_MAX = 20.0
_CLIP = 1.5


def whiten(levels: Floats, stride: int) -> Floats:
    """Second differences over time and bands of levels (40, n), n steps of ``1/stride`` chip."""
    padded = cv2.copyMakeBorder(levels, 1, 1, stride, stride, cv2.BORDER_REPLICATE)
    over_time = padded[:, 2 * stride :] + padded[:, : -2 * stride]
    over_time *= np.float32(-0.5)
    over_time += padded[:, stride:-stride]
    sides = over_time[:-2] + over_time[2:]
    sides *= np.float32(-_BAND_SHARE)
    sides += over_time[1:-1]
    return np.asarray(sides, np.float32)


def unrest(white: Floats, stride: int) -> Floats:
    """Local root mean square of whitened levels, plus 1 dB."""
    limited = np.clip(white, -_LEVEL_MAX, _LEVEL_MAX)
    mean = cv2.blur(limited * limited, (4 * stride + 1, 3), borderType=cv2.BORDER_REPLICATE)
    scale: Floats = np.asarray(cv2.sqrt(np.maximum(mean, 0)), np.float32)
    scale += np.float32(1)
    return scale


def statistic(levels: Floats, stride: int) -> Floats:
    """The statistic v of every chip position of levels (40, n)."""
    white = whiten(levels, stride)
    scale = unrest(white, stride)
    white /= scale
    np.clip(white, -_CLIP, _CLIP, out=white)
    white /= scale
    return white
