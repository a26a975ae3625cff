"""Evidence and its probability: how likely is so strong a finding without a mark?

Both statistics are self-normalised sums over keyed signs or phases, so their tails are bounded for any
picture, not only for Gaussian noise:

* sync: z = sum w m cos(psi) / sqrt(sum (w m)^2 / 2), with keyed uniform phases: P(z >= x) <= exp(-x^2 / 2)
  (Hoeffding 1963);
* codeword: rho = sum_i w_i c_i x_i / sqrt(sum (w_i x_i)^2), c_i = chip times code bit. For one fixed codeword
  P(rho >= x) <= 3.178 Q(x), Q the Gaussian tail (Bentkus and Dzindzalieta 2015, the best constant). A decoder
  picks among 2^96 codewords, of which 2^72 carry a fitting tag, so P(an accepted codeword has rho >= x) <=
  2^72 3.178 Q(x). It is also <= 2^-24, since the tag is a keyed pseudo-random function. A search that looks at
  N readings multiplies this by N; a stage that may spend only a part of the error multiplies by its reciprocal.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labeler.watermark.code import MESSAGE_BITS
from labeler.watermark.message import TAG_BITS

__all__ = ["ACCEPT_LOG10", "accept_log10", "correlation", "sync_log10", "sync_score"]

Floats: TypeAlias = npt.NDArray[np.float32]
Complexes: TypeAlias = npt.NDArray[np.complex64]

ACCEPT_LOG10 = -9.0
"""A finding is accepted when its log10 p over the whole search is below this."""
_MODULUS_MAX = 3.0


def sync_score(lines: Complexes, phase: Floats, weight: Floats) -> tuple[float, float]:
    """Numerator and variance of the sync statistic; z = numerator / sqrt(variance).

    Args:
        lines: (64,) normalised sync coefficients.
        phase: (64,) keyed phases, rad.
        weight: (64,) fixed weights.

    Returns:
        (sum w m cos psi, sum (w m)^2 / 2); both add up over carriers.
    """
    modulus = np.minimum(np.abs(lines), _MODULUS_MAX) * weight
    cosine = np.cos(np.angle(lines) - phase)
    return float((modulus * cosine).sum()), float((modulus**2).sum() / 2)


def correlation(values: Floats, weight: Floats, signs: Floats) -> tuple[float, float]:
    """Numerator and energy of the codeword statistic of one carrier; rho = numerator / sqrt(energy).

    Args:
        values: (2n,) chip-corrected dims.
        weight: (2n,) weights that do not depend on the chips.
        signs: (2n,) code bits of the decoded codeword as +-1.
    """
    weighted = values * weight
    return float((weighted * signs).sum()), float((weighted**2).sum())


def sync_log10(z: float, hypotheses: float) -> float:
    """log10 of the bound on finding sync score ``z`` among so many hypotheses."""
    return min(math.log10(max(hypotheses, 1)) - max(z, 0) ** 2 / 2 * math.log10(math.e), 0.0)


def accept_log10(rho: float, looks: float) -> float:
    """log10 of the bound on accepting a codeword with correlation ``rho`` in so many looks.

    Args:
        rho: the codeword statistic.
        looks: readings times profiles, over the share of the error that the stage may spend.
    """
    by_tag = -TAG_BITS * math.log10(2)
    by_rho = (MESSAGE_BITS - TAG_BITS) * math.log10(2) + _rademacher_log10(max(rho, 0))
    return min(math.log10(max(looks, 1)) + min(by_tag, by_rho), 0.0)


def _rademacher_log10(x: float) -> float:
    """log10 of 3.178 Q(x); beyond 20 of the larger 3.178 phi(x) / x, which does not underflow."""
    if x > 20:
        return math.log10(3.178 / (x * math.sqrt(2 * math.pi))) - x * x / 2 * math.log10(math.e)
    return math.log10(3.178 * 0.5 * math.erfc(x / math.sqrt(2)))
