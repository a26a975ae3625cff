"""Tail probabilities as decimal logarithms, exact far below the smallest float.

All are upper tails of the score of a text that does not know the key, for keyed numbers that are independent
and uniform: the sum of n exponentials (Gumbel), the same for a text of which only a share of the tokens is
left, the count of green tokens, and a weighted sum of fair signs (tournament).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["MIXTURE_SHARE", "binomial_log10", "gamma_log10", "mixture_log10", "mixture_scores", "signs_log10"]

Floats: TypeAlias = npt.NDArray[np.float64]

_LN10 = math.log(10.0)
MIXTURE_SHARE = 0.2
"""Share of intact tokens that `mixture_scores` is made for: about what 30 % edits leave at context 4."""
_TILT_MAX = 0.95
_LARGEST = 25 * math.log(2.0)  # -ln(1 - u) of keyed numbers of 24 bits stays below this


def _log10_sum(terms: Floats, offset: float) -> float:
    top = float(terms.max())
    return min(0.0, (offset + top + math.log(float(np.exp(terms - top).sum()))) / _LN10)


def gamma_log10(score: float, shape: int) -> float:
    """log10 P(G >= score) for G the sum of ``shape`` independent standard exponentials (Erlang).

    ``P = exp(-x) sum_{k<n} x^k / k!``, summed in the logarithm.

    >>> round(gamma_log10(3 * math.log(10), 1), 9)
    -3.0
    """
    if shape <= 0 or score <= 0:
        return 0.0
    steps = math.log(score) - np.log(np.arange(1.0, shape))
    terms = np.concatenate([np.zeros(1), np.cumsum(steps)])
    return _log10_sum(terms, -score)


def mixture_scores(uniforms: Floats) -> Floats:
    """Scores ``ln(1 - q + q / (1 - u))`` of keyed numbers, q = `MIXTURE_SHARE`.

    The log-likelihood ratio of a text in which a share q of the tokens still follows the key, the others being
    noise: weak evidence counts for little, strong evidence as much as in the plain sum.
    """
    scores: Floats = np.log((1 - MIXTURE_SHARE) + MIXTURE_SHARE / (1.0 - uniforms))
    return scores


@lru_cache(maxsize=1)
def _quadrature() -> tuple[Floats, Floats]:
    """Scores and probabilities of one keyed number: Gauss-Legendre in x = -ln(1 - u)."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    x = (nodes + 1) * _LARGEST / 2
    chance = weights * np.exp(-x)
    return np.log((1 - MIXTURE_SHARE) + MIXTURE_SHARE * np.exp(x)), chance / chance.sum()


@lru_cache(maxsize=1)
def _tilted_means() -> tuple[Floats, Floats]:
    scores, chance = _quadrature()
    tilts = np.linspace(0.0, _TILT_MAX, 200)
    weight = chance * np.exp(tilts[:, None] * scores)
    return tilts, (weight * scores).sum(axis=1) / weight.sum(axis=1)


def mixture_log10(score: float, count: int) -> float:
    """log10 P(sum of ``count`` independent `mixture_scores` >= score): some per cent off below 1e-2.

    Chernoff's bound ``exp(n K(t) - t s)`` with the factor ``1 / (t sqrt(2 pi n K''(t)))`` of Bahadur and Rao
    (1960), K the cumulant generating function, t where ``n K'(t) = s``. Beyond t = 0.95 the plain bound at 0.95.
    """
    if count <= 0:
        return 0.0
    scores, chance = _quadrature()
    tilts, means = _tilted_means()
    mean = score / count
    if mean <= means[0]:
        return 0.0
    tilt = float(np.interp(mean, means, tilts))
    weight = chance * np.exp(tilt * scores)
    total = float(weight.sum())
    log_p = count * math.log(total) - tilt * score
    if mean < means[-1]:
        centre = float((weight * scores).sum()) / total
        variance = float((weight * (scores - centre) ** 2).sum()) / total
        log_p -= math.log(max(1.0, tilt * math.sqrt(2 * math.pi * count * variance)))
    return min(0.0, log_p / _LN10)


def binomial_log10(hits: int, trials: int, share: float) -> float:
    """log10 P(X >= hits) for X binomial with ``trials`` and success probability ``share``.

    >>> round(10 ** binomial_log10(2, 2, 0.5), 9)
    0.25
    """
    if hits <= 0 or trials <= 0:
        return 0.0
    if hits > trials:
        return -math.inf
    odds = math.log(share) - math.log1p(-share)
    counts = np.arange(hits + 1.0, trials + 1.0)
    steps = np.log(trials - counts + 1.0) - np.log(counts) + odds
    terms = np.concatenate([np.zeros(1), np.cumsum(steps)])
    first = math.lgamma(trials + 1) - math.lgamma(hits + 1) - math.lgamma(trials - hits + 1)
    return _log10_sum(terms, first + hits * math.log(share) + (trials - hits) * math.log1p(-share))


def signs_log10(z: float) -> float:
    """log10 of a bound of P(S >= z), S a weighted sum of independent fair signs with variance 1.

    ``P <= 3.178 Q(z)``, Q the Gaussian tail (Bentkus and Dzindzalieta 2015), whatever the weights; at most
    half a decade above the truth where the sum is nearly Gaussian.
    """
    if z <= 0:
        return 0.0
    if z < 30:
        log_q = math.log10(0.5 * math.erfc(z / math.sqrt(2)))
    else:
        log_q = -z * z / (2 * _LN10) - math.log10(z * math.sqrt(2 * math.pi))
    return min(0.0, math.log10(3.178) + log_q)
