"""Hostile and mutated files: a report or a LabelerError, soon, in little memory, and never wrong pixels."""

from __future__ import annotations

import contextlib
import io
import struct
import time
import tracemalloc
import warnings
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metadata_pictures import FORMATS, LABEL, encode, info, picture, pixels, tiff_of
from PIL import Image

from labeler.errors import DamagedMedia, LabelerError
from labeler.media.containers import isobmff, jpeg, png
from labeler.media.containers.splice import Edit, splice
from labeler.metadata import image
from labeler.metadata.carriers import CARRIERS

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
TYPES = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".tif": "image/tiff",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".bmp": "image/bmp",
}
SECONDS = 2.0


def files(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((SHARED / folder).glob("*"))]
    return [path for path in found if path.suffix in TYPES]


def label(data: bytes, media_type: str) -> bytes:
    out = io.BytesIO()
    image.write(io.BytesIO(data), out, info(media_type), LABEL)
    return out.getvalue()


@pytest.mark.skipif(not SHARED.exists(), reason="the collection of hostile files is not here")
def test_hostile_files_as_every_type() -> None:
    worst = 0.0
    for path in files("hostile"):
        data = path.read_bytes()
        for media_type in {*TYPES.values()}:
            start = time.process_time()
            with contextlib.suppress(LabelerError):
                image.read(io.BytesIO(data), info(media_type))
            try:
                out = label(data, media_type)
            except LabelerError:
                pass
            else:
                if media_type != "image/bmp":
                    report = image.read(io.BytesIO(out), info(media_type))
                    assert report.label is not None and report.label.produce_id == LABEL.produce_id, path.name
                    assert label(out, media_type) == out, path.name
            worst = max(worst, time.process_time() - start)
    assert worst < SECONDS


@pytest.mark.skipif(not SHARED.exists(), reason="the collection of hostile files is not here")
def test_pixels_of_odd_files_stay() -> None:
    """Whatever Pillow makes of a file, an error included, it makes of the labelled file too."""
    decoded = 0
    for path in files("hostile", "c2pa/files"):
        data, media_type = path.read_bytes(), TYPES[path.suffix]
        try:
            out = label(data, media_type)
        except LabelerError:
            continue
        before, after = outcome(data), outcome(out)
        assert before == after, path.name
        decoded += isinstance(before, list)
    assert decoded > 100


def outcome(data: bytes) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data)) as opened:
                if opened.width * opened.height > 4_000_000 or getattr(opened, "n_frames", 1) > 50:
                    return "large"
            return pixels(data)
        except Exception as error:
            return type(error).__name__


SMALL = {name: make for name, make in FORMATS.items() if not name.startswith(("heic", "jpeg-prog"))}
MADE: dict[str, bytes] = {}


def sample(name: str) -> bytes:
    """A labelled file of that format, made once."""
    if name not in MADE:
        MADE[name] = label(SMALL[name][1](), SMALL[name][0])
    return MADE[name]


@pytest.mark.parametrize("media_type", sorted({kind for kind, _ in SMALL.values()}))
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_mutated_containers(media_type: str, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([n for n, (kind, _) in SMALL.items() if kind == media_type]))
    body = bytearray(sample(name))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, min(len(body) - 1, 1200)) | st.integers(0, len(body) - 1))
        kind = data.draw(st.sampled_from("bbwcd"))
        if kind == "b":
            body[at] = data.draw(st.integers(0, 255))
        elif kind == "w":
            body[at : at + 4] = data.draw(
                st.sampled_from([b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\1"])
            )
        elif kind == "c":
            del body[at + 1 :]
        else:
            del body[at : at + data.draw(st.integers(1, 16))]
        if not body:
            return
    for operation in (image.read, None):
        try:
            if operation is not None:
                operation(io.BytesIO(bytes(body)), info(media_type))
            else:
                out = label(bytes(body), media_type)
                assert image.read(io.BytesIO(out), info(media_type)).value == "1"
        except LabelerError:
            pass


def box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", len(payload) + 8, kind) + payload


def bombs() -> dict[str, tuple[str, bytes]]:
    """Files that ask for much work or memory with few bytes."""
    png_data, jpeg_data = encode(picture(), "PNG"), encode(picture(), "JPEG")
    gif_data, tiff_data = FORMATS["gif"][1](), tiff_of("<")
    zeros = zlib.compress(bytes(32 << 20))
    xmp_bomb = png.encode(b"iTXt", png.XMP_KEYWORD + b"\0\1\0\0\0" + zeros)
    text_bomb = png.encode(b"zTXt", b"AIGC\0\0" + zeros)
    many_xmp = jpeg.encode(jpeg.APP1, jpeg.XMP + b"<a>") * 20_000
    text = png.encode(b"tEXt", b"AIGC\0" + b"AIGC{" * 2000) * 200
    nested = box(b"meta", b"\0" * 4 + box(b"hdlr", b"\0" * 24))
    for _ in range(200):
        nested = box(b"moov", nested) if len(nested) % 2 else box(b"trak", nested)
    ids = b"".join(struct.pack(">HHHH", i, 0, 0, 65535) for i in range(6_000))
    iloc = box(b"iloc", struct.pack(">IHH", 0, 0, 6_000) + ids)
    infe = b"".join(
        box(b"infe", struct.pack(">IHH4s", 2 << 24, i, 0, b"mime") + b"\0application/rdf+xml\0")
        for i in range(6_000)
    )
    iinf = box(b"iinf", struct.pack(">IH", 0, 6_000) + infe)
    pitm = box(b"pitm", struct.pack(">IH", 0, 1))
    whole = b"".join(struct.pack(">HHHII", i, 0, 1, 0, 1_000_000) for i in range(6_000))
    iloc_whole = box(b"iloc", struct.pack(">IHH", 0, 0x4400, 6_000) + whole)
    ftyp = box(b"ftyp", b"avif\0\0\0\0avif")
    attributes = "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description "
    attributes += " ".join(f"a{i}=''" for i in range(120_000)) + "/></rdf:RDF>"
    crowded = png.encode_itxt(png.XMP_KEYWORD, attributes.encode())
    extended = jpeg.encode(jpeg.APP1, jpeg.EXTENDED_XMP + b"0" * 32 + b"\xff" * 8) * 30_000
    lied = b"\0" * 4 + pitm + iinf + iloc_whole
    ifd_loop = bytearray(tiff_data)
    struct.pack_into("<I", ifd_loop, len(ifd_loop) - 4, struct.unpack_from("<I", ifd_loop, 4)[0])
    return {
        "png-xmp-bomb": ("image/png", splice(png_data, [Edit(33, 33, xmp_bomb * 40)])),
        "png-text-bomb": ("image/png", splice(png_data, [Edit(33, 33, text_bomb * 40)])),
        "png-many-labels": ("image/png", splice(png_data, [Edit(33, 33, text)])),
        "png-attributes": (
            "image/png",
            splice(png_data, [Edit(33, 33, crowded)]),
        ),
        "jpeg-many-packets": ("image/jpeg", splice(jpeg_data, [Edit(2, 2, many_xmp)])),
        "jpeg-fill": ("image/jpeg", b"\xff\xd8" + b"\xff" * 3_000_000),
        "jpeg-stuffed": ("image/jpeg", b"\xff\xd8" + b"\xff\x00" * 1_500_000),
        "jpeg-extended": ("image/jpeg", splice(jpeg_data, [Edit(2, 2, extended)])),
        "gif-blocks": ("image/gif", gif_data[:-1] + b"\x21\xfe\0" * 150_000 + b";"),
        "tiff-loop": ("image/tiff", bytes(ifd_loop)),
        "tiff-count": ("image/tiff", b"II*\0\x08\0\0\0\xff\xff" + bytes(40)),
        "bigtiff-count": (
            "image/tiff",
            b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, (1 << 64) - 1) + bytes(40),
        ),
        "heif-nested": ("image/avif", ftyp + nested),
        "heif-extents": ("image/avif", ftyp + box(b"meta", b"\0" * 4 + pitm + iinf + iloc)),
        "heif-overlap": (
            "image/avif",
            ftyp + box(b"meta", lied) + box(b"mdat", b"<" * 900_000),
        ),
        "heif-boxes": ("image/avif", ftyp + box(b"free", b"") * 150_000),
    }


BOMBS = bombs()


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str) -> None:
    media_type, data = BOMBS[name]
    for operation in ("read", "write"):
        start = time.process_time()
        with contextlib.suppress(LabelerError):
            image.read(io.BytesIO(data), info(media_type)) if operation == "read" else label(data, media_type)
        assert time.process_time() - start < SECONDS, f"{name} {operation}"


@pytest.mark.parametrize(
    "name", ["png-xmp-bomb", "png-text-bomb", "heif-overlap", "heif-extents", "tiff-count"]
)
def test_memory_of_bombs(name: str) -> None:
    media_type, data = BOMBS[name]
    tracemalloc.start()
    try:
        with contextlib.suppress(LabelerError):
            image.read(io.BytesIO(data), info(media_type))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 128 << 20, f"{peak >> 20} MiB"


@pytest.mark.parametrize("name", sorted(SMALL))
def test_cut_off_files(name: str) -> None:
    """Every prefix is refused or, where only trailing parts are missing, still walked; never another error."""
    media_type, make = SMALL[name]
    data = make()
    for size in [*range(0, min(len(data), 300), 7), *range(300, len(data), 211)]:
        try:
            image.read(io.BytesIO(data[:size]), info(media_type))
        except LabelerError:
            continue


@pytest.mark.parametrize("media_type", sorted(CARRIERS))
def test_nothing_and_noise(media_type: str) -> None:
    for data in (
        b"",
        b"\0",
        b"RIFF",
        b"\xff\xd8",
        png.SIGNATURE,
        b"GIF89a",
        b"II*\0",
        b"MM\0+",
        b"\0\0\0\x08ftyp",
        b"x" * 99,
    ):
        with pytest.raises(LabelerError):
            image.read(io.BytesIO(data), info(media_type))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_shared_exif_value_is_blanked_once() -> None:
    """Two EXIF tags that point at one value."""
    text = (b'AIGC{"Label":"1","ContentProducer":"a","ProduceID":"old-id"}') + b"\0"
    body = b"II*\0\x08\0\0\0" + struct.pack("<H", 2) + struct.pack("<HHII", 0x010E, 2, len(text), 38)
    body += struct.pack("<HHII", 0x9C9C, 1, len(text), 38) + bytes(4) + text
    data = splice(encode(picture(), "JPEG"), [Edit(2, 2, jpeg.encode(jpeg.APP1, jpeg.EXIF + body))])
    out = label(data, "image/jpeg")
    assert b"old-id" not in out and pixels(out) == pixels(data)


def test_fragmented_files_are_refused() -> None:
    data = FORMATS["avif"][1]() + isobmff.box(b"moof", b"")
    with pytest.raises(LabelerError, match="fragmented"):
        label(data, "image/avif")
    with pytest.raises(DamagedMedia):
        isobmff.top_level(b"\0\0\0\x08free")
