"""Tail probabilities as decimal logarithms, exact far below the smallest float.

All three are upper tails of the score of a text that does not know the key, for keyed numbers that are
independent and uniform: the sum of n exponentials (Gumbel), the count of green tokens, and a weighted sum of
fair signs (tournament).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["binomial_log10", "gamma_log10", "signs_log10"]

_LN10 = math.log(10.0)


def _log10_sum(terms: npt.NDArray[np.float64], offset: float) -> float:
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
