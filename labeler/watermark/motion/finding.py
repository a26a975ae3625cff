"""Find the mark of one key in a clip: as it is, turned, in parts of its time, then at any geometry.

In every geometry the slots are aligned with the lattice and read in three views: see :mod:`.views`.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.watermark.analysis import spectrum
from labeler.watermark.decoding import (
    Decoded,
    Evidence,
    decode_cells,
    decode_patiently,
    decode_payload,
    observe,
    sync_z,
)
from labeler.watermark.layout import CELL_CLASSES, CELL_PERIOD, Layout
from labeler.watermark.motion import geometries
from labeler.watermark.motion.evidence import Slot
from labeler.watermark.motion.frames import GRAINS, HALF_TILE, half_shape, to_shape, whiten_sum
from labeler.watermark.motion.views import by_place, by_time, plain, sync_pattern
from labeler.watermark.orientation import ORIENTATIONS, Orientation
from labeler.watermark.reading import Reading
from labeler.watermark.registration import Placement, place, register
from labeler.watermark.search import Candidate, Field, field_of_half, refine, search
from labeler.watermark.statistics import accept_log10, sync_log10

__all__ = ["ACCEPT_LOG10", "Found", "Geometry", "find_in", "look", "search_all", "trace_log10"]

Floats: TypeAlias = npt.NDArray[np.float32]
Planes: TypeAlias = Sequence[Floats]

ACCEPT_LOG10 = -7.0
"""A finding is accepted when its log10 p over the whole search is below this."""
_PROFILES = 2
_VIEWS = 2 * 3 * 3
"""The whole frame and the picture inside bars; three grains; plain sum, weighted by time, by place."""
_PARTS = (2, 4)
"""Halves and quarters of the time are read alone,"""
_SCENES, _SCENES_SEARCHED = 10, 2
"""and so many of the longest scenes; so many are searched at all geometries."""
_PART_LEAST = 4  # slots
_PARTS_MAX = sum(_PARTS) + _SCENES
_SHARE_AS_IS, _SHARE_PARTS, _SHARE_TURNED, _SHARE_SEARCH = 0.4, 0.1, 0.1, 0.4
"""Parts of the error that the stages may spend."""
_CANDIDATES = 14
_AIDE = 0.4
"""Share of the candidates for a second search: of a scene, or of the picture inside bars."""
_TURN_Z, _LOOK_Z = 2.0, 3.2
"""Sync statistic from which a turned clip, and a view of a candidate, are decoded."""
_PATIENT_Z = 5.0
"""Sync statistic from which a reading that does not decode gets a second chance;"""
_CELLS_Z, _CELLS_PATIENT_Z = 5.9, 6.2
"""likewise where the class of the first cell is unknown: each class alone (noise shows some 6); and patiently, for the
best reading of the first search alone, since that takes most of a second."""
_REGISTERED_GAIN = 0.3
_REFINED_Z, _CANDIDATE_Z = 4.4, 5.0
"""Sync statistic from which a refined hypothesis is refined once more, and becomes a candidate: a mark that can just
be decoded shows about 7."""
_LOOKS = 1e12
_HALF = np.array([[2.0, 0, 0.5], [0, 2.0, 0.5], [0, 0, 1]])
"""Pixel of a half-resolution plane -> pixel of the full working frame."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a received clip lies on the lattice.

    Attributes:
        stage: ``none``, ``part``, ``turned``, or the list of hypotheses that found it.
        shape: rows and columns of the half-resolution frame of the mark's grain, upright; if flip and quarter turn
            are all that happened.
        orientation: these.
        placement: else the window of the lattice and where it lies; the class of its first cell is unknown.
    """

    stage: str
    shape: tuple[int, int] | None = None
    orientation: Orientation = ORIENTATIONS[0]
    placement: Placement | None = None

    def pattern(self, layout: Layout, shape: tuple[int, ...]) -> Floats:
        """The sync lines as they lie on a received plane of that shape; only with a placement."""
        assert self.placement is not None
        window = sync_pattern(layout, (self.placement.height // 2, self.placement.width // 2))
        matrix = np.linalg.inv(_HALF) @ self.placement.matrix @ _HALF
        return np.asarray(cv2.warpPerspective(window, matrix, (shape[1], shape[0])), np.float32)

    def align(self, plane: Floats) -> Floats:
        """A whitened half-resolution plane, brought onto the lattice; zero outside."""
        if self.placement is None:
            plane = plane if self.orientation is ORIENTATIONS[0] else self.orientation.apply(plane)
            return plane if self.shape is None else to_shape(plane, self.shape)
        matrix = np.linalg.inv(_HALF) @ self.placement.matrix @ _HALF
        magnified = math.sqrt(abs(np.linalg.det(matrix[:2, :2])))
        if magnified > 1.15:  # the window is smaller than the picture: no aliasing
            plane = np.asarray(cv2.GaussianBlur(plane, (0, 0), 0.5 * math.sqrt(magnified**2 - 1)))
        size = (self.placement.width // 2, self.placement.height // 2)
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpPerspective(plane, matrix, size, flags=flags), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An accepted mark.

    Attributes:
        decoded: payload and correlation.
        geometry: where it was read.
        log10_p: of the whole search.
        slots: the first slot that was read and the one after the last.
    """

    decoded: Decoded
    geometry: Geometry
    log10_p: float
    slots: tuple[int, int]


def look(slots: Sequence[Slot], layout: Layout, size: tuple[int, int]) -> Found | None:
    """Read a clip as it is, parts of its time, and its flips and quarter turns.

    Args:
        slots: of the clip, in order of time.
        layout: the key's layout.
        size: height and width of its frames, px.
    """
    planes = [slot.plane for slot in slots]
    shapes = [half_shape(*size, grain) for grain in GRAINS]
    for shape in shapes:
        found = _read(planes, layout, Geometry("none", shape), _VIEWS * _PROFILES / _SHARE_AS_IS)
        if found is not None:
            return found
    for shape in shapes:
        found = _in_parts(slots, layout, Geometry("part", shape), gate=2.5)
        if found is not None:
            return found
    return _turned(planes, layout, shapes)


def find_in(slots: Sequence[Slot], layout: Layout, geometry: Geometry) -> Found | None:
    """Read slots in a geometry that is known from elsewhere in the clip: all of them, then parts."""
    looks = _PARTS_MAX * _VIEWS * _PROFILES * CELL_CLASSES / _SHARE_PARTS
    return _read([slot.plane for slot in slots], layout, geometry, looks) or _in_parts(
        slots, layout, geometry
    )


def search_all(slots: Sequence[Slot], layout: Layout, *, inside: bool = False) -> tuple[Found | None, float]:
    """Search all geometries, in the whole clip and in its longest scenes.

    Args:
        slots: of the clip, in order of time.
        layout: the key's layout.
        inside: it is the picture inside bars: a shorter search, of the whole clip only.

    Returns:
        The mark or None, and the highest sync statistic seen.
    """
    best = 0.0
    whole = (0, len(slots))
    for first, stop in [whole] if inside else [whole, *_scenes(slots)[:_SCENES_SEARCHED]]:
        share = _AIDE if inside or (first, stop) != whole else 1.0
        found, z = _searched([slot.plane for slot in slots[first:stop]], layout, share)
        if found is not None:
            return dataclasses.replace(found, slots=(first, stop)), z
        best = max(best, z)
    return None, best


def _searched(planes: Planes, layout: Layout, share: float) -> tuple[Found | None, float]:
    total = whiten_sum(plain(planes))
    field = field_of_half(total)
    looks = (1 + _SCENES_SEARCHED) * _CANDIDATES * _VIEWS * _PROFILES * CELL_CLASSES / _SHARE_SEARCH
    best, promising = 0.0, None
    for number, (stage, candidate) in enumerate(_candidates(field, layout, share)):
        if number >= _CANDIDATES:
            break
        geometry = _placement(total, candidate, stage, field, layout)
        found = _read(planes, layout, geometry, looks, gate=_LOOK_Z)
        if found is not None:
            return found, max(best, candidate.z)
        if candidate.z > best:
            best, promising = candidate.z, geometry
    if promising is None or best < _CELLS_PATIENT_Z or share < 1:
        return None, best
    view = max(_views(planes, layout, promising), key=lambda total: _z(total, layout))
    evidence = Evidence(luma=spectrum(whiten_sum(view), HALF_TILE), chroma=None)
    return _accepted(_patiently(evidence, layout), promising, looks, len(planes)), best


def _in_parts(
    slots: Sequence[Slot], layout: Layout, geometry: Geometry, *, gate: float = -math.inf
) -> Found | None:
    looks = _PARTS_MAX * _VIEWS * _PROFILES * CELL_CLASSES / _SHARE_PARTS
    for first, stop in _parts(slots):
        found = _read([slot.plane for slot in slots[first:stop]], layout, geometry, looks, gate=gate)
        if found is not None:
            return dataclasses.replace(found, slots=(first, stop))
    return None


def _parts(slots: Sequence[Slot]) -> list[tuple[int, int]]:
    """Stretches worth reading alone: the longest scenes, halves, quarters."""
    count = len(slots)
    even = [(part * count // parts, (part + 1) * count // parts) for parts in _PARTS for part in range(parts)]
    wanted = dict.fromkeys(_scenes(slots)[:_SCENES] + even)
    return [(one, two) for one, two in wanted if two - one >= _PART_LEAST]


def _scenes(slots: Sequence[Slot]) -> list[tuple[int, int]]:
    """Stretches between cuts, the longest first; none if there is no cut."""
    edges = [0, *(index for index in range(1, len(slots)) if slots[index].cut), len(slots)]
    if len(edges) == 2:
        return []
    scenes = [(one, two) for one, two in itertools.pairwise(edges) if two - one >= _PART_LEAST]
    return sorted(scenes, key=lambda scene: scene[0] - scene[1])


def _turned(planes: Planes, layout: Layout, shapes: Sequence[tuple[int, int]]) -> Found | None:
    total = whiten_sum(plain(planes))
    scored = []
    for orientation, shape in itertools.product(ORIENTATIONS[1:], shapes):
        upright = shape[::-1] if orientation.turns % 2 else shape
        geometry = Geometry("turned", upright, orientation)
        scored.append((_z(geometry.align(total), layout), geometry))
    looks = 7 * _VIEWS * _PROFILES / _SHARE_TURNED
    for z, geometry in sorted(scored, key=lambda entry: -entry[0])[:3]:
        if z < _TURN_Z:
            break
        found = _read(planes, layout, geometry, looks)
        if found is not None:
            return found
    return None


def _candidates(field: Field, layout: Layout, share: float) -> Iterator[tuple[str, Candidate]]:
    tried: list[Candidate] = []
    for stage in geometries.stages():
        rough = search(field, layout, stage.matrices, keep=1.0, best=2 * stage.tries)
        better = sorted(
            (refine(field, layout, candidate, rigid=stage.rigid) for candidate in rough), key=lambda c: -c.z
        )
        left = max(round(share * stage.tries), 1)
        for start in better:
            if start.z < _REFINED_Z or not left:
                break
            candidate = refine(field, layout, start, rounds=3, samples=192, wide=0.35, rigid=stage.rigid)
            if any(_alike(candidate, other) for other in tried):
                continue
            tried.append(candidate)
            left -= 1
            if candidate.z > _CANDIDATE_Z:
                yield stage.name, candidate


def _alike(one: Candidate, two: Candidate) -> bool:
    shift = np.abs(one.shift - two.shift) % 128
    near = float(np.minimum(shift, 128 - shift).max()) < 2
    return near and bool(np.abs(one.matrix - two.matrix).max() < 0.004)


def _placement(total: Floats, candidate: Candidate, stage: str, field: Field, layout: Layout) -> Geometry:
    """The candidate as it is, or registered by blocks where that shows the sync lines clearly better."""
    plainly = Geometry(stage, placement=place(candidate, field))
    size = (2 * total.shape[1], 2 * total.shape[0])
    full = np.asarray(cv2.resize(total, size, interpolation=cv2.INTER_LINEAR), np.float32)
    evidence = Evidence(luma=spectrum(total, HALF_TILE), chroma=None)
    reading = Reading(luma=full, chroma=None, evidence=evidence)
    placement, _ = register(reading, place(candidate, field), layout, spread=2.0)
    placement, _ = register(reading, placement, layout, reach=12, step=0.35, spread=0.8)
    registered = Geometry(stage, placement=placement)
    better = _z(registered.align(total), layout) > _z(plainly.align(total), layout) + _REGISTERED_GAIN
    return registered if better else plainly


def _read(
    planes: Planes, layout: Layout, geometry: Geometry, looks: float, *, gate: float = -math.inf
) -> Found | None:
    """Read slots in the three views; ``gate`` is the sync statistic below which a view is skipped."""
    for total in _views(planes, layout, geometry):
        evidence = Evidence(luma=spectrum(whiten_sum(total), HALF_TILE), chroma=None)
        z = sync_z(evidence, layout)
        if z < gate:
            continue
        if geometry.placement is not None:
            decoded = decode_cells(evidence, layout, thorough=z > _CELLS_Z)
        else:
            seen = observe(evidence, layout)
            decoded = decode_payload(seen, layout)
            if decoded is None and z > _PATIENT_Z:
                decoded = decode_patiently(seen, layout)
        found = _accepted(decoded, geometry, looks, len(planes))
        if found is not None:
            return found
    return None


def _accepted(decoded: Decoded | None, geometry: Geometry, looks: float, slots: int) -> Found | None:
    """A decoded payload that is certain enough among so many looks."""
    if decoded is None:
        return None
    log10_p = accept_log10(decoded.rho, looks)
    if log10_p >= ACCEPT_LOG10:
        return None
    return Found(decoded=decoded, geometry=geometry, log10_p=log10_p, slots=(0, slots))


def _patiently(evidence: Evidence, layout: Layout) -> Decoded | None:
    """Give each assignment of cells a second chance."""
    for cell in range(CELL_CLASSES):
        seen = observe(evidence, layout, row=cell // CELL_PERIOD, column=cell % CELL_PERIOD)
        decoded = decode_patiently(seen, layout)
        if decoded is not None:
            return decoded
    return None


def _views(planes: Planes, layout: Layout, geometry: Geometry) -> Iterator[Floats]:
    """Sums of the slots on the lattice: plain (only where that is cheap), by time, by place."""
    if geometry.placement is None:
        yield geometry.align(plain(planes))
        pattern = sync_pattern(layout, geometry.shape or planes[0].shape)
        total = by_time(planes, pattern, geometry.align)
    else:
        total = by_time(planes, geometry.pattern(layout, planes[0].shape))
    total = geometry.align(total)
    yield total
    yield by_place(total, layout)


def _z(plane: Floats, layout: Layout) -> float:
    return sync_z(Evidence(luma=spectrum(plane, HALF_TILE), chroma=None), layout)


def trace_log10(z: float) -> float:
    """log10 of the bound on the best sync statistic of a search without a mark, 10^12 looks."""
    return sync_log10(z, _LOOKS)
