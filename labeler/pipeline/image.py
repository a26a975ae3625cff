"""The signal pass over a picture: decode once, visible mark, watermark, encode once; and the way back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from labeler.core.keys import WatermarkKey
from labeler.errors import AlreadyLabelled
from labeler.media.encode import encode
from labeler.media.files import Scratch, Source
from labeler.media.image import Frame, decode
from labeler.pipeline.marked import Marked
from labeler.pipeline.options import LabelOptions, VerifyOptions
from labeler.pipeline.seen import Seen
from labeler.profiles import Profile
from labeler.types import Finding, Layer, MediaInfo, State, VisibleReport, WatermarkReport
from labeler.visible import image as visible
from labeler.visible.wording import wording
from labeler.watermark import image as watermark

_QUICK_SIDE = {Layer.VISIBLE: 1200, Layer.WATERMARK: watermark.FRAME}
"""Px of the shorter side at which a quick look still finds a mark; the watermark is read in its frame anyway."""

__all__ = ["apply", "detect", "detect_frame", "mark"]


def apply(
    source: Source,
    info: MediaInfo,
    layers: Sequence[Layer],
    *,
    payload: bytes,
    key: WatermarkKey,
    profile: Profile,
    options: LabelOptions,
    scratch: Scratch | None = None,
) -> Marked:
    """Write the signal layers asked for into a picture; frames of an animation are all marked."""
    picture = decode(source.data, info, str(source.path), limits=options.limits)
    frames, written, notes = mark(
        picture.frames, layers, payload=payload, key=key, profile=profile, options=options
    )
    data, lost = encode(picture, frames, source.data, quality=options.quality)
    marked = Layer.WATERMARK in written
    return Marked(
        content=Source(source.path, data),
        written=written,
        visible_text=wording(_lang(profile, options)).text if Layer.VISIBLE in written else "",
        algorithm=watermark.ALGORITHM if marked else "",
        fingerprint=watermark.fingerprint(frames[0].pixels) if marked else "",
        notes=(*notes, *(Finding(id="media.not-kept", severity="warn", detail=detail) for detail in lost)),
    )


def mark(
    frames: Sequence[Frame],
    layers: Sequence[Layer],
    *,
    payload: bytes,
    key: WatermarkKey,
    profile: Profile,
    options: LabelOptions,
) -> tuple[Sequence[Frame], tuple[Layer, ...], tuple[Finding, ...]]:
    """Write the visible mark, then the watermark, into decoded frames.

    Returns:
        The frames, the layers that were written, and notes on those that could not be.

    Raises:
        AlreadyLabelled: the picture carries a watermark under the key, and ``relabel`` is false.
    """
    notes: list[Finding] = []
    written: list[Layer] = []
    if Layer.VISIBLE in layers:
        try:
            if visible.detect(frames[0].pixels).state is State.PRESENT:
                detail = "the picture shows a visible mark already; no second one was drawn"
                notes.append(Finding(id="visible.there", severity="info", detail=detail))
            else:
                frames = _draw(frames, profile, options)
        except visible.MarkDoesNotFit as error:
            notes.append(Finding(id="visible.impossible", severity="warn", detail=error.message))
        else:
            written.append(Layer.VISIBLE)
    if Layer.WATERMARK in layers:
        try:
            frames, weak = _embed(frames, payload, key, options)
        except watermark.CannotMark as error:
            notes.append(Finding(id="watermark.impossible", severity="warn", detail=error.message))
        else:
            written.append(Layer.WATERMARK)
            if weak:
                notes.append(Finding(id="watermark.weak", severity="warn", detail=weak))
    return frames, tuple(written), tuple(notes)


def _draw(frames: Sequence[Frame], profile: Profile, options: LabelOptions) -> list[Frame]:
    """Draw the mark on every frame: one mark for an animation, one for each page of a TIFF."""
    style = profile.visible
    marks: dict[tuple[int, int], visible.Mark] = {}
    drawn = []
    for frame in frames:
        badge = marks.get(frame.size)
        if badge is None:
            badge = marks[frame.size] = visible.prepare(
                *frame.size,
                lang=_lang(profile, options),
                position=options.position or style.position,
                ratio=style.ratio,
                font=options.font,
                reference=frame.pixels,
            )
        drawn.append(
            dataclasses.replace(
                frame,
                pixels=visible.apply(frame.pixels, badge, alpha=frame.alpha),
                alpha=None if frame.alpha is None else visible.apply_alpha(frame.alpha, badge),
            )
        )
    return drawn


def _lang(profile: Profile, options: LabelOptions) -> str:
    return options.lang or profile.visible.lang


def _embed(
    frames: Sequence[Frame], payload: bytes, key: WatermarkKey, options: LabelOptions
) -> tuple[list[Frame], str]:
    """Embed into every frame that can carry a mark; the strength report is made for the first of them.

    Raises:
        AlreadyLabelled: the first frame carries a mark of the key, and ``relabel`` is false.
        CannotMark: no frame can carry one.
    """
    marked: list[Frame] = []
    weak, done, refused = "", 0, None
    for frame in frames:
        view = watermark.View(frame.pixels, frame.alpha)
        if not marked and not options.relabel:
            _refuse_marked(view, key)
        try:
            embedded = watermark.embed(view, payload, key, strength=options.strength, report=done == 0)
        except watermark.CannotMark as error:
            refused = refused or error
            marked.append(frame)
            continue
        done += 1
        weak = weak or embedded.weak
        marked.append(dataclasses.replace(frame, pixels=embedded.pixels))
    if not done and refused:
        raise refused
    return marked, weak


def _refuse_marked(view: watermark.View, key: WatermarkKey) -> None:
    there = watermark.detect(view, [key], quick=True, likely=False)
    if there.state is State.PRESENT:
        raise AlreadyLabelled(
            f"the picture carries the watermark of another content, {there.mark_id}.",
            remedy="Label the original, or leave the watermark out of --layers and name that content by --produce-id.",
        )


def detect(
    source: Source,
    info: MediaInfo,
    layers: Sequence[Layer],
    *,
    keys: Sequence[WatermarkKey],
    options: VerifyOptions,
) -> Seen:
    """Look for the signal marks: in the first frame, then in the middle one of an animation."""
    enough = max(_QUICK_SIDE[layer] for layer in layers if layer.is_signal) if options.quick else 0
    picture = decode(source.data, info, str(source.path), limits=options.limits, enough=enough)
    found_visible = VisibleReport(state=State.SKIPPED)
    found_watermark = WatermarkReport(state=State.SKIPPED)
    for index in dict.fromkeys((0, len(picture.frames) // 2)):
        missing = [
            layer
            for layer, found in ((Layer.VISIBLE, found_visible), (Layer.WATERMARK, found_watermark))
            if layer in layers and found.state is not State.PRESENT
        ]
        one, other = detect_frame(picture.frames[index], missing, keys=keys, quick=options.quick)
        found_visible = one if Layer.VISIBLE in missing else found_visible
        found_watermark = other if Layer.WATERMARK in missing else found_watermark
    width, height = picture.frames[0].size
    scale = max(info.width, info.height) / max(width, height)
    return Seen(visible=_in_whole_picture(found_visible, (width, height), scale), watermark=found_watermark)


def _in_whole_picture(report: VisibleReport, size: tuple[int, int], scale: float) -> VisibleReport:
    """Boxes in pixels of the whole picture, which may have been decoded smaller; with its size."""
    evidence = []
    for found in report.evidence:
        if found.box is not None:
            x, y, width, height = (round(side * scale) for side in found.box)
            frame = (round(size[0] * scale), round(size[1] * scale))
            found = dataclasses.replace(found, box=(x, y, width, height), frame=frame)
        evidence.append(found)
    return dataclasses.replace(report, evidence=tuple(evidence))


def detect_frame(
    frame: Frame, layers: Sequence[Layer], *, keys: Sequence[WatermarkKey], quick: bool
) -> tuple[VisibleReport, WatermarkReport]:
    """Look for the signal marks in one decoded frame."""
    found_visible = VisibleReport(state=State.SKIPPED)
    found_watermark = WatermarkReport(state=State.SKIPPED)
    if Layer.VISIBLE in layers:
        found_visible = visible.detect(frame.pixels)
    if Layer.WATERMARK in layers:
        found_watermark = watermark.detect(frame.pixels, keys, quick=quick, alpha=frame.alpha)
        if found_watermark.geometry.get("comparable"):
            seen = watermark.fingerprint(frame.pixels)
            found_watermark = dataclasses.replace(found_watermark, fingerprint=seen)
    return found_visible, found_watermark
