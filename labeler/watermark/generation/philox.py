"""The keyed pseudo-random function: Philox4x32-10 over a token context and a candidate token.

Philox4x32-10 is the counter-based generator of Salmon, Moraes, Dror and Shaw (*Parallel Random Numbers: As
Easy as 1, 2, 3*, SC 2011, doi 10.1145/2063384.2063405). The mapping of a context and a token onto counters
and keys is vLLM's ``philox4x32-10-v1``, so a text that vLLM marked is read here and the other way round:

1. The context, the last W token ids (-1 where there are fewer), goes through Philox in blocks of four: the
   state starts as (0x574D4358, W, 0, 0); each block of four ids is XORed into it and the state becomes
   ``Philox(state, key = (k0 ^ offset of the block, k1))``. Missing places of the last block hold 2^32 - 1 - place.
2. The word of token v is word ``v mod 4`` of ``Philox(counter = (v >> 2, s0, s1, s2), key = (k0 ^ s3,
   k1 ^ 0x574D544B))``.

k0 and k1 are the low and the high half of the 64-bit key. Philox is no cryptographic function: somebody who
sees many words may find the key, so the key is derived for this purpose alone (`generation_key`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labeler.core.keys import WatermarkKey
from labeler.errors import UsageError

__all__ = ["VERSION", "Ints", "State", "TokenPRF", "Words", "generation_key", "philox4x32", "uniform"]

Words: TypeAlias = npt.NDArray[np.uint64]
Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
State: TypeAlias = tuple[Words, Words, Words, Words]

VERSION = "philox4x32-10-v1"
"""vLLM's name of this mapping."""

_MASK = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_CONTEXT_DOMAIN, _TOKEN_DOMAIN = 0x574D4358, 0x574D544B
_ROUNDS = 10


def generation_key(key: WatermarkKey) -> int:
    """The 64-bit key of generation-time text marks that belongs to a watermark key (HKDF-SHA256)."""
    return int.from_bytes(key.derive("watermark/text/generation/1", 8), "big")


def _schedule(key: Words, step: int) -> Iterator[Words | np.uint64]:
    """The key of each round; of a key that is the same for all counters in plain integers, which is faster."""
    if key.size == 1:
        first = int(key.flat[0])
        yield from (np.uint64(first + index * step & 0xFFFFFFFF) for index in range(_ROUNDS))
    else:
        yield from (key + np.uint64(index * step & 0xFFFFFFFF) & _MASK for index in range(_ROUNDS))


def philox4x32(counter: State, key: tuple[Words, Words]) -> State:
    """Ten rounds of Philox4x32.

    Args:
        counter: four arrays of 32-bit words, uint64, shapes that broadcast.
        key: two arrays of 32-bit words, uint64, shapes that broadcast with the counter's; a key of one word has
            no more axes than the counter.

    Returns:
        Four arrays of 32-bit words, uint64.
    """
    c0, c1, c2, c3 = counter
    for k0, k1 in zip(_schedule(key[0], _W0), _schedule(key[1], _W1), strict=True):
        one, two = c0 * _M0, c2 * _M1
        c0 = two >> _HALF ^ c1 ^ k0
        c2 = one >> _HALF ^ c3 ^ k1
        c1, c3 = two & _MASK, one & _MASK
    return c0, c1, c2, c3


def uniform(words: Words) -> Floats:
    """Words as numbers in (0, 1): ``((word >> 8) + 1) / (2^24 + 1)``, vLLM's mapping."""
    return ((words >> np.uint64(8)).astype(np.float64) + 1.0) / (2.0**24 + 1.0)


def _word(value: int) -> Words:
    return np.array([value & 0xFFFFFFFF], np.uint64)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPRF:
    """Keyed words of (context, token) pairs.

    Attributes:
        key: 0 to 2^64 - 1.
    """

    key: int = field(repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.key < 1 << 64:
            raise UsageError("the key of a text watermark is a number from 0 to 2^64 - 1.")

    def context(self, contexts: Ints) -> State:
        """The state that stands for a context.

        Args:
            contexts: token ids, oldest first, -1 where there is none, shape (B, ..., W).

        Returns:
            Four arrays of 32-bit words, shape (B, ...).
        """
        width = contexts.shape[-1]
        words = contexts.astype(np.uint64) & _MASK
        shape = contexts.shape[:-1]
        first, second = np.full(shape, _CONTEXT_DOMAIN, np.uint64), np.full(shape, width, np.uint64)
        state: State = (first, second, np.zeros(shape, np.uint64), np.zeros(shape, np.uint64))
        for offset in range(0, width, 4):
            block = [
                words[..., offset + place] if offset + place < width else _word(0xFFFFFFFF - place)
                for place in range(4)
            ]
            counter = (state[0] ^ block[0], state[1] ^ block[1], state[2] ^ block[2], state[3] ^ block[3])
            state = philox4x32(counter, (_word(self.key ^ offset), _word(self.key >> 32)))
        return state

    def token_words(self, state: State, tokens: Ints) -> Words:
        """The words of tokens after a context.

        Args:
            state: of the contexts; shapes that broadcast with the tokens'.
            tokens: token ids; for K candidates of each of B contexts, shapes (B, 1) and (B, K).

        Returns:
            32-bit words, uint64, of the broadcast shape.
        """
        ids = tokens.astype(np.uint64) & _MASK
        four = self.draw(state, ids >> np.uint64(2), domain=_TOKEN_DOMAIN)
        return np.choose((ids & np.uint64(3)).astype(np.intp), four)

    def draw(self, state: State, counter: Words, *, domain: int, stream: Words | None = None) -> State:
        """Four words per (context, counter) in a domain of one's own.

        Args:
            state: of the contexts.
            counter: 32-bit words.
            domain: XORed into the second half of the key; 0x574D544B is vLLM's token domain.
            stream: 32-bit words XORed into the first half of the key, or None for 0.
        """
        s0, s1, s2, s3 = state
        key = s3 ^ _word(self.key) if stream is None else s3 ^ _word(self.key) ^ stream
        return philox4x32((counter, s0, s1, s2), (key, _word(self.key >> 32 ^ domain)))

    def words(self, contexts: Ints, tokens: Ints) -> Words:
        """`token_words` of contexts, shape (B, W), and the token after each, shape (B,)."""
        return self.token_words(self.context(contexts), tokens)
