"""Pictures: arrays to bytes, coded as the source was, with everything the source carried beside its pixels.

JPEG keeps its quantisation tables, subsampling and progressive scan; PNG, TIFF and lossless WebP stay
lossless; lossy WebP, AVIF and HEIC do not store the quality they were written with, so they are written
at a quality at which the loss is small (``QUALITY``). Metadata is grafted from the source unchanged.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from labeler.errors import OutputError
from labeler.media.containers import graft
from labeler.media.image import Array, Coding, Frame, Picture, orient

__all__ = ["QUALITY", "encode"]

QUALITY = {"image/webp": 90, "image/avif": 85, "image/heic": 90}
"""Default quality of lossy formats that do not say which quality they were written with."""

_TIFF_LOSSY = frozenset({"jpeg", "tiff_jpeg", "webp"})


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
    try:
        if stored[0].pixels.dtype == np.uint16 and stored[0].pixels.ndim == 3:
            encoded = _encode_deep(stored, media_type)
        else:
            encoded = _encode(stored, picture, quality)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, OverflowError) as error:
        raise OutputError(f"the picture cannot be written as {media_type}: {error}.") from error
    grafted, notes = graft(source, encoded, media_type)
    return grafted, (*coding.notes, *notes)


def _stored(frame: Frame, coding: Coding) -> Frame:
    if coding.orientation == 1:
        return frame
    return Frame(
        pixels=orient(frame.pixels, coding.orientation, inverse=True),
        alpha=None if frame.alpha is None else orient(frame.alpha, coding.orientation, inverse=True),
        duration=frame.duration,
    )


def _image(frame: Frame, coding: Coding) -> Image.Image:
    """A Pillow image of one stored frame."""
    if coding.cmyk is not None:
        return Image.fromarray(_to_cmyk(frame.pixels, coding.cmyk), "CMYK")
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
    media_type, coding = picture.info.media_type, picture.coding
    images = [_image(frame, coding) for frame in frames]
    options: dict[str, Any] = dict(coding.options)
    if media_type == "image/jpeg" and quality is not None:
        del options["qtables"]
        options["quality"] = quality
    elif media_type in QUALITY and not options.get("lossless"):
        options["quality"] = quality or QUALITY[media_type]
    elif media_type == "image/gif":
        images = [_quantised(image) for image in images]
        options["disposal"] = 2 if any(frame.alpha is not None for frame in frames) else 1
        options["optimize"] = False
    elif media_type == "image/png" and len(frames) > 1:
        options |= {"disposal": 0, "blend": 0}
    if media_type == "image/tiff":
        return _encode_tiff(images, coding, quality)
    if len(images) > 1:
        options |= {"save_all": True, "append_images": images[1:]}
        durations = [round(frame.duration) for frame in frames]
        options["duration"] = durations[1:] if options.get("default_image") else durations
    buffer = io.BytesIO()
    images[0].save(
        buffer, {"image/heic": "HEIF"}.get(media_type, media_type.split("/")[1].upper()), **options
    )
    return buffer.getvalue()


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


def _encode_tiff(images: list[Image.Image], coding: Coding, quality: int | None) -> bytes:
    """Every page with its own compression and tags."""
    for image, page in zip(images, coding.page_options, strict=True):
        options = dict(page)
        if options["compression"] in _TIFF_LOSSY:
            options["quality"] = quality or 90
        if options["compression"] in ("group3", "group4", "tiff_ccitt"):
            options["compression"] = "tiff_adobe_deflate"  # bilevel codings cannot hold grey
        image.encoderinfo = options
    buffer = io.BytesIO()
    first = dict(images[0].encoderinfo)
    if len(images) > 1:
        first |= {"save_all": True, "append_images": images[1:]}
    images[0].save(buffer, "TIFF", **first)
    return buffer.getvalue()


def _encode_deep(frames: list[Frame], media_type: str) -> bytes:
    """16-bit colour through OpenCV (Pillow has no such mode)."""
    import cv2

    arrays = []
    for frame in frames:
        bgr = frame.pixels[..., ::-1]
        arrays.append(np.ascontiguousarray(bgr if frame.alpha is None else np.dstack([bgr, frame.alpha])))
    if len(arrays) > 1:
        ok, data = cv2.imencodemulti(".tiff", arrays)
    else:
        ok, data = cv2.imencode(".png" if media_type == "image/png" else ".tiff", arrays[0])
    if not ok:
        raise OutputError(f"the 16-bit picture cannot be written as {media_type}.")
    return data.tobytes()
