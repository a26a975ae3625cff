"""What stands beside the sound of a file, put around sound that was coded anew."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from labeler.errors import DamagedMedia
from labeler.media.audio import mpeg
from labeler.media.audio.info import PCM, AudioInfo
from labeler.media.containers import aiff, flac, id3, iff, isobmff, mp4, ogg, wave
from labeler.media.containers.flac import Block
from labeler.media.containers.iff import Made, Piece
from labeler.media.containers.isobmff import Box
from labeler.media.containers.ogg import Stream
from labeler.media.containers.splice import Edit
from labeler.media.containers.stream import copy_range, file_size, read_at

__all__ = ["onto", "pcm"]

_PIECE = 1 << 20


def pcm(source: BinaryIO, target: BinaryIO, info: AudioInfo, frames: int, made: Iterable[bytes]) -> None:
    """A WAVE or AIFF file with other sound: every other chunk stays, the sample count follows.

    Args:
        source: the file that the chunks come from.
        target: where the result goes.
        info: what the source is.
        frames: samples of one channel.
        made: the sound as it is stored.
    """
    width = PCM[info.codec].width if info.codec in PCM else 1
    _chunks(source, target, info, frames, Made(frames * info.channels * width, made))


def _chunks(source: BinaryIO, target: BinaryIO, info: AudioInfo, frames: int, sound: Made) -> None:
    if info.container == "wav":
        file = wave.walk(source)
        pieces = []
        for chunk in file.chunks:
            if chunk.kind == b"data" and chunk.body == info.data[0]:
                pieces.append(Piece(b"data", sound))
            elif chunk.kind == b"fact" and 4 <= chunk.size <= 64:
                rest = read_at(source, chunk.body + 4, chunk.size - 4)
                pieces.append(Piece(b"fact", min(frames, 0xFFFFFFFF).to_bytes(4, "little") + rest))
            elif chunk.kind != b"PEAK":  # the highest samples of the old sound, with a time stamp
                pieces.append(Piece(chunk.kind, chunk))
        wave.write(source, target, file.form, pieces)
        copy_range(source, target, file.end, file.size)
        return
    other = aiff.walk(source)
    pieces = []
    for chunk in other.chunks:
        if chunk.kind == b"SSND" and chunk.body <= info.data[0] <= chunk.body + chunk.size:
            pieces.append(Piece(b"SSND", Made(8 + sound.size, _behind(bytes(8), sound.pieces))))
        elif chunk.kind == b"COMM":
            comm = iff.payload(source, chunk)
            pieces.append(Piece(b"COMM", comm[:2] + frames.to_bytes(4, "big") + comm[6:]))
        elif chunk.kind != b"PEAK":
            pieces.append(Piece(chunk.kind, chunk))
    aiff.write(source, target, other.form, pieces)
    copy_range(source, target, other.end, other.size)


def _behind(first: bytes, pieces: Iterable[bytes]) -> Iterable[bytes]:
    yield first
    yield from pieces


def onto(source: BinaryIO, coded: BinaryIO, target: BinaryIO, info: AudioInfo, frames: int) -> None:
    """Sound that ffmpeg coded, with what stood beside the source's sound.

    Args:
        source: the original file.
        coded: what ffmpeg wrote: the same codec, and nothing but sound.
        target: where the result goes.
        info: what the source is.
        frames: samples of one channel that were coded.
    """
    if info.container in ("wav", "aiff"):
        size = file_size(coded)
        _chunks(source, target, info, frames, Made(size, _pieces(coded, size)))
    elif info.container == "flac":
        _flac(source, coded, target)
    elif info.container == "mp3":
        _tagged(source, coded, target, 0)
    elif info.container == "adts":
        _tagged(source, coded, target, _priming(coded))
    elif info.container == "ogg":
        _ogg(source, coded, target)
    else:
        _mp4(source, coded, target)


def _pieces(file: BinaryIO, size: int) -> Iterable[bytes]:
    for at in range(0, size, _PIECE):
        yield read_at(file, at, min(_PIECE, size - at))


def _flac(source: BinaryIO, coded: BinaryIO, target: BinaryIO) -> None:
    """All metadata blocks but STREAMINFO, and the seek table, whose offsets were those of the old frames."""
    old, new = flac.walk(source), flac.walk(coded)
    kept = [
        (block.kind, flac.payload(source, block))
        for block in old.blocks[1:]
        if block.kind not in (flac.STREAMINFO, flac.SEEKTABLE)
    ]
    copy_range(source, target, 0, old.start)

    def change(block: Block) -> Block | None:
        return block if block.kind == flac.STREAMINFO else None

    flac.rewrite(coded, target, new, change, kept)


def _priming(coded: BinaryIO) -> int:
    """Bytes of the first ADTS frame, which holds nothing but the encoder's delay.

    ADTS cannot tell a decoder to skip it. The sound of the source begins with the delay of its own encoder, so that
    nothing is missed, and every sample stays at its time.
    """
    return mpeg.adts_length(read_at(coded, 0, 7), 0)


def _tagged(source: BinaryIO, coded: BinaryIO, target: BinaryIO, skip: int) -> None:
    """The tags in front of the stream and behind it; ``skip`` bytes of the coded stream are left out."""
    size = file_size(source)
    start, end = 0, size
    while (tag := id3.find(source, start)) is not None:
        start += tag.size
    for _, begin, _ in id3.tail(source, size):
        end = begin
    copy_range(source, target, 0, min(start, size))
    copy_range(coded, target, skip, file_size(coded))
    copy_range(source, target, end, size)


def _ogg(source: BinaryIO, coded: BinaryIO, target: BinaryIO) -> None:
    """The comment packet, in which covers and chapters stand too."""
    old = next(stream for stream in ogg.streams(source, chained=False) if stream.kind)

    def change(number: int, stream: Stream) -> bytes | None:
        if stream.kind != old.kind:
            raise DamagedMedia(f"ffmpeg wrote {stream.kind!r} for {old.kind!r}.")
        if old.kind == "flac":  # a metadata block: whether it is the last one is for the new stream to say
            return stream.comment[:1] + old.comment[1:]
        return old.comment if number == 0 else None

    ogg.rewrite(coded, target, change)


def _mp4(source: BinaryIO, coded: BinaryIO, target: BinaryIO) -> None:
    """User data, metadata and XMP of the movie."""
    old_top = mp4.top_level(source)
    data, moov = mp4.header(source, old_top)
    kept = [item for item in isobmff.children(data, moov) if item.kind in (b"udta", b"meta")]
    extra = b"".join(data[item.start : item.end] for item in kept)
    packets = b"".join(mp4.load(source, item) for item in old_top if _is_xmp(source, item))
    new_top = mp4.top_level(coded)
    new_data, new_moov = mp4.header(coded, new_top)
    nested = [
        ((new_moov,), Edit(item.start, item.end, b""))
        for item in isobmff.children(new_data, new_moov)
        if item.kind in (b"udta", b"meta")
    ]
    nested.append(((new_moov,), Edit(new_moov.end, new_moov.end, extra)))
    mp4.rewrite(coded, target, new_top, mp4.apply(new_data, nested), behind=packets)


def _is_xmp(source: BinaryIO, item: Box) -> bool:
    return item.kind == b"uuid" and not item.open and read_at(source, item.body, 16) == mp4.XMP_UUID
