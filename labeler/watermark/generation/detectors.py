"""Detectors: does a sequence of token ids carry the mark of a key?

They need the token ids, so the tokenizer of the model that wrote the text; nothing can be said about text
alone. Every detector scores the first occurrence of each context, gives the probability that a text made
without the key scores as high (log10), and one of three verdicts. "Not detected" is no proof of anything:
greedy, heavily edited, translated or paraphrased text carries no mark.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from labeler.errors import UsageError
from labeler.watermark.generation.contexts import all_contexts, as_tokens, check_width, first_seen
from labeler.watermark.generation.philox import Ints, State, TokenPRF, Words, uniform
from labeler.watermark.generation.samplers import MAX_DEPTH, green, layer_bits
from labeler.watermark.generation.tails import (
    binomial_log10,
    gamma_log10,
    mixture_log10,
    mixture_scores,
    signs_log10,
)

__all__ = [
    "ACCEPT_LOG10",
    "Detection",
    "Detector",
    "GreenListDetector",
    "GumbelDetector",
    "TextVerdict",
    "TournamentDetector",
    "check_options",
    "detect_any",
    "judge",
    "pieces",
    "scored_words",
    "unique_states",
]

Floats: TypeAlias = npt.NDArray[np.float64]

ACCEPT_LOG10 = -6.0
"""A text counts as marked when its log10 p is below this."""
_CHUNK = 4096  # tokens worked on at once, so that the arrays stay in the cache


class TextVerdict(enum.StrEnum):
    """What a detector says."""

    MARKED = "marked"
    NOT_DETECTED = "not detected"
    TOO_SHORT = "too short"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What a detector found.

    Attributes:
        scheme: ``gumbel``, ``tournament``, ``green-list`` or ``gumbel-32``.
        verdict: marked, not detected, or too short to tell.
        tokens: length of the text in tokens.
        scored: tokens that count as evidence: one per distinct context.
        score: the statistic of the scheme, in its own units.
        log10_p: log10 of the probability (or of a bound of it) of such a score without the key.
        message: the 32 bits read, 8 hex digits: only of ``gumbel-32``, and only if the text is marked and one
            message clearly leads the others; else "".
    """

    scheme: str
    verdict: TextVerdict
    tokens: int
    scored: int
    score: float
    log10_p: float
    message: str = ""

    @property
    def mark_prefix(self) -> str:
        """The first 24 bits of the mark_id that a marked text carries, 6 hex digits, or ""."""
        return self.message[:6]


class Detector(Protocol):
    """What every detector does."""

    @property
    def threshold(self) -> float:
        """log10 p below which a text is marked."""

    def detect(self, tokens: npt.ArrayLike) -> Detection:
        """Examine token ids, shape (N,), without the prompt if it is known."""


def judge(log10_p: float, scored: int, *, threshold: float, min_scored: int) -> TextVerdict:
    """The verdict: a probability below the threshold counts at any length."""
    if log10_p < threshold:
        return TextVerdict.MARKED
    return TextVerdict.TOO_SHORT if scored < min_scored else TextVerdict.NOT_DETECTED


def pieces(count: int, size: int = _CHUNK) -> Iterator[slice]:
    """Slices that cover ``count`` elements."""
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def unique_states(prf: TokenPRF, ids: Ints, width: int) -> tuple[State, Ints]:
    """States and tokens at the first occurrence of every context.

    Args:
        prf: keyed.
        ids: tokens of one text, shape (N,).
        width: tokens of context.

    Returns:
        Four arrays of shape (S,), and the tokens that follow, shape (S,).
    """
    contexts = all_contexts(ids, width)
    state = np.empty((4, ids.size), np.uint64)
    for part in pieces(ids.size):
        state[:, part] = prf.context(contexts[part])
    first = first_seen((state[0], state[1], state[2], state[3]))
    kept = state[:, first]
    return (kept[0], kept[1], kept[2], kept[3]), ids[first]


def scored_words(key: int, ids: Ints, width: int) -> Words:
    """The keyed words of the tokens that count, shape (S,)."""
    prf = TokenPRF(key=key)
    state, tokens = unique_states(prf, ids, width)
    words = np.empty(tokens.size, np.uint64)
    for part in pieces(tokens.size):
        words[part] = prf.token_words(
            (state[0][part], state[1][part], state[2][part], state[3][part]), tokens[part]
        )
    return words


def check_options(key: int, width: int, threshold: float, min_scored: int) -> None:
    """Refuse a bad key, width, threshold or minimum.

    Raises:
        UsageError: one of them is out of its range.
    """
    check_width(width)
    TokenPRF(key=key)
    if not threshold < 0 or min_scored < 1:
        raise UsageError("the threshold is a negative log10 p, and at least one token is to be scored.")


@dataclass(frozen=True, slots=True, kw_only=True)
class GumbelDetector:
    """Detector of keyed Gumbel-max sampling.

    The score is ``sum -ln(1 - u)``; without the key it is a sum of S standard exponentials, up to the 24 bits
    that u has. With ``edits`` a second statistic is tried, made for texts of which edits left a fifth of the
    tokens (`mixture_scores`), and the smaller p counts, doubled for having tried two. Without it, score and p
    are those of vLLM's ``GumbelWatermarkDetector``.

    Attributes:
        key: 0 to 2^64 - 1.
        context_width: as when sampling.
        threshold: log10 p below which a text is marked.
        min_scored: below so many scored tokens a text without evidence is too short to tell.
        edits: also look for what edits left.
    """

    key: int = field(repr=False)
    context_width: int = 4
    threshold: float = ACCEPT_LOG10
    min_scored: int = 50
    edits: bool = True

    def __post_init__(self) -> None:
        check_options(self.key, self.context_width, self.threshold, self.min_scored)

    def detect(self, tokens: npt.ArrayLike) -> Detection:
        """Examine token ids, shape (N,)."""
        ids = as_tokens(tokens)
        words = scored_words(self.key, ids, self.context_width)
        values = uniform(words)
        score = float(-np.log1p(-values).sum())
        log10_p = gamma_log10(score, words.size)
        if self.edits:
            second = mixture_log10(float(mixture_scores(values).sum()), words.size)
            log10_p = min(0.0, min(log10_p, second) + math.log10(2))
        return Detection(
            scheme="gumbel",
            verdict=judge(log10_p, words.size, threshold=self.threshold, min_scored=self.min_scored),
            tokens=ids.size,
            scored=words.size,
            score=score,
            log10_p=log10_p,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TournamentDetector:
    """Detector of tournament sampling: a weighted mean of the g-values (Dathathri et al. 2024).

    Later layers carry less, since the distribution is sharper by then, so layer l has the weight
    ``10 - 9 l / (depth - 1)``. The score is the standardised weighted sum; its tail is bounded by that of any
    weighted sum of fair signs (`signs_log10`), so no calibration is needed.

    Attributes:
        key: 0 to 2^64 - 1.
        context_width: as when sampling.
        depth: as when sampling.
        threshold: log10 p below which a text is marked.
        min_scored: below so many scored tokens a text without evidence is too short to tell.
    """

    key: int = field(repr=False)
    context_width: int = 4
    depth: int = 30
    threshold: float = ACCEPT_LOG10
    min_scored: int = 50

    def __post_init__(self) -> None:
        check_options(self.key, self.context_width, self.threshold, self.min_scored)
        if not 1 <= self.depth <= MAX_DEPTH:
            raise UsageError(f"a tournament has 1 to {MAX_DEPTH} layers, not {self.depth}.")

    def detect(self, tokens: npt.ArrayLike) -> Detection:
        """Examine token ids, shape (N,)."""
        ids = as_tokens(tokens)
        words = scored_words(self.key, ids, self.context_width)
        weight = np.linspace(10.0, 1.0, self.depth)
        hits = np.zeros(self.depth)
        for part in pieces(words.size):
            hits += layer_bits(words[part], self.depth).sum(axis=0, dtype=np.int64)
        spread = math.sqrt(words.size * float((weight**2).sum()))
        score = float(weight @ (2.0 * hits - words.size)) / spread if spread else 0.0
        log10_p = signs_log10(score)
        return Detection(
            scheme="tournament",
            verdict=judge(log10_p, words.size, threshold=self.threshold, min_scored=self.min_scored),
            tokens=ids.size,
            scored=words.size,
            score=score,
            log10_p=log10_p,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GreenListDetector:
    """Detector of the green-list bias: the count of green tokens, with its exact binomial tail.

    The score is the count's z-value, as in Kirchenbauer et al. 2023.

    Attributes:
        key: 0 to 2^64 - 1.
        context_width: as when sampling.
        gamma: as when sampling.
        threshold: log10 p below which a text is marked.
        min_scored: below so many scored tokens a text without evidence is too short to tell.
    """

    key: int = field(repr=False)
    context_width: int = 4
    gamma: float = 0.5
    threshold: float = ACCEPT_LOG10
    min_scored: int = 150

    def __post_init__(self) -> None:
        check_options(self.key, self.context_width, self.threshold, self.min_scored)
        if not 0 < self.gamma < 1:
            raise UsageError("gamma lies between 0 and 1.")

    def detect(self, tokens: npt.ArrayLike) -> Detection:
        """Examine token ids, shape (N,)."""
        ids = as_tokens(tokens)
        words = scored_words(self.key, ids, self.context_width)
        hits = int(green(words, self.gamma).sum())
        spread = math.sqrt(words.size * self.gamma * (1 - self.gamma))
        log10_p = binomial_log10(hits, words.size, self.gamma)
        return Detection(
            scheme="green-list",
            verdict=judge(log10_p, words.size, threshold=self.threshold, min_scored=self.min_scored),
            tokens=ids.size,
            scored=words.size,
            score=(hits - words.size * self.gamma) / spread if spread else 0.0,
            log10_p=log10_p,
        )


def detect_any(tokens: npt.ArrayLike, detectors: Sequence[Detector]) -> tuple[int, Detection]:
    """Try several keys or schemes, and correct for it (Bonferroni).

    Args:
        tokens: token ids, shape (N,).
        detectors: at least one.

    Returns:
        The index of the detector with the smallest p, and its finding, p multiplied by their number. A text
        that is marked only before this correction is not detected.
    """
    if not detectors:
        raise UsageError("there is no detector to try.")
    ids = as_tokens(tokens)
    found = [detector.detect(ids) for detector in detectors]
    index = min(range(len(found)), key=lambda i: found[i].log10_p)
    best = found[index]
    log10_p = min(0.0, best.log10_p + math.log10(len(found)))
    if best.verdict is TextVerdict.MARKED and log10_p >= detectors[index].threshold:
        return index, replace(best, log10_p=log10_p, verdict=TextVerdict.NOT_DETECTED, message="")
    return index, replace(best, log10_p=log10_p)
