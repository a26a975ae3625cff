"""The frames of a video file, through one ffmpeg and one pipe, with their exact times.

The samples come through stdout; the time of each frame is appended to a temporary file (``-stats_enc_pre``) before
its first byte comes. Frames have the stored orientation, no frame is doubled or dropped to please a frame rate, and
the first damaged one ends the work (``-xerror -err_detect explode``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from labeler.errors import DamagedMedia
from labeler.media import ffmpeg as engine
from labeler.media.video.info import VideoInfo, is_rgb

__all__ = ["Frame", "Frames", "Plane", "frames", "sample", "views"]

Plane = NDArray[np.uint8] | NDArray[np.uint16]
"""Samples of one plane, (rows, columns); 10-bit samples are 0 to 1023 in uint16."""


_NO_TIME = -(1 << 63)
"""ffmpeg's AV_NOPTS_VALUE."""

_UNINDEXED = frozenset({"mpegts", "flv"})
"""Demuxers that do not know where key frames are: after a jump the decoder sees pieces of older frames, which are no
damage. The whole way through the file is still strict."""

_RUN_UP = 0.6
"""Seconds before a key frame that such a jump aims at, so as not to land behind it."""

_SKIPPABLE = frozenset({"h264", "hevc", "vp9", "av1", "mpeg2video", "mpeg4"})
"""Codecs whose decoders can leave frames out (``skip_frame``)."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame. Its planes may be changed in place; they hold another frame when the next one is asked for.

    Attributes:
        y: luma, (height, width), uint8 or uint16, writable.
        u: Cb, of the layout's chroma size; None if only luma was asked for.
        v: Cr, likewise.
        index: number of the frame among those handed out, from 0.
        ticks: presentation time in ticks of ``VideoInfo.time_base``.
        pts: presentation time, seconds from the beginning of the file.
        data: all planes, as they lie behind one another.
    """

    y: Plane
    u: Plane | None
    v: Plane | None
    index: int
    ticks: int
    pts: float
    data: NDArray[np.uint8]


def frames(
    path: Path,
    info: VideoInfo,
    *,
    start: float | None = None,
    seconds: float | None = None,
    every: int | None = None,
    gray: bool = False,
    step: float | None = None,
    quick: str = "",
    timeout: float = engine.TIMEOUT,
) -> Frames:
    """Open a video for its frames; a context manager and an iterator, which must be closed.

    Args:
        path: the file.
        info: of ``probe``.
        start: seconds from the file's beginning to begin at; from the first frame if None.
        seconds: how much to read; to the end if None.
        every: hand out only each n-th frame.
        gray: only luma.
        step: hand out one frame of each so many seconds.
        quick: ``noref`` leaves out frames that no other frame needs, ``nokey`` all but key frames, to decode less.
        timeout: seconds without a frame that count as hung.

    Returns:
        An iterator of frames; all of them share one buffer. Read to the end without ``start``, ``seconds``, ``every``,
        ``step`` or ``quick``, it checks that each coded frame was decoded.
    """
    return Frames(path, info, start, seconds, every, gray, step, quick, timeout)


class Frames:
    """See ``frames``."""

    def __init__(
        self,
        path: Path,
        info: VideoInfo,
        start: float | None,
        seconds: float | None,
        every: int | None,
        gray: bool,
        step: float | None,
        quick: str,
        timeout: float,
    ) -> None:
        self.info = info
        self._path = path
        self._whole = start is None and seconds is None and every is None and step is None and not quick
        size = info.layout.bytes(info.width, info.height, gray=gray)
        self._buffer = np.empty(size, np.uint8)
        self._planes = views(self._buffer, info, gray=gray)
        self._count = 0
        self._every = max(every or 1, 1)
        self._first = Fraction(round((start or 0.0) * self.info.rate)) / self.info.rate
        self._times = tempfile.NamedTemporaryFile(prefix="labeler-times-")  # noqa: SIM115 - closed in close
        self._lines: IO[str] = Path(self._times.name).open(encoding="ascii")  # noqa: SIM115
        node = _node(path, info, self._times.name, start, seconds, every, gray, step, quick)
        try:
            self._reader = engine.Reader(node, timeout=timeout, path=path, what="decode")
        except BaseException:
            self._lines.close()
            self._times.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End ffmpeg, if it still runs."""
        self._reader.__exit__(None, None, None)
        self._lines.close()
        self._times.close()

    def __iter__(self) -> Iterator[Frame]:
        y, u, v = self._planes
        while self._fill():
            ticks, seconds = self._time()
            yield Frame(y, u, v, self._count, ticks, seconds, self._buffer)
            self._count += 1
        self._reader.finish()
        if self._whole:
            self._check_count()

    def _fill(self) -> bool:
        """Read one frame into the buffer; False at the end."""
        got = self._reader.readinto(self._buffer)
        if got == len(self._buffer):
            return True
        if got:
            self._reader.finish()
            raise DamagedMedia(
                "the size of its pictures changes on the way.",
                remedy="Convert it to one size first.",
                path=self._path,
            )
        return False

    def _time(self) -> tuple[int, float]:
        line = self._lines.readline().split()
        if len(line) != 2:
            raise DamagedMedia(f"frame {self._count} has no time.", path=self._path)
        packets = self.info.packets
        untimed = packets is not None and not packets.timed
        if untimed or int(line[0]) == _NO_TIME:  # AVI with B-frames: evenly spaced by definition
            seconds = self._first + self._count * self._every / self.info.rate
            return round(seconds / self.info.time_base), float(seconds)
        base = Fraction(line[1])
        ticks = round(int(line[0]) * base / self.info.time_base)
        return ticks, float(ticks * self.info.time_base) - self.info.start

    def _check_count(self) -> None:
        packets = self.info.packets
        if self._lines.readline():
            raise DamagedMedia("the size of its pictures changes on the way.", path=self._path)
        if packets is None:
            return
        coded = len(packets.pts)
        fields = bool(self.info.field_order) and 2 * self._count == coded  # one packet a field
        unseen = self.info.codec == "vp8" and self._count < coded  # alternate references are no frames
        if self._count != coded and not fields and not unseen:
            raise DamagedMedia(
                f"{coded} frames are in the file; {self._count} could be decoded.",
                remedy="Check that it plays, or convert it afresh.",
                path=self._path,
            )


def sample(
    path: Path,
    info: VideoInfo,
    count: int = 60,
    *,
    start: float | None = None,
    seconds: float | None = None,
    gray: bool = True,
) -> Generator[Frame, None, None]:
    """About ``count`` frames, evenly spaced, for detection; decodes as little as it can.

    Key frames alone are decoded where they are dense enough, else frames that others need, else all. Frames share one
    buffer, as those of ``frames``; leave the generator with ``close()`` if it is not read to its end.

    Args:
        path: the file.
        info: of ``probe``.
        count: at most so many, unless the file has few.
        start: seconds from the beginning of the file, where to begin.
        seconds: how much of the file to cover.
        gray: only luma.

    Raises:
        DamagedMedia: a frame of these cannot be decoded.
    """
    packets = info.packets
    begin = start or 0.0
    length = min(info.info.duration - begin, seconds or float("inf"))
    total = len(packets.pts) if packets is not None else round(length * float(info.rate))
    share = length / info.info.duration if info.info.duration else 1.0
    total = max(1, round(total * share))
    step = length / count if total > count else None
    every = None
    if step is not None and info.demuxer == "avi":  # which does not tell the time of a frame
        step, every = None, total // count
    handed = 0
    quick = ""
    if step is not None and info.codec in _SKIPPABLE:
        dense = _key_gap(info, begin, begin + length) <= 1.5 * step
        quick = "nokey" if dense else "noref" if total > 2 * count else ""
    with frames(
        path, info, start=start, seconds=seconds, every=every, gray=gray, step=step, quick=quick
    ) as opened:
        for frame in opened:
            yield frame
            handed += 1
            if handed == count:
                return


def _key_gap(info: VideoInfo, start: float, end: float) -> float:
    """Longest time without a key frame between two times, seconds."""
    packets = info.packets
    if packets is None or not packets.timed:
        return float("inf")
    keys = packets.pts[packets.key] * float(info.time_base) - info.start
    keys = np.concatenate([[start], keys[(keys > start) & (keys < end)], [end]])
    return float(np.diff(keys).max())


def views(
    buffer: NDArray[np.uint8], info: VideoInfo, *, gray: bool = False
) -> tuple[Plane, Plane | None, Plane | None]:
    """The planes that lie behind one another in a buffer of bytes, without a copy."""
    samples = buffer.view(info.layout.sample)
    luma = info.width * info.height
    y = samples[:luma].reshape(info.height, info.width)
    if gray:
        return y, None, None
    across, down = info.layout.chroma(info.width, info.height)
    u = samples[luma : luma + across * down].reshape(down, across)
    v = samples[luma + across * down :].reshape(down, across)
    return y, u, v


def _node(
    path: Path,
    info: VideoInfo,
    times: str,
    start: float | None,
    seconds: float | None,
    every: int | None,
    gray: bool,
    step: float | None,
    quick: str,
) -> Any:
    """The ffmpeg-python node of a decoder; nothing in it is a text of the user's."""
    given: dict[str, Any] = {"noautorotate": None}
    begin, filters = max(0.0, start or 0.0), []
    unindexed = begin > 0 and info.demuxer in _UNINDEXED
    if unindexed:
        filters.append(f"select='gte(t,{info.start + begin:.6f}-0.001)'")
        seconds = None if seconds is None else seconds + begin
        begin = max(0.0, _key_before(info, begin) - _RUN_UP)
        seconds = None if seconds is None else seconds - begin
    else:
        given["err_detect"] = "explode"
    if begin:
        given["ss"] = f"{begin:.6f}"
    if seconds is not None:
        given["t"] = f"{max(0.0, seconds):.6f}"
    if quick:
        given["skip_frame"] = quick
    if every is not None and every > 1:
        filters.append(f"select='not(mod(n,{int(every)}))'")
    if step is not None:
        filters.append(
            f"select='isnan(prev_selected_t)+gt(floor(t/{step:.6f}),floor(prev_selected_t/{step:.6f}))'"
        )
    layout = info.layout.name
    same = info.pix_fmt.replace("yuvj", "yuv") == layout
    if is_rgb(info.pix_fmt):
        filters.append("scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int")
    elif not same:
        wide = "pc" if info.colour.full else "tv"
        filters.append(f"scale=in_range={wide}:out_range={wide}")
    if not same:
        filters.append(f"format={layout}")
    if gray:
        filters.append("extractplanes=y")
    out: dict[str, Any] = {
        "f": "rawvideo",
        "fps_mode": "passthrough",
        "enc_time_base": "demux",
        "copyts": None,
        "noautoscale": None,
        "stats_enc_pre:v": f"file:{times}",
        "stats_enc_pre_fmt:v": "{ptsi} {tbi}",
    }
    if filters:
        out["vf"] = ",".join(filters)
    node = engine.source(path, info.demuxer, **given)["V:0"].output("pipe:", **out)
    return node if unindexed else node.global_args("-xerror")


def _key_before(info: VideoInfo, start: float) -> float:
    """Time of the last key frame not behind a time, seconds from the beginning of the file."""
    packets = info.packets
    if packets is None or not packets.timed:
        return 0.0
    keys = packets.pts[packets.key] * float(info.time_base) - info.start
    return float(keys[keys <= start].max(initial=0.0))
