"""The full search of one picture for one key, stage by stage, cheapest and likeliest first."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labeler.watermark import hypotheses
from labeler.watermark.decoding import Decoded, decode_cells, sync_z
from labeler.watermark.layout import CELL_CLASSES, Layout
from labeler.watermark.reading import Reading
from labeler.watermark.registration import Placement, place, register, unwarp
from labeler.watermark.search import Candidate, Field, refine, search
from labeler.watermark.statistics import ACCEPT_LOG10, accept_log10, sync_log10
from labeler.watermark.view import View

__all__ = ["Found", "Searched", "full_search", "scale_and_rotation", "trace_log10"]

_READINGS_MAX = 16
"""Upper bound on the geometries in which one search tries to decode; enters log10 p."""
_DECODE_Z = 5.4
"""Smallest sync statistic, after registration, of a geometry that is decoded."""
_PROFILES = 6
_LOOKS = 1e12
_SEARCH_SHARE = 0.4
"""Part of the error of a verification that the search may spend; identity and turns have the rest."""
_AGREEMENT_MIN = 10.0
"""Log likelihood ratio of a registration, less its prior, under which it is not looked at further."""
_REFINE_GAIN = 0.6
"""What the second refinement may add to a sync statistic."""
_AGAIN_Z = 5.8
"""From this sync statistic on the candidate is also read without registration."""
_POLISH_Z = 6.3
"""From this sync statistic on a reading that does not decode is registered once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An accepted mark.

    Attributes:
        decoded: payload and correlation.
        placement: where it was read.
        stage: which list of hypotheses found it.
        log10_p: of the whole search.
        unit: px of the usual working frame for one px of the frame that ``placement`` refers to.
    """

    decoded: Decoded
    placement: Placement
    stage: str
    log10_p: float
    unit: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What a full search came to.

    Attributes:
        found: the mark, or None.
        best_z: highest refined sync statistic.
        readings: geometries in which decoding was tried.
    """

    found: Found | None
    best_z: float
    readings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """One list of hypotheses; ``frame`` 0 is the usual working frame, 1 the small one."""

    name: str
    matrices: Callable[[int, int], Any]
    keep: float
    gate: float
    frame: int = 0


_STAGES = (
    _Stage(name="scale", matrices=lambda h, w: hypotheses.scales(), keep=0.5, gate=5.6),
    _Stage(name="small scale", matrices=lambda h, w: hypotheses.scales(), keep=0.5, gate=5.6, frame=1),
    _Stage(name="perspective", matrices=lambda h, w: None, keep=1, gate=0),
    _Stage(name="aspect", matrices=lambda h, w: hypotheses.aspects(), keep=0.5, gate=5.6),
    _Stage(name="small aspect", matrices=lambda h, w: hypotheses.aspects(), keep=0.5, gate=5.8, frame=1),
    _Stage(name="small tilt", matrices=lambda h, w: hypotheses.tilts(), keep=0.5, gate=5.8, frame=1),
    _Stage(name="rotation", matrices=hypotheses.rotations, keep=0.35, gate=6.1),
    _Stage(name="turn and crop", matrices=lambda h, w: hypotheses.small_turns(), keep=0.35, gate=6.1),
    _Stage(name="wide", matrices=lambda h, w: hypotheses.wide(), keep=0.02, gate=6.5),
)


def full_search(view: View, readings: Sequence[Reading], fields: Sequence[Field], layout: Layout) -> Searched:
    """Search all geometries.

    Args:
        view: the received picture.
        readings: of its working frame and of its small frame.
        fields: spectra of both.
        layout: the key's layout.
    """
    best_z = 0.0
    tried = 0
    for stage, candidate in _candidates(fields, layout):
        best_z = max(best_z, candidate.z)
        if tried >= _READINGS_MAX:
            break
        tried += 1
        field = fields[stage.frame]
        found = _attempt(view, readings[stage.frame], field, layout, candidate, stage.name)
        if found is not None:
            found = dataclasses.replace(found, unit=fields[0].width / field.width)
            return Searched(found=found, best_z=best_z, readings=tried)
    return Searched(found=None, best_z=best_z, readings=tried)


def _candidates(fields: Sequence[Field], layout: Layout) -> Iterator[tuple[_Stage, Candidate]]:
    tried: list[Candidate] = []
    for stage in _STAGES:
        field = fields[stage.frame]
        matrices = stage.matrices(field.height, field.width)
        if matrices is None:
            yield stage, Candidate(matrix=np.eye(2), shift=np.array(field.centre), z=0.0)
            continue
        rough = search(field, layout, matrices, keep=stage.keep, best=5)
        better = sorted((refine(field, layout, candidate) for candidate in rough), key=lambda c: -c.z)
        for start in better[:3]:
            if start.z < stage.gate - _REFINE_GAIN:
                break
            candidate = refine(field, layout, start, rounds=3, samples=192, wide=0.35)
            if candidate.z >= stage.gate and not any(_alike(candidate, other) for other in tried):
                tried.append(candidate)
                yield stage, candidate


def _alike(one: Candidate, two: Candidate) -> bool:
    shift = np.abs(one.shift - two.shift) % 128
    near = float(np.minimum(shift, 128 - shift).max()) < 2
    return near and bool(np.abs(one.matrix - two.matrix).max() < 0.004)


def _attempt(
    view: View, reading: Reading, field: Field, layout: Layout, candidate: Candidate, stage: str
) -> Found | None:
    frame = (field.height, field.width)
    if stage.endswith("scale"):
        # Crops and canvases change nothing but scale and place: three parameters, found more exactly than eight.
        plain = place(_without_turn(candidate, field, layout), field)
        upright = unwarp(view, frame, plain)
        if sync_z(upright.evidence, layout) >= _DECODE_Z:
            found = _decode(upright, layout, plain, stage)
            if found is not None:
                return found
    start = place(candidate, field)
    spread = 8.0 if stage == "perspective" else 2.0
    placement, agreement = register(reading, start, layout, spread=spread)
    if agreement < _AGREEMENT_MIN:
        return None
    placement, _ = register(reading, placement, layout, reach=12, step=0.35, spread=0.8)
    upright = unwarp(view, frame, placement)
    z = sync_z(upright.evidence, layout)
    if z < _DECODE_Z:
        return None
    found = _decode(upright, layout, placement, stage)
    if found is None and z > _POLISH_Z:
        placement, _ = register(reading, placement, layout, reach=12, step=0.2, spread=0.6)
        found = _decode(unwarp(view, frame, placement), layout, placement, stage)
    if found is None and z > _AGAIN_Z:
        found = _decode(unwarp(view, frame, start), layout, start, stage)
    return found


def _without_turn(candidate: Candidate, field: Field, layout: Layout) -> Candidate:
    """The candidate with the nearest multiple of a flip or quarter turn as its matrix, refined as such."""
    matrix = candidate.matrix
    upright = abs(matrix[0, 0]) + abs(matrix[1, 1]) >= abs(matrix[0, 1]) + abs(matrix[1, 0])
    axes = np.where(np.eye(2, dtype=bool) == upright, np.sign(matrix), 0.0)
    plain = axes * np.sqrt(abs(np.linalg.det(matrix)))
    start = Candidate(matrix=plain, shift=candidate.shift, z=candidate.z)
    return refine(field, layout, start, rounds=5, samples=160, wide=0.8, rigid=True)


def _decode(upright: Reading, layout: Layout, placement: Placement, stage: str) -> Found | None:
    decoded = decode_cells(upright.evidence, layout)
    if decoded is None:
        return None
    log10_p = accept_log10(decoded.rho, 4 * _READINGS_MAX * CELL_CLASSES * _PROFILES / _SEARCH_SHARE)
    if log10_p > ACCEPT_LOG10:
        return None
    return Found(decoded=decoded, placement=placement, stage=stage, log10_p=log10_p)


def trace_log10(z: float) -> float:
    """log10 of the bound on a refined sync statistic in a search without a mark.

    Counts every matrix of the lists, both half turns, every translation and carrier combination, and a
    thousand points of local refinement for each: about 1e12 looks.
    """
    return sync_log10(z, _LOOKS)


def scale_and_rotation(found: Found) -> tuple[float, float, bool]:
    """Scale (working px of the picture for one of the marked frame), rotation in degrees, and mirror."""
    matrix = found.placement.matrix[:2, :2] * found.unit
    determinant = float(np.linalg.det(matrix))
    mirror = determinant < 0
    if mirror:
        matrix = matrix @ np.diag([-1.0, 1.0])
    angle = math.degrees(math.atan2(matrix[1, 0] - matrix[0, 1], matrix[0, 0] + matrix[1, 1]))
    return math.sqrt(abs(determinant)), angle, mirror
