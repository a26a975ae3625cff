"""Programme loudness after ITU-R BS.1770-4: K-weighting, 400 ms blocks, absolute and relative gate.

The two filters of the K-weighting are applied as a frequency response to the whole stretch at once, so that no
loop over samples is needed; what wraps around is the 30 ms tail of a high-pass at 38 Hz, kept out by zeros.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["SILENCE", "Floats", "front", "loudness"]

Floats: TypeAlias = npt.NDArray[np.float32]

SILENCE = -70.0
"""LUFS: the absolute gate of BS.1770; what is below counts as silence."""

_BLOCK = 0.4
_RELATIVE = -10.0
_OFFSET = -0.691
_TAIL = 0.1


def front(channels: int) -> int:
    """How many channels, from the first, carry the mark: the front pair, or the only one."""
    return min(channels, 2)


def _weights(channels: int) -> npt.NDArray[np.float64]:
    """Weight of every channel's power: 1, surround 1.41, low-frequency effects 0 (order of WAVE files)."""
    weights = np.ones(channels)
    if channels == 5:
        weights[3:] = 1.41
    elif channels >= 6:
        weights[3] = 0
        weights[4:] = 1.41
    return weights


def _k_response(frequency: npt.NDArray[Any], rate: int) -> npt.NDArray[Any]:
    """Magnitude of the K-weighting at these frequencies, Hz; the filters designed anew for every rate."""
    z = np.exp(-2j * np.pi * frequency / rate)
    k, q = np.tan(np.pi * 1681.974450955533 / rate), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    mid = high**0.4996667741545416
    shelf = (high + mid * k / q + k * k) + 2 * (k * k - high) * z + (high - mid * k / q + k * k) * z * z
    shelf /= (1 + k / q + k * k) + 2 * (k * k - 1) * z + (1 - k / q + k * k) * z * z
    k, q = np.tan(np.pi * 38.13547087602444 / rate), 0.5003270373238773
    a0 = 1 + k / q + k * k
    low = (1 - z) ** 2 / (1 + 2 * (k * k - 1) / a0 * z + (1 - k / q + k * k) / a0 * z * z)
    return np.asarray(np.abs(shelf * low))


def loudness(samples: Floats, rate: int) -> float:
    """Gated loudness of a stretch of sound.

    Args:
        samples: float32 (n, channels), full scale 1; a few seconds.
        rate: Hz.

    Returns:
        LUFS, not below `SILENCE`. A stretch shorter than 400 ms is one block.
    """
    n, channels = samples.shape
    if n == 0:
        return SILENCE
    size = cv2.getOptimalDFTSize(n + round(_TAIL * rate))
    size += size % 2
    response = _k_response(np.fft.rfftfreq(size, 1 / rate), rate)
    step = round(_BLOCK / 4 * rate)
    power = np.zeros(max(n // step, 1))
    for weight, channel in zip(_weights(channels), samples.T, strict=True):
        if weight:
            heard = (
                np.fft.irfft(np.fft.rfft(np.nan_to_num(channel, posinf=0, neginf=0), size) * response, size)[
                    :n
                ]
                ** 2
            )
            whole = heard[: n // step * step].reshape(-1, step) if n >= step else heard[None]
            power += weight * whole.mean(axis=1)
    blocks = np.convolve(power, np.full(4, 0.25), "valid") if len(power) >= 4 else power.mean(keepdims=True)
    blocks = blocks[blocks > 10 ** ((SILENCE - _OFFSET) / 10)]
    if not len(blocks):
        return SILENCE
    blocks = blocks[blocks >= blocks.mean() * 10 ** (_RELATIVE / 10)]
    return float(_OFFSET + 10 * np.log10(blocks.mean()))
