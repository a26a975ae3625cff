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
from labeler.errors import LabelerError, UsageError
from labeler.types import State, WatermarkReport
from labeler.watermark.apply import add_delta, delta_image, mean_square_error
from labeler.watermark.blind import Found, full_search, scale_and_rotation, trace_log10
from labeler.watermark.decoding import Decoded
from labeler.watermark.fingerprint import compare, fingerprint
from labeler.watermark.frame import FRAME, FRAME_SMALL, frame_size, luma_of, reduce_to
from labeler.watermark.layout import Layout
from labeler.watermark.marking import Delta, add, host_of, is_document, mark_detail, mark_frame
from labeler.watermark.message import NONCES, candidates
from labeler.watermark.orientation import ORIENTATIONS, Orientation
from labeler.watermark.reading import Reading, glance, read_turned, read_upright
from labeler.watermark.search import field_of
from labeler.watermark.statistics import ACCEPT_LOG10, accept_log10
from labeler.watermark.view import View

__all__ = [
    "ALGORITHM",
    "FRAME",
    "SIDE_MIN",
    "STRENGTHS",
    "CannotMark",
    "Embedded",
    "View",
    "compare",
    "detect",
    "embed",
    "fingerprint",
]

Pixels: TypeAlias = npt.NDArray[Any]

ALGORITHM = "io.github.labeler.image.1"
"""Name of profile 1 in a C2PA soft binding."""
PURPOSE = "watermark/image/1"
STRENGTHS = {"gentle": 46.0, "default": 43.4, "strong": 41.5}
"""PSNR of each strength for a picture of average texture, dB."""
SIDE_MIN = 128
"""Pictures whose short side is less are not marked, px."""
_SIDE_READ = 32
_SMALL = 400
_SMALL_LOSS = 2.0
"""Small pictures and documents are marked by so many decibels more strongly."""
_SIZE_FULL, _SIZE_LOSS = 600, 3.0
"""Decibels for half the side, below 600 px: fewer pixels carry the same bits."""
_LARGE = 4_000_000
_LAYER_SHARE, _LAYER_MAX = 0.55, 1984
_LAYER_GAINS = (2.8, 2.0)
"""Decibels above the base of the two layers of a large picture."""
_NONCES_TRIED = 32
_FLAT_RANGE = 2  # 8-bit levels
_TRACE_LOG10 = -6.0
_EXCESS_MAX = 3.0
"""Sync lines so many times stronger than the payload show that several marks were put together; one mark has 0.4 to
1.5 after any handling, two marks over one another up to 1.9, an average of eight pictures 4.3 and more."""


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
    picture: Pixels | View,
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
        picture: (H, W) grey or (H, W, 3) RGB, uint8 or uint16, as displayed; or a view of it.
        payload: 8 bytes.
        key: the watermark key.
        strength: ``gentle``, ``default`` or ``strong``.
        psnr: aim at this PSNR (dB) whatever the picture.
        alpha: (H, W), same dtype; fully transparent pixels are not touched. A view has its own.
        report: test the mark by reading it after JPEG 50 and half size.

    Raises:
        CannotMark: the picture is too small or entirely flat.
        UsageError: there is no such strength.
    """
    view = _view_of(picture, alpha)
    if strength not in STRENGTHS:
        raise UsageError(f"unknown strength {strength!r}.", remedy=f"Use one of: {', '.join(STRENGTHS)}.")
    short = min(view.size)
    if short < SIDE_MIN:
        raise CannotMark(
            f"the short side has {short} px; an invisible mark needs at least {SIDE_MIN}.",
            remedy="Metadata and the visible label carry the label instead.",
        )
    if _is_flat(view.pixels):
        raise CannotMark(
            "the picture is one flat area, where no invisible mark would survive.",
            remedy="Metadata and the visible label carry the label instead.",
        )
    layout = Layout.of(key.derive(PURPOSE))
    delta = _delta(view, payload, layout, base=STRENGTHS[strength], psnr=psnr)
    marked = add_delta(view.stored, delta_image(delta.luma, delta.chroma), alpha=view.alpha)
    error = mean_square_error(view.stored, marked)
    return Embedded(
        pixels=marked,
        psnr=10 * math.log10(255**2 / error) if error > 0 else math.inf,
        weak=_weakness(View(marked, view.alpha).pixels, payload, key) if report else "",
    )


def _view_of(picture: Pixels | View, alpha: Pixels | None) -> View:
    return picture if isinstance(picture, View) else View(picture, alpha)


def _delta(view: View, payload: bytes, layout: Layout, *, base: float, psnr: float | None) -> Delta:
    """The mark of a picture: frame class and layers by its size and content."""
    height, width = view.size
    small = math.sqrt(height * width) < _SMALL
    host = host_of(view.analysis(FRAME_SMALL if small else FRAME))
    if not small and is_document(host):
        small = True
        host = host_of(view.analysis(FRAME_SMALL))
    ratio = height / host.seen.planes.shape[0]
    # Which nonces are tried depends on the picture, so pictures of one payload differ in their codewords.
    start = int(cv2.norm(host.seen.luma.high, cv2.NORM_L1)) % NONCES
    messages = candidates(payload, layout.key, first=start, count=_NONCES_TRIED)
    base -= (
        _SIZE_LOSS * max(math.log2(_SIZE_FULL / math.sqrt(height * width)), 0) if not small else _SMALL_LOSS
    )
    if small:
        return mark_frame(host, messages, layout, base=base, psnr=psnr, ratio=ratio, small=True)
    if height * width <= _LARGE:
        return mark_frame(host, messages, layout, base=base, psnr=psnr, ratio=ratio)
    first, second = _LAYER_GAINS
    side = min(_LAYER_SHARE * math.sqrt(height * width), _LAYER_MAX)
    fine = frame_size(height, width, side)
    goals = [None if psnr is None else psnr + gain for gain in (3.6, 2.7)]
    coarse = mark_frame(host, messages, layout, base=base + first, psnr=goals[0], ratio=ratio)
    detail = mark_detail(
        host, coarse.word, layout, shape=fine, base=base + second, psnr=goals[1], ratio=height / fine[0]
    )
    return add(coarse, detail)


def _weakness(marked: Pixels, payload: bytes, key: WatermarkKey) -> str:
    """Read the mark after JPEG 50 and half size; of a very large picture, after half size and JPEG 50."""
    eight = marked if marked.dtype == np.uint8 else (marked >> 8).astype(np.uint8)
    height, width = eight.shape[:2]
    if height * width > _LARGE:
        eight = reduce_to(eight, height // 2, width // 2)
    if eight.ndim == 3:
        eight = np.asarray(cv2.cvtColor(eight, cv2.COLOR_RGB2BGR))
    data = cv2.imencode(".jpg", eight, [cv2.IMWRITE_JPEG_QUALITY, 50])[1]
    image = np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED))
    if image.ndim == 3:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    if height * width <= _LARGE:
        image = np.asarray(cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA))
    if detect(image, [key], quick=True).payload == payload.hex():
        return ""
    reason = "the picture is small" if min(height, width) < 2 * SIDE_MIN else "the picture has little texture"
    return f"{reason}: the mark is not readable after JPEG 50 and half size"


def _is_flat(pixels: Pixels) -> bool:
    """Whether all pixels have about the same colour."""
    limit = _FLAT_RANGE if pixels.dtype == np.uint8 else _FLAT_RANGE * 257
    corner = pixels[:: max(pixels.shape[0] // 64, 1), :: max(pixels.shape[1] // 64, 1)]
    if int(np.ptp(corner.reshape(-1, *corner.shape[2:]), axis=0).max()) > limit:
        return False
    return int(np.ptp(pixels.reshape(-1, *pixels.shape[2:]), axis=0).max()) <= limit


def detect(
    picture: Pixels | View,
    keys: Sequence[WatermarkKey],
    *,
    quick: bool = False,
    alpha: Pixels | None = None,
    likely: bool = True,
) -> WatermarkReport:
    """Look for a mark.

    Args:
        picture: (H, W) or (H, W, 3) RGB, uint8 or uint16; or a view of it.
        keys: the keys to try.
        quick: unchanged geometry (any uniform scale), flips and quarter turns only.
        alpha: (H, W); fully transparent pixels are ignored. A view has its own.
        likely: whether a mark is to be expected. If not, there is no first glance at luma alone, and what shows no
            sync lines is not decoded with all means: a mark whose sync lines were taken off on purpose is missed.

    Returns:
        PRESENT with the payload and the geometry (``comparable``: the fingerprint of this picture may be compared
        with that of the marked one; ``assembled``: the mark was put together from the marks of several pictures);
        ABSENT; or CANNOT_TELL with the reason: the picture is too small or flat to
        show a mark, or shows the sync lines of a key but no readable payload.
    """
    view = _view_of(picture, alpha)
    if min(view.size) < _SIDE_READ:
        return WatermarkReport(
            state=State.CANNOT_TELL,
            reason=f"the short side has {min(view.size)} px; too small to show a mark",
        )
    if _is_flat(view.pixels):
        return WatermarkReport(state=State.CANNOT_TELL, reason="the picture is flat and cannot show a mark")
    layouts = [Layout.of(key.derive(PURPOSE)) for key in keys]
    readings: list[Reading] = []
    for side in (FRAME, FRAME_SMALL):
        seen = glance(luma_of(view.frame(side)), layouts) if likely and view.pixels.ndim == 3 else None
        if seen is not None and _log10_p(seen[0]) < ACCEPT_LOG10:
            return _report(seen[0], keys[seen[1]], ORIENTATIONS[0])
        readings.append(view.analysis(side).reading)
        for key, layout in zip(keys, layouts, strict=True):
            found = read_upright(readings[-1], layout, gated=not likely)
            if found is not None and _log10_p(found) < ACCEPT_LOG10:
                return _report(found, key, ORIENTATIONS[0])
    for reading in readings:
        for key, layout in zip(keys, layouts, strict=True):
            turned = read_turned(reading, layout)
            if turned is not None and _log10_p(turned[0], turned=True) < ACCEPT_LOG10:
                return _report(turned[0], key, turned[1])
    if quick:
        return WatermarkReport(state=State.ABSENT, geometry={"search": "quick"})
    return _search(view, readings, keys, layouts)


def _search(
    view: View, readings: Sequence[Reading], keys: Sequence[WatermarkKey], layouts: Sequence[Layout]
) -> WatermarkReport:
    fields = [field_of(reading.luma, reading.chroma) for reading in readings]
    traces = []
    best_z = 0.0
    for key, layout in zip(keys, layouts, strict=True):
        searched = full_search(view, readings, fields, layout)
        if searched.found is not None:
            return _search_report(searched.found, key)
        best_z = max(best_z, searched.best_z)
        log10_p = trace_log10(searched.best_z)
        if log10_p < _TRACE_LOG10:
            traces.append((log10_p, key))
    if traces:
        log10_p, key = min(traces, key=lambda trace: trace[0])
        return WatermarkReport(
            state=State.CANNOT_TELL,
            key_id=key.key_id,
            log10_p=round(log10_p, 1),
            geometry={"search": "full", "sync_z": round(best_z, 2)},
            reason=f"there are traces of a mark of key {key.key_id}, but its payload cannot be read",
        )
    return WatermarkReport(state=State.ABSENT, geometry={"search": "full", "sync_z": round(best_z, 2)})


def _log10_p(found: Decoded, *, turned: bool = False) -> float:
    """Bound for readings without a search.

    As it is: 2 frames x (6 + 2) profiles, half of the error; turned: 2 frames x 7 orientations x 6 profiles, a
    tenth of the error. (2: the profiles of luma alone, for the first glance.)
    """
    return accept_log10(found.rho, 2 * 7 * 6 / 0.1 if turned else 2 * (6 + 2) / 0.5)


def _report(found: Decoded, key: WatermarkKey, orientation: Orientation) -> WatermarkReport:
    geometry = {
        "scale": 1.0,
        "rotation": -90.0 * orientation.turns % 360,
        "flip": orientation.mirror,
        "search": "none",
        "comparable": orientation is ORIENTATIONS[0],
        "rho": round(found.rho, 2),
    }
    log10_p = _log10_p(found, turned=orientation is not ORIENTATIONS[0])
    return _present(found, key, log10_p, geometry)


def _search_report(found: Found, key: WatermarkKey) -> WatermarkReport:
    scale, rotation, mirror = scale_and_rotation(found)
    geometry = {
        "scale": round(scale, 4),
        "rotation": round(rotation, 2),
        "flip": mirror,
        "search": found.stage,
        "comparable": False,
        "rho": round(found.decoded.rho, 2),
    }
    return _present(found.decoded, key, found.log10_p, geometry)


def _present(found: Decoded, key: WatermarkKey, log10_p: float, geometry: dict[str, Any]) -> WatermarkReport:
    text = found.payload.hex()
    geometry["sync_excess"] = round(found.excess, 2)
    geometry["assembled"] = found.excess > _EXCESS_MAX
    return WatermarkReport(
        state=State.PRESENT,
        payload=text,
        mark_id=text[2:],
        key_id=key.key_id,
        log10_p=round(log10_p, 1),
        geometry=geometry,
    )
