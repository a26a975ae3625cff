"""What a video file is, and which layouts of samples its frames are handed out in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from labeler.types import Finding, MediaInfo

__all__ = [
    "EXTENSIONS",
    "MUXERS",
    "Chapter",
    "Colour",
    "Layout",
    "Mastering",
    "Packets",
    "Stream",
    "VideoInfo",
    "layout_of",
]

EXTENSIONS: dict[str, tuple[str, ...]] = {
    "video/mp4": (".mp4", ".m4v", ".mp4v"),
    "video/quicktime": (".mov", ".qt"),
    "video/x-m4v": (".m4v", ".mp4"),
    "video/x-matroska": (".mkv", ".mk3d"),
    "video/webm": (".webm",),
    "video/x-msvideo": (".avi", ".divx"),
    "video/mp2t": (".ts", ".m2ts", ".mts", ".m2t"),
    "video/x-flv": (".flv",),
}
"""Types that are read and written, with the extensions that fit, the usual one first."""

MUXERS: dict[str, str] = {
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/x-m4v": "mp4",
    "video/x-matroska": "matroska",
    "video/webm": "webm",
    "video/x-msvideo": "avi",
    "video/mp2t": "mpegts",
    "video/x-flv": "flv",
}
"""ffmpeg's name of the writer of each type."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Planar YUV samples, 8 or 10 bits, as they go through a pipe.

    Attributes:
        name: as ffmpeg names it.
        across: luma columns per chroma column, 1 or 2.
        down: luma rows per chroma row, 1 or 2.
        depth: bits per sample, 8 or 10; 10 bits stand in the low bits of two bytes, little endian.
        fourcc: of the same layout in Matroska's uncompressed video.
    """

    name: str
    across: int
    down: int
    depth: int
    fourcc: bytes

    @property
    def sample(self) -> np.dtype[np.uint8] | np.dtype[np.uint16]:
        """Type of one sample."""
        return np.dtype(np.uint8) if self.depth == 8 else np.dtype("<u2")

    def chroma(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of a chroma plane, px, rounded up."""
        return -(-width // self.across), -(-height // self.down)

    def bytes(self, width: int, height: int, *, gray: bool = False) -> int:
        """Bytes of one frame; of its luma alone with ``gray``."""
        across, down = self.chroma(width, height)
        return (width * height + (0 if gray else 2 * across * down)) * self.sample.itemsize


LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout("yuv420p", 2, 2, 8, b"I420"),
        Layout("yuv422p", 2, 1, 8, b"Y42B"),
        Layout("yuv444p", 1, 1, 8, b"444P"),
        Layout("yuv420p10le", 2, 2, 10, b"Y3\x0b\x0a"),
        Layout("yuv422p10le", 2, 1, 10, b"Y3\x0a\x0a"),
        Layout("yuv444p10le", 1, 1, 10, b"Y3\x00\x0a"),
    )
}

_SUBSAMPLED = (
    (re.compile(r"yuvj?(420|410)p|nv12|nv21|p01\d|gray"), "420"),
    (re.compile(r"yuvj?(422|411)p|nv16|nv20|p21\d|y21\d|yuyv422|uyvy422|yvyu422|uyyvyy411"), "422"),
)
_RGB = re.compile(r"(x2)?[0a]?(rgb|bgr)|gbr|pal8|bayer|monow|monob")
_ALPHA = re.compile(r"yuva|rgba|argb|bgra|abgr|gbrap|ya\d|ayuv|vuya|uyva")


def depth_of(pix_fmt: str) -> int:
    """Bits per sample of a pixel format of ffmpeg."""
    if match := re.match(r"(?:p0|p2|p4|y2)(10|12|16)", pix_fmt):
        return int(match[1])
    if re.match(r"(rgb|bgr)48|(rgb|bgr)a64", pix_fmt):
        return 16
    match = re.search(r"(?:p|gray|ya)(9|10|12|14|16)(?:msb)?[lb]e$", pix_fmt)
    return int(match[1]) if match else 8


def has_alpha(pix_fmt: str) -> bool:
    """Whether a pixel format of ffmpeg has a plane of transparency."""
    return _ALPHA.match(pix_fmt) is not None


def is_rgb(pix_fmt: str) -> bool:
    """Whether samples are red, green and blue rather than luma and chroma."""
    return _RGB.match(pix_fmt) is not None


def layout_of(pix_fmt: str) -> Layout:
    """The layout that a pixel format is handed out in: its own where there is one, else the nearest."""
    sub = next((name for pattern, name in _SUBSAMPLED if pattern.match(pix_fmt)), "444")
    return LAYOUTS[f"yuv{sub}p" + ("10le" if depth_of(pix_fmt) > 8 else "")]


def is_exact(pix_fmt: str) -> bool:
    """Whether handing out frames in ``layout_of`` changes no sample."""
    return pix_fmt.replace("yuvj", "yuv") in LAYOUTS or pix_fmt in ("nv12", "nv16", "nv24", "p010le")


@dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """How samples mean colours, in ffmpeg's names; ``unknown`` where the file does not say.

    Attributes:
        full: True for full range (``pc``), False for video range (``tv``), None if not said.
        space: matrix coefficients.
        primaries: colour primaries.
        transfer: transfer characteristics.
        chroma: where chroma samples sit: ``left``, ``center``, ``topleft``, ...
    """

    full: bool | None = None
    space: str = "unknown"
    primaries: str = "unknown"
    transfer: str = "unknown"
    chroma: str = "unspecified"


RGB_AS = Colour(full=False, space="bt709", primaries="bt709", transfer="bt709", chroma="left")
"""How samples of red, green and blue are handed out, since all layouts are luma and chroma."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mastering:
    """Static HDR data: SMPTE ST 2086 (chromaticities x, y of R, G, B, white; cd/m2) and CTA-861.3.

    Attributes:
        primaries: red x, y, green x, y, blue x, y, white x, y; or empty.
        luminance: least and greatest, cd/m2; or empty.
        light: MaxCLL and MaxFALL, cd/m2; or empty.
    """

    primaries: tuple[float, ...] = ()
    luminance: tuple[float, ...] = ()
    light: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One track of a file.

    Attributes:
        index: its number in the file.
        kind: ``video``, ``picture`` (cover art), ``audio``, ``subtitle``, ``attachment`` or ``data``.
        codec: as ffmpeg names it.
        tag: its four-character code in the container, or "".
        language: as in the file, or "".
        sample_rate: Hz, of sound.
        channels: of sound.
        bit_rate: bits a second, 0 if not said.
        start: seconds of its first packet.
        tags: the track's own.
    """

    index: int
    kind: str
    codec: str
    tag: str = ""
    language: str = ""
    sample_rate: int = 0
    channels: int = 0
    bit_rate: int = 0
    start: float = 0.0
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter: seconds, and its title."""

    start: float
    end: float
    title: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Packets:
    """The coded frames of the picture track, in order of time.

    Attributes:
        pts: int64 (n,), presentation times in ticks of ``VideoInfo.time_base``.
        duration: int64 (n,), ticks; 0 where not said.
        key: bool (n,), true for a key frame.
        bytes: of all coded frames.
        timed: false if the file gives some frames no presentation time (AVI with B-frames).
    """

    pts: NDArray[np.int64]
    duration: NDArray[np.int64]
    key: NDArray[np.bool_]
    bytes: int
    timed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoInfo:
    """What a video file is.

    Attributes:
        info: the common part; ``width`` and ``height`` as stored, before rotation.
        demuxer: that ffmpeg is made to use.
        codec: of the picture track.
        profile: of the codec, or "".
        tag: four-character code of the picture track in the container, or "".
        pix_fmt: as stored.
        layout: in which frames are handed out.
        width: px as stored.
        height: px as stored.
        sar: width over height of one sample; 0 if the file does not say.
        rotation: degrees, anticlockwise, that a player turns the picture by.
        mirrored: a player also mirrors it from left to right, after turning.
        rate: frames a second: the usual rate of a file with changing rate.
        variable: the frames are not evenly spaced.
        time_base: seconds of one tick.
        start: time stamp at which the file begins, seconds; not 0 in most transport streams.
        colour: colour tags.
        depth: bits per sample as stored.
        alpha: has transparency.
        field_order: "" for progressive, ``tff`` or ``bff`` for interlaced pictures.
        mastering: static HDR data, or None.
        streams: all tracks, in order; the picture track is the first of kind ``video``.
        chapters: in order.
        tags: of the file.
        packets: the coded frames, or None for a video that is only being made.
        front: the index stands before the media data (MP4 "fast start").
        stamped: transport packets have arrival times before them (M2TS).
        findings: what cannot be kept when it is encoded again.
    """

    info: MediaInfo
    demuxer: str
    codec: str
    profile: str = ""
    tag: str = ""
    pix_fmt: str
    layout: Layout
    width: int
    height: int
    sar: Fraction = Fraction(0)
    rotation: float = 0.0
    mirrored: bool = False
    rate: Fraction = Fraction(25)
    variable: bool = False
    time_base: Fraction = Fraction(1, 90000)
    start: float = 0.0
    colour: Colour = Colour()
    depth: int = 8
    alpha: bool = False
    field_order: str = ""
    mastering: Mastering | None = None
    streams: tuple[Stream, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    packets: Packets | None = field(default=None, repr=False, compare=False)
    front: bool = False
    stamped: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def media_type(self) -> str:
        """MIME type by content."""
        return self.info.media_type

    def of_kind(self, kind: str) -> tuple[Stream, ...]:
        """The tracks of one kind."""
        return tuple(stream for stream in self.streams if stream.kind == kind)

    def displayed(self) -> tuple[int, int]:
        """Width and height as a player shows them, samples made square, turned; px."""
        width = max(1, round(self.width * self.sar)) if self.sar else self.width
        return (self.height, width) if round(self.rotation / 90) % 2 else (width, self.height)
