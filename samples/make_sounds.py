"""Make the sample sounds: a melody of plucked strings, and a voice that speaks no language. All of it is computed.

Run ``make samples``. The waveforms are deterministic; their coding is as deterministic as ffmpeg is.
"""

from __future__ import annotations

from pathlib import Path

import ffmpeg
import numpy as np
import numpy.typing as npt

from labeler.media import ffmpeg as engine

HERE = Path(__file__).resolve().parent
F = npt.NDArray[np.float64]

CHORDS = ((45, 52, 57, 60, 64), (41, 48, 53, 57, 60), (48, 52, 55, 60, 64), (43, 50, 55, 59, 62))
"""Am, F, C, G as MIDI notes, bass first."""
VOWELS = {
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
}
"""Formants, Hz (Peterson and Barney 1952, means of adult men)."""


def pluck(note: float, seconds: float, rate: int) -> F:
    """One plucked string: harmonics that fade the faster the higher they are."""
    t = np.arange(round(seconds * rate)) / rate
    pitch = 440 * 2 ** ((note - 69) / 12)
    order = np.arange(1, min(24, int(0.45 * rate / pitch)) + 1)[:, None]
    stretched = pitch * order * np.sqrt(1 + 1e-4 * order**2)
    strength = np.sin(np.pi * order * 0.21) / order
    tone = (strength * np.exp(-t * (1.1 + 0.55 * order)) * np.sin(2 * np.pi * stretched * t)).sum(0)
    return np.asarray(tone * np.minimum(1, t * 400))


def melody(rate: int = 44_100) -> F:
    """Eight seconds of arpeggios over a slow bass, in stereo."""
    total = np.zeros((9 * rate, 2))
    rng = np.random.default_rng(7)
    for bar, chord in enumerate(CHORDS):
        notes = [(0.0, chord[0], 0.5, 2.4), *((0.25 * k, 0, 0.0, 0.0) for k in range(8))]
        for k, (at, note, gain, length) in enumerate(notes):
            if k:
                note, gain, length = chord[1 + (0, 2, 1, 3, 2, 3, 1, 2)[k - 1]] + 12, 0.32, 1.6
            start = round((2 * bar + at + rng.uniform(0, 0.012)) * rate)
            tone = gain * rng.uniform(0.8, 1.0) * pluck(note, length, rate)
            pan = 0.5 + 0.3 * np.sin(1.7 * k)
            end = min(start + len(tone), len(total))
            total[start:end] += tone[: end - start, None] * (1 - pan, pan)
    echo = round(0.19 * rate)
    total[echo:] += 0.22 * total[:-echo, ::-1]
    total = total[: 8 * rate]
    total[-rate // 2 :] *= np.linspace(1, 0, rate // 2)[:, None]
    return np.asarray(0.6 * total / np.abs(total).max())


def voice(rate: int = 16_000) -> F:
    """Six seconds of syllables with the formants, pitch and pauses of speech, and no meaning."""
    rng = np.random.default_rng(11)
    words = ("mano", "lei", "tusia", "", "rovena", "ka", "pilo", "", "soune", "maita", "lu")
    pieces: list[F] = []
    for word in words:
        if not word:
            pieces.append(np.zeros(round(0.28 * rate)))
        for letter in word:
            if letter in VOWELS:
                pieces.append(_vowel(letter, rng.uniform(0.10, 0.17), rate, rng))
            elif letter in "stkp":
                pieces.append(_hiss(0.05 if letter in "tkp" else 0.1, rate, rng))
            else:
                pieces.append(0.35 * _vowel("u", 0.06, rate, rng))
        pieces.append(np.zeros(round(0.04 * rate)))
    sound = np.concatenate(pieces)[: 6 * rate]
    sound = np.concatenate([sound, np.zeros(6 * rate - len(sound))]) + rng.normal(0, 2e-4, 6 * rate)
    return np.asarray(0.5 * sound / np.abs(sound).max())


def _vowel(letter: str, seconds: float, rate: int, rng: np.random.Generator) -> F:
    t = np.arange(round(seconds * rate)) / rate
    pitch = rng.uniform(105, 135) * (1 - 0.15 * t / seconds) * (1 + 0.01 * np.sin(2 * np.pi * 5 * t))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    order = np.arange(1, 32)[:, None]
    frequency = order * pitch
    shape = sum(
        gain / (1 + ((frequency - formant) / (40 + 0.05 * formant)) ** 2)
        for formant, gain in zip(VOWELS[letter], (1.0, 0.5, 0.25), strict=True)
    )
    return np.asarray(
        (shape / order**0.4 * np.sin(order * phase)).sum(0) * np.sin(np.pi * t / seconds) ** 0.5
    )


def _hiss(seconds: float, rate: int, rng: np.random.Generator) -> F:
    noise = np.diff(rng.normal(0, 0.35, round(seconds * rate) + 1))
    return np.asarray(noise * np.hanning(len(noise)))


def write(name: str, sound: F, rate: int, **options: object) -> None:
    """Encode a sound (n,) or (n, channels), full scale 1."""
    samples = np.round(np.clip(sound, -1, 1) * 32767).astype("<i2")
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    node = ffmpeg.input("pipe:", f="s16le", ar=rate, ac=channels)
    out = node.output(
        f"file:{HERE / name}", y=None, fflags="+bitexact", **{"flags:a": "+bitexact"}, **options
    )
    with engine.Writer(out) as writer:
        writer.write(np.ascontiguousarray(samples))
        writer.finish()


def main() -> None:
    """Write the sounds into this folder."""
    write("melody.mp3", melody(), 44_100, audio_bitrate="128k")
    write("voice.wav", voice(), 16_000)


if __name__ == "__main__":
    main()
