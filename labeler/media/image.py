"""Pictures: bytes to arrays. The only place, with ``encode``, where Pillow (or cv2) opens pixels.

A decoded picture is a tuple of frames in *display* orientation: EXIF orientation is applied here and
undone by ``encode``, so that no layer has to know about it. Frames are grayscale or RGB, 8 or 16 bits,
with alpha beside them; palettes, bilevel, CMYK and 1-to-4-bit samples are mapped to these.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from labeler.errors import DamagedMedia, DependencyMissing, LabelerError, UnsupportedMedia
from labeler.media.limits import DEFAULT_LIMITS, Limits
from labeler.media.sniff import extension_matches, modality_of, sniff
from labeler.types import MediaInfo

__all__ = ["Array", "Coding", "Frame", "Picture", "decode", "orient", "probe"]

Array = npt.NDArray[Any]

_PIL_FORMAT = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/avif": "AVIF",
    "image/heic": "HEIF",
    "image/tiff": "TIFF",
    "image/bmp": "BMP",
}
_EXIF_ORIENTATION = 0x0112
_JPEG_SUBSAMPLINGS = (0, 1, 2)  # Pillow's names for 4:4:4, 4:2:2, 4:2:0; anything else is -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame as displayed.

    Attributes:
        pixels: H x W (grayscale) or H x W x 3 (RGB), uint8 or uint16.
        alpha: H x W of the same dtype, 0 is transparent, or None where all is opaque.
        duration: ms, 0 for a still picture.
    """

    pixels: Array = field(repr=False)
    alpha: Array | None = field(default=None, repr=False)
    duration: float = 0.0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return self.pixels.shape[1], self.pixels.shape[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """What ``encode`` needs to write the picture as it came.

    Attributes:
        mode: Pillow mode of the source's first frame.
        orientation: EXIF orientation 1..8 of the stored pixels.
        options: Pillow save options that keep the source's coding and colour.
        page_options: the same for every page of a TIFF.
        cmyk: the stored CMYK samples, H x W x 4, for CMYK sources.
        notes: what of the source cannot be kept when pixels are written anew.
    """

    mode: str
    orientation: int = 1
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    page_options: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    cmyk: Array | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A decoded picture or animation."""

    info: MediaInfo
    frames: tuple[Frame, ...]
    coding: Coding

    @property
    def animated(self) -> bool:
        """True if the frames follow each other in time (the pages of a TIFF do not)."""
        return len(self.frames) > 1 and self.info.media_type != "image/tiff"


def probe(data: bytes, name: str, *, limits: Limits = DEFAULT_LIMITS) -> MediaInfo:
    """What the file is, from its header; checks the limits before any decoder runs.

    Args:
        data: the whole file.
        name: file name, only to compare its extension and to name it in errors.
        limits: pixel and frame limits.

    Raises:
        UnsupportedMedia: not a type that labeler handles.
        DamagedMedia: the header cannot be parsed.
        LimitExceeded: too many pixels or frames.
    """
    media_type = sniff(data[:64])
    modality = modality_of(media_type)
    if modality is None:
        raise UnsupportedMedia(_unsupported(media_type, len(data)), path=name)
    if media_type == "image/webp":  # its plugin allocates the canvas when it opens a file
        limits.check_frame(*_webp_canvas(data), path=name)
    with _opened(data, media_type, name) as image:
        limits.check_frame(*image.size, path=name)
        frames = int(getattr(image, "n_frames", 1))
        limits.check_animation(*image.size, frames, path=name)
        return MediaInfo(
            media_type=media_type,
            modality=modality,
            width=image.size[0],
            height=image.size[1],
            frames=frames,
            size=len(data),
            extension_matches=extension_matches(media_type, name),
        )


def _unsupported(media_type: str, size: int) -> str:
    if not size:
        return "the file is empty."
    if media_type == "application/octet-stream":
        return "the content is of no type that labeler knows."
    return f"the content is {media_type}, which this version of labeler does not label."


@contextlib.contextmanager
def _opened(data: bytes, media_type: str, name: str) -> Iterator[Image.Image]:
    """Open with exactly the plugin of the sniffed type; every failure becomes a DamagedMedia."""
    plugin = _plugin(media_type)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with plugin(io.BytesIO(data), "") as image:
                yield image
    except LabelerError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # Pillow's plugins raise nearly every built-in error on damaged files
        raise DamagedMedia(
            f"the {media_type} data is damaged or incomplete ({_one_line(error)}).",
            remedy="Get the file again from where it came.",
            path=name,
        ) from error


def _plugin(media_type: str) -> Any:
    Image.preinit()
    if media_type == "image/heic":
        try:
            import pillow_heif
        except ImportError as error:
            raise DependencyMissing(
                "HEIC needs the optional package pillow-heif.", remedy="Run: pip install 'labeler[heic]'"
            ) from error
        pillow_heif.register_heif_opener()
    elif media_type in ("image/webp", "image/avif", "image/tiff"):
        Image.init()
    if media_type == "image/jpeg":
        from PIL.JpegImagePlugin import JpegImageFile

        return JpegImageFile  # never MPO: the primary picture is the picture
    return Image.OPEN[_PIL_FORMAT[media_type]][0]


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else text[:117] + "..."


def _webp_canvas(data: bytes) -> tuple[int, int]:
    """Canvas size of a WebP file from its first chunk (RFC 9649, 2.5-2.7); 0 x 0 if it is odd."""
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    return 0, 0


def decode(data: bytes, info: MediaInfo, name: str, *, limits: Limits = DEFAULT_LIMITS) -> Picture:
    """Decode every frame; all or nothing: a file that decodes only in part is damaged.

    Raises:
        DamagedMedia: truncated or corrupt.
        UnsupportedMedia: samples that labeler cannot mark (float, 32-bit integer, LAB).
        LimitExceeded: a frame is larger than the header said.
    """
    with _opened(data, info.media_type, name) as image:
        orientation = _orientation(image, info)
        coding = Coding(mode=image.mode, orientation=orientation, **_coding(image, data, info))
        frames, pages = [], []
        for index in range(info.frames):
            if info.frames > 1:
                image.seek(index)
            limits.check_frame(*image.size, path=name)
            deep = _is_deep_rgb(image)
            image.load()
            if info.media_type == "image/tiff":
                pages.append(_tiff_options(image))
            if deep:
                pixels, alpha = _deep_rgb(data, index, info, name)
            else:
                pixels, alpha = _arrays(image, name)
            duration = float(image.info.get("duration", 0) or 0) if info.frames > 1 else 0.0
            frames.append(Frame(pixels=pixels, alpha=alpha, duration=duration))
        if image.mode == "CMYK":
            coding = Coding(
                mode="CMYK", orientation=orientation, options=coding.options, cmyk=np.asarray(image)
            )
    if pages:
        coding = Coding(
            mode=coding.mode,
            options=coding.options,
            page_options=tuple(pages),
            cmyk=coding.cmyk,
            notes=coding.notes,
        )
    if orientation != 1:
        frames = [
            Frame(
                pixels=orient(f.pixels, orientation),
                alpha=None if f.alpha is None else orient(f.alpha, orientation),
                duration=f.duration,
            )
            for f in frames
        ]
    return Picture(info=info, frames=tuple(frames), coding=coding)


def _orientation(image: Image.Image, info: MediaInfo) -> int:
    if info.media_type in ("image/tiff", "image/heic"):  # these decoders turn the pixels themselves
        return 1
    value = image.getexif().get(_EXIF_ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def orient(array: Array, orientation: int, *, inverse: bool = False) -> Array:
    """Turn stored pixels into displayed ones by EXIF orientation (Exif 2.32, tag 0x0112), or back.

    Args:
        array: H x W or H x W x C.
        orientation: 1..8.
        inverse: from displayed to stored.
    """
    quarter_turns, mirrored = {
        1: (0, False), 2: (0, True), 3: (2, False), 4: (2, True),
        5: (1, True), 6: (3, False), 7: (3, True), 8: (1, False),
    }[orientation]  # fmt: skip
    if inverse:
        array = np.rot90(array, -quarter_turns)
        return np.ascontiguousarray(array[:, ::-1] if mirrored else array)
    return np.ascontiguousarray(np.rot90(array[:, ::-1] if mirrored else array, quarter_turns))


def _arrays(image: Image.Image, name: str) -> tuple[Array, Array | None]:
    """Pixels and alpha of a loaded frame in labeler's terms."""
    mode = image.mode
    if mode == "I":
        samples = np.asarray(image)
        if samples.min() < 0 or samples.max() > 0xFFFF:
            raise _unmarkable("32-bit integer", name)
        return samples.astype(np.uint16), None
    if mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16), None
    if mode in ("F", "LAB", "HSV"):
        raise _unmarkable({"F": "32-bit float"}.get(mode, mode), name)
    if image.has_transparency_data:
        gray = mode in ("L", "LA", "La", "1")
        samples = np.asarray(image.convert("LA" if gray else "RGBA"))
        pixels = np.ascontiguousarray(samples[..., 0] if gray else samples[..., :3])
        alpha = np.ascontiguousarray(samples[..., -1])
        return pixels, None if alpha.min() == 255 and mode not in ("LA", "RGBA") else alpha
    if mode in ("L", "RGB"):
        return np.asarray(image), None
    return np.asarray(image.convert("L" if mode == "1" else "RGB")), None


def _unmarkable(samples: str, name: str) -> UnsupportedMedia:
    return UnsupportedMedia(
        f"pictures with {samples} samples can carry no visible mark or watermark.",
        remedy="Use --layers metadata,credentials, or convert the picture to 8 or 16 bits.",
        path=name,
    )


def _is_deep_rgb(image: Image.Image) -> bool:
    """True for 16-bit colour, which Pillow would cut to 8 bits."""
    return image.mode in ("RGB", "RGBA", "LA") and any(
        ";16" in str(tile[3]) for tile in getattr(image, "tile", ())
    )


def _deep_rgb(data: bytes, index: int, info: MediaInfo, name: str) -> tuple[Array, Array | None]:
    """16-bit colour through OpenCV, after Pillow has checked the header and the data."""
    import cv2

    encoded = np.frombuffer(data, np.uint8)
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    if info.frames > 1:
        ok, images = cv2.imdecodemulti(encoded, flags)
        samples = images[index] if ok and index < len(images) else None
    else:
        samples = cv2.imdecode(encoded, flags)
    if samples is None or samples.ndim != 3 or samples.dtype != np.uint16:
        raise DamagedMedia("the 16-bit picture could not be decoded.", path=name)
    pixels = np.ascontiguousarray(samples[..., 2::-1])
    return pixels, np.ascontiguousarray(samples[..., 3]) if samples.shape[2] == 4 else None


def _coding(image: Image.Image, data: bytes, info: MediaInfo) -> dict[str, Any]:
    """Save options, and notes on what cannot be kept, for the source's format."""
    options: dict[str, Any] = {}
    notes: list[str] = []
    if info.media_type == "image/jpeg":
        from PIL import JpegImagePlugin

        sampling = JpegImagePlugin.get_sampling(image)
        options = {
            "qtables": image.quantization,  # type: ignore[attr-defined]
            "subsampling": sampling if sampling in _JPEG_SUBSAMPLINGS else 0,
            "progressive": bool(image.info.get("progressive")),
        }
    elif info.media_type in ("image/webp", "image/avif", "image/heic"):
        options = {
            key: image.info[key] for key in ("icc_profile", "exif", "xmp", "loop") if image.info.get(key)
        }
        if info.media_type == "image/webp":
            options["lossless"] = _webp_is_lossless(data)
        if "background" in image.info and info.frames > 1:
            options["background"] = image.info["background"]
    elif info.media_type == "image/gif":
        options = {key: image.info[key] for key in ("loop", "comment", "background") if key in image.info}
    elif info.media_type == "image/png":
        options = {key: image.info[key] for key in ("loop",) if key in image.info}
        if image.info.get("default_image"):
            options["default_image"] = True
    if image.info.get("dpi") and info.media_type in ("image/jpeg", "image/bmp"):
        options["dpi"] = image.info["dpi"]
    if image.mode == "1":
        notes.append("a bilevel picture is written in grayscale, as a mark needs more than two levels")
    elif image.mode in ("P", "PA") and info.media_type != "image/gif":
        notes.append("a palette picture is written in full colour, as a mark needs more than its palette")
    return {"options": options, "notes": tuple(notes)}


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


_TIFF_CODING_TAGS = frozenset(
    {
        254,
        255,
        256,
        257,
        258,
        259,
        262,
        266,
        269,
        273,
        274,
        277,
        278,
        279,
        280,
        281,
        284,
        317,
        320,
        322,
        323,
        324,
        325,
    }
    | {330, 332, 334, 338, 339, 347, 512, 513, 514, 529, 530, 531, 532}
)
"""TIFF 6.0 tags that describe how the pixels are stored; the encoder sets them anew."""


def _tiff_options(image: Any) -> dict[str, Any]:
    """Compression and every descriptive tag of one TIFF page."""
    compression = image.info.get("compression", "raw")
    tags = type(image.tag_v2)()
    for tag, value in image.tag_v2.items():
        if tag not in _TIFF_CODING_TAGS:
            tags[tag] = value
            tags.tagtype[tag] = image.tag_v2.tagtype[tag]
    return {"compression": compression, "tiffinfo": tags, "big_tiff": getattr(image, "_bigtiff", False)}
