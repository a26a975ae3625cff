"""How deep the gain of every chip may go: masking by unrest, and the level law.

``delta = r clip(s / 4.5, 0.3, 1.3) clip(0.35 + (R - C) / 30, 0.35, 1.5)`` dB: a steady tone hides little; a chip
far below the loudest chips of its surroundings may change more, since it adds little power. R is the 97th
percentile of the chip levels C around, or the level of the whole spectrum less 12 dB if that is higher: sounds
whose power lies below the bands are marked more deeply in them.
"""

from __future__ import annotations

import numpy as np

from labeler.watermark.sound.features import unrest, whiten
from labeler.watermark.sound.profile import Floats

__all__ = ["STRENGTHS", "depth", "reference_level"]

STRENGTHS = {"gentle": 1.5, "default": 1.9, "strong": 2.5}
"""r of each strength, dB."""
_UNREST, _UNREST_MIN, _UNREST_MAX = 4.5, 0.3, 1.3
_LOUD, _SLOPE, _QUIET = 0.35, 30.0, 1.5
_PERCENTILE = 97
_FULL_BAND = 12.0


def reference_level(levels: Floats, full: Floats) -> float:
    """The level R that chips are compared with.

    Args:
        levels: (40, n) chip levels, dB.
        full: (n,) level of the whole spectrum of every column, dB.
    """
    return float(max(np.percentile(levels, _PERCENTILE), np.percentile(full, _PERCENTILE) - _FULL_BAND))


def depth(levels: Floats, reference: float, strength: float) -> Floats:
    """Depth of every chip of levels (40, n), dB."""
    scale = unrest(whiten(levels, 1), 1)
    masking = np.clip(scale / _UNREST, _UNREST_MIN, _UNREST_MAX)
    law = np.clip(_LOUD + (reference - levels) / _SLOPE, _LOUD, _QUIET)
    return np.asarray(strength * masking * law, np.float32)
