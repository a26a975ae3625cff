"""The error-correcting code: tail-biting convolutional, rate 1/4, memory 12, 96 bits -> 384 bits.

Encoder: code bit ``4 t + g`` is the parity of generator ``g`` over the message bits
``t, t-1, ..., t-12`` (indices modulo 96, so the trellis is circular and no tail bits are spent).
Decoder: the circular Viterbi algorithm (Cox and Sundberg, 1994) on soft decisions: the trellis is run a
little more than twice around and the middle turn is kept. All four generators have their first and last
tap set, so the four branches of a butterfly carry +m, -m, -m, +m and a step costs a few vector operations.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["CODE_BITS", "GENERATORS", "MEMORY", "MESSAGE_BITS", "decode", "decode_reliable", "encode"]

Bits: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]

MEMORY = 12
GENERATORS = (0o11145, 0o12477, 0o15537, 0o16727)
"""Taps, most significant bit = the newest message bit."""
MESSAGE_BITS = 96
RATE = len(GENERATORS)
CODE_BITS = MESSAGE_BITS * RATE
_HALF = 1 << (MEMORY - 1)
_TURN = 6  # steps after which positions and states coincide again
_LEAD = 60  # steps before the kept turn, a multiple of 6
_TAIL = 60  # steps after it, about five times the memory
_LEVELS = (2**15 - 1) // (RATE * (_LEAD + MESSAGE_BITS + _TAIL))  # so that no metric leaves 16 bits
_CLIP = 3.08  # of the rms: louder soft decisions count no more


@lru_cache(maxsize=1)
def _generator_matrix() -> Floats:
    """The 96 x 384 binary matrix of the code, as float32 for a BLAS product."""
    matrix = np.zeros((MESSAGE_BITS, CODE_BITS), np.float32)
    for g, taps in enumerate(GENERATORS):
        for delay in range(MEMORY + 1):
            if taps >> (MEMORY - delay) & 1:
                source = np.arange(MESSAGE_BITS)
                matrix[source, (source + delay) % MESSAGE_BITS * RATE + g] = 1
    return matrix


@lru_cache(maxsize=1)
def _branch_signs() -> Floats:
    """Signs (4, 2048): outputs, as +-1, on the branch (state i, newest bit 0), oldest bit 0.

    A state holds the last 12 message bits, the newest in bit 0; +1 stands for code bit 0.
    """
    state = np.arange(_HALF, dtype=np.int64)
    signs = np.empty((RATE, _HALF), np.float32)
    for g, taps in enumerate(GENERATORS):
        parity = np.zeros(_HALF, np.int64)
        for delay in range(1, MEMORY + 1):
            if taps >> (MEMORY - delay) & 1:
                parity ^= state >> (delay - 1) & 1
        signs[g] = 1 - 2 * parity
    return signs


def encode(message: Bits) -> Bits:
    """Encode messages.

    Args:
        message: bits, shape (..., 96).

    Returns:
        Code bits, shape (..., 384), uint8.
    """
    if message.shape[-1] != MESSAGE_BITS:
        raise ValueError(f"a message has {MESSAGE_BITS} bits, not {message.shape[-1]}")
    product = message.astype(np.float32) @ _generator_matrix()
    return (product.astype(np.int32) & 1).astype(np.uint8)


def decode(soft: Floats) -> Bits:
    """Maximum-likelihood (circular) decoding of a batch.

    The path metrics stay in place: at step t the state is the position rotated left by ``t mod 6`` bits, so
    the oldest message bit, which the newest replaces, is a bit of the position whose neighbours are at least
    64 apart, and every operation runs over contiguous memory. After six steps a transposition of 64 x 64 brings
    positions and states together again. Soft decisions are rounded to 75 levels, so that metrics fit 16 bits: twice
    as fast as float32, for 5 in 1,000 marks at the edge (1,752 of 3,600 noisy codewords against 1,760).

    Args:
        soft: soft decisions, shape (B, 384); positive means code bit 0, the scale is free.

    Returns:
        Message bits, shape (B, 96), uint8.
    """
    batch = soft.shape[0]
    scale = _LEVELS / (_CLIP * np.sqrt((soft**2).mean(axis=1, keepdims=True)) + 1e-9)
    levels = np.clip(np.rint(soft * scale), -_LEVELS, _LEVELS).astype(np.float32)
    steps = levels.reshape(batch, MESSAGE_BITS // _TURN, _TURN, RATE)
    tables = _phase_signs()
    gains = [(steps[:, :, p] @ tables[p]).transpose(1, 0, 2) for p in range(_TURN)]
    branches = [np.ascontiguousarray(gain, np.int16) for gain in gains]
    total = _LEAD + MESSAGE_BITS + _TAIL
    survivors = np.empty((total, batch, 2 * _HALF), np.bool_)
    metric, spare = np.zeros((2, batch, 2 * _HALF), np.int16)
    work = np.empty((2, batch, _HALF), np.int16)
    for step in range(total):
        phase = step % _TURN
        if phase == 0 and step:
            square = metric.reshape(batch, 64, 64).transpose(0, 2, 1)
            spare.reshape(batch, 64, 64)[...] = square
            metric, spare = spare, metric
        bit = MEMORY - 1 - phase
        shape = (batch, 1 << phase, 2, 1 << bit)
        old, new, chosen = metric.reshape(shape), spare.reshape(shape), survivors[step].reshape(shape)
        half = (batch, 1 << phase, 1 << bit)
        one, two = work[0].reshape(half), work[1].reshape(half)
        gain = branches[phase][(step - _LEAD) % MESSAGE_BITS // _TURN].reshape(half)
        low, high = old[:, :, 0], old[:, :, 1]
        np.add(low, gain, out=one)
        np.subtract(high, gain, out=two)
        np.greater(two, one, out=chosen[:, :, 0])
        np.maximum(one, two, out=new[:, :, 0])
        np.subtract(low, gain, out=one)
        np.add(high, gain, out=two)
        np.greater(two, one, out=chosen[:, :, 1])
        np.maximum(one, two, out=new[:, :, 1])
        metric, spare = spare, metric
    return _trace(survivors, metric.argmax(axis=1))


def _trace(survivors: npt.NDArray[np.bool_], place: npt.NDArray[np.int64]) -> Bits:
    """Follow the survivors back from the best end positions (B,) and read the middle turn."""
    total, batch = survivors.shape[:2]
    rows = np.arange(batch)
    message = np.empty((batch, MESSAGE_BITS), np.uint8)
    for step in range(total - 1, _LEAD - 1, -1):
        phase = step % _TURN
        bit = MEMORY - 1 - phase
        if step < _LEAD + MESSAGE_BITS:
            message[:, step - _LEAD] = place >> bit & 1
        oldest = survivors[step, rows, place].astype(np.int64)
        place = place & ~(1 << bit) | oldest << bit
        if phase == 0:
            place = _rotate(place, _TURN)
    return message


def _rotate(place: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """Rotate 12-bit numbers left."""
    mask = (1 << MEMORY) - 1
    rotated: npt.NDArray[np.int64] = (place << count | place >> (MEMORY - count)) & mask
    return rotated


@lru_cache(maxsize=1)
def _phase_signs() -> list[Floats]:
    """:func:`_branch_signs` in the order of positions, for each of the six phases."""
    tables = []
    for phase in range(_TURN):
        bit = MEMORY - 1 - phase
        place = np.arange(2 * _HALF, dtype=np.int64)
        place = place[place >> bit & 1 == 0]
        state = _rotate(place, phase) & (_HALF - 1)
        tables.append(np.ascontiguousarray(_branch_signs()[:, state]))
    return tables


@lru_cache(maxsize=1)
def _columns() -> list[int]:
    """Columns of the generator matrix as 96-bit numbers; message bit t is bit t."""
    matrix = _generator_matrix().astype(np.uint8)
    return [sum(1 << int(row) for row in np.flatnonzero(matrix[:, column])) for column in range(CODE_BITS)]


def decode_reliable(soft: Floats) -> Bits:
    """The message that agrees with the most reliable independent code bits: a fast first guess.

    Ordered statistics decoding of order 0 (Fossorier and Lin 1995). Right when the 96 strongest independent
    decisions are right, which holds for a mark that is little damaged; takes a fraction of :func:`decode`.

    Args:
        soft: soft decisions, shape (384,); positive means code bit 0.

    Returns:
        Message bits, shape (96,), uint8.
    """
    columns = _columns()
    hard = (soft < 0).tolist()
    value = 1 << MESSAGE_BITS  # marks the right-hand side of an equation
    mask = value - 1
    basis: dict[int, int] = {}
    for place in np.argsort(-np.abs(soft)).tolist():
        equation = columns[place] | (value if hard[place] else 0)
        while equation & mask:
            lead = (equation & mask).bit_length() - 1
            if lead not in basis:
                basis[lead] = equation
                break
            equation ^= basis[lead]
        if len(basis) == MESSAGE_BITS:
            break
    message = np.zeros(MESSAGE_BITS, np.uint8)
    solved = 0
    for lead in range(MESSAGE_BITS):  # lower bits are known when a higher one is solved
        equation = basis[lead]
        known = (equation & mask & ~(1 << lead) & solved).bit_count() & 1
        bit = (equation >> MESSAGE_BITS) ^ known
        message[lead] = bit
        solved |= bit << lead
    return message
