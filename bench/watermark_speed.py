"""Speed of the image watermark without codecs: python bench/watermark_speed.py IMAGES OUT.json [--rounds 15].

CPU time, the least of the rounds. The bars are those of issue 3; a 12-megapixel picture is an enlarged photograph
with a little noise, marked with one layer.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from labeler.bench.robustness import Pixels, pictures
from labeler.core.keys import PUBLIC_KEY
from labeler.core.threads import one_thread
from labeler.watermark import image

NAMES = ("kodak15", "kodak05", "kodak23", "ai_car")
PAYLOAD = bytes.fromhex("140123456789abcd")


def least(run: Callable[[], object], rounds: int) -> float:
    """Least CPU seconds of a function."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


def enlarged(pixels: Pixels, height: int, width: int) -> Pixels:
    """A picture of another size with the detail of a camera's."""
    big = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    noise = np.random.default_rng(1).normal(0, 3, (height, width, 1)).astype(np.int16)
    return np.clip(big + noise, 0, 255).astype(np.uint8)


@one_thread()
def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    photographs = dict(pictures(options.images, names=NAMES))
    small = photographs[NAMES[0]]
    big = enlarged(small, 3000, 4000)
    image._LARGE = big.size  # one layer
    rows = []

    def note(what: str, pixels: Pixels, seconds: float, bar: float, *, per_megapixel: bool = True) -> None:
        megapixels = pixels.shape[0] * pixels.shape[1] / 1e6
        value = megapixels / seconds if per_megapixel else seconds
        unit = "MP/s" if per_megapixel else "s"
        met = value >= bar if per_megapixel else value <= bar
        rows.append({"what": what, "value": round(value, 3), "unit": unit, "bar": bar, "met": met})

    for pixels, bars in ((big, (60, 150)), (small, (25, 40))):
        size = f"{pixels.shape[0] * pixels.shape[1] / 1e6:.1f} MP"
        rounds = options.rounds if pixels is small else max(options.rounds // 3, 3)
        embed = least(partial(image.embed, pixels, PAYLOAD, PUBLIC_KEY, report=False), rounds)
        note(f"embed, {size}", pixels, embed, bars[0])
        marked = image.embed(pixels, PAYLOAD, PUBLIC_KEY, report=False).pixels
        detect = least(partial(image.detect, marked, [PUBLIC_KEY]), rounds)
        note(f"detect, as it is, {size}", pixels, detect, bars[1])
    costs = []
    for pixels in photographs.values():
        middle = enlarged(pixels, 866, 1155)
        costs.append(least(partial(image.detect, middle, [PUBLIC_KEY]), max(options.rounds // 3, 3)))
    what = f"full search, unmarked, 1.0 MP, mean of {len(costs)} ({min(costs):.2f} to {max(costs):.2f} s)"
    note(what, middle, sum(costs) / len(costs), 0.5, per_megapixel=False)
    options.out.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    json.dump(rows, sys.stdout, indent=1)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
