"""Short sounds and clips in every container, made of the samples by ffmpeg."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import ffmpeg

from labeler.media import ffmpeg as engine

ROOT = Path(__file__).resolve().parent.parent.parent

SOUNDS: dict[str, dict[str, Any]] = {
    "16.wav": {"acodec": "pcm_s16le"},
    "24.wav": {"acodec": "pcm_s24le"},
    "float.wav": {"acodec": "pcm_f32le"},
    "rf64.wav": {"acodec": "pcm_s16le", "rf64": "always"},
    "a.flac": {},
    "a.mp3": {"audio_bitrate": "128k"},
    "a.m4a": {"acodec": "aac", "audio_bitrate": "96k"},
    "vorbis.ogg": {"acodec": "libvorbis", "audio_bitrate": "96k"},
    "a.opus": {"acodec": "libopus", "audio_bitrate": "64k", "ar": 48000},
    "a.aiff": {},
}
CLIPS: dict[str, dict[str, Any]] = {
    "a.mp4": {"vcodec": "libx264", "crf": 18, "preset": "veryfast", "acodec": "aac"},
    "a.mov": {"vcodec": "libx264", "crf": 18, "preset": "veryfast", "acodec": "pcm_s16le"},
    "a.mkv": {"vcodec": "libx264", "crf": 18, "preset": "veryfast", "acodec": "flac"},
    "a.webm": {"vcodec": "libvpx-vp9", "crf": 24, "b:v": 0, "deadline": "realtime", "cpu-used": 8, "acodec": "libopus"},
    "a.avi": {"vcodec": "mpeg4", "q:v": 3, "acodec": "mp3"},
    "a.ts": {"vcodec": "libx264", "crf": 18, "preset": "veryfast", "acodec": "aac"},
    "a.flv": {"vcodec": "libx264", "crf": 18, "preset": "veryfast", "acodec": "aac"},
}  # fmt: skip


def sound(path: Path, **options: Any) -> Path:
    """The sample voice in another container."""
    node = ffmpeg.input(f"file:{ROOT / 'samples' / 'voice.wav'}")
    engine.run(node.output(f"file:{path}", **{**SOUNDS.get(path.name, {}), **options}), path=path)
    return path


def clip(path: Path, *, seconds: float = 2.0, size: str = "320x240", **options: Any) -> Path:
    """A slow flight over a fractal, with the sample voice, in any container."""
    picture = ffmpeg.input(f"mandelbrot=size={size}:rate=25:start_scale=0.4:end_pts=60", f="lavfi")
    picture = picture.filter("noise", alls=9, allf="t", all_seed=1)  # the grain of a camera
    voice = ffmpeg.input(f"file:{ROOT / 'samples' / 'voice.wav'}")
    chosen = {"t": seconds, "pix_fmt": "yuv420p", **CLIPS.get(path.name, {}), **options}
    engine.run(ffmpeg.output(picture, voice, f"file:{path}", **chosen), path=path)
    return path


def stream_digest(path: Path, selector: str) -> str:
    """A digest of the coded packets of one track, whatever stands around them."""
    node = ffmpeg.input(f"file:{path}")[selector].output("pipe:", f="data", c="copy")
    return hashlib.sha256(engine.run(node, path=path)).hexdigest()
