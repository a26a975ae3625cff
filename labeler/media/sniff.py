"""What a file is, by its first bytes; the extension is only compared with it.

The table follows the formats' own signatures (ISO/IEC 10918-1, 15948, 14496-12, RFC 9649, TIFF 6.0, ...).
Types that labeler cannot label yet are named too, so that a refusal can say what the file is.
"""

from __future__ import annotations

from pathlib import PurePath

from labeler.media.ffmpeg import DEMUXERS
from labeler.types import Modality

__all__ = ["EXTENSIONS", "describe", "extension_matches", "modality_of", "sniff"]

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"BM", "image/bmp"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"II+\0\x08\0\0\0", "image/tiff"),
    (0, b"MM\0+\0\x08\0\0", "image/tiff"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (0, b"\xffO\xffQ", "image/jp2"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (0, b"\xff\x0a", "image/jxl"),
    (0, b"8BPS", "image/vnd.adobe.photoshop"),
    (0, b"\0\0\x01\0", "image/vnd.microsoft.icon"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"\x1aE\xdf\xa3", "video/x-matroska"),
    (0, b"fLaC", "audio/flac"),
    (0, b"OggS", "audio/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"FLV\x01", "video/x-flv"),
)
_MPEG_AUDIO = {0: "audio/aac", 1: "audio/mpeg", 2: "audio/mpeg"}
"""By the layer bits behind a frame's sync word: ADTS, layer III, layer II. Layer I looks like UTF-16."""
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})

EXTENSIONS: dict[str, tuple[str, ...]] = {
    "image/jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "image/png": (".png", ".apng"),
    "image/gif": (".gif",),
    "image/webp": (".webp",),
    "image/avif": (".avif", ".avifs"),
    "image/heic": (".heic", ".heif", ".hif"),
    "image/tiff": (".tif", ".tiff"),
    "image/bmp": (".bmp", ".dib"),
}
"""Types that labeler labels, with the extensions that fit, the usual one first."""


def sniff(head: bytes) -> str:
    """MIME type by content of the first bytes (64 suffice); ``application/octet-stream`` if unknown."""
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], "application/octet-stream")
    if head[:4] in (b"RF64", b"BW64", b"FORM"):
        known = {b"WAVE": "audio/wav", b"AIFF": "audio/aiff", b"AIFC": "audio/aiff"}
        return known.get(head[8:12], "application/octet-stream")
    if head[4:8] == b"ftyp":
        return _sniff_ftyp(head)
    if head[:4] == b"OggS" and head[29:35] == b"theora":
        return "video/ogg"
    for offset, magic, media_type in _MAGIC:
        if head.startswith(magic, offset):
            return "video/webm" if media_type == "video/x-matroska" and _is_webm(head) else media_type
    if any(head[at::packet][:3] == b"GGG" for packet, at in ((188, 0), (192, 4))):  # sync bytes, 0x47
        return "video/mp2t"
    if head[4:8] in (b"moov", b"mdat", b"wide") or (
        head[4:8] == b"free" and head[12:16] in (b"moov", b"mdat")
    ):
        return "video/quicktime"  # files older than the ftyp box
    if head.lstrip()[:5].lower() in (b"<svg ", b"<?xml") and b"<svg" in head:
        return "image/svg+xml"
    return _sniff_mpeg_audio(head)


def _is_webm(head: bytes) -> bool:
    """Whether the DocType of an EBML header (RFC 8794 11.2.4) is ``webm``."""
    position = head.find(b"\x42\x82", 4, 64)
    return position > 0 and head[position + 2 : position + 12].lstrip(b"\x40\x01\0\x84").startswith(b"webm")


def _sniff_mpeg_audio(head: bytes) -> str:
    """Streams that begin with a frame: MP3, layer II and ADTS (ISO/IEC 11172-3 2.4.1.3, 13818-7 6.2)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return "application/octet-stream"
    layer, version, rate = head[1] >> 1 & 3, head[1] >> 3 & 3, head[2] >> 2 & 15
    if layer == 0:
        valid = head[1] & 0xF0 == 0xF0 and rate < 13
    else:
        valid = version != 1 and head[2] >> 4 not in (0, 15) and rate & 3 != 3
    return _MPEG_AUDIO.get(layer, "application/octet-stream") if valid else "application/octet-stream"


def _sniff_ftyp(head: bytes) -> str:
    size = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12], *(head[i : i + 4] for i in range(16, size - 3, 4))}
    if brands & _AVIF_BRANDS:
        return "image/avif"
    if brands & _HEIC_BRANDS:
        return "image/heic"
    if head[8:10] == b"M4" and head[10:11] in b"AB":
        return "audio/mp4"
    if head[8:11] == b"M4V":
        return "video/x-m4v"
    return "video/quicktime" if head[8:12] == b"qt  " else "video/mp4"


def modality_of(media_type: str) -> Modality | None:
    """The modality of a type that labeler can label, else None."""
    if media_type in EXTENSIONS:
        return Modality.IMAGE
    return Modality(media_type.partition("/")[0]) if media_type in DEMUXERS else None


def extension_matches(media_type: str, name: str | PurePath) -> bool:
    """Whether the file name's extension fits the type; a name without extension fits every type."""
    suffix = PurePath(name).suffix.lower()
    return not suffix or suffix in EXTENSIONS.get(media_type, (suffix,))


def describe(media_type: str, size: int) -> str:
    """Why a file of this type is refused, in a sentence."""
    if not size:
        return "the file is empty."
    if media_type == "application/octet-stream":
        return "the content is of no type that labeler knows."
    return f"the content is {media_type}, which this version of labeler does not label."
