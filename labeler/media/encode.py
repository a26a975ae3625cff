"""Pictures: arrays to bytes, coded as the source was, with everything the source carried beside its pixels.

JPEG keeps its quantisation tables, subsampling and progressive scan; PNG, TIFF and lossless WebP stay
lossless; lossy WebP, AVIF and HEIC do not store the quality they were written with, so they are written
at a quality at which the loss is small (``QUALITY``). Metadata is grafted from the source unchanged.
"""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from labeler.errors import OutputError
from labeler.media import animation, tiffpages
from labeler.media.containers import graft
from labeler.media.image import Array, Coding, Frame, Picture, orient

__all__ = ["QUALITY", "encode"]

QUALITY = {"image/webp": 90, "image/avif": 85, "image/heic": 90}
"""Default quality of lossy formats that do not say which quality they were written with."""

_TIFF_LOSSLESS = frozenset({"raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "lzma", "zstd"})
_TIFF_DEEP = {"raw": 1, "tiff_lzw": 5, "tiff_adobe_deflate": 8, "packbits": 32773}
"""Compressions that OpenCV writes, with their numbers in tag 259."""
_TIFF_JPEG_QUALITY = 90
_DEFLATE = "tiff_adobe_deflate"


def encode(
    picture: Picture, frames: Sequence[Frame], source: bytes, *, quality: int | None = None
) -> tuple[bytes, tuple[str, ...]]:
    """Write ``frames`` as the format and coding of ``picture``.

    Args:
        picture: as ``decode`` gave it.
        frames: frames to write, in display orientation, same count and sizes.
        source: the file that ``picture`` was decoded from; its metadata is kept.
        quality: 1..100 for lossy formats, in place of the source's.

    Returns:
        The file, and notes on what could not be kept.

    Raises:
        OutputError: the encoder refuses the picture.
    """
    media_type, coding = picture.info.media_type, picture.coding
    stored = [_stored(frame, coding) for frame in frames]
    notes: list[str] = [*coding.notes]
    try:
        if media_type == "image/tiff":
            encoded = _encode_tiff(stored, picture, source, quality, notes)
        elif media_type == "image/gif":
            encoded = animation.gif_file(source, _canvas(picture), _gif_frames(stored))
        elif _is_deep(stored[0]):
            encoded = _encode_deep(stored[0], ".png")
        elif media_type == "image/bmp" and stored[0].alpha is not None:
            encoded = _encode_bmp(stored[0], coding)
        else:
            encoded = _encode(stored, picture, quality)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        RuntimeError,
        OverflowError,
        struct.error,
    ) as error:
        raise OutputError(f"the picture cannot be written as {media_type}: {error}.") from error
    grafted, more = graft(source, encoded, media_type)
    return grafted, tuple(dict.fromkeys((*notes, *more)))


def _canvas(picture: Picture) -> tuple[int, int]:
    return picture.info.width, picture.info.height


def _is_deep(frame: Frame) -> bool:
    """True for what Pillow has no mode for: 16-bit colour, and 16-bit gray with alpha."""
    return frame.pixels.dtype == np.uint16 and (frame.pixels.ndim == 3 or frame.alpha is not None)


def _stored(frame: Frame, coding: Coding) -> Frame:
    if coding.orientation == 1:
        return frame
    return Frame(
        pixels=orient(frame.pixels, coding.orientation, inverse=True),
        alpha=None if frame.alpha is None else orient(frame.alpha, coding.orientation, inverse=True),
        duration=frame.duration,
    )


def _image(frame: Frame, cmyk: Array | None = None) -> Image.Image:
    """A Pillow image of one stored frame; CMYK if the source was."""
    if cmyk is not None:
        return Image.fromarray(_to_cmyk(frame.pixels, cmyk), "CMYK")
    if frame.alpha is None:
        return Image.fromarray(frame.pixels)
    return Image.fromarray(np.dstack([frame.pixels, frame.alpha]))


def _to_cmyk(rgb: Array, original: Array) -> Array:
    """CMYK samples that show ``rgb`` by the plain conversion R = (255-C)(255-K)/255, ink as in the original.

    Black stays where it was unless a pixel became brighter than its black allows, so that unmarked pixels
    come back as they were (within rounding) and the file's own colour profile goes on holding.
    """
    black = np.minimum(original[..., 3:].astype(np.float32), 255.0 - rgb.max(axis=2, keepdims=True))
    paper = np.maximum(255.0 - black, 1.0)
    ink = 255.0 - np.minimum(rgb * 255.0 / paper, 255.0)
    unchanged = np.abs((255.0 - original[..., :3]) * (255.0 - original[..., 3:]) / 255.0 - rgb) < 1.0
    ink = np.where(unchanged, original[..., :3], ink)
    cmyk: Array = np.rint(np.concatenate([ink, black], axis=2)).astype(np.uint8)
    return cmyk


def _encode(frames: list[Frame], picture: Picture, quality: int | None) -> bytes:
    """JPEG, PNG, WebP, AVIF, HEIC and BMP through Pillow."""
    media_type, coding = picture.info.media_type, picture.coding
    images = [_image(frame, cmyk) for frame, cmyk in zip(frames, coding.cmyk, strict=True)]
    options: dict[str, Any] = dict(coding.options)
    if media_type == "image/jpeg" and quality is not None:
        options.pop("qtables", None)
        options["quality"] = quality
    elif media_type in QUALITY and not options.get("lossless"):
        options["quality"] = quality or QUALITY[media_type]
    if len(images) > 1:
        durations = [round(frame.duration) if media_type in QUALITY else frame.duration for frame in frames]
        if media_type == "image/webp":
            return _encode_webp(images, durations, options)
        options |= {"save_all": True, "append_images": images[1:]}
        options["duration"] = durations[1:] if options.get("default_image") else durations
        if media_type == "image/png":
            options |= {"disposal": _disposals(images[bool(options.get("default_image")) :]), "blend": 0}
    buffer = io.BytesIO()
    images[0].save(
        buffer, {"image/heic": "HEIF"}.get(media_type, media_type.split("/")[1].upper()), **options
    )
    return buffer.getvalue()


def _disposals(images: list[Image.Image]) -> list[int]:
    """APNG disposals that keep Pillow from merging a frame into an equal one before it.

    Every frame is written whole (or as its difference from what the disposal leaves), so either serves.
    """
    disposals = [0]
    for before, after in itertools.pairwise(images):
        equal = before.mode == after.mode and before.tobytes() == after.tobytes()
        disposals.append(1 - disposals[-1] if equal else disposals[-1])
    return disposals


def _encode_webp(images: list[Image.Image], durations: list[float], options: dict[str, Any]) -> bytes:
    loop = int(options.pop("loop", 0))
    background = options.pop("background", (0, 0, 0, 0))
    if any("A" in image.mode for image in images):
        images = [image.convert("RGBA") for image in images]
    return animation.webp_file(
        list(zip(images, durations, strict=True)), loop=loop, background=background, options=options
    )


def _gif_frames(frames: list[Frame]) -> list[animation.GifFrame]:
    """Quantised frames; where nothing is transparent only what changed is written."""
    if any(frame.alpha is not None for frame in frames):
        return [animation.GifFrame(image=_quantised(_image(f)), duration=f.duration) for f in frames]
    cut = []
    before: Array | None = None
    for frame in frames:
        pixels, left, top = frame.pixels, 0, 0
        if before is not None and before.shape == pixels.shape:
            left, top, right, bottom = animation.changed_box(before, pixels)
            pixels = np.ascontiguousarray(pixels[top:bottom, left:right])
        image = _quantised(Image.fromarray(pixels))
        cut.append(animation.GifFrame(image=image, left=left, top=top, duration=frame.duration))
        before = frame.pixels
    return cut


def _quantised(image: Image.Image) -> Image.Image:
    """At most 256 colours for GIF; dithering carries the mark through the palette."""
    if image.mode == "L":
        return image
    if image.mode in ("LA", "RGBA"):
        image = image.convert("RGBA")
        transparent = np.asarray(image)[..., 3] < 128
        colours = image.convert("RGB").quantize(255, dither=Image.Dither.FLOYDSTEINBERG)
        indices = np.asarray(colours).copy()
        indices[transparent] = 255
        result = Image.fromarray(indices, "P")
        palette = (colours.getpalette("RGB") or [])[: 255 * 3]
        result.putpalette(palette + [0] * (768 - len(palette)), "RGB")
        result.info["transparency"] = 255
        return result
    return image.quantize(256, dither=Image.Dither.FLOYDSTEINBERG)


def _encode_bmp(frame: Frame, coding: Coding) -> bytes:
    """32-bit BMP with a BITMAPV4HEADER, whose masks say that there is alpha (Pillow's header does not)."""
    samples = np.asarray(_image(frame).convert("RGBA"))
    height, width = samples.shape[:2]
    body = np.ascontiguousarray(samples[::-1, :, [2, 1, 0, 3]]).tobytes()
    density = [round(value * 39.3701) for value in coding.options.get("dpi", (96, 96))]
    masks = (0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)
    header = struct.pack(
        "<IiiHHIIiiII4I", 108, width, height, 1, 32, 3, len(body), *density, 0, 0, *masks
    ) + struct.pack("<4s48x", b"BGRs")  # LCS_sRGB, little-endian
    offset = 14 + len(header)
    return struct.pack("<2sIHHI", b"BM", offset + len(body), 0, 0, offset) + header + body


def _encode_tiff(
    frames: list[Frame], picture: Picture, source: bytes, quality: int | None, notes: list[str]
) -> bytes:
    """Every page with its own compression, and the tags of the page it replaces."""
    coding = picture.coding
    pages = []
    for frame, compression, cmyk in zip(frames, coding.compressions, coding.cmyk, strict=True):
        chosen = _tiff_compression(frame, compression)
        if chosen != compression.replace("tiff_deflate", _DEFLATE).replace("tiff_jpeg", "jpeg"):
            notes.append(f"{compression} cannot code the marked picture; it is written with lossless deflate")
        if _is_deep(frame):
            pages.append(_encode_deep(frame, ".tiff", compression=chosen))
            continue
        options: dict[str, Any] = {"compression": chosen}
        if chosen == "jpeg":
            options["quality"] = quality or _TIFF_JPEG_QUALITY
        buffer = io.BytesIO()
        _image(frame, cmyk).save(buffer, "TIFF", **options)
        pages.append(buffer.getvalue())
    encoded, lost = tiffpages.assemble(source, pages)
    notes += lost
    return encoded


def _tiff_compression(frame: Frame, compression: str) -> str:
    """The source's compression if it can hold the frame, else deflate."""
    compression = {"tiff_deflate": _DEFLATE, "tiff_jpeg": "jpeg"}.get(compression, compression)
    if _is_deep(frame):
        return compression if compression in _TIFF_DEEP else _DEFLATE
    if compression == "jpeg" and frame.pixels.dtype == np.uint8 and frame.alpha is None:
        return compression
    return compression if compression in _TIFF_LOSSLESS else _DEFLATE


def _encode_deep(frame: Frame, suffix: str, *, compression: str = _DEFLATE) -> bytes:
    """16-bit colour through OpenCV (Pillow has no such mode)."""
    import cv2

    pixels = frame.pixels if frame.pixels.ndim == 3 else np.dstack([frame.pixels] * 3)
    bgr = pixels[..., ::-1]
    samples = np.ascontiguousarray(bgr if frame.alpha is None else np.dstack([bgr, frame.alpha]))
    options = [cv2.IMWRITE_TIFF_COMPRESSION, _TIFF_DEEP[compression]] if suffix == ".tiff" else []
    try:
        ok, data = cv2.imencode(suffix, samples, options)
    except cv2.error as error:
        raise OutputError(f"the 16-bit picture cannot be written: {error.err}.") from error
    if not ok:
        raise OutputError("the 16-bit picture cannot be written.")
    return data.tobytes()
