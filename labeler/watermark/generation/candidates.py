"""The candidates of one step: the k most likely tokens, with temperature and nucleus applied.

Keyed numbers are computed for these only. At a vocabulary of 128,000 tokens the rest of the row would cost
many times more, and is never chosen anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from labeler.errors import UsageError
from labeler.watermark.generation.philox import Ints

__all__ = ["Candidates", "Warp", "log_softmax", "top_candidates"]

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """The tokens among which a step chooses.

    Attributes:
        ids: token ids, shape (B, K), most likely first.
        logits: natural logarithms of their probabilities, up to a constant per row, shape (B, K); -inf is
            never chosen.
    """

    ids: Ints
    logits: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Warp:
    """What happens to logits before the choice.

    Attributes:
        temperature: above 0; logits are divided by it. Temperature 0 leaves no choice, and so no mark.
        top_k: candidates kept, at least 1.
        top_p: nucleus: the fewest of them whose probabilities reach this, in (0, 1].
    """

    temperature: float = 1.0
    top_k: int = 100
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise UsageError(
                f"the temperature is above 0, not {self.temperature}.",
                remedy="Without a choice (temperature 0, greedy) a text cannot be marked while it is generated.",
            )
        if self.top_k < 1 or not 0 < self.top_p <= 1:
            raise UsageError("top_k is at least 1, and top_p lies in (0, 1].")


def log_softmax(logits: Floats) -> Floats:
    """Logarithms of probabilities, normalised along the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    with np.errstate(divide="ignore"):
        normal: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normal


def top_candidates(logits: npt.NDArray[np.floating[Any]], warp: Warp) -> Candidates:
    """The candidates of a step.

    Args:
        logits: as the model gives them, shape (B, V), any float type; -inf forbids a token. At least one
            logit of every row is finite.
        warp: temperature, k and nucleus.

    Returns:
        K = min(top_k, V) candidates; beyond the nucleus their logits are -inf.
    """
    if logits.ndim != 2 or logits.shape[1] == 0:
        raise UsageError(f"logits have the shape (batch, vocabulary), not {logits.shape}.")
    vocabulary = logits.shape[1]
    count = min(warp.top_k, vocabulary)
    if count < vocabulary:
        ids = np.argpartition(logits, vocabulary - count, axis=1)[:, vocabulary - count :]
    else:
        ids = np.broadcast_to(np.arange(vocabulary), logits.shape)
    values = np.take_along_axis(logits, ids, axis=1).astype(np.float64)
    order = np.argsort(-values, axis=1, kind="stable")
    ids = np.take_along_axis(ids, order, axis=1).astype(np.int64)
    values = np.take_along_axis(values, order, axis=1)
    if not np.isfinite(values[:, 0]).all():
        raise UsageError(
            "a row of logits has no finite entry, or a NaN or +inf: there is no token to choose."
        )
    values /= warp.temperature
    if warp.top_p < 1:
        share = np.exp(log_softmax(values))
        before = np.cumsum(share, axis=1) - share
        values = np.where(before < warp.top_p, values, -np.inf)
    return Candidates(ids=ids, logits=values)
