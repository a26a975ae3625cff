"""From lattice spectra to a payload: combine the carriers, decode, check tag and correlation.

How much each ring of each carrier is worth depends on what happened to the picture (JPEG kills chroma, blur
kills the outer rings), which nobody tells the detector. It starts from a few fixed profiles and refines each
by expectation maximisation: soft code bits from the profile give the gain of every ring, the gains give new
weights. Acceptance uses the fixed profile only, whose tail is bounded (see ``statistics``).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labeler.watermark.analysis import Spectrum
from labeler.watermark.code import Bits, decode, decode_reliable, encode
from labeler.watermark.embedding import as_dims
from labeler.watermark.layout import (
    CELL_CLASSES,
    CELL_PERIOD,
    SYNC_LINES,
    SYNC_MAX,
    SYNC_MIN,
    Carrier,
    Layout,
)
from labeler.watermark.message import open_message
from labeler.watermark.statistics import correlation, sync_score

__all__ = [
    "Decoded",
    "Evidence",
    "Observed",
    "decode_at_once",
    "decode_cells",
    "decode_patiently",
    "decode_payload",
    "observe",
    "sync_z",
]

Floats: TypeAlias = npt.NDArray[np.float32]

_RING_WIDTH = 2.5
_EM_ROUNDS = 3
_VALUE_MAX = 4.0
_PATIENT_ROUNDS, _PATIENT_COPIES = 4, 4
_PATIENT_NOISE = 0.15  # of the rms of the soft bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The spectra of one picture in one geometry.

    Attributes:
        luma: spectrum of the luma plane.
        chroma: of the chroma plane, or None for a grey picture.
    """

    luma: Spectrum
    chroma: Spectrum | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Chip-corrected dims of both carriers, concatenated.

    Attributes:
        values: (..., D) float32; positive votes for code bit 0.
        luma_dims: how many of the D are luma.
        sync: (64,) or (128,) float32, sync lines of the carriers, their part along the keyed phase.
    """

    values: Floats
    luma_dims: int
    sync: Floats


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded payload whose tag fits.

    Attributes:
        payload: 8 bytes.
        rho: correlation with the codeword.
        excess: amplitude of the sync lines over that of the payload lines, 1 as embedded; see :func:`_excess`.
    """

    payload: bytes
    rho: float
    excess: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tables:
    """What decoding needs of a layout, both carriers concatenated; L = luma only.

    Attributes:
        slots: (r, 384) dims of each code bit, missing ones point to D.
        bit: (D,) code bit of each dim.
        amplitude: (D,) relative amplitude.
        radius: (D,) abs(k).
        ring: (D,) ring number; chroma rings follow those of luma.
        rings: number of rings.
    """

    slots: npt.NDArray[np.int64]
    bit: npt.NDArray[np.int64]
    amplitude: Floats
    radius: Floats
    ring: npt.NDArray[np.int64]
    rings: int


@lru_cache(maxsize=16)
def _tables(layout: Layout, chroma: bool) -> _Tables:
    carriers = [layout.luma, layout.chroma] if chroma else [layout.luma]
    total = sum(len(carrier.bit) for carrier in carriers)
    slots, ring, first, rings = [], [], 0, 0
    for carrier in carriers:
        slots.append(np.where(carrier.slots < len(carrier.bit), carrier.slots + first, total))
        first += len(carrier.bit)
        number = np.repeat(((carrier.radius - carrier.radius.min()) / _RING_WIDTH).astype(np.int64), 2)
        ring.append(number + rings)
        rings += int(number.max()) + 1
    return _Tables(
        slots=np.concatenate(slots),
        bit=np.concatenate([carrier.bit for carrier in carriers]),
        amplitude=np.concatenate([_relative(carrier) for carrier in carriers]),
        radius=np.concatenate([np.repeat(carrier.radius, 2) for carrier in carriers]),
        ring=np.concatenate(ring),
        rings=rings,
    )


def _relative(carrier: Carrier) -> Floats:
    """Expected relative strength of a dim after whitening: about flat in luma, falling in chroma."""
    amplitude = np.repeat(carrier.amplitude, 2)
    return np.asarray(amplitude / amplitude.max(), np.float32)


def sync_z(evidence: Evidence, layout: Layout) -> float:
    """The sync statistic at zero translation, of luma, of chroma, or of both, whichever is highest."""
    weight = np.ones(len(layout.sync), np.float32)
    top, variance = sync_score(evidence.luma.sync(layout.sync_grid), layout.luma.sync_phase, weight)
    z: float = top / math.sqrt(max(variance, 1e-12))
    if evidence.chroma is None:
        return z
    more, extra = sync_score(evidence.chroma.sync(layout.sync_grid), layout.chroma.sync_phase, weight)
    return max(z, more / math.sqrt(max(extra, 1e-12)), (top + more) / math.sqrt(max(variance + extra, 1e-12)))


def observe(evidence: Evidence, layout: Layout, *, row: int = 0, column: int = 0) -> Observed:
    """Read the payload dims for one assignment of cells: cell (0, 0) of the frame is cell (row, column)."""
    parts = [_dims(evidence.luma, layout.luma, row, column)]
    sync = [_along(evidence.luma, layout.luma, layout)]
    luma_dims = len(parts[0])
    if evidence.chroma is not None:
        parts.append(_dims(evidence.chroma, layout.chroma, row, column))
        sync.append(_along(evidence.chroma, layout.chroma, layout))
    values = np.clip(np.concatenate(parts), -_VALUE_MAX, _VALUE_MAX)
    return Observed(
        values=np.asarray(values, np.float32),
        luma_dims=luma_dims,
        sync=np.concatenate(sync).astype(np.float32),
    )


def _along(spectrum: Spectrum, carrier: Carrier, layout: Layout) -> Floats:
    """Sync lines (64,), their part along the keyed phase."""
    return np.asarray((spectrum.sync(layout.sync_grid) * np.exp(-1j * carrier.sync_phase)).real, np.float32)


def _dims(spectrum: Spectrum, carrier: Carrier, row: int, column: int) -> Floats:
    signs = carrier.cells
    if row or column:
        square = signs.reshape(CELL_PERIOD, CELL_PERIOD, -1)
        signs = np.roll(square, (-row, -column), axis=(0, 1)).reshape(signs.shape)
    return as_dims(spectrum.lines(carrier, signs)) * carrier.chip


def _profiles(tables: _Tables, luma_dims: int) -> Floats:
    """Fixed weight profiles, (2, D) for luma alone, (6, D) for both carriers."""
    luma = np.arange(len(tables.bit)) < luma_dims
    fall = np.exp(-((tables.radius / 20) ** 4))
    low = np.exp(-((tables.radius / 13) ** 2))
    lowest = np.exp(-((tables.radius / 7) ** 2))
    start = 1 - np.exp(-((tables.radius / 6) ** 2))
    band = start * np.exp(-((tables.radius / 25) ** 4))
    lower = start * np.exp(-((tables.radius / 16) ** 2))
    if luma_dims == len(tables.bit):
        return np.asarray([band, lower], np.float32)
    profiles = [
        np.where(luma, band, fall),  # light compression
        np.where(luma, lower, low),  # small or blurred
        np.where(luma, band, 0),  # grey
        np.where(luma, 0.25 * band, fall),  # crops of busy pictures: chroma before all
        np.where(luma, lower, lowest),  # small and compressed
        np.where(luma, band, lowest),  # strong compression
    ]
    return np.asarray(profiles, np.float32)


def _gather(values: Floats, tables: _Tables) -> Floats:
    padded = np.concatenate([values, np.zeros((len(values), 1), np.float32)], axis=1)
    return np.asarray(padded[:, tables.slots].sum(axis=1), np.float32)


def _refine(values: Floats, weights: Floats, tables: _Tables, *, rounds: int = _EM_ROUNDS) -> Floats:
    """Weights (b, D) refined by expectation maximisation, from weights (b, D), for values (D,)."""
    count = np.bincount(tables.ring, minlength=tables.rings).astype(np.float32)
    for _ in range(rounds):
        soft = _gather(values * weights, tables)
        scale = np.sqrt((soft**2).mean(axis=1, keepdims=True)) + 1e-9
        # Two-point fit of |soft|: mean m and variance s^2 of each half.
        mean = np.abs(soft).mean(axis=1, keepdims=True)
        spread = np.maximum(scale**2 - mean**2, 0.05 * scale**2)
        log_odds = soft * (mean / spread)
        own = values * weights * (mean / spread)
        extrinsic = np.tanh(log_odds[:, tables.bit] - own)
        gain = np.stack(
            [np.bincount(tables.ring, weights=row, minlength=tables.rings) for row in values * extrinsic]
        )
        certainty = np.stack(
            [np.bincount(tables.ring, weights=row, minlength=tables.rings) for row in extrinsic**2]
        )
        level = np.maximum(gain / np.maximum(certainty, 0.05 * count), 0.01)
        weights = level.astype(np.float32)[:, tables.ring]
    return weights


def decode_payload(observed: Observed, layout: Layout) -> Decoded | None:
    """Decode one observation; None if no tag fits.

    Args:
        observed: dims of one geometry and cell assignment.
        layout: the key's layout.
    """
    found = decode_at_once(observed, layout)
    if found is not None:
        return found
    tables = _tables(layout, observed.luma_dims < observed.values.shape[-1])
    fixed = _profiles(tables, observed.luma_dims)
    soft = _gather(observed.values * _refine(observed.values, fixed, tables), tables)
    order = np.argsort(-clustering(soft))
    for batch in (order[:1], order[1:]):
        for message in decode(soft[batch]):
            payload = open_message(message, layout.key)
            if payload is not None:
                return _decoded(payload, observed, message, layout, tables)
    return None


def decode_patiently(observed: Observed, layout: Layout) -> Decoded | None:
    """A second chance, for a place where the sync lines show a mark that did not decode.

    Circular Viterbi decoding fails at times because its best path does not close, or because another codeword
    lies a little nearer. Decoding copies with a little noise added finds the right one in about half of these
    cases. And where little is left of a mark, expectation maximisation learns from noise: then the fixed profiles
    are better as they are (AVIF of quality 30, gentle strength: 9 of 36 marks read without them, 24 with).

    How many codewords are looked at does not matter for the bound on accepting one of them, which holds for all
    codewords together.

    Args:
        observed: dims of one geometry and cell assignment.
        layout: the key's layout.
    """
    tables = _tables(layout, observed.luma_dims < observed.values.shape[-1])
    fixed = _profiles(tables, observed.luma_dims)
    plain = _gather(observed.values * fixed, tables)
    refined = _gather(observed.values * _refine(observed.values, fixed, tables), tables)
    best = refined[np.argsort(-clustering(refined))[:2]]
    best = best / np.sqrt((best**2).mean(axis=1, keepdims=True))
    rng = np.random.default_rng(96)
    copies = np.repeat(best, _PATIENT_COPIES, axis=0)
    noisy = (
        copies + rng.normal(0, _PATIENT_NOISE, copies.shape).astype(np.float32)
        for _ in range(_PATIENT_ROUNDS)
    )
    for batch in itertools.chain([plain], noisy):
        for message in decode(np.asarray(batch, np.float32)):
            payload = open_message(message, layout.key)
            if payload is not None:
                return _decoded(payload, observed, message, layout, tables)
    return None


def decode_at_once(observed: Observed, layout: Layout) -> Decoded | None:
    """The fast first try: one profile, the most reliable code bits; None says nothing."""
    tables = _tables(layout, observed.luma_dims < observed.values.shape[-1])
    fixed = _profiles(tables, observed.luma_dims)
    weights = _refine(observed.values, fixed[:1], tables, rounds=1)
    message = decode_reliable(_gather(observed.values * weights, tables)[0])
    payload = open_message(message, layout.key)
    return None if payload is None else _decoded(payload, observed, message, layout, tables)


def decode_cells(evidence: Evidence, layout: Layout, *, thorough: bool = False) -> Decoded | None:
    """Decode all 16 assignments of cells; None if no tag fits.

    Args:
        evidence: spectra of one geometry, aligned with the lattice.
        layout: the key's layout.
        thorough: try every fixed profile as :func:`decode_payload` does, not only their mean; reads a few more.
    """
    tables = _tables(layout, evidence.chroma is not None)
    seen = [
        observe(evidence, layout, row=o // CELL_PERIOD, column=o % CELL_PERIOD) for o in range(CELL_CLASSES)
    ]
    fixed = _profiles(tables, seen[0].luma_dims)
    values = np.stack([observed.values for observed in seen])

    def soft(profiles: Floats) -> Floats:
        """Of every assignment with every profile (p, D), in this order."""
        own = np.repeat(values, len(profiles), axis=0)
        return _gather(own * _refine(own, np.tile(profiles, (len(values), 1)), tables), tables)

    def opened(messages: Bits) -> Decoded | None:
        for row, message in enumerate(messages):
            payload = open_message(message, layout.key)
            if payload is not None:
                return _decoded(payload, seen[row * len(seen) // len(messages)], message, layout, tables)
        return None

    mean = soft(fixed[:2].mean(axis=0, keepdims=True))
    return opened(_reliable(mean)) or opened(decode(soft(fixed) if thorough else mean))


def _reliable(soft: Floats) -> Bits:
    """:func:`decode_reliable` for a batch."""
    return np.stack([decode_reliable(row) for row in soft])


def _decoded(payload: bytes, observed: Observed, message: Bits, layout: Layout, tables: _Tables) -> Decoded:
    """The payload, its correlation under the fixed profile that shows it best, and the excess of sync."""
    signs = (1 - 2 * encode(message).astype(np.float32))[tables.bit]
    rho = 0.0
    for profile in _profiles(tables, observed.luma_dims):
        top, energy = correlation(observed.values, profile, signs)
        rho = max(rho, top / math.sqrt(max(energy, 1e-12)))
    return Decoded(payload, rho, _excess(observed, observed.values * signs, layout))


def _excess(observed: Observed, votes: Floats, layout: Layout) -> float:
    """How much stronger than the payload the sync lines are, in the ring that both share.

    The sync lines are the same in all pictures of a key, payloads are not: an average of n marked pictures
    shows the payload of one of them with n times too strong sync lines.

    Args:
        observed: what was decoded.
        votes: (D,) its dims times their code bits.
        layout: the key's layout.
    """
    parts = [(layout.luma, votes[: observed.luma_dims], observed.sync[:SYNC_LINES])]
    if observed.luma_dims < len(votes):
        parts.append((layout.chroma, votes[observed.luma_dims :], observed.sync[SYNC_LINES:]))
    both = own = 0.0
    for carrier, values, sync in parts:
        ring = (carrier.radius >= SYNC_MIN) & (carrier.radius <= SYNC_MAX)
        amplitude = np.repeat(carrier.amplitude[ring], 2) / np.float32(math.sqrt(2))
        payload = float(values[np.repeat(ring, 2)] @ amplitude) / float(amplitude @ amplitude)
        periodic = float(sync @ carrier.sync_amplitude) / float(
            carrier.sync_amplitude @ carrier.sync_amplitude
        )
        both, own = both + max(payload, 0.0) * periodic, own + max(payload, 0.0) ** 2
    return both / max(own, 1e-12)


def clustering(soft: Floats) -> Floats:
    """How clearly code bits (b, 384) form two clusters at +-m rather than one Gaussian, (b,).

    The log likelihood ratio of a symmetric mixture of two Gaussians, fitted by expectation maximisation,
    against one Gaussian of the same power.
    """
    soft = soft / (np.sqrt((soft**2).mean(axis=1, keepdims=True)) + 1e-12)
    mean = np.abs(soft).mean(axis=1, keepdims=True) * 0.9
    for _ in range(6):
        spread = np.maximum(1 - mean**2, 0.02)
        mean = (soft * np.tanh(soft * mean / spread)).mean(axis=1, keepdims=True)
    spread = np.maximum(1 - mean**2, 0.02)
    angle = np.abs(soft * mean / spread)
    log_cosh = angle + np.log1p(np.exp(-2 * angle)) - np.log(2)
    exponent = -0.5 * (soft**2 + mean**2) / spread + log_cosh
    ratio = exponent - 0.5 * np.log(spread) + 0.5 * soft**2
    return np.asarray(ratio.sum(axis=1), np.float32)
