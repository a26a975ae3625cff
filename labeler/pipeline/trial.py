"""Trying out on a few seconds of a clip how strong its watermark must and may be.

The piece is encoded as the whole clip will be, and once more as a platform would; the mark judges what is left of it
(``labeler.watermark.motion.strength``). Planes are kept in files, one is in memory at a time.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast, overload

import numpy as np

from labeler.media.files import Scratch
from labeler.media.video.decode import Frame, Plane, frames
from labeler.media.video.encode import Encoder
from labeler.media.video.info import VideoInfo
from labeler.media.video.probe import probe
from labeler.watermark.motion.frames import Grain
from labeler.watermark.motion.marking import VideoMark
from labeler.watermark.motion.strength import GOALS, Trial, Tuned, tune
from labeler.watermark.video import grain_of

__all__ = ["try_out"]

_SECONDS = 4.0
"""Length of the piece: the beginning, and as much from the middle of a longer clip."""
_FRAMES, _PIXELS = 120, 500_000_000
"""Most frames of it, and most pixels of all of them: at 1080p the former decides, at 2160p 60 frames are left."""
_PLATFORM = ("h264", "veryfast")


class _Planes(Sequence[Plane]):
    """Luma planes in a file."""

    def __init__(self, path: Path, clip: VideoInfo) -> None:
        self._path, self._shape, self._type = path, (clip.height, clip.width), clip.layout.sample
        self._bytes = clip.width * clip.height * clip.layout.sample.itemsize
        self._count = 0

    def fill(self, planes: Iterator[Plane]) -> _Planes:
        """Write all planes."""
        with self._path.open("wb") as file:
            for plane in planes:
                file.write(np.ascontiguousarray(plane).data)
                self._count += 1
        return self

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Plane: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Plane]: ...

    def __getitem__(self, index: int | slice) -> Plane | Sequence[Plane]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(self._count))]
        if not 0 <= index < self._count:
            raise IndexError(index)
        with self._path.open("rb") as file:
            file.seek(index * self._bytes)
            plane = np.fromfile(file, self._type, self._shape[0] * self._shape[1])
        return cast(Plane, plane.reshape(self._shape))


def try_out(
    path: Path,
    clip: VideoInfo,
    make: Callable[[float, Grain], VideoMark],
    scratch: Scratch,
    *,
    strength: str,
    codec: str | None = None,
    quality: float | None = None,
    preset: str | None = None,
) -> Tuned:
    """Find scale and grain of the mark for a clip.

    Args:
        path: the clip.
        clip: of ``probe``.
        make: the mark of a given scale and grain.
        scratch: gives temporary files.
        strength: ``default`` or ``strong``.
        codec: that the clip will be delivered in.
        quality: constant quality that it will be delivered with.
        preset: of the encoder.
    """
    plain = dataclasses.replace(
        clip,
        info=dataclasses.replace(clip.info, media_type="video/x-matroska"),
        demuxer="matroska",
        packets=None,
        streams=clip.of_kind("video")[:1],
        chapters=(),
        tags={},
    )

    def attempt(planes: Iterable[Plane], again: bool) -> Trial:
        delivered, size = _encoded(
            plain, _with(planes, path, clip), scratch(), codec=codec, quality=quality, preset=preset
        )
        trial = Trial(size=size, delivered=_decoded(delivered, scratch))
        if not again:
            return trial
        coded, preset_ = _PLATFORM
        with frames(delivered, _probed(delivered)) as stream:
            attacked, _ = _encoded(
                plain, iter(stream), scratch(), codec=coded, quality=GOALS[strength].crf, preset=preset_
            )
        return dataclasses.replace(trial, attacked=_decoded(attacked, scratch))

    source = _Planes(scratch(), clip).fill(frame.y for frame in _piece(path, clip))
    grain = grain_of(clip.width, clip.height)
    return tune(source, make, attempt, grain=grain, strength=strength, bit_depth=clip.layout.depth)


def _piece(path: Path, clip: VideoInfo) -> Generator[Frame, None, None]:
    """Frames of the first seconds, and of as many in the middle of a longer clip."""
    duration = clip.info.duration
    half = _SECONDS / 2
    # The second half must not begin within the first: the times of frames would go backwards.
    starts = [0.0] if duration <= 1.25 * _SECONDS else [0.0, max(half, duration / 2 - half / 2)]
    most = max(min(_FRAMES, _PIXELS // (clip.width * clip.height)) // len(starts), 1)
    for start in starts:
        with frames(path, clip, start=start, seconds=_SECONDS / len(starts)) as stream:
            for frame in stream:
                if frame.index == most:
                    break
                yield frame


def _with(planes: Iterable[Plane], path: Path, clip: VideoInfo) -> Iterator[Frame]:
    """The frames of the piece with other luma."""
    with contextlib.closing(_piece(path, clip)) as stream:
        for frame, plane in zip(stream, planes, strict=True):
            frame.y[...] = plane
            yield frame


def _encoded(
    clip: VideoInfo,
    stream: Iterator[Frame],
    part: Path,
    *,
    codec: str | None,
    quality: float | None,
    preset: str | None,
) -> tuple[Path, int]:
    with Encoder(None, part, clip, codec=codec, quality=quality, preset=preset) as encoder:
        for frame in stream:
            encoder.write(frame)
        encoder.finish()
    return part, part.stat().st_size


def _probed(path: Path) -> VideoInfo:
    with path.open("rb") as file:
        return probe(file, path.stat().st_size, str(path))


def _decoded(path: Path, scratch: Scratch) -> _Planes:
    clip = _probed(path)
    with frames(path, clip, gray=True) as stream:
        return _Planes(scratch(), clip).fill(frame.y for frame in stream)
