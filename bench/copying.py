"""Are copied marks noticed, without false alarms?

    python bench/copying.py IMAGES OUT.json --tuning NAMES --report NAMES

The limits of the fingerprint were chosen on the tuning set; the marks are copied between pictures of the report set.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import cv2
from security import crops

from labeler.bench import security
from labeler.bench.robustness import pictures
from labeler.watermark.fingerprint import LIMITS

_CROPS = 8
"""Cut-outs of each picture that are compared too."""
_LEVELS = (40.0, 38.0, 36.0)
"""PSNR of the copied residual, dB."""


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tuning", required=True, help="names of pictures, comma-separated")
    parser.add_argument("--report", required=True, help="names of pictures, comma-separated")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    result = {}
    for name in ("tuning", "report"):
        wanted = getattr(options, name).split(",")
        whole = [pixels for _, pixels in pictures(options.images, names=wanted)]
        groups = [[pixels, *crops([pixels], _CROPS)] for pixels in whole]
        result[name] = {
            "pictures": len(whole),
            "fingerprints": [security.fingerprints(groups, bits=bits) for bits in LIMITS],
            "copying": [security.copying(whole, level=level) for level in _LEVELS],
        }
    options.out.write_text(json.dumps(result, indent=1), encoding="utf-8")
    json.dump(result, sys.stdout, indent=1)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
