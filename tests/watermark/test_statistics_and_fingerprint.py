from __future__ import annotations

import numpy as np
import pytest
from watermark_pictures import textured

from labeler.bench.attacks import OPERATIONS
from labeler.watermark.fingerprint import compare, fingerprint
from labeler.watermark.layout import KeyStream
from labeler.watermark.statistics import accept_log10, correlation, sync_log10, sync_score


def test_sync_tail_is_below_its_bound() -> None:
    rng = np.random.default_rng(1)
    lines = (rng.normal(size=(64, 2)) @ [1, 1j] * rng.exponential(size=64)).astype(np.complex64)
    z = []
    for number in range(4000):
        phase = KeyStream(bytes(32), f"test {number}").words(64).astype(np.float64) * (2 * np.pi / 2**32)
        top, variance = sync_score(lines, phase.astype(np.float32), np.ones(64, np.float32))
        z.append(top / variance**0.5)
    scores = np.array(z)
    for level in (1.0, 2.0, 3.0):
        assert (scores >= level).mean() <= np.exp(-(level**2) / 2)
    assert abs(scores.std() - 1) < 0.1


def test_codeword_tail_is_below_its_bound() -> None:
    rng = np.random.default_rng(2)
    values = (rng.normal(size=3000) * rng.exponential(size=3000)).astype(np.float32)
    rho = []
    for _ in range(4000):
        top, energy = correlation(values, np.ones(3000, np.float32), rng.choice([-1.0, 1.0], 3000))
        rho.append(top / energy**0.5)
    scores = np.array(rho)
    for level in (1.0, 2.0, 3.0):
        assert (scores >= level).mean() <= np.exp(-(level**2) / 2)


def test_probabilities_fall_with_evidence_and_grow_with_looks() -> None:
    assert accept_log10(5, 1) == pytest.approx(-24 * np.log10(2))
    assert accept_log10(15, 1) < accept_log10(14, 1) < -20
    assert accept_log10(14, 100) == pytest.approx(accept_log10(14, 1) + 2)
    assert sync_log10(0, 1e6) == 0
    assert sync_log10(10, 1) == pytest.approx(-50 * np.log10(np.e))


def test_fingerprint_is_frozen() -> None:
    y, x = np.mgrid[0:240, 0:320]
    picture = ((x * 3 + y * y // 64) % 256).astype(np.uint8)
    assert fingerprint(picture) == "4d3178c011a8117a41ff25093f897cd7"


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("jpeg", {"quality": 30}),
        ("webp", {"quality": 50}),
        ("resize", {"factor": 0.4}),
        ("blur", {"sigma": 2}),
        ("noise", {"sigma": 10}),
        ("gamma", {"exponent": 1.3}),
        ("contrast", {"percent": -20}),
        ("grey", {}),
    ],
)
def test_fingerprint_survives(name: str, parameters: dict[str, float]) -> None:
    picture = textured(seed=11)
    changed = OPERATIONS[name](picture, np.random.default_rng(0), **parameters)
    assert compare(fingerprint(picture), fingerprint(changed)) == "agree"


def test_fingerprint_tells_pictures_apart() -> None:
    marks = [fingerprint(textured(seed=seed)) for seed in range(12)]
    results = [compare(a, b) for i, a in enumerate(marks) for b in marks[i + 1 :]]
    assert results.count("agree") == 0
    assert results.count("differs") >= 0.95 * len(results)
    assert compare("", marks[0]) == "unknown"
    assert compare("0" * 32, "0" * 26 + "7fffff") == "unknown"


def test_fingerprints_of_the_first_version_are_compared_as_ever() -> None:
    """They are the first 32 of the 128 bits."""
    now = fingerprint(textured(seed=11))
    assert compare(now[:8], now) == compare(now, now[:8]) == "agree"
    other = f"{int(now[:8], 16) ^ 0x3FF:08x}"
    assert compare(other, now) == "differs"
    assert compare("00000000", "0000007f") == "unknown"
    assert compare(now, now[:16]) == "unknown"
