"""How deep the gain of every chip may go: masking by unrest, the level law, and a tilt.

``delta = r clip(s / 4.5, 0.8, 1) clip((R - 3 - C) / 30, 0.04, 1.1) t`` dB. A steady tone hides less: s is the
local unrest. A chip far below the loudest chips of its surroundings may change more, since it adds little
power; R is the 97th percentile of the chip levels C around, or the level of the whole spectrum less 13 dB if
that is higher, so that sounds whose power lies below the bands are marked more deeply in them. The tilt t falls
from 1.3 at the lowest band to 0.7 at the highest: telephones and low bit rates keep the low ones.
"""

from __future__ import annotations

import numpy as np

from labeler.watermark.sound.features import local_rms, neighbours_removed
from labeler.watermark.sound.profile import BANDS, Floats

__all__ = ["STRENGTHS", "depth", "reference_level"]

STRENGTHS = {"gentle": 2.2, "default": 3.0, "strong": 3.9}
"""r of each strength, dB."""
_UNREST, _UNREST_MIN, _UNREST_MAX = 4.5, 0.8, 1.0
_SLOPE, _BELOW = 30.0, 3.0  # dB
_LOUD, _QUIET = 0.04, 1.1
_TILT = (1.3, 0.7)
_PERCENTILE = 97
_FULL_BAND = 13.0


def reference_level(levels: Floats, full: Floats) -> float:
    """The level R that chips are compared with.

    Args:
        levels: (40, n) chip levels, dB.
        full: (n,) level of the whole spectrum of every column, dB.
    """
    inside = float(np.percentile(levels, _PERCENTILE))
    return max(inside, float(np.percentile(full, _PERCENTILE)) - _FULL_BAND)


def depth(levels: Floats, reference: float, strength: float) -> Floats:
    """Depth of every chip of levels (40, n), dB."""
    scale = local_rms(neighbours_removed(levels, 1, 0.5, 0.3), 5, 3, 1.0)
    masking = np.clip(scale / _UNREST, _UNREST_MIN, _UNREST_MAX)
    law = np.clip((reference - _BELOW - levels) / _SLOPE, _LOUD, _QUIET)
    tilt = np.linspace(*_TILT, BANDS)[:, None]
    return np.asarray(strength * tilt * masking * law, np.float32)
