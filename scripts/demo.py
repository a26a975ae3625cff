"""The demo: make keys, label every sample, verify the results, and show what was done, command by command."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LABELER = Path(sys.executable).parent / "labeler"


def main() -> None:
    """Run the demo into the folder given as the first argument."""
    os.chdir(ROOT)
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "demo-out")
    shutil.rmtree(out, ignore_errors=True)
    home = out / "home"
    os.environ["LABELER_HOME"] = str(home)
    print("Keys and a development certificate, only for this demo:")
    labeler("keys", "init", "--producer", "demo-service")
    print(
        "\nEvery sample gets a visible mark, a watermark, GB 45438 and IPTC metadata and a signed C2PA manifest:"
    )
    samples = sorted(path for path in Path("samples").iterdir() if path.suffix != ".py")
    labeler(
        "label", *samples, "-o", out / "labelled", "--profile", "all",
        "--generator", "demo-model/1.0", "--author", "labeler contributors",
    )  # fmt: skip
    print("\nWhat a receiver sees, trusting nobody beforehand:")
    labeler("verify", *sorted((out / "labelled").iterdir()))
    print("\nA labelled picture after a messenger: half the size, JPEG 50, all metadata gone:")
    travelled = out / "travelled.jpg"
    shrink(out / "labelled" / "landscape.jpg", travelled)
    labeler("verify", travelled)
    print("\nThe sample as it was, without labels:")
    labeler("verify", "samples/landscape.jpg", expect=1)
    print(f"\nLook at the labelled files in {out / 'labelled'}.")


def labeler(*arguments: object, expect: int = 0) -> None:
    """Show a command, run it, and stop if its exit code is not the expected one."""
    words = [str(argument) for argument in arguments]
    shown = [shlex.quote(word) for word in words]
    shown = shown if len(words) <= 9 else [*shown[:3], "...", *shown[-2:]]
    print(f"$ labeler {' '.join(shown)}", flush=True)
    code = subprocess.run([LABELER, *words], check=False).returncode
    if code != expect:
        sys.exit(f"labeler ended with exit code {code}, expected {expect}")


def shrink(source: Path, target: Path) -> None:
    """What a messenger does to a picture."""
    from PIL import Image

    with Image.open(source) as image:
        image.resize((image.width // 2, image.height // 2)).save(target, quality=50)


if __name__ == "__main__":
    main()
