"""The sound of an Ogg file: identification headers, and the length from the last granule position.

Sources: Vorbis I specification 4.2.2, RFC 7845 sections 4 and 5.1, RFC 9639 section 10.1.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from labeler.errors import DamagedMedia, UnsupportedMedia
from labeler.media.audio.headers import Header
from labeler.media.containers import ogg
from labeler.media.containers.ogg import Page, Stream
from labeler.media.containers.stream import file_size

__all__ = ["read_ogg"]

_NO_GRANULE = (1 << 64) - 1
_OPUS_RATE = 48000
_VORBIS_BLOCK = 8192


def read_ogg(source: BinaryIO) -> Header:
    """The header of an Ogg file with one stream of sound.

    Raises:
        DamagedMedia: if its pages cannot be walked, or headers are cut off.
        UnsupportedMedia: if it holds a video, several streams of sound at once, or none.
    """
    last: Page | None = None
    first = 0
    chain = 0
    streams = ogg.streams(source, chained=False)
    sounds = [stream for stream in streams if stream.kind]
    if len(sounds) != 1:
        what = "no stream of sound that labeler knows" if not sounds else "several streams of sound at once"
        raise UnsupportedMedia(f"the Ogg file has {what}.")
    sound = sounds[0]
    for page in ogg.pages(source, sound.end):
        if page.first:
            chain += 1
        if page.serial == sound.serial and page.granule != _NO_GRANULE:
            first = first or page.granule
            last = page
    head = _identify(sound)
    frames, slack = 0, -1
    if last is not None:
        # of a stream on a single page ffmpeg cuts the padding at the wrong end: up to one block of Vorbis
        frames, slack = max(0, last.granule - head[3]), _VORBIS_BLOCK if sound.kind == "vorbis" else 0
        if chain or first > 4 * head[1] or last.granule >> 62:
            slack = -1
    bits = (int.from_bytes(sound.packets[0][27:35], "big") >> 36 & 31) + 1 if sound.kind == "flac" else 0
    damage = ""
    if last is not None and not chain and not last.flags & 4:
        damage = "the stream has no last page: it is cut off."
    seconds = frames / head[1]
    measured = round((file_size(source) - sound.end) * 8 / seconds) if seconds > 0.01 else 0
    return Header(
        container="ogg",
        codec=head[0],
        rate=head[1],
        channels=head[2],
        bits=bits,
        frames=frames,
        slack=slack,
        bit_rate=_nominal(sound) or measured,
        vbr=True,
        damage="several streams follow one another (chained)." if chain else damage,
    )


def _identify(stream: Stream) -> tuple[str, int, int, int]:
    """Codec, Hz, channels and samples to skip at the beginning."""
    data = stream.packets[0]
    if stream.kind == "vorbis" and len(data) >= 30:
        channels, rate = struct.unpack_from("<BI", data, 11)
        return "vorbis", rate, channels, 0
    if stream.kind == "opus" and len(data) >= 19:
        return "opus", _OPUS_RATE, data[9], int.from_bytes(data[10:12], "little")
    if stream.kind == "speex" and len(data) >= 80:
        rate, _, _, channels = struct.unpack_from("<IIII", data, 36)
        return "speex", rate, channels, 0
    if stream.kind == "flac" and len(data) >= 35:
        packed = int.from_bytes(data[27:35], "big")
        return "flac", packed >> 44, (packed >> 41 & 7) + 1, 0
    raise DamagedMedia(f"the {stream.kind} header is too short.")


def _nominal(stream: Stream) -> int:
    """The bit rate that a Vorbis header names, 0 if none; it tells the quality asked for, whatever the content."""
    data = stream.packets[0]
    nominal = int.from_bytes(data[20:24], "little", signed=True) if stream.kind == "vorbis" else 0
    return nominal if 0 < nominal < 10_000_000 else 0
