"""What generation-time text marks cost: a sampling step against its top-k, and detection in tokens per second.

CPU time, the best of several rounds: the machine may be shared. The step's variants run in turn within a
round, so that the ratio is taken under the same load.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from labeler.watermark.generation.candidates import Warp, top_candidates
from labeler.watermark.generation.detectors import Detector
from labeler.watermark.generation.samplers import Sampler, choose

__all__ = ["StepCost", "detection_rates", "step_costs"]

_VOCABULARY = 128_256
_STEPS = 20  # per timing
_GENERATED = 400  # tokens of history searched for repeated contexts


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCost:
    """CPU seconds of one sampling step.

    Attributes:
        mark: choosing among the candidates with the mark, context search included.
        top_k: finding the 100 candidates of 128,256 logits.
    """

    mark: float
    top_k: float

    @property
    def ratio(self) -> float:
        """Cost of the mark over the cost of the top-k."""
        return self.mark / self.top_k


def _seconds(work: Callable[[], object], times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times


def step_costs(samplers: Sequence[tuple[str, Sampler]], *, rounds: int = 7) -> Iterator[tuple[str, StepCost]]:
    """Time a step of every sampler, batch 1."""
    rng = np.random.default_rng(4)
    logits = rng.normal(0, 3, (1, _VOCABULARY)).astype(np.float32)
    generated = rng.integers(0, _VOCABULARY, (1, _GENERATED))
    warp = Warp(top_k=100)
    candidates = top_candidates(logits, warp)
    for name, sampler in samplers:
        mark = partial(choose, sampler, candidates, generated, rng=rng)
        pairs = [
            (_seconds(mark, _STEPS), _seconds(lambda: top_candidates(logits, warp), _STEPS))
            for _ in range(rounds)
        ]
        yield name, StepCost(mark=min(p[0] for p in pairs), top_k=min(p[1] for p in pairs))


def detection_rates(
    detectors: Sequence[tuple[str, Detector]], *, rounds: int = 7, tokens: int = 200_000
) -> Iterator[tuple[str, float, float]]:
    """Tokens per second of every detector on one long text of random ids, and seconds for one of 200 tokens."""
    ids = np.random.default_rng(6).integers(0, _VOCABULARY, tokens)
    for name, detector in detectors:
        part = ids[: tokens // 10] if name == "gumbel-32" else ids
        long = min(_seconds(partial(detector.detect, part), 1) for _ in range(rounds))
        short = min(_seconds(partial(detector.detect, ids[:200]), _STEPS) for _ in range(rounds))
        yield name, part.size / long, short
