"""What a sound file is, from its own headers: no decoder runs, except for AAC whose headers hide SBR."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from labeler.errors import DamagedMedia, LimitExceeded, UnsupportedMedia
from labeler.media.audio import headers, mp4sound, mpeg, oggsound
from labeler.media.audio.decode import decoded_format
from labeler.media.audio.headers import Header
from labeler.media.audio.info import AudioInfo
from labeler.media.containers import id3
from labeler.media.containers.stream import read_at
from labeler.media.limits import DEFAULT_LIMITS, Limits
from labeler.media.sniff import describe, sniff
from labeler.types import MediaInfo, Modality

__all__ = ["EXTENSIONS", "probe"]

EXTENSIONS: dict[str, tuple[str, ...]] = {
    "audio/wav": (".wav", ".wave", ".rf64", ".bw64", ".bwf"),
    "audio/flac": (".flac",),
    "audio/mpeg": (".mp3", ".mp2", ".mpga"),
    "audio/mp4": (".m4a", ".m4b", ".mp4"),
    "audio/ogg": (".ogg", ".opus", ".oga", ".spx"),
    "audio/aac": (".aac", ".adts"),
    "audio/aiff": (".aiff", ".aif", ".aifc"),
}
"""Types of sound that labeler labels, with the extensions that fit, the usual one first."""

_READERS: dict[str, Callable[[BinaryIO], Header]] = {
    "audio/wav": headers.read_wave,
    "audio/flac": headers.read_flac,
    "audio/mpeg": mpeg.read_mpeg,
    "audio/mp4": mp4sound.read_mp4,
    "audio/ogg": oggsound.read_ogg,
    "audio/aac": mpeg.read_adts,
    "audio/aiff": headers.read_aiff,
}
_SBR_BELOW = 24000
_MAX_RATE = 1_000_000
_MAX_CHANNELS = 64


def probe(file: BinaryIO, size: int, name: str, *, limits: Limits = DEFAULT_LIMITS) -> AudioInfo:
    """What a sound file is; its content decides, never the name.

    Args:
        file: seekable.
        size: bytes.
        name: file name, for ``extension_matches`` and errors.
        limits: what is refused.

    Raises:
        UnsupportedMedia: not a type of sound that labeler handles.
        DamagedMedia: the headers contradict themselves, or the file is cut off.
        LimitExceeded: too long or too large.
    """
    limits.check_stream(size, path=name)
    head = read_at(file, 0, 4096)
    media_type = _refined(file, sniff(head))
    reader = _READERS.get(media_type)
    if reader is None:
        raise UnsupportedMedia(describe(media_type, size), path=name)
    try:
        header = reader(file)
    except (DamagedMedia, UnsupportedMedia, LimitExceeded) as error:
        error.path = error.path or name
        raise
    if header.codec == "aac" and header.rate <= _SBR_BELOW and Path(name).is_file():
        header = _with_sbr(header, Path(name), media_type, size)
    if not 0 < header.rate <= _MAX_RATE or not 0 < header.channels <= _MAX_CHANNELS:
        raise DamagedMedia(
            f"{header.channels} channels at {header.rate} Hz cannot be; the header is damaged.", path=name
        )
    limits.check_seconds(header.frames / header.rate, path=name)
    suffix = name[name.rfind(".") :].lower() if "." in name.rpartition("/")[2][1:] else ""
    return _info(header, media_type, size, not suffix or suffix in EXTENSIONS[media_type])


def _info(header: Header, media_type: str, size: int, matches: bool = True) -> AudioInfo:
    return AudioInfo(
        info=MediaInfo(
            media_type=media_type,
            modality=Modality.AUDIO,
            size=size,
            extension_matches=matches,
            duration=round(header.frames / header.rate, 6),
            codec=header.codec,
            sample_rate=header.rate,
            channels=header.channels,
        ),
        container=header.container,
        mask=header.mask,
        bits=header.bits,
        bit_rate=header.bit_rate,
        vbr=header.vbr,
        frames=header.frames,
        slack=header.slack,
        data=header.data,
        damage=header.damage,
    )


def _with_sbr(header: Header, path: Path, media_type: str, size: int) -> Header:
    """Spectral band replication need not be declared: only the decoder sees that it doubles the rate."""
    rate, channels, _ = decoded_format(path, _info(header, media_type, size))
    if rate == header.rate and channels == header.channels:
        return header
    frames = header.frames * rate // header.rate
    return dataclasses.replace(
        header, rate=rate, channels=channels, frames=frames, slack=max(header.slack, 4096)
    )


def _refined(file: BinaryIO, media_type: str) -> str:
    """An ID3 tag can stand in front of FLAC and ADTS too; an MP4 file can hold nothing but sound."""
    if media_type == "audio/mpeg":
        tag = id3.find(file)
        head = read_at(file, tag.size if tag is not None else 0, 4096)
        if head[:4] == b"fLaC":
            return "audio/flac"
        if mpeg.is_adts(head):
            return "audio/aac"
    if media_type in ("video/mp4", "audio/mp4"):
        return "video/mp4" if mp4sound.has_video(file) else "audio/mp4"
    return media_type
