"""Counting false accepts of the audio watermark.

A trial takes a random stretch of a sound of a folder, in a quarter of the trials marks it with another key, in
half sends it through a codec, and then (1) decodes at the best phase of each of several random keys, gate or
no gate, and (2) makes one full search with a random key. Trials depend on their number alone, so a run can be
cut into chunks and continued.

``python -m labeler.bench.audio_false_accepts FOLDER LOG --count N``
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

from labeler.bench.audio import sounds
from labeler.bench.audio_attacks import OPERATIONS, Floats, Scene
from labeler.core.keys import WatermarkKey
from labeler.core.threads import one_thread
from labeler.types import State
from labeler.watermark.audio import CannotMark, detect, embed
from labeler.watermark.sound.layout import SoundLayout
from labeler.watermark.sound.profile import PURPOSE
from labeler.watermark.sound.reading import looks
from labeler.watermark.sound.resample import Resampler, ratio_of
from labeler.watermark.sound.sync import peaks, score_maps
from labeler.watermark.sound.track import track_of

__all__ = ["SoundTrial", "load", "run", "summary"]

_MARKED_SHARE = 0.25
_KEYS = 10
_CODECS = (("mp3", 64), ("opus", 32), ("aac", 64))


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundTrial:
    """One trial.

    Attributes:
        number: of the trial.
        sound: which.
        seconds: of the stretch.
        marked: whether another key's mark was in it.
        decodes: messages decoded without a gate.
        passed: of these, how many had a fitting tag.
        z: highest sync score of the keys.
        rho: highest correlation of a decoded message.
        state: what the full search said.
        log10_p: of an accepted mark or a trace, else None.
    """

    number: int
    sound: str
    seconds: float
    marked: bool
    decodes: int
    passed: int
    z: float
    rho: float
    state: str
    log10_p: float | None


def run(
    folder: Path | str, log: Path, *, count: int, progress: Callable[[SoundTrial], None] | None = None
) -> dict[str, Any]:
    """Run trials until the log holds ``count`` of them; returns the :func:`summary` of all.

    Args:
        folder: WAV and FLAC files without our marks.
        log: JSON lines; continued if it is there.
        count: number of trials wanted in all.
        progress: is told every trial.
    """
    cv2.setNumThreads(1)
    done = len(load(log))
    library = list(sounds(folder))
    with log.open("a", encoding="utf-8") as file:
        for trial in _trials(library, done, count):
            file.write(json.dumps(asdict(trial)) + "\n")
            file.flush()
            if progress is not None:
                progress(trial)
    return summary(load(log))


def _trials(library: list[tuple[str, Floats, int]], first: int, last: int) -> Iterator[SoundTrial]:
    for number in range(first, last):
        rng = np.random.default_rng([2027, number])
        name, samples, rate = library[int(rng.integers(len(library)))]
        size = int(min(rng.uniform(3, 15) * rate, len(samples)))
        start = int(rng.integers(len(samples) - size + 1))
        part = np.ascontiguousarray(samples[start : start + size])
        marked = bool(rng.random() < _MARKED_SHARE)
        if marked:
            try:
                part = embed(part, rate, rng.bytes(8), _key("other", number)).samples
            except CannotMark:
                marked = False
        if rng.random() < 0.5:
            codec, kbps = _CODECS[int(rng.integers(len(_CODECS)))]
            scene = Scene(samples=part, rate=rate, original=part, speech=part[:, 0], music=part[:, 0])
            part = OPERATIONS["codec"](scene, rng, name=codec, kbps=kbps).samples
        decodes, passed, z, rho = _decodes(part, rate, [_key(f"key {k}", number) for k in range(_KEYS)])
        report = detect(part, rate, [_key("search", number)])
        yield SoundTrial(
            number=number,
            sound=name,
            seconds=round(len(part) / rate, 2),
            marked=marked,
            decodes=decodes,
            passed=passed,
            z=round(z, 3),
            rho=round(rho, 3),
            state=report.state.value,
            log10_p=report.log10_p,
        )


def _key(purpose: str, number: int) -> WatermarkKey:
    return WatermarkKey.from_secret(hashlib.sha256(f"{purpose} {number}".encode()).digest())


def _decodes(samples: Floats, rate: int, keys: Sequence[WatermarkKey]) -> tuple[int, int, float, float]:
    """Decodings, fitting tags, highest sync score, highest correlation."""
    down = Resampler(ratio_of(rate), 1)
    mono = np.ascontiguousarray(samples.mean(axis=1))[None]
    track = track_of(np.concatenate([down.push(mono), down.flush()], axis=1)[0])
    layouts = [SoundLayout.of(key.derive(PURPOSE)) for key in keys]
    decodes = passed = 0
    best_z = best_rho = 0.0
    for layout, scores in zip(layouts, score_maps(track, layouts, track.values), strict=True):
        for peak in peaks(scores, gate=0.0, most=1):
            best_z = max(best_z, peak.z)
            for look in looks(track, peak, layout):
                decodes += 1
                passed += look.payload is not None
                best_rho = max(best_rho, look.rho)
    return decodes, passed, best_z, best_rho


def load(log: Path) -> list[SoundTrial]:
    """Trials of a log; none if it is not there."""
    if not log.exists():
        return []
    return [SoundTrial(**json.loads(line)) for line in log.read_text(encoding="utf-8").splitlines() if line]


def summary(trials: list[SoundTrial]) -> dict[str, Any]:
    """Counts of a log."""
    return {
        "searches": len(trials),
        "marked": sum(trial.marked for trial in trials),
        "accepted": sum(trial.state == State.PRESENT.value for trial in trials),
        "cannot tell": sum(trial.state == State.CANNOT_TELL.value for trial in trials),
        "decodes": sum(trial.decodes for trial in trials),
        "passed": sum(trial.passed for trial in trials),
        "z": max((trial.z for trial in trials), default=0.0),
        "rho": max((trial.rho for trial in trials), default=0.0),
    }


@one_thread()
def main(arguments: Sequence[str] | None = None) -> int:
    """Run trials and print the counts."""
    parser = argparse.ArgumentParser(prog="python -m labeler.bench.audio_false_accepts", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("--count", type=int, default=400)
    options = parser.parse_args(arguments)
    click.echo(json.dumps(run(options.folder, options.log, count=options.count)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
