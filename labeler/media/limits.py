"""The limits that every decoder obeys, checked from the header before any decoder runs."""

from __future__ import annotations

from dataclasses import dataclass

from labeler.errors import LimitExceeded

__all__ = ["DEFAULT_LIMITS", "Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large an input may be.

    Attributes:
        pixels: of one frame (default 100 megapixels).
        animation_pixels: of all frames of an animation together (200 megapixels, 0.8 GB decoded).
        frames: number of frames of an animation.
        file_bytes: size of a file that is read into memory as a whole.
        stream_bytes: size of a file that is streamed: sound and video.
        seconds: duration of sound and video (48 hours).
    """

    pixels: int = 100_000_000
    animation_pixels: int = 200_000_000
    frames: int = 10_000
    file_bytes: int = 1 << 30
    stream_bytes: int = 64 << 30
    seconds: float = 48 * 3600.0

    def check_bytes(self, size: int, *, path: object = None) -> None:
        """Raise LimitExceeded if a file is too large to be read into memory."""
        if size > self.file_bytes:
            raise LimitExceeded(
                f"the file has {size / 1e6:.0f} MB; the limit for this kind of media is "
                f"{self.file_bytes / 1e6:.0f} MB.",
                path=path,
            )

    def check_stream(self, size: int, *, path: object = None) -> None:
        """Raise LimitExceeded if a file is too large even to be streamed."""
        if size > self.stream_bytes:
            raise LimitExceeded(
                f"the file has {size / 1e9:.1f} GB; the limit is {self.stream_bytes / 1e9:.0f} GB.", path=path
            )

    def check_seconds(self, seconds: float, *, path: object = None) -> None:
        """Raise LimitExceeded if sound or video lasts too long."""
        if seconds > self.seconds:
            raise LimitExceeded(
                f"it lasts {seconds / 3600:.1f} hours; the limit is {self.seconds / 3600:.0f}.",
                remedy="Cut it into parts.",
                path=path,
            )

    def check_frame(self, width: int, height: int, *, path: object = None) -> None:
        """Raise LimitExceeded if one frame has too many pixels."""
        if width * height > self.pixels:
            raise LimitExceeded(
                f"the picture has {width} x {height} = {width * height / 1e6:.3g} megapixels; "
                f"the limit is {self.pixels / 1e6:.3g}.",
                remedy="Raise it with --max-megapixels if you trust the file.",
                path=path,
            )

    def check_animation(self, width: int, height: int, frames: int, *, path: object = None) -> None:
        """Raise LimitExceeded if an animation has too many frames or too many pixels in all."""
        total = width * height * frames
        if frames > self.frames or (frames > 1 and total > max(self.animation_pixels, 2 * self.pixels)):
            raise LimitExceeded(
                f"the animation has {frames} frames of {width} x {height}, {total / 1e6:.0f} megapixels in all; "
                f"the limits are {self.frames} frames and {max(self.animation_pixels, 2 * self.pixels) / 1e6:.0f}.",
                remedy="Convert it to a video, or raise --max-megapixels if you trust the file.",
                path=path,
            )


DEFAULT_LIMITS = Limits()
