"""Pictures of our own making for the media tests, the same every time."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from PIL import Image, ImageCms

ICC_RGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ICC_GRAY = ICC_RGB[:16] + b"GRAY" + ICC_RGB[20:]
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="kept"/></rdf:RDF></x:xmpmeta>'
)


def scene(width: int = 96, height: int = 64, *, seed: int = 1, channels: int = 3) -> np.ndarray[Any, Any]:
    """A photograph-like uint8 picture: smooth shading, an edge and a little texture; H x W x channels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(width, height)
    bands = [
        128 + 70 * np.sin(3 * x + band + seed) + 50 * np.cos(4 * y - band) + 20 * (x > 0.5 + 0.2 * y)
        for band in range(channels)
    ]
    picture = np.stack(bands, axis=2) + rng.normal(0, 3, (height, width, 1))
    return np.clip(picture, 0, 255).astype(np.uint8)


def gray(width: int = 96, height: int = 64, *, seed: int = 1) -> np.ndarray[Any, Any]:
    """The same in one channel, H x W."""
    return np.ascontiguousarray(scene(width, height, seed=seed)[..., 0])


def deep(picture: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """16 bits, with low bytes that 8 bits would lose."""
    rng = np.random.default_rng(7)
    return picture.astype(np.uint16) << 8 | rng.integers(0, 256, picture.shape, dtype=np.uint16)


def save(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Encode with Pillow."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation: int | None = None, **texts: str) -> bytes:
    """An EXIF block with a maker, an EXIF directory and a GPS directory."""
    tags = Image.Exif()
    tags[0x010F] = "Maker of things"
    if orientation is not None:
        tags[0x0112] = orientation
    tags.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    tags.get_ifd(0x8825)[1] = "N"
    return tags.tobytes()


def tiff_rgb16(
    samples: np.ndarray[Any, Any], tags: dict[int, tuple[int, int, bytes]] | None = None, *, endian: str = "<"
) -> bytes:
    """An uncompressed TIFF of H x W x 3 or H x W x 4 uint16, with further tags {tag: (type, count, bytes)}."""
    height, width, channels = samples.shape
    raw = samples.astype(endian + "u2").tobytes()
    short = lambda *values: struct.pack(f"{endian}{len(values)}H", *values)  # noqa: E731
    long = lambda *values: struct.pack(f"{endian}{len(values)}I", *values)  # noqa: E731
    fields = {
        256: (4, 1, long(width)),
        257: (4, 1, long(height)),
        258: (3, channels, short(*[16] * channels)),
        259: (3, 1, short(1)),
        262: (3, 1, short(2)),
        273: (4, 1, long(8)),
        277: (3, 1, short(channels)),
        278: (4, 1, long(height)),
        279: (4, 1, long(len(raw))),
        **({338: (3, 1, short(2))} if channels == 4 else {}),
        **(tags or {}),
    }
    data = bytearray(struct.pack(endian + "2sHI", b"II" if endian == "<" else b"MM", 42, 0) + raw)
    entries = bytearray()
    for tag, (kind, count, value) in sorted(fields.items()):
        entries += struct.pack(endian + "HHI", tag, kind, count)
        if len(value) > 4:
            data += bytes(len(data) & 1)
            entries += struct.pack(endian + "I", len(data))
            data += value
        else:
            entries += value.ljust(4, b"\0")
    data += bytes(len(data) & 1)
    struct.pack_into(endian + "I", data, 4, len(data))
    data += struct.pack(endian + "H", len(fields)) + entries + bytes(4)
    return bytes(data)


def displayed(data: bytes) -> np.ndarray[Any, Any]:
    """What a viewer shows of the first frame: orientation applied, RGBA."""
    from PIL import ImageOps

    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGBA"))


def frames_of(data: bytes) -> list[tuple[np.ndarray[Any, Any], float]]:
    """RGBA and duration in ms of every frame."""
    found = []
    with Image.open(io.BytesIO(data)) as image:
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            image.load()
            found.append((np.asarray(image.convert("RGBA")), float(image.info.get("duration", 0) or 0)))
    return found
