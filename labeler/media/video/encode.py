"""Writing a video again: changed pictures, everything else as it was.

One ffmpeg with two inputs: the frames, with their times (``rawpipe``), and the original file, from which sound,
subtitles, chapters, attachments, cover art and tags are copied. Time stamps are taken as they are (``-copyts``), and
at the end those of the new file are compared with those of the frames.
"""

from __future__ import annotations

from array import array
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from labeler.errors import DamagedMedia, OutputError, UnsupportedMedia
from labeler.media import ffmpeg as engine
from labeler.media.video.choices import check_encoder
from labeler.media.video.decode import Frame
from labeler.media.video.info import VideoInfo
from labeler.media.video.movietags import carry_over
from labeler.media.video.probe import scan
from labeler.media.video.rawpipe import NANOSECOND, frame_header, stream_header
from labeler.media.video.settings import MOVIES, codec_for, command, findings

__all__ = ["Encoder"]


class Encoder:
    """Encodes frames into a new file, with everything else of the original.

    Use as a context manager; ``write`` each frame in order, then ``finish``. A target that was not finished is no
    video.

    Args:
        source: the original file; None for a video that has none.
        target: where to write; must not exist or may be replaced.
        info: of the original, or made for the frames.
        codec: ``h264``, ``hevc``, ``vp9``, ``vp8``, ``av1``; by default ``codec_for(info)``.
        quality: constant quality in the encoder's scale, lower is better; by default that of ``CODECS``.
        preset: in the encoder's own words; by default that of ``CODECS``.
        hardware: one of ``HARDWARE`` instead of the software encoder.
        audio: a sound file that replaces the first sound track, encoded in that track's codec.
        audio_demuxer: of ``audio``.
        timeout: seconds without progress that count as hung.

    Raises:
        UnsupportedMedia: transparency, or several picture tracks.
        UsageError: a quality, preset or hardware that the encoder has not.
        DependencyMissing: no ffmpeg, or not the hardware.
    """

    def __init__(
        self,
        source: Path | None,
        target: Path,
        info: VideoInfo,
        *,
        codec: str | None = None,
        quality: float | None = None,
        preset: str | None = None,
        hardware: str | None = None,
        audio: Path | None = None,
        audio_demuxer: str = "wav",
        timeout: float = engine.TIMEOUT,
    ) -> None:
        _refuse(info)
        self.info = info
        self.codec = codec_for(info, codec)
        check_encoder(self.codec, quality=quality, preset=preset, hardware=hardware)
        self.findings = info.findings + findings(info, self.codec, hardware)
        self._source = source
        self._target = target
        self._times = array("q")
        node = command(
            source,
            target,
            info,
            codec=self.codec,
            quality=quality,
            preset=preset,
            hardware=hardware,
            audio=audio,
            audio_demuxer=audio_demuxer,
        )
        self._durations = _durations(info)
        self._writer = engine.Writer(node, timeout=timeout, path=target, what="encode")
        try:
            self._put(stream_header(info))
        except BaseException:
            self._writer.__exit__(None, None, None)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)

    def write(self, frame: Frame) -> None:
        """Encode one frame; its samples are taken before the call returns.

        Raises:
            OutputError: ffmpeg failed (disk full, encoder missing).
            LimitExceeded: it hung.
        """
        base = self.info.time_base / NANOSECOND
        time = round(frame.ticks * base)
        if time < 0:
            raise UnsupportedMedia("a frame stands before time zero.", remedy="Convert the file first.")
        ticks = self._durations.get(frame.ticks, 0) or round(1 / self.info.rate / self.info.time_base)
        self._times.append(frame.ticks)
        self._put(frame_header(time, max(1, round(ticks * base)), frame.data.nbytes))
        self._put(frame.data)

    def _put(self, data: bytes | np.ndarray[Any, Any]) -> None:
        try:
            self._writer.write(data)
        except DamagedMedia as error:
            raise _failed(error, self._target) from error

    def finish(self) -> None:
        """End the file and compare its frames with those written.

        Raises:
            OutputError: ffmpeg failed, or count or times of the frames are not the same.
        """
        try:
            self._writer.finish()
            if self._source is not None and self.info.media_type in MOVIES:
                carry_over(self._source, self._target)
            packets, base = scan(self._target, engine.DEMUXERS[self.info.media_type])
        except DamagedMedia as error:
            raise _failed(error, self._target) from error
        if len(packets.pts) != len(self._times):
            raise OutputError(
                f"{len(self._times)} frames were encoded, {len(packets.pts)} are in the file.",
                path=self._target,
            )
        if not packets.timed:  # AVI says nothing about single frames
            return
        wanted = np.array(self._times, np.int64) * float(self.info.time_base)
        worst = float(np.abs(wanted - packets.pts * float(base)).max(initial=0.0))
        if worst > float(max(self.info.time_base, base)) / 2 + 1e-9:
            raise OutputError(f"the times of frames moved by up to {worst:.4f} s.", path=self._target)


def _failed(error: DamagedMedia, target: Path) -> OutputError:
    return OutputError(error.message, remedy="Check space, the encoder and the options.", path=target)


def _refuse(info: VideoInfo) -> None:
    if info.alpha:
        raise UnsupportedMedia(
            "it has transparency, which would be lost.",
            remedy="Label it without signal layers, or flatten it first.",
        )
    if len(info.of_kind("video")) > 1:
        raise UnsupportedMedia(
            "it has several picture tracks; only one could be marked.",
            remedy="Split it into one file a track.",
        )


def _durations(info: VideoInfo) -> dict[int, int]:
    """Duration of each coded frame by its time, in ticks; only where frames are not evenly spaced, else of the last."""
    packets = info.packets
    if packets is None or not len(packets.pts):
        return {}
    keep = slice(None) if info.variable else slice(-1, None)
    return dict(zip(packets.pts[keep].tolist(), packets.duration[keep].tolist(), strict=True))
