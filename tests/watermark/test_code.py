from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeler.watermark.code import CODE_BITS, MESSAGE_BITS, decode, encode

messages = st.binary(min_size=12, max_size=12).map(lambda b: np.unpackbits(np.frombuffer(b, np.uint8)))


def soft(word: np.ndarray) -> np.ndarray:
    return (1 - 2 * word.astype(np.float32)).astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(messages)
def test_clean_words_decode_to_themselves(message: np.ndarray) -> None:
    assert (decode(soft(encode(message))[None])[0] == message).all()


@settings(max_examples=20, deadline=None)
@given(messages, messages)
def test_the_code_is_linear(one: np.ndarray, two: np.ndarray) -> None:
    assert (encode(one ^ two) == (encode(one) ^ encode(two))).all()


@settings(max_examples=10, deadline=None)
@given(messages, st.integers(1, 95))
def test_the_code_is_circular(message: np.ndarray, shift: int) -> None:
    assert (encode(np.roll(message, shift)) == np.roll(encode(message), 4 * shift)).all()


@settings(max_examples=10, deadline=None)
@given(messages, st.integers(0, 2**32 - 1))
def test_corrects_forty_flipped_bits(message: np.ndarray, seed: int) -> None:
    flips = np.random.default_rng(seed).permutation(CODE_BITS)[:40]
    received = soft(encode(message))
    received[flips] *= -1
    assert (decode(received[None])[0] == message).all()


def test_block_error_rate_at_two_decibels() -> None:
    rng = np.random.default_rng(3)
    sent = rng.integers(0, 2, (48, MESSAGE_BITS)).astype(np.uint8)
    deviation = np.sqrt(4 / 2 / 10**0.2)
    received = soft(encode(sent)) + rng.normal(0, deviation, (48, CODE_BITS)).astype(np.float32)
    assert (decode(received) != sent).any(axis=1).sum() == 0


def test_a_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="96 bits"):
        encode(np.zeros(95, np.uint8))
