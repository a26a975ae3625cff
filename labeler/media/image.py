"""Pictures: bytes to arrays. The only place, with ``encode``, where Pillow (or cv2) opens pixels.

A decoded picture is a tuple of frames in *display* orientation: EXIF orientation is applied here and
undone by ``encode``, so that no layer has to know about it. Frames are grayscale or RGB, 8 or 16 bits,
with alpha beside them; palettes, bilevel, CMYK and 1-to-4-bit samples are mapped to these.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from labeler.errors import DamagedMedia, DependencyMissing, LabelerError, UnsupportedMedia
from labeler.media.coding import has_16_bits, losses, save_options
from labeler.media.limits import DEFAULT_LIMITS, Limits
from labeler.media.sniff import describe, extension_matches, modality_of, sniff
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
_BAND = 32  # rows


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
        compressions: Pillow's name of the compression of every page of a TIFF.
        cmyk: for every frame the stored CMYK samples, H x W x 4, or None if it is not CMYK.
        notes: what of the source cannot be kept when pixels are written anew.
    """

    mode: str
    orientation: int = 1
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    compressions: tuple[str, ...] = ()
    cmyk: tuple[Array | None, ...] = field(default=(), repr=False)
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
        raise UnsupportedMedia(describe(media_type, len(data)), path=name)
    if media_type == "image/webp":  # its plugin allocates the canvas when it opens a file
        limits.check_frame(*_webp_canvas(data), path=name)
    with _opened(data, media_type, name) as image:
        limits.check_frame(*image.size, path=name)
        if media_type == "image/tiff" and _is_raw(image):
            raise UnsupportedMedia(
                "this is a camera's raw file (DNG or the like); its pixels would be lost.",
                remedy="Export it as TIFF, PNG or JPEG first.",
                path=name,
            )
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


def _is_raw(image: Any) -> bool:
    """A DNG (tag DNGVersion), or a first directory that is a reduced picture with the real one in SubIFDs."""
    tags = image.tag_v2
    return 50706 in tags or (330 in tags and bool(int(tags.get(254, 0)) & 1))


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


def decode(
    data: bytes, info: MediaInfo, name: str, *, limits: Limits = DEFAULT_LIMITS, enough: int = 0
) -> Picture:
    """Decode every frame; all or nothing: a file that decodes only in part is damaged.

    Args:
        data: the whole file.
        info: from ``probe``.
        name: file name, for errors.
        limits: pixel limit, checked again for every frame.
        enough: px of the shorter side that suffice to look at the picture: a JPEG is then decoded at a half,
            a quarter or an eighth (in the DCT domain, every block is still read); 0 for full size.

    Raises:
        DamagedMedia: truncated or corrupt.
        UnsupportedMedia: samples that labeler cannot mark (float, 32-bit integer, LAB).
        LimitExceeded: a frame is larger than the header said.
    """
    with _opened(data, info.media_type, name) as image:
        scale = next((n for n in (8, 4, 2) if enough and min(image.size) >= n * enough), 1)
        if scale > 1 and info.media_type == "image/jpeg":
            image.draft(None, (image.width // scale, image.height // scale))
        return _decode(image, data, info, name, limits)


def _decode(image: Image.Image, data: bytes, info: MediaInfo, name: str, limits: Limits) -> Picture:
    mode, options = image.mode, save_options(image, data, info)
    notes: dict[str, None] = {}
    frames: list[Frame] = []
    compressions: list[str] = []
    cmyk: list[Array | None] = []
    deep = _Deep(data, info, name)
    orientation = 1
    if info.frames > 1 and info.media_type == "image/tiff":  # every page's size before any page's pixels
        for index in range(info.frames):
            image.seek(index)
            limits.check_frame(*image.size, path=name)
    for index in range(info.frames):
        if info.frames > 1:
            image.seek(index)
        limits.check_frame(*image.size, path=name)
        notes |= dict.fromkeys(losses(image, data, info))
        is_deep = _is_deep(image, info)
        if index == 0:
            orientation = _orientation(image, info)  # loads a PNG, whose EXIF may stand behind its pixels
        turned = _orientation_tag(image) if info.media_type == "image/tiff" else 1  # load() applies it
        image.load()
        if is_deep:
            frame = deep.frame(index, image, turned)
        else:
            pixels, alpha = _arrays(image, name)
            if info.media_type == "image/gif" and alpha is not None and alpha.min() == 255:
                alpha = None
            frame = Frame(pixels=pixels, alpha=alpha)
        duration = float(image.info.get("duration", 0) or 0) if info.frames > 1 else 0.0
        frames.append(dataclasses.replace(frame, duration=duration))
        compressions.append(str(image.info.get("compression", "raw")))
        cmyk.append(np.asarray(image) if image.mode == "CMYK" else None)
    if orientation != 1:
        frames = [_turned(frame, orientation) for frame in frames]
    coding = Coding(
        mode=mode,
        orientation=orientation,
        options=options,
        compressions=tuple(compressions) if info.media_type == "image/tiff" else (),
        cmyk=tuple(cmyk),
        notes=tuple(notes),
    )
    return Picture(info=info, frames=tuple(frames), coding=coding)


def _turned(frame: Frame, orientation: int) -> Frame:
    alpha = None if frame.alpha is None else orient(frame.alpha, orientation)
    return dataclasses.replace(frame, pixels=orient(frame.pixels, orientation), alpha=alpha)


def _orientation(image: Image.Image, info: MediaInfo) -> int:
    if info.media_type in ("image/tiff", "image/heic"):  # these decoders turn the pixels themselves
        return 1
    return _orientation_tag(image)


def _orientation_tag(image: Image.Image) -> int:
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
        samples = np.asarray(image).astype(np.uint16)
        transparent = image.info.get("transparency")
        if not isinstance(transparent, int):
            return samples, None
        return samples, np.where(samples == transparent, 0, 0xFFFF).astype(np.uint16)
    if mode in ("F", "LAB", "HSV"):
        raise _unmarkable({"F": "32-bit float"}.get(mode, mode), name)
    if image.has_transparency_data:
        gray = mode in ("L", "LA", "La", "1")
        samples = np.asarray(image.convert("LA" if gray else "RGBA"))
        pixels = np.ascontiguousarray(samples[..., 0] if gray else samples[..., :3])
        alpha = np.ascontiguousarray(samples[..., -1])
        return pixels, None if alpha.min() == 255 and mode not in ("LA", "RGBA") else alpha
    if mode not in ("L", "RGB"):
        image = image.convert("L" if mode == "1" else "RGB")
    return _bytes_of(image), None


def _bytes_of(image: Image.Image) -> Array:
    """The samples of an 8-bit picture, in bands: Pillow would collect them in small pieces and then join these."""
    pixels = np.empty((image.height, image.width, len(image.getbands())), np.uint8)
    for top in range(0, image.height, _BAND):
        bottom = min(top + _BAND, image.height)
        band = np.asarray(image.crop((0, top, image.width, bottom)))
        pixels[top:bottom] = band.reshape(bottom - top, image.width, -1)
    return pixels if pixels.shape[2] > 1 else pixels[..., 0]


def _unmarkable(samples: str, name: str) -> UnsupportedMedia:
    return UnsupportedMedia(
        f"pictures with {samples} samples can carry no visible mark or watermark.",
        remedy="Use --layers metadata,credentials, or convert the picture to 8 or 16 bits.",
        path=name,
    )


def _is_deep(image: Image.Image, info: MediaInfo) -> bool:
    """True for 16-bit colour, which Pillow would cut to 8 bits; the frames of an animated PNG are cut."""
    cut = info.media_type == "image/png" and info.frames > 1
    return not cut and image.mode in ("RGB", "RGBA", "LA") and has_16_bits(image)


class _Deep:
    """16-bit colour through OpenCV, after Pillow has checked the header and the data."""

    def __init__(self, data: bytes, info: MediaInfo, name: str) -> None:
        self._data, self._info, self._name = data, info, name
        self._pages: tuple[Array, ...] | None = None

    def frame(self, index: int, image: Image.Image, turned: int) -> Frame:
        """One frame, compared with the upper 8 bits that Pillow has decoded.

        Args:
            index: of the frame.
            image: the frame as Pillow loaded it.
            turned: the TIFF orientation that Pillow has applied.
        """
        samples = self._samples(index)
        if samples.ndim != 3 or samples.dtype != np.uint16 or samples.shape[2] not in (3, 4):
            raise self._failed()
        upper = np.asarray(image.convert("RGB"))
        candidates = (samples, orient(samples, turned))  # whether OpenCV turns TIFF depends on its version
        found = next((c for c in candidates if np.array_equal(c[..., 2::-1] >> 8, upper)), None)
        if found is None:
            raise self._failed()
        pixels = np.ascontiguousarray(found[..., 2::-1])
        transparent = image.info.get("transparency")
        if found.shape[2] == 4:
            alpha = np.ascontiguousarray(found[..., 3])
        elif isinstance(transparent, tuple):
            alpha = np.where((pixels == transparent).all(axis=2), 0, 0xFFFF).astype(np.uint16)
        else:
            alpha = None
        return Frame(pixels=pixels, alpha=alpha)

    def _samples(self, index: int) -> Array:
        import cv2

        encoded = np.frombuffer(self._data, np.uint8)
        flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
        try:
            if self._info.frames == 1:
                samples = cv2.imdecode(encoded, flags)
            else:
                if self._pages is None:
                    ok, pages = cv2.imdecodemulti(encoded, flags)
                    self._pages = tuple(pages) if ok else ()
                samples = self._pages[index] if index < len(self._pages) else None
        except cv2.error:
            samples = None
        if samples is None:
            raise self._failed()
        return samples

    def _failed(self) -> UnsupportedMedia:
        return UnsupportedMedia(
            "this kind of 16-bit picture cannot be decoded.",
            remedy="Use --layers metadata,credentials, or save the picture in a plainer form of TIFF or PNG.",
            path=self._name,
        )
