"""The signal pass over sound: decode once, audible mark, watermark, encode once, block by block; and the way back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from labeler.core.keys import WatermarkKey
from labeler.core.progress import tell
from labeler.errors import AlreadyLabelled, DamagedMedia, UnsupportedMedia
from labeler.media.audio.decode import blocks, mono
from labeler.media.audio.encode import check, write
from labeler.media.audio.info import AudioInfo
from labeler.media.files import Scratch, Source, open_source
from labeler.media.limits import Limits
from labeler.pipeline.marked import Marked
from labeler.pipeline.modalities import examine
from labeler.pipeline.options import LabelOptions, VerifyOptions
from labeler.pipeline.seen import Seen
from labeler.profiles import Profile
from labeler.types import Finding, Layer, MediaInfo, State
from labeler.visible import audio as audible
from labeler.watermark import audio as watermark

__all__ = ["SoundDetection", "SoundPass", "apply", "detect", "listen"]

Samples = npt.NDArray[np.float32]

_GLANCE = 30.0
"""Seconds at the beginning that are looked at for marks of an earlier pass."""


class SoundPass:
    """Lays the signal marks asked for into sound that streams by.

    Args:
        rate: Hz.
        channels: columns of every block.
        layers: of these, the visible (audible) one and the watermark are written.
        payload: 8 bytes.
        key: the watermark key.
        profile: decides what the options leave open.
        options: what was asked for.
        duration: seconds, or 0 if not known.

    Attributes:
        notes: layers that could not be written, and weak marks; complete after ``flush``.
        text: wording of the audible mark, or "".
    """

    def __init__(
        self,
        rate: int,
        channels: int,
        layers: Sequence[Layer],
        *,
        payload: bytes,
        key: WatermarkKey,
        profile: Profile,
        options: LabelOptions,
        duration: float = 0.0,
    ) -> None:
        self.notes: list[Finding] = []
        self.text = ""
        self._channels = channels
        self._mark: audible.AudibleMark | None = None
        self._marker: audible.Marker | None = None
        self._embedder: watermark.Embedder | None = None
        if Layer.VISIBLE in layers:
            self._mark = audible.prepare(
                rate,
                channels,
                kind=options.audible or profile.audible.kind,
                lang=options.lang or profile.visible.lang,
                place=options.audible_place or profile.audible.place,
                mode=options.audible_mode or profile.audible.mode,
                prompt=None if options.prompt is None else _prompt(options, rate),
                duration=duration or None,
            )
            self._marker, self.text = audible.Marker(self._mark), self._mark.text
            if options.prompt is not None:
                detail = "words of your own are laid into the sound; verify knows labeler's words only"
                self.notes.append(Finding(id="visible.unheard", severity="info", detail=detail))
        if Layer.WATERMARK in layers:
            try:
                self._embedder = watermark.Embedder(rate, channels, payload, key, strength=options.strength)
            except watermark.CannotMark as error:
                self._note("watermark.impossible", error.message)

    def push(self, block: Samples) -> Samples:
        """Take frames (m, channels), float32, full scale 1; return those (k, channels) that are done."""
        if self._marker is not None:
            block = self._marker.push(block)
        return block if self._embedder is None else self._embedder.push(block)

    def flush(self) -> Samples:
        """The rest of the frames."""
        rest = np.zeros((0, self._channels), np.float32)
        if self._marker is not None:
            rest = self._marker.flush()
            if self._mark is not None and len(self._marker.spans) < self._mark.count:
                detail = "the sound is too short for two audible marks: one was laid, at its beginning"
                self._note("visible.once", detail)
        if self._embedder is None:
            return rest
        rest = np.concatenate([self._embedder.push(rest), self._embedder.flush()])
        weak = self._embedder.weak
        if self._embedder.silent:
            self._note("watermark.impossible", weak)
            self._embedder = None
        elif weak:
            self._note("watermark.weak", weak)
        return rest

    @property
    def written(self) -> tuple[Layer, ...]:
        """The layers that are in the sound, after ``flush``."""
        stages = {Layer.VISIBLE: self._marker, Layer.WATERMARK: self._embedder}
        return tuple(layer for layer, stage in stages.items() if stage is not None)

    def rooms(self, frames: int) -> tuple[tuple[int, int], ...]:
        """First frame and number of frames of what the audible mark will insert into so many frames."""
        return () if self._mark is None else audible.rooms(self._mark, frames)

    def through(self, source: Iterable[Samples], frames: int = 0) -> Iterator[Samples]:
        """All blocks of a programme of so many frames, marked."""
        done = 0
        for block in source:
            yield self.push(block)
            done += len(block)
            tell("marked", done / max(frames, done))
        yield self.flush()

    def _note(self, name: str, detail: str) -> None:
        self.notes.append(Finding(id=name, severity="warn", detail=detail))


def _prompt(options: LabelOptions, rate: int) -> Samples:
    """A user's own words, mono, at the programme's rate."""
    assert options.prompt is not None
    source = open_source(options.prompt, limits=options.limits)
    if source.file is None:
        raise UnsupportedMedia("the prompt is no sound file.", path=options.prompt)
    return mono(source.file, examine(source, options.limits), rate, seconds=audible.LONGEST_PROMPT + 1)


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
    """Write the signal layers asked for into a sound file.

    Raises:
        AlreadyLabelled: it carries a watermark under the key, and ``relabel`` is false.
    """
    assert source.file is not None and scratch is not None
    sound: AudioInfo = examine(source, options.limits)
    check(sound)
    there, notes = _glance(source, sound, layers, key, options)
    run = SoundPass(
        info.sample_rate,
        info.channels,
        [layer for layer in layers if layer is not Layer.VISIBLE or not there],
        payload=payload,
        key=key,
        profile=profile,
        options=options,
        duration=info.duration,
    )
    rooms = run.rooms(sound.frames)
    if rooms and (options.audible_mode or profile.audible.mode) == "mix":
        seconds = sum(count for _, count in rooms) / info.sample_rate
        detail = f"the sound is too short to lay the audible mark over it: it was made {seconds:.1f} s longer"
        notes.append(Finding(id="visible.lengthened", severity="warn", detail=detail))
    target = scratch()
    lost = write(
        source.file,
        sound,
        target,
        run.through(blocks(source.file, sound, limits=options.limits), sound.frames),
        inserted=rooms,
        scratch=scratch,
    )
    source.check_unchanged()
    written = (*((Layer.VISIBLE,) if there else ()), *run.written)
    return Marked(
        content=Source.on_disk(source.path, target),
        written=written,
        unheard=(Layer.VISIBLE,) if options.prompt is not None and not there else (),
        visible_text=there or run.text,
        algorithm=watermark.ALGORITHM if Layer.WATERMARK in written else "",
        notes=(*notes, *run.notes, *lost),
    )


def listen(
    source: Source, sound: AudioInfo, layers: Sequence[Layer], keys: Sequence[WatermarkKey], limits: Limits
) -> Seen:
    """Listen to the beginning for marks of an earlier pass, as they were laid."""
    assert source.file is not None
    found = SoundDetection(sound.sample_rate, sound.channels, layers, keys, quick=True)
    seconds = 0.0
    with contextlib.closing(blocks(source.file, sound, seconds=5, limits=limits)) as stream:
        for block in stream:
            found.push(block)
            seconds += len(block) / sound.sample_rate
            if seconds >= _GLANCE:
                break
    return found.finish()


def _glance(
    source: Source, sound: AudioInfo, layers: Sequence[Layer], key: WatermarkKey, options: LabelOptions
) -> tuple[str, list[Finding]]:
    """Look for marks of an earlier pass: the text of an audible one, or "", and what to say.

    Raises:
        AlreadyLabelled: there is a watermark under the key, and ``relabel`` is false.
    """
    seen = listen(source, sound, layers, [key], options.limits)
    if seen.watermark.state is State.PRESENT and not options.relabel:
        raise AlreadyLabelled(
            f"the sound carries the watermark of another content, {seen.watermark.mark_id}.",
            remedy="Label the original, or leave the watermark out of --layers and name that content by --produce-id.",
        )
    if seen.visible.state is not State.PRESENT:
        return "", []
    detail = "the sound has an audible mark already; no second one was laid"
    return seen.visible.evidence[0].text, [Finding(id="visible.there", severity="info", detail=detail)]


class SoundDetection:
    """Listens for the signal marks in sound that streams by.

    Args:
        rate: Hz.
        channels: columns of every block.
        layers: which of them to look for.
        keys: watermark keys to try.
        quick: the watermark only as it was embedded.
        deep: every combination of tempo and pitch.
    """

    def __init__(
        self,
        rate: int,
        channels: int,
        layers: Sequence[Layer],
        keys: Sequence[WatermarkKey],
        *,
        quick: bool = False,
        deep: bool = False,
    ) -> None:
        self._seeker = audible.Seeker(rate, channels) if Layer.VISIBLE in layers else None
        self._detector = (
            watermark.Detector(rate, channels, keys, quick=quick, deep=deep)
            if Layer.WATERMARK in layers
            else None
        )

    def push(self, block: Samples) -> None:
        """Take frames (m, channels), float32, full scale 1."""
        if self._seeker is not None:
            self._seeker.push(block)
        if self._detector is not None:
            self._detector.push(block)

    def finish(self) -> Seen:
        """What both layers found."""
        return Seen.by(self._seeker, self._detector)


def detect(
    source: Source,
    info: MediaInfo,
    layers: Sequence[Layer],
    *,
    keys: Sequence[WatermarkKey],
    options: VerifyOptions,
) -> Seen:
    """Listen for the signal marks in a whole file."""
    assert source.file is not None
    sound: AudioInfo = examine(source, options.limits)
    found = SoundDetection(
        info.sample_rate, info.channels, layers, keys, quick=options.quick, deep=options.deep
    )
    damage = ""
    try:
        with contextlib.closing(blocks(source.file, sound, limits=options.limits)) as stream:
            done = 0
            for block in stream:
                found.push(block)
                done += len(block)
                tell("read", done / max(sound.frames, done))
    except DamagedMedia as error:  # what was heard until then counts, silence about the rest does not
        damage = error.message
    return found.finish().despite(damage)
