"""Which of many equal patterns is sent: the one that the sound resembles already.

A payload has 256 messages (one a nonce), and the pattern may begin at any of its 256 columns: the detector
finds the place anyway. The host's own chips are the noise that the detector sees; sending the pattern that
correlates best with them turns a part of that noise into signal. The best of 32 x 256 nearly independent
patterns lies about 3.8 standard deviations above the mean, and costs no change of the sound at all.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from labeler.watermark.code import encode
from labeler.watermark.message import NONCES, candidates
from labeler.watermark.sound.layout import SoundLayout
from labeler.watermark.sound.profile import BANDS, COLUMNS, Floats

__all__ = ["Choice", "choose"]

_NONCES_TRIED = 32


@dataclass(frozen=True, slots=True)
class Choice:
    """The pattern of a file.

    Attributes:
        pattern: (40, 256) chips +-1; column c of the file uses ``pattern[:, c % 256]``.
        score: correlation with the host, standard deviations.
    """

    pattern: Floats
    score: float


def choose(payload: bytes, layout: SoundLayout, host: Floats) -> Choice:
    """Choose nonce and phase.

    Args:
        payload: 8 bytes.
        layout: the key's layout.
        host: (40, n) statistic of the chips of the beginning of the file, from column 0.
    """
    folded = fold_columns(host)
    # Which nonces are tried depends on the sound, so files of one payload differ in their code words.
    first = hashlib.sha256(np.round(folded).astype(np.int16).tobytes()).digest()[0] % NONCES
    messages = candidates(payload, layout.key, first=first, count=_NONCES_TRIED)
    patterns = layout.pattern(encode(messages))
    spectrum = np.conj(np.fft.rfft(folded, axis=1))
    scores = np.fft.irfft((np.fft.rfft(patterns, axis=2) * spectrum).sum(axis=1), COLUMNS, axis=1)
    row, shift = np.unravel_index(int(scores.argmax()), scores.shape)
    energy = float(np.sqrt((folded**2).sum())) + 1e-9
    return Choice(np.roll(patterns[row], -int(shift), axis=1), float(scores[row, shift]) / energy)


def fold_columns(values: Floats) -> Floats:
    """Sum of all periods of (40, n) columns: (40, 256)."""
    periods = -(-values.shape[1] // COLUMNS)
    padded = np.zeros((BANDS, periods * COLUMNS), np.float32)
    padded[:, : values.shape[1]] = values
    return np.asarray(padded.reshape(BANDS, periods, COLUMNS).sum(axis=1), np.float32)
