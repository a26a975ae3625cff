"""What happens to videos on their way, as chains of ffmpeg passes, and the clips of the video bench.

Both come from ``video.toml``, which is part of the program: no text of a user gets into a filter.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from labeler.media import ffmpeg as process

__all__ = ["Attack", "Clip", "Footage", "decode", "encode", "load", "luma", "recode"]

Frames: TypeAlias = npt.NDArray[np.uint8]

GRID = Path(__file__).with_name("video.toml")
SECONDS = 4.0
"""Length of a clip."""
_TIMEOUT = 300.0

ENCODERS: dict[str, dict[str, Any]] = {
    "h264": {"vcodec": "libx264", "preset": "medium", "threads": 1},
    "h264-veryfast": {"vcodec": "libx264", "preset": "veryfast", "threads": 1},
    "hevc": {
        "vcodec": "libx265",
        "preset": "fast",
        "x265-params": "pools=1:frame-threads=1:log-level=error",
    },
    "vp9": {
        "vcodec": "libvpx-vp9",
        "deadline": "good",
        "cpu-used": 4,
        "video_bitrate": 0,
        "threads": 1,
    },
    "av1": {"vcodec": "libsvtav1", "preset": 8, "svtav1-params": "lp=1"},
}
"""Encoders by name; one thread each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """A chain of encodes.

    Attributes:
        name: as printed.
        group: heading in the table.
        bars: share of clips that must be read, by strength.
        passes: filter (or ""), encoder name and CRF of each pass.
    """

    name: str
    group: str
    bars: dict[str, float]
    passes: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A cut of a file.

    Attributes:
        name: as printed.
        file: name in the folder of videos.
        start: seconds.
        filter: how it is scaled down.
        tuned: whether the mark was tuned on it.
    """

    name: str
    file: str
    start: float
    filter: str
    tuned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Footage:
    """Decoded frames.

    Attributes:
        frames: (n, bytes) uint8, yuv420p.
        width: px.
        height: px.
        rate: frames a second.
    """

    frames: Frames
    width: int
    height: int
    rate: float

    @property
    def luma(self) -> Frames:
        """(n, height, width) uint8, a view."""
        return self.frames[:, : self.width * self.height].reshape(-1, self.height, self.width)


def load(path: Path = GRID) -> tuple[list[Attack], list[Clip]]:
    """Attacks and clips of a grid."""
    with path.open("rb") as file:
        grid = tomllib.load(file)
    attacks = [
        Attack(
            name=entry["name"],
            group=entry["group"],
            bars=dict(zip(("default", "strong"), entry["bars"], strict=True)),
            passes=tuple((step.get("filter", ""), step["codec"], step["crf"]) for step in entry["passes"]),
        )
        for entry in grid["attacks"]
    ]
    # Held-out clips first, the first cut of every group before the second.
    numbered = [
        (entry.get("tuned", False), entry.get("round", 0) + number, entry, start)
        for entry in grid["clips"]
        for number, start in enumerate(entry["starts"])
    ]
    clips = [
        Clip(
            name=f"{entry.get('name', entry['file'].rpartition('.')[0])} {start:g} s",
            file=entry["file"],
            start=start,
            filter=entry["filter"],
            tuned=entry.get("tuned", False),
        )
        for _, _, entry, start in sorted(numbered, key=lambda item: item[:2])
    ]
    return attacks, clips


def cut(folder: Path, clip: Clip) -> Footage:
    """Decode a clip."""
    demuxer = "matroska" if clip.file.endswith("mkv") else "mov"
    stream = process.source(folder / clip.file, demuxer, ss=clip.start, t=SECONDS)
    return _read(stream, clip.filter, folder / clip.file)


def decode(path: Path) -> Footage:
    """Decode a file of our own (Matroska)."""
    return _read(process.source(path, "matroska"), "", path)


def _read(stream: Any, filters: str, path: Path) -> Footage:
    """Frames through YUV4MPEG, whose header tells size and rate."""
    options = {"vf": filters} if filters else {}
    output = stream.output("pipe:", f="yuv4mpegpipe", pix_fmt="yuv420p", fps_mode="passthrough", **options)
    data = process.run(output, timeout=_TIMEOUT, path=path, limit=1 << 30)
    head, _, body = data.partition(b"\n")
    fields = {word[:1]: word[1:] for word in head.decode().split()[1:]}
    width, height = int(fields["W"]), int(fields["H"])
    over, under = fields["F"].split(":")
    size = width * height + 2 * ((width + 1) // 2) * ((height + 1) // 2)
    mark = len(b"FRAME\n")
    count = len(body) // (size + mark)
    whole = np.frombuffer(body, np.uint8)[: count * (size + mark)].reshape(count, size + mark)
    return Footage(frames=whole[:, mark:].copy(), width=width, height=height, rate=int(over) / int(under))


def encode(footage: Footage, path: Path, *, codec: str = "h264-veryfast", crf: int = 20) -> int:
    """Encode frames to a Matroska file; its size in bytes."""
    import ffmpeg

    stream = ffmpeg.input(
        "pipe:",
        f="rawvideo",
        pix_fmt="yuv420p",
        s=f"{footage.width}x{footage.height}",
        r=f"{footage.rate:.6f}",
    )
    output = stream.output(f"file:{path}", f="matroska", pix_fmt="yuv420p", crf=crf, **ENCODERS[codec])
    with process.Writer(output.overwrite_output(), timeout=_TIMEOUT, path=path) as writer:
        for frame in footage.frames:
            writer.write(np.ascontiguousarray(frame))
        writer.finish()
    return path.stat().st_size


def recode(source: Path, target: Path, filters: str, codec: str, crf: int) -> None:
    """One pass of an attack, Matroska to Matroska."""
    options = {"vf": filters} if filters else {}
    stream = process.source(source, "matroska")
    output = stream.output(
        f"file:{target}", f="matroska", pix_fmt="yuv420p", crf=crf, an=None, **ENCODERS[codec], **options
    )
    process.run(output.overwrite_output(), timeout=_TIMEOUT, path=source)


def luma(path: Path) -> Iterator[tuple[Frames, float]]:
    """Luma planes of a file with their times, s."""
    footage = decode(path)
    for index, plane in enumerate(footage.luma):
        yield plane, index / footage.rate
