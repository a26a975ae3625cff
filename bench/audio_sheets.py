"""Spectrograms for the eye: original, marked and difference of a sound, one below the other.

python bench/audio_sheets.py docs/images CLIP.flac [CLIP.flac ...]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from labeler.bench.audio import load_sound
from labeler.core.keys import PUBLIC_KEY
from labeler.watermark.audio import embed

WIDTH, HEIGHT = 600, 100
TOP_HZ = 8000
RANGE = 90  # dB shown


def spectrogram(samples: np.ndarray, rate: int) -> np.ndarray:
    """Level in dB, (HEIGHT, WIDTH), up to 8 kHz, low frequencies at the bottom."""
    size = 1 << round(np.log2(rate * 0.032))
    hop = size // 4
    window = np.hanning(size).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop] * window
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2 / (window.sum() ** 2)
    power = power[:, : int(TOP_HZ / rate * size)]
    image = cv2.resize(power.T.astype(np.float32)[::-1], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return 10 * np.log10(np.maximum(image, 1e-14))


def sheet(path: Path) -> np.ndarray:
    """The sheet of the first 10 s (BGR)."""
    samples, rate = load_sound(path)
    samples = samples[: 10 * rate]
    marked = embed(samples, rate, bytes.fromhex("140123456789abcd"), PUBLIC_KEY)
    rows = (
        ("original", samples),
        (f"marked, SNR {marked.snr:.1f} dB", marked.samples),
        ("difference, same scale", marked.samples - samples),
    )
    top = float(spectrogram(samples[:, 0], rate).max())
    parts = []
    for title, row in rows:
        level = np.clip((spectrogram(row[:, 0], rate) - top) / RANGE + 1, 0, 1)
        image = cv2.applyColorMap((level * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
        cv2.putText(image, title, (6, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
        parts += [image, np.full((3, WIDTH, 3), 255, np.uint8)]
    return np.vstack(parts[:-1])


def main() -> int:
    """Write sound-NAME.png for every clip."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    options = parser.parse_args()
    for path in options.clips:
        image = Image.fromarray(sheet(path)[..., ::-1]).quantize(48)
        image.save(options.out / f"sound-{path.stem.removeprefix('m_')}.png", optimize=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
