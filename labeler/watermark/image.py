"""The invisible image watermark: embed 64 bits, detect them, say how sure.

Pixels in, pixels or a report out; no files. Profile 1, described in docs/watermark.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.core.keys import WatermarkKey
from labeler.errors import LabelerError
from labeler.types import State, WatermarkReport
from labeler.watermark.analysis import chroma_energy, host_energy
from labeler.watermark.apply import CHROMA_POWER, add_delta, delta_image, mean_square_error, resize_gain
from labeler.watermark.blind import Found, full_search, scale_and_rotation
from labeler.watermark.decoding import Decoded
from labeler.watermark.embedding import choose, plan_carrier, render, soften
from labeler.watermark.frame import FRAME, FRAME_SMALL, Planes, frame_size, planes_of, reduce_to
from labeler.watermark.layout import TILE, Layout
from labeler.watermark.mask import mask_of, target_psnr
from labeler.watermark.message import candidates
from labeler.watermark.orientation import ORIENTATIONS, Orientation
from labeler.watermark.reading import read, read_turned, read_upright
from labeler.watermark.search import field_of
from labeler.watermark.statistics import ACCEPT_LOG10, accept_log10

__all__ = ["ALGORITHM", "STRENGTHS", "CannotMark", "Embedded", "detect", "embed"]

Floats: TypeAlias = npt.NDArray[np.float32]
Pixels: TypeAlias = npt.NDArray[Any]

ALGORITHM = "io.github.labeler.image.1"
"""Name of profile 1 in a C2PA soft binding."""
PURPOSE = "watermark/image/1"
STRENGTHS = {"gentle": 46.0, "default": 43.6, "strong": 41.5}
"""Base PSNR of each strength, dB."""
SIDE_MIN = 128
"""Pictures whose short side is less are not marked, px."""
_SMALL = 400
_CHROMA_SHARE = 0.30
_GREY = 1.5


class CannotMark(LabelerError):
    """The picture cannot carry the watermark; other layers can still label it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """A marked picture.

    Attributes:
        pixels: like the input.
        psnr: peak signal-to-noise ratio to the input over all values, dB.
        weak: empty, or why the mark may not survive JPEG 50 and half size.
    """

    pixels: Pixels
    psnr: float
    weak: str


def embed(
    pixels: Pixels,
    payload: bytes,
    key: WatermarkKey,
    *,
    strength: str = "default",
    psnr: float | None = None,
    alpha: Pixels | None = None,
    report: bool = True,
) -> Embedded:
    """Embed a payload.

    Args:
        pixels: (H, W) grey or (H, W, 3) RGB, uint8 or uint16, as displayed.
        payload: 8 bytes.
        key: the watermark key.
        strength: ``gentle``, ``default`` or ``strong``.
        psnr: aim at this PSNR (dB) whatever the picture.
        alpha: (H, W), same dtype; fully transparent pixels are not touched.
        report: test the mark's strength by decoding after JPEG 50 and half size.

    Raises:
        CannotMark: the picture is too small or entirely flat.
    """
    _check(pixels, alpha)
    height, width = pixels.shape[:2]
    if min(height, width) < SIDE_MIN:
        raise CannotMark(
            f"the short side has {min(height, width)} px; an invisible mark needs at least {SIDE_MIN}.",
            remedy="Metadata and the visible label carry the label instead.",
        )
    layout = Layout.of(key.derive(PURPOSE))
    flattened = _flatten(pixels, alpha)
    if int(flattened.max()) - int(flattened.min()) <= (2 if pixels.dtype == np.uint8 else 514):
        raise CannotMark(
            "the picture is one flat area, where no invisible mark would survive.",
            remedy="Metadata and the visible label carry the label instead.",
        )
    small = math.sqrt(height * width) < _SMALL
    side = FRAME_SMALL if small else FRAME
    delta = _delta(flattened, payload, layout, side=side, base=STRENGTHS[strength], psnr=psnr)
    marked = add_delta(pixels, delta, alpha=alpha)
    error = mean_square_error(pixels, marked)
    quality = 10 * math.log10(255**2 / error) if error > 0 else math.inf
    return Embedded(pixels=marked, psnr=quality, weak="")


def _delta(
    pixels: Pixels, payload: bytes, layout: Layout, *, side: int, base: float, psnr: float | None
) -> npt.NDArray[np.uint8]:
    """The delta image of a picture, at frame size."""
    size = frame_size(pixels.shape[0], pixels.shape[1], side)
    planes = planes_of(reduce_to(pixels, *size))
    ratio = pixels.shape[0] / size[0]
    luma_host = host_energy(planes.luma)
    mask = mask_of(planes.luma, luma_host)
    chroma_plane = planes.chroma if side == FRAME and _coloured(planes) else None
    share = _CHROMA_SHARE if chroma_plane is not None else 0.0
    target = psnr if psnr is not None else target_psnr(mask.activity, base)
    error = max(255**2 / 10 ** (target / 10) - 1 / 12, 0.02)
    luma_scale = mask.scaled((1 - share) * error / resize_gain(ratio, fine=True))
    plans = [plan_carrier(luma_host, luma_scale, layout.luma, layout)]
    scales = [luma_scale]
    if chroma_plane is not None and planes.red is not None:
        chroma_scale = mask.scaled(share * error / CHROMA_POWER / resize_gain(ratio, fine=False))
        host = chroma_energy(planes.luma, chroma_plane, planes.red)
        plans.append(plan_carrier(host, chroma_scale, layout.chroma, layout, tile=TILE // 2))
        scales.append(chroma_scale)
    word = choose(plans, candidates(payload, layout.key))
    symbols = soften(plans, word)
    deltas = []
    for plan, scale, symbol in zip(plans, scales, symbols, strict=True):
        rows, columns = size[0] * plan.tile // TILE, size[1] * plan.tile // TILE
        tile = render(plan, word, symbol, layout)
        repeats = (-(-rows // tile.shape[0]), -(-columns // tile.shape[1]))
        texture = np.tile(tile, repeats)[:rows, :columns]
        envelope = cv2.resize(scale, (columns, rows), interpolation=cv2.INTER_LINEAR)
        deltas.append(np.asarray(cv2.multiply(texture, envelope), np.float32))
    return delta_image(deltas[0], deltas[1] if len(deltas) > 1 else None)


def _coloured(planes: Planes) -> bool:
    """Whether the picture has colour at all; a grey picture stored as RGB stays grey."""
    return planes.chroma is not None and float(np.abs(planes.chroma - 128).max()) > _GREY


def _flatten(pixels: Pixels, alpha: Pixels | None) -> Pixels:
    """The picture as seen on white paper."""
    if alpha is None:
        return pixels
    top = 255 if pixels.dtype == np.uint8 else 65535
    clear = alpha == 0
    flat = pixels.copy()
    flat[clear] = top
    return flat


def _check(pixels: Pixels, alpha: Pixels | None) -> None:
    if pixels.dtype not in (np.uint8, np.uint16) or pixels.ndim not in (2, 3):
        raise ValueError(
            f"pixels must be (H, W) or (H, W, 3) of uint8 or uint16, not {pixels.dtype} {pixels.shape}"
        )
    if pixels.ndim == 3 and pixels.shape[2] != 3:
        raise ValueError(f"colour pixels must have 3 channels, not {pixels.shape[2]}")
    if alpha is not None and alpha.shape != pixels.shape[:2]:
        raise ValueError(f"alpha is {alpha.shape}, the picture {pixels.shape[:2]}")


def detect(
    pixels: Pixels, keys: Sequence[WatermarkKey], *, quick: bool = False, alpha: Pixels | None = None
) -> WatermarkReport:
    """Look for a mark.

    Args:
        pixels: (H, W) or (H, W, 3) RGB, uint8 or uint16.
        keys: the keys to try.
        quick: unchanged geometry, flips and quarter turns only.
        alpha: (H, W); fully transparent pixels are ignored.
    """
    _check(pixels, alpha)
    pixels = _flatten(pixels, alpha)
    layouts = [Layout.of(key.derive(PURPOSE)) for key in keys]
    readings = []
    for side in (FRAME, FRAME_SMALL):
        size = frame_size(pixels.shape[0], pixels.shape[1], side)
        reading = read(planes_of(reduce_to(pixels, *size)))
        readings.append(reading)
        for key, layout in zip(keys, layouts, strict=True):
            found = read_upright(reading, layout)
            if found is not None and _log10_p(found) < ACCEPT_LOG10:
                return _report(found, key, ORIENTATIONS[0])
    for reading in readings:
        for key, layout in zip(keys, layouts, strict=True):
            turned = read_turned(reading, layout)
            if turned is not None and _log10_p(turned[0]) < ACCEPT_LOG10:
                return _report(turned[0], key, turned[1])
    if not quick:
        field = field_of(readings[0].luma, readings[0].chroma)
        for key, layout in zip(keys, layouts, strict=True):
            searched = full_search(pixels, readings[0], field, layout)
            if searched.found is not None:
                return _search_report(searched.found, key)
    return WatermarkReport(state=State.ABSENT, geometry={"search": "quick" if quick else "full"})


def _log10_p(found: Decoded) -> float:
    """Bound for the identity and orientation reading: 2 frames, 8 orientations, 3 profiles."""
    return accept_log10(found.rho, 48)


def _search_report(found: Found, key: WatermarkKey) -> WatermarkReport:
    scale, rotation, mirror = scale_and_rotation(found.placement)
    text = found.decoded.payload.hex()
    return WatermarkReport(
        state=State.PRESENT,
        payload=text,
        mark_id=text[2:],
        key_id=key.key_id,
        log10_p=round(found.log10_p, 1),
        geometry={
            "scale": round(scale, 4),
            "rotation": round(rotation, 2),
            "flip": mirror,
            "search": found.stage,
            "rho": round(found.decoded.rho, 2),
        },
    )


def _report(found: Decoded, key: WatermarkKey, orientation: Orientation) -> WatermarkReport:
    text = found.payload.hex()
    return WatermarkReport(
        state=State.PRESENT,
        payload=text,
        mark_id=text[2:],
        key_id=key.key_id,
        log10_p=round(_log10_p(found), 1),
        geometry={
            "scale": 1.0,
            "rotation": -90.0 * orientation.turns % 360,
            "flip": orientation.mirror,
            "rho": round(found.rho, 2),
        },
    )
