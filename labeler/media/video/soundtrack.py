"""The first sound track of a video: out as blocks, back as a WAVE file that the encoder takes."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from labeler.errors import UnsupportedMedia
from labeler.media import ffmpeg as engine
from labeler.media.video.info import VideoInfo

__all__ = ["Track", "write"]

_SECONDS = 10
_MOST_CHANNELS = 8


class Track:
    """The first sound track.

    Attributes:
        rate: Hz.
        channels: number of channels.

    Raises:
        UnsupportedMedia: there is none, or it has more channels than labeler marks.
    """

    def __init__(self, path: Path, clip: VideoInfo) -> None:
        tracks = clip.of_kind("audio")
        if not tracks or not 1 <= tracks[0].channels <= _MOST_CHANNELS or not tracks[0].sample_rate:
            raise UnsupportedMedia("it has no sound track that can be marked.", path=path)
        self.rate, self.channels = tracks[0].sample_rate, tracks[0].channels
        self._path, self._clip, self._index = path, clip, tracks[0].index

    def blocks(self) -> Generator[NDArray[np.float32], None, None]:
        """The sound, float32 (frames, channels), full scale 1, in blocks of some seconds."""
        node = engine.source(self._path, self._clip.demuxer, err_detect="explode")[str(self._index)]
        out = node.output("pipe:", f="f32le", acodec="pcm_f32le", ac=self.channels, ar=self.rate)
        buffer = np.empty((_SECONDS * self.rate, self.channels), "<f4")
        with engine.Reader(out.global_args("-xerror"), path=self._path, what="decode") as reader:
            while count := reader.readinto(buffer) // (4 * self.channels):
                yield buffer[:count].astype(np.float32)
            reader.finish()


def write(target: Path, track: Track, blocks: Iterable[NDArray[np.float32]]) -> None:
    """Write blocks as a WAVE file of floats, RF64 where it gets large."""
    node = ffmpeg.input("pipe:", f="f32le", ar=track.rate, ac=track.channels, protocol_whitelist="pipe")
    out = node.output(f"file:{target}", f="wav", acodec="pcm_f32le", rf64="auto").global_args("-y")
    with engine.Writer(out, path=target) as writer:
        for block in blocks:
            writer.write(np.ascontiguousarray(block, "<f4"))
        writer.finish()
