"""Small sound files in every format, made here, for the tests of audio."""

from __future__ import annotations

import functools
import io
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from labeler.media import ffmpeg
from labeler.types import Label, MediaInfo, Modality

LABEL = Label(
    producer="001191110102MAD55U9H0F10002",
    produce_id="98ae6b12-23e2-49af-b98a-780706f8e584",
    generator="musicgen/1.3",
    created="2026-08-02T09:30:00+08:00",
    author="Ann Example; 李雷",
    rights="© 2026 Ann & Co",
)
TYPES = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
    "aiff": "audio/aiff",
}


def info(media_type: str) -> MediaInfo:
    return MediaInfo(media_type=media_type, modality=Modality.AUDIO)


def tone(seconds: float = 1.0, rate: int = 44100, channels: int = 2, seed: int = 7) -> np.ndarray:
    """A chord with noise, float32 (frames, channels), the same every time."""
    frames = round(seconds * rate)
    time = np.arange(frames) / rate
    noise = np.random.default_rng(seed).normal(0, 0.02, (frames, channels))
    chord = sum(np.sin(2 * np.pi * pitch * time) for pitch in (220, 277.2, 329.6)) / 8
    return (chord[:, None] * np.linspace(1, 0.5, channels) + noise).astype(np.float32)


def wav(samples: np.ndarray, rate: int = 44100, *, bits: int = 16, extra: bytes = b"") -> bytes:
    """A plain PCM WAVE file; ``extra`` stands before the data chunk."""
    channels = samples.shape[1]
    if bits == 16:
        data = np.rint(samples * 32767).astype("<i2").tobytes()
    elif bits == 24:
        wide = np.rint(samples.astype(np.float64) * 8388607).astype("<i4")
        data = np.ascontiguousarray(wide.view(np.uint8).reshape(*wide.shape, 4)[..., :3]).tobytes()
    elif bits == 32:
        data = np.rint(samples.astype(np.float64) * 2147483647).astype("<i4").tobytes()
    else:
        data = np.rint(samples * 127 + 128).astype(np.uint8).tobytes()
    width = bits // 8 * channels
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * width, width, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + extra
    body += b"data" + struct.pack("<I", len(data)) + data + b"\0" * (len(data) & 1)
    return b"RIFF" + struct.pack("<I", len(body)) + body


@functools.cache
def encoded(name: str, *options: str, seconds: float = 1.0, rate: int = 44100, channels: int = 2) -> bytes:
    """The tone in a format, by ffmpeg, with ordinary tags.

    Args:
        name: file ending.
        *options: output options of ffmpeg.
        seconds: duration.
        rate: Hz.
        channels: of the sound.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.wav"), Path(folder, f"out.{name}")
        source.write_bytes(wav(tone(seconds, rate, channels), rate))
        tags = ["-metadata", "title=A Tëst", "-metadata", "artist=Somebody", "-metadata", "track=3"]
        command = [str(ffmpeg.executable()), "-v", "error", "-i", str(source), *tags, *options, str(target)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        return target.read_bytes()


def decoded(data: bytes, name: str, *, codec: str = "pcm_f32le") -> bytes:
    """Samples of a file as ffmpeg decodes them; with ``codec="copy"`` the coded packets, hashed."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, f"in.{name}")
        source.write_bytes(data)
        form = ["-f", "streamhash"] if codec == "copy" else ["-f", codec.removeprefix("pcm_")]
        command = [
            str(ffmpeg.executable()),
            "-v",
            "error",
            "-i",
            str(source),
            "-map",
            "0:a",
            "-c:a",
            codec,
            *form,
            "-",
        ]
        done = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        return done.stdout


def labelled(data: bytes, media_type: str, label: Label = LABEL) -> bytes:
    from labeler.metadata import audio

    target = io.BytesIO()
    audio.write(io.BytesIO(data), target, info(media_type), label)
    return target.getvalue()
