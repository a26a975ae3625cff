"""Makes the short clips with sound of samples/, from nothing but this code: same code, same pictures and sounds.

``python samples/make_clips.py``. The coded bytes may differ with another version of ffmpeg.
"""

from __future__ import annotations

import sys
import tempfile
import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labeler.media import ffmpeg as engine
from labeler.media.video.arrays import frame_of, new_video
from labeler.media.video.encode import Encoder

HERE = Path(__file__).parent
RATE = 48_000
"""Samples a second of the sound."""

F = NDArray[np.float64]


def noise(height: int, width: int, cell: float, rng: np.random.Generator) -> F:
    """Smooth value noise, 0..1, with features of about ``cell`` px."""
    import cv2

    grid = rng.random((int(height / cell) + 3, int(width / cell) + 3)).astype(np.float32)
    size = (round(grid.shape[1] * cell), round(grid.shape[0] * cell))
    return cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)[:height, :width].astype(np.float64)


def fractal(height: int, width: int, cell: float, octaves: int, rng: np.random.Generator) -> F:
    """Sum of noises of halving cell and weight, about 0..1."""
    layers = [0.5**n * noise(height, width, max(1.0, cell / 2**n), rng) for n in range(octaves)]
    return np.sum(layers, axis=0) / (2 - 0.5 ** (octaves - 1))


def mix(a: F, b: F | tuple[float, float, float], t: F) -> F:
    """Colours between a and b; t is H x W."""
    return a * (1 - t[..., None]) + np.asarray(b) * t[..., None]


def sailing(width: int = 640, height: int = 360, count: int = 75) -> list[NDArray[np.uint8]]:
    """A sailing boat passes hills at dusk; the sea moves, the camera follows a little."""
    rng = np.random.default_rng(11)
    unit = height / 270
    wide = width + round(90 * unit)
    y, x = np.mgrid[0:height, 0:wide].astype(np.float64)
    horizon = int(height * 0.56)
    sky = mix(
        np.full((height, wide, 3), (0.16, 0.26, 0.46)), (0.96, 0.66, 0.44), np.clip(y / horizon, 0, 1) ** 1.5
    )
    bands = np.repeat(fractal(height, wide // 4 + 1, 34 * unit, 5, rng), 4, axis=1)[:, :wide]
    bands = (bands + np.roll(bands, 1, 1) + np.roll(bands, 2, 1) + np.roll(bands, 3, 1)) / 4
    clouds = np.clip(bands * 3.2 - 1.5, 0, 1) * np.clip(1.1 - y / horizon, 0, 1)
    sky = mix(sky, (1.0, 0.84, 0.72), 0.7 * clouds)
    sun_x, sun_y = wide * 0.66, horizon * 0.80
    sky += np.exp(-np.hypot(x - sun_x, y - sun_y) / (34 * unit))[..., None] * np.array([0.75, 0.5, 0.22])
    hills = []
    for far in range(3):
        line = (
            horizon - unit * (26 - 7 * far) * (fractal(1, wide, 130 * unit / (1 + far), 6, rng)[0] + 0.25) - 4
        )
        hills.append(
            (line, np.array([0.42, 0.38, 0.46]) * (1 - far / 3) + np.array([0.10, 0.15, 0.17]) * (far / 3))
        )
    swell = fractal(height, wide + round(240 * unit), 34 * unit, 6, rng)
    frames = []
    for n in range(count):
        t = n / 25
        pan = round(unit * (45 + 40 * np.sin(0.55 * t - 0.8)))
        image = sky.copy()
        for line, colour in hills:
            image = mix(image, tuple(colour), np.clip(y - line[None, :], 0, 1))
        depth = np.clip((y - horizon) / (height - horizon), 0, 1)
        shift, far_end = round(30 * unit * t), round(200 * unit)
        waves = (
            0.6 * swell[:, shift : shift + wide] + 0.4 * swell[::-1, far_end - shift : far_end - shift + wide]
        )
        ripple = np.sin(np.maximum((y - horizon) / unit, 0) ** 0.72 * 2.4 + 9 * waves + 2.2 * t) * (
            0.25 + 0.75 * depth
        )
        sea = mix(np.full((height, wide, 3), (0.66, 0.50, 0.46)), (0.05, 0.13, 0.22), depth**0.55)
        sea *= (1 + 0.16 * ripple)[..., None]
        path = np.exp(-(((x - sun_x) / (unit * (14 + 60 * depth))) ** 2)) * np.clip(ripple, 0, 1)
        sea += path[..., None] * np.array([0.75, 0.46, 0.22])
        image = np.where((y >= horizon)[..., None], sea, image)
        at, sea_line = wide * 0.16 + 62 * unit * t, horizon + unit * (26 + 1.6 * np.sin(2.1 * t))
        image = boat(image, (x - at) / unit, (y - sea_line) / unit, 0.05 * np.sin(1.7 * t), unit)
        image = image[:, pan : pan + width] * 255
        frames.append(np.clip(image + rng.normal(0, 0.8, (height, width, 1)), 0, 255).astype(np.uint8))
    return frames


def boat(image: F, x: F, y: F, lean: float, unit: float) -> F:
    """Draw hull, mast and two sails; x and y in units from the middle of the water line, ``unit`` px."""
    u, v = x * np.cos(lean) + y * np.sin(lean), y * np.cos(lean) - x * np.sin(lean)

    def inside(*edges: F) -> F:
        return np.clip(unit * np.min(edges, axis=0) + 0.5, 0, 1)

    hull = inside(v + 9, 1.5 - v, (u + 30 - 0.9 * v) * 0.7, (34 - u - 1.6 * v) * 0.6)
    mast = inside(1.1 - np.abs(u), v + 84, -7 - v)
    main = inside(-2.5 - u, (u * 76 / 30 + v + 86) * 0.36, -13 - v + 0.002 * u * u)
    fore = inside(u - 2.5, (-u * 70 / 27 + v + 80) * 0.34, -12 - v)
    image = mix(image, (0.30, 0.12, 0.10), hull)
    image = mix(image, (0.78, 0.70, 0.60), hull * np.clip(-5.5 - v, 0, 1))
    image = mix(image, (0.20, 0.16, 0.14), mast)
    shade = np.clip(0.80 + 0.012 * u[..., None] + 0.0016 * v[..., None], 0, 1.0)
    image = image * (1 - main[..., None]) + main[..., None] * shade * np.array([1.0, 0.93, 0.82])
    return image * (1 - fore[..., None]) + fore[..., None] * (shade - 0.12) * np.array([1.0, 0.88, 0.76])


def lanterns(width: int = 270, height: int = 480, count: int = 75) -> list[NDArray[np.uint8]]:
    """Paper lanterns rise over a town at night; portrait format, as a telephone films."""
    rng = np.random.default_rng(12)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    night = mix(np.full((height, width, 3), (0.02, 0.03, 0.09)), (0.17, 0.10, 0.20), (y / height) ** 1.6)
    stars = (rng.random((height, width)) > 0.9985) * rng.uniform(0.2, 0.9, (height, width)) * (1 - y / height)
    night += stars[..., None]
    roofs = np.repeat(rng.uniform(0.80, 0.93, 9), width // 9 + 1)[:width] * height
    slope = np.abs((np.arange(width) % (width // 9 + 1)) - width / 18) * 0.8
    town = np.clip(y - (roofs + slope)[None, :], 0, 1)
    windows = ((x % 10 > 3) & (x % 10 < 7) & (y % 14 > 5) & (y % 14 < 10)) * (
        noise(height, width, 10, rng) > 0.62
    )
    street = mix(np.full((height, width, 3), (0.05, 0.04, 0.07)), (0.95, 0.70, 0.34), windows * 0.9)
    flights = [
        (rng.uniform(0.1, 0.9) * width, rng.uniform(0.15, 1.25) * height, size, rng.uniform(0, 6.3))
        for size in np.sort(rng.uniform(7, 25, 13))
    ]
    frames = []
    for n in range(count):
        t = n / 25
        image = night.copy()
        for left, low, size, phase in flights:
            cx = left + 7 * np.sin(0.9 * t + phase) * size / 15
            cy = low - (13 + 1.5 * size) * t
            glow = np.exp(-np.hypot(x - cx, (y - cy) * 0.9) / (1.7 * size))
            image += glow[..., None] * np.array([0.42, 0.20, 0.06])
            u, v = (x - cx) / size, (y - cy) / (1.25 * size)
            body = np.clip((0.62 + 0.20 * (1 - v) / 2 - np.abs(u)) * size * 0.9 + 0.5, 0, 1)
            body *= np.clip((1 - np.abs(v)) * size + 0.5, 0, 1)
            flicker = 1 + 0.06 * np.sin(11 * t + 5 * phase)
            light = np.clip(0.55 + 0.5 * v - 0.25 * u * u, 0.15, 1.1) * flicker
            paper = light[..., None] * np.array([1.15, 0.62, 0.24]) + np.array([0.04, 0.0, 0.02])
            image = image * (1 - body[..., None]) + body[..., None] * paper
        image = image * (1 - town[..., None]) + town[..., None] * street
        frames.append(np.clip(image * 255 + rng.normal(0, 0.7, (height, width, 1)), 0, 255).astype(np.uint8))
    return frames


def plucked(pitch: float, seconds: float, bright: float = 1.0) -> F:
    """A plucked string: falling harmonics that die away, the higher ones sooner."""
    t = np.arange(round(seconds * RATE)) / RATE
    partials = [
        np.sin(2 * np.pi * pitch * k * t) * np.exp(-t * (1.6 + 1.1 * k)) * bright**k / k for k in range(1, 8)
    ]
    return np.sum(partials, axis=0) * np.minimum(1, t * 300)


def tune(notes: list[tuple[float, float, float]], seconds: float, *, sea: float = 0.0, seed: int = 1) -> F:
    """Stereo sound, (samples, 2): notes (time, pitch in semitones over A3, weight) and the sound of the sea."""
    rng = np.random.default_rng(seed)
    total = np.zeros((round(seconds * RATE), 2))
    for when, step, weight in notes:
        note = weight * plucked(220 * 2 ** (step / 12), min(2.2, seconds - when), 0.8)
        start, place = round(when * RATE), 0.5 + 0.3 * np.sin(step)
        total[start : start + len(note)] += note[:, None] * np.array([1 - place, place])
    if sea:
        white = np.fft.rfft(rng.normal(0, 1, (len(total), 2)), axis=0)
        hertz = np.fft.rfftfreq(len(total), 1 / RATE)[:, None]
        surf = np.fft.irfft(white / np.maximum(hertz, 120) ** 0.9, n=len(total), axis=0)
        t = np.arange(len(total))[:, None] / RATE
        total += sea * surf / np.abs(surf).max() * (0.6 + 0.4 * np.sin(2 * np.pi * t / 2.4 - 1))
    fade = np.minimum(1, np.arange(len(total))[::-1] / (0.25 * RATE))[:, None]
    return 0.55 * fade * total / np.abs(total).max()


def write(target: Path, pictures: list[NDArray[np.uint8]], sound: F, media_type: str, quality: float) -> Path:
    """Encode pictures at 25 a second and their sound."""
    height, width, _ = pictures[0].shape
    info = new_video(width, height, Fraction(25), media_type=media_type)
    preset = "slow" if info.codec == "h264" else "2"
    with tempfile.TemporaryDirectory() as folder:
        wav, silent = Path(folder) / "sound.wav", Path(folder) / f"silent{target.suffix}"
        with wave.open(str(wav), "wb") as file:
            file.setparams((2, 2, RATE, 0, "NONE", ""))
            file.writeframes((sound * 32767).astype("<i2").tobytes())
        with Encoder(None, silent, info, quality=quality, preset=preset) as encoder:
            for index, picture in enumerate(pictures):
                encoder.write(frame_of(picture, index, info))
            encoder.finish()
        _join(silent, wav, target, info.demuxer, "libopus" if media_type == "video/webm" else "aac")
    return target


def _join(pictures: Path, sound: Path, target: Path, demuxer: str, codec: str) -> None:
    import ffmpeg

    options = {"c:v": "copy", "c:a": codec, "b:a": "64k", "fflags": "+bitexact", "flags:a": "+bitexact"}
    if demuxer == "mov":
        options["movflags"] = "+faststart"
    streams = (engine.source(pictures, demuxer)["v"], engine.source(sound, "wav")["a"])
    engine.run(ffmpeg.output(*streams, f"file:{target}", **options).global_args("-y"), path=target)


def make_all(folder: Path = HERE) -> list[Path]:
    """Write all clips into a folder; returns their paths."""
    sail, night = sailing(), lanterns()
    waltz = tune([(0.0, -12, 1.0), (0.4, 0, 0.7), (0.8, 4, 0.7), (1.2, 7, 0.9), (1.8, 12, 0.8)], 3.0, sea=0.5)
    bells = tune([(0.0, 3, 0.9), (0.5, 10, 0.7), (1.0, 15, 0.7), (1.6, 19, 0.6), (2.1, 12, 0.6)], 3.0, seed=2)
    return [
        write(folder / "sailing.mp4", sail, waltz, "video/mp4", 23),
        write(folder / "lanterns.webm", night, bells, "video/webm", 32),
        write(folder / "lanterns.mov", night[:50], bells[: 2 * RATE], "video/quicktime", 25),
    ]


if __name__ == "__main__":
    for made in make_all():
        sys.stdout.write(f"{made.name}: {made.stat().st_size} bytes\n")
