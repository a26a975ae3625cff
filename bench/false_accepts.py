"""Count false accepts in chunks: python bench/false_accepts.py IMAGES LOG.jsonl --count 10000."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import cv2

from labeler.bench.false_accepts import run
from labeler.core.threads import one_thread


@one_thread()
def main() -> int:
    """Run until the log holds the number of searches asked for; run again to continue."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    result = run(options.images, options.log, count=options.count)
    json.dump(result, sys.stdout, indent=2)
    sys.stdout.write("\n")
    return 1 if result["accepted"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
