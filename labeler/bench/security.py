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
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.bench.attacks import OPERATIONS
from labeler.bench.robustness import Pixels
from labeler.core.keys import WatermarkKey
from labeler.types import State
from labeler.watermark.analysis import fold, line_transform, synthesis
from labeler.watermark.apply import CHROMA_POWER, add_delta, delta_image
from labeler.watermark.fingerprint import BITS, compare, distance, fingerprint
from labeler.watermark.frame import FRAME
from labeler.watermark.image import detect, embed
from labeler.watermark.layout import CELL_PERIOD, TILE
from labeler.watermark.marking import host_of
from labeler.watermark.reading import Reading
from labeler.watermark.view import View

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
    return View(pixels).analysis(FRAME).reading


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


def estimate(
    pictures: Sequence[Pixels], *, periodic: bool = False, clip: float = 0.0, equal: bool = True
) -> Estimate:
    """Average whitened folds of pictures.

    Args:
        pictures: marked.
        periodic: add up all cells as one tile.
        clip: limit the lattice lines to so many times their median.
        equal: give all pictures the same weight. Without, smooth pictures outweigh others several times, and
            the "average" is a copy of one of them.
    """
    luma = np.zeros((CELL_PERIOD**2, TILE, TILE), np.float32)
    chroma = np.zeros((CELL_PERIOD**2, TILE // 2, TILE // 2), np.float32)
    for pixels in pictures:
        reading = _reading(pixels)
        luma += _unit(fold(reading.luma)) if equal else fold(reading.luma)
        if reading.chroma is not None:
            cells = fold(reading.chroma, TILE // 2)
            chroma += _unit(cells) if equal else cells
    if periodic:
        luma[:] = luma.sum(axis=0)
        chroma[:] = chroma.sum(axis=0)
    return Estimate(luma=_lattice(luma, clip=clip), chroma=_lattice(chroma, clip=clip))


def _unit(cells: Floats) -> Floats:
    """Cells with lattice lines of unit mean square."""
    power = float((np.abs(line_transform(cells)) ** 2).mean())
    return np.asarray(cells / max(power, 1e-12) ** 0.5, np.float32)


def put(pixels: Pixels, mark: Estimate, psnr: float, *, sign: float) -> Pixels:
    """Add (sign 1) or subtract (-1) an estimate at a PSNR, shaped by the picture's own mask."""
    seen = View(pixels).analysis(FRAME)
    host, size = host_of(seen), seen.planes.shape
    error = 255**2 / 10 ** (psnr / 10)
    deltas = []
    for tile, part, scale in (
        (mark.luma, 1 - _CHROMA_SHARE, 1),
        (mark.chroma, _CHROMA_SHARE / CHROMA_POWER, 2),
    ):
        rows, columns = size[0] // scale, size[1] // scale
        texture = np.tile(tile, (-(-rows // tile.shape[0]), -(-columns // tile.shape[1])))[:rows, :columns]
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
    equal: bool = True,
) -> list[dict[str, Any]]:
    """Average marked sources; subtract from marked targets, paste on clean pictures.

    Args:
        sources: unmarked; marked here, with one payload (``same``) or one each.
        targets: unmarked; marked here with a payload each.
        clean: unmarked.
        counts: numbers of sources averaged.
        levels: PSNR of the attack, dB.
        same: whether all sources carry the same payload.
        equal: whether all sources have the same weight; see :func:`estimate`.

    Returns:
        A row per count and level: targets no longer read after subtracting and after adding (``covered``); clean
        pictures accepted as marked (``forged``; of these ``new`` with a payload that no source has), and accepted
        with the remark that the mark was put together (``noticed``).
    """
    names = ["same" if same else f"s{i}" for i in range(max(counts))]
    marked = [
        np.asarray(embed(x, _payload(name), KEY, report=False).pixels, np.uint8)
        for x, name in zip(sources, names, strict=False)
    ]
    goals = [
        np.asarray(embed(x, _payload(f"t{i}"), KEY, report=False).pixels, np.uint8)
        for i, x in enumerate(targets)
    ]
    known = {_payload(name).hex() for name in names}
    rows = []
    for count in counts:
        guess = estimate(marked[:count], equal=equal)
        for level in levels:
            lost = [
                sum(
                    detect(put(x, guess, level, sign=sign), [KEY], quick=True).payload
                    != _payload(f"t{i}").hex()
                    for i, x in enumerate(goals)
                )
                for sign in (-1, 1)
            ]
            reports = [detect(put(x, guess, level, sign=1), [KEY], quick=True) for x in clean]
            seen = [report for report in reports if report.state is State.PRESENT]
            trusted = [report for report in seen if not report.geometry["assembled"]]
            rows.append(
                {
                    "pictures": count,
                    "payloads": "same" if same else "different",
                    "weights": "equal" if equal else "as they come",
                    "psnr": level,
                    "removed": lost[0],
                    "covered": lost[1],
                    "targets": len(goals),
                    "forged": len(trusted),
                    "new": sum(report.payload not in known for report in seen),
                    "noticed": len(seen) - len(trusted),
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
            detect(
                put(x, estimate([x], periodic=True, clip=3.0, equal=False), level, sign=-1), [KEY], quick=True
            ).payload
            == _payload(f"k{i}").hex()
            for i, x in enumerate(goals)
        )
        rows.append({"psnr": level, "readable": read_, "targets": len(goals)})
    return rows


def copying(pictures: Sequence[Pixels], *, level: float = 38.0) -> dict[str, Any]:
    """Copy the whitened residual of every picture, marked, onto every other one, cell on cell.

    Returns:
        How many of the ordered pairs are accepted as marked, and of how many of these the fingerprint says that it
        differs (``noticed``) and that it agrees (``trusted``).
    """
    results = []
    for i, source in enumerate(pictures):
        payload = _payload(f"copy {i}")
        marked = np.asarray(embed(source, payload, KEY, report=False).pixels, np.uint8)
        print_ = fingerprint(marked)
        residual = _reading(marked)
        if residual.chroma is None:
            raise ValueError("the sources must have colour")
        guess = Estimate(luma=_whole(residual.luma, TILE), chroma=_whole(residual.chroma, TILE // 2))
        for target in (x for k, x in enumerate(pictures) if k != i):
            forged = put(target, guess, level, sign=1)
            accepted = detect(forged, [KEY], quick=True).payload == payload.hex()
            results.append(compare(print_, fingerprint(forged)) if accepted else "refused")
    return {
        "psnr": level,
        "pairs": len(results),
        "accepted": len(results) - results.count("refused"),
        "noticed": results.count("differs"),
        "trusted": results.count("agree"),
    }


def _whole(plane: Floats, tile: int) -> Floats:
    """A plane continued by zeros to whole periods of the cells."""
    period = CELL_PERIOD * tile
    return np.pad(plane, [(0, -side % period) for side in plane.shape])


HONEST: tuple[tuple[str, dict[str, Any]], ...] = (
    *(("jpeg", {"quality": quality}) for quality in (70, 50, 30, 20)),
    *(("webp", {"quality": quality}) for quality in (60, 40)),
    *(("avif", {"quality": quality}) for quality in (50, 30)),
    *(("resize", {"factor": factor}) for factor in (0.25, 0.5, 0.75, 1.5, 2)),
    *(("blur", {"sigma": sigma}) for sigma in (1, 2, 3)),
    ("median", {"size": 3}),
    ("sharpen", {}),
    *(("noise", {"sigma": sigma}) for sigma in (5, 10, 20)),
    *(("brightness", {"percent": percent}) for percent in (-30, -15, 15, 30)),
    *(("contrast", {"percent": percent}) for percent in (-30, 30)),
    *(("gamma", {"exponent": exponent}) for exponent in (0.7, 1.4)),
    ("colour", {"saturation": 1.4, "hue": 15}),
    ("grey", {}),
)
"""What a fingerprint has to bear: codecs, scale, filters, noise, tone."""


def fingerprints(groups: Sequence[Sequence[Pixels]], *, bits: int = BITS) -> dict[str, Any]:
    """Fingerprints of different pictures, and of the same picture before and after honest handling.

    Args:
        groups: in each a picture and cut-outs of it; only pairs from two groups count as different.
        bits: how much of the fingerprints is compared.
    """
    rng = np.random.default_rng(0)
    prints = [[fingerprint(x)[: bits // 4] for x in group] for group in groups]
    pairs = [
        (one, two)
        for first, second in itertools.combinations(prints, 2)
        for one, two in itertools.product(first, second)
    ]
    same = [
        (print_, fingerprint(OPERATIONS[name](x, rng, **parameters)))
        for group, own in zip(groups, prints, strict=True)
        for x, print_ in zip(group, own, strict=True)
        for name, parameters in HONEST
    ]
    apart, handled = ([compare(*pair) for pair in these] for these in (pairs, same))
    return {
        "bits": bits,
        "pairs": len(pairs),
        "differ": apart.count("differs"),
        "agree": apart.count("agree"),
        "least": min(itertools.starmap(distance, pairs)),
        "handled": len(same),
        "false alarms": handled.count("differs"),
        "undecided": handled.count("unknown"),
        "most": max(itertools.starmap(distance, same)),
    }
