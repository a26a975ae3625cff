"""Which encoder writes a codec, at which rate; ffmpeg as a sink for blocks of sound."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from labeler.errors import LabelerError, UnsupportedMedia
from labeler.media import ffmpeg
from labeler.media.audio.info import PCM, AudioInfo
from labeler.media.audio.mpeg import nearest_rate
from labeler.types import Finding

__all__ = ["Coded", "Encoder", "of"]

_PAGE = 100_000
"""Microseconds of sound on an Ogg page at most: where all stands on one, ffmpeg cuts the padding at the wrong end."""

_LEAST_AAC = 0.6
"""Bits a sample below which the AAC-LC encoder at hand fails the ear; HE-AAC, which ffmpeg cannot write, goes lower."""


@dataclass(frozen=True, slots=True)
class Coded:
    """How to code sound.

    Attributes:
        feed: PCM codec in which the encoder is fed.
        muxer: ffmpeg's name of the format.
        options: ffmpeg options of the output.
        notes: what is not as in the source.
    """

    feed: str
    muxer: str
    options: dict[str, Any] = field(default_factory=dict)
    notes: tuple[Finding, ...] = ()


def of(info: AudioInfo) -> Coded:
    """The encoder for a file.

    Raises:
        UnsupportedMedia: there is none.
    """
    codec, container = info.codec, info.container
    if codec in ("flac", "alac"):
        return _lossless(info)
    if codec in ("pcm_alaw", "pcm_mulaw") and container in ("wav", "aiff"):
        return Coded("pcm_s16le", codec.removeprefix("pcm_"), {"acodec": codec})
    if codec in PCM and container == "mp4":
        return Coded("pcm_f32le", _mp4(info), {"acodec": codec, **_FASTSTART})
    if codec == "mp3" and container == "mp3":
        rate = nearest_rate(info.bit_rate, info.sample_rate, 3)
        return Coded("pcm_f32le", "mp3", {"acodec": "libmp3lame", **_bare_mp3(), **_mp3_rate(info, rate)})
    if codec == "mp2" and container == "mp3":
        rate = nearest_rate(info.bit_rate, info.sample_rate, 2)
        return Coded("pcm_f32le", "mp2", {"acodec": "mp2", "audio_bitrate": rate})
    if codec == "vorbis":
        return _vorbis(info)
    if codec == "opus" and container in ("ogg", "mp4"):
        rate = min(max(info.bit_rate, 6000 * info.channels), 256_000 * info.channels)
        more = _FASTSTART if container == "mp4" else {}
        form = "ogg" if container == "ogg" else _mp4(info)
        return Coded("pcm_f32le", form, {"acodec": "libopus", "audio_bitrate": rate, **more})
    if codec == "aac" and container in ("mp4", "adts"):
        return _aac(info)
    raise UnsupportedMedia(
        f"labeler cannot write {codec} in {container} again.",
        remedy="Convert the file, or use --layers metadata,credentials, which leave the sound as it is.",
    )


_FASTSTART: dict[str, Any] = {"movflags": "+faststart"}


def _mp4(info: AudioInfo) -> str:
    return "ipod" if info.codec in ("aac", "alac") else "mp4"


def _lossless(info: AudioInfo) -> Coded:
    """FLAC and ALAC of 16, 24 and 32 bits; other depths are stored in the next larger one."""
    bits = 16 if info.bits <= 16 else 24 if info.bits <= 24 else 32
    notes: tuple[Finding, ...] = ()
    if bits != info.bits:
        detail = f"the sound had {info.bits} bits a sample and is stored in {bits}; its values are the same."
        notes = (Finding(id="media.bits", severity="info", detail=detail),)
    options: dict[str, Any] = {"acodec": info.codec}
    if bits == 32:
        if info.codec == "alac":
            raise UnsupportedMedia(
                "labeler cannot write ALAC of 32 bits.", remedy="Convert it to FLAC or WAV."
            )
        options["strict"] = "experimental"
    muxer = {"ogg": "ogg", "mp4": _mp4(info)}.get(info.container, "flac")
    more = _FASTSTART if info.container == "mp4" else {}
    return Coded(f"pcm_s{bits}le", muxer, {**options, **more}, notes)


def _bare_mp3() -> dict[str, Any]:
    return {"id3v2_version": 0, "write_id3v1": 0, "write_xing": 1}


def _mp3_rate(info: AudioInfo, rate: int) -> dict[str, Any]:
    return {"abr": 1, "audio_bitrate": info.bit_rate} if info.vbr else {"audio_bitrate": rate}


def _vorbis(info: AudioInfo) -> Coded:
    """Ogg Vorbis at the quality that belongs to the bit rate: libvorbis takes only rates that it knows."""
    for rate in (info.bit_rate, info.bit_rate * 3 // 4, info.bit_rate * 4 // 3, info.bit_rate // 2, 0):
        options: dict[str, Any] = {"acodec": "libvorbis", "page_duration": _PAGE}
        options |= {"audio_bitrate": rate} if rate else {"aq": 5}
        how = Coded("pcm_f32le", "ogg", options)
        if _works(how, info):
            return how
    raise UnsupportedMedia(
        f"there is no Vorbis encoder for {info.channels} channels at {info.sample_rate} Hz."
    )


def _works(how: Coded, info: AudioInfo) -> bool:
    """Whether the encoder starts, tried with a moment of silence."""
    import ffmpeg as graph

    form = f"anullsrc=r={info.sample_rate}:cl={info.channels}c"
    node = graph.input(form, f="lavfi", t=0.01).output("pipe:", f=how.muxer, **how.options)
    try:
        ffmpeg.run(node, what="encode")
    except LabelerError:
        return False
    return True


def _aac(info: AudioInfo) -> Coded:
    """AAC-LC; a rate at which only HE-AAC sounds well is raised."""
    least = round(_LEAST_AAC * info.sample_rate * info.channels)
    most = 6 * info.sample_rate * info.channels
    rate = min(max(info.bit_rate, least), most)
    notes: tuple[Finding, ...] = ()
    if info.bit_rate < least:
        detail = f"the sound had {info.bit_rate // 1000} kbit/s and is written as AAC-LC with {rate // 1000}."
        notes = (Finding(id="media.bit_rate", severity="info", detail=detail),)
    if info.container == "adts":
        return Coded("pcm_f32le", "adts", {"acodec": "aac", "audio_bitrate": rate}, notes)
    options = {"acodec": "aac", "audio_bitrate": rate, **_FASTSTART}
    return Coded("pcm_f32le", _mp4(info), options, notes)


class Encoder:
    """ffmpeg coding what it is fed into a file; a context."""

    def __init__(self, how: Coded, info: AudioInfo, mask: int, target: Path) -> None:
        import ffmpeg as graph

        node = graph.input("pipe:", f="wav", protocol_whitelist="file,pipe")["a:0"]
        options = {
            "f": how.muxer,
            "map_metadata": -1,
            "flags": "+bitexact",
            "fflags": "+bitexact",
            **how.options,
        }
        out = node.output(f"file:{target}", **options).overwrite_output()
        self._writer = ffmpeg.Writer(out, path=info.info.media_type, what="encode")
        self._head = _wave_head(how.feed, info.sample_rate, info.channels, mask)

    def __enter__(self) -> Self:
        self._writer.__enter__()
        try:
            self._writer.write(self._head)
        except BaseException:
            self._writer.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)

    def write(self, data: bytes) -> None:
        """Code the next samples, as the encoder's feed has them."""
        self._writer.write(data)

    def finish(self) -> None:
        """Wait until everything is coded.

        Raises:
            DamagedMedia: if ffmpeg failed.
        """
        self._writer.finish()


def _wave_head(feed: str, rate: int, channels: int, mask: int) -> bytes:
    """The head of an endless WAVE stream: sizes of 0xFFFFFFFF are to the end."""
    form = PCM[feed]
    block = form.width * channels
    tag = 3 if form.is_float else 1
    guid = struct.pack("<H", tag) + bytes.fromhex("000000001000800000aa00389b71")
    body = struct.pack(
        "<HHIIHHHHI", 0xFFFE, channels, rate, rate * block, block, 8 * form.width, 22, 8 * form.width, mask
    )
    body += guid
    head = b"WAVEfmt " + struct.pack("<I", len(body)) + body + b"data\xff\xff\xff\xff"
    return b"RIFF\xff\xff\xff\xff" + head
