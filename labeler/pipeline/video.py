"""The signal pass over video: decode once, both marks, encode once, frame by frame; and the way back."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.core.keys import WatermarkKey
from labeler.core.progress import tell
from labeler.errors import AlreadyLabelled, DamagedMedia, UnsupportedMedia
from labeler.media.files import Scratch, Source
from labeler.media.video import soundtrack
from labeler.media.video.choices import check_encoder
from labeler.media.video.decode import Plane, frames, sample
from labeler.media.video.encode import Encoder
from labeler.media.video.info import VideoInfo
from labeler.media.video.settings import codec_for
from labeler.pipeline.audio import SoundDetection, SoundPass
from labeler.pipeline.marked import Marked
from labeler.pipeline.modalities import examine
from labeler.pipeline.options import LabelOptions, VerifyOptions
from labeler.pipeline.seen import Seen
from labeler.pipeline.trial import try_out
from labeler.profiles import Profile
from labeler.types import Finding, Layer, MediaInfo, SoundTrack, State
from labeler.visible import video as visible
from labeler.visible.image import MarkDoesNotFit
from labeler.visible.wording import wording
from labeler.watermark import video as watermark
from labeler.watermark.motion.frames import Grain
from labeler.watermark.motion.strength import FAST_SCALE

__all__ = ["apply", "detect"]

_SAMPLES, _KEPT = 24, 2
"""Frames, spread over the clip, that are looked at before it is marked; every so many is kept to plan the marks."""
_FRAMES = 60
"""Frames that suffice for a short clip (docs/watermark-video.md)."""
_STEP = 1.0
"""Seconds between frames that are looked at in a long one."""
_MOST = 3600
_GENTLE = 0.7
"""Strength of a gentle mark over the default's."""

_Samples: TypeAlias = Sequence[Plane]


def apply(
    source: Source,
    info: MediaInfo,
    layers: Sequence[Layer],
    *,
    payload: bytes,
    key: WatermarkKey,
    profile: Profile,
    options: LabelOptions,
    scratch: Scratch | None,
) -> Marked:
    """Write the signal layers asked for into a video file.

    Raises:
        AlreadyLabelled: it carries a watermark under the key, and ``relabel`` is false.
        UsageError: a quality or preset that the encoder has not.
        DependencyMissing: the hardware is not here.
    """
    assert source.file is not None and scratch is not None
    clip: VideoInfo = examine(source, options.limits)
    check_encoder(
        codec_for(clip, options.codec or None),
        quality=options.crf,
        preset=options.preset or None,
        hardware=options.hardware or None,
    )
    samples, there, notes = _glance(source, clip, layers, key, options)
    badge = mark = None
    if Layer.VISIBLE in layers and not there:
        try:
            badge = _badge(clip, samples, profile, options)
        except MarkDoesNotFit as error:
            notes.append(Finding(id="visible.impossible", severity="warn", detail=error.message))
    if Layer.WATERMARK in layers:
        try:
            mark = _mark(source, clip, samples, payload, key, options, scratch)
        except watermark.CannotMark as error:
            notes.append(Finding(id="watermark.impossible", severity="warn", detail=error.message))
    sound: Path | None = None
    heard: tuple[Layer, ...] = ()
    tracks = len(clip.of_kind("audio"))
    if options.sound_track and tracks != 1:
        detail = (
            f"only the first of {tracks} sound tracks was marked"
            if tracks
            else "there is no sound track to mark"
        )
        notes.append(Finding(id="sound-track.others", severity="warn", detail=detail))
    if options.sound_track and tracks:
        sound, heard = _sound_track(source, clip, layers, notes, payload, key, profile, options, scratch)
    del samples  # some 25 MB at 1080p
    shown = visible.frames_shown(clip.rate, options.visible_seconds)
    target = scratch()
    with (
        frames(source.file, clip) as stream,
        Encoder(
            source.file, target, clip, audio=sound, hardware=options.hardware or None, **_encoding(options)
        ) as encoder,
    ):
        for frame in stream:
            if badge is not None and (shown is None or frame.index < shown):
                badge.apply(frame.y, frame.u, frame.v)
            if mark is not None:
                mark.apply(frame.y, frame.index)
            encoder.write(frame)
            tell("marked", frame.pts / (info.duration or 1))
        encoder.finish()
    source.check_unchanged()
    is_shown = badge is not None or bool(there)
    return Marked(
        content=Source.on_disk(source.path, target),
        written=(*((Layer.VISIBLE,) if is_shown else ()), *((Layer.WATERMARK,) if mark is not None else ())),
        visible_text=there
        or (wording(options.lang or profile.visible.lang).text if badge is not None else ""),
        algorithm=watermark.ALGORITHM if mark is not None else "",
        sound_track=heard,
        notes=(*notes, *encoder.findings),
    )


def _encoding(options: LabelOptions) -> dict[str, Any]:
    """How the clip is encoded, in the words of ``Encoder``."""
    return {"codec": options.codec or None, "quality": options.crf, "preset": options.preset or None}


def _mark(
    source: Source,
    clip: VideoInfo,
    samples: _Samples,
    payload: bytes,
    key: WatermarkKey,
    options: LabelOptions,
    scratch: Scratch,
) -> watermark.VideoMark:
    """The watermark, as strong as the clip needs and bears.

    Raises:
        CannotMark: the clip is too small or flat.
    """
    assert source.file is not None
    strength, factor = ("default", _GENTLE) if options.strength == "gentle" else (options.strength, 1.0)

    def make(scale: float, grain: Grain | None = None, strength: str = strength) -> watermark.VideoMark:
        return watermark.prepare(
            clip.width,
            clip.height,
            payload,
            key,
            strength=strength,
            sample_luma=samples,
            bit_depth=clip.layout.depth,
            scale=scale,
            grain=grain,
        )

    mark = make(FAST_SCALE * factor)
    if options.fast or options.hardware:  # the hardware's encoder is not tried out
        return mark
    tuned = try_out(source.file, clip, make, scratch, strength=strength, **_encoding(options))
    return make(tuned.scale * factor, tuned.grain, tuned.strength)


def _sound_track(
    source: Source,
    clip: VideoInfo,
    layers: Sequence[Layer],
    notes: list[Finding],
    payload: bytes,
    key: WatermarkKey,
    profile: Profile,
    options: LabelOptions,
    scratch: Scratch,
) -> tuple[Path, tuple[Layer, ...]]:
    """The first sound track with the marks of sound, as a WAVE file, and which marks those are.

    The audible mark is mixed in, never inserted, so that sound and pictures stay together; a track too short for
    that has none.
    """
    assert source.file is not None
    track = soundtrack.Track(source.file, clip)

    def sound_pass(layers: Sequence[Layer]) -> SoundPass:
        return SoundPass(
            track.rate,
            track.channels,
            layers,
            payload=payload,
            key=key,
            profile=profile,
            options=dataclasses.replace(options, audible_mode="mix"),
            duration=clip.info.duration,
        )

    run = sound_pass(layers)
    if clip.info.duration and run.rooms(round(clip.info.duration * track.rate)):
        detail = (
            "the sound track is too short for an audible mark, which would make it longer than the pictures"
        )
        notes.append(Finding(id="visible.impossible", severity="warn", detail=detail))
        run = sound_pass([layer for layer in layers if layer is not Layer.VISIBLE])
    target = scratch()
    soundtrack.write(target, track, run.through(track.blocks()))
    notes += run.notes
    return target, run.written


def _glance(
    source: Source, clip: VideoInfo, layers: Sequence[Layer], key: WatermarkKey, options: LabelOptions
) -> tuple[_Samples, str, list[Finding]]:
    """Look at some frames for marks of an earlier pass.

    Returns:
        Luma planes of frames spread over the clip; the text of a visible mark that is there, or ""; what to say.

    Raises:
        AlreadyLabelled: there is a watermark under the key, and ``relabel`` is false.
    """
    assert source.file is not None
    found = _Detection(clip, layers, [key], quick=True)
    samples: list[Plane] = []
    with contextlib.closing(sample(source.file, clip, _SAMPLES)) as stream:
        for number, frame in enumerate(stream):
            found.push(frame.y, frame.pts)
            if number % _KEPT == 0:
                samples.append(frame.y.copy())
    seen = found.finish()
    if seen.watermark.state is State.PRESENT and not options.relabel:
        raise AlreadyLabelled(
            f"the video carries the watermark of another content, {seen.watermark.mark_id}.",
            remedy="Label the original, or leave the watermark out of --layers and name that content by --produce-id.",
        )
    if seen.visible.state is not State.PRESENT:
        return samples, "", []
    detail = "the video shows a visible mark already; no second one was drawn"
    note = Finding(id="visible.there", severity="info", detail=detail)
    return samples, seen.visible.evidence[0].text, [note]


def _badge(clip: VideoInfo, samples: _Samples, profile: Profile, options: LabelOptions) -> visible.VideoMark:
    return visible.prepare(
        clip.width,
        clip.height,
        lang=options.lang or profile.visible.lang,
        position=options.position or profile.visible.position,
        ratio=profile.visible.ratio,
        font=options.font,
        reference=samples,
        rotation=clip.rotation,
        mirrored=clip.mirrored,
        sar=clip.sar,
        subsampling=(clip.layout.across, clip.layout.down),
        depth=clip.layout.depth,
        full_range=bool(clip.colour.full),
        transfer=clip.colour.transfer,
    )


class _Detection:
    """Looks for the signal marks in sampled frames."""

    def __init__(
        self, clip: VideoInfo, layers: Sequence[Layer], keys: Sequence[WatermarkKey], *, quick: bool
    ) -> None:
        self._clip = clip
        self._seeker = visible.Seeker() if Layer.VISIBLE in layers else None
        self._detector = (
            watermark.Detector(clip.width, clip.height, keys, quick=quick, bit_depth=clip.layout.depth)
            if Layer.WATERMARK in layers
            else None
        )

    def push(self, plane: Plane, time: float) -> None:
        """Take the luma of a frame as stored, and its time."""
        if self._seeker is not None:
            self._seeker.push(_displayed(plane, self._clip), time)
        if self._detector is not None:
            self._detector.push(plane, time)

    def finish(self) -> Seen:
        """What both layers found; to be asked once, as the evidence of the first is dropped before the second."""
        mark = Seen.by(None, self._detector).watermark
        self._detector = None
        return dataclasses.replace(Seen.by(self._seeker, None), watermark=mark)


def _displayed(plane: Plane, clip: VideoInfo) -> npt.NDArray[np.uint8]:
    """A luma plane as a player shows it, 8 bits, samples square."""
    depth, turns = clip.layout.depth, round(clip.rotation / 90) % 4
    seen = np.asarray(plane >> (depth - 8), np.uint8)
    width = clip.displayed()[1 if turns % 2 else 0]
    if width != seen.shape[1]:
        seen = np.asarray(cv2.resize(seen, (width, seen.shape[0]), interpolation=cv2.INTER_AREA), np.uint8)
    seen = np.rot90(seen, turns)
    return np.ascontiguousarray(seen[:, ::-1] if clip.mirrored else seen)


def detect(
    source: Source,
    info: MediaInfo,
    layers: Sequence[Layer],
    *,
    keys: Sequence[WatermarkKey],
    options: VerifyOptions,
) -> Seen:
    """Look for the signal marks in frames spread over the file, and in its first sound track."""
    assert source.file is not None
    clip: VideoInfo = examine(source, options.limits)
    sound = None
    if options.sound_track:  # first: its memory serves the frames afterwards
        sound = _hear(source, clip, layers, keys, options)
    count = min(max(_FRAMES, round(info.duration / _STEP)), _MOST)
    found = _Detection(clip, layers, keys, quick=options.quick)
    damage = ""
    try:
        with contextlib.closing(sample(source.file, clip, count)) as stream:
            for frame in stream:
                found.push(frame.y, frame.pts)
                tell("read", frame.pts / (info.duration or 1))
    except DamagedMedia as error:  # what was seen until then counts, silence about the rest does not
        damage = error.message
    return dataclasses.replace(found.finish().despite(damage), sound_track=sound)


def _hear(
    source: Source,
    clip: VideoInfo,
    layers: Sequence[Layer],
    keys: Sequence[WatermarkKey],
    options: VerifyOptions,
) -> SoundTrack | None:
    """Listen for the signal marks in the first sound track, if there is one."""
    assert source.file is not None
    if not clip.of_kind("audio"):
        return None
    try:
        track = soundtrack.Track(source.file, clip)
    except UnsupportedMedia as error:
        heard = Seen.cannot_tell(error.message)
        return SoundTrack(visible=heard.visible, watermark=heard.watermark)
    found = SoundDetection(track.rate, track.channels, layers, keys, quick=options.quick, deep=options.deep)
    damage = ""
    try:
        with contextlib.closing(track.blocks()) as stream:
            for block in stream:
                found.push(block)
    except DamagedMedia as error:
        damage = error.message
    heard = found.finish().despite(damage)
    return SoundTrack(visible=heard.visible, watermark=heard.watermark)
