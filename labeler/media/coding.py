"""How a picture was coded: what it takes to code it the same way again, and what cannot be kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from PIL import Image

from labeler.types import MediaInfo

__all__ = ["has_16_bits", "losses", "save_options"]

_JPEG_SUBSAMPLINGS = (0, 1, 2)  # Pillow's names for 4:4:4, 4:2:2, 4:2:0; anything else is -1


def has_16_bits(image: Image.Image) -> bool:
    """Whether a frame that is not loaded yet has 16-bit samples, by its raw mode."""
    return any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def save_options(image: Image.Image, data: bytes, info: MediaInfo) -> dict[str, Any]:
    """Save options that keep the coding of the source."""
    options: dict[str, Any] = {}
    if info.media_type == "image/jpeg":
        from PIL import JpegImagePlugin

        sampling = JpegImagePlugin.get_sampling(image)
        options = {
            "subsampling": sampling if sampling in _JPEG_SUBSAMPLINGS else 0,
            "progressive": bool(image.info.get("progressive")),
        }
        if tables := _jpeg_tables(image):
            options["qtables"] = tables
        else:
            options["quality"] = 90
    elif info.media_type in ("image/webp", "image/avif", "image/heic"):
        options = {
            key: image.info[key] for key in ("icc_profile", "exif", "xmp", "loop") if image.info.get(key)
        }
        if info.media_type == "image/webp":
            options["lossless"] = options["exact"] = _webp_is_lossless(data)
        elif info.media_type == "image/avif":
            options["subsampling"] = _av1_coding(data)[1]
        if "background" in image.info and info.frames > 1:
            options["background"] = image.info["background"]
    elif info.media_type == "image/png":
        options = {key: image.info[key] for key in ("loop",) if key in image.info}
        if image.info.get("default_image"):
            options["default_image"] = True
    if image.info.get("dpi") and info.media_type in ("image/jpeg", "image/bmp"):
        options["dpi"] = image.info["dpi"]
    return options


def _jpeg_tables(image: Any) -> list[list[int]]:
    """Quantisation tables in the order of the components, each once at the end; [] if one is missing."""
    try:
        tables = [list(image.quantization[layer[3]]) for layer in image.layer]
    except (KeyError, IndexError):
        return []
    while len(tables) > 1 and tables[-1] == tables[-2]:
        tables.pop()
    return tables


def losses(image: Image.Image, data: bytes, info: MediaInfo) -> Iterator[str]:
    """What of a frame cannot be kept when its pixels are written anew; called before it is loaded."""
    if image.mode == "1":
        yield "a bilevel picture is written in grayscale, as a mark needs more than two levels"
    elif image.mode in ("P", "PA") and info.media_type != "image/gif":
        yield "a palette picture is written in full colour, as a mark needs more than its palette"
    if info.media_type == "image/jpeg" and image.mode == "RGB" and not _keeps_sampling(image):
        yield "the unusual chroma subsampling of the JPEG is replaced by none (4:4:4)"
    deep_gray = image.mode.startswith("I") and "transparency" in image.info
    if has_16_bits(image) and (
        image.mode == "CMYK" or (info.media_type == "image/png" and info.frames > 1 and image.mode[0] != "I")
    ):
        yield "16-bit samples are written with 8 bits"
    elif deep_gray or any("LA;16" in str(tile[3]) for tile in getattr(image, "tile", ())):
        yield "16-bit gray with transparency is written in 16-bit colour"
    if info.media_type == "image/avif" and _av1_coding(data)[0] > 8:
        yield f"{_av1_coding(data)[0]}-bit samples are written with 8 bits"
    if info.media_type == "image/heic" and int(image.info.get("bit_depth", 8)) > 8:
        yield f"{image.info['bit_depth']}-bit samples are written with 8 bits"
    if info.media_type == "image/bmp" and _bmp_has_profile(data):
        yield "the colour profile of the BMP file is not kept"


def _keeps_sampling(image: Image.Image) -> bool:
    from PIL import JpegImagePlugin

    return JpegImagePlugin.get_sampling(image) in _JPEG_SUBSAMPLINGS


def _av1_coding(data: bytes) -> tuple[int, str]:
    """Bits and chroma subsampling from the AV1 configuration box (AV1-ISOBMFF 2.3.3)."""
    at = data.find(b"av1C\x81")
    flags = data[at + 6] if 0 <= at < len(data) - 6 else 0b1100
    bits = (12 if flags & 0x20 else 10) if flags & 0x40 else 8
    if flags & 0x10:
        return bits, "4:0:0"
    return bits, {0b1100: "4:2:0", 0b1000: "4:2:2"}.get(flags & 0b1100, "4:4:4")


def _bmp_has_profile(data: bytes) -> bool:
    """Whether a BITMAPV5HEADER says that a profile is embedded or linked."""
    return int.from_bytes(data[14:18], "little") >= 124 and data[70:74] in (b"DEBM", b"KNIL")


def _webp_is_lossless(data: bytes) -> bool:
    """Whether the first frame is coded as VP8L (RFC 9649, 2.6); a frame of an animation lies in an ANMF chunk."""
    position = 12
    while position + 8 <= len(data):
        kind = data[position : position + 4]
        if kind in (b"VP8 ", b"VP8L"):
            return kind == b"VP8L"
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        position += 24 if kind == b"ANMF" else 8 + size + size % 2
    return False
