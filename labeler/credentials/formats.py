"""Which media types can carry a manifest inside, and what c2pa calls them.

Measured with c2pa-python 0.38.1: every type below signs, reads back, and decodes to the same samples.
Everything else (BMP, WebM, Ogg, text, ...) gets a sidecar: the manifest in a file of its own, ``.c2pa``
beside the media (C2PA 2.2, 11.4).
"""

from __future__ import annotations

__all__ = ["SIDECAR_SUFFIX", "UNKNOWN_FORMS", "c2pa_format", "embeds"]

SIDECAR_SUFFIX = ".c2pa"
"""Added to the whole file name: ``picture.bmp.c2pa``."""

_ALIASES = {
    "image/apng": "image/png",
    "image/avif-sequence": "image/avif",
    "image/heic-sequence": "image/heic",
    "image/heif-sequence": "image/heif",
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/tif": "image/tiff",
    "image/vnd.mozilla.apng": "image/png",
    "image/x-png": "image/png",
    "audio/m4a": "audio/mp4",
    "audio/vnd.wave": "audio/wav",
    "audio/x-flac": "audio/flac",
    "audio/x-m4a": "audio/mp4",
    "audio/x-wav": "audio/wav",
    "video/x-m4v": "video/mp4",
    "video/avi": "video/x-msvideo",
    "video/msvideo": "video/x-msvideo",
    # packages: c2pa reads only stored members, and refuses every real one; as plain bytes a sidecar holds them
    "application/epub+zip": "application/octet-stream",
    "application/vnd.oasis.opendocument.text": "application/octet-stream",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "application/octet-stream",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "application/octet-stream",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "application/octet-stream",
}

_EMBEDDABLE = frozenset(
    {
        "image/jpeg",
        "image/png",
        "image/webp",
        "image/avif",
        "image/heic",
        "image/heif",
        "image/tiff",
        "image/gif",
        "image/svg+xml",
        "audio/mpeg",
        "audio/flac",
        "audio/wav",
        "audio/mp4",
        "video/mp4",
        "video/quicktime",
        "video/x-msvideo",
        "application/pdf",
    }
)

UNKNOWN_FORMS = (b"RF64", b"BW64")
"""First bytes of files of a known type that c2pa cannot read: WAVE with 64-bit sizes."""

_STILL_ONLY = frozenset({"image/tiff"})

_STREAMED = frozenset({"audio/mp4", "video/mp4", "video/quicktime"})
_MOST = 128 << 20
"""Bytes up to which a file of another type is signed inside: c2pa takes twice to three times its size in memory."""


def c2pa_format(media_type: str) -> str:
    """The MIME type under which c2pa knows a media type; it refuses aliases such as ``image/apng``."""
    name = media_type.partition(";")[0].strip().lower()
    return _ALIASES.get(name, name)


def embeds(media_type: str, *, frames: int = 1, size: int = 0, head: bytes = b"") -> bool:
    """Whether a manifest can stand inside such a file; if not, it goes into a sidecar.

    A TIFF of several pages is refused, because c2pa-python 0.38.1 harms it (measured): the manifest
    becomes a page of its own, without dimensions, on which readers fail. Large sound files and AVI are
    refused because of the memory that it takes to write into them, and RF64, which c2pa does not know.

    Args:
        media_type: MIME type by content.
        frames: number of frames or pages.
        size: bytes.
        head: the first bytes.
    """
    name = c2pa_format(media_type)
    if head[:4] in UNKNOWN_FORMS:
        return False
    if name not in _EMBEDDABLE or (name in _STILL_ONLY and frames > 1):
        return False
    return size <= _MOST or name in _STREAMED or name.startswith("image/")
