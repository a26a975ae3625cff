"""A file is what its first bytes say; the extension is compared with it, and never believed."""

from __future__ import annotations

import pytest
from media_pictures import save, scene
from PIL import Image

from labeler.errors import UnsupportedMedia
from labeler.media.image import probe
from labeler.media.sniff import EXTENSIONS, extension_matches, modality_of, sniff
from labeler.types import Modality

FORMATS = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/avif": "AVIF",
    "image/tiff": "TIFF",
    "image/bmp": "BMP",
}
SIGNATURES = [
    (b"\xff\xd8\xff\xe0", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM\0\0", "image/bmp"),
    (b"II*\0\x08", "image/tiff"),
    (b"MM\0*\0", "image/tiff"),
    (b"II+\0\x08\0\0\0", "image/tiff"),
    (b"MM\0+\0\x08\0\0", "image/tiff"),
    (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
    (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "image/avif"),
    (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "image/avif"),
    (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image/heic"),
    (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "image/heic"),
    (b"\0\0\0\x18ftypheix\0\0\0\0mif1heix", "image/heic"),
    (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "video/mp4"),
    (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "video/quicktime"),
    (b"\0\0\0\x18ftypM4A \0\0\0\0M4A isom", "audio/mp4"),
    (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
    (b"RIFF\0\0\0\0AVI LIST", "video/x-msvideo"),
    (b"\x1aE\xdf\xa3", "video/x-matroska"),
    (b"fLaC\0", "audio/flac"),
    (b"OggS\0", "audio/ogg"),
    (b"ID3\x04", "audio/mpeg"),
    (b"%PDF-1.7", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"8BPS", "image/vnd.adobe.photoshop"),
    (b"\0\0\x01\0\1\0", "image/vnd.microsoft.icon"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"\xff\x0a", "image/jxl"),
    (b'<svg xmlns="http://www.w3.org/2000/svg">', "image/svg+xml"),
    (b'<?xml version="1.0"?><svg>', "image/svg+xml"),
]


@pytest.mark.parametrize(("head", "expected"), SIGNATURES)
def test_every_type_is_known_by_its_first_bytes(head: bytes, expected: str) -> None:
    assert sniff(head) == expected
    assert sniff(head + bytes(64)) == expected


@pytest.mark.parametrize(
    "head", [b"", b"\0", b"RIFF", b"RIFF\0\0\0\0XXXX", b"hello", b"\xff\xd8", b"GIF90a", bytes(64)]
)
def test_what_is_of_no_known_type_is_called_so(head: bytes) -> None:
    assert sniff(head) == "application/octet-stream"
    assert modality_of(sniff(head)) is None


def test_a_cut_signature_is_never_an_error() -> None:
    for head, _ in SIGNATURES:
        for length in range(len(head)):
            assert isinstance(sniff(head[:length]), str)


@pytest.mark.parametrize("media_type", FORMATS)
def test_real_files_are_what_they_are_under_any_name(media_type: str) -> None:
    data = save(Image.fromarray(scene()), FORMATS[media_type])
    assert modality_of(media_type) is Modality.IMAGE
    for name in ("a" + EXTENSIONS[media_type][0], "a.mp3", "a", "a.png.jpg"):
        info = probe(data, name)
        assert info.media_type == media_type
        assert (info.width, info.height, info.frames, info.size) == (96, 64, 1, len(data))


@pytest.mark.parametrize("media_type", EXTENSIONS)
def test_only_fitting_extensions_match(media_type: str) -> None:
    own = EXTENSIONS[media_type]
    for suffix in own:
        assert extension_matches(media_type, f"a{suffix}")
        assert extension_matches(media_type, f"a{suffix.upper()}")
    for other, suffixes in EXTENSIONS.items():
        assert other == media_type or not extension_matches(media_type, f"a{suffixes[0]}")
    for name in ("a", ".hidden", "a."):
        assert extension_matches(media_type, name), "a name without extension claims nothing"
    for suffix in (".mp3", ".txt", ".exe"):
        assert not extension_matches(media_type, f"a{suffix}")


def test_types_that_are_not_labelled_are_named_in_the_refusal() -> None:
    for head, expected in SIGNATURES:
        if modality_of(expected) is None:
            with pytest.raises(UnsupportedMedia, match=expected.replace("+", r"\+")):
                probe(head + bytes(100), "a.jpg")
    with pytest.raises(UnsupportedMedia, match="empty"):
        probe(b"", "a.jpg")
