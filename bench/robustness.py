"""Run the robustness grid and write JSON and Markdown.

python bench/robustness.py IMAGES OUT.json [--names a,b,c] [--grid FILE] [--repeats N]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import cv2

from labeler.bench.robustness import markdown, run
from labeler.core.threads import one_thread


@one_thread()
def main() -> int:
    """Measure, write, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--names", default="")
    parser.add_argument("--grid", type=Path)
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    names = [name for name in options.names.split(",") if name]
    result = run(
        options.images,
        grid=options.grid,
        names=names,
        repeats=options.repeats,
        progress=lambda name: sys.stderr.write(name + "\n") and None,
    )
    options.out.write_text(json.dumps(result.to_dict(), indent=1), encoding="utf-8")
    sys.stdout.write(markdown([result]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
