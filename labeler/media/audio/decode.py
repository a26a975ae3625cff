"""Sound files as float blocks: PCM is read here, every other codec by ffmpeg.

Nothing is trusted to be whole: ffmpeg has to end well with all its checks on, has to give the rate and channels of the
header, and as many samples as the header tells. A file that fails is never labelled.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labeler.errors import DamagedMedia, LimitExceeded, UnsupportedMedia
from labeler.media import ffmpeg
from labeler.media.audio import pcm
from labeler.media.audio.headers import wave_format
from labeler.media.audio.info import PCM, AudioInfo
from labeler.media.containers import ogg
from labeler.media.limits import DEFAULT_LIMITS, Limits

__all__ = ["MAX_CHANNELS", "Decoded", "blocks", "decoded_format", "is_native", "mono"]

MAX_CHANNELS = 8
"""Channels that the signal layers take: 7.1."""

_CHECKS = "crccheck+bitstream+buffer+explode"
_VORBIS_BLOCK = 8192
"""Samples that ffmpeg may give beyond the end of a Vorbis stream of one page, whose padding it does not cut."""

_KNOWN = frozenset(
    {*PCM, "flac", "alac", "mp3", "mp2", "mp1", "aac", "vorbis", "opus", "speex", "pcm_alaw", "pcm_mulaw"}
    | {"adpcm_ms", "adpcm_ima_wav", "gsm_ms"}
)
"""Decoders that may run on what a stranger sent."""


def is_native(info: AudioInfo) -> bool:
    """True for sound that is read and written without ffmpeg."""
    return info.codec in PCM and info.container in ("wav", "aiff")


def blocks(
    path: Path,
    info: AudioInfo,
    *,
    seconds: float = 10.0,
    strict: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> Generator[NDArray[np.float32], None, None]:
    """The sound of a file from its beginning to its end.

    Args:
        path: the file.
        info: what ``probe`` found in it.
        seconds: length of a block; the last one may be shorter.
        strict: refuse a file that is cut or damaged. Without it, what can be decoded of it is given, for
            those who only look.
        limits: what is refused; a stream that does not tell its length is measured while it is decoded.

    Yields:
        float32 (frames, channels), full scale 1; every frame of the file once. Channels are in the order of
        WAVE (front left, front right, front centre, low frequency, ...).

    Raises:
        DamagedMedia: the file is cut off, damaged, or decodes to something else than its header says.
        UnsupportedMedia: a codec, or more channels, than labeler marks.
        LimitExceeded: too long.
    """
    if info.channels > MAX_CHANNELS or info.codec not in _KNOWN:
        what = f"{info.channels} channels" if info.codec in _KNOWN else f"the codec {info.codec!r}"
        raise UnsupportedMedia(
            f"labeler does not decode {what}.", remedy="Use --layers metadata,credentials.", path=path
        )
    if strict and info.damage:
        raise DamagedMedia(info.damage, remedy="Convert it afresh from a whole file.", path=path)
    size = max(1, round(seconds * info.sample_rate))
    if is_native(info):
        for piece in pcm.read(path, info, size):
            yield pcm.to_float(piece, PCM[info.codec], info.channels)
        return
    if strict and info.container == "ogg":
        with path.open("rb") as file:
            ogg.check(file)
    with Decoded(path, info, strict=strict) as decoder:
        if (decoder.rate, decoder.channels) != (info.sample_rate, info.channels):
            raise DamagedMedia(
                f"the header says {info.channels} channels at {info.sample_rate} Hz, and the sound has "
                f"{decoder.channels} at {decoder.rate} Hz.",
                path=path,
            )
        yield from _counted(decoder, info, size, strict=strict, limits=limits, path=path)


def _counted(
    decoder: Decoded, info: AudioInfo, size: int, *, strict: bool, limits: Limits, path: Path
) -> Iterator[NDArray[np.float32]]:
    """Blocks of what ffmpeg gives, without what it gives beyond the end of an Ogg stream."""
    trims = info.container == "ogg" and info.slack >= 0
    count = 0
    while (block := decoder.read(size)).size:
        kept = block[: max(0, info.frames - count)] if trims else block
        count += len(block)
        limits.check_seconds(count / info.sample_rate, path=path)
        if len(kept):
            yield kept
    if not strict:
        return
    decoder.finish()
    surplus = count - info.frames
    if not count or (
        info.slack >= 0 and not -info.slack <= surplus <= max(info.slack, _VORBIS_BLOCK * trims)
    ):
        raise DamagedMedia(
            f"the header tells {info.frames} samples, and {count} can be decoded.",
            remedy="The file is cut off or damaged; convert it afresh from a whole one.",
            path=path,
        )


class Decoded:
    """ffmpeg decoding a file; a context.

    ffmpeg writes WAVE, whose header tells what it really found: rate, channels and their layout.

    Attributes:
        rate: Hz.
        channels: number of channels.
        mask: channel mask as in WAVE, 0 for mono and stereo.
    """

    def __init__(
        self, path: Path, info: AudioInfo, *, strict: bool = True, seconds: float | None = None
    ) -> None:
        # for the decoder only: a damaged cover in the tags is no damaged sound
        options: dict[str, object] = {"err_detect:a": _CHECKS} if strict else {}
        if seconds is not None:
            options["t"] = seconds
        demuxer = ffmpeg.DEMUXERS[info.info.media_type]
        node = ffmpeg.source(path, demuxer, **options)["a:0"]
        out = node.output("pipe:", f="wav", acodec="pcm_f32le", fflags="+bitexact", map_metadata=-1)
        out = out.global_args("-xerror") if strict else out
        self._path = path
        self._reader = ffmpeg.Reader(out, path=path, what="decode")
        self.rate = self.channels = self.mask = 0

    def __enter__(self) -> Decoded:
        self._reader.__enter__()
        try:
            self._header()
        except BaseException:
            self._reader.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._reader.__exit__(None, None, None)

    def _header(self) -> None:
        head = self._reader.read(12)
        if len(head) < 12:
            self._reader.finish()
            raise DamagedMedia("there is no sound in it that can be decoded.", path=self._path)
        for _ in range(16):
            head = self._reader.read(8)
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"data" or len(head) < 8:
                return
            if size > 1 << 16:
                break
            body = self._reader.read(size + (size & 1))
            if head[:4] == b"fmt ":
                _, self.channels, self.rate, _, _, self.mask = wave_format(body)
        raise LimitExceeded("ffmpeg gave no WAVE header.", path=self._path)

    def read(self, frames: int) -> NDArray[np.float32]:
        """Up to so many frames, (frames, channels); fewer only at the end."""
        buffer = np.empty(frames * self.channels, "<f4")
        count = self._reader.readinto(buffer) // (4 * self.channels)
        return buffer[: count * self.channels].reshape(count, self.channels).astype(np.float32, copy=False)

    def finish(self) -> None:
        """Raise DamagedMedia unless ffmpeg ended well."""
        self._reader.finish()


def mono(path: Path, info: AudioInfo, rate: int, *, seconds: float) -> NDArray[np.float32]:
    """The beginning of a short file as one channel at another rate.

    Args:
        path: the file.
        info: what ``probe`` found in it.
        rate: Hz, of the result.
        seconds: not more than so much is read.

    Returns:
        float32 (n,), full scale 1.
    """
    node = ffmpeg.source(path, ffmpeg.DEMUXERS[info.info.media_type], err_detect=_CHECKS)["a:0"]
    out = node.output("pipe:", f="f32le", acodec="pcm_f32le", ac=1, ar=rate, t=seconds)
    data = ffmpeg.run(
        out.global_args("-xerror"), path=path, what="decode", limit=4 * int(rate * (seconds + 1))
    )
    return np.frombuffer(data, "<f4").astype(np.float32)


def decoded_format(path: Path, info: AudioInfo) -> tuple[int, int, int]:
    """Rate, channels and channel mask as the decoder finds them, from the first moment of the sound.

    Raises:
        DamagedMedia: if it cannot be decoded.
    """
    with Decoded(path, info, strict=False, seconds=0.1) as decoder:
        return decoder.rate, decoder.channels, decoder.mask
