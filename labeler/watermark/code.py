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

__all__ = ["CODE_BITS", "GENERATORS", "MEMORY", "MESSAGE_BITS", "decode", "encode"]

Bits: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]

MEMORY = 12
GENERATORS = (0o11145, 0o12477, 0o15537, 0o16727)
"""Taps, most significant bit = the newest message bit."""
MESSAGE_BITS = 96
RATE = len(GENERATORS)
CODE_BITS = MESSAGE_BITS * RATE
_HALF = 1 << (MEMORY - 1)
_LEAD = 72  # steps before the kept turn
_TAIL = 60  # steps after it, about five times the memory


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

    Args:
        soft: soft decisions, shape (B, 384); positive means code bit 0, the scale is free.

    Returns:
        Message bits, shape (B, 96), uint8.
    """
    batch = soft.shape[0]
    steps = np.ascontiguousarray(soft, np.float32).reshape(batch * MESSAGE_BITS, RATE)
    branch = (steps @ _branch_signs()).reshape(batch, MESSAGE_BITS, _HALF).transpose(1, 0, 2)
    branch = np.ascontiguousarray(branch)
    total = _LEAD + MESSAGE_BITS + _TAIL
    survivors = np.empty((total, batch, _HALF, 2), np.bool_)
    metric = np.zeros((batch, _HALF, 2), np.float32)
    for step in range(total):
        # Old state: (oldest bit, i); new state: 2 i + newest bit.
        old = metric.reshape(batch, 2, _HALF)
        gain = branch[(step - _LEAD) % MESSAGE_BITS]
        low, high = old[:, 0], old[:, 1]
        plus_low, minus_low = low + gain, low - gain
        plus_high, minus_high = high + gain, high - gain
        survivor = survivors[step]
        np.greater(minus_high, plus_low, out=survivor[:, :, 0])
        np.greater(plus_high, minus_low, out=survivor[:, :, 1])
        metric = np.empty((batch, _HALF, 2), np.float32)
        np.maximum(plus_low, minus_high, out=metric[:, :, 0])
        np.maximum(minus_low, plus_high, out=metric[:, :, 1])
    state = metric.reshape(batch, 2 * _HALF).argmax(axis=1)
    flat = survivors.reshape(total, batch, 2 * _HALF)
    rows = np.arange(batch)
    message = np.empty((batch, MESSAGE_BITS), np.uint8)
    for step in range(total - 1, _LEAD - 1, -1):
        if step < _LEAD + MESSAGE_BITS:
            message[:, step - _LEAD] = state & 1
        state = (state >> 1) + _HALF * flat[step, rows, state]
    return message
