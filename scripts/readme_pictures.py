"""Make the two pictures of the README: a labelled sample, and what verify prints, from a real run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from labeler.visible.fonts import find_face

ROOT = Path(__file__).resolve().parent.parent
LABELER = Path(sys.executable).parent / "labeler"
COLOURS = {"32": "#7fd17f", "31": "#ff7b72", "33": "#e3b341", "2": "#8b949e", "1": "#ffffff"}


def main() -> None:
    """Label a sample, verify it three times, draw the terminal."""
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["LABELER_HOME"] = str(Path(temporary) / "home")
        run("keys", "init", "--producer", "demo-service")
        Path(temporary, "landscape.jpg").symlink_to(ROOT / "samples" / "landscape.jpg")
        os.chdir(temporary)
        screen = ["$ labeler label landscape.jpg -o out", *run("label", "landscape.jpg", "-o", "out")]
        screen += ["$ labeler verify out/landscape.jpg", *run("verify", "out/landscape.jpg")]
        with Image.open("out/landscape.jpg") as image:
            image.convert("RGB").save(ROOT / "docs" / "images" / "labelled.jpg", quality=85)
            image.resize((image.width // 2, image.height // 2)).save("out/screenshot.jpg", quality=50)
        screen += ["$ labeler verify out/screenshot.jpg    # half the size, JPEG 50, no metadata"]
        screen += run("verify", "out/screenshot.jpg")
        screen += ["$ labeler verify holiday.jpg"]
        Path("holiday.jpg").symlink_to("landscape.jpg")
        screen += run("verify", "holiday.jpg")
    terminal(screen).save(ROOT / "docs" / "images" / "verify.png", optimize=True)


def run(*arguments: str) -> list[str]:
    """The coloured lines that a command prints."""
    code = "import sys, click.utils, click._compat; click.utils.should_strip_ansi = lambda *a, **k: False; "
    code += "from labeler.cli import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    if "Traceback" in done.stderr or done.returncode > 1:
        sys.exit(done.stderr)
    return done.stdout.splitlines()


def terminal(lines: list[str], size: int = 17) -> Image.Image:
    """Draw lines with colour codes as a dark terminal, wrapped at 118 columns."""
    face = find_face("AI生成")
    latin = ImageFont.truetype(str(face.path), size, index=mono_index(face.path))
    wrapped = [part for line in lines for part in wrap(line)]
    pitch, step = latin.getlength("0"), round(size * 1.5)
    image = Image.new("RGB", (round(pitch * 120), step * len(wrapped) + 2 * size), "#0d1117")
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(wrapped):
        x, colour = pitch, "#58a6ff" if line.startswith("$") else "#d0d7de"
        for part in re.split(r"(\x1b\[\d+m)", line):
            code = re.fullmatch(r"\x1b\[(\d+)m", part)
            if code:
                colour = COLOURS.get(code[1], "#d0d7de")
                continue
            draw.text((x, size + row * step), part, colour, latin)
            x += latin.getlength(part)
    return image


def wrap(line: str, width: int = 118) -> list[str]:
    """Break a long line at a space, and indent what follows under the text."""
    plain = re.sub(r"\x1b\[\d+m", "", line)
    if len(plain) <= width:
        return [line]
    cut = line.rfind(" ", 0, width + len(line) - len(plain))
    return [line[:cut], *wrap(" " * 16 + line[cut + 1 :], width)]


def mono_index(path: Path) -> int:
    """The face of the collection with fixed width and Simplified Chinese forms, else the first."""
    for index in range(20):
        try:
            name = ImageFont.truetype(str(path), 12, index=index).getname()[0] or ""
        except OSError:
            break
        if "Mono" in name and "SC" in name:
            return index
    return 0


if __name__ == "__main__":
    main()
