from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeler.core.keys import PUBLIC_KEY, WatermarkKey
from labeler.errors import UsageError
from labeler.watermark.generation.philox import VERSION, TokenPRF, generation_key, philox4x32, uniform
from labeler.watermark.generation.samplers import columns

MASK = 0xFFFFFFFF


def _scalar_philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10 in plain integers, written from the paper (section 4.3), one block at a time."""
    c, k = list(counter), list(key)
    for _ in range(10):
        first, second = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [(second >> 32) ^ c[1] ^ k[0], second & MASK, (first >> 32) ^ c[3] ^ k[1], first & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


def _scalar_word(key: int, context: list[int], token: int) -> int:
    """The word of one token after one context, in plain integers."""
    low, high = key & MASK, key >> 32
    state = [0x574D4358, len(context), 0, 0]
    for offset in range(0, len(context), 4):
        block = [context[offset + i] & MASK if offset + i < len(context) else MASK - i for i in range(4)]
        state = _scalar_philox([s ^ b for s, b in zip(state, block, strict=True)], [low ^ offset, high])
    return _scalar_philox([token >> 2, *state[:3]], [low ^ state[3], high ^ 0x574D544B])[token & 3]


def _array(*values: int) -> np.ndarray:
    return np.array(values, np.uint64)


# Random123's known-answer vectors (kat_vectors, philox4x32 10).
@pytest.mark.parametrize(
    ("counter", "key", "out"),
    [
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([MASK] * 4, [MASK] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_known_answers_of_random123(counter: list[int], key: list[int], out: list[int]) -> None:
    words = philox4x32(
        (_array(counter[0]), _array(counter[1]), _array(counter[2]), _array(counter[3])),
        (_array(key[0]), _array(key[1])),
    )
    assert [int(word[0]) for word in words] == out
    assert _scalar_philox(counter, key) == out


def test_the_compatibility_vector_of_vllm() -> None:
    prf = TokenPRF(key=42)
    state = columns(prf.context(np.array([[1, 2, 3, 4], [4, 5, 6, 7]])))
    words = prf.token_words(state, np.array([[7, 8]]))
    mantissas = words >> np.uint64(8)
    assert VERSION == "philox4x32-10-v1"
    assert mantissas.tolist() == [[1661833, 10571167], [9742331, 13375724]]
    assert np.array_equal(uniform(words), (mantissas + 1) / (2**24 + 1))


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ([9], [0x5051D847, 0x61AF5DEB, 0x12D6A555, 0x9FC3C372, 0xCE6DAF40]),
        ([-1, -1, -1, 5], [0x15984A1A, 0xFE9B4BBC, 0xB5851C55, 0xF0986C1E, 0x52DA83B5]),
        ([1, 2, 3, 4, 5, 6], [0x5872AB97, 0x8C38D84F, 0xC2107F9A, 0xC0B40153, 0xF69F7F13]),
    ],
)
def test_the_vectors_of_the_documentation(context: list[int], words: list[int]) -> None:
    prf = TokenPRF(key=42)
    tokens = np.array([[0, 1, 2, 3, 7]])
    assert prf.token_words(columns(prf.context(np.array([context]))), tokens)[0].tolist() == words
    assert [_scalar_word(42, context, token) for token in (0, 1, 2, 3, 7)] == words


word32 = st.integers(0, MASK)


@given(
    key=st.integers(0, 2**64 - 1),
    context=st.lists(st.integers(-1, MASK), min_size=1, max_size=9),
    token=word32,
)
@settings(max_examples=60, deadline=None)
def test_words_equal_the_scalar_construction(key: int, context: list[int], token: int) -> None:
    prf = TokenPRF(key=key)
    expected = _scalar_word(key, context, token)
    assert int(prf.words(np.array([context]), np.array([token]))[0]) == expected


@given(counter=st.tuples(word32, word32, word32, word32), key=st.tuples(word32, word32))
@settings(max_examples=60, deadline=None)
def test_philox_equals_the_scalar_one_and_broadcasts(
    counter: tuple[int, int, int, int], key: tuple[int, int]
) -> None:
    rows = np.array([[counter[0]], [0]], np.uint64)
    words = philox4x32(
        (rows, _array(counter[1]), _array(counter[2]), _array(counter[3])),
        (_array(key[0], 5), _array(key[1])),
    )
    assert words[0].shape == (2, 2)
    assert [int(word[0, 0]) for word in words] == _scalar_philox(list(counter), list(key))
    assert [int(word[1, 1]) for word in words] == _scalar_philox([0, *counter[1:]], [5, key[1]])


def test_words_are_uniform_and_independent_of_neighbours() -> None:
    contexts = np.stack(np.meshgrid(np.arange(40), np.arange(50), [3], [9], indexing="ij"), -1).reshape(-1, 4)
    prf = TokenPRF(key=7)
    values = uniform(prf.token_words(columns(prf.context(contexts)), np.arange(50)[None]))
    assert values.min() > 0 and values.max() < 1
    counts = np.histogram(values, bins=20, range=(0, 1))[0]
    expected = values.size / 20
    assert ((counts - expected) ** 2 / expected).sum() < 43.8  # chi-square, 19 degrees of freedom, p = 0.001
    correlation = np.corrcoef(values[:, :-1].ravel(), values[:, 1:].ravel())[0, 1]
    assert abs(correlation) < 4 / values.size**0.5


def test_keys() -> None:
    assert generation_key(PUBLIC_KEY) == generation_key(PUBLIC_KEY) < 1 << 64
    assert generation_key(WatermarkKey.from_secret(bytes(32))) != generation_key(PUBLIC_KEY)
    assert "42" not in repr(TokenPRF(key=42))
    for bad in (-1, 1 << 64):
        with pytest.raises(UsageError, match="2\\^64"):
            TokenPRF(key=bad)
