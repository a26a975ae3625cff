"""Counting false accepts: full searches over pictures that do not carry a mark of the key asked for.

Every trial takes a picture of a folder, a random crop of it, half of the time JPEG of random quality, some random
keys, and in a quarter of the trials a mark made with another key. Each key is searched for in all geometries, so a
trial counts as many searches as it has keys. Trials are numbered, and each depends on its number alone, so a run
can be cut into chunks and continued.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labeler.bench.attacks import OPERATIONS
from labeler.bench.robustness import Pixels, pictures
from labeler.core.keys import WatermarkKey
from labeler.types import State
from labeler.watermark.image import SIDE_MIN, CannotMark, detect, embed

__all__ = ["Trial", "load", "run", "summary"]

_MARKED_SHARE = 0.25
KEYS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One search.

    Attributes:
        number: of the trial.
        picture: which picture.
        size: of the crop, "WxH".
        marked: whether another key's mark was in it.
        state: what the search said.
        log10_p: of an accepted mark, else None.
        payload: of an accepted mark.
        sync_z: highest sync statistic of the searches.
        keys: searched for, one search each.
    """

    number: int
    picture: str
    size: str
    marked: bool
    state: str
    log10_p: float | None
    payload: str
    sync_z: float = 0.0
    keys: int = 1


def run(
    images: Path | str,
    log: Path,
    *,
    count: int,
    keys: int = KEYS,
    progress: Callable[[Trial], None] | None = None,
) -> dict[str, Any]:
    """Run trials until the log holds ``count`` searches.

    Args:
        images: folder of pictures without our marks.
        log: JSON lines; continued if it is there.
        count: number of searches wanted in all.
        keys: searched for in each picture.
        progress: is told every trial.

    Returns:
        The :func:`summary` of all trials in the log.
    """
    done = load(log)
    missing = count - sum(trial.keys for trial in done)
    library = list(pictures(images))
    with log.open("a", encoding="utf-8") as file:
        for number in range(len(done), len(done) + -(-max(missing, 0) // keys)):
            trial = _trial(library, number, keys)
            file.write(json.dumps(asdict(trial)) + "\n")
            file.flush()
            if progress is not None:
                progress(trial)
    return summary(load(log))


def _trial(library: list[tuple[str, Pixels]], number: int, keys: int) -> Trial:
    rng = np.random.default_rng([2026, number])
    name, pixels = library[int(rng.integers(len(library)))]
    crop = _crop(pixels, rng)
    marked = bool(rng.random() < _MARKED_SHARE)
    if marked:
        try:
            other = WatermarkKey.from_secret(hashlib.sha256(b"other %d" % number).digest())
            crop = np.asarray(embed(crop, rng.bytes(8), other, report=False).pixels, np.uint8)
        except CannotMark:
            marked = False
    if rng.random() < 0.5:
        crop = OPERATIONS["jpeg"](crop, rng, quality=int(rng.integers(40, 96)))
    secrets = [hashlib.sha256(b"trial %d key %d" % (number, index)).digest() for index in range(keys)]
    report = detect(crop, [WatermarkKey.from_secret(secret) for secret in secrets])
    return Trial(
        number=number,
        picture=name,
        size=f"{crop.shape[1]}x{crop.shape[0]}",
        marked=marked,
        state=report.state.value,
        log10_p=report.log10_p,
        payload=report.payload,
        sync_z=float(report.geometry.get("sync_z", 0.0)),
        keys=keys if report.geometry else 0,
    )


def _crop(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """A random rectangle, sides from a quarter of the picture's to all, at most 1024 px."""
    sides = []
    for length in pixels.shape[:2]:
        low = min(max(SIDE_MIN, length // 4), length)
        sides.append(int(rng.integers(low, min(length, 1024) + 1)) if length > low else length)
    top = int(rng.integers(pixels.shape[0] - sides[0] + 1))
    left = int(rng.integers(pixels.shape[1] - sides[1] + 1))
    return np.ascontiguousarray(pixels[top : top + sides[0], left : left + sides[1]])


def load(log: Path) -> list[Trial]:
    """Trials of a log; none if it is not there."""
    if not log.exists():
        return []
    return [Trial(**json.loads(line)) for line in log.read_text(encoding="utf-8").splitlines() if line]


def summary(trials: list[Trial]) -> dict[str, Any]:
    """Counts, and the rule of three: with no accept in n searches the rate is under 3/n (95 %)."""
    accepted = [trial for trial in trials if trial.state == State.PRESENT.value]
    searches = sum(trial.keys for trial in trials)
    unsure = [trial for trial in trials if trial.state == State.CANNOT_TELL.value]
    return {
        "searches": searches,
        "marked": sum(trial.keys for trial in trials if trial.marked),
        "accepted": len(accepted),
        "cannot tell": len(unsure),
        "rate below (95 %)": 3 / max(searches, 1) if not accepted else None,
        "sync z (median, 99 %, 99.9 %, most)": _tail([t.sync_z for t in trials if t.sync_z > 0]),
        "accepted trials": [asdict(trial) for trial in accepted],
    }


def _tail(values: list[float]) -> list[float]:
    """Median, 99th and 99.9th percentile, and the largest."""
    if not values:
        return []
    return [round(float(value), 2) for value in np.percentile(values, [50, 99, 99.9, 100])]
