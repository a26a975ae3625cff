"""Label and verify every image format, and write the table of docs/formats.md from what happened."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import labeler
from labeler.credentials.certs import create_development_identity

ROOT = Path(__file__).resolve().parent.parent
Writer = Callable[[Image.Image, Path], object]

HEAD = """# Formats

Made by `make formats`: every row was labelled with all four layers and verified in that run. "Pixels kept" says whether
labelling with container layers only left the decoded pixels bit for bit as they were. PSNR is of the labelled picture
outside its visible mark against the source (frame 1), so it counts the watermark and the new coding together.

| format | metadata | credentials | watermark | layers found | pixels kept | PSNR dB | notes |
|---|---|---|---|---|---|---:|---|
"""


TAIL = """
## Where the label goes

| format | GB 45438 and IPTC metadata | C2PA manifest |
|---|---|---|
| JPEG | APP1 XMP, property `TC260:AIGC` | APP11 JUMBF |
| PNG, APNG | iTXt `XML:com.adobe.xmp` | caBX |
| WebP | `XMP ` chunk | `C2PA` chunk |
| AVIF, HEIC | `mime` item, `application/rdf+xml` | `uuid` box |
| TIFF | tag 700 of the first page | tag 52545 |
| GIF | XMP application extension | application extension |
| BMP | `NAME.bmp.aigc.json` beside the file | `NAME.bmp.c2pa` beside the file |

Other properties of an existing XMP packet stay as they are. A file carries one AIGC label: relabelling replaces it, and
only its own producer may. The reader also accepts labels where other producers put them (PNG text, EXIF, APP9, wrapped
or glued JSON) and says what deviates from the standard.
"""


def animation(image: Image.Image, path: Path, **options: Any) -> None:
    """Four frames of a picture that moves."""
    frames = [Image.fromarray(np.roll(np.asarray(image), 24 * i, axis=1)) for i in range(4)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, loop=0, **options)


def deep(image: Image.Image, path: Path) -> None:
    """16 bits a channel."""
    import cv2

    samples = np.asarray(image)[..., ::-1].astype(np.uint16) * 257
    path.write_bytes(cv2.imencode(path.suffix, samples)[1].tobytes())


def heic(image: Image.Image, path: Path) -> None:
    """HEIC through the optional package."""
    import pillow_heif

    pillow_heif.from_pillow(image).save(path, quality=90)


FORMATS: dict[str, tuple[str, Writer]] = {
    "JPEG": ("a.jpg", lambda i, p: i.save(p, quality=90)),
    "JPEG, progressive": ("a.jpg", lambda i, p: i.save(p, quality=90, progressive=True)),
    "JPEG, grayscale": ("a.jpg", lambda i, p: i.convert("L").save(p, quality=90)),
    "JPEG, CMYK": ("a.jpg", lambda i, p: i.convert("CMYK").save(p, quality=90)),
    "PNG": ("a.png", lambda i, p: i.save(p)),
    "PNG, palette": ("a.png", lambda i, p: i.quantize(200).save(p)),
    "PNG, alpha": ("a.png", lambda i, p: i.convert("RGBA").save(p)),
    "PNG, 16 bits": ("a.png", deep),
    "PNG, animated": ("a.png", animation),
    "WebP, lossy": ("a.webp", lambda i, p: i.save(p, quality=90)),
    "WebP, lossless": ("a.webp", lambda i, p: i.save(p, lossless=True)),
    "WebP, animated": ("a.webp", lambda i, p: animation(i, p, quality=90)),
    "AVIF": ("a.avif", lambda i, p: i.save(p, quality=85)),
    "HEIC (extra)": ("a.heic", heic),
    "TIFF, LZW": ("a.tif", lambda i, p: i.save(p, compression="tiff_lzw")),
    "TIFF, 16 bits": ("a.tif", deep),
    "BMP": ("a.bmp", lambda i, p: i.save(p)),
    "GIF": ("a.gif", lambda i, p: i.save(p)),
    "GIF, animated": ("a.gif", animation),
}


def psnr(one: Path, other: Path, box: tuple[int, int, int, int] | None) -> float:
    """PSNR in dB of two pictures outside a box."""
    a, b = (np.asarray(Image.open(path).convert("RGB"), float) for path in (one, other))
    squared = ((a - b) ** 2).mean(axis=2)
    if box is not None:
        x, y, width, height = box
        squared[max(y - 8, 0) : y + height + 8, max(x - 8, 0) : x + width + 8] = np.nan
    return float(10 * np.log10(255**2 / np.nanmean(squared)))


def same_pixels(one: Path, other: Path) -> bool:
    """Whether every frame decodes to the same samples."""
    with Image.open(one) as a, Image.open(other) as b:
        count = getattr(a, "n_frames", 1)
        if count != getattr(b, "n_frames", 1):
            return False
        for frame in range(count):
            a.seek(frame)
            b.seek(frame)
            if a.tobytes() != b.tobytes():
                return False
    return True


def row(name: str, folder: Path, home: Path) -> str:
    """Label, verify and describe one format."""
    file, write = FORMATS[name]
    source, full, quiet = folder / file, folder / "full" / file, folder / "quiet" / file
    write(Image.open(ROOT / "samples" / "landscape.jpg").convert("RGB"), source)
    result = labeler.label_file(source, full, producer="demo", home=home)
    labeler.label_file(source, quiet, producer="demo", home=home, layers="metadata,credentials")
    report = labeler.verify_file(full, home=home)
    layers = report.layers
    found = [layer for layer in labeler.Layer if getattr(layers, layer).state is labeler.State.PRESENT]
    box = layers.visible.evidence[0].box if layers.visible.evidence else None
    notes = "; ".join(dict.fromkeys(note.detail for note in result.notes))
    cells = (
        name,
        layers.metadata.carrier.upper() if layers.metadata.carrier == "xmp" else layers.metadata.carrier,
        layers.credentials.carrier,
        "yes" if layers.watermark.state is labeler.State.PRESENT else str(layers.watermark.state),
        f"{len(found)} of 4",
        "yes" if same_pixels(source, quiet) else "**no**",
        f"{psnr(source, full, box):.1f}",
        notes,
    )
    return "| " + " | ".join(cells) + " |\n"


def main() -> None:
    """Write the table to the file given, or to stdout."""
    try:
        import pillow_heif

        pillow_heif.register_heif_opener()
    except ImportError:
        del FORMATS["HEIC (extra)"]
    out = io.StringIO()
    out.write(HEAD)
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary) / "home"
        os.environ["LABELER_HOME"] = str(home)
        create_development_identity(home / "credentials")
        for number, name in enumerate(FORMATS):
            folder = Path(temporary) / str(number)
            folder.mkdir()
            out.write(row(name, folder, home))
    out.write(TAIL)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(out.getvalue(), encoding="utf-8")
    else:
        sys.stdout.write(out.getvalue())


if __name__ == "__main__":
    main()
