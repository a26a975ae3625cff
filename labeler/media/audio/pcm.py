"""Uncompressed samples: stored numbers to float and back, exactly.

A float32 holds every integer of up to 24 bits, so that a sample that no layer changed comes out as it went in.
32-bit integers and float64 do not fit; what float32 loses of them (``residual``) is added again before they are stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labeler.errors import DamagedMedia
from labeler.media.audio.info import PCM, AudioInfo, Pcm

__all__ = ["needs_residual", "read", "residual", "to_bytes", "to_float"]

Float = NDArray[np.float32]


def read(path: Path, info: AudioInfo, frames: int) -> Iterator[bytes]:
    """The stored sound of a WAVE or AIFF file, in pieces of whole blocks.

    Args:
        path: the file.
        info: what ``probe`` found.
        frames: samples of one channel in a piece.

    Raises:
        DamagedMedia: if the file is shorter than its header says.
    """
    width = PCM[info.codec].width * info.channels
    start, end = info.data
    end = start + (end - start) // width * width
    with path.open("rb") as file:
        file.seek(start)
        while start < end:
            size = min(frames * width, end - start)
            piece = file.read(size)
            if len(piece) != size:
                raise DamagedMedia("the file is shorter than its header says.", path=path)
            yield piece
            start += size


def _numbers(data: bytes, pcm: Pcm) -> NDArray[np.generic]:
    """The stored numbers, in the machine's own byte order."""
    if pcm.width != 3:
        stored = np.frombuffer(data, pcm.dtype)
        return stored.astype(stored.dtype.newbyteorder("="), copy=False)
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    three = np.frombuffer(data, np.uint8).reshape(-1, 3)
    wide[:, 1:] = three if pcm.dtype[0] == "<" else three[:, ::-1]
    return wide.view("<i4")[:, 0].astype(np.int32, copy=False) >> 8


def to_float(data: bytes, pcm: Pcm, channels: int) -> Float:
    """Stored sound as float32 (frames, channels), full scale 1."""
    numbers = _numbers(data, pcm)
    if pcm.width < 4 and not pcm.is_float:
        samples = (numbers.astype(np.float32) - np.float32(pcm.offset)) * np.float32(1 / pcm.scale)
    else:
        samples = (numbers.astype(np.float64) / pcm.scale).astype(np.float32)
    return samples.reshape(-1, channels)


def needs_residual(pcm: Pcm) -> bool:
    """True for sound that float32 does not hold."""
    return pcm.dtype[1:] in ("i4", "f8")


def residual(data: bytes, pcm: Pcm, channels: int) -> NDArray[np.float64]:
    """What ``to_float`` loses, float64 (frames, channels), full scale 1."""
    exact = _numbers(data, pcm).astype(np.float64).reshape(-1, channels) / pcm.scale
    return exact - exact.astype(np.float32)


def to_bytes(samples: Float, pcm: Pcm, rest: NDArray[np.float64] | None = None) -> bytes:
    """Float samples as they are stored; integers are rounded, and limited to full scale.

    Args:
        samples: (frames, channels), full scale 1.
        pcm: how to store them.
        rest: of the same shape, what ``residual`` gave for the same place of the source.
    """
    stored: bytes
    if pcm.is_float:
        exact = samples if rest is None else samples.astype(np.float64) + rest
        stored = exact.astype(pcm.dtype).tobytes()
        return stored
    if pcm.width < 4:
        scaled = np.rint(samples * np.float32(pcm.scale))
    else:
        wide = samples.astype(np.float64)
        scaled = np.rint((wide if rest is None else wide + rest) * pcm.scale)
    np.nan_to_num(scaled, copy=False)
    numbers = np.clip(scaled, -pcm.scale, pcm.scale - 1)
    if pcm.width == 3:
        wide_bytes = np.ascontiguousarray(numbers.astype("<i4")).view(np.uint8).reshape(-1, 4)[:, :3]
        return np.ascontiguousarray(wide_bytes if pcm.dtype[0] == "<" else wide_bytes[:, ::-1]).tobytes()
    stored = (numbers + pcm.offset).astype(pcm.dtype).tobytes()
    return stored
