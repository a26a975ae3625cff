"""The signal layers on sound and frames that a pipeline produces: no file, no container layers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from numbers import Real
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from labeler import profiles
from labeler.core.keys import KeyRing
from labeler.core.payload import Payload
from labeler.core.threads import one_thread
from labeler.errors import UsageError
from labeler.media.audio.decode import MAX_CHANNELS
from labeler.pipeline.arrays import asked_signals, check_written, signal_report
from labeler.pipeline.audio import SoundDetection, SoundPass
from labeler.pipeline.label import new_label, watermark_key
from labeler.pipeline.options import LabelOptions, VerifyOptions
from labeler.types import Layer, Modality, Report, State, VisibleReport, WatermarkReport
from labeler.watermark.audio import RATE_MAX

__all__ = ["AudioLabeler", "label_frames", "label_samples", "verify_frames", "verify_samples"]

Samples = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

_PLANNED = 24
"""Frames held back at the beginning, from which the mark is planned."""


class AudioLabeler:
    """Labels sound block by block, as it is made: the audible mark and the watermark.

    Args:
        rate: Hz.
        channels: columns of every block.
        duration: seconds, where they are known beforehand.
        **options: fields of ``LabelOptions``; ``producer`` and, to find the content again, ``produce_id``.

    Raises:
        UsageError: an option is wrong, or a layer that was asked for cannot be written.

    >>> import numpy as np
    >>> labeler = AudioLabeler(16000, 1, producer="demo", produce_id="42", layers="watermark")
    >>> noise = np.random.default_rng(1).normal(0, 0.1, (80000, 1)).astype(np.float32)
    >>> out = [labeler.push(noise[:50000]), labeler.push(noise[50000:]), labeler.flush()]
    >>> sum(len(block) for block in out) == len(noise)
    True
    """

    def __init__(self, rate: int, channels: int, *, duration: float = 0.0, **options: Any) -> None:
        settings = LabelOptions.of(**options)
        _check_rate(rate, channels)
        self._asked = asked_signals(settings, Modality.AUDIO)
        self._pass = SoundPass(
            rate,
            channels,
            self._asked,
            payload=bytes(Payload.of(new_label(settings))),
            key=watermark_key(settings),
            profile=profiles.load(settings.profile),
            options=settings,
            duration=duration,
        )
        check_written(self._asked, self._pass.written, self._pass.notes)

    @one_thread()
    def push(self, block: Samples) -> Samples:
        """Take frames (m, channels), float, full scale 1; return those (k, channels) that are done."""
        return self._pass.push(np.asarray(block, np.float32))

    @one_thread()
    def flush(self) -> Samples:
        """The rest; a mark that is inserted makes the whole longer, every other keeps the length.

        Raises:
            UsageError: the sound was silent, so that it carries no watermark.
        """
        rest = self._pass.flush()
        check_written(self._asked, self._pass.written, self._pass.notes)
        return rest


@one_thread()
def label_samples(samples: npt.NDArray[Any], rate: int, options: LabelOptions) -> npt.NDArray[Any]:
    """Lay the audible mark and embed the watermark; a layer that cannot be written is an error."""
    frames = _frames_of(samples)
    _check_rate(rate)
    chosen = {name: getattr(options, name) for name in LabelOptions.__dataclass_fields__}
    labeler = AudioLabeler(rate, frames.shape[1], duration=len(frames) / rate, **chosen)
    marked = np.concatenate([labeler.push(frames), labeler.flush()])
    return marked.reshape(-1, *samples.shape[1:]).astype(samples.dtype, copy=False)


@one_thread()
def verify_samples(samples: npt.NDArray[Any], rate: int, options: VerifyOptions) -> Report:
    """Listen for the audible mark and the watermark."""
    frames = _frames_of(samples)
    _check_rate(rate)
    asked = [layer for layer in options.layers or tuple(Layer) if layer.is_signal]
    keys = KeyRing(options.home).all_keys()
    found = SoundDetection(rate, frames.shape[1], asked, keys, quick=options.quick, deep=options.deep)
    found.push(frames)
    seen = found.finish()
    return signal_report(seen.visible, seen.watermark, Modality.AUDIO, options)


def _check_rate(rate: Any, channels: Any = 1) -> None:
    """Raise UsageError for what is no sample rate, or no number of channels."""
    if not isinstance(rate, int | np.integer) or isinstance(rate, bool) or not 0 < rate <= RATE_MAX:
        raise UsageError(
            f"a sample rate is a whole number of Hz up to {RATE_MAX:,}, not {rate!r}.",
            remedy="Give the rate of the samples, such as 44_100.",
        )
    if not isinstance(channels, int | np.integer) or not 1 <= channels <= MAX_CHANNELS:
        raise UsageError(
            f"sound has 1 to {MAX_CHANNELS} channels, not {channels!r}.",
            remedy="Give the columns of the blocks.",
        )


def _frames_of(samples: npt.NDArray[Any]) -> Samples:
    if not isinstance(samples, np.ndarray) or samples.dtype.kind != "f":
        raise UsageError(
            "sound is a numpy array of floats, full scale 1.",
            remedy="For 16-bit integers: samples / np.float32(32768).",
        )
    frames = samples.reshape(len(samples), -1) if samples.ndim in (1, 2) and samples.size else None
    if frames is None or frames.shape[1] > MAX_CHANNELS:
        raise UsageError(
            f"sound is n or n x channels samples, at most {MAX_CHANNELS} channels, "
            f"not {' x '.join(map(str, samples.shape))}.",
            remedy="Put the channels last, as samples.T does.",
        )
    return np.ascontiguousarray(frames, np.float32)


def label_frames(frames: Iterable[Pixels], options: LabelOptions) -> Iterator[Pixels]:
    """Draw the visible mark on every frame and embed the watermark into the clip; see ``labeler.label_frames``."""
    from labeler.visible import image as visible
    from labeler.watermark import video as watermark

    asked, profile = asked_signals(options, Modality.VIDEO), profiles.load(options.profile)
    stream = _iterator(frames)
    first = [_checked(frame) for frame in itertools.islice(stream, _PLANNED)]
    if not first:
        return
    height, width = first[0].shape[:2]
    options.limits.check_frame(width, height)
    badge = mark = None
    if Layer.VISIBLE in asked:
        badge = visible.prepare(
            width,
            height,
            lang=options.lang or profile.visible.lang,
            position=options.position or profile.visible.position,
            ratio=profile.visible.ratio,
            font=options.font,
            reference=first[0],
        )
    if Layer.WATERMARK in asked:
        with one_thread():
            mark = watermark.prepare(
                width,
                height,
                bytes(Payload.of(new_label(options))),
                watermark_key(options),
                strength="strong" if options.strength == "strong" else "default",
                sample_luma=[_luma(frame) for frame in first],
            )
    for index, frame in enumerate(itertools.chain(first, map(_checked, stream))):
        if frame.shape != first[0].shape:
            raise UsageError(f"frame {index} is {frame.shape}, the first one {first[0].shape}.")
        marked = frame if badge is None else visible.apply(frame, badge)
        if mark is not None:
            before = _luma(marked)
            after = before.copy()
            mark.apply(after, index)
            change = after.astype(np.int16) - before
            marked = np.clip(marked + change[..., None], 0, 255).astype(np.uint8)
        yield marked


@one_thread()
def verify_frames(frames: Iterable[Pixels], rate: float, options: VerifyOptions) -> Report:
    """Look for the visible mark and the watermark in a clip; see ``labeler.verify_frames``."""
    from labeler.visible import video as visible
    from labeler.watermark import video as watermark

    asked = [layer for layer in options.layers or tuple(Layer) if layer.is_signal]
    keys = KeyRing(options.home).all_keys()
    seeker, detector = None, None
    if not isinstance(rate, Real) or isinstance(rate, bool) or not 0 < rate < float("inf"):
        raise UsageError(
            f"a frame rate is a number above 0, not {rate!r}.",
            remedy="Give the frames a second of those given.",
        )
    for index, frame in enumerate(map(_checked, _iterator(frames))):
        height, width = frame.shape[:2]
        if seeker is None:
            options.limits.check_frame(width, height)
            seeker = visible.Seeker()
            detector = watermark.Detector(width, height, keys, quick=options.quick)
        assert detector is not None
        if Layer.VISIBLE in asked:
            seeker.push(frame, index / rate)
        if Layer.WATERMARK in asked:
            detector.push(_luma(frame), index / rate)
    seen = VisibleReport(state=State.SKIPPED)
    marked = WatermarkReport(state=State.SKIPPED)
    if seeker is not None and detector is not None:
        seen = seeker.finish() if Layer.VISIBLE in asked else seen
        marked = detector.finish() if Layer.WATERMARK in asked else marked
    return signal_report(seen, marked, Modality.VIDEO, options)


def _iterator(frames: Iterable[Pixels]) -> Iterator[Pixels]:
    try:
        return iter(frames)
    except TypeError:
        raise UsageError(
            f"frames come one by one from an iterable, not {type(frames).__name__}.",
            remedy="Give a list or a generator of arrays H x W x 3, uint8, RGB.",
        ) from None


def _luma(frame: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)


def _checked(frame: Pixels) -> Pixels:
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise UsageError("a frame is a numpy array H x W x 3, uint8, RGB.")
    return frame
