"""How a video is written again: codecs, their settings, and the options that keep everything beside the pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labeler.errors import UnsupportedMedia
from labeler.media import ffmpeg as engine
from labeler.media.video.info import MUXERS, Stream, VideoInfo
from labeler.types import Finding

__all__ = [
    "CODECS",
    "HARDWARE",
    "MOVIES",
    "Codec",
    "Hardware",
    "codec_for",
    "command",
    "findings",
    "pixel_format",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """An encoder and what it is set to.

    Attributes:
        encoder: ffmpeg's name of it.
        quality: default constant quality (CRF), about equal to the eye across codecs.
        scale: lowest and highest CRF.
        preset: default trade of time against size, in the encoder's own words.
        presets: all that there are.
        options: always given.
        layouts: sample layouts it takes.
        odd: takes 4:2:0 pictures of odd size.
    """

    encoder: str
    quality: float
    scale: tuple[float, float]
    preset: str
    presets: tuple[str, ...]
    options: dict[str, Any]
    layouts: frozenset[str]
    odd: bool = False


_EIGHT = frozenset({"yuv420p", "yuv422p", "yuv444p"})
_TEN = frozenset({"yuv420p10le", "yuv422p10le", "yuv444p10le"})
_X26 = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
)
CODECS: dict[str, Codec] = {
    "h264": Codec(
        encoder="libx264",
        quality=20,
        scale=(0, 51),
        preset="veryfast",
        presets=_X26,
        options={},
        layouts=_EIGHT | _TEN,
    ),
    "hevc": Codec(
        encoder="libx265",
        quality=22,
        scale=(0, 51),
        preset="fast",
        presets=_X26,
        options={"x265-params": "log-level=error"},
        layouts=_EIGHT | _TEN,
    ),
    "vp9": Codec(
        encoder="libvpx-vp9",
        quality=28,
        scale=(0, 63),
        preset="4",
        presets=tuple(map(str, range(-8, 9))),
        options={"b:v": 0, "deadline": "good", "row-mt": 1},
        layouts=_EIGHT | _TEN,
        odd=True,
    ),
    "vp8": Codec(
        encoder="libvpx",
        quality=12,
        scale=(4, 63),
        preset="4",
        presets=tuple(map(str, range(-16, 17))),
        options={"b:v": "8M", "deadline": "good"},
        layouts=frozenset({"yuv420p"}),
        odd=True,
    ),
    "av1": Codec(
        encoder="libsvtav1",
        quality=28,
        scale=(0, 63),
        preset="8",
        presets=tuple(map(str, range(-1, 14))),
        options={"svtav1-params": "lp=2"},
        layouts=frozenset({"yuv420p", "yuv420p10le"}),
    ),
}
"""By the name of the codec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """A family of encoders in hardware, ``CODEC_FAMILY`` by ffmpeg's names.

    Attributes:
        qualities: options that take the constant quality.
        options: always given.
        quality: default; None for that of the codec.
        scale: lowest and highest quality; None for that of the codec.
        presets: all that there are.
        device: ffmpeg's name of the device that frames must be uploaded to, or "".
    """

    qualities: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    quality: float | None = None
    scale: tuple[float, float] | None = None
    presets: tuple[str, ...] = ()
    device: str = ""

    def encode(self, codec: str, quality: float | None) -> dict[str, Any]:
        """Options of the picture encoder."""
        level = quality if quality is not None else self.quality or CODECS[codec].quality
        out = self.options | {f"{name}:v:0": f"{level:g}" for name in self.qualities}
        if self.device:
            out |= {"init_hw_device": f"{self.device}=gpu", "filter_hw_device": "gpu"}
        return out

    def filters(self, pixels: str) -> list[str]:
        """Filters that bring frames of a planar 4:2:0 format to the encoder, semi-planar as such devices have it."""
        format_ = f"format={'p010le' if '10' in pixels else 'nv12'}"
        return [format_, "hwupload"] if self.device else [format_]


HARDWARE: dict[str, Hardware] = {
    "nvenc": Hardware(
        qualities=("cq",),
        options={"rc:v:0": "vbr", "b:v:0": 0},
        presets=("slow", "medium", "fast", *(f"p{step}" for step in range(1, 8))),
    ),
    "qsv": Hardware(qualities=("global_quality",), presets=_X26[2:-1]),
    "amf": Hardware(
        qualities=("qp_i", "qp_p"),
        options={"rc:v:0": "cqp"},
        presets=("speed", "balanced", "quality", "high_quality"),
    ),
    "vaapi": Hardware(qualities=("qp",), options={"rc_mode:v:0": "CQP"}, device="vaapi"),
    "videotoolbox": Hardware(qualities=("q",), quality=65, scale=(1, 100)),
}
"""By the name of the family. Their options follow ffmpeg's help of these encoders; no such device was at hand."""

_IN_CONTAINER: dict[str, frozenset[str]] = {
    "video/webm": frozenset({"vp8", "vp9", "av1"}),
    "video/x-flv": frozenset({"h264", "hevc", "vp9", "av1"}),
    "video/mp2t": frozenset({"h264", "hevc"}),
    "video/x-msvideo": frozenset({"h264", "vp8"}),
}
MOVIES = frozenset({"video/mp4", "video/quicktime", "video/x-m4v"})
"""Types that are ISO base media files."""
_PRESET_OPTION = {"libvpx-vp9": "cpu-used", "libvpx": "cpu-used"}
_DATE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
_STALE = ("BPS", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES", "_STATISTICS_TAGS", "_STATISTICS_WRITING_APP")
_SOUND = {"aac": "aac", "opus": "libopus", "mp3": "libmp3lame", "vorbis": "libvorbis", "mp2": "mp2", "ac3": "ac3",
          "eac3": "eac3", "flac": "flac", "alac": "alac"}  # fmt: skip


def codec_for(info: VideoInfo, codec: str | None = None) -> str:
    """The codec that a file is written in: the asked one, else its own, else H.264 (VP9 in WebM).

    Raises:
        UnsupportedMedia: the container cannot hold the asked codec, or labeler cannot write it.
    """
    fit = _IN_CONTAINER.get(info.media_type, frozenset(CODECS))
    if codec is not None:
        if codec not in fit or codec not in CODECS:
            raise UnsupportedMedia(
                f"{info.media_type} is not written with {codec}.",
                remedy=f"Use one of: {', '.join(sorted(fit))}.",
            )
        return codec
    if info.codec in fit and info.codec in CODECS:
        return info.codec
    return "vp9" if info.media_type == "video/webm" else "h264"


def findings(info: VideoInfo, codec: str, hardware: str | None = None) -> tuple[Finding, ...]:
    """What encoding in this codec changes beyond the marks, in addition to ``VideoInfo.findings``."""
    found = []
    if codec != info.codec:
        found.append(
            Finding(
                id="video.codec",
                severity="info",
                detail=f"the pictures are {codec} now; they were {info.codec}",
            )
        )
    pixels = pixel_format(info, codec, hardware)
    if pixels != info.layout.name:
        detail = f"samples are written as {pixels}, not {info.layout.name}"
        found.append(Finding(id="video.samples", severity="warn", detail=detail))
    return tuple(found)


def pixel_format(info: VideoInfo, codec: str, hardware: str | None = None) -> str:
    """The sample layout that an encoder is given; in hardware 4:2:0.

    Raises:
        UnsupportedMedia: an odd size for an encoder in hardware.
    """
    setting, layout = CODECS[codec], info.layout
    name = layout.name
    if hardware is not None:
        if info.width % 2 or info.height % 2:
            raise UnsupportedMedia(
                f"pictures of {info.width} x {info.height} have an odd side, which no encoder in hardware takes.",
                remedy="Leave --hardware out.",
            )
        return "yuv420p10le" if layout.depth > 8 else "yuv420p"
    if name not in setting.layouts:
        name = "yuv420p10le" if layout.depth > 8 and "yuv420p10le" in setting.layouts else "yuv420p"
    odd = (info.width % 2 and "444" not in name) or (info.height % 2 and "420" in name)
    return name.replace("420", "444").replace("422", "444") if odd and not setting.odd else name


def command(
    source: Path | None,
    target: Path,
    info: VideoInfo,
    *,
    codec: str,
    quality: float | None,
    preset: str | None,
    hardware: str | None,
    audio: Path | None,
    audio_demuxer: str,
) -> Any:
    """The whole ffmpeg-python node."""
    import ffmpeg

    shown: dict[str, Any] = {"noautorotate": None}
    if info.rotation:
        shown["display_rotation:v:0"] = f"{info.rotation:g}"
    if info.mirrored:
        shown["display_hflip:v:0"] = None
    raw = ffmpeg.input("pipe:", f="matroska", protocol_whitelist="pipe", copyts=None, **shown)
    streams: list[Any] = [raw["v:0"]]
    out: dict[str, Any] = {"f": MUXERS[info.media_type], "fps_mode:v:0": "passthrough", "map_chapters": "-1"}
    if source is not None:
        original = engine.source(source, info.demuxer)
        others, options = _others(original, info, audio, audio_demuxer)
        streams += others
        out |= options | {"map_chapters": "1", "map_metadata": "1"}
    out |= _picture(info, codec, quality, preset, hardware)
    out |= _container(info, codec)
    return ffmpeg.output(*streams, f"file:{target}", **out).global_args("-y", "-copyts")


def _others(
    original: Any, info: VideoInfo, audio: Path | None, audio_demuxer: str
) -> tuple[list[Any], dict[str, Any]]:
    """Everything beside the pictures: what is mapped, and the options that copy it with its tags."""
    out: dict[str, Any] = {"c": "copy", "map_metadata:s:0": f"1:s:{info.of_kind('video')[0].index}"}
    streams: list[Any] = [
        original["t:999?"]
    ]  # nothing; it makes the original input 1, also for tags and chapters
    for kind in ("audio", "picture", "subtitle", "attachment"):
        for place, stream in enumerate(info.of_kind(kind)):
            if kind == "audio" and place == 0 and audio is not None:
                given = {"itsoffset": f"{stream.start:.6f}"} if stream.start else {}
                streams.append(engine.source(audio, audio_demuxer, **given)["a:0"])
                out |= _sound(stream)
            else:
                streams.append(original[str(stream.index)])
            out[f"map_metadata:s:{len(streams) - 1}"] = f"1:s:{stream.index}"
            if kind == "picture":
                out[f"disposition:v:{place + 1}"] = "attached_pic"
    return streams, out


def _sound(stream: Stream) -> dict[str, Any]:
    """Options that encode the first sound track as it was encoded."""
    if stream.codec.startswith("pcm_"):
        return {"c:a:0": stream.codec}
    encoder = _SOUND.get(stream.codec, "aac")
    options: dict[str, Any] = {"c:a:0": encoder}
    if encoder not in ("flac", "alac"):
        options["b:a:0"] = stream.bit_rate or 64000 * max(1, stream.channels)
    return options


def _picture(
    info: VideoInfo, codec: str, quality: float | None, preset: str | None, hardware: str | None
) -> dict[str, Any]:
    """Options of the picture encoder."""
    filters = []
    if info.sar and info.sar != 1:
        filters.append(f"setsar={info.sar.numerator}/{info.sar.denominator}:max=1000000")
    pixels = pixel_format(info, codec, hardware)
    out: dict[str, Any] = {"enc_time_base:v:0": f"{info.time_base.numerator}/{info.time_base.denominator}"}
    if hardware is not None:
        family = HARDWARE[hardware]
        filters += family.filters(pixels)
        out |= family.encode(codec, quality) | {"c:v:0": f"{codec}_{hardware}"}
        out |= {"preset:v:0": preset} if preset is not None else {}
    else:
        setting = CODECS[codec]
        out |= setting.options | {"pix_fmt:v:0": pixels, "c:v:0": setting.encoder}
        out["crf:v:0"] = f"{setting.quality if quality is None else quality:g}"
        out[_PRESET_OPTION.get(setting.encoder, "preset") + ":v:0"] = preset or setting.preset
    if filters:
        out["filter:v:0"] = ",".join(filters)
    if info.field_order and codec == "h264" and hardware is None:
        out["flags:v:0"] = "+ildct+ilme"
    if codec == "h264" and _no_room_before(info):
        out["bf:v:0"] = 0
    return out


def _no_room_before(info: VideoInfo) -> bool:
    """Whether B-frames, which are decoded before time zero, would move all times (or have no place, in AVI)."""
    if info.media_type == "video/x-msvideo":
        return True
    first = (
        float(info.packets.pts[0] * info.time_base)
        if info.packets is not None and info.packets.timed
        else 0.0
    )
    return info.media_type in ("video/x-flv", "video/mp2t") and first < 4 / info.rate


def _container(info: VideoInfo, codec: str) -> dict[str, Any]:
    """Options of the container: tags, time stamps, brands, order of index and data."""
    out: dict[str, Any] = {}
    for tag in _STALE:
        for name in info.of_kind("video")[0].tags if info.of_kind("video") else ():
            if name.partition("-")[0] == tag:
                out[f"metadata:s:v:0:{name}"] = None
    if info.media_type in MOVIES:
        if info.front:
            out["movflags"] = "+faststart"
        if info.time_base.numerator == 1:
            out["video_track_timescale"] = info.time_base.denominator
        first, twice, _ = info.tags.get("creation_time", "").partition(";")
        if twice and _DATE.fullmatch(first):  # it stands in two places, and ffmpeg reads both as one text
            out["metadata:g:0"] = f"creation_time={first}"
        if info.media_type == "video/x-m4v":
            out["brand"] = "M4V "
        if codec == "hevc" and info.tag in ("hvc1", "hev1"):
            out["tag:v:0"] = info.tag
    elif info.media_type == "video/mp2t":
        out |= {"mpegts_copyts": 1, "muxdelay": 0, "muxpreload": 0, "mpegts_m2ts_mode": int(info.stamped)}
    return out
