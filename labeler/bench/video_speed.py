"""Cost of the way of a video's frames through Python, as a multiple of a plain transcode of the same file.

``python -m labeler.bench.video_speed [FILE]``. All variants run in turn within each round; the smallest CPU time
(user and system, this process and its children) of the rounds counts, since the machine may be shared.
"""

from __future__ import annotations

import contextlib
import resource
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labeler.core.keys import PUBLIC_KEY
from labeler.core.threads import one_thread
from labeler.media import ffmpeg as engine
from labeler.media.video.arrays import frame_of, new_video
from labeler.media.video.decode import Frame, frames, sample
from labeler.media.video.encode import Encoder
from labeler.media.video.info import VideoInfo
from labeler.media.video.probe import probe
from labeler.watermark.motion.strength import FAST_SCALE
from labeler.watermark.video import prepare

__all__ = ["Timing", "measure", "synthetic", "table", "watermark_of"]

Mark = Callable[[Frame], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """CPU time of one variant.

    Attributes:
        variant: what ran.
        frames: of the clip.
        own: CPU seconds of this process.
        children: CPU seconds of the ffmpeg processes.
        ratio: both together over the plain transcode.
    """

    variant: str
    frames: int
    own: float
    children: float
    ratio: float


def synthetic(path: Path, *, width: int = 1920, height: int = 1080, count: int = 100) -> Path:
    """Write a clip like a handheld shot: a landscape of fractal noise that the camera drifts over, with grain."""
    import cv2

    rng = np.random.default_rng(7)
    big = np.full((height + 200, width + 400, 3), 110, np.float32)
    for octave in range(8):
        cells = (4 << octave, 3 << octave)
        noise = rng.normal(0, 40 * 0.6**octave, (cells[1], cells[0], 3)).astype(np.float32)
        grey = 0.7 * noise.mean(axis=2, keepdims=True) + 0.3 * noise
        big += cv2.resize(grey, (big.shape[1], big.shape[0]), interpolation=cv2.INTER_CUBIC)
    grain = rng.normal(0, 2.5, (height + 64, width + 64, 1)).astype(np.float32)
    info = new_video(width, height, 25)
    with Encoder(None, path, info, quality=16) as encoder:
        for index in range(count):
            x, y = round(150 + 140 * np.sin(index / 31)), round(90 + 80 * np.sin(index / 23))
            dx, dy = rng.integers(64, size=2)
            picture: NDArray[np.float32] = (
                big[y : y + height, x : x + width] + grain[dy : dy + height, dx : dx + width]
            )
            encoder.write(frame_of(np.clip(picture, 0, 255).astype(np.uint8), index, info))
        encoder.finish()
    return path


def measure(
    path: Path,
    *,
    marks: dict[str, Callable[[VideoInfo], Mark]] | None = None,
    rounds: int = 3,
    preset: str = "veryfast",
) -> list[Timing]:
    """Time a plain transcode, the pipe without a change, and the pipe with each of the marks.

    Args:
        path: an H.264 video file.
        marks: by name: called once with what the video is, gives the function that changes a frame.
        rounds: the fastest of so many counts.
        preset: of x264.
    """
    with path.open("rb") as file:
        info = probe(file, path.stat().st_size, path.name, path=path)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"out{path.suffix}"
        variants: dict[str, Callable[[], object]] = {
            "plain transcode": lambda: _plain(path, info, target, preset),
            "through the pipe": lambda: _piped(path, info, target, preset, None),
        }
        for name, prepare in (marks or {}).items():
            variants[f"with {name}"] = partial(_marked, path, info, target, preset, prepare)
        best: dict[str, tuple[float, float]] = {}
        for _ in range(rounds):
            for name, run in variants.items():
                before = _cpu()
                run()
                after = _cpu()
                spent = (after[0] - before[0], after[1] - before[1])
                best[name] = min(best.get(name, spent), spent, key=sum)
    bare = sum(best["plain transcode"])
    return [
        Timing(
            variant=name, frames=info.info.frames, own=own, children=children, ratio=(own + children) / bare
        )
        for name, (own, children) in best.items()
    ]


def _plain(path: Path, info: VideoInfo, target: Path, preset: str) -> None:
    options = {"c": "copy", "c:v": "libx264", "crf": 20, "preset": preset, "map": "0"}
    node = engine.source(path, info.demuxer).output(f"file:{target}", **options)
    engine.run(node.global_args("-y"), timeout=3600, path=path)


def _piped(path: Path, info: VideoInfo, target: Path, preset: str, mark: Mark | None) -> None:
    with frames(path, info) as opened, Encoder(path, target, info, codec="h264", preset=preset) as encoder:
        for frame in opened:
            if mark is not None:
                mark(frame)
            encoder.write(frame)
        encoder.finish()


def _marked(
    path: Path, info: VideoInfo, target: Path, preset: str, prepare: Callable[[VideoInfo], Mark]
) -> None:
    _piped(path, info, target, preset, prepare(info))


def _cpu() -> tuple[float, float]:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime, children.ru_utime + children.ru_stime


def table(timings: Iterable[Timing]) -> str:
    """The timings as a Markdown table; ms are per frame."""
    rows = ["| what | own ms | ffmpeg ms | x plain transcode |", "|---|---:|---:|---:|"]
    for t in timings:
        share = 1000 / max(1, t.frames)
        rows.append(f"| {t.variant} | {t.own * share:.2f} | {t.children * share:.2f} | {t.ratio:.3f} |")
    return "\n".join(rows)


def watermark_of(path: Path) -> Callable[[VideoInfo], Mark]:
    """The invisible mark as ``label --fast`` makes it, planning included."""

    def prepared(info: VideoInfo) -> Mark:
        with contextlib.closing(sample(path, info, 12)) as stream:
            samples = [frame.y.copy() for frame in stream]
        mark = prepare(
            info.width,
            info.height,
            bytes(range(8)),
            PUBLIC_KEY,
            sample_luma=samples,
            bit_depth=info.layout.depth,
            scale=FAST_SCALE,
        )
        return lambda frame: mark.apply(frame.y, frame.index)

    return prepared


@one_thread()
def main(arguments: list[str]) -> None:
    """Measure a file, or a synthetic 1080p clip, and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(arguments[0]) if arguments else synthetic(Path(folder) / "synthetic.mp4")
        sys.stdout.write(table(measure(path, marks={"the watermark": watermark_of(path)})) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
