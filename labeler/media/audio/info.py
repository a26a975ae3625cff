"""What labeler knows of a sound file from its headers."""

from __future__ import annotations

from dataclasses import dataclass

from labeler.types import MediaInfo

__all__ = ["PCM", "AudioInfo", "Pcm", "layout_name"]


@dataclass(frozen=True, slots=True)
class Pcm:
    """How one uncompressed sample is stored.

    Attributes:
        dtype: numpy type of a sample; 24-bit integers, which numpy lacks, have ``i3`` in its place.
        scale: full scale; a float sample times this is the stored number.
        offset: what silence is stored as (128 in unsigned 8-bit).
    """

    dtype: str
    scale: float
    offset: int = 0

    @property
    def width(self) -> int:
        """Bytes."""
        return int(self.dtype[2:])

    @property
    def is_float(self) -> bool:
        """True for floating point."""
        return self.dtype[1] == "f"


PCM: dict[str, Pcm] = {
    "pcm_u8": Pcm("|u1", 128.0, 128),
    "pcm_s8": Pcm("|i1", 128.0),
    "pcm_s16le": Pcm("<i2", 32768.0),
    "pcm_s16be": Pcm(">i2", 32768.0),
    "pcm_s24le": Pcm("<i3", 8388608.0),
    "pcm_s24be": Pcm(">i3", 8388608.0),
    "pcm_s32le": Pcm("<i4", 2147483648.0),
    "pcm_s32be": Pcm(">i4", 2147483648.0),
    "pcm_f32le": Pcm("<f4", 1.0),
    "pcm_f32be": Pcm(">f4", 1.0),
    "pcm_f64le": Pcm("<f8", 1.0),
    "pcm_f64be": Pcm(">f8", 1.0),
}
"""Codecs, by ffmpeg's names, that labeler reads and writes itself."""

LOSSLESS = frozenset({*PCM, "flac", "alac"})

_NAMES = {
    0x4: "mono",
    0x3: "stereo",
    0x7: "3.0",
    0xB: "2.1",
    0x33: "quad",
    0x107: "4.0",
    0x37: "5.0",
    0x607: "5.0(side)",
}
_NAMES |= {0x3F: "5.1", 0x60F: "5.1(side)", 0x70F: "6.1", 0x63F: "7.1", 0xFF: "7.1(wide)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioInfo:
    """What a sound file is.

    Attributes:
        info: the part that all rooms share; rate, channels, codec and duration stand there.
        container: ``wav``, ``flac``, ``mp3``, ``adts``, ``ogg``, ``mp4`` or ``aiff``.
        mask: channel mask as in WAVE (bit 0 front left, ...), 0 where the header does not tell.
        bits: of an integer or float sample as stored, 0 for lossy codecs.
        bit_rate: bits a second, mean over the file.
        vbr: true if the bit rate varies from frame to frame (MPEG).
        frames: samples of one channel that the decoder has to give, 0 if unknown.
        slack: by how many samples the decoder may differ from ``frames``; -1 where ``frames`` is a guess.
        data: first byte of uncompressed sound and the byte behind it, (0, 0) for other codecs.
        damage: why a stream without a frame around it is not whole (cut MP3), or "".
    """

    info: MediaInfo
    container: str
    mask: int = 0
    bits: int = 0
    bit_rate: int = 0
    vbr: bool = False
    frames: int = 0
    slack: int = 0
    data: tuple[int, int] = (0, 0)
    damage: str = ""

    @property
    def codec(self) -> str:
        """As ffmpeg names it."""
        return self.info.codec

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.info.channels

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.info.sample_rate

    @property
    def is_float(self) -> bool:
        """True for floating point samples."""
        return self.codec in PCM and PCM[self.codec].is_float

    @property
    def lossless(self) -> bool:
        """True if the codec gives back the very samples that went in."""
        return self.codec in LOSSLESS

    @property
    def layout(self) -> str:
        """Name of the channel layout, for people."""
        return layout_name(self.mask, self.channels)


def layout_name(mask: int, channels: int) -> str:
    """Name of a channel layout.

    >>> layout_name(0x3F, 6), layout_name(0, 1)
    ('5.1', 'mono')
    """
    if not mask and channels <= 2:
        mask = 0x4 if channels == 1 else 0x3
    return _NAMES.get(mask, f"{channels} channels")
