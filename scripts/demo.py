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
        "\nPictures, sound, video and texts get a mark that people see or hear, a watermark (texts only if asked "
        "for),\nGB 45438 and IPTC metadata and a signed C2PA manifest:"
    )
    samples = sorted(path for path in Path("samples").iterdir() if path.suffix != ".py" and path.is_file())
    labeler(
        "label", *samples, "-o", out / "labelled", "--profile", "all",
        "--generator", "demo-model/1.0", "--author", "labeler contributors",
    )  # fmt: skip
    print("\nWhat a receiver sees, trusting nobody beforehand:")
    beside = (".c2pa", ".aigc.json")
    labeler("verify", *sorted(p for p in (out / "labelled").iterdir() if not p.name.endswith(beside)))
    print("\nA labelled picture after a messenger: half the size, JPEG 50, all metadata gone:")
    travelled = out / "travelled.jpg"
    shrink(out / "labelled" / "landscape.jpg", travelled)
    labeler("verify", travelled)
    print("\nA labelled melody, sped up by 3 % and sent as Opus at 32 kbit/s:")
    labeler("verify", sound(out / "labelled" / "melody.mp3", out / "travelled.opus"))
    print(
        "\nA clip labelled strongly (it is small and computed, with few bits for a mark to hide in; footage bears "
        "more),\ncompressed once more (H.264, CRF 24), all metadata gone, its watermark alone:"
    )
    labeler("label", "samples/sailing.mp4", "-o", out / "strong", "--strength", "strong")
    travelled = video(out / "strong" / "sailing.mp4", out / "travelled.mp4")
    labeler("verify", travelled, "--layers", "watermark")
    print("\nSamples as they were, without labels:")
    labeler("verify", "samples/landscape.jpg", "samples/melody.mp3", expect=1)
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


def sound(source: Path, target: Path) -> Path:
    """What a careless uploader does to sound."""
    import ffmpeg

    from labeler.media import ffmpeg as engine

    fast = ffmpeg.input(f"file:{source}")["a:0"].filter("asetrate", 44_100 * 1.03).filter("aresample", 48_000)
    engine.run(fast.output(f"file:{target}", acodec="libopus", audio_bitrate="32k", map_metadata=-1))
    return target


def video(source: Path, target: Path) -> Path:
    """What a platform does to video."""
    import ffmpeg

    from labeler.media import ffmpeg as engine

    pictures = ffmpeg.input(f"file:{source}")["v:0"]
    engine.run(
        pictures.output(f"file:{target}", vcodec="libx264", crf=24, preset="veryfast", map_metadata=-1)
    )
    return target


if __name__ == "__main__":
    main()
