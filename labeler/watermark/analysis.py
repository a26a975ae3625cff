"""Whitening, folding and the lattice spectrum: one plane in, normalised line coefficients out.

Whitening divides each pixel's high-pass value by the local deviation, so that textured areas do not drown
the mark of smooth ones and a change of brightness, contrast or gamma changes nothing. The whitened plane is
cut into cells of one tile, cells of the same class are summed, and the discrete Fourier transform of the
sums is taken at the lattice lines only, as two matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.watermark.layout import (
    CELL_CLASSES,
    CELL_PERIOD,
    GRID_COLUMNS,
    GRID_ROWS,
    RADIUS_MAX,
    TILE,
    Carrier,
)

__all__ = [
    "HostEnergy",
    "Spectrum",
    "block_mean",
    "chroma_energy",
    "high_pass",
    "host_energy",
    "line_transform",
    "spectrum",
    "whiten",
]

Floats: TypeAlias = npt.NDArray[np.float32]
Complexes: TypeAlias = npt.NDArray[np.complex64]

_SIGMA_HIGH_PASS = 3.0  # working px
_SIGMA_ENERGY = 2.5
_CLIP = 3.0
FLOOR = 0.02
"""Floor of the local variance of pictures, squared levels; also relative to its mean."""
BLOCK = 4
_SIGMA_GUIDE = 1.5  # blocks
_RIDGE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class HostEnergy:
    """High-pass plane and its local energy.

    Attributes:
        high: (h, w) float32, plane minus its Gaussian low-pass.
        energy: (h/4, w/4) float32, mean of ``high`` squared over blocks of 4 x 4.
        floor: variance below which a place counts as flat, squared levels.
    """

    high: Floats
    energy: Floats
    floor: float = FLOOR


def high_pass(plane: Floats, tile: int = TILE) -> Floats:
    """Plane minus its low-pass, a Gaussian of 3 working px computed at half resolution."""
    height, width = plane.shape
    # Bilinear halving is the mean of 2 x 2 for even sides, and keeps the geometry for odd ones.
    half = cv2.resize(plane, (max(width // 2, 1), max(height // 2, 1)), interpolation=cv2.INTER_LINEAR)
    low = cv2.GaussianBlur(half, (0, 0), _SIGMA_HIGH_PASS * tile / TILE / 2)
    low = cv2.resize(low, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.subtract(plane, low), np.float32)


def host_energy(plane: Floats, tile: int = TILE, floor: float = FLOOR) -> HostEnergy:
    """High-pass plane and block energies of a plane whose tile is ``tile`` px."""
    high = high_pass(plane, tile)
    return HostEnergy(high=high, energy=block_mean(cv2.multiply(high, high)), floor=floor)


def block_mean(plane: Any) -> Floats:
    """Means of whole blocks of 4 x 4; what is left over at the right and bottom is not looked at."""
    rows, columns = max(plane.shape[0] // BLOCK, 1), max(plane.shape[1] // BLOCK, 1)
    whole = plane[: rows * BLOCK, : columns * BLOCK]
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)


def chroma_energy(luma: Floats, blue: Floats, red: Floats) -> HostEnergy:
    """High-pass chroma, less what luma and red difference foretell of it, and its block energies.

    In a photograph the details of Cb follow those of Y and Cr. Their local regression (the guided filter of He,
    Sun and Tang 2013 with two guides) takes away much of the host and little of the mark, which is in Cb alone.

    Args:
        luma: (h, w) float32.
        blue: (h/2, w/2) float32, Cb.
        red: (h/2, w/2) float32, Cr.
    """
    size = (blue.shape[1], blue.shape[0])
    guide = high_pass(np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.float32), TILE // 2)
    other = high_pass(red, TILE // 2)
    high = high_pass(blue, TILE // 2)

    def mean(one: Floats, two: Floats) -> Floats:
        product = block_mean(cv2.multiply(one, two))
        return np.asarray(cv2.GaussianBlur(product, (0, 0), _SIGMA_GUIDE), np.float32)

    gg, oo, go = mean(guide, guide) + _RIDGE, mean(other, other) + _RIDGE, mean(guide, other)
    hg, ho = mean(high, guide), mean(high, other)
    determinant = gg * oo - go * go
    first = cv2.resize((hg * oo - ho * go) / determinant, size, interpolation=cv2.INTER_LINEAR)
    second = cv2.resize((ho * gg - hg * go) / determinant, size, interpolation=cv2.INTER_LINEAR)
    rest = cv2.subtract(high, cv2.add(cv2.multiply(first, guide), cv2.multiply(second, other)))
    return HostEnergy(high=np.asarray(rest, np.float32), energy=block_mean(cv2.multiply(rest, rest)))


def local_variance(host: HostEnergy, tile: int = TILE) -> Floats:
    """Variance map for whitening: energies smoothed by a Gaussian of 5 working px, with its floors."""
    smooth = cv2.GaussianBlur(host.energy, (0, 0), _SIGMA_ENERGY * tile / TILE / BLOCK)
    return np.asarray(smooth + np.float32(FLOOR * float(smooth.mean()) + host.floor), np.float32)


def whiten(host: HostEnergy, tile: int = TILE) -> Floats:
    """Whitened plane: clip(high / sqrt(v), 3) v^-0.3.

    Returns:
        (h, w) float32.
    """
    size = (host.high.shape[1], host.high.shape[0])
    variance = local_variance(host, tile)
    inverse = cv2.resize(cv2.pow(variance, -0.5), size, interpolation=cv2.INTER_LINEAR)
    weight = cv2.resize(cv2.pow(variance, -0.3), size, interpolation=cv2.INTER_LINEAR)
    normal = cv2.multiply(host.high, inverse)
    np.clip(normal, -_CLIP, _CLIP, out=normal)
    return np.asarray(cv2.multiply(normal, weight, dst=normal), np.float32)


@lru_cache(maxsize=4)
def _bases(tile: int) -> tuple[Floats, Complexes]:
    """DFT bases: (tile, 2 x 31) cosines and sines along x, (61, tile) complex along y."""
    x = np.arange(tile)
    angle = 2 * np.pi * np.outer(x, np.arange(GRID_COLUMNS)) / tile
    across = np.concatenate([np.cos(angle), -np.sin(angle)], axis=1)
    rows = np.arange(-RADIUS_MAX, RADIUS_MAX + 1)
    down = np.exp(-2j * np.pi * np.outer(rows, x) / tile)
    return across.astype(np.float32), down.astype(np.complex64)


def fold(plane: Floats, tile: int = TILE) -> Floats:
    """Sum cells of the same class: (h, w) -> (16, tile, tile), cells at the edges may be incomplete."""
    period = CELL_PERIOD * tile
    folded = np.zeros((period, period), np.float32)
    for top in range(0, plane.shape[0], period):
        for left in range(0, plane.shape[1], period):
            part = plane[top : top + period, left : left + period]
            folded[: part.shape[0], : part.shape[1]] += part
    cells = folded.reshape(CELL_PERIOD, tile, CELL_PERIOD, tile)
    ordered = cells.transpose(0, 2, 1, 3).reshape(CELL_CLASSES, tile, tile)
    return np.ascontiguousarray(ordered, np.float32)


def line_transform(cells: Floats) -> Complexes:
    """DFT of tiles (n, tile, tile) at the lattice: (n, 61 x 31) complex64, row ky + 30, column kx."""
    count, tile = cells.shape[0], cells.shape[1]
    across, down = _bases(tile)
    rows = (cells.reshape(count * tile, tile) @ across).reshape(count, tile, 2, GRID_COLUMNS)
    mixed = rows[:, :, 0] + 1j * rows[:, :, 1]
    packed = np.ascontiguousarray(mixed.transpose(1, 0, 2)).reshape(tile, count * GRID_COLUMNS)
    grid = (down @ packed).reshape(GRID_ROWS, count, GRID_COLUMNS).transpose(1, 0, 2)
    return np.ascontiguousarray(grid).reshape(count, GRID_ROWS * GRID_COLUMNS)


def synthesis(lines: Complexes, tile: int = TILE) -> Floats:
    """Inverse of :func:`line_transform`: tiles Re sum_k V_k exp(2 pi j k.x / tile), (n, tile, tile)."""
    count = lines.shape[0]
    across, down = _bases(tile)
    by_row = lines.reshape(count, GRID_ROWS, GRID_COLUMNS).transpose(1, 0, 2)
    packed = np.ascontiguousarray(by_row).reshape(GRID_ROWS, count * GRID_COLUMNS)
    rows: Any = (down.conj().T @ packed).reshape(tile, count, GRID_COLUMNS).transpose(1, 0, 2)
    parts = np.concatenate([rows.real, rows.imag], axis=2).reshape(count * tile, 2 * GRID_COLUMNS)
    return np.asarray((parts @ across.T).reshape(count, tile, tile), np.float32)


@lru_cache(maxsize=4)
def _valid(tile: int) -> tuple[Floats, Floats]:
    """Which lines count for the local power, and the reciprocal of their smoothed number."""
    rows, columns = np.mgrid[-RADIUS_MAX : RADIUS_MAX + 1, 0:GRID_COLUMNS]
    radius = np.hypot(rows, columns)
    valid = ((radius >= 3) & (radius <= min(RADIUS_MAX + 1.5, 0.48 * tile))).astype(np.float32)
    count = cv2.blur(valid, (7, 7), borderType=cv2.BORDER_REFLECT_101)
    return valid, np.asarray(1 / np.maximum(count, 1 / 49), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """Lattice spectrum of one plane.

    Attributes:
        cells: (16, 1891) complex64, a row for each cell class.
        deviation: (1891,) float32, local root of the power of the sum of all classes: without a mark, a
            coefficient divided by it has E abs(x)^2 = 1.
    """

    cells: Complexes
    deviation: Floats

    def lines(self, carrier: Carrier, cells: Floats | None = None) -> Complexes:
        """Normalised payload coefficients of a carrier, (n,) complex64.

        Args:
            carrier: the keyed assignment.
            cells: (16, n) signs to use in place of the carrier's (shifted cells).
        """
        signs = carrier.cells if cells is None else cells
        summed = (self.cells[:, carrier.grid] * signs).sum(axis=0)
        return np.asarray(summed / self.deviation[carrier.grid], np.complex64)

    def sync(self, grid: npt.NDArray[np.int64]) -> Complexes:
        """Normalised periodic coefficients at grid indices."""
        return np.asarray(self.cells[:, grid].sum(axis=0) / self.deviation[grid], np.complex64)


def spectrum(whitened: Floats, tile: int = TILE) -> Spectrum:
    """Fold a whitened plane and take its lattice spectrum."""
    cells = line_transform(fold(whitened, tile))
    power = (cells.real**2 + cells.imag**2).sum(axis=0).reshape(GRID_ROWS, GRID_COLUMNS)
    valid, inverse = _valid(tile)
    local = cv2.blur(power * valid, (7, 7), borderType=cv2.BORDER_REFLECT_101) * inverse
    deviation = np.sqrt(np.maximum(local, 1e-12)).reshape(-1)
    return Spectrum(cells=cells, deviation=np.asarray(deviation, np.float32))
