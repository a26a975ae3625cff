"""The signal layers on arrays, for generation pipelines: no file, no container layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labeler import profiles
from labeler.core.keys import KeyRing
from labeler.core.payload import Payload
from labeler.core.threads import one_thread
from labeler.errors import UsageError
from labeler.media.image import Array, Frame
from labeler.pipeline import reconcile
from labeler.pipeline.image import detect_frame, mark
from labeler.pipeline.label import new_label, watermark_key
from labeler.pipeline.options import LabelOptions, VerifyOptions
from labeler.profiles import checks
from labeler.types import (
    CredentialsReport,
    Finding,
    Layer,
    Layers,
    MetadataReport,
    Modality,
    Report,
    State,
    VisibleReport,
    WatermarkReport,
)

__all__ = ["asked_signals", "check_written", "label_array", "signal_report", "verify_array"]


@one_thread()
def label_array(array: Array, options: LabelOptions) -> Array:
    """Draw the visible mark and embed the watermark; a layer that cannot be written is an error.

    Raises:
        UsageError: wrong shape or dtype, or the picture cannot carry a layer that was asked for.
    """
    frame = _frame(array)
    options.limits.check_frame(*frame.size)
    profile = profiles.load(options.profile)
    asked = asked_signals(options, Modality.IMAGE)
    frames, written, notes = mark(
        [frame],
        asked,
        payload=bytes(Payload.of(new_label(options))),
        key=watermark_key(options),
        profile=profile,
        options=options,
    )
    check_written(asked, written, notes)
    marked = frames[0]
    return marked.pixels if marked.alpha is None else np.dstack([marked.pixels, marked.alpha])


def asked_signals(options: LabelOptions, modality: Modality) -> list[Layer]:
    """The signal layers to write.

    Raises:
        UsageError: there are none.
    """
    layers = options.layers or profiles.load(options.profile).layers_for(modality)[0]
    asked = [layer for layer in layers if layer.is_signal]
    if not asked:
        raise UsageError(
            "an array carries the visible mark and the watermark only.", remedy="Use label_file."
        )
    return asked


def check_written(asked: Sequence[Layer], written: Sequence[Layer], notes: Sequence[Finding]) -> None:
    """Raise UsageError for a layer that was asked for and could not be written."""
    if missing := set(asked) - set(written):
        reasons = "; ".join(note.detail.rstrip(".") for note in notes)
        raise UsageError(f"the {' and the '.join(sorted(missing))} cannot be written: {reasons}.")


@one_thread()
def verify_array(array: Array, options: VerifyOptions) -> Report:
    """Look for the visible mark and the watermark in pixels.

    Raises:
        UsageError: wrong shape or dtype.
    """
    frame = _frame(array)
    options.limits.check_frame(*frame.size)
    asked = [layer for layer in options.layers or tuple(Layer) if layer.is_signal]
    keys = KeyRing(options.home).all_keys()
    visible, watermark = detect_frame(frame, asked, keys=keys, quick=options.quick)
    return signal_report(visible, watermark, Modality.IMAGE, options)


def signal_report(
    visible: VisibleReport, watermark: WatermarkReport, modality: Modality, options: VerifyOptions
) -> Report:
    """The report of samples that stand in no file."""
    layers = Layers(
        visible=visible,
        watermark=watermark,
        metadata=MetadataReport(state=State.NOT_APPLICABLE),
        credentials=CredentialsReport(state=State.NOT_APPLICABLE),
    )
    return Report(
        path="",
        modality=modality,
        verdict=reconcile.verdict(layers, ()),
        layers=layers,
        compliance=checks.judge(layers, profiles.load(options.profile), modality)
        if options.profile
        else None,
    )


def _frame(array: Array) -> Frame:
    if not isinstance(array, np.ndarray):
        raise UsageError(
            f"a picture is a numpy array, not {type(array).__name__}.",
            remedy="For Pillow: np.asarray(image).",
        )
    if array.dtype not in (np.uint8, np.uint16):
        raise UsageError(
            f"pixels are uint8 or uint16, not {array.dtype}.",
            remedy="For floats in 0..1: (a * 255).astype(np.uint8).",
        )
    if array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3):
        return Frame(pixels=array)
    if array.ndim == 3 and array.shape[2] == 4:
        return Frame(pixels=np.ascontiguousarray(array[..., :3]), alpha=np.ascontiguousarray(array[..., 3]))
    raise UsageError(f"a picture is H x W, H x W x 3 or H x W x 4, not {' x '.join(map(str, array.shape))}.")
