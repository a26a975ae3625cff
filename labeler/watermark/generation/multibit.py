"""Multi-bit Gumbel-max: 32 bits in the choice of tokens, without changing the model's distribution.

Message: the first 24 bits of the mark_id and their CRC-8 (polynomial x^8 + x^2 + x + 1, initial value 0), four
bytes. Every context names one of the four places by a keyed draw, and the byte at that place, the symbol,
chooses which of 256 keyed streams the Gumbel noise is taken from (after Kuditipudi et al. 2023, Fernandez et
al. 2023 and Yoo et al. 2024; the mapping below is our own):

* place = word 0 of ``Philox(counter (0, s0, s1, s2), key (k0 ^ s3, k1 ^ 0x4C425053))`` mod 4;
* word of token v and symbol m = word ``m mod 4`` of ``Philox(counter (v, s0, s1, s2), key (k0 ^ s3 ^ (m >> 2),
  k1 ^ 0x4C424D42))``, s the context state of `labeler.watermark.generation.philox`.

Decoding sums ``-ln(1 - u)`` per place and symbol, and finds the most likely of the 2^24 valid messages exactly.
The CRC is linear, ``check = A(a) ^ B(b) ^ C(c)``, with invertible A, B, C, so after renaming the symbols the
valid messages are those with ``x ^ y ^ z ^ w = 0``, and two (max, +) XOR-convolutions of 256 values find the
best one. The check byte so corrects errors rather than only showing them: any two valid messages differ in at
least two places. False finds are bounded by the sum over all valid messages: ``p <= 2^24 P(Erlang >= best)``.

That p speaks of "no mark". Which message is a second question: edits can leave enough to see that there is one
and too little to read it. The scores of two messages that differ in two places differ by noise of variance S, for
S scored tokens, so a message is given only if it leads all others by sqrt(S), one standard deviation.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labeler.errors import UsageError
from labeler.watermark.generation.candidates import Candidates
from labeler.watermark.generation.contexts import as_tokens, check_width
from labeler.watermark.generation.detectors import (
    ACCEPT_LOG10,
    Detection,
    TextVerdict,
    check_options,
    judge,
    pieces,
    unique_states,
)
from labeler.watermark.generation.philox import Ints, State, TokenPRF, Words, uniform
from labeler.watermark.generation.samplers import columns
from labeler.watermark.generation.tails import gamma_log10

__all__ = [
    "MESSAGE_BYTES",
    "MultibitGumbelDetector",
    "MultibitGumbelSampler",
    "best_message",
    "crc8",
    "message_of",
    "prefix_of",
    "runner_up",
]

Floats: TypeAlias = npt.NDArray[np.float64]

MESSAGE_BYTES = 4
_PREFIX_BITS = 24
_SYMBOLS = 256
_PLACE_DOMAIN, _SYMBOL_DOMAIN = 0x4C425053, 0x4C424D42
_CHUNK = 512  # tokens of which all 256 streams are computed at once


def crc8(data: bytes) -> int:
    """CRC-8 with polynomial 0x07, initial value 0, no reflection (CRC-8/SMBUS).

    >>> hex(crc8(b"123456789"))
    '0xf4'
    """
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ (0x07 if value & 0x80 else 0)) & 0xFF
    return value


def prefix_of(mark_id: str) -> bytes:
    """The first 24 bits of a mark_id.

    Args:
        mark_id: at least 6 hex digits, lower case; the 14 of a full mark_id, as a rule.

    Raises:
        UsageError: it is something else.
    """
    if not re.fullmatch("[0-9a-f]{6,14}", mark_id):
        raise UsageError(f"a mark_id is 6 to 14 hex digits, not {mark_id!r}.")
    return bytes.fromhex(mark_id[:6])


def message_of(mark_id: str) -> str:
    """The 32 bits that a text carries for a mark_id, 8 hex digits: 24 bits and their check.

    >>> message_of("0123456789abcd")
    '01234526'
    """
    prefix = prefix_of(mark_id)
    return (prefix + bytes([crc8(prefix)])).hex()


@lru_cache(maxsize=1)
def _check_maps() -> npt.NDArray[np.intp]:
    """What each of three message bytes adds to the check byte, shape (3, 256)."""
    rows = [
        [crc8(bytes(value if place == at else 0 for at in range(3))) for value in range(_SYMBOLS)]
        for place in range(3)
    ]
    return np.array(rows, np.intp)


def best_message(scores: Floats) -> tuple[bytes, float]:
    """The valid message with the largest sum of scores, exactly.

    Args:
        scores: of every symbol at every place, shape (4, 256).

    Returns:
        Four bytes, the last of which is the check of the others, and their sum.
    """
    maps = _check_maps()
    renamed = np.empty((MESSAGE_BYTES, _SYMBOLS))
    renamed[3] = scores[3]
    for place in range(3):
        renamed[place, maps[place]] = scores[place]
    symbols = np.arange(_SYMBOLS)
    partner = symbols[:, None] ^ symbols  # [sum, x] -> the symbol that makes this sum with x
    left = renamed[0][None, :] + renamed[1][partner]
    right = renamed[2][None, :] + renamed[3][partner]
    total = int((left.max(axis=1) + right.max(axis=1)).argmax())
    x, z = int(left[total].argmax()), int(right[total].argmax())
    chosen = (x, total ^ x, z)
    prefix = bytes(int(np.flatnonzero(maps[place] == chosen[place])[0]) for place in range(3))
    message = prefix + bytes([crc8(prefix)])
    return message, _total(scores, message)


def runner_up(scores: Floats, message: bytes) -> float:
    """The largest sum of a valid message other than this one: every other one differs at some place."""
    sums = []
    for place in range(MESSAGE_BYTES):
        barred = scores.copy()
        barred[place, message[place]] = -np.inf
        sums.append(best_message(barred)[1])
    return max(sums)


def _total(scores: Floats, message: bytes) -> float:
    return float(sum(scores[place, message[place]] for place in range(MESSAGE_BYTES)))


def _places(prf: TokenPRF, state: State) -> npt.NDArray[np.intp]:
    drawn = prf.draw(state, np.zeros(1, np.uint64), domain=_PLACE_DOMAIN)[0]
    return (drawn & np.uint64(MESSAGE_BYTES - 1)).astype(np.intp)


@dataclass(frozen=True, slots=True, kw_only=True)
class MultibitGumbelSampler:
    """Keyed Gumbel-max sampling that carries 24 bits of a mark_id and 8 check bits.

    Attributes:
        key: 0 to 2^64 - 1.
        mark_id: 6 to 14 hex digits; the first six are carried.
        context_width: tokens of context, 1 to 16.
    """

    key: int = field(repr=False)
    mark_id: str
    context_width: int = 4

    def __post_init__(self) -> None:
        check_width(self.context_width)
        TokenPRF(key=self.key)
        prefix_of(self.mark_id)

    @property
    def keyed_choice(self) -> bool:
        """The key, the message and the context decide alone."""
        return True

    def scores(self, candidates: Candidates, contexts: Ints) -> Floats:
        """``logit - ln(-ln u)``, u the keyed number of context, candidate and symbol."""
        prf = TokenPRF(key=self.key)
        state = prf.context(contexts)
        message = np.frombuffer(bytes.fromhex(message_of(self.mark_id)), np.uint8).astype(np.uint64)
        symbol = message[_places(prf, state)][:, None]
        four = prf.draw(
            columns(state),
            candidates.ids.astype(np.uint64),
            domain=_SYMBOL_DOMAIN,
            stream=symbol >> np.uint64(2),
        )
        words = np.choose(np.broadcast_to((symbol & np.uint64(3)).astype(np.intp), four[0].shape), four)
        noisy: Floats = candidates.logits - np.log(-np.log(uniform(words)))
        return noisy


@dataclass(frozen=True, slots=True, kw_only=True)
class MultibitGumbelDetector:
    """Reader of the 32 bits.

    Attributes:
        key: 0 to 2^64 - 1.
        context_width: as when sampling.
        threshold: log10 p below which a message counts as read, all valid messages taken into account.
        min_scored: below so many scored tokens a text without evidence is too short to tell.
    """

    key: int = field(repr=False)
    context_width: int = 4
    threshold: float = ACCEPT_LOG10
    min_scored: int = 100

    def __post_init__(self) -> None:
        check_options(self.key, self.context_width, self.threshold, self.min_scored)

    def detect(self, tokens: npt.ArrayLike, *, expected: str = "") -> Detection:
        """Read a text's message, or test for one that another layer names.

        Args:
            tokens: token ids, shape (N,).
            expected: a mark_id; then only its message is tested, and p is that of this one test. A text whose
                best message is another one, by the same margin, is not detected. Empty: the best of all 2^24
                messages.

        Returns:
            The finding. Its message is empty if the text is not marked, or is marked but not readable.
        """
        ids = as_tokens(tokens)
        scores, scored = self.symbol_scores(ids)
        message, score = best_message(scores)
        margin = math.sqrt(scored)
        if expected:
            wanted = bytes.fromhex(message_of(expected))
            other = wanted != message and score - _total(scores, wanted) >= margin
            message, score = wanted, _total(scores, wanted)
            log10_p = gamma_log10(score, scored)
            verdict = judge(log10_p, scored, threshold=self.threshold, min_scored=self.min_scored)
            if other and verdict is TextVerdict.MARKED:
                verdict = TextVerdict.NOT_DETECTED
            readable = True
        else:
            log10_p = min(0.0, gamma_log10(score, scored) + _PREFIX_BITS * math.log10(2))
            verdict = judge(log10_p, scored, threshold=self.threshold, min_scored=self.min_scored)
            readable = verdict is TextVerdict.MARKED and score - runner_up(scores, message) >= margin
        return Detection(
            scheme="gumbel-32",
            verdict=verdict,
            tokens=ids.size,
            scored=scored,
            score=score,
            log10_p=log10_p,
            message=message.hex() if readable and verdict is TextVerdict.MARKED else "",
        )

    def symbol_scores(self, ids: Ints) -> tuple[Floats, int]:
        """Sums of ``-ln(1 - u)`` of every symbol at every place, shape (4, 256), and the tokens scored."""
        prf = TokenPRF(key=self.key)
        state, tokens = unique_states(prf, ids, self.context_width)
        places = _places(prf, state)
        scores = np.zeros((MESSAGE_BYTES, _SYMBOLS))
        streams: Words = np.arange(_SYMBOLS // 4, dtype=np.uint64)
        for part in pieces(tokens.size, _CHUNK):
            part_state = columns((state[0][part], state[1][part], state[2][part], state[3][part]))
            counter = tokens[part].astype(np.uint64)[:, None]
            four = prf.draw(part_state, counter, domain=_SYMBOL_DOMAIN, stream=streams)
            words = np.stack(four, axis=-1).reshape(-1, _SYMBOLS)
            member = (places[part] == np.arange(MESSAGE_BYTES)[:, None]).astype(np.float64)
            scores += member @ -np.log1p(-uniform(words))
        return scores, int(tokens.size)
