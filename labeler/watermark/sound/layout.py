"""Which chip carries what: the keyed pattern of audio profile 1.

The pattern has 256 columns of 40 bands. From the derived key come, by SHA-256 in counter mode
(:class:`labeler.watermark.layout.KeyStream`):

* "sync": for every column in turn a permutation of the 40 bands, whose first 8 are sync chips;
* "order": a permutation of the other 8192 chips, counted column by column and from low to high band; the
  chip at place i of the permutation carries code bit i mod 384;
* "signs": the sign of all 10240 chips, column by column.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from labeler.watermark.code import CODE_BITS, Bits
from labeler.watermark.layout import KeyStream
from labeler.watermark.sound.profile import BANDS, COLUMNS, SYNC_BANDS, Floats, Ints

__all__ = ["SoundLayout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundLayout:
    """Everything that follows from a key.

    Attributes:
        key: the derived 32-byte key.
        signs: (40, 256) float32, +-1.
        sync: (40, 256) float32, the signs of sync chips, 0 elsewhere.
        bit: (40, 256) int, code bit of a data chip, 384 for sync chips.
        order: (8192,) int, flat places (band * 256 + column) of the data chips, sorted by code bit.
        starts: (384,) int, where each code bit begins in ``order``.
    """

    key: bytes
    signs: Floats
    sync: Floats
    bit: Ints
    order: Ints
    starts: Ints

    @classmethod
    def of(cls, key: bytes) -> SoundLayout:
        """The layout of a derived key; the last few are remembered."""
        return _layout(key)

    def pattern(self, words: Bits) -> Floats:
        """Chips +-1 of code words (..., 384): shape (..., 40, 256)."""
        values = np.ones((*words.shape[:-1], CODE_BITS + 1), np.float32)
        values[..., :CODE_BITS] -= 2 * words.astype(np.float32)
        return np.asarray(values[..., self.bit] * self.signs, np.float32)

    def soft(self, cells: Floats) -> Floats:
        """Sums of sign-corrected chips (..., 40, 256) over every code bit: (..., 384)."""
        flat = (cells * self.signs).reshape(*cells.shape[:-2], -1)
        return np.asarray(np.add.reduceat(flat[..., self.order], self.starts, axis=-1), np.float32)


@lru_cache(maxsize=16)
def _layout(key: bytes) -> SoundLayout:
    stream = KeyStream(key, "sync")
    is_sync = np.zeros((COLUMNS, BANDS), bool)
    for column in range(COLUMNS):
        is_sync[column, stream.permutation(BANDS)[:SYNC_BANDS]] = True
    data = np.flatnonzero(~is_sync)
    bit = np.full(COLUMNS * BANDS, CODE_BITS, np.int64)
    bit[data[KeyStream(key, "order").permutation(len(data))]] = np.arange(len(data)) % CODE_BITS
    signs = KeyStream(key, "signs").signs(COLUMNS * BANDS).reshape(COLUMNS, BANDS).T
    bit = np.ascontiguousarray(bit.reshape(COLUMNS, BANDS).T)
    order = np.argsort(bit.ravel(), kind="stable")[: len(data)]
    return SoundLayout(
        key=key,
        signs=np.ascontiguousarray(signs),
        sync=np.where(is_sync.T, signs, 0).astype(np.float32),
        bit=bit,
        order=order,
        starts=np.searchsorted(bit.ravel()[order], np.arange(CODE_BITS)),
    )
