"""Counting false accepts of the video watermark: full searches over clips without a mark of the key asked for.

    python -m labeler.bench.video_false_accepts --videos DIR --log LOG.jsonl --count N

Every trial takes twelve consecutive frames of a random place of a random file, cropped and scaled at random, with a
random key; in a quarter of the trials they carry a mark made with another key. Trials are numbered, and each depends
on its number alone, so a run can be continued.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from labeler.bench.video_attacks import Clip, cut, load
from labeler.core.keys import WatermarkKey
from labeler.core.threads import one_thread
from labeler.types import State
from labeler.watermark.video import CannotMark, Detector, prepare

__all__ = ["Trial", "read_log", "summary", "trial"]

_FRAMES = 12
_MARKED_SHARE = 0.25
_PER_CUT = 25  # trials on the same decoded cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One full search.

    Attributes:
        number: of the trial.
        clip: which cut.
        size: of the frames, "WxH".
        marked: whether another key's mark was in it.
        state: what the detector said.
        log10_p: of an accepted mark, or None.
        seconds: CPU time.
    """

    number: int
    clip: str
    size: str
    marked: bool
    state: str
    log10_p: float | None
    seconds: float


def trial(number: int, clip: Clip, luma: npt.NDArray[np.uint8]) -> Trial:
    """Search one crop of a cut.

    Args:
        number: of the trial; decides everything that is random.
        clip: for its name.
        luma: (n, h, w) luma of the cut.
    """
    rng = np.random.default_rng([2026, 6, number])
    first = int(rng.integers(max(len(luma) - _FRAMES, 0) + 1))
    frames = list(_crop(luma[first : first + _FRAMES], rng))
    height, width = frames[0].shape
    marked = bool(rng.random() < _MARKED_SHARE)
    if marked:
        other = WatermarkKey.from_secret(hashlib.sha256(b"other video %d" % number).digest())
        try:
            mark = prepare(width, height, rng.bytes(8), other, sample_luma=frames[::4], strength="strong")
            for index, frame in enumerate(frames):
                mark.apply(frame, index)
        except CannotMark:
            marked = False
    start = time.process_time()
    key = WatermarkKey.from_secret(hashlib.sha256(b"video trial %d" % number).digest())
    detector = Detector(width, height, [key])
    for index, frame in enumerate(frames):
        detector.push(frame, index / 25)
    report = detector.finish()
    return Trial(
        number=number,
        clip=clip.name,
        size=f"{width}x{height}",
        marked=marked,
        state=report.state.value,
        log10_p=report.log10_p if report.state is State.PRESENT else None,
        seconds=round(time.process_time() - start, 2),
    )


def _crop(frames: npt.NDArray[np.uint8], rng: np.random.Generator) -> list[npt.NDArray[np.uint8]]:
    """A random window of at least half of each side, scaled by 0.5 to 1.2."""
    height, width = frames.shape[1:]
    rows, columns = (int(rng.integers(side // 2, side + 1)) for side in (height, width))
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    factor = rng.uniform(0.5, 1.2)
    size = (max(round(columns * factor), 64), max(round(rows * factor), 64))
    window = frames[:, top : top + rows, left : left + columns]
    return [
        np.asarray(cv2.resize(np.ascontiguousarray(frame), size, interpolation=cv2.INTER_AREA), np.uint8)
        for frame in window
    ]


def read_log(path: Path) -> list[Trial]:
    """Trials of a log; none if it is not there."""
    if not path.is_file():
        return []
    return [Trial(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines() if line]


def summary(trials: Sequence[Trial]) -> str:
    """One sentence."""
    accepted = sum(one.state == State.PRESENT.value for one in trials)
    unsure = sum(one.state == State.CANNOT_TELL.value for one in trials)
    marked = sum(one.marked for one in trials)
    mean = float(np.mean([one.seconds for one in trials])) if trials else 0.0
    return (
        f"{accepted} accepts in {len(trials)} full searches over random windows of real clips, random keys "
        f"({marked} of them carrying another key's mark), {unsure} cannot-tell, {mean:.1f} s CPU each."
    )


@one_thread()
def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(prog="python -m labeler.bench.video_false_accepts", description=__doc__)
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--count", type=int, required=True)
    options = parser.parse_args(arguments)
    clips = load()[1]
    done = len(read_log(options.log))
    luma, held = None, -1
    with options.log.open("a", encoding="utf-8") as file:
        for number in range(done, options.count):
            place = number // _PER_CUT % len(clips)
            if luma is None or place != held:
                luma, held = cut(options.videos, clips[place]).luma, place
            file.write(json.dumps(asdict(trial(number, clips[place], luma))) + "\n")
            file.flush()
    sys.stdout.write(summary(read_log(options.log)) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
