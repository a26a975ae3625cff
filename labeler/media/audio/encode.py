"""Writing sound in the codec, rate, channels and bit depth of its source, with all that stood beside it.

ffmpeg only codes the sound. What else the source holds is grafted from it, byte for byte: chunks of WAVE and AIFF,
metadata blocks of FLAC, tags around MP3 and ADTS, the comment packet of Ogg, the user data of MP4 (covers and chapters
are in there). PCM is stored here, without ffmpeg: a sample that no layer changed comes out as it went in, dither is not
added, and a WAVE file that passes 4 GiB becomes RF64.

Lossless formats give as many samples as were written. So do Ogg Vorbis, Opus, M4A and MP3, which tell decoders what to
skip. ADTS and layer II cannot: the first frame of ADTS, the encoder's delay, is left out, so that the sound keeps its
place; layer II is moved by that delay, some 20 ms.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labeler.errors import OutputError
from labeler.media.audio import codecs, graft, pcm
from labeler.media.audio.codecs import Coded
from labeler.media.audio.decode import decoded_format, is_native
from labeler.media.audio.info import PCM, AudioInfo
from labeler.types import Finding

__all__ = ["Inserted", "check", "write"]

Blocks = Iterable[NDArray[np.float32]]
Inserted = tuple[int, int]
"""A stretch of the result that is not in the source: its first sample and its number of samples."""


def check(info: AudioInfo) -> None:
    """Whether sound of this kind can be written again; told before anything is decoded.

    Raises:
        UnsupportedMedia: there is no encoder for its codec.
    """
    if not is_native(info):
        codecs.of(info)


def write(
    source: Path,
    info: AudioInfo,
    target: Path,
    blocks: Blocks,
    *,
    inserted: Sequence[Inserted] = (),
    scratch: Callable[[], Path] | None = None,
) -> tuple[Finding, ...]:
    """Write changed sound into a file like the source.

    Args:
        source: the file that the sound came from.
        info: what ``probe`` found in it.
        target: the file to write; replaced if it is there.
        blocks: float32 (frames, channels), full scale 1, from the beginning to the end: as many frames as the source
            has, and those of ``inserted``.
        inserted: stretches that are not in the source, in order of their place in the result.
        scratch: gives the path of a new temporary file; by default one beside the target.

    Returns:
        What could not be kept as it was.

    Raises:
        UnsupportedMedia: there is no encoder for the codec.
        LimitExceeded: the container cannot hold so much.
        DamagedMedia: the source changed, or ffmpeg failed.
        OutputError: another number of frames came than was announced.
    """
    if is_native(info):
        added = sum(count for _, count in inserted)
        with source.open("rb") as old, target.open("wb") as new:
            made = _stored(source, info, blocks, inserted)
            graft.pcm(old, new, info, info.frames + added, made)
        return ()
    how = codecs.of(info)
    with _temporary(target, scratch) as part:
        written = _encode(source, info, how, blocks, part)
        if info.lossless and info.slack == 0 and written != info.frames + sum(n for _, n in inserted):
            raise OutputError(
                f"{written} frames of sound came where {info.frames} and the inserted were due."
            )
        with source.open("rb") as old, part.open("rb") as coded, target.open("wb") as new:
            graft.onto(old, coded, new, info, written)
    return how.notes


@contextlib.contextmanager
def _temporary(target: Path, scratch: Callable[[], Path] | None) -> Iterator[Path]:
    if scratch is not None:
        path = scratch()
    else:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".labeler-", delete=False) as file:
            path = Path(file.name)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _encode(source: Path, info: AudioInfo, how: Coded, blocks: Blocks, part: Path) -> int:
    """Code the sound into a file of its own; number of frames written."""
    mask = {1: 0x4, 2: 0x3}.get(info.channels) or info.mask or decoded_format(source, info)[2]
    stored = PCM[how.feed]
    count = 0
    with codecs.Encoder(how, info, mask, part) as encoder:
        for block in blocks:
            _check_shape(block, info)
            encoder.write(pcm.to_bytes(block, stored))
            count += len(block)
        encoder.finish()
    return count


def _check_shape(block: NDArray[np.float32], info: AudioInfo) -> None:
    if block.ndim != 2 or block.shape[1] != info.channels:
        raise OutputError(f"a block of shape {block.shape} does not fit {info.channels} channels.")


def _stored(source: Path, info: AudioInfo, blocks: Blocks, inserted: Sequence[Inserted]) -> Iterator[bytes]:
    """Blocks as they are stored; what float32 does not hold of the source is added where nothing was inserted."""
    form = PCM[info.codec]
    rest = _Residual(source, info, inserted) if pcm.needs_residual(form) else None
    for block in blocks:
        _check_shape(block, info)
        yield pcm.to_bytes(block, form, None if rest is None else rest.take(len(block)))


class _Residual:
    """What float32 loses of the source, in step with the result."""

    def __init__(self, source: Path, info: AudioInfo, inserted: Sequence[Inserted]) -> None:
        self._channels = info.channels
        self._pieces = self._read(source, info)
        self._left = np.zeros((0, info.channels))
        self._gaps = list(inserted)
        self._position = 0

    @staticmethod
    def _read(source: Path, info: AudioInfo) -> Iterator[NDArray[np.float64]]:
        form = PCM[info.codec]
        for piece in pcm.read(source, info, 10 * info.sample_rate):
            yield pcm.residual(piece, form, info.channels)

    def take(self, frames: int) -> NDArray[np.float64]:
        """For the next frames of the result; zero in what was inserted and behind the end."""
        result = np.zeros((frames, self._channels))
        at = 0
        while at < frames:
            start, count = self._gaps[0] if self._gaps else (1 << 62, 0)
            if self._position >= start + count:
                self._gaps.pop(0)
                continue
            inside = self._position >= start
            step = min(frames - at, (start + count if inside else start) - self._position)
            if not inside:
                step = self._fill(result[at : at + step])
                if not step:
                    return result
            at += step
            self._position += step
        return result

    def _fill(self, out: NDArray[np.float64]) -> int:
        if not len(self._left):
            self._left = next(self._pieces, self._left)
        count = min(len(out), len(self._left))
        out[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
