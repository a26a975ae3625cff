"""The table of text formats, by media type; modules are imported when they are needed."""

from __future__ import annotations

import importlib
from typing import cast

from labeler.errors import UnsupportedMedia
from labeler.media.text import probe
from labeler.media.text.model import TextFormat

__all__ = ["format_of"]

_FORMATS = {
    "text/plain": ("plain", "PLAIN"),
    "text/markdown": ("plain", "MARKDOWN"),
    "text/html": ("html", "HTML"),
    "application/json": ("jsontext", "JSON"),
    "application/jsonl": ("jsontext", "JSON_LINES"),
    "application/x-subrip": ("plain", "SUBRIP"),
    "text/vtt": ("plain", "WEBVTT"),
    probe.DOCX: ("office", "DOCX"),
    probe.PPTX: ("office", "PPTX"),
    probe.XLSX: ("office", "XLSX"),
    probe.ODT: ("odf", "ODT"),
    probe.EPUB: ("odf", "EPUB"),
}


def format_of(media_type: str) -> TextFormat:
    """The format's functions; PDF is not among them, its marks are drawn (`labeler.media.text.pdf`).

    Raises:
        UnsupportedMedia: unknown type.
    """
    try:
        module, name = _FORMATS[media_type]
    except KeyError:
        raise UnsupportedMedia(f"{media_type!r} is no text format with lines or paragraphs.") from None
    return cast(TextFormat, getattr(importlib.import_module(f"labeler.media.text.{module}"), name))
