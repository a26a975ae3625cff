"""Measure the audible mark, and write the tables of docs/audible.md from what happened.

    .venv/bin/python scripts/audible_table.py FOLDER [FOLDER ...] [--picture FILE.png]

A folder holds WAV or FLAC files without marks; the first ten seconds are marked, all of it is searched for marks that
are not there. It takes about five minutes of one core for twelve clips.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import cv2
import numpy as np

from labeler.bench.audible import markdown, measure, sounds, unmarked
from labeler.visible import audio

PAGE = Path(__file__).resolve().parent.parent / "docs" / "audible.md"
BEGIN, END = "<!-- measured: scripts/audible_table.py -->\n", "<!-- end of what was measured -->\n"


def picture(folder: Path, path: Path) -> None:
    """Spectrograms of one clip: as it was, with the rhythm, with the spoken prompts, 0 to 8 kHz, 80 dB."""
    sound = next(s for s in sounds(folder) if s.name.startswith("m") and s.rate >= 44_100 and s.samples.any())
    views = []
    for kind in (None, "rhythm", "speech"):
        samples = sound.samples
        if kind:
            samples = audio.apply(samples, audio.prepare(sound.rate, samples.shape[1], kind=kind))
        size, hop = 2048, sound.rate // 120
        frames = np.lib.stride_tricks.sliding_window_view(samples.mean(axis=1), size)[::hop] * np.hanning(
            size
        )
        level = 20 * np.log10(np.abs(np.fft.rfft(frames, axis=1))[:, : 8000 * size // sound.rate].T + 1e-6)
        grey = np.clip((level - level.max() + 80) / 80 * 255, 0, 255).astype(np.uint8)[::-1]
        view = cv2.applyColorMap(cv2.resize(grey, (1200, 300)), cv2.COLORMAP_INFERNO)
        views.append(cv2.copyMakeBorder(view, 0, 6, 0, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255)))
    path.write_bytes(cv2.imencode(".png", np.vstack(views))[1].tobytes())


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    if options.picture:
        picture(options.folders[0], options.picture)
        return

    def progress(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    tables = []
    for number, folder in enumerate(options.folders):
        rows = measure(list(sounds(folder)), progress=progress)
        nothing = unmarked(sounds(folder, seconds=None), made=number == 0, progress=progress)
        tables.append(f"### {folder.name}\n\n{markdown(rows, nothing)}")
    table = "\n".join(tables)
    print(table)
    if PAGE.exists():
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(
            re.sub(f"(?s){BEGIN}.*?{END}", lambda _: BEGIN + "\n" + table + "\n" + END, text),
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
