"""Small clips for the tests of video files, made by ffmpeg's own sources."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from labeler.media import ffmpeg as engine
from labeler.media.video.decode import frames
from labeler.media.video.encode import Encoder
from labeler.media.video.info import VideoInfo
from labeler.media.video.probe import probe

FAST: dict[str, Any] = {"preset": "ultrafast", "bf": 2, "pix_fmt": "yuv420p"}


def clip(
    path: Path,
    *,
    size: str = "96x64",
    rate: str = "25",
    count: int = 20,
    vf: str | None = None,
    sound: dict[str, Any] | None = None,
    texts: tuple[Path, ...] = (),
    tags: dict[str, str] | None = None,
    **options: Any,
) -> Path:
    """A moving test picture; ``options`` are those of the output."""
    seconds = float(count / Fraction(rate))
    picture = ffmpeg.input(f"testsrc2=s=320x240:r={rate},scale={size.replace('x', ':')},setsar=1", f="lavfi")
    out: dict[str, Any] = {
        "vcodec": "libx264",
        "frames:v": count,
        "fps_mode:v": "passthrough",
        **FAST,
        **options,
    }
    if out["vcodec"] != "libx264":
        out.pop("preset" if "preset" not in options else "", None)
        out.pop("bf" if "bf" not in options else "", None)
    if vf is not None:
        out["filter:v"] = vf
    streams = [picture["v"]]
    if sound is not None:
        tone = ffmpeg.input(f"sine=frequency=440:sample_rate=44100:duration={seconds}", f="lavfi")
        streams.append(tone["a"])
        out |= sound
    given = [
        ffmpeg.input(f"file:{text}", f="srt" if text.suffix == ".srt" else "ffmetadata") for text in texts
    ]
    for place, (node, text) in enumerate(zip(given, texts, strict=True), start=2 if sound else 1):
        if text.suffix == ".srt":
            streams.append(node["s"])
        else:
            streams.append(node["t:9?"])
            out["map_metadata"] = out["map_chapters"] = str(place)
    for place, (key, value) in enumerate((tags or {}).items()):
        out[f"metadata:g:{place}"] = f"{key}={value}"
    engine.run(ffmpeg.output(*streams, f"file:{path}", **out).global_args("-y"), path=path)
    return path


def look(path: Path) -> VideoInfo:
    """Probe a file."""
    with path.open("rb") as file:
        return probe(file, path.stat().st_size, path.name, path=path)


def again(source: Path, target: Path, **options: Any) -> tuple[VideoInfo, VideoInfo, Encoder]:
    """Encode every frame of a file again; what both are."""
    info = look(source)
    with frames(source, info) as opened, Encoder(source, target, info, **options) as encoder:
        for frame in opened:
            encoder.write(frame)
        encoder.finish()
    return info, look(target), encoder


def coded(path: Path, demuxer: str, streams: str) -> list[tuple[int, int, int, int, str]]:
    """The coded packets of some tracks: track, dts, pts, size, checksum."""
    node = engine.source(path, demuxer)[streams].output("pipe:", f="framecrc", c="copy", copyts=None)
    rows = [line.split(",") for line in engine.run(node).decode().splitlines() if line[:1].isdigit()]
    return [(int(r[0]), int(r[1]), int(r[2]), int(r[4]), r[5].strip()) for r in rows]


def times(info: VideoInfo) -> list[Fraction]:
    """Presentation times of all frames, seconds."""
    assert info.packets is not None
    return [int(ticks) * info.time_base for ticks in info.packets.pts]


def lumas(path: Path, info: VideoInfo) -> list[NDArray[Any]]:
    """The luma planes of all frames."""
    with frames(path, info, gray=True) as opened:
        return [frame.y.copy() for frame in opened]


def psnr(one: NDArray[Any], other: NDArray[Any], peak: float = 255.0) -> float:
    """Peak signal to noise ratio, dB."""
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return 99.0 if error == 0 else float(10 * np.log10(peak**2 / error))
