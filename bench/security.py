"""Run the security experiments: python bench/security.py IMAGES OUT.json [--names targets] [--count 200]."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import cv2
import numpy as np

from labeler.bench import security
from labeler.bench.robustness import Pixels, pictures
from labeler.core.threads import one_thread


def crops(library: list[Pixels], count: int) -> list[Pixels]:
    """Random crops of about 500 px, scaled by 0.7 to 1.3, as many different pictures."""
    rng = np.random.default_rng(7)
    result = []
    number = 0
    while len(result) < count:
        picture = library[number % len(library)]
        number += 1
        factor = float(rng.uniform(0.7, 1.3)) * min(1.0, 1400 / max(picture.shape[:2]))
        scaled = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        height, width = min(480, scaled.shape[0]), min(560, scaled.shape[1])
        top = int(rng.integers(scaled.shape[0] - height + 1))
        left = int(rng.integers(scaled.shape[1] - width + 1))
        crop = np.ascontiguousarray(scaled[top : top + height, left : left + width])
        if float(crop.std()) > 8:
            result.append(crop)
    return result


@one_thread()
def main() -> int:
    """Sources are crops of all pictures, targets and clean pictures the named ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--names", default="")
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    names = [name for name in options.names.split(",") if name]
    targets = [pixels for _, pixels in pictures(options.images, names=names)]
    everything = [pixels for _, pixels in pictures(options.images) if min(pixels.shape[:2]) >= 400]
    sources = crops(everything, options.count)
    counts = [n for n in (8, 50, 200) if n <= options.count]
    result = {
        "averaging": [
            row
            for equal in (True, False)
            for same in (True, False)
            for row in security.averaging(sources, targets, targets, counts=counts, same=same, equal=equal)
        ],
        "keyless": security.keyless(targets),
    }
    options.out.write_text(json.dumps(result, indent=1), encoding="utf-8")
    json.dump(result, sys.stdout, indent=1)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
