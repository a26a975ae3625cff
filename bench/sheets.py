"""Sheets for the eye: original, marked, difference x 10, side by side at 1:1.

python bench/sheets.py docs/images samples/landscape.jpg samples/spheres.png samples/chart.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from labeler.core.keys import PUBLIC_KEY
from labeler.watermark.image import embed

SIDE = 300


def sheet(path: Path) -> tuple[np.ndarray, float]:
    """The sheet of a picture's middle (BGR) and the PSNR of the whole."""
    picture = np.ascontiguousarray(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)[..., ::-1])
    result = embed(picture, bytes.fromhex("140123456789abcd"), PUBLIC_KEY, report=False)
    top, left = (max((length - SIDE) // 2, 0) for length in picture.shape[:2])
    cut = (slice(top, top + SIDE), slice(left, left + SIDE))
    change = (result.pixels.astype(np.int16) - picture)[cut] * 10 + 128
    parts = [picture[cut], result.pixels[cut], np.clip(change, 0, 255).astype(np.uint8)]
    return np.hstack(parts)[..., ::-1], result.psnr


def main() -> int:
    """Write watermark-NAME.jpg for every picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("pictures", type=Path, nargs="+")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for path in options.pictures:
        image, _ = sheet(path)
        data = cv2.imencode(".png", image)[1]
        (options.out / f"watermark-{path.stem}.png").write_bytes(data.tobytes())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
