"""Label and verify every format, and write the tables of docs/formats.md from what happened."""

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

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "pipeline"))
import formats_texts
from stream_files import CLIPS, SOUNDS, clip, sound, stream_digest

import labeler
from labeler.credentials.certs import create_development_identity

ROOT = Path(__file__).resolve().parent.parent
Writer = Callable[[Image.Image, Path], object]

HEAD = """# Formats

## Pictures

Made by `make formats`: every row was labelled with all four layers and verified in that run. "Pixels kept" says whether
labelling with container layers only left the decoded pixels bit for bit as they were. PSNR is of the labelled picture
outside its visible mark against the source (frame 1), so it counts the watermark and the new coding together.

| format | metadata | credentials | watermark | layers found | pixels kept | PSNR dB | notes |
|---|---|---|---|---|---|---:|---|
"""


STREAM_HEAD = """
## Sound and video

The sample voice, and a clip of two seconds with it, written by ffmpeg in each format. "Streams kept" says whether
labelling with container layers only left every coded packet bit for bit as it was.

| format | metadata | credentials | watermark | layers found | streams kept | notes |
|---|---|---|---|---|---|---|
"""

STREAM_NAMES = {
    "16.wav": "WAV, 16 bits", "24.wav": "WAV, 24 bits", "float.wav": "WAV, float",
    "rf64.wav": "RF64", "a.flac": "FLAC", "a.mp3": "MP3",
    "a.m4a": "M4A, AAC", "vorbis.ogg": "Ogg Vorbis", "a.opus": "Opus", "a.aiff": "AIFF", "a.mp4": "MP4, H.264",
    "a.mov": "MOV, H.264", "a.mkv": "Matroska, H.264", "a.webm": "WebM, VP9", "a.avi": "AVI, MPEG-4",
    "a.ts": "MPEG-TS, H.264", "a.flv": "FLV, H.264",
}  # fmt: skip

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
| WAV, RF64 | RIFF chunk `AIGC`, XMP chunk `_PMX` | `C2PA` chunk; beside the file for RF64 and from 128 MB on |
| MP3 | ID3v2 `TXXX:AIGC`, XMP in `PRIV` | ID3v2 `GEOB`; beside the file from 128 MB on |
| FLAC | Vorbis comment `AIGC` | ID3v2 `GEOB` in front; beside the file from 128 MB on |
| Ogg Vorbis, Opus | Vorbis comment `AIGC` | `NAME.c2pa` beside the file |
| AIFF, AAC (ADTS) | XMP | `NAME.c2pa` beside the file |
| MP4, MOV, M4V, M4A | `moov.udta.meta`, key `AIGC`; XMP in a `uuid` box | `uuid` box |
| Matroska, WebM | SimpleTag `AIGC` | `NAME.c2pa` beside the file |
| AVI | LIST INFO `AIGC` | `C2PA` chunk; beside the file from 128 MB on |
| FLV | `onMetaData.AIGC` | `NAME.c2pa` beside the file |
| MPEG-TS | `NAME.ts.aigc.json` beside the file | `NAME.c2pa` beside the file |
{texts}
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


def stream_row(file: str, folder: Path, home: Path) -> str:
    """Label, verify and describe one format of sound or video."""
    source, full, quiet = folder / file, folder / "full" / file, folder / "quiet" / file
    (sound if file in SOUNDS else clip)(source)
    result = labeler.label_file(source, full, producer="demo", home=home)
    labeler.label_file(source, quiet, producer="demo", home=home, layers="metadata,credentials")
    layers = labeler.verify_file(full, home=home).layers
    found = [layer for layer in labeler.Layer if getattr(layers, layer).state is labeler.State.PRESENT]
    tracks = ("a:0",) if file in SOUNDS else ("v:0", "a:0")
    cells = (
        STREAM_NAMES[file],
        layers.metadata.carrier,
        layers.credentials.carrier,
        "yes" if layers.watermark.state is labeler.State.PRESENT else str(layers.watermark.state),
        f"{len(found)} of 4",
        "yes" if all(stream_digest(source, t) == stream_digest(quiet, t) for t in tracks) else "**no**",
        "; ".join(dict.fromkeys(note.detail for note in result.notes)),
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
        out.write(STREAM_HEAD)
        for name in (*SOUNDS, *CLIPS):
            folder = Path(temporary) / name
            folder.mkdir()
            out.write(stream_row(name, folder, home))
        folder = Path(temporary) / "texts"
        folder.mkdir()
        out.write(formats_texts.rows(folder, home))
    out.write(TAIL.replace("{texts}", formats_texts.TAIL))
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(out.getvalue(), encoding="utf-8")
    else:
        sys.stdout.write(out.getvalue())


if __name__ == "__main__":
    main()
