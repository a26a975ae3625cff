"""Quality of the audio watermark for every strength: SNR, and PESQ (ITU-T P.862.2) where `pesq` is installed.

python bench/audio_quality.py FOLDER --json OUT.json [--pesq PYTHON]

PESQ is measured in another environment's Python, so that `pesq` is no dependency.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from labeler.bench.audio import sounds
from labeler.core.keys import PUBLIC_KEY
from labeler.watermark.audio import STRENGTHS, embed
from labeler.watermark.sound.resample import Resampler, ratio_of

_SCRIPT = "import sys,numpy as np;from pesq import pesq;d=np.load(sys.argv[1]);print(pesq(16000,d['x'],d['y'],'wb'))"


def narrow(samples: np.ndarray, rate: int) -> np.ndarray:
    """Mono at 16 kHz."""
    down = Resampler(ratio_of(rate), 1)
    mono = np.ascontiguousarray(samples.mean(axis=1))[None]
    return np.concatenate([down.push(mono), down.flush()], axis=1)[0]


def main() -> int:
    """Measure and write JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--pesq", type=Path, help="a Python that has the package pesq")
    options = parser.parse_args()
    rows = []
    for name, samples, rate in sounds(options.folder):
        original = samples[: 10 * rate]
        for strength in STRENGTHS:
            marked = embed(original, rate, bytes.fromhex("140123456789abcd"), PUBLIC_KEY, strength=strength)
            score = None
            if options.pesq:
                with tempfile.TemporaryDirectory() as folder:
                    file = Path(folder) / "pair.npz"
                    np.savez(file, x=narrow(original, rate), y=narrow(marked.samples, rate))
                    out = subprocess.run(
                        [options.pesq, "-c", _SCRIPT, file], capture_output=True, text=True, check=True
                    )
                    score = round(float(out.stdout), 3)
            rows.append({"name": name, "strength": strength, "snr": round(marked.snr, 2), "pesq": score})
    options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
