"""Which stretches of a clip carry which mark.

Every slot is read in the geometry that was found: ``rho``, the correlation of its code bits with the codeword, is
about a standard normal number without the mark and several times that with it. The most likely sequence of marked and
unmarked slots follows from these numbers by the Viterbi algorithm with a price for every change of state. What is
left unmarked is then read for other payloads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labeler.watermark.analysis import spectrum
from labeler.watermark.code import encode
from labeler.watermark.decoding import Evidence, observe
from labeler.watermark.embedding import gather
from labeler.watermark.layout import CELL_CLASSES, CELL_PERIOD, Layout
from labeler.watermark.message import candidates
from labeler.watermark.motion.frames import HALF_TILE
from labeler.watermark.motion.views import plain

__all__ = ["runs", "slot_scores"]

Floats: TypeAlias = npt.NDArray[np.float32]

_CHANGE = 6.0  # price of a change of state, nats
_EXPECTED_MIN, _EXPECTED_SHARE = 0.8, 0.5
_EXPECTED_MAX = 7.0


def slot_scores(
    planes: Sequence[Floats],
    align: Callable[[Floats], Floats],
    payload: bytes,
    layout: Layout,
    *,
    cells: bool,
    read: tuple[int, int],
) -> Floats:
    """How clearly each slot carries a payload: (n,) float32, about standard normal without it.

    Args:
        planes: (h, w) whitened slots in order of time.
        align: brings one, or a sum of them, onto the lattice.
        payload: 8 bytes.
        layout: the key's layout.
        cells: whether the class of the first cell is unknown.
        read: first slot and one after the last where the payload was read: which nonce it has is seen there.
    """
    total = align(plain(planes[read[0] : read[1]]))
    words = 1 - 2 * encode(candidates(payload, layout.key)).astype(np.float32)
    whole = Evidence(luma=spectrum(total, HALF_TILE), chroma=None)
    places = range(CELL_CLASSES if cells else 1)
    fits = [words @ gather(_votes(whole, layout, place), layout.luma) for place in places]
    place = int(np.argmax([fit.max() for fit in fits]))
    signs = words[int(fits[place].argmax())][layout.luma.bit]
    scores = np.empty(len(planes), np.float32)
    for index, plane in enumerate(planes):
        votes = _votes(Evidence(luma=spectrum(align(plane), HALF_TILE), chroma=None), layout, place)
        scores[index] = float(votes @ signs) / max(float(np.sqrt(votes @ votes)), 1e-9)
    return scores


def _votes(evidence: Evidence, layout: Layout, place: int) -> Floats:
    return observe(evidence, layout, row=place // CELL_PERIOD, column=place % CELL_PERIOD).values


def runs(scores: Floats) -> list[tuple[int, int]]:
    """Marked stretches as half-open ranges of slots.

    Args:
        scores: (n,) from :func:`slot_scores`.
    """
    strong = scores[scores >= np.median(scores)]
    level = float(np.clip(_EXPECTED_SHARE * strong.mean(), _EXPECTED_MIN, _EXPECTED_MAX))
    gains = level * scores - level**2 / 2  # log likelihood of a mark of that level against none
    best = np.zeros(2)
    back = np.zeros((len(scores), 2), np.int64)
    for index, gain in enumerate(gains):
        stay, change = best, best[::-1] - _CHANGE
        back[index] = np.where(stay >= change, (0, 1), (1, 0))
        best = np.maximum(stay, change) + np.array([0.0, gain])
    state = int(best.argmax())
    states = np.zeros(len(scores), np.int64)
    for index in range(len(scores) - 1, -1, -1):
        states[index] = state
        state = int(back[index, state])
    edges = np.flatnonzero(np.diff(np.concatenate([[0], states, [0]])))
    return [(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]
