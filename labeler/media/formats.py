"""All types that labeler handles, of every modality, with the extensions that fit."""

from __future__ import annotations

import functools
import importlib

from labeler.media.sniff import EXTENSIONS

__all__ = ["extensions"]

_ROOMS = ("labeler.media.text.probe", "labeler.media.audio.probe", "labeler.media.video.probe")


@functools.cache
def extensions() -> dict[str, tuple[str, ...]]:
    """By media type, the extensions that fit, the usual one first."""
    table = dict(EXTENSIONS)
    for room in _ROOMS:
        table |= importlib.import_module(room).EXTENSIONS
    return table
