"""Small pictures, documents and line art: python bench/hard_set.py IMAGES OUT_FOLDER [--repeats 3].

Makes pictures of 256 and 128 px from photographs of IMAGES and measures them and the documents with the grid
hard_set.toml; writes documents.json, side256.json and side128.json, which bench/tables.py --hard reads.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2

from labeler.bench.robustness import pictures, run
from labeler.core.threads import one_thread

GRID = Path(__file__).with_name("hard_set.toml")
PHOTOGRAPHS = ("kodak03", "kodak09", "kodak15", "kodak23", "ai_sd4a", "ai_car")
DOCUMENTS = ("doc_white", "lineart", "logo", "ui_screenshot")


@one_thread()
def main() -> int:
    """Make the pictures, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    runs = {"documents": run(options.images, grid=GRID, names=DOCUMENTS, repeats=options.repeats)}
    for side in (256, 128):
        folder = options.out / f"side{side}"
        folder.mkdir(parents=True, exist_ok=True)
        for name, pixels in pictures(options.images, names=PHOTOGRAPHS):
            edge = min(pixels.shape[:2])
            top, left = (pixels.shape[0] - edge) // 2, (pixels.shape[1] - edge) // 2
            square = pixels[top : top + edge, left : left + edge]
            small = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(folder / f"{name}.png"), small[..., ::-1])
        runs[f"side{side}"] = run(folder, grid=GRID, repeats=options.repeats)
    for name, result in runs.items():
        (options.out / f"{name}.json").write_text(json.dumps(result.to_dict(), indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
