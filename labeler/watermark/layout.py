"""Where the mark lies: the keyed lattice of profile 1.

The mark is a sum of cosines that are periodic over a tile of 128 x 128 px of the working frame. Its
frequencies are the lattice points (kx, ky)/128 of the half plane ``kx > 0 or (kx = 0 and ky > 0)`` with
``4 <= |k| <= 30``. From the key come, by SHA-256 in counter mode (:class:`KeyStream`):

* 64 sync lines of the ring 6..16, spread over all angles, each with a phase per carrier;
* for each carrier the code bit and the chip (+-1) of every quadrature of every other line. Lines are taken
  ring by ring and dealt out 384 at a time, so every code bit gets one quadrature of each ring: no code bit
  consists of high frequencies only;
* a sign per line and cell: cell (i, j) of 128 px uses row ``4 (i mod 4) + (j mod 4)``, so the payload is not
  periodic and cannot be folded out without the key. Sync lines are periodic over all cells.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labeler.watermark.code import CODE_BITS

__all__ = [
    "CELL_CLASSES",
    "CELL_PERIOD",
    "TILE",
    "Carrier",
    "KeyStream",
    "Layout",
    "grid_index",
    "line_amplitude",
]

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float32]

TILE = 128
"""Period of the lattice, working px."""
CELL_PERIOD = 4
"""Cells repeat after so many tiles in each direction."""
CELL_CLASSES = CELL_PERIOD**2
RADIUS_MIN, RADIUS_MAX = 4, 30
VIDEO_RADIUS_MIN, VIDEO_RADIUS_MAX = 8, 18
CHROMA_RADIUS_MAX = 28
"""Chroma is kept in a frame of half the resolution, whose Nyquist frequency is |k| = 32."""
SYNC_LINES = 64
SYNC_MIN, SYNC_MAX = 6, 16
GRID_ROWS, GRID_COLUMNS = 2 * RADIUS_MAX + 1, RADIUS_MAX + 1


class KeyStream:
    """Bytes from a key: block n is SHA-256(key || label || n), n as four bytes, most significant first.

    Args:
        key: 32 bytes.
        label: what the bytes are for; different labels give independent streams.
    """

    def __init__(self, key: bytes, label: str) -> None:
        self._prefix = key + label.encode()
        self._counter = 0
        self._rest = b""

    def read(self, length: int) -> bytes:
        """The next ``length`` bytes."""
        blocks = [self._rest]
        have = len(self._rest)
        while have < length:
            blocks.append(hashlib.sha256(self._prefix + self._counter.to_bytes(4, "big")).digest())
            self._counter += 1
            have += 32
        data = b"".join(blocks)
        self._rest = data[length:]
        return data[:length]

    def words(self, count: int) -> npt.NDArray[np.uint64]:
        """``count`` 32-bit words, most significant byte first."""
        return np.frombuffer(self.read(4 * count), ">u4").astype(np.uint64)

    def signs(self, count: int) -> Floats:
        """``count`` values +-1, one bit each, most significant bit first; bit 0 is +1."""
        bits = np.unpackbits(np.frombuffer(self.read(-(-count // 8)), np.uint8))[:count]
        return (1 - 2 * bits.astype(np.float32)).astype(np.float32)

    def permutation(self, count: int) -> Ints:
        """The order that sorts ``count`` 64-bit words (two 32-bit words each); ties keep their order."""
        words = self.words(2 * count)
        return np.argsort(words[0::2] << np.uint64(32) | words[1::2], kind="stable")


def grid_index(k: Ints) -> Ints:
    """Index of lines (n, 2) of (kx >= 0, ky) in a flattened spectrum grid of 61 rows (ky) x 31 columns (kx)."""
    index: Ints = (k[:, 1] + RADIUS_MAX) * GRID_COLUMNS + k[:, 0]
    return index


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """The keyed assignment of one carrier (luma or chroma).

    With n payload lines there are 2n quadratures ("dims"): dim 2i is the real, 2i+1 the imaginary part of
    line i.

    Attributes:
        lines: (n, 2) int, (kx, ky) of the payload lines, by radius.
        grid: (n,) int, index of the lines in the spectrum grid.
        radius: (n,) float32, abs(k).
        amplitude: (n,) float32, relative amplitude of a line.
        bit: (2n,) int, the code bit that a dim carries.
        chip: (2n,) float32, +-1.
        cells: (16, n) float32, +-1: sign of a line in each cell class.
        slots: (r, 384) int, the dims of each code bit; missing ones point to 2n (a zero).
        sync_phase: (64,) float32, phases of the sync lines, rad.
        sync_amplitude: (64,) float32, on the scale of ``amplitude``.
    """

    lines: Ints
    grid: Ints
    radius: Floats
    amplitude: Floats
    bit: Ints
    chip: Floats
    cells: Floats
    slots: Ints
    sync_phase: Floats
    sync_amplitude: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """Everything that follows from a key and a profile; compared and hashed as an object.

    Attributes:
        key: the derived 32-byte key.
        sync: (64, 2) int, (kx, ky) of the sync lines, by angle.
        sync_grid: (64,) int, their index in the spectrum grid.
        luma: the luma carrier.
        chroma: the blue-difference carrier; in the layout of video, which has none, the luma carrier once more.
    """

    key: bytes
    sync: Ints
    sync_grid: Ints
    luma: Carrier
    chroma: Carrier

    @classmethod
    def of(cls, key: bytes) -> Layout:
        """The layout of a derived key; the last few are remembered."""
        return _layout(key)

    @classmethod
    def of_video(cls, key: bytes) -> Layout:
        """The layout of video: luma only, lines with ``8 <= |k| <= 18`` (sync to 16), all of the same strength."""
        return _video_layout(key)


def _half_plane(radius_max: int, radius_min: int = RADIUS_MIN) -> Ints:
    """Lattice points with radius_min <= |k| <= radius_max, sorted by (|k|^2, ky, kx)."""
    ky, kx = np.mgrid[-radius_max : radius_max + 1, 0 : radius_max + 1]
    k = np.stack([kx.ravel(), ky.ravel()], axis=1).astype(np.int64)
    square = (k**2).sum(axis=1)
    upper = (k[:, 0] > 0) | (k[:, 1] > 0)
    keep = upper & (square >= radius_min**2) & (square <= radius_max**2)
    k, square = k[keep], square[keep]
    ordered: Ints = k[np.lexsort((k[:, 0], k[:, 1], square))]
    return ordered


def _sync_lines(key: bytes, radius_min: int = SYNC_MIN) -> Ints:
    """One line from each of 64 groups of neighbouring angles, by angle.

    The lines of the ring are sorted by angle atan2(ky, kx) in (-90, 90] degrees, then by radius; group g is
    the g-th of 64 nearly equal parts. A 32-bit word w picks member floor(w n / 2^32) of n.
    """
    k = _half_plane(SYNC_MAX)
    square = (k**2).sum(axis=1)
    k, square = k[square >= radius_min**2], square[square >= radius_min**2]
    angle = np.round(np.arctan2(k[:, 1], k[:, 0]) * 1e6).astype(np.int64)
    k = k[np.lexsort((square, angle))]
    words = KeyStream(key, "sync lines").words(SYNC_LINES)
    chosen = []
    for group in range(SYNC_LINES):
        start, stop = group * len(k) // SYNC_LINES, (group + 1) * len(k) // SYNC_LINES
        chosen.append(k[start + (int(words[group]) * (stop - start) >> 32)])
    return np.array(chosen, np.int64)


def _carrier(key: bytes, name: str, sync: Ints, radius_max: int, radius_min: int = RADIUS_MIN) -> Carrier:
    k = _half_plane(radius_max, radius_min)
    k = k[~(k[:, None, :] == sync[None, :, :]).all(axis=2).any(axis=1)]
    radius = np.sqrt((k**2).sum(axis=1)).astype(np.float32)
    dims = 2 * len(k)
    order = KeyStream(key, f"{name} order")
    bit = np.empty(dims, np.int64)
    slots = np.full((-(-dims // CODE_BITS), CODE_BITS), dims, np.int64)
    for row, start in enumerate(range(0, dims, CODE_BITS)):
        dealt = order.permutation(CODE_BITS)[: dims - start]
        bit[start : start + len(dealt)] = dealt
        slots[row, dealt] = np.arange(start, start + len(dealt))
    phase = KeyStream(key, f"{name} sync phase").words(SYNC_LINES).astype(np.float64) * (2 * np.pi / 2**32)
    amplitude = line_amplitude(name, radius)
    sync_radius = np.sqrt((sync**2).sum(axis=1))
    sync_amplitude = line_amplitude(name, sync_radius) * np.sqrt(_SYNC_SHARE / (1 - _SYNC_SHARE))
    sync_amplitude *= np.sqrt((amplitude**2).sum() / (line_amplitude(name, sync_radius) ** 2).sum())
    return Carrier(
        lines=k,
        grid=grid_index(k),
        radius=radius,
        amplitude=amplitude,
        bit=bit,
        chip=KeyStream(key, f"{name} chips").signs(dims),
        cells=KeyStream(key, f"{name} cells").signs(CELL_CLASSES * len(k)).reshape(CELL_CLASSES, -1),
        slots=slots,
        sync_phase=phase.astype(np.float32),
        sync_amplitude=sync_amplitude.astype(np.float32),
    )


_SYNC_SHARE = 0.20
"""Share of the energy of a carrier that its sync lines get."""


def line_amplitude(name: str, radius: npt.NDArray[np.floating]) -> Floats:
    """Relative amplitude of a line.

    Luma: |k|^-0.35 exp(-(|k|/25)^4) (1 - exp(-(|k|/6)^2)), the band that codecs and scaling leave;
    chroma: |k|^-1.1 exp(-(|k|/26)^4); video: the same for all.
    """
    if name == "video":
        return np.ones(np.shape(radius), np.float32)
    if name == "luma":
        band = np.exp(-((radius / 25) ** 4)) * (1 - np.exp(-((radius / 6) ** 2)))
        return np.asarray(radius**-0.35 * band, np.float32)
    return np.asarray(radius**-1.1 * np.exp(-((radius / 26) ** 4)), np.float32)


@lru_cache(maxsize=8)
def _layout(key: bytes) -> Layout:
    sync = _sync_lines(key)
    return Layout(
        key=key,
        sync=sync,
        sync_grid=grid_index(sync),
        luma=_carrier(key, "luma", sync, RADIUS_MAX),
        chroma=_carrier(key, "chroma", sync, CHROMA_RADIUS_MAX),
    )


@lru_cache(maxsize=8)
def _video_layout(key: bytes) -> Layout:
    sync = _sync_lines(key, VIDEO_RADIUS_MIN)
    carrier = _carrier(key, "video", sync, VIDEO_RADIUS_MAX, VIDEO_RADIUS_MIN)
    return Layout(key=key, sync=sync, sync_grid=grid_index(sync), luma=carrier, chroma=carrier)
