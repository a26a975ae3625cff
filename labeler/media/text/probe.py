"""What a text or document is: content decides as far as it can, the extension between kinds of plain text."""

from __future__ import annotations

import re
from pathlib import PurePath

from labeler.errors import InputError, UnsupportedMedia
from labeler.media.limits import DEFAULT_LIMITS, Limits
from labeler.media.text.encoding import decode, is_text
from labeler.media.text.package import Package
from labeler.types import MediaInfo, Modality

__all__ = ["EXTENSIONS", "probe", "sniff"]

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"
EPUB = "application/epub+zip"

EXTENSIONS: dict[str, tuple[str, ...]] = {
    "text/plain": (".txt", ".text"),
    "text/markdown": (".md", ".markdown", ".mdown", ".mkd"),
    "text/html": (".html", ".htm", ".xhtml"),
    "application/json": (".json",),
    "application/jsonl": (".jsonl", ".ndjson"),
    "application/x-subrip": (".srt",),
    "text/vtt": (".vtt",),
    DOCX: (".docx",),
    PPTX: (".pptx",),
    XLSX: (".xlsx",),
    ODT: (".odt",),
    EPUB: (".epub",),
    "application/pdf": (".pdf",),
}
"""Types that labeler labels as texts, with the extensions that fit, the usual one first."""

_BY_EXTENSION = {ext: kind for kind, extensions in EXTENSIONS.items() for ext in extensions}
_PARTS = {"word/document.xml": DOCX, "ppt/presentation.xml": PPTX, "xl/workbook.xml": XLSX}
_HTML = re.compile(
    rb"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.{0,2000}?-->\s*)*<(?:!doctype\s+html|html[\s>])",
    re.IGNORECASE | re.DOTALL,
)
_SRT = re.compile(rb"\s*\d{1,9}[ \t]*\r?\n[ \t]*\d{1,3}:\d\d:\d\d,\d{3}[ \t]*-->")
_VTT = re.compile(rb"WEBVTT(?:[ \t\r\n]|\Z)")


def sniff(data: bytes, name: str = "") -> str:
    """MIME type of a whole file; ``application/octet-stream`` if it is neither text nor a document.

    Args:
        data: the file.
        name: its name; ``-`` and names without an extension leave plain text as ``text/plain``.
    """
    if b"%PDF-" in data[:1024]:
        return "application/pdf"
    if data.startswith(b"PK\x03\x04"):
        return _sniff_package(data)
    if not is_text(data):
        return "application/octet-stream"
    return _sniff_text(data, PurePath(name).suffix.lower())


def _sniff_package(data: bytes) -> str:
    package = Package(data)
    if "mimetype" in package and package.members["mimetype"].size < 100:
        kind = package.read("mimetype").decode("ascii", "replace").strip()
        if kind in (ODT, EPUB):
            return kind
    if "[Content_Types].xml" in package:
        return next((kind for part, kind in _PARTS.items() if part in package), "application/zip")
    return "application/zip"


def _sniff_text(data: bytes, suffix: str) -> str:
    head = decode(data[: 1 << 14] if data.isascii() else data).body[: 1 << 14]
    if _VTT.match(head):
        return "text/vtt"
    if _HTML.match(head):
        return "text/html"
    if _SRT.match(head):
        return "application/x-subrip"
    if suffix in ("", "."):
        return "text/plain"
    kind = _BY_EXTENSION.get(suffix, "application/octet-stream")
    if kind in ("text/vtt", "application/x-subrip") or not kind.startswith(("text/", "application/json")):
        return "text/plain" if suffix in _BY_EXTENSION else "application/octet-stream"
    return kind


def _check_pdf(data: bytes) -> None:
    """Raise what is wrong with a PDF that cannot be opened at all."""
    from labeler.media.text.pdf import open_pdf

    with open_pdf(data):
        pass


def probe(data: bytes, name: str = "", *, limits: Limits = DEFAULT_LIMITS) -> MediaInfo:
    """What a text or document is.

    Args:
        data: the whole file.
        name: its name, for errors and the kind of plain text.
        limits: what is refused.

    Raises:
        UnsupportedMedia: no text or document that labeler handles.
        DamagedMedia: a package that cannot be read, or text that cannot be decoded.
        LimitExceeded: too large, or packed beyond reason.
    """
    limits.check_bytes(len(data), path=name or None)
    try:
        kind = sniff(data, name)
        if kind == "application/pdf":
            _check_pdf(data)
    except InputError as error:
        error.path = error.path or name or None
        raise
    if kind not in EXTENSIONS:
        raise UnsupportedMedia(
            f"this is no text or document that labeler handles ({kind}).",
            remedy="Texts: .txt .md .html .json .jsonl .srt .vtt .docx .pptx .xlsx .odt .epub .pdf.",
            path=name or None,
        )
    suffix = PurePath(name).suffix.lower()
    matches = not suffix or suffix in EXTENSIONS[kind]
    return MediaInfo(media_type=kind, modality=Modality.TEXT, size=len(data), extension_matches=matches)
