"""Samplers: how a step chooses among its candidates so that the choice can be recognised.

* `GumbelSampler`: the Gumbel-max trick with keyed noise (Aaronson 2022; vLLM ``gumbel``). The token with the
  largest ``logit - ln(-ln u)`` is chosen. Averaged over keys the model's distribution is unchanged.
* `TournamentSampler`: SynthID-Text (Dathathri et al., Nature 634, 2024), two-candidate tournament in closed
  form, with the bits of one keyed word as g-values: in each layer ``p <- p (1 + g - sum g p)``. Also unbiased.
* `GreenListSampler`: a keyed share gamma of all tokens is green and gets delta added to its logit
  (Kirchenbauer et al., ICML 2023), by independent keyed trials instead of a permutation. It changes the
  distribution, and marks greedy choices too.

The multi-bit sampler is in `labeler.watermark.generation.multibit`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from labeler.errors import UsageError
from labeler.watermark.generation.candidates import Candidates, log_softmax
from labeler.watermark.generation.contexts import check_width, last_context, repeated
from labeler.watermark.generation.philox import Ints, State, TokenPRF, Words, uniform

__all__ = [
    "MAX_DEPTH",
    "GreenListSampler",
    "GumbelSampler",
    "Sampler",
    "TournamentSampler",
    "choose",
    "columns",
    "green",
    "layer_bits",
]

Floats: TypeAlias = npt.NDArray[np.float64]

MAX_DEPTH = 32
"""Layers of a tournament: bits of one keyed word."""


class Sampler(Protocol):
    """What `choose` and the adapters need of a scheme."""

    @property
    def context_width(self) -> int:
        """Tokens of context."""

    @property
    def keyed_choice(self) -> bool:
        """Whether the largest score is the choice; otherwise the scores are logits to draw from."""

    def scores(self, candidates: Candidates, contexts: Ints) -> Floats:
        """Scores or logits of the candidates, shape (B, K), after contexts, shape (B, W)."""


def columns(state: State) -> State:
    """States of shape (B,) as (B, 1), to go with candidates (B, K)."""
    return (state[0][:, None], state[1][:, None], state[2][:, None], state[3][:, None])


def layer_bits(words: Words, depth: int) -> npt.NDArray[np.uint8]:
    """g-values: bit ``l`` of the words, shape (..., depth), least significant first."""
    return (words[..., None] >> np.arange(depth, dtype=np.uint64) & np.uint64(1)).astype(np.uint8)


def green(words: Words, gamma: float) -> npt.NDArray[np.bool_]:
    """Whether words are green: ``word < gamma 2^32``."""
    mask: npt.NDArray[np.bool_] = words < np.uint64(round(gamma * 2**32))
    return mask


@dataclass(frozen=True, slots=True, kw_only=True)
class GumbelSampler:
    """Keyed Gumbel-max sampling, as vLLM's ``gumbel`` with ``philox4x32-10-v1``.

    Attributes:
        key: 0 to 2^64 - 1.
        context_width: tokens of context, 1 to 16.
    """

    key: int = field(repr=False)
    context_width: int = 4

    def __post_init__(self) -> None:
        check_width(self.context_width)
        TokenPRF(key=self.key)

    @property
    def keyed_choice(self) -> bool:
        """The key and the context decide alone."""
        return True

    def scores(self, candidates: Candidates, contexts: Ints) -> Floats:
        """``logit - ln(-ln u)``, u the keyed number of context and candidate."""
        prf = TokenPRF(key=self.key)
        words = prf.token_words(columns(prf.context(contexts)), candidates.ids)
        noisy: Floats = candidates.logits - np.log(-np.log(uniform(words)))
        return noisy


@dataclass(frozen=True, slots=True, kw_only=True)
class TournamentSampler:
    """SynthID-style tournament sampling.

    Attributes:
        key: 0 to 2^64 - 1.
        context_width: tokens of context, 1 to 16.
        depth: layers, 1 to 32.
    """

    key: int = field(repr=False)
    context_width: int = 4
    depth: int = 30

    def __post_init__(self) -> None:
        check_width(self.context_width)
        TokenPRF(key=self.key)
        if not 1 <= self.depth <= MAX_DEPTH:
            raise UsageError(f"a tournament has 1 to {MAX_DEPTH} layers, not {self.depth}.")

    @property
    def keyed_choice(self) -> bool:
        """The key changes the distribution; the draw itself is random."""
        return False

    def scores(self, candidates: Candidates, contexts: Ints) -> Floats:
        """Logarithms of the candidates' probabilities after all layers."""
        prf = TokenPRF(key=self.key)
        words = prf.token_words(columns(prf.context(contexts)), candidates.ids)
        layers = np.moveaxis(layer_bits(words, self.depth), -1, 0).astype(np.float64, order="C")
        share = np.exp(log_softmax(candidates.logits))
        work = np.empty_like(share)
        for g, gain in zip(layers, layers + 1.0, strict=True):
            mass = np.multiply(g, share, out=work).sum(axis=-1, keepdims=True)
            share *= np.subtract(gain, mass, out=work)
        with np.errstate(divide="ignore"):
            logs: Floats = np.log(np.maximum(share, 0.0))
        return logs


@dataclass(frozen=True, slots=True, kw_only=True)
class GreenListSampler:
    """Green-list bias.

    Attributes:
        key: 0 to 2^64 - 1.
        context_width: tokens of context, 1 to 16.
        gamma: share of green tokens, in (0, 1).
        delta: added to the logits of green tokens, nats; at least 0.
    """

    key: int = field(repr=False)
    context_width: int = 4
    gamma: float = 0.5
    delta: float = 2.0

    def __post_init__(self) -> None:
        check_width(self.context_width)
        TokenPRF(key=self.key)
        if not 0 < self.gamma < 1 or not self.delta >= 0:
            raise UsageError("gamma lies between 0 and 1, and delta is not negative.")

    @property
    def keyed_choice(self) -> bool:
        """The key changes the distribution; the draw itself is random."""
        return False

    def scores(self, candidates: Candidates, contexts: Ints) -> Floats:
        """Logits, with delta added where the candidate is green."""
        prf = TokenPRF(key=self.key)
        words = prf.token_words(columns(prf.context(contexts)), candidates.ids)
        return candidates.logits + self.delta * green(words, self.gamma)


def choose(
    sampler: Sampler | None,
    candidates: Candidates,
    generated: Ints,
    *,
    rng: np.random.Generator,
    deduplicate: bool = True,
    free_start: bool = False,
) -> Ints:
    """Choose the next token of every text of a batch.

    Args:
        sampler: the scheme, or None to choose without a mark.
        candidates: of this step, shape (B, K).
        generated: tokens chosen so far, without the prompt, shape (B, N).
        rng: for the choices that the key does not decide.
        deduplicate: do not mark after a context that this text had before. Turning it off makes texts
            repeat themselves and adds nothing to the evidence.
        free_start: do not mark the first ``context_width`` tokens. The first context is the same in every
            text, so a keyed first token makes equal prompts begin, and with the Gumbel scheme go on, alike.

    Returns:
        Token ids, shape (B,), int64.
    """
    free = candidates.logits + rng.gumbel(size=candidates.logits.shape)
    if sampler is None or (free_start and generated.shape[1] < sampler.context_width):
        best = free.argmax(axis=1)
    else:
        width = sampler.context_width
        scores = sampler.scores(candidates, last_context(generated, width))
        if not sampler.keyed_choice:
            scores = scores + rng.gumbel(size=scores.shape)
        if deduplicate:
            scores = np.where(repeated(generated, width)[:, None], free, scores)
        best = scores.argmax(axis=1)
    return np.take_along_axis(candidates.ids, best[:, None], axis=1)[:, 0]
