"""Files that are meant to do harm, and processes that are watched while they handle them."""

from __future__ import annotations

import io
import os
import resource
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

LABELER = [sys.executable, "-m", "labeler"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a process ended: exit code (negative for a signal), output, seconds, peak megabytes."""

    code: int
    out: bytes
    err: bytes
    seconds: float
    megabytes: float


def watched(
    command: Sequence[str | bytes | Path],
    folder: Path,
    *,
    seconds: float = 60.0,
    address_space: int = 3 << 30,
    file_size: int | None = None,
    cwd: Path | None = None,
) -> Outcome:
    """Run a command under limits; its output goes through files, so that nothing can block."""
    out, err = folder / ".stdout", folder / ".stderr"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if file_size is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))

    started = time.monotonic()
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            [os.fspath(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            preexec_fn=limit,
            cwd=cwd,
        )
        usage: Any = None
        while usage is None:
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                usage = used
                process.returncode = os.waitstatus_to_exitcode(status)
            elif time.monotonic() - started > seconds:
                process.kill()
            else:
                os.sched_yield()
                select_briefly()
    result = Outcome(
        process.returncode,
        out.read_bytes(),
        err.read_bytes(),
        time.monotonic() - started,
        usage.ru_maxrss / 1024,
    )
    out.unlink()
    err.unlink()
    return result


def select_briefly() -> None:
    """Give the processor away for a moment while polling."""
    import select

    select.select([], [], [], 0.005)


def scene(width: int = 320, height: int = 240, *, seed: int = 1, channels: int = 3) -> np.ndarray[Any, Any]:
    """A photograph-like picture with enough texture to carry a mark."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(width, height)
    bands = [128 + 60 * np.sin(5 * x + b + seed) + 40 * np.cos(7 * y - b) for b in range(channels)]
    texture = rng.normal(0, 12, (height, width, 1))
    return np.clip(np.stack(bands, axis=2) + texture, 0, 255).astype(np.uint8)


def save(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *chunks: bytes, data: bytes | None = None) -> bytes:
    """An 8-bit gray PNG; ``data`` is the compressed picture, by default a far too short one."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    body = zlib.compress(bytes(1000)) if data is None else data
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")


def pixel_bombs() -> dict[str, bytes]:
    """Small files whose headers promise pictures of hundreds of megapixels and more."""
    side = 60_000
    jpeg = bytearray(save(Image.fromarray(scene(32, 32)), "JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", side, side)
    bmp = bytearray(save(Image.fromarray(scene(32, 32)), "BMP"))
    bmp[18:26] = struct.pack("<ii", side, side)
    gif = bytearray(save(Image.fromarray(scene(32, 32)).quantize(16), "GIF"))
    gif[6:10] = struct.pack("<HH", side, side)
    tiff = save(Image.fromarray(scene(32, 32)), "TIFF")
    for tag in (256, 257):
        entry = tiff.index(struct.pack("<HHI", tag, 3, 1)) if struct.pack("<HHI", tag, 3, 1) in tiff else -1
        if entry < 0:
            entry = tiff.index(struct.pack("<HHI", tag, 4, 1))
        tiff = tiff[:entry] + struct.pack("<HHII", tag, 4, 1, side) + tiff[entry + 12 :]
    avif = bytearray(save(Image.fromarray(scene(32, 32)), "AVIF"))
    spot = avif.index(b"ispe") + 8
    avif[spot : spot + 8] = struct.pack(">II", side, side)
    vp8l = b"\x2f" + (16383 | 16383 << 14).to_bytes(4, "little") + bytes(20)
    vp8x = struct.pack("<B3x", 0x10) + (16383).to_bytes(3, "little") * 2
    pixels = zlib.compressobj(9)
    honest = b"".join(pixels.compress(bytes(1_000_000)) for _ in range(177)) + pixels.flush()
    return {
        "b.png": png(side, side),
        "honest.png": png(13_300, 13_300, data=honest),
        "b.jpg": bytes(jpeg),
        "b.bmp": bytes(bmp),
        "b.gif": bytes(gif),
        "b.tif": tiff,
        "b.avif": bytes(avif),
        "lossless.webp": riff(b"VP8L" + struct.pack("<I", len(vp8l)) + vp8l + b"\0"),
        "extended.webp": riff(
            b"VP8X" + struct.pack("<I", 10) + vp8x + b"VP8L" + struct.pack("<I", 26) + vp8l + b"\0"
        ),
    }


def riff(chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def text_bombs(megabytes: int = 200) -> dict[str, bytes]:
    """PNG files whose compressed texts or profile swell to 200 MB."""
    squeeze = zlib.compressobj(9)
    packed = b"".join(squeeze.compress(bytes(1_000_000)) for _ in range(megabytes)) + squeeze.flush()
    picture = zlib.compress(bytes(65 * 64))
    bodies = {
        "zTXt": b"XML:com.adobe.xmp\0\0" + packed,
        "iTXt": b"XML:com.adobe.xmp\0\1\0\0\0" + packed,
        "iCCP": b"icc\0\0" + packed,
    }
    return {
        f"{kind}.png": png(64, 64, png_chunk(kind.encode(), body), data=picture)
        for kind, body in bodies.items()
    }


def frame_bombs() -> dict[str, bytes]:
    """Animations with too many frames, or too many pixels in all."""
    frame = b"\x21\xf9\x04\x04\x05\0\0\0\x2c" + bytes(4) + b"\1\0\1\0\0" + b"\x02\x02\x44\x01\x00"
    table = b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    picture = save(Image.fromarray(scene(16, 16)), "WEBP")[12:]
    place = bytes(6) + (15).to_bytes(3, "little") * 2 + (40).to_bytes(3, "little") + b"\2"
    anmf = b"ANMF" + struct.pack("<I", len(place) + len(picture)) + place + picture
    head = b"VP8X" + struct.pack("<I", 10) + b"\2\0\0\0" + (15).to_bytes(3, "little") * 2
    anim = b"ANIM" + struct.pack("<I", 6) + bytes(6)
    control = png_chunk(b"acTL", struct.pack(">II", 2_000_000, 0))
    return {
        "pixels.gif": b"GIF89a" + struct.pack("<HH", 2000, 2000) + table + frame * 300 + b";",
        "frames.gif": b"GIF89a" + struct.pack("<HH", 8, 8) + table + frame * 10_001 + b";",
        "frames.webp": riff(head + anim + anmf * 10_001),
        "frames.png": png(64, 64, control, data=zlib.compress(bytes(65 * 64))),
    }
