"""A toy language model: an interpolated trigram model over text of our own making.

It stands in for a language model in tests and benchmarks of generation-time watermarks: it has a vocabulary,
it gives logits, some of its steps are nearly certain and others wide open, and its temperature can be set so
that it makes about three bits of choice per token. Smoothing is Witten and Bell's (1991): a context seen c
times with t different continuations is trusted with weight c / (c + t), the rest goes to the shorter context.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labeler.bench.toy_text import document, repetitive
from labeler.watermark.generation.candidates import Warp, log_softmax, top_candidates
from labeler.watermark.generation.samplers import Sampler, choose

__all__ = ["Generated", "ToyModel", "calibrate", "generate", "train"]

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

_FLOOR = 1e-4  # of every unigram probability, so that no token is impossible


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyModel:
    """A trigram model.

    Attributes:
        language: ``en`` or ``zh``.
        vocabulary: V tokens.
        corpus: the training text as ids, shape (N,); prompts are taken from it.
        bigram: probabilities after one token, smoothed, shape (V, V).
        contexts: the token pairs seen, as ``first V + second``, ascending, shape (C,).
        starts: where the continuations of each pair begin, shape (C + 1,).
        followers: token ids, grouped by pair.
        shares: their probabilities, already weighted by the trust in the pair.
        backoff: the weight left for the bigram, shape (C,).
    """

    language: str
    vocabulary: tuple[str, ...]
    corpus: Ints
    bigram: Floats
    contexts: Ints
    starts: Ints
    followers: Ints
    shares: Floats
    backoff: Floats

    def encode(self, tokens: Iterable[str]) -> Ints:
        """Ids of tokens; unknown ones are left out."""
        index = {token: i for i, token in enumerate(self.vocabulary)}
        return np.array([index[token] for token in tokens if token in index], np.int64)

    def logits(self, history: Ints) -> Floats:
        """Logarithms of the probabilities of the next token.

        Args:
            history: at least two tokens each, shape (B, N).

        Returns:
            Shape (B, V).
        """
        first, second = history[:, -2], history[:, -1]
        out = self.bigram[second]
        pair = first * len(self.vocabulary) + second
        at = np.minimum(np.searchsorted(self.contexts, pair), self.contexts.size - 1)
        rows = np.flatnonzero(self.contexts[at] == pair)
        seen = at[rows]
        out[rows] *= self.backoff[seen][:, None]
        lengths = self.starts[seen + 1] - self.starts[seen]
        offsets = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        source = np.repeat(self.starts[seen], lengths) + offsets
        out[np.repeat(rows, lengths), self.followers[source]] += self.shares[source]
        return np.log(out)

    def prompts(self, count: int, length: int, *, rng: np.random.Generator) -> Ints:
        """Stretches of the training text, shape (count, length)."""
        start = rng.integers(0, self.corpus.size - length, count)
        return np.asarray(self.corpus[start[:, None] + np.arange(length)], np.int64)


def train(language: str, *, tokens: int = 60_000, seed: int = 1) -> ToyModel:
    """Train on seeded documents of about 400 tokens each."""
    rng = np.random.default_rng([seed, len(language), ord(language[0])])
    words: list[str] = []
    while len(words) < tokens:
        words += document(language, 400, rng=rng)
    extra = repetitive(language, 2000, rng=rng)
    vocabulary = tuple(sorted({*words, *extra}))
    index = {word: i for i, word in enumerate(vocabulary)}
    ids = np.array([index[word] for word in words], np.int64)
    size = len(vocabulary)

    unigram = np.bincount(ids, minlength=size) + 0.0
    unigram = (1 - _FLOOR) * unigram / unigram.sum() + _FLOOR / size
    pairs = np.bincount(ids[:-1] * size + ids[1:], minlength=size * size).reshape(size, size)
    seen, kinds = pairs.sum(axis=1), (pairs > 0).sum(axis=1)
    whole = np.maximum(seen + kinds, 1)[:, None]
    bigram = (pairs + np.where(seen > 0, kinds, 1)[:, None] * unigram) / whole

    triples, counts = np.unique((ids[:-2] * size + ids[1:-1]) * size + ids[2:], return_counts=True)
    contexts, starts, kinds = np.unique(triples // size, return_index=True, return_counts=True)
    total = np.add.reduceat(counts, starts) + kinds
    return ToyModel(
        language=language,
        vocabulary=vocabulary,
        corpus=ids,
        bigram=bigram,
        contexts=contexts,
        starts=np.append(starts, triples.size),
        followers=triples % size,
        shares=counts / np.repeat(total, kinds),
        backoff=kinds / total,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """Texts that the toy model wrote.

    Attributes:
        tokens: shape (B, N), without the prompts.
        entropy: mean entropy of the distributions chosen from, bits per token.
    """

    tokens: Ints
    entropy: float


def generate(
    model: ToyModel,
    sampler: Sampler | None,
    *,
    texts: int,
    tokens: int,
    seed: int,
    warp: Warp,
    prompt: int = 8,
    deduplicate: bool = True,
) -> Generated:
    """Write texts side by side, each after another prompt.

    Args:
        model: toy model.
        sampler: scheme, or None for no mark.
        texts: B.
        tokens: N.
        seed: of the prompts and of what the key does not decide.
        warp: temperature, top-k, top-p.
        prompt: tokens of each prompt.
        deduplicate: see `choose`.
    """
    rng = np.random.default_rng(seed)
    history = np.empty((texts, prompt + tokens), np.int64)
    history[:, :prompt] = model.prompts(texts, prompt, rng=rng)
    entropy = 0.0
    for at in range(prompt, prompt + tokens):
        candidates = top_candidates(model.logits(history[:, :at]), warp)
        logs = log_softmax(candidates.logits)
        share = np.exp(logs)
        entropy -= float((share * np.where(share > 0, logs, 0.0)).sum())
        history[:, at] = choose(sampler, candidates, history[:, prompt:at], rng=rng, deduplicate=deduplicate)
    return Generated(tokens=history[:, prompt:], entropy=entropy / (texts * tokens * np.log(2.0)))


def calibrate(model: ToyModel, bits: float, *, seed: int = 3, top_k: int = 100) -> Warp:
    """The temperature at which unmarked text has about so many bits of entropy per token.

    Eight bisections on 32 texts of 50 tokens; right to about 0.1 bit.
    """
    low, high = 0.2, 3.0
    for _ in range(8):
        warp = Warp(temperature=(low + high) / 2, top_k=top_k)
        entropy = generate(model, None, texts=32, tokens=50, seed=seed, warp=warp).entropy
        low, high = (warp.temperature, high) if entropy < bits else (low, warp.temperature)
    return Warp(temperature=round((low + high) / 2, 3), top_k=top_k)
