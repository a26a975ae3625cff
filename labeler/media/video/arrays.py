"""Videos that are made frame by frame in a program: arrays in, a file out."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from labeler.errors import UnsupportedMedia, UsageError
from labeler.media import ffmpeg as engine
from labeler.media.video.decode import Frame, views
from labeler.media.video.info import LAYOUTS, MUXERS, Colour, VideoInfo
from labeler.types import MediaInfo, Modality

__all__ = ["frame_of", "new_video"]


def new_video(
    width: int, height: int, rate: Fraction | float | int, *, media_type: str = "video/mp4", codec: str = ""
) -> VideoInfo:
    """What a video that does not exist yet is to be: 8-bit 4:2:0, BT.601 in video range, evenly spaced frames.

    Args:
        width: px, even.
        height: px, even.
        rate: frames a second.
        media_type: container to write, a key of ``MUXERS``.
        codec: H.264, or VP9 in WebM, if empty.

    Raises:
        UsageError: a size that is not even or not positive, or a rate of nothing.
        UnsupportedMedia: a type that is not written.
    """
    if media_type not in MUXERS:
        raise UnsupportedMedia(f"{media_type} is not written.", remedy=f"Use one of: {', '.join(MUXERS)}.")
    exact = Fraction(rate).limit_denominator(1001)
    if width <= 0 or height <= 0 or width % 2 or height % 2 or exact <= 0:
        raise UsageError(
            f"a video of {width} x {height} at {rate} frames a second is not possible: sizes are even."
        )
    codec = codec or ("vp9" if media_type == "video/webm" else "h264")
    return VideoInfo(
        info=MediaInfo(
            media_type=media_type, modality=Modality.VIDEO, width=width, height=height, codec=codec
        ),
        demuxer=engine.DEMUXERS[media_type],
        codec=codec,
        pix_fmt="yuv420p",
        layout=LAYOUTS["yuv420p"],
        width=width,
        height=height,
        sar=Fraction(1),
        rate=exact,
        time_base=1 / (exact * 512) if media_type != "video/x-msvideo" else 1 / exact,
        colour=Colour(full=False, space="smpte170m", primaries="bt709", transfer="bt709", chroma="left"),
        front=True,
    )


def frame_of(rgb: NDArray[np.uint8], index: int, info: VideoInfo) -> Frame:
    """The frame of an RGB picture, its time given by its number.

    Args:
        rgb: (height, width, 3), uint8, the whole range.
        index: number of the frame, from 0.
        info: of ``new_video``.

    Raises:
        UsageError: the picture has another size.
    """
    if rgb.shape != (info.height, info.width, 3) or rgb.dtype != np.uint8:
        raise UsageError(
            f"a frame of {rgb.shape} {rgb.dtype}; {(info.height, info.width, 3)} uint8 is expected."
        )
    data: NDArray[np.uint8] = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420), np.uint8).reshape(-1)
    y, u, v = views(data, info)
    ticks = round(index / info.rate / info.time_base)
    return Frame(y, u, v, index, ticks, float(ticks * info.time_base), data)
