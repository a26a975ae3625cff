"""The spoken prompts: rendered once by ``scripts/make_prompts.py``, shipped as WAV, brought to any rate."""

from __future__ import annotations

import functools
import io
import math
import wave
from collections.abc import Mapping
from importlib import resources

import numpy as np

from labeler.errors import UsageError
from labeler.visible.sound.loudness import Floats

__all__ = ["PAUSE", "PROMPTS", "names", "prompt", "resampled"]

PROMPTS: Mapping[str, str] = {
    "zh": "本音频由人工智能生成",
    "zh-short": "AI生成",
    "en": "This audio is AI-generated",
}
"""What each prompt says. Mandarin at 148 and 136 characters a minute (GB 45438-2025 5.3 note 4: 120 to 160)."""
PAUSE = 0.35
"""Seconds between two prompts."""


def names(lang: str, *, short: bool = False) -> tuple[str, ...]:
    """The prompts that are spoken for a language, in order.

    Raises:
        UsageError: unknown language.
    """
    mandarin = "zh-short" if short else "zh"
    known = {"zh": (mandarin,), "en": ("en",), "both": (mandarin, "en")}
    try:
        return known[lang]
    except KeyError:
        raise UsageError(
            f"unknown language {lang!r} for the audible mark.", remedy="Use zh, en or both."
        ) from None


@functools.cache
def _stored(name: str) -> tuple[Floats, int]:
    data = resources.files("labeler.visible").joinpath("prompts", f"{name}.wav").read_bytes()
    with wave.open(io.BytesIO(data)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") * np.float32(1 / 32768)
        return samples.astype(np.float32), file.getframerate()


@functools.lru_cache(maxsize=16)
def prompt(name: str, rate: int) -> Floats:
    """One prompt, float32 (n,), at any rate; not to be written to."""
    samples, own = _stored(name)
    out = resampled(samples, own, rate)
    out.flags.writeable = False
    return out


def resampled(samples: Floats, rate: int, to: int) -> Floats:
    """A short sound (n,) at another rate, in the frequency domain."""
    if rate == to:
        return samples.copy()
    common = math.gcd(rate, to)
    periods = -(-(len(samples) + rate // 20) // (rate // common))
    n, m = periods * (rate // common), periods * (to // common)
    spectrum = np.zeros(m // 2 + 1, np.complex128)
    whole = np.fft.rfft(samples, n)[: m // 2 + 1]
    spectrum[: len(whole)] = whole
    out = np.fft.irfft(spectrum, m) * (m / n)
    return out[: round(len(samples) * to / rate)].astype(np.float32)
