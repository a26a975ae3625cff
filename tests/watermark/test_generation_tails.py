from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeler.watermark.generation.tails import (
    binomial_log10,
    gamma_log10,
    mixture_log10,
    mixture_scores,
    signs_log10,
)


@given(shape=st.integers(1, 300), score=st.floats(0.01, 600))
@settings(max_examples=60, deadline=None)
def test_the_erlang_tail_is_the_plain_poisson_sum(shape: int, score: float) -> None:
    plain = math.fsum(math.exp(-score + k * math.log(score) - math.lgamma(k + 1)) for k in range(shape))
    assert gamma_log10(score, shape) == pytest.approx(math.log10(min(1.0, plain)), abs=1e-9)


@given(trials=st.integers(1, 200), share=st.floats(0.05, 0.95), hits=st.integers(0, 200))
@settings(max_examples=60, deadline=None)
def test_the_binomial_tail_is_the_plain_sum(trials: int, share: float, hits: int) -> None:
    plain = math.fsum(
        math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(hits, trials + 1)
    )
    expected = -math.inf if plain == 0 else math.log10(min(1.0, plain))
    assert binomial_log10(hits, trials, share) == pytest.approx(expected, abs=1e-8)


def test_tails_far_below_the_smallest_float() -> None:
    assert gamma_log10(10_000.0, 1000) < -2900
    assert binomial_log10(5000, 5000, 0.5) == pytest.approx(-5000 * math.log10(2))
    assert signs_log10(60.0) < -780
    assert mixture_log10(4000.0, 500) < -300


def test_the_bound_for_signs_is_a_bound_and_does_not_jump() -> None:
    assert [signs_log10(z) for z in (-3.0, 0.0)] == [0.0, 0.0]
    assert 10 ** signs_log10(10**0.5) >= 2**-10  # ten equal signs, all positive
    assert abs(signs_log10(29.9999) - signs_log10(30.0001)) < 0.01


def test_nothing_scored_is_no_evidence() -> None:
    assert gamma_log10(0.0, 0) == binomial_log10(0, 0, 0.5) == mixture_log10(0.0, 0) == 0.0


@pytest.mark.parametrize("count", [20, 100])
def test_the_mixture_tail_agrees_with_simulation(count: int) -> None:
    rng = np.random.default_rng(count)
    sums = np.sort(mixture_scores(rng.random((40_000, count))).sum(axis=1))[::-1]
    assert mixture_log10(float(sums[4000]), count) >= -1.0  # cautious where nothing is to be decided
    for rank in (40, 400):
        assert mixture_log10(float(sums[rank]), count) == pytest.approx(
            math.log10(rank / sums.size), abs=0.15
        )


def test_the_mixture_tail_falls_with_the_score() -> None:
    values = [mixture_log10(score, 100) for score in np.linspace(-20.0, 400.0, 300)]
    assert values[0] == 0.0
    assert all(a >= b - 0.05 for a, b in itertools.pairwise(values))
