"""Blind geometry search: which stretch, turn and shift makes the sync lines agree with the key?

The whitened planes are Fourier-transformed once, zero-padded, with the frame's centre as origin. A hypothesis
reads 64 complex values per carrier from these spectra. A power test drops most hypotheses; for the rest the
sync correlation at all translations is one matrix product. The best are refined by local random search.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.watermark.layout import TILE, Layout

__all__ = ["Candidate", "Field", "field_of", "field_of_half", "refine", "search"]

Floats: TypeAlias = npt.NDArray[np.float32]

_SIDE, _SIDE_SMALL = 1024, 512  # of the zero-padded spectrum, half-resolution px
_SMALL = 420  # a frame whose longer side is at most this has the small spectrum, px
_GRID = 40  # translations tried along each side of the tile
_MODULUS_MAX = 3.0
_POWER_MAX = 2.5
_MEAN_MODULUS = 0.886  # of a complex Gaussian of unit power
_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Normalised spectra of a whitened frame, half plane fx >= 0.

    Attributes:
        spectra: one (s, s/2 + 1, 2) float32 per carrier, real and imaginary part, row fy + s/2; s is 1024, or
            512 for a small frame.
        power: one (s, s/2 + 1) float32 per carrier, modulus clipped at 2.5.
        height: of the frame, px.
        width: of the frame, px.
    """

    spectra: tuple[Floats, ...]
    power: tuple[Floats, ...]
    height: int
    width: int

    @property
    def side(self) -> int:
        """Side s of the spectra."""
        return int(self.power[0].shape[0])

    @property
    def centre(self) -> tuple[float, float]:
        """The x and y of the phase origin in frame px (pixel centres at whole numbers)."""
        return 2 * (self.width // 4) + 0.5, 2 * (self.height // 4) + 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A geometry worth a closer look.

    Attributes:
        matrix: (2, 2) float64, B.
        shift: (2,) float64, tau in px of the marked frame.
        z: its sync statistic.
    """

    matrix: npt.NDArray[np.float64]
    shift: npt.NDArray[np.float64]
    z: float


def field_of(luma: Floats, chroma: Floats | None) -> Field:
    """Transform whitened planes: luma (h, w), chroma (h/2, w/2) or None."""
    height, width = luma.shape
    size = (width // 2, height // 2)
    halves = [np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.float32)]
    if chroma is not None:
        halves.append(chroma)
    spectra, powers = [], []
    side = _SIDE_SMALL if max(height, width) <= _SMALL else _SIDE
    for half in halves:
        normal, power = _transform(half, side)
        spectra.append(normal)
        powers.append(power)
    return Field(spectra=tuple(spectra), power=tuple(powers), height=height, width=width)


def field_of_half(half: Floats) -> Field:
    """Transform one whitened plane that is kept at half the frame's resolution, (h/2, w/2)."""
    height, width = 2 * half.shape[0], 2 * half.shape[1]
    normal, power = _transform(half, _SIDE_SMALL if max(height, width) <= _SMALL else _SIDE)
    return Field(spectra=(normal,), power=(power,), height=height, width=width)


def _transform(half: Floats, side: int) -> tuple[Floats, Floats]:
    height, width = half.shape
    if max(height, width) > side:
        top, left = max((height - side) // 2, 0), max((width - side) // 2, 0)
        half = half[top : top + side, left : left + side]
        height, width = half.shape
    cy, cx = height // 2, width // 2
    padded = np.zeros((side, side), np.float32)
    padded[: height - cy, : width - cx] = half[cy:, cx:]
    padded[: height - cy, side - cx :] = half[cy:, :cx]
    padded[side - cy :, : width - cx] = half[:cy, cx:]
    padded[side - cy :, side - cx :] = half[:cy, :cx]
    parts = _half_spectrum(padded)
    power = parts[:, :, 0] ** 2 + parts[:, :, 1] ** 2
    small = cv2.resize(power, (33, 64), interpolation=cv2.INTER_AREA)
    local = cv2.blur(small, (7, 7), borderType=cv2.BORDER_REFLECT_101) + 1e-9
    inverse = cv2.resize(1 / np.sqrt(local), (side // 2 + 1, side), interpolation=cv2.INTER_LINEAR)
    normal = np.ascontiguousarray(parts * inverse[:, :, None])
    modulus = np.minimum(cv2.sqrt(power) * inverse, np.float32(_POWER_MAX))
    return np.asarray(normal, np.float32), np.asarray(modulus, np.float32)


def _half_spectrum(plane: Floats) -> Floats:
    """DFT of a square plane, (s, s/2 + 1, 2): real and imaginary part, row fy + s/2, column fx.

    OpenCV's real transform is several times faster than numpy's; its packed first and last column (fx = 0 and
    s/2) are made again from sums over the rows.
    """
    side, middle = len(plane), len(plane) // 2
    packed = np.asarray(cv2.dft(plane), np.float32)
    parts = np.empty((side, middle + 1, 2), np.float32)
    inner = packed[:, 1:-1].reshape(side, middle - 1, 2)
    parts[:middle, 1:-1], parts[middle:, 1:-1] = inner[middle:], inner[:middle]
    even, odd = plane[:, 0::2].sum(axis=1), plane[:, 1::2].sum(axis=1)
    for column, sums in ((0, even + odd), (middle, even - odd)):
        edge = np.fft.fftshift(np.fft.fft(sums))
        parts[:, column, 0], parts[:, column, 1] = edge.real, edge.imag
    return parts


@lru_cache(maxsize=8)
def _phases(layout: Layout, chroma: bool) -> tuple[Floats, Floats]:
    """Cosine and sine of (2 pi k.tau / 128 - phi_k): (64, 40 * 40) each, tau over the grid."""
    carrier = layout.chroma if chroma else layout.luma
    steps = np.arange(_GRID) * (TILE / _GRID)
    ty, tx = np.meshgrid(steps, steps, indexing="ij")
    angle = 2 * np.pi / TILE * (np.outer(layout.sync[:, 0], tx) + np.outer(layout.sync[:, 1], ty))
    angle -= carrier.sync_phase[:, None]
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def _coordinates(matrices: npt.NDArray[Any], layout: Layout, side: int) -> tuple[Floats, Floats, Floats]:
    """Where hypotheses (n, 2, 2) read the spectra: column, row (n, 64), and -1 where conjugated."""
    k = layout.sync.astype(np.float32) * np.float32(2 * side / TILE)
    place = matrices.astype(np.float32).reshape(-1, 2) @ k.T
    fx, fy = place[0::2], place[1::2]
    sign = np.where(fx < 0, np.float32(-1), np.float32(1))
    column = np.ascontiguousarray(fx * sign, np.float32)
    row = np.ascontiguousarray(fy * sign + np.float32(side // 2), np.float32)
    return column, row, sign


def _read(spectrum: Floats, column: Floats, row: Floats, sign: Floats) -> tuple[Floats, Floats]:
    values = cv2.remap(spectrum, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.ascontiguousarray(values[:, :, 0]), np.ascontiguousarray(values[:, :, 1] * sign)


def _limit(real: Floats, imaginary: Floats) -> tuple[Floats, Floats, Floats]:
    """Clip the modulus at 3; also the variance of the correlation, (n,)."""
    modulus = np.sqrt(real**2 + imaginary**2)
    factor = np.minimum(1, _MODULUS_MAX / np.maximum(modulus, 1e-6))
    variance = ((modulus * factor) ** 2).sum(axis=1) / 2
    return real * factor, imaginary * factor, np.asarray(np.maximum(variance, 1e-6), np.float32)


def power_scores(field: Field, matrices: npt.NDArray[Any], layout: Layout) -> Floats:
    """The power test: mean clipped modulus at the 64 lines, (n,); the strongest carrier combination."""
    scores = np.empty(len(matrices), np.float32)
    for start in range(0, len(matrices), 4096):
        part = slice(start, start + 4096)
        column, row, _ = _coordinates(matrices[part], layout, field.side)
        total = np.zeros(len(column), np.float32)
        best = np.full(len(column), -np.inf, np.float32)
        for number, power in enumerate(field.power, start=1):
            alone = cv2.remap(power, column, row, cv2.INTER_LINEAR).mean(axis=1) - np.float32(_MEAN_MODULUS)
            total += alone
            best = np.maximum(best, np.maximum(alone, total / np.float32(number**0.5)))
        scores[part] = best
    return scores


def search(
    field: Field, layout: Layout, matrices: npt.NDArray[Any], *, keep: float, best: int
) -> list[Candidate]:
    """The best hypotheses of a list.

    Args:
        field: the picture's spectra.
        layout: the key's layout.
        matrices: (n, 2, 2) hypotheses; their half turns are tested too.
        keep: share of them that passes the power test.
        best: how many to return.
    """
    if keep < 1:
        scores = power_scores(field, matrices, layout)
        count = max(int(keep * len(matrices)), 1)
        matrices = matrices[np.argpartition(-scores, count - 1)[:count]]
    found: list[tuple[float, int, int, int]] = []
    for start in range(0, len(matrices), _BATCH):
        part = matrices[start : start + _BATCH]
        z, index = _correlate(field, layout, part)
        for twin in range(2):
            top = np.argsort(-z[twin])[:best]
            found += [(float(z[twin, i]), start + int(i), twin, int(index[twin, i])) for i in top]
    found.sort(key=lambda item: -item[0])
    step = TILE / _GRID
    return [
        Candidate(
            matrix=(-1.0 if twin else 1.0) * matrices[number].astype(np.float64),
            shift=np.array([cell % _GRID, cell // _GRID], np.float64) * step,
            z=z,
        )
        for z, number, twin, cell in found[:best]
    ]


def _correlate(
    field: Field, layout: Layout, matrices: npt.NDArray[Any]
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Best z and its translation for B and -B: (2, n) each."""
    count = len(matrices)
    column, row, sign = _coordinates(matrices, layout, field.side)
    z = np.full((2, count), -np.inf, np.float32)
    index = np.zeros((2, count), np.int64)
    rows = np.arange(count)

    def note(twin: int, correlation: Floats, variance: Floats) -> None:
        place = correlation.argmax(axis=1)
        value = correlation[rows, place] / np.sqrt(variance)
        better = value > z[twin]
        z[twin] = np.where(better, value, z[twin])
        index[twin] = np.where(better, place, index[twin])

    before: list[Floats] = []
    total = np.zeros(count, np.float32)
    for number, spectrum in enumerate(field.spectra):
        real, imaginary, variance = _limit(*_read(spectrum, column, row, sign))
        cosine, sine = _phases(layout, number == 1)
        one, two = real @ cosine, imaginary @ sine
        pair = [one - two, one + two]
        total = total + variance
        for twin in range(2):
            note(twin, pair[twin], variance)
            if before:
                note(twin, np.add(before[twin], pair[twin], out=before[twin]), total)
        before = before or pair
    return z, index


def z_of(field: Field, layout: Layout, matrices: npt.NDArray[Any], shifts: npt.NDArray[Any]) -> Floats:
    """The sync statistic of hypotheses (n, 2, 2) at translations (n, 2), (n,) float32."""
    column, row, sign = _coordinates(matrices, layout, field.side)
    angle = (shifts.astype(np.float32) @ layout.sync.T.astype(np.float32)) * np.float32(2 * np.pi / TILE)
    top = np.zeros(len(matrices), np.float32)
    total = np.zeros(len(matrices), np.float32)
    best = np.full(len(matrices), -np.inf, np.float32)
    for number, spectrum in enumerate(field.spectra):
        real, imaginary, variance = _limit(*_read(spectrum, column, row, sign))
        phase = angle - (layout.chroma if number else layout.luma).sync_phase
        alone = (real * np.cos(phase) - imaginary * np.sin(phase)).sum(axis=1)
        top, total = top + alone, total + variance
        best = np.maximum(best, np.maximum(alone / np.sqrt(variance), top / np.sqrt(total)))
    return np.asarray(best, np.float32)


def refine(
    field: Field,
    layout: Layout,
    candidate: Candidate,
    *,
    rounds: int = 2,
    samples: int = 128,
    wide: float = 1.0,
    rigid: bool = False,
) -> Candidate:
    """Improve a candidate by random search of all six parameters with a shrinking radius (seeded).

    Args:
        field: the picture's spectra.
        layout: the key's layout.
        candidate: where to start.
        rounds: the radius is about halved after each.
        samples: tried in each round.
        wide: radius at the start; 1 suits the grid of the lists.
        rigid: vary the scale and the shift only.
    """
    rng = np.random.default_rng(12345)
    matrix, shift, z = candidate.matrix, candidate.shift, candidate.z
    spread, reach = 0.005 * wide, 1.4 * wide
    for _ in range(rounds):
        change = rng.normal(0, spread, (samples, 1, 1) if rigid else (samples, 2, 2))
        change = change * np.eye(2) if rigid else change
        change[0] = 0
        matrices = matrix + change @ matrix
        shifts = shift + rng.normal(0, reach, (samples, 2))
        shifts[0] = shift
        scores = z_of(field, layout, matrices, shifts)
        place = int(scores.argmax())
        matrix, shift, z = matrices[place], shifts[place], float(scores[place])
        spread, reach = spread * 0.55, reach * 0.55
    return Candidate(matrix=matrix, shift=shift % TILE, z=z)
