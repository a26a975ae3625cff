"""Render the spoken prompts that labeler ships, with Debian's espeak-ng (1.51) and some numpy.

    apt-get install espeak-ng
    .venv/bin/python scripts/make_prompts.py [FOLDER]

Mandarin is given to espeak-ng as pinyin with tones: from characters, its voice ``cmn`` 1.51 reads many syllables
as an English word and a number ("ben three" for 本). The raw voice is buzzy, harsh and flat; what is done about it:

1. breath: the smooth pitch gets a slow random wobble of 0.7 %, by resampling along a bent time axis;
2. tone: the long-term spectrum is pulled two thirds of the way towards that of speech (Byrne et al., JASA 96, 1994,
   rounded), third-octave smoothed; sibilants above 4.5 kHz are held 12 dB below the voice, 70 Hz high-pass;
3. room: three early reflections, 20 dB down, so that it does not stand in a vacuum;
4. pulse: an all-pass with a group delay that falls from 6 to 0 ms smears the glottal pulses, which takes away buzz
   and 2 dB of peak;
5. level: a compressor evens out the syllables, a limiter of 4 ms look-ahead brings peaks to 8 dB over the mean power
   while it speaks; fades of 12 ms.

The result is the same bytes on every run with the same espeak-ng.
"""

from __future__ import annotations

import io
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np

RATE = 16000
FOLDER = Path(__file__).resolve().parent.parent / "labeler" / "visible" / "prompts"
PROMPTS = {
    "zh": ("cmn-latn-pinyin+f2", 120, 46, "ben3yin1pin2 you2 ren2gong1zhi4neng2 sheng1cheng2"),
    "zh-short": ("cmn-latn-pinyin+f2", 112, 46, "ei1 ai1 sheng1cheng2"),
    "en": ("en-us+f2", 145, 42, "This audio is AI-generated."),
}
"""Name: voice, words a minute, pitch (0 to 99), what espeak-ng is given."""

_THIRDS = np.array([100, 125, 160, 200, 250, 315, 400, 500, 630, 800, 1000, 1250, 1600, 2000, 2500, 3150, 4000,
                    5000, 6300, 8000])  # fmt: skip
_SPEECH_DB = np.array([54, 58, 57, 60, 60, 59, 62, 62, 60, 57, 54, 53, 52, 49, 48, 47, 46, 44, 44, 43])


def spoken(voice: str, speed: int, pitch: int, text: str) -> tuple[np.ndarray, int]:
    """What espeak-ng says, float64 -1..1, and its rate in Hz."""
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "-z", "--stdout", text]
    data = bytearray(subprocess.run(command, check=True, capture_output=True).stdout)
    start = data.index(b"data") + 8  # a pipe's header gives no true length
    with wave.open(io.BytesIO(data[:44])) as head:
        rate = head.getframerate()
    return np.frombuffer(bytes(data[start:]), "<i2") / 32768, rate


def at_rate(x: np.ndarray, rate: int, to: int) -> np.ndarray:
    """Resampled in the frequency domain."""
    step = rate // np.gcd(rate, to)
    n = -(-(len(x) + rate // 10) // step) * step
    m = n // step * (to // np.gcd(rate, to))
    spectrum = np.fft.rfft(x, n)[: m // 2 + 1]
    return np.fft.irfft(spectrum, m) * (m / n)


def smooth(x: np.ndarray, seconds: float, rate: int) -> np.ndarray:
    """Convolved with a Hann window of that length."""
    window = np.hanning(max(3, round(seconds * rate)))
    return np.convolve(x, window / window.sum(), "same")


def breathing(x: np.ndarray, rate: int, seed: int) -> np.ndarray:
    """A slow wobble of pitch, 0.7 % rms, 5 Hz wide."""
    wobble = smooth(np.random.default_rng(seed).normal(size=len(x)), 0.2, rate)
    bent = np.arange(len(x)) + np.cumsum(0.007 * wobble / wobble.std())
    return np.interp(bent, np.arange(len(x)), x)


def toned(x: np.ndarray, rate: int) -> np.ndarray:
    """Pulled towards the spectrum of speech."""
    spectrum = np.fft.rfft(x)
    f = np.fft.rfftfreq(len(x), 1 / rate)
    power = np.abs(spectrum) ** 2
    edges = 2 ** (1 / 6)
    is_db = np.array([10 * np.log10(power[(f > c / edges) & (f <= c * edges)].sum() + 1e-9) for c in _THIRDS])
    change = _SPEECH_DB - is_db
    change = np.clip(2 / 3 * (change - np.median(change[3:17])), -9, 6)
    change = np.convolve(np.pad(change, 1, "edge"), [0.25, 0.5, 0.25], "valid")
    gain = np.interp(np.log(np.maximum(f, 20)), np.log(_THIRDS), change)
    gain -= 10 * np.log10(1 + (70 / np.maximum(f, 1)) ** 6) + 10 * np.log10(1 + (f / 5800) ** 12)
    return np.fft.irfft(spectrum * 10 ** (gain / 20), len(x))


def softened(x: np.ndarray, rate: int) -> np.ndarray:
    """Sibilants held 12 dB below the loudest voice."""
    spectrum = np.fft.rfft(x)
    f = np.fft.rfftfreq(len(x), 1 / rate)
    sharp = np.fft.irfft(spectrum / (1 + (4500 / np.maximum(f, 1)) ** 8), len(x))
    voice = x - sharp
    level = np.sqrt(smooth(sharp**2, 0.012, rate) + 1e-12)
    most = np.percentile(np.sqrt(smooth(voice**2, 0.05, rate)), 90) * 10 ** (-12 / 20)
    return voice + sharp * smooth(np.minimum(1, most / level), 0.008, rate)


def in_room(x: np.ndarray, rate: int) -> np.ndarray:
    """Three early reflections."""
    out = x.copy()
    for delay, gain in ((0.0113, 0.12), (0.0177, -0.09), (0.0271, 0.07)):
        shift = round(delay * rate)
        out[shift:] += gain * x[:-shift]
    return out


def smeared(x: np.ndarray, rate: int) -> np.ndarray:
    """An all-pass whose group delay falls from 6 ms at 0 Hz to none at 3 kHz, along a line."""
    n = len(x) + rate // 10
    f = np.fft.rfftfreq(n, 1 / rate)
    delay = 0.006 * np.clip(1 - f / 3000, 0, 1)
    phase = -2 * np.pi * np.cumsum(delay) * (f[1] - f[0])
    return np.fft.irfft(np.fft.rfft(x, n) * np.exp(1j * phase), n)


def levelled(x: np.ndarray, rate: int) -> np.ndarray:
    """Compressed 2 to 1, limited, peak 0.9."""
    power = np.sqrt(smooth(x**2, 0.06, rate))
    middle = np.percentile(power[power > 0.05 * power.max()], 50)
    x = x * smooth((np.maximum(power, 0.3 * middle) / middle) ** -0.5, 0.03, rate)
    level = np.sqrt(np.mean(x[power > 0.3 * middle] ** 2))
    limit = level * 10 ** (8 / 20)
    need = np.minimum(1, limit / np.maximum(np.abs(x), 1e-9))
    reach = round(0.004 * rate)
    least = np.min(
        np.lib.stride_tricks.sliding_window_view(np.pad(need, reach, constant_values=1), 2 * reach + 1),
        axis=1,
    )
    out = x * smooth(least, 0.004, rate)
    return out * 0.9 / np.abs(out).max()


def trimmed(x: np.ndarray, rate: int) -> np.ndarray:
    """Without silence at both ends, with fades of 12 ms."""
    loud = np.flatnonzero(np.sqrt(smooth(x**2, 0.01, rate)) > 0.006)
    margin, fade = round(0.03 * rate), round(0.012 * rate)
    x = x[max(0, loud[0] - margin) : loud[-1] + 2 * margin].copy()
    ramp = np.sin(np.linspace(0, np.pi / 2, fade)) ** 2
    x[:fade] *= ramp
    x[-fade:] *= ramp[::-1]
    return x


def main() -> None:
    """Write the prompts as mono 16-bit WAV files at 16 kHz."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, (voice, speed, pitch, text)) in enumerate(PROMPTS.items()):
        x, rate = spoken(voice, speed, pitch, text)
        x = at_rate(breathing(x, rate, seed), rate, RATE)
        x = trimmed(levelled(smeared(in_room(softened(toned(x, RATE), RATE), RATE), RATE), RATE), RATE)
        with wave.open(str(folder / f"{name}.wav"), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE)
            out.writeframes(np.round(x * 32767).astype("<i2").tobytes())
        crest = 20 * np.log10(0.9 / np.sqrt(np.mean(x[np.abs(x) > 0.02] ** 2)))
        print(f"{name:10s} {len(x) / RATE:.2f} s  {2 * len(x) / 1000:.0f} kB  crest {crest:.1f} dB")


if __name__ == "__main__":
    main()
