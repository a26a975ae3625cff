"""What the chips look like against their neighbours: the whitened, self-scaled level.

Sound is smooth over time and frequency, chips are not. From the level C of a chip a share of its four
neighbours is taken, ``F = C - 0.35 (before + after)``, then ``F - 0.12 (band below + band above)``, and the mean of
what is left over 13 chips. ``s`` is the root mean square of F over 5 bands x 9 chips, plus 1 dB. The statistic
of a chip is ``v = clip(F / s, +-1.5) / s``: a chip in a restless place counts less.
"""

from __future__ import annotations

import cv2
import numpy as np

from labeler.watermark.sound.profile import Floats

__all__ = ["local_rms", "neighbours_removed", "statistic"]

_TIME_SHARE, _BAND_SHARE = 0.35, 0.12
_MEAN_CHIPS = 12
_SCALE_CHIPS, _SCALE_BANDS = 8, 5
_SCALE_ADDED = 1.0  # dB
_LEVEL_MAX = 20.0
_CLIP = 1.5


def neighbours_removed(levels: Floats, stride: int, time_share: float, band_share: float) -> Floats:
    """Levels (40, n) less shares of the chips before, after, below and above; a chip lasts ``stride`` steps."""
    padded = cv2.copyMakeBorder(levels, 1, 1, stride, stride, cv2.BORDER_REPLICATE)
    over_time = padded[:, 2 * stride :] + padded[:, : -2 * stride]
    over_time *= np.float32(-time_share)
    over_time += padded[:, stride:-stride]
    sides = over_time[:-2] + over_time[2:]
    sides *= np.float32(-band_share)
    sides += over_time[1:-1]
    return np.asarray(sides, np.float32)


def local_rms(white: Floats, width: int, bands: int, added: float) -> Floats:
    """Root mean square over ``width`` steps x ``bands`` bands of values limited to +-20 dB, plus ``added`` dB."""
    limited = np.clip(white, -_LEVEL_MAX, _LEVEL_MAX)
    mean = cv2.blur(limited * limited, (width, bands), borderType=cv2.BORDER_REPLICATE)
    scale: Floats = np.asarray(cv2.sqrt(np.maximum(mean, 0)), np.float32)
    scale += np.float32(added)
    return scale


def statistic(levels: Floats, stride: int) -> Floats:
    """The statistic v of every chip position of levels (40, n)."""
    white = neighbours_removed(levels, stride, _TIME_SHARE, _BAND_SHARE)
    white -= cv2.blur(white, (_MEAN_CHIPS * stride + 1, 1), borderType=cv2.BORDER_REPLICATE)
    scale = local_rms(white, _SCALE_CHIPS * stride + 1, _SCALE_BANDS, _SCALE_ADDED)
    white /= scale
    np.clip(white, -_CLIP, _CLIP, out=white)
    white /= scale
    return white
