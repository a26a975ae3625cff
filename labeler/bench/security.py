"""What somebody without the key can do to the image watermark, measured.

The attacker knows everything but the key: tile, frame, mask and whitening. Tried are

* averaging N pictures marked with one key (equal or different payloads), to take the mark off other pictures
  or to forge it on unmarked ones;
* subtracting from a picture its own folded lattice lines;
* copying the residual of one marked picture onto another, which cannot be prevented: the fingerprint has to
  notice it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.bench.attacks import OPERATIONS
from labeler.bench.robustness import Pixels
from labeler.core.keys import WatermarkKey
from labeler.watermark.analysis import fold, line_transform, synthesis
from labeler.watermark.apply import CHROMA_POWER, add_delta, delta_image
from labeler.watermark.fingerprint import compare, fingerprint
from labeler.watermark.frame import FRAME, frame_size, planes_of, reduce_to
from labeler.watermark.image import detect, embed
from labeler.watermark.layout import CELL_PERIOD, TILE
from labeler.watermark.marking import host_of
from labeler.watermark.reading import Reading, read

__all__ = ["Estimate", "averaging", "copying", "fingerprints", "keyless"]

Floats: TypeAlias = npt.NDArray[np.float32]

KEY = WatermarkKey.from_secret(hashlib.sha256(b"security bench").digest())
_CHROMA_SHARE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An attacker's estimate of the mark: a texture for each carrier, whole cells or a whole frame, any scale."""

    luma: Floats
    chroma: Floats


def _reading(pixels: Pixels) -> Reading:
    return read(planes_of(reduce_to(pixels, *frame_size(pixels.shape[0], pixels.shape[1], FRAME))))


def _lattice(cells: Floats, *, clip: float = 0.0) -> Floats:
    """Keep the lattice lines of cells (16, tile, tile); clip their moduli at ``clip`` times the median."""
    lines = line_transform(cells)
    if clip:
        modulus = np.abs(lines)
        limit = clip * np.median(modulus[modulus > 0])
        lines = lines * np.minimum(1, limit / np.maximum(modulus, 1e-9))
    tiles = synthesis(np.asarray(lines, np.complex64), cells.shape[1])
    square = tiles.reshape(CELL_PERIOD, CELL_PERIOD, cells.shape[1], cells.shape[1]).transpose(0, 2, 1, 3)
    side = CELL_PERIOD * cells.shape[1]
    return np.ascontiguousarray(square, np.float32).reshape(side, side)


def estimate(pictures: Sequence[Pixels], *, periodic: bool = False, clip: float = 0.0) -> Estimate:
    """Average whitened folds of pictures; ``periodic`` adds up all cells as one tile."""
    luma = np.zeros((CELL_PERIOD**2, TILE, TILE), np.float32)
    chroma = np.zeros((CELL_PERIOD**2, TILE // 2, TILE // 2), np.float32)
    for pixels in pictures:
        reading = _reading(pixels)
        luma += fold(reading.luma)
        if reading.chroma is not None:
            chroma += fold(reading.chroma, TILE // 2)
    if periodic:
        luma[:] = luma.sum(axis=0)
        chroma[:] = chroma.sum(axis=0)
    return Estimate(luma=_lattice(luma, clip=clip), chroma=_lattice(chroma, clip=clip))


def put(pixels: Pixels, mark: Estimate, psnr: float, *, sign: float) -> Pixels:
    """Add (sign 1) or subtract (-1) an estimate at a PSNR, shaped by the picture's own mask."""
    size = frame_size(pixels.shape[0], pixels.shape[1], FRAME)
    host = host_of(planes_of(reduce_to(pixels, *size)))
    error = 255**2 / 10 ** (psnr / 10)
    deltas = []
    for tile, part, scale in (
        (mark.luma, 1 - _CHROMA_SHARE, 1),
        (mark.chroma, _CHROMA_SHARE / CHROMA_POWER, 2),
    ):
        rows, columns = size[0] // scale, size[1] // scale
        texture = np.tile(tile, (-(-rows // len(tile)), -(-columns // len(tile))))[:rows, :columns]
        envelope = cv2.resize(host.mask.amplitude, (columns, rows), interpolation=cv2.INTER_LINEAR)
        raw = texture * envelope
        deltas.append(
            np.asarray(raw * (sign * np.sqrt(part * error / max(float((raw**2).mean()), 1e-12))), np.float32)
        )
    return np.asarray(add_delta(pixels, delta_image(deltas[0], deltas[1])), np.uint8)


def _payload(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:8]


def averaging(
    sources: Sequence[Pixels],
    targets: Sequence[Pixels],
    clean: Sequence[Pixels],
    *,
    counts: Sequence[int] = (8, 50, 200),
    levels: Sequence[float] = (40.0, 37.0),
    same: bool = True,
) -> list[dict[str, Any]]:
    """Average marked sources; subtract from marked targets, paste on clean pictures.

    Args:
        sources: unmarked; marked here, with one payload (``same``) or one each.
        targets: unmarked; marked here with a payload each.
        clean: unmarked.
        counts: numbers of sources averaged.
        levels: PSNR of the attack, dB.
        same: whether all sources carry the same payload.

    Returns:
        A row per count and level: targets no longer read, clean pictures accepted.
    """
    marked = [
        np.asarray(embed(x, _payload("same" if same else f"s{i}"), KEY, report=False).pixels, np.uint8)
        for i, x in enumerate(sources[: max(counts)])
    ]
    goals = [
        np.asarray(embed(x, _payload(f"t{i}"), KEY, report=False).pixels, np.uint8)
        for i, x in enumerate(targets)
    ]
    rows = []
    for count in counts:
        guess = estimate(marked[:count])
        for level in levels:
            removed = sum(
                detect(put(x, guess, level, sign=-1), [KEY], quick=True).payload != _payload(f"t{i}").hex()
                for i, x in enumerate(goals)
            )
            forged = sum(bool(detect(put(x, guess, level, sign=1), [KEY], quick=True).payload) for x in clean)
            rows.append(
                {
                    "pictures": count,
                    "payloads": "same" if same else "different",
                    "psnr": level,
                    "removed": removed,
                    "targets": len(goals),
                    "forged": forged,
                    "clean": len(clean),
                }
            )
    return rows


def keyless(targets: Sequence[Pixels], *, levels: Sequence[float] = (40.0, 37.0)) -> list[dict[str, Any]]:
    """Subtract each picture's own clipped lattice lines, folded to one tile; count what stays readable."""
    rows = []
    goals = [
        np.asarray(embed(x, _payload(f"k{i}"), KEY, report=False).pixels, np.uint8)
        for i, x in enumerate(targets)
    ]
    for level in levels:
        read_ = sum(
            detect(put(x, estimate([x], periodic=True, clip=3.0), level, sign=-1), [KEY], quick=True).payload
            == _payload(f"k{i}").hex()
            for i, x in enumerate(goals)
        )
        rows.append({"psnr": level, "readable": read_, "targets": len(goals)})
    return rows


def copying(source: Pixels, clean: Sequence[Pixels], *, level: float = 38.0) -> dict[str, Any]:
    """Copy the whitened residual of one marked picture onto others, cell on cell.

    Returns:
        How many are accepted, and how many of these the fingerprint notices.
    """
    marked = np.asarray(embed(source, _payload("copy"), KEY, report=False).pixels, np.uint8)
    print_ = fingerprint(marked)
    residual = _reading(marked)
    if residual.chroma is None:
        raise ValueError("the source must have colour")
    guess = Estimate(luma=residual.luma, chroma=residual.chroma)
    accepted = noticed = 0
    for x in clean:
        forged = put(x, guess, level, sign=1)
        if detect(forged, [KEY], quick=True).payload == _payload("copy").hex():
            accepted += 1
            noticed += compare(print_, fingerprint(forged)) == "differs"
    return {"psnr": level, "accepted": accepted, "clean": len(clean), "noticed": noticed}


HONEST: tuple[tuple[str, dict[str, Any]], ...] = (
    ("jpeg", {"quality": 70}),
    ("jpeg", {"quality": 30}),
    ("webp", {"quality": 60}),
    ("avif", {"quality": 50}),
    ("resize", {"factor": 0.5}),
    ("resize", {"factor": 0.25}),
    ("blur", {"sigma": 2}),
    ("noise", {"sigma": 10}),
    ("grey", {}),
    ("brightness", {"percent": 15}),
    ("contrast", {"percent": 30}),
    ("gamma", {"exponent": 0.7}),
    ("gamma", {"exponent": 1.4}),
)
"""What a fingerprint has to bear."""


def fingerprints(pictures: Sequence[Pixels]) -> dict[str, Any]:
    """Fingerprints of different pictures, and of the same picture before and after honest handling."""
    rng = np.random.default_rng(0)
    prints = [fingerprint(x) for x in pictures]
    pairs = [compare(a, b) for i, a in enumerate(prints) for b in prints[i + 1 :]]
    same = [
        compare(print_, fingerprint(OPERATIONS[name](x, rng, **parameters)))
        for x, print_ in zip(pictures, prints, strict=True)
        for name, parameters in HONEST
    ]
    return {
        "pairs": len(pairs),
        "differ": pairs.count("differs"),
        "agree": pairs.count("agree"),
        "handled": len(same),
        "false alarms": same.count("differs"),
        "undecided": same.count("unknown"),
    }
