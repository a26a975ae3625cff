"""What the signal pass hands to the container layers."""

from __future__ import annotations

from dataclasses import dataclass

from labeler.media.files import Source
from labeler.types import Finding, Layer

__all__ = ["Marked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A file with signal marks.

    Attributes:
        content: the encoded file, in memory or on the disk as the input was.
        written: layers that were written.
        visible_text: wording of the visible mark, or "".
        algorithm: soft-binding name of the watermark, or "".
        fingerprint: of the marked picture, or "".
        unheard: layers that were written and that verification cannot find again (a user's own spoken words).
        sound_track: layers that were written into the sound track of a video.
        notes: layers that could not be written and why; weak marks; what could not be kept.
    """

    content: Source
    written: tuple[Layer, ...] = ()
    visible_text: str = ""
    algorithm: str = ""
    fingerprint: str = ""
    unheard: tuple[Layer, ...] = ()
    sound_track: tuple[Layer, ...] = ()
    notes: tuple[Finding, ...] = ()
