"""Measure other watermarks from PyPI on the same pictures and attacks.

In an environment of its own, since their dependencies are not ours:

    python -m venv peers
    peers/bin/pip install --no-deps invisible-watermark==0.2.0 blind-watermark==0.4.4 PyWavelets numpy \
        opencv-python-headless
    PYTHONPATH=. peers/bin/python bench/peers/run.py dwtDct IMAGES OUT.json [--names a,b] [--grid FILE]

Methods: dwtDct and dwtDctSvd of invisible-watermark, and blind-watermark; 64 bits each, default settings. The
results are read by ``labeler.bench.robustness.Run.from_dict`` and printed beside ours by ``markdown``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import types
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from labeler.bench.robustness import Pixels, run
from labeler.core.threads import one_thread

BITS = 64


class InvisibleWatermark:
    """dwtDct or dwtDctSvd of invisible-watermark 0.2.0."""

    def __init__(self, name: str) -> None:
        self.name = name
        sys.modules.setdefault("torch", types.ModuleType("torch"))  # imported, but only rivaGan needs it
        import imwatermark

        self._module: Any = imwatermark

    def embed(self, pixels: Pixels, payload: bytes) -> Pixels:
        """Mark a picture."""
        encoder = self._module.WatermarkEncoder()
        encoder.set_watermark("bytes", payload)
        marked = encoder.encode(np.ascontiguousarray(pixels[..., ::-1]), self.name)
        return np.ascontiguousarray(np.clip(marked, 0, 255).astype(np.uint8)[..., ::-1])

    def detect(self, pixels: Pixels) -> bytes | None:
        """Read a picture; these methods always answer something."""
        if pixels.shape[0] * pixels.shape[1] < 256 * 256:
            return None  # the library refuses pictures this small
        decoder = self._module.WatermarkDecoder("bytes", BITS)
        found: bytes = decoder.decode(np.ascontiguousarray(pixels[..., ::-1]), self.name)
        return found


class BlindWatermark:
    """blind-watermark 0.4.4, passwords 1 and 1."""

    name = "blind-watermark"

    def __init__(self) -> None:
        import blind_watermark

        blind_watermark.bw_notes.close()
        self._type: Any = blind_watermark.WaterMark

    def embed(self, pixels: Pixels, payload: bytes) -> Pixels:
        """Mark a picture."""
        tool = self._type(password_img=1, password_wm=1)
        with contextlib.redirect_stdout(io.StringIO()):
            tool.read_img(img=np.ascontiguousarray(pixels[..., ::-1]))
            tool.read_wm(np.unpackbits(np.frombuffer(payload, np.uint8)).astype(bool), mode="bit")
            marked = tool.embed()
        return np.ascontiguousarray(np.clip(np.rint(marked), 0, 255).astype(np.uint8)[..., ::-1])

    def detect(self, pixels: Pixels) -> bytes | None:
        """Read a picture; None where the library fails."""
        tool = self._type(password_img=1, password_wm=1)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                bits = tool.extract(
                    embed_img=np.ascontiguousarray(pixels[..., ::-1]), wm_shape=BITS, mode="bit"
                )
        except (AssertionError, IndexError, ValueError):
            return None
        return np.packbits(np.asarray(bits) >= 0.5).tobytes()


@one_thread()
def main() -> int:
    """Measure one method and write the run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("method", choices=["dwtDct", "dwtDctSvd", "blind-watermark"])
    parser.add_argument("images", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--names", default="")
    parser.add_argument("--grid", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    method = BlindWatermark() if options.method == "blind-watermark" else InvisibleWatermark(options.method)
    names = [name for name in options.names.split(",") if name]
    result = run(options.images, grid=options.grid, method=method, names=names)
    options.out.write_text(json.dumps(result.to_dict(), indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
