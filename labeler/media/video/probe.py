"""What a video file is: the container's structure, then one ffmpeg that tells its tracks and lists its frames.

No ffprobe is needed. One process copies the coded frames of the picture track into a list of times (``framecrc``)
and decodes the first frame, whose properties ``showinfo`` prints (``dump`` reads what it says).
"""

from __future__ import annotations

import os
from array import array
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np

from labeler.errors import DamagedMedia, InputError, LimitExceeded, UnsupportedMedia
from labeler.media import ffmpeg as engine
from labeler.media.limits import DEFAULT_LIMITS, Limits
from labeler.media.sniff import sniff
from labeler.media.video import structure
from labeler.media.video.dump import Dump, complaint
from labeler.media.video.info import (
    EXTENSIONS,
    RGB_AS,
    Packets,
    VideoInfo,
    depth_of,
    has_alpha,
    is_exact,
    is_rgb,
    layout_of,
)
from labeler.types import Finding, MediaInfo, Modality

__all__ = ["EXTENSIONS", "probe", "scan"]

MAX_FRAMES = 5_000_000
"""Frames of a video: 23 hours at 60 a second."""

MAX_SECONDS = 24 * 3600.0
"""Length of a video."""

_HEAD = 4096
_CHUNK = 1 << 16
_NO_TIME = -(1 << 63)
_DISCARD = 4


def probe(
    file: BinaryIO, size: int, name: str, *, limits: Limits = DEFAULT_LIMITS, path: Path | None = None
) -> VideoInfo:
    """Read what a video file is.

    Args:
        file: the file, seekable.
        size: its bytes.
        name: its name, for errors and for its extension.
        limits: of one frame's pixels and of the file's bytes.
        path: where ffmpeg finds the file; by default the open file itself, which needs ``/proc``.

    Returns:
        All that can be known without decoding more than a frame, with the time of every frame.

    Raises:
        UnsupportedMedia: no video, no picture track, or a codec that ffmpeg does not know.
        DamagedMedia: cut off, or not what it says.
        LimitExceeded: too many pixels, frames, seconds or bytes.
    """
    file.seek(0)
    media_type = sniff(file.read(_HEAD))
    if media_type not in EXTENSIONS:
        raise UnsupportedMedia(f"the content is {media_type}, no video that labeler knows.", path=name)
    limits.check_stream(size, path=name)
    try:
        found = structure.check(file, size, media_type)
    except InputError as error:
        error.path = error.path or name
        raise
    demuxer = engine.DEMUXERS[media_type]
    said, listing = _ask(path or _path_of(file), demuxer, name)
    dump = Dump(said)
    if dump.frame is None or not dump.picture:
        raise UnsupportedMedia("it has no picture track that can be decoded.", path=name)
    packets, time_base = _packets(listing, name)
    frame = dump.frame
    limits.check_frame(frame.width, frame.height, path=name)
    rate = frame.rate or _rate(packets, time_base)
    seconds = max(dump.duration, _end(packets, time_base))
    if seconds > MAX_SECONDS:
        raise LimitExceeded(f"the video lasts {seconds / 3600:.0f} hours; the limit is 24.", path=name)
    if found.samples is not None and len(packets.pts) + listing.discarded < found.samples:
        raise DamagedMedia(
            f"the index promises {found.samples} frames; {len(packets.pts)} are there.",
            remedy="Copy or download it again.",
            path=name,
        )
    picture = next(stream for stream in dump.streams if stream.kind == "video")
    audio = next((stream for stream in dump.streams if stream.kind == "audio"), None)
    alpha = has_alpha(frame.pix_fmt) or picture.tags.get("alpha_mode", "0") not in ("", "0")
    info = VideoInfo(
        info=MediaInfo(
            media_type=media_type,
            modality=Modality.VIDEO,
            width=frame.width,
            height=frame.height,
            frames=len(packets.pts),
            size=size,
            extension_matches=_fits(media_type, name),
            duration=round(seconds, 6),
            codec=picture.codec,
            sample_rate=audio.sample_rate if audio else 0,
            channels=audio.channels if audio else 0,
        ),
        demuxer=demuxer,
        codec=picture.codec,
        profile=dump.profile,
        tag=picture.tag,
        pix_fmt=frame.pix_fmt,
        layout=layout_of(frame.pix_fmt),
        width=frame.width,
        height=frame.height,
        sar=frame.sar,
        rotation=dump.rotation,
        mirrored=found.mirrored,
        rate=rate,
        variable=_variable(packets, time_base, rate),
        time_base=time_base,
        start=dump.start,
        colour=RGB_AS if is_rgb(frame.pix_fmt) else frame.colour,
        depth=depth_of(frame.pix_fmt),
        alpha=alpha,
        field_order=frame.field_order,
        mastering=frame.mastering,
        streams=tuple(dump.streams),
        chapters=tuple(dump.chapters),
        tags=dump.tags,
        packets=packets,
        front=found.front,
        stamped=found.stamped,
        findings=tuple(_findings(dump, frame.pix_fmt, alpha)),
    )
    return info


def scan(path: Path, demuxer: str, *, name: object = None) -> tuple[Packets, Fraction]:
    """The coded frames of a file's picture track, and the seconds of one tick; nothing is decoded.

    Raises:
        DamagedMedia: it cannot be read to its end.
        LimitExceeded: too many frames.
    """
    node = engine.source(path, demuxer)["V:0"].output("pipe:", **_LISTING)
    with engine.Reader(node.global_args("-xerror"), path=name or path) as reader:
        listing = _Listing(reader, name or path)
        reader.finish()
    return _packets(listing, name or path)


_LISTING = {"f": "framecrc", "c": "copy", "copyinkf": None, "copyts": None}


class _Listing:
    """The lines of ``framecrc``: times in decoding order, without the texts."""

    def __init__(self, reader: engine.Reader, name: object) -> None:
        self.time_base = Fraction(0)
        self.rows = array("q")  # of each frame: pts, duration, bytes, flags
        self.discarded = 0
        rest = b""
        while chunk := reader.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._line(line)
            if len(self.rows) > 4 * MAX_FRAMES:
                raise LimitExceeded(f"the video has more than {MAX_FRAMES} frames.", path=name)

    def _line(self, line: bytes) -> None:
        if line.startswith(b"#tb 0: "):
            self.time_base = Fraction(line[7:].decode())
        elif line[:1].isdigit():
            field = line.split(b",")
            flags = next((int(f.strip()[2:], 16) for f in field[6:] if f.strip().startswith(b"F=")), 1)
            if flags & _DISCARD:  # an edit list leaves it out
                self.discarded += 1
            else:
                self.rows.extend((int(field[2]), int(field[3]), int(field[4]), flags))


def _ask(path: Path, demuxer: str, name: str) -> tuple[str, _Listing]:
    """Run ffmpeg once: what it says about file and first frame, and the list of coded frames."""
    import ffmpeg

    source = engine.source(path, demuxer, noautorotate=None, err_detect="explode")["V:0"]
    listing = source.output("pipe:", **_LISTING)
    first = source.output("pipe:", f="null", vf="showinfo=checksum=0", **{"frames:v": 1, "copyts": None})
    node = ffmpeg.merge_outputs(listing, first).global_args("-xerror", "-loglevel", "level+info", "-nostats")
    with engine.Reader(node, path=name) as reader:
        found = _Listing(reader, name)
        try:
            said = reader.finish()
        except DamagedMedia as error:
            said = reader.messages()
            if "Stream map '' matches no streams" in said or "matches no streams" in complaint(said):
                raise UnsupportedMedia("it has no picture track.", path=name) from error
            raise DamagedMedia(
                f"it cannot be read: {complaint(said)}.", remedy="Check that it plays.", path=name
            ) from error
    return said, found


def _packets(listing: _Listing, name: object) -> tuple[Packets, Fraction]:
    rows = np.array(listing.rows, np.int64).reshape(-1, 4)
    if not len(rows) or not listing.time_base:
        raise DamagedMedia("the picture track has no frames.", path=name)
    timed = bool(np.all(rows[:, 0] != _NO_TIME))
    order = np.argsort(rows[:, 0], kind="stable")
    rows = rows[order]
    return (
        Packets(
            pts=rows[:, 0].copy(),
            duration=rows[:, 1].copy(),
            key=rows[:, 3] & 1 == 1,
            bytes=int(rows[:, 2].sum()),
            timed=timed,
        ),
        listing.time_base,
    )


def _rate(packets: Packets, time_base: Fraction) -> Fraction:
    steps = np.diff(packets.pts[packets.pts != _NO_TIME])
    step = float(np.median(steps)) if len(steps) else float(packets.duration[0])
    return Fraction(1 / (step * float(time_base))).limit_denominator(1001) if step > 0 else Fraction(25)


def _end(packets: Packets, time_base: Fraction) -> float:
    pts = packets.pts[packets.pts != _NO_TIME]
    return float((pts[-1] - pts[0] + packets.duration[-1]) * time_base) if len(pts) else 0.0


def _variable(packets: Packets, time_base: Fraction, rate: Fraction) -> bool:
    """Whether a step between frames differs from the usual one by more than the ticks' rounding."""
    steps = np.diff(packets.pts[packets.pts != _NO_TIME]).astype(np.float64)
    usual = float(1 / rate / time_base)
    return bool(len(steps)) and bool(np.any(np.abs(steps - usual) > max(1.0, 0.02 * usual)))


def _fits(media_type: str, name: str) -> bool:
    suffix = Path(name).suffix.lower()
    return not suffix or suffix in EXTENSIONS[media_type]


def _path_of(file: BinaryIO) -> Path:
    """A path by which another process opens the same file, even if it is renamed meanwhile."""
    return Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")


def _findings(dump: Dump, pix_fmt: str, alpha: bool) -> list[Finding]:
    """What encoding the pictures again would lose."""
    found: list[Finding] = []

    def warn(identifier: str, detail: str) -> None:
        found.append(Finding(id=f"video.{identifier}", severity="warn", detail=detail))

    if alpha:
        warn("alpha", "transparency cannot be kept when the pictures are encoded again")
    for name in dump.lost:
        warn("side-data", f"{name}: not kept when the pictures are encoded again")
    if not alpha and not is_exact(pix_fmt):
        warn("samples", f"samples are stored as {pix_fmt} and are written as {layout_of(pix_fmt).name}")
    again = ("tmcd", "text")  # made anew from the picture's tag, and from the chapters
    others = [stream for stream in dump.streams if stream.kind == "data" and stream.tag not in again]
    if others:
        warn("data-tracks", f"{len(others)} data tracks (such as telemetry) are not kept")
    if len(dump.of_video()) > 1:
        warn("picture-tracks", f"{len(dump.of_video())} picture tracks: only the first could be labelled")
    return found
