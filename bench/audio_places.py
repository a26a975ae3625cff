"""Where the audio watermark finds marks: half-marked sounds, two marks, inserts and drift in 10 minutes.

python bench/audio_places.py FOLDER --json OUT.json [--names A,B]
"""

from __future__ import annotations

import argparse
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from labeler.bench.audio import TUNING, sounds
from labeler.bench.audio_attacks import OPERATIONS, Scene, convert, convert_rate
from labeler.core.keys import PUBLIC_KEY
from labeler.core.threads import one_thread
from labeler.types import WatermarkReport
from labeler.watermark.audio import detect, embed
from labeler.watermark.sound.resample import Resampler

RATE = 44_100
ONE, TWO = bytes.fromhex("140123456789abcd"), bytes.fromhex("14fedcba98765432")


def coded(samples: np.ndarray, codec: str) -> np.ndarray:
    """Samples after MP3 or Opus, as long as before."""
    if not codec:
        return samples
    name, kbps = codec.split()
    scene = Scene(samples=samples, rate=RATE, original=samples, speech=samples[:, 0], music=samples[:, 0])
    out = OPERATIONS["codec"](scene, np.random.default_rng(0), name=name, kbps=int(kbps)).samples
    lag = delay(samples[:, 0], out[:, 0])
    return np.roll(out, -lag, axis=0)[: len(samples)]


def delay(one: np.ndarray, two: np.ndarray) -> int:
    """Samples by which the second comes later."""
    size = 1 << 18
    a, b = (np.fft.rfft(x[: size // 2], size) for x in (one, two))
    lag = int(np.fft.irfft(np.conj(a) * b).argmax())
    return lag if lag < size // 2 else lag - size


def seconds_of(report: WatermarkReport, payload: bytes, count: int) -> np.ndarray:
    """Share of every second that is said to carry the payload."""
    grid = np.zeros(count * 100)
    for part in report.segments:
        if part.payload == payload.hex():
            grid[round(part.start * 100) : round(part.end * 100)] = 1
    return grid.reshape(count, 100).mean(axis=1)


def halves(library: dict[str, np.ndarray], codec: str) -> dict[str, Any]:
    """Half-marked sounds: decoded, seconds right and wrong, error of the boundary."""
    read = total = 0
    hit: list[float] = []
    false: list[float] = []
    errors: list[float] = []
    cut = 5.3
    for samples in library.values():
        marked = embed(samples, RATE, ONE, PUBLIC_KEY).samples
        for first in (True, False):
            at = int(cut * RATE)
            pair = (marked, samples) if first else (samples, marked)
            sound = coded(np.concatenate([pair[0][:at], pair[1][at:]]), codec)
            report = detect(sound, RATE, [PUBLIC_KEY])
            total += 1
            if report.payload != ONE.hex():
                continue
            read += 1
            count = len(sound) // RATE
            share = seconds_of(report, ONE, count)
            for second in range(count):
                if second != int(cut):
                    (hit if (second < cut) == first else false).append(share[second])
            edges = [part.end if first else part.start for part in report.segments]
            errors.append(min(abs(edge - cut) for edge in edges))
    return {
        "codec": codec or "none",
        "decoded": f"{read}/{total}",
        "seconds marked, called so": round(float(np.mean(np.array(hit) >= 0.5)), 4),
        "seconds unmarked, called marked": round(float(np.mean(np.array(false) >= 0.5)), 4),
        "boundary error median": round(float(np.median(errors)), 3),
        "boundary error p90": round(float(np.percentile(errors, 90)), 3),
    }


def pairs(library: dict[str, np.ndarray], codec: str) -> dict[str, Any]:
    """Two different marks, one after the other: both read, error of the boundary."""
    both = one = total = wrong = 0
    errors = []
    for samples in library.values():
        at = int(5.3 * RATE)
        marked = [embed(samples, RATE, payload, PUBLIC_KEY).samples for payload in (ONE, TWO)]
        report = detect(coded(np.concatenate([marked[0][:at], marked[1][at:]]), codec), RATE, [PUBLIC_KEY])
        seen = {part.payload for part in report.segments}
        total += 1
        both += seen >= {ONE.hex(), TWO.hex()}
        one += bool(seen & {ONE.hex(), TWO.hex()})
        wrong += bool(seen - {ONE.hex(), TWO.hex()})
        errors += [abs(part.end - 5.3) for part in report.segments if part.payload == ONE.hex()]
    return {
        "codec": codec or "none",
        "both": f"{both}/{total}",
        "one at least": f"{one}/{total}",
        "wrong": wrong,
        "boundary error median": round(float(np.median(errors)), 3) if errors else None,
    }


def programme(library: dict[str, np.ndarray], seconds: int) -> np.ndarray:
    """All sounds in turn, again and again, each time at another level."""
    rng = np.random.default_rng(7)
    parts: list[np.ndarray] = []
    have = 0
    while have < seconds * RATE:
        for samples in library.values():
            parts.append(samples * np.float32(rng.uniform(0.3, 1)))
            have += len(samples)
    return np.concatenate(parts)[: seconds * RATE]


def inserts(library: dict[str, np.ndarray], codec: str) -> dict[str, Any]:
    """8 s of marked sound in 10 minutes of other sound."""
    host = programme(library, 600)
    errors: list[float] = []
    read = extra = 0
    for number, samples in enumerate(library.values()):
        piece = embed(np.resize(samples, (8 * RATE, 1)), RATE, ONE, PUBLIC_KEY).samples
        start = (40 + 75 * number) * RATE + 12345 * number
        sound = host.copy()
        sound[start : start + len(piece)] = piece
        report = detect(coded(sound, codec), RATE, [PUBLIC_KEY], quick=True)
        if report.payload != ONE.hex():
            continue
        read += 1
        best = max(report.segments, key=lambda part: part.end - part.start)
        errors += [abs(best.start - start / RATE), abs(best.end - start / RATE - 8)]
        extra += len(report.segments) - 1
    return {
        "codec": codec or "none",
        "found": f"{read}/{len(library)}",
        "boundary error median": round(float(np.median(errors)), 3) if errors else None,
        "boundary error largest": round(max(errors), 3) if errors else None,
        "further stretches": extra,
    }


def drift(library: dict[str, np.ndarray], ppm: int) -> dict[str, Any]:
    """A clock that runs off, over 10 minutes, then MP3 48k."""
    marked = embed(programme(library, 600), RATE, ONE, PUBLIC_KEY).samples
    filters = [("asetrate", (round(48000 * (1 + ppm * 1e-6)),), {}), ("aresample", (48000,), {})]
    wide = convert_rate(marked, RATE, 48000)
    sound = convert(wide, 48000, filters=filters)
    sound = convert(sound, 48000, suffix="mp3", options={"acodec": "libmp3lame", "audio_bitrate": "48k"})
    report = detect(sound, 48000, [PUBLIC_KEY], quick=True)
    found = (float(report.geometry.get("tempo", 1)) - 1) * 1e6
    return {
        "ppm": ppm,
        "read": report.payload == ONE.hex(),
        "found ppm": round(found),
        "z": report.geometry.get("z"),
    }


@one_thread()
def main() -> int:
    """Measure and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--names", default="")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    names = options.names.split(",") if options.names else []
    library = {}
    for name, samples, rate in sounds(options.folder, names=names):
        if names or name not in TUNING:
            mono = samples.mean(axis=1, keepdims=True)[: 10 * rate]
            if rate != RATE:
                up = Resampler(Fraction(RATE, rate), 1)
                mono = np.concatenate([up.push(mono.T.copy()), up.flush()], axis=1).T
            library[name] = np.ascontiguousarray(mono[: 10 * RATE])
    result = {
        "sounds": list(library),
        "halves": [halves(library, codec) for codec in ("", "mp3 64", "opus 32")],
        "pairs": [pairs(library, codec) for codec in ("", "mp3 64", "opus 32")],
        "inserts": [inserts(library, codec) for codec in ("", "mp3 64")],
        "drift": [drift(library, ppm) for ppm in (-400, -200, 200, 400)],
    }
    options.json.write_text(json.dumps(result, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
