"""Host-aware embedding: planes, mask and messages in, the mark's two delta planes out.

The detector is linear in the mark up to its clipping, so its answer is predicted from one analysis of the
host: line k of the whitened, folded host is x0_k, and a line of amplitude A_k adds g_k s_k to it. The embedder
(1) sends the one of 256 codewords that agrees best with x0, and (2) moves energy from code bits that the host
favours to those that it opposes, so that all code bits keep about the same margin (improved spread spectrum,
Malvar and Florencio 2003, on code bits; here on the coefficients alone, without analysing again).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.watermark.analysis import HostEnergy, Spectrum, local_variance, synthesis
from labeler.watermark.code import CODE_BITS, Bits, encode
from labeler.watermark.layout import (
    CELL_CLASSES,
    CELL_PERIOD,
    GRID_COLUMNS,
    GRID_ROWS,
    TILE,
    Carrier,
    Layout,
)

__all__ = [
    "CarrierPlan",
    "answer_of",
    "choose",
    "gather",
    "plain_plan",
    "plan_folded",
    "render",
    "soften",
]

Floats: TypeAlias = npt.NDArray[np.float32]
Complexes: TypeAlias = npt.NDArray[np.complex64]

_CLIP_LOSS = 0.93  # mean slope of clip(x, 3) for the whitened host
_STEP = 0.36  # share of a margin's deviation that one round corrects
_ROUNDS = 1
_SYMBOL_MIN, _SYMBOL_MAX = 0.2, 3.0
_SYNC_STEP = 0.5
_SYNC_MIN, _SYNC_MAX = 0.3, 2.0
LOW_PASS_RADIUS = 13.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierPlan:
    """What the host does to one carrier.

    Attributes:
        carrier: its keyed assignment.
        tile: 128 for luma, 64 for chroma.
        host: (2n,) float32, normalised host value of each dim.
        gain: (2n,) float32, what a dim of symbol 1 adds to it.
        host_sync: (64,) complex64, the same for the sync lines.
        gain_sync: (64,) float32.
        amplitude: (2n,) float32, amplitude per dim of the unit-rms tile.
        amplitude_sync: (64,) float32.
    """

    carrier: Carrier
    tile: int
    host: Floats
    gain: Floats
    host_sync: Complexes
    gain_sync: Floats
    amplitude: Floats
    amplitude_sync: Floats


def gather(values: Floats, carrier: Carrier) -> Floats:
    """Sum dim values (..., 2n) into code bits (..., 384)."""
    padded = np.concatenate([values, np.zeros((*values.shape[:-1], 1), np.float32)], axis=-1)
    return np.asarray(padded[..., carrier.slots].sum(axis=-2), np.float32)


def as_dims(lines: Complexes) -> Floats:
    """Complex lines (..., n) as real dims (..., 2n): real part, imaginary part, in turn."""
    return np.asarray(np.ascontiguousarray(lines, np.complex64).view(np.float32), np.float32)


def answer_of(host: HostEnergy, scale: Floats, *, tile: int = TILE) -> float:
    """What a line of amplitude 1 in a tile of local rms ``scale`` adds to the whitened, folded plane."""
    variance = local_variance(host, tile)
    if scale.shape != variance.shape:
        scale = np.asarray(cv2.resize(scale, variance.shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
    area = host.high.shape[0] * host.high.shape[1]
    answer: float = _CLIP_LOSS * 0.5 * float((scale * variance ** np.float32(-0.8)).mean()) * area
    return answer


def plan_folded(
    folded: Spectrum, answer: float, carrier: Carrier, layout: Layout, *, tile: int = TILE
) -> CarrierPlan:
    """The plan for a plane whose spectrum is known.

    Args:
        folded: of the whitened host.
        answer: see :func:`answer_of`.
        carrier: which carrier.
        layout: the key's layout.
        tile: period of the lattice in px of the plane that the mark is rendered for.
    """
    unit = unit_amplitude(carrier)
    return CarrierPlan(
        carrier=carrier,
        tile=tile,
        host=as_dims(folded.lines(carrier)),
        gain=np.repeat(_answer(folded, carrier.grid, carrier.radius, answer), 2)
        * np.repeat(carrier.amplitude, 2)
        * unit
        / np.float32(math.sqrt(2)),
        host_sync=folded.sync(layout.sync_grid),
        gain_sync=_answer(folded, layout.sync_grid, _radius(layout.sync), answer)
        * carrier.sync_amplitude
        * unit,
        amplitude=np.repeat(carrier.amplitude, 2) * np.float32(unit / math.sqrt(2)),
        amplitude_sync=carrier.sync_amplitude * np.float32(unit),
    )


def plain_plan(carrier: Carrier, *, tile: int = TILE) -> CarrierPlan:
    """A plan that knows nothing of the host."""
    dims = len(carrier.bit)
    unit = unit_amplitude(carrier)
    return CarrierPlan(
        carrier=carrier,
        tile=tile,
        host=np.zeros(dims, np.float32),
        gain=np.ones(dims, np.float32),
        host_sync=np.zeros(len(carrier.sync_phase), np.complex64),
        gain_sync=np.ones(len(carrier.sync_phase), np.float32),
        amplitude=np.repeat(carrier.amplitude, 2) * np.float32(unit / math.sqrt(2)),
        amplitude_sync=carrier.sync_amplitude * np.float32(unit),
    )


def unit_amplitude(carrier: Carrier) -> float:
    """Factor that gives a tile with these line amplitudes a mean square of one."""
    energy = 0.5 * (float((carrier.amplitude**2).sum()) + float((carrier.sync_amplitude**2).sum()))
    return 1 / math.sqrt(energy)


def _radius(k: npt.NDArray[np.int64]) -> Floats:
    radius: Floats = np.sqrt((k**2).sum(axis=1)).astype(np.float32)
    return radius


def _answer(folded: Spectrum, grid: npt.NDArray[np.int64], radius: Floats, answer: float) -> Floats:
    """Normalised response to a line of amplitude 1: high-pass response times what folding adds up."""
    sigma = 2 * np.pi * 3.0 / TILE
    response = 1 - np.exp(-0.5 * (sigma * radius) ** 2)
    return np.asarray(answer * response / folded.deviation[grid], np.float32)


def choose(plans: list[CarrierPlan], messages: Bits) -> Bits:
    """The codeword, of those of the messages (m, 96), that agrees best with the host."""
    words = encode(messages)
    agreement = np.zeros(CODE_BITS, np.float32)
    for plan in plans:
        agreement += gather(plan.gain * plan.carrier.chip * plan.host, plan.carrier)
    best = int(((1 - 2 * words.astype(np.float32)) @ agreement).argmax())
    return np.asarray(words[best], np.uint8)


def soften(plans: list[CarrierPlan], word: Bits) -> list[Floats]:
    """Symbol strengths (2n,) for each carrier, so that all code bits keep about the same margin."""
    signs = 1 - 2 * word.astype(np.float32)
    symbols = [np.ones_like(plan.gain) for plan in plans]
    profiles = [
        [np.ones_like(plan.gain), np.exp(-((np.repeat(plan.carrier.radius, 2) / LOW_PASS_RADIUS) ** 2))]
        for plan in plans
    ]
    for _ in range(_ROUNDS):
        for channel in range(2):
            margin = np.zeros(CODE_BITS, np.float32)
            for plan, symbol, weights in zip(plans, symbols, profiles, strict=True):
                carrier = plan.carrier
                value = plan.host * carrier.chip * signs[carrier.bit] + plan.gain * symbol
                margin += gather(plan.gain * weights[channel] * value, carrier)
            mean = max(float(margin.mean()), 1e-9)
            correction = np.clip((mean - margin) / mean, -1, 1) * np.float32(_STEP)
            for plan, symbol, weights in zip(plans, symbols, profiles, strict=True):
                symbol += correction[plan.carrier.bit] * weights[channel]
                np.clip(symbol, _SYMBOL_MIN, _SYMBOL_MAX, out=symbol)
    for plan, symbol in zip(plans, symbols, strict=True):
        energy = plan.amplitude**2
        symbol *= np.float32(math.sqrt(float(energy.sum()) / float((energy * symbol**2).sum())))
    return symbols


def _sync_symbols(plan: CarrierPlan) -> Complexes:
    """Phasors of the sync lines, moved so that host and mark together show the keyed phase."""
    wanted = np.exp(1j * plan.carrier.sync_phase)
    gain = np.maximum(plan.gain_sync, 1e-9)
    seen = plan.host_sync + gain * wanted
    level = float((np.abs(seen) / gain).mean())
    pull = _SYNC_STEP * (level * wanted - seen / gain)
    symbol = wanted + pull
    modulus = np.abs(symbol)
    symbol = symbol / np.maximum(modulus, 1e-9) * np.clip(modulus, _SYNC_MIN, _SYNC_MAX)
    energy = plan.amplitude_sync**2
    symbol *= math.sqrt(float(energy.sum()) / float((energy * np.abs(symbol) ** 2).sum()))
    return np.asarray(symbol, np.complex64)


def render(plan: CarrierPlan, word: Bits, symbols: Floats, layout: Layout) -> Floats:
    """The tile of a carrier: (4 tile, 4 tile) float32, mean square one, all 16 cell classes."""
    carrier = plan.carrier
    signs = 1 - 2 * word.astype(np.float32)
    dims = plan.amplitude * symbols * carrier.chip * signs[carrier.bit]
    lines = np.ascontiguousarray(dims, np.float32).view(np.complex64)
    grid = np.zeros((CELL_CLASSES, GRID_ROWS * GRID_COLUMNS), np.complex64)
    grid[:, carrier.grid] = lines * carrier.cells
    grid[:, layout.sync_grid] = plan.amplitude_sync * _sync_symbols(plan)
    cells = synthesis(grid, plan.tile).reshape(CELL_PERIOD, CELL_PERIOD, plan.tile, plan.tile)
    side = CELL_PERIOD * plan.tile
    return np.ascontiguousarray(cells.transpose(0, 2, 1, 3)).reshape(side, side)
