"""A glance at a file for the watermark of an earlier pass, before layers are written that leave the samples alone.

Of sound and video only the beginning is decoded, of a picture the first frame is searched; the mark is sought as it was
embedded.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from labeler.core.keys import WatermarkKey
from labeler.core.threads import one_thread
from labeler.media.files import Source
from labeler.media.limits import Limits
from labeler.pipeline.modalities import examine
from labeler.pipeline.options import VerifyOptions
from labeler.types import Layer, MediaInfo, Modality, WatermarkReport

__all__ = ["glance"]

_FRAMES = 24
_SECONDS = 10.0
"""At the beginning of a video, in which so many frames are looked at."""


@one_thread()
def glance(source: Source, info: MediaInfo, keys: Sequence[WatermarkKey], limits: Limits) -> WatermarkReport:
    """Look for a watermark of one of the keys; ABSENT is no proof, as by far not everything is searched.

    Raises:
        DamagedMedia, UnsupportedMedia, LimitExceeded: the samples cannot be decoded.
        DependencyMissing: nor is their decoder here.
    """
    look = {Modality.IMAGE: _picture, Modality.AUDIO: _sound, Modality.VIDEO: _clip, Modality.TEXT: _text}
    return look[info.modality](source, info, keys, limits)


def _picture(
    source: Source, info: MediaInfo, keys: Sequence[WatermarkKey], limits: Limits
) -> WatermarkReport:
    from labeler.media.image import decode
    from labeler.watermark import image as watermark

    picture = decode(source.data, info, str(source.path), limits=limits, enough=watermark.FRAME)
    frame = picture.frames[0]
    return watermark.detect(frame.pixels, keys, quick=True, alpha=frame.alpha, likely=False)


def _sound(source: Source, info: MediaInfo, keys: Sequence[WatermarkKey], limits: Limits) -> WatermarkReport:
    from labeler.pipeline.audio import listen

    return listen(source, examine(source, limits), (Layer.WATERMARK,), keys, limits).watermark


def _clip(source: Source, info: MediaInfo, keys: Sequence[WatermarkKey], limits: Limits) -> WatermarkReport:
    from labeler.media.video.decode import sample
    from labeler.watermark import video as watermark

    assert source.file is not None
    clip = examine(source, limits)
    found = watermark.Detector(clip.width, clip.height, keys, quick=True, bit_depth=clip.layout.depth)
    with contextlib.closing(sample(source.file, clip, _FRAMES, seconds=_SECONDS)) as stream:
        for frame in stream:
            found.push(frame.y, frame.pts)
    return found.finish()


def _text(source: Source, info: MediaInfo, keys: Sequence[WatermarkKey], limits: Limits) -> WatermarkReport:
    from labeler.pipeline.text import detect

    look = VerifyOptions(limits=limits)
    return detect(source, info, (Layer.WATERMARK,), keys=keys, options=look).watermark
