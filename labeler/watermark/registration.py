"""Bring a picture back onto the marked frame: exact to a fraction of a pixel, perspective included.

A candidate from the search says where every pixel should lie. The frame is warped accordingly and cut into
blocks of half a tile. For each block the sync correlation is known for all displacements up to 16 px (one
matrix product), and the four corner displacements that make the blocks agree best are found by the
cross-entropy method on these tables (Rubinstein 1999), at the cost of a table look-up per block.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.watermark.frame import FRAME, planes_of
from labeler.watermark.layout import SYNC_MAX, TILE, Layout
from labeler.watermark.reading import Reading, of_whitened, read
from labeler.watermark.search import Candidate, Field
from labeler.watermark.view import View

__all__ = ["Placement", "place", "register", "unwarp"]

Floats: TypeAlias = npt.NDArray[np.float32]
Matrix: TypeAlias = npt.NDArray[np.float64]

_WINDOW_MAX = 1408  # px
_ELITE, _SAMPLES, _ROUNDS = 40, 768, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A window of the marked frame and where its pixels lie in the received frame.

    Attributes:
        matrix: (3, 3) homography, window pixel -> received frame pixel.
        height: of the window, px.
        width: of the window, px.
        corners: (4, 2) corners of the received picture in the window: top left, top right, bottom left,
            bottom right of its bounding box.
    """

    matrix: Matrix
    height: int
    width: int
    corners: Matrix


def place(candidate: Candidate, field: Field) -> Placement:
    """The window that holds the whole received frame, aligned with the lattice."""
    forward = candidate.matrix.T
    backward = np.linalg.inv(forward)
    centre = np.array(field.centre)
    edge = np.array(
        [[0, 0], [field.width - 1, 0], [0, field.height - 1], [field.width - 1, field.height - 1]]
    )
    marked = (edge - centre) @ forward.T - candidate.shift
    low = np.floor(marked.min(axis=0) / TILE) * TILE
    size = np.minimum(np.ceil(marked.max(axis=0) - low + 1), _WINDOW_MAX)
    size = np.ceil(size / 2) * 2
    matrix = np.eye(3)
    matrix[:2, :2] = backward
    matrix[:2, 2] = centre + backward @ (candidate.shift + low)
    first, last = marked.min(axis=0) - low, np.minimum(marked.max(axis=0) - low, size)
    corners = np.array([[x, y] for y in (first[1], last[1]) for x in (first[0], last[0])])
    return Placement(matrix=matrix, height=int(size[1]), width=int(size[0]), corners=corners)


_HALF = np.array([[2.0, 0, 0.5], [0, 2.0, 0.5], [0, 0, 1]])
"""Pixel of a half-resolution plane -> pixel of the full one."""


def warp_whitened(reading: Reading, placement: Placement) -> tuple[Floats, Floats | None]:
    """Warp the whitened planes of a reading onto a placement; zero outside."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (placement.width, placement.height)
    luma = cv2.warpPerspective(reading.luma, placement.matrix, size, flags=flags)
    if reading.chroma is None:
        return np.asarray(luma, np.float32), None
    matrix = np.linalg.inv(_HALF) @ placement.matrix @ _HALF
    chroma = cv2.warpPerspective(reading.chroma, matrix, (size[0] // 2, size[1] // 2), flags=flags)
    return np.asarray(luma, np.float32), np.asarray(chroma, np.float32)


@lru_cache(maxsize=4)
def _block_bases(tile: int) -> tuple[Floats, npt.NDArray[np.complex64]]:
    half = np.arange(tile // 2)
    across = 2 * np.pi * np.outer(half, np.arange(SYNC_MAX + 1)) / tile
    rows = np.arange(-SYNC_MAX, SYNC_MAX + 1)
    down = np.exp(-2j * np.pi * np.outer(rows, half) / tile)
    return np.concatenate([np.cos(across), -np.sin(across)], axis=1).astype(np.float32), down.astype(
        np.complex64
    )


def block_lines(plane: Floats, layout: Layout, tile: int) -> npt.NDArray[np.complex64]:
    """Sync coefficients of blocks of half a tile: (rows, columns, 64), each line of unit power."""
    side = tile // 2
    count_y, count_x = -(-plane.shape[0] // side), -(-plane.shape[1] // side)
    padded = np.zeros((count_y * side, count_x * side), np.float32)
    padded[: plane.shape[0], : plane.shape[1]] = plane
    across, down = _block_bases(tile)
    columns = SYNC_MAX + 1
    parts = (padded.reshape(-1, side) @ across).reshape(count_y, side, count_x, 2, columns)
    mixed = (parts[:, :, :, 0] + 1j * parts[:, :, :, 1]).transpose(1, 0, 2, 3)
    grid = down @ np.ascontiguousarray(mixed).reshape(side, -1)
    grid = grid.reshape(2 * SYNC_MAX + 1, count_y, count_x, columns)
    k = layout.sync
    lines = grid[k[:, 1] + SYNC_MAX, :, :, k[:, 0]]
    by, bx = np.arange(count_y)[:, None], np.arange(count_x)[None, :]
    turns = k[:, 0, None, None] * bx + k[:, 1, None, None] * by
    lines = lines * (1 - 2 * (turns % 2))
    power = np.sqrt((np.abs(lines) ** 2).mean(axis=(1, 2), keepdims=True)) + 1e-9
    return np.asarray((lines / power).transpose(1, 2, 0), np.complex64)


def _tables(
    planes: tuple[Floats, Floats | None], layout: Layout, reach: int, step: float
) -> tuple[Floats, Matrix]:
    """Sync correlation of each block at each displacement: (blocks, n, n), and block centres (blocks, 2)."""
    offsets = np.arange(-reach, reach + 1) * step
    dy, dx = np.meshgrid(offsets, offsets, indexing="ij")
    angle = 2 * np.pi / TILE * (np.outer(layout.sync[:, 0], dx) + np.outer(layout.sync[:, 1], dy))
    shift = np.exp(1j * angle).astype(np.complex64)
    sums: list[Floats] = []
    strengths: list[float] = []
    shape = (0, 0)
    for plane, carrier, tile in ((planes[0], layout.luma, TILE), (planes[1], layout.chroma, TILE // 2)):
        if plane is None:
            continue
        lines = block_lines(plane, layout, tile) * np.exp(-1j * carrier.sync_phase).astype(np.complex64)
        if not sums:
            shape = lines.shape[:2]
        lines = lines[: shape[0], : shape[1]].reshape(-1, lines.shape[2])
        table = (lines.real @ shift.real - lines.imag @ shift.imag).astype(np.float32)
        strengths.append(max(float(table.sum(axis=0).max()), 1e-6))
        sums.append(table)
    weights = [np.float32(strength / sum(strengths)) for strength in strengths]
    total = np.asarray(sum(table * w for table, w in zip(sums, weights, strict=True)), np.float32)
    side = TILE // 2
    centres = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), axis=-1)
    middle: Matrix = (centres.reshape(-1, 2).astype(np.float64) + 0.5) * side - 0.5
    return total.reshape(-1, len(offsets), len(offsets)), middle


def register(
    reading: Reading,
    placement: Placement,
    layout: Layout,
    *,
    reach: int = 16,
    step: float = 1.0,
    spread: float = 3.0,
) -> tuple[Placement, float]:
    """Improve a placement by displacements of its four corners.

    Args:
        reading: whitened planes, in the frame that the placement refers to.
        placement: where to start.
        layout: the key's layout.
        reach: largest displacement, steps.
        step: px.
        spread: deviation of the corner displacements at the start, px.

    Returns:
        The better placement and the agreement reached.
    """
    tables, centres = _tables(warp_whitened(reading, placement), layout, reach, step)
    first, last = placement.corners[0], placement.corners[3]
    place_ = np.clip((centres - first) / np.maximum(last - first, 1), -0.1, 1.1)
    x, y = place_[:, 0], place_[:, 1]
    weights = np.stack([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y], axis=1).astype(np.float32)
    rng = np.random.default_rng(54321)
    mean, deviation = np.zeros(8), np.full(8, spread)
    best, best_score = mean, -np.inf
    # Log likelihood ratio of a displacement: twice the mean line amplitude times the correlation, less the
    # prior on bending, which keeps a small crop from fitting noise.
    prior = spread * min(float((last - first).max()) / FRAME, 1.0)
    mean_line = max(float(tables.sum(axis=0).max()), 0.0) / (len(tables) * len(layout.sync))
    level = 2 * max(mean_line, 0.02)
    width = 2 * reach + 1
    blocks = (np.arange(len(tables), dtype=np.int32) * width * width)[:, None]
    flat = tables.reshape(-1)
    for _ in range(_ROUNDS):
        samples = rng.normal(mean, deviation, (_SAMPLES, 8))
        # Half of the samples move all corners alike, so that a common shift is not hard to find.
        common = rng.normal(0, 1, (_SAMPLES // 2, 2)) * deviation.mean()
        samples[: _SAMPLES // 2] = mean + np.tile(common, 4) + (samples[: _SAMPLES // 2] - mean) * 0.5
        samples[0] = best
        corners = samples.astype(np.float32).reshape(_SAMPLES, 4, 2).transpose(1, 0, 2)
        moved = weights @ corners.reshape(4, -1)
        index = np.clip(np.rint(moved * np.float32(1 / step)) + reach, 0, width - 1).astype(np.int32)
        index = index.reshape(len(tables), _SAMPLES, 2)
        scores = flat.take(blocks + index[:, :, 1] * width + index[:, :, 0]).sum(axis=0)
        scores = scores * level - _bending(samples, prior)
        elite = np.argpartition(-scores, _ELITE)[:_ELITE]
        top = int(scores.argmax())
        if scores[top] > best_score:
            best, best_score = samples[top], float(scores[top])
        mean = samples[elite].mean(axis=0)
        deviation = np.maximum(samples[elite].std(axis=0), 0.3 * step)
    displaced = placement.corners + best.reshape(4, 2)
    target = cv2.perspectiveTransform(displaced[None], placement.matrix)[0]
    matrix = cv2.getPerspectiveTransform(placement.corners.astype(np.float32), target.astype(np.float32))
    better = Placement(
        matrix=np.asarray(matrix, np.float64),
        height=placement.height,
        width=placement.width,
        corners=placement.corners,
    )
    return better, best_score


def _bending(samples: Matrix, prior: float) -> Matrix:
    """Penalty (n,) for corner displacements (n, 8) that differ from their mean."""
    corners = samples.reshape(len(samples), 4, 2)
    apart = corners - corners.mean(axis=1, keepdims=True)
    penalty: Matrix = (apart**2).sum(axis=(1, 2)) / (2 * prior**2)
    return penalty


def unwarp(view: View, frame: tuple[int, int], placement: Placement) -> Reading:
    """Read the picture itself on a placement.

    Args:
        view: the received picture.
        frame: height and width of the received frame that the placement refers to, px.
        placement: where to read.
    """
    scale = 1 / np.sqrt(abs(np.linalg.det(placement.matrix[:2, :2])))
    wanted = np.array(frame) * min(1.4 * scale, view.size[0] / frame[0])
    base = view.reduced(round(float(wanted[0])), round(float(wanted[1])))
    fx, fy = base.shape[1] / frame[1], base.shape[0] / frame[0]
    to_base = np.array([[fx, 0, (fx - 1) / 2], [0, fy, (fy - 1) / 2], [0, 0, 1]])
    matrix = to_base @ placement.matrix
    size = (placement.width, placement.height)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpPerspective(base, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    reading = read(planes_of(warped))
    ones = np.ones(base.shape[:2], np.uint8)
    inside = cv2.warpPerspective(ones, matrix, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    inside = cv2.erode(inside, np.ones((5, 5), np.uint8), borderValue=1)
    luma = reading.luma * inside
    chroma = reading.chroma
    if chroma is not None:
        chroma = chroma * cv2.resize(inside, (size[0] // 2, size[1] // 2), interpolation=cv2.INTER_NEAREST)
    return of_whitened(luma, chroma)
