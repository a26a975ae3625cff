"""All types that labeler handles, of every modality, with the extensions that fit."""

from __future__ import annotations

import functools
import importlib
from pathlib import PurePath

from labeler.media.sniff import EXTENSIONS, modality_of
from labeler.types import Modality

__all__ = ["extensions", "modality_by_name"]

_ROOMS = ("labeler.media.text.probe", "labeler.media.audio.probe", "labeler.media.video.probe")


@functools.cache
def extensions() -> dict[str, tuple[str, ...]]:
    """By media type, the extensions that fit, the usual one first."""
    table = dict(EXTENSIONS)
    for room in _ROOMS:
        table |= importlib.import_module(room).EXTENSIONS
    return table


def modality_by_name(name: PurePath) -> Modality | None:
    """The modality that a file name's extension claims, or None if it claims none, or several as ``.mp4`` does."""
    suffix = name.suffix.lower()
    claimed = {
        modality_of(media_type) or Modality.TEXT
        for media_type, suffixes in extensions().items()
        if suffix in suffixes
    }
    return claimed.pop() if len(claimed) == 1 else None
