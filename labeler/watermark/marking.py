"""The mark of one frame: its analysis in, delta planes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.watermark.apply import CHROMA_POWER, resize_gain
from labeler.watermark.code import Bits
from labeler.watermark.embedding import (
    CarrierPlan,
    answer_of,
    choose,
    plain_plan,
    plan_folded,
    render,
    soften,
)
from labeler.watermark.layout import TILE, Layout
from labeler.watermark.mask import Mask, mask_of, target_psnr
from labeler.watermark.view import Analysis

__all__ = ["Delta", "Host", "host_of", "is_document", "mark_detail", "mark_frame"]

Floats: TypeAlias = npt.NDArray[np.float32]

_CHROMA_SHARE = 0.18
"""Share of the mean square error that goes to chroma."""
_GREY = 1.5  # largest deviation of Cb in a picture that counts as grey
_DOCUMENTS = ((0.35, 9.0), (0.85, 2.0))
"""Share of flat ground and activity above which a frame counts as a document: pages; logos and drawings."""
_ROUNDING = 1 / 12  # mean square error of rounding to whole levels


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """What is added to a frame.

    Attributes:
        luma: (h, w) float32, grey levels of Y.
        chroma: (h/2, w/2) float32, levels of Cb, or None.
        word: (384,) the code bits sent.
    """

    luma: Floats
    chroma: Floats | None
    word: Bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A frame before marking.

    Attributes:
        seen: its analysis.
        mask: the perceptual mask.
    """

    seen: Analysis
    mask: Mask


def host_of(seen: Analysis) -> Host:
    """Work out the mask of a frame."""
    return Host(seen=seen, mask=mask_of(seen.planes.luma, seen.luma))


def is_document(host: Host) -> bool:
    """Strong edges on much flat ground: text pages, line art, logos."""
    return any(host.mask.flat > flat and host.mask.activity > activity for flat, activity in _DOCUMENTS)


def mark_frame(
    host: Host,
    messages: Bits,
    layout: Layout,
    *,
    base: float,
    psnr: float | None = None,
    ratio: float = 1.0,
    small: bool = False,
) -> Delta:
    """Make the mark of a frame.

    Args:
        host: the frame.
        messages: (m, 96) bits, all of them fit; the one that suits the picture best is sent.
        layout: the key's layout.
        base: PSNR for a picture of average texture, dB.
        psnr: aim at this PSNR instead, whatever the texture.
        ratio: side of the picture over side of the frame.
        small: the class of small pictures and documents: luma only, relaxed caps.
    """
    seen, evidence = host.seen, host.seen.reading.evidence
    scales = _scales(host, base=base, psnr=psnr, ratio=ratio, small=small)
    plans = [plan_folded(evidence.luma, answer_of(seen.luma, scales[0]), layout.luma, layout)]
    if len(scales) > 1 and seen.chroma is not None and evidence.chroma is not None:
        tile = TILE // 2
        answer = answer_of(seen.chroma, scales[1], tile=tile)
        plans.append(plan_folded(evidence.chroma, answer, layout.chroma, layout, tile=tile))
    word = choose(plans, messages)
    return _compose(plans, scales, soften(plans, word), word, seen.planes.shape, layout)


def mark_detail(
    host: Host,
    word: Bits,
    layout: Layout,
    *,
    shape: tuple[int, int],
    base: float,
    psnr: float | None = None,
    ratio: float = 1.0,
) -> Delta:
    """Make the second mark of a large picture, in a finer frame; the host is not analysed again.

    Args:
        host: the picture in its usual frame, for mask and strength.
        word: (384,) code bits, those of the first mark.
        layout: the key's layout.
        shape: height and width of the finer frame.
        base: PSNR for a picture of average texture, dB.
        psnr: aim at this PSNR instead, whatever the texture.
        ratio: side of the picture over side of the finer frame.
    """
    scales = _scales(host, base=base, psnr=psnr, ratio=ratio, small=False)
    carriers = [(layout.luma, TILE), (layout.chroma, TILE // 2)][: len(scales)]
    plans = [plain_plan(carrier, tile=tile) for carrier, tile in carriers]
    symbols = [np.ones_like(plan.gain) for plan in plans]
    return _compose(plans, scales, symbols, word, shape, layout)


def _scales(host: Host, *, base: float, psnr: float | None, ratio: float, small: bool) -> list[Floats]:
    """Local rms of luma and, if the picture has colour, of chroma, at a quarter of the frame's resolution."""
    mask, blue = host.mask, host.seen.planes.chroma
    carries = not small and blue is not None and float(np.abs(blue - 128).max()) > _GREY
    share = _CHROMA_SHARE if carries else 0.0
    target = psnr if psnr is not None else target_psnr(mask.activity, base, small=small)
    error = max(255**2 / 10 ** (target / 10) - _ROUNDING, 0.02)
    scales = [mask.scaled((1 - share) * error / resize_gain(ratio, fine=True), relaxed=small)]
    if carries:
        scales.append(mask.scaled(share * error / CHROMA_POWER / resize_gain(ratio, fine=False)))
    return scales


def _compose(
    plans: list[CarrierPlan],
    scales: list[Floats],
    symbols: list[Floats],
    word: Bits,
    shape: tuple[int, int],
    layout: Layout,
) -> Delta:
    """Tiles times envelopes, over the whole frame."""
    deltas = []
    for plan, scale, strength in zip(plans, scales, symbols, strict=True):
        rows, columns = shape[0] * plan.tile // TILE, shape[1] * plan.tile // TILE
        tile = render(plan, word, strength, layout)
        mark = np.asarray(cv2.resize(scale, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32)
        for top in range(0, rows, len(tile)):
            for left in range(0, columns, len(tile)):
                part = mark[top : top + len(tile), left : left + len(tile)]
                part *= tile[: part.shape[0], : part.shape[1]]
        deltas.append(mark)
    return Delta(luma=deltas[0], chroma=deltas[1] if len(deltas) > 1 else None, word=word)


def add(one: Delta, two: Delta) -> Delta:
    """Both marks in the frame of the second."""
    height, width = two.luma.shape
    luma = cv2.resize(one.luma, (width, height), interpolation=cv2.INTER_LINEAR)
    luma = cv2.add(luma, two.luma)
    if one.chroma is None or two.chroma is None:
        return Delta(luma=np.asarray(luma, np.float32), chroma=two.chroma, word=two.word)
    size = (two.chroma.shape[1], two.chroma.shape[0])
    chroma = cv2.resize(one.chroma, size, interpolation=cv2.INTER_LINEAR) + two.chroma
    return Delta(luma=np.asarray(luma, np.float32), chroma=np.asarray(chroma, np.float32), word=two.word)
