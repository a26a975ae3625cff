"""Decoding and encoding a picture keeps what a person expects of it."""

from __future__ import annotations

import dataclasses
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from media_pictures import (
    ICC_GRAY,
    ICC_RGB,
    XMP,
    deep,
    displayed,
    exif,
    frames_of,
    gray,
    save,
    scene,
    tiff_rgb16,
)
from PIL import Image, ImageSequence, PngImagePlugin

from labeler.errors import DamagedMedia, LimitExceeded, UnsupportedMedia
from labeler.media.encode import encode
from labeler.media.image import Picture, decode, orient, probe
from labeler.media.limits import Limits


def again(data: bytes, **options: Any) -> tuple[bytes, tuple[str, ...], Picture]:
    """Decode and encode without touching a pixel: the file, the notes, and the picture decoded."""
    picture = decode(data, probe(data, "a"), "a")
    encoded, notes = encode(picture, picture.frames, data, **options)
    return encoded, notes, picture


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def packet(data: bytes) -> bytes:
    """The XMP packet, wherever the format keeps it."""
    found = opened(data).info
    return found["XML:com.adobe.xmp"].encode() if "XML:com.adobe.xmp" in found else bytes(found["xmp"])


def rgba(width: int = 96, height: int = 64, *, seed: int = 1) -> Image.Image:
    picture = scene(width, height, seed=seed, channels=4)
    picture[: height // 3, :, 3] = 0
    picture[height // 3 : height // 2, :, 3] = 99
    picture[height // 2 :, :, 3] = 255
    return Image.fromarray(picture)


def palette_with_transparency() -> Image.Image:
    image = Image.fromarray(scene()).quantize(40)
    image.info["transparency"] = 3
    return image


# ------------------------------------------------------------------------------------------ bit-exact

LOSSLESS = {
    "png rgb": lambda: save(Image.fromarray(scene()), "PNG"),
    "png gray": lambda: save(Image.fromarray(gray()), "PNG"),
    "png rgba": lambda: save(rgba(), "PNG"),
    "png gray alpha": lambda: save(rgba().convert("LA"), "PNG"),
    "png bilevel": lambda: save(Image.fromarray(gray()).convert("1"), "PNG"),
    "png palette": lambda: save(Image.fromarray(scene()).quantize(40), "PNG"),
    "png palette transparency": lambda: save(palette_with_transparency(), "PNG"),
    "png palette alpha list": lambda: save(
        Image.fromarray(scene()).quantize(40), "PNG", transparency=bytes(range(0, 240, 6))
    ),
    "png 4 bit palette": lambda: save(Image.fromarray(scene()).quantize(16), "PNG", bits=4),
    "png rgb transparency": lambda: save(
        Image.fromarray(scene()), "PNG", transparency=tuple(int(v) for v in scene()[5, 5])
    ),
    "webp lossless": lambda: save(Image.fromarray(scene()), "WEBP", lossless=True),
    "webp lossless alpha": lambda: save(rgba(), "WEBP", lossless=True, exact=True),
    "bmp 24": lambda: save(Image.fromarray(scene()), "BMP"),
    "bmp gray": lambda: save(Image.fromarray(gray()), "BMP"),
    "bmp palette": lambda: save(Image.fromarray(scene()).quantize(40), "BMP"),
    "bmp 1": lambda: save(Image.fromarray(gray()).convert("1"), "BMP"),
    "tiff raw": lambda: save(Image.fromarray(scene()), "TIFF"),
    "tiff lzw": lambda: save(Image.fromarray(scene()), "TIFF", compression="tiff_lzw"),
    "tiff deflate": lambda: save(Image.fromarray(scene()), "TIFF", compression="tiff_adobe_deflate"),
    "tiff old deflate": lambda: save(Image.fromarray(scene()), "TIFF", compression="tiff_deflate"),
    "tiff packbits": lambda: save(Image.fromarray(scene()), "TIFF", compression="packbits"),
    "tiff lzma": lambda: save(Image.fromarray(scene()), "TIFF", compression="lzma"),
    "tiff zstd": lambda: save(Image.fromarray(scene()), "TIFF", compression="zstd"),
    "tiff fax": lambda: save(Image.fromarray(gray()).convert("1"), "TIFF", compression="group4"),
    "tiff gray": lambda: save(Image.fromarray(gray()), "TIFF"),
    "tiff rgba": lambda: save(rgba(), "TIFF", compression="tiff_lzw"),
    "tiff palette": lambda: save(Image.fromarray(scene()).quantize(40), "TIFF"),
    "tiff cmyk": lambda: save(Image.fromarray(scene()).convert("CMYK"), "TIFF", compression="tiff_lzw"),
    "gif gray": lambda: save(Image.fromarray(gray()), "GIF"),
    "gif": lambda: save(Image.fromarray(scene()).quantize(200), "GIF"),
    "gif transparency": lambda: save(palette_with_transparency(), "GIF", transparency=3),
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_lossless_format_comes_back_pixel_for_pixel(name: str) -> None:
    data = LOSSLESS[name]()
    encoded, _, _ = again(data)
    before, after = displayed(data), displayed(encoded)
    assert before.shape == after.shape
    assert np.array_equal(before[..., 3], after[..., 3]), "alpha"
    shown = before[..., 3] > 0
    assert np.array_equal(before[shown], after[shown])
    assert opened(encoded).format == opened(data).format


@pytest.mark.parametrize(
    "name", ["tiff raw", "tiff lzw", "tiff deflate", "tiff packbits", "tiff lzma", "tiff zstd"]
)
def test_a_tiff_keeps_its_compression_without_a_note(name: str) -> None:
    data = LOSSLESS[name]()
    encoded, notes, _ = again(data)
    assert opened(encoded).info["compression"] == opened(data).info["compression"]
    assert notes == ()


@pytest.mark.parametrize(
    ("name", "word"), [("png bilevel", "bilevel"), ("png palette", "palette"), ("tiff fax", "deflate")]
)
def test_what_is_coded_otherwise_is_said(name: str, word: str) -> None:
    _, notes, _ = again(LOSSLESS[name]())
    assert any(word in note for note in notes)


def test_plain_pictures_give_no_notes() -> None:
    for name in ("png rgb", "png rgba", "webp lossless", "bmp 24", "tiff raw", "gif"):
        assert again(LOSSLESS[name]())[1] == (), name


# --------------------------------------------------------------------------------------------- 16 bits


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_gray_comes_back_bit_for_bit(kind: str) -> None:
    samples = deep(gray())
    data = save(Image.fromarray(samples), kind)
    encoded, notes, picture = again(data)
    assert picture.frames[0].pixels.dtype == np.uint16
    assert np.array_equal(picture.frames[0].pixels, samples)
    assert np.array_equal(np.asarray(opened(encoded)), samples)
    assert notes == ()


def test_sixteen_bit_gray_tiff_in_big_endian_comes_back_bit_for_bit() -> None:
    samples = deep(gray())
    data = save(Image.fromarray(samples.astype(">u2")), "TIFF")
    assert data[:2] == b"MM"
    encoded, _, picture = again(data)
    assert np.array_equal(picture.frames[0].pixels, samples)
    assert np.array_equal(again(encoded)[2].frames[0].pixels, samples)


def png16(samples: np.ndarray[Any, Any], *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of uint16 samples with 1 to 4 channels, by the book (ISO/IEC 15948)."""
    height, width, channels = samples.shape
    rows = samples.astype(">u2").reshape(height, -1).view(np.uint8)
    raw = np.hstack([np.zeros((height, 1), np.uint8), rows]).tobytes()
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))
    middle = b"".join(chunk(*each) for each in chunks)
    return b"\x89PNG\r\n\x1a\n" + head + middle + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("kind", ["png", "tiff", "tiff MM"])
def test_sixteen_bit_colour_comes_back_bit_for_bit(kind: str, channels: int) -> None:
    samples = deep(scene(channels=channels))
    data = png16(samples) if kind == "png" else tiff_rgb16(samples, endian=">" if "MM" in kind else "<")
    encoded, notes, picture = again(data)
    frame = picture.frames[0]
    assert np.array_equal(frame.pixels, samples[..., :3])
    twice = again(encoded)[2].frames[0]
    assert np.array_equal(twice.pixels, samples[..., :3])
    if channels == 4:
        assert frame.alpha is not None and twice.alpha is not None
        assert np.array_equal(frame.alpha, samples[..., 3])
        assert np.array_equal(twice.alpha, samples[..., 3])
    assert notes == ()


def test_sixteen_bit_gray_with_a_transparent_level_keeps_it_and_says_what_changed() -> None:
    samples = deep(gray())
    data = png16(samples[..., None], (b"tRNS", struct.pack(">H", int(samples[3, 4]))))
    encoded, notes, picture = again(data)
    alpha = picture.frames[0].alpha
    assert alpha is not None and alpha[3, 4] == 0 and (alpha == 0).sum() == (samples == samples[3, 4]).sum()
    twice = again(encoded)[2].frames[0]
    assert np.array_equal(twice.pixels[..., 1], samples)
    assert twice.alpha is not None and np.array_equal(twice.alpha, alpha)
    assert any("16-bit gray" in note for note in notes)


def test_sixteen_bit_colour_with_a_transparent_colour_keeps_it() -> None:
    samples = deep(scene())
    transparent = samples[3, 4]
    data = png16(samples, (b"tRNS", struct.pack(">3H", *(int(v) for v in transparent))))
    _, _, picture = again(data)
    frame = picture.frames[0]
    assert np.array_equal(frame.pixels, samples)
    assert frame.alpha is not None and frame.alpha[3, 4] == 0 and frame.alpha[0, 0] == 0xFFFF


def test_sixteen_bit_gray_with_alpha_keeps_both_and_says_what_changed() -> None:
    samples = deep(scene(channels=2))
    encoded, notes, picture = again(png16(samples))
    assert np.array_equal(picture.frames[0].pixels[..., 0], samples[..., 0])
    assert picture.frames[0].alpha is not None
    assert np.array_equal(picture.frames[0].alpha, samples[..., 1])
    twice = again(encoded)[2].frames[0]
    assert twice.alpha is not None and np.array_equal(twice.alpha, samples[..., 1])
    assert any("16-bit gray" in note for note in notes)


@pytest.mark.parametrize("endian", ["<", ">"])
def test_a_sixteen_bit_tiff_keeps_profile_metadata_and_folders(endian: str) -> None:
    inner = struct.pack(endian + "HHHI4sI", 1, 0x9003, 2, 4, b"abc\0", 0)
    samples = deep(scene())
    tags = {
        270: (2, 12, b"A text here\0"),
        282: (5, 1, struct.pack(endian + "II", 300, 1)),
        283: (5, 1, struct.pack(endian + "II", 300, 1)),
        296: (3, 1, struct.pack(endian + "H", 2)),
        700: (1, len(XMP), XMP),
        33723: (7, 6, b"\x1c\x02\x05\0\1A"),
        34675: (7, len(ICC_RGB), ICC_RGB),
        65000: (3, 3, struct.pack(endian + "3H", 1, 2, 60000)),
    }
    exif_at = len(tiff_rgb16(samples, tags | {34665: (4, 1, bytes(4))}, endian=endian))
    data = (
        tiff_rgb16(samples, tags | {34665: (4, 1, struct.pack(endian + "I", exif_at))}, endian=endian) + inner
    )
    encoded, notes, _ = again(data)
    before, after = opened(data), opened(encoded)
    for tag in (270, 296, 700, 33723, 34675, 65000):
        assert after.tag_v2[tag] == before.tag_v2[tag], tag
    assert after.info["dpi"] == (300, 300)
    assert after.getexif().get_ifd(34665)[0x9003] == "abc"
    assert notes == ()


def test_a_sixteen_bit_png_keeps_profile_and_texts() -> None:
    profile = b"icc\0\0" + zlib.compress(ICC_RGB)
    data = png16(
        deep(scene()), (b"iCCP", profile), (b"pHYs", struct.pack(">IIB", 5906, 5906, 1)), (b"tEXt", b"k\0v")
    )
    image = opened(again(data)[0])
    assert image.info["icc_profile"] == ICC_RGB
    assert image.info["k"] == "v"
    assert round(image.info["dpi"][0]) == 150


# ------------------------------------------------------------------------------------- orientation, EXIF


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orient_shows_what_exif_asks_for_and_goes_back(orientation: int) -> None:
    from PIL import ImageOps

    stored = scene(24, 16)
    image = Image.fromarray(stored)
    image.getexif()[0x0112] = orientation
    shown = orient(stored, orientation)
    assert np.array_equal(shown, np.asarray(ImageOps.exif_transpose(image)))
    assert np.array_equal(orient(shown, orientation, inverse=True), stored)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_the_picture_displayed_is_the_same_in_every_orientation(kind: str, orientation: int) -> None:
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind in ("JPEG", "AVIF") else {}
    data = save(Image.fromarray(scene()), kind, exif=exif(orientation), **options)
    encoded, _, picture = again(data)
    before, after = displayed(data), displayed(encoded)
    assert before.shape == after.shape
    assert np.abs(before.astype(int) - after).mean() < (1.5 if kind in ("JPEG", "AVIF") else 0.01)
    assert picture.frames[0].pixels.shape[:2] == before.shape[:2], "layers see the picture as displayed"
    assert np.abs(before[..., :3].astype(int) - picture.frames[0].pixels).mean() < 0.01


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_sixteen_bit_tiff_is_displayed_the_same_in_every_orientation(orientation: int) -> None:
    samples = deep(scene())
    data = tiff_rgb16(samples, {274: (3, 1, struct.pack("<H", orientation))})
    encoded, _, picture = again(data)
    assert np.array_equal(picture.frames[0].pixels, orient(samples, orientation))
    assert np.array_equal(again(encoded)[2].frames[0].pixels, orient(samples, orientation))
    assert np.array_equal(displayed(data), displayed(encoded))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_icc_exif_and_xmp_are_kept(kind: str) -> None:
    options: dict[str, Any] = {"exif": exif(), "icc_profile": ICC_RGB, "xmp": XMP}
    if kind == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
    data = save(Image.fromarray(scene()), kind, **options)
    if kind == "TIFF":
        image = Image.fromarray(scene())
        tags = Image.Exif()
        tags.load(exif())
        tags[700] = XMP
        data = save(image, "TIFF", exif=tags, icc_profile=ICC_RGB)
    encoded, _, _ = again(data)
    image = opened(encoded)
    assert image.info["icc_profile"] == ICC_RGB
    found = image.getexif()
    assert found[0x010F] == "Maker of things"
    assert found.get_ifd(0x8769)[0x9003] == "2026:01:02 03:04:05"
    assert found.get_ifd(0x8825)[1] == "N"
    assert b"kept" in (image.tag_v2[700] if kind == "TIFF" else packet(encoded))


def test_a_profile_for_other_channels_is_dropped_with_a_note() -> None:
    samples = deep(scene())
    data = tiff_rgb16(samples, {34675: (7, len(ICC_GRAY), ICC_GRAY)})
    encoded, notes, _ = again(data)
    assert "icc_profile" not in opened(encoded).info
    assert any("ICC" in note for note in notes)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP"])
def test_dpi_is_kept(kind: str) -> None:
    encoded, _, _ = again(save(Image.fromarray(scene()), kind, dpi=(240, 240)))
    assert np.allclose([float(v) for v in opened(encoded).info["dpi"]], 240, atol=0.1)


# --------------------------------------------------------------------------------------------- JPEG


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("quality", [50, 75, 95])
def test_a_jpeg_keeps_tables_subsampling_and_scan(quality: int, progressive: bool, subsampling: int) -> None:
    from PIL import JpegImagePlugin

    data = save(
        Image.fromarray(scene()), "JPEG", quality=quality, progressive=progressive, subsampling=subsampling
    )
    encoded, notes, _ = again(data)
    before, after = opened(data), opened(encoded)
    assert after.quantization == before.quantization
    assert JpegImagePlugin.get_sampling(after) == subsampling
    assert bool(after.info.get("progressive")) == progressive
    assert np.abs(np.asarray(before).astype(int) - np.asarray(after)).mean() < 1.0
    assert notes == ()


def test_jpeg_tables_with_other_numbers_are_kept() -> None:
    data = bytearray(save(Image.fromarray(scene()), "JPEG", quality=70))
    second = [at for at in range(len(data) - 4) if data[at : at + 2] == b"\xff\xdb"][1]
    assert data[second + 4] == 1
    data[second + 4] = 3  # DQT: table 3
    frame = data.index(b"\xff\xc0")
    data[frame + 15] = data[frame + 18] = 3  # SOF0: the colour components use it
    encoded, _, _ = again(bytes(data))
    before, after = opened(bytes(data)), opened(encoded)
    assert list(after.quantization.values()) == [before.quantization[0], before.quantization[3]]
    assert np.abs(np.asarray(before).astype(int) - np.asarray(after)).mean() < 1.0


def test_a_jpeg_with_unusual_subsampling_says_so() -> None:
    data = bytearray(save(Image.fromarray(scene(96, 64)), "JPEG", subsampling=1))
    frame = data.index(b"\xff\xc0")
    assert data[frame + 11] == 0x21
    data[frame + 11] = 0x12  # 4:4:0, as cameras write it when they turn a 4:2:2 picture
    assert any("subsampling" in note for note in again(bytes(data))[1])


def test_a_gray_jpeg_stays_gray() -> None:
    encoded, notes, picture = again(save(Image.fromarray(gray()), "JPEG", quality=90))
    assert opened(encoded).mode == "L" and picture.frames[0].pixels.ndim == 2 and notes == ()


def test_quality_asked_for_replaces_the_tables() -> None:
    data = save(Image.fromarray(scene()), "JPEG", quality=95)
    assert len(again(data, quality=30)[0]) < len(data) / 2


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize("quality", [75, 95, 100])
def test_unmarked_cmyk_pixels_come_back_as_they_were(kind: str, quality: int) -> None:
    inks = np.asarray(Image.fromarray(scene(channels=4)).convert("RGBA")).copy()  # four free channels
    inks[..., 3] //= 3
    image = Image.fromarray(inks, "CMYK")
    data = save(image, kind, quality=quality) if kind == "JPEG" else save(image, kind)
    encoded, _, picture = again(data)
    before, after = opened(data), opened(encoded)
    assert after.mode == "CMYK" and picture.frames[0].pixels.shape[2] == 3
    difference = np.abs(np.asarray(before).astype(int) - np.asarray(after))
    if kind == "TIFF" or quality == 100:
        assert difference.max() <= 1, "unmarked ink comes back within rounding"
    else:
        assert difference.mean() < 1.0  # coding a JPEG twice with the same tables
    if kind == "JPEG":
        assert (b"Adobe" in data[:200]) == (b"Adobe" in encoded[:2000]), (
            "the inverted form is announced alike"
        )


def test_a_marked_cmyk_pixel_shows_the_colour_asked_for() -> None:
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[..., 3] = 200
    data = save(Image.fromarray(inks, "CMYK"), "TIFF")
    picture = decode(data, probe(data, "a"), "a")
    pixels = picture.frames[0].pixels.copy()
    pixels[4:8, 4:8] = (250, 10, 128)
    encoded, _ = encode(picture, [dataclasses.replace(picture.frames[0], pixels=pixels)], data)
    shown = np.asarray(opened(encoded).convert("RGB")).astype(int)
    assert np.abs(shown[5, 5] - (250, 10, 128)).max() <= 2
    assert np.array_equal(np.asarray(opened(encoded))[0, 0], inks[0, 0])


# ----------------------------------------------------------------------------------------- lossy formats


@pytest.mark.parametrize(("kind", "bar"), [("WEBP", 35.0), ("AVIF", 35.0), ("HEIF", 35.0)])
def test_lossy_formats_come_back_close_and_lossy(kind: str, bar: float) -> None:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    data = save(Image.fromarray(scene(256, 192)), kind, quality=85)
    encoded, _, picture = again(data)
    before, after = displayed(data).astype(float), displayed(encoded)
    psnr = 10 * np.log10(255**2 / np.mean((before - after) ** 2))
    assert psnr > bar
    assert opened(encoded).format == opened(data).format
    if kind == "WEBP":
        assert picture.coding.options["lossless"] is False and b"VP8 " in encoded[:60]


@pytest.mark.parametrize("kind", ["WEBP", "AVIF", "HEIF"])
def test_lossy_formats_keep_alpha(kind: str) -> None:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    data = save(rgba(128, 96), kind, quality=90)
    encoded, _, _ = again(data)
    before, after = displayed(data)[..., 3].astype(int), displayed(encoded)[..., 3]
    assert np.abs(before - after).mean() < 3
    assert (after[:20] < 30).all() and (after[-20:] > 225).all()


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_avif_keeps_its_subsampling(subsampling: str) -> None:
    data = save(Image.fromarray(scene()), "AVIF", subsampling=subsampling)
    encoded, _, picture = again(data)
    assert picture.coding.options["subsampling"] == subsampling
    assert encoded[encoded.index(b"av1C") + 6] & 0x0C == data[data.index(b"av1C") + 6] & 0x0C


def test_heic_keeps_icc_exif_xmp_and_what_is_displayed() -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    data = save(
        Image.fromarray(scene(128, 96)), "HEIF", quality=90, exif=exif(6), icc_profile=ICC_RGB, xmp=XMP
    )
    encoded, _, _ = again(data)
    assert np.abs(displayed(data).astype(int) - displayed(encoded)).mean() < 2
    image = opened(encoded)
    assert image.info["icc_profile"] == ICC_RGB
    assert b"kept" in image.info["xmp"]
    assert image.getexif()[0x010F] == "Maker of things"


# -------------------------------------------------------------------------------------------- animation


def animation(kind: str, *, transparent: bool = False, equal: bool = False) -> bytes:
    """Four frames with different times; with ``equal`` the third repeats the second."""
    pictures = []
    for index in range(4):
        frame = scene(64, 48, seed=1, channels=4)
        frame[..., 3] = 255
        at = 8 * (1 if equal and index == 2 else index)
        frame[at : at + 8, at : at + 12, :3] = (250, 20, 40)
        if transparent:
            frame[:, 40 + at // 4 :, 3] = 0
        pictures.append(Image.fromarray(frame if transparent or kind == "WEBP" else frame[..., :3].copy()))
    options: dict[str, Any] = {"duration": [40, 120, 200, 70], "loop": 3}
    if kind == "GIF":
        options["disposal"] = 2 if transparent else 1
    if kind == "WEBP":
        options["lossless"] = True
    if equal and kind in ("PNG", "GIF", "WEBP"):
        return joined(kind, pictures, options["duration"])
    return save(pictures[0], kind, save_all=True, append_images=pictures[1:], **options)


def joined(kind: str, pictures: list[Image.Image], durations: list[int]) -> bytes:
    """An animation with two equal neighbours, which Pillow's writers would merge into one frame."""
    from labeler.media.animation import GifFrame, gif_file, webp_file

    if kind == "GIF":
        shell = save(pictures[0].quantize(64), "GIF", loop=3)
        frames = [
            GifFrame(image=p.quantize(64), duration=d) for p, d in zip(pictures, durations, strict=True)
        ]
        return gif_file(shell, pictures[0].size, frames)
    if kind == "WEBP":
        return webp_file(
            list(zip(pictures, durations, strict=True)),
            loop=3,
            background=(0, 0, 0, 0),
            options={"lossless": True},
        )
    return save(
        pictures[0],
        "PNG",
        save_all=True,
        append_images=pictures[1:],
        duration=durations,
        loop=3,
        disposal=[0, 0, 1, 1],
        blend=0,
    )


@pytest.mark.parametrize("equal", [False, True], ids=["all differ", "two are equal"])
@pytest.mark.parametrize("transparent", [False, True], ids=["opaque", "transparent"])
@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_an_animation_keeps_frames_times_loop_and_pictures(kind: str, transparent: bool, equal: bool) -> None:
    data = animation(kind, transparent=transparent, equal=equal)
    encoded, _, picture = again(data)
    before, after = frames_of(data), frames_of(encoded)
    assert len(before) == len(after) == 4 == len(picture.frames)
    assert [d for _, d in before] == [40, 120, 200, 70] == [d for _, d in after]
    if kind != "AVIF":
        assert opened(encoded).info["loop"] == opened(data).info["loop"]
    for (one, _), (other, _) in zip(before, after, strict=True):
        shown = one[..., 3] > 127
        if kind == "AVIF":
            assert np.abs(one[shown].astype(int) - other[shown]).mean() < 4
        else:
            assert np.array_equal(one[..., 3], other[..., 3])
            limit = 8.0 if kind == "GIF" else 0.0  # GIF is quantised anew
            assert np.abs(one[shown].astype(int) - other[shown]).mean() <= limit


def test_a_gif_that_plays_once_goes_on_playing_once() -> None:
    pictures = [Image.fromarray(scene(seed=s)).quantize(64) for s in range(3)]
    data = save(pictures[0], "GIF", save_all=True, append_images=pictures[1:], duration=50)
    assert b"NETSCAPE" not in data
    assert b"NETSCAPE" not in again(data)[0]


def test_a_gif_keeps_comments_and_application_data() -> None:
    data = save(Image.fromarray(scene()).quantize(64), "GIF", comment=b"hello there")
    extension = b"\x21\xff\x0bOURS_APP1.0\x05abcde\x00"
    at = data.index(b"\x21\xfe")
    encoded, _, _ = again(data[:at] + extension + data[at:])
    assert b"hello there" in encoded and extension in encoded


def test_gif_frames_with_disposal_to_previous_come_out_as_displayed() -> None:
    base = Image.fromarray(scene(64, 48)).quantize(64)
    patches = []
    for index in range(3):
        patch = base.copy()
        patch.paste(5, (10 * index, 5, 10 * index + 9, 20))
        patches.append(patch)
    data = save(base, "GIF", save_all=True, append_images=patches, duration=30, disposal=[1, 3, 3, 3])
    encoded, _, _ = again(data)
    before, after = frames_of(data), frames_of(encoded)
    assert len(before) == len(after)
    for (one, _), (other, _) in zip(before, after, strict=True):
        assert np.abs(one.astype(int) - other).mean() < 8


def test_an_apng_with_a_hidden_first_picture_keeps_it_hidden() -> None:
    pictures = [Image.fromarray(scene(seed=s)) for s in range(4)]
    data = save(
        pictures[0],
        "PNG",
        save_all=True,
        default_image=True,
        append_images=pictures[1:],
        duration=[10, 20, 30],
        loop=0,
    )
    encoded, _, _ = again(data)
    before, after = opened(data), opened(encoded)
    assert after.info["default_image"] and after.n_frames == before.n_frames
    for one, other in zip(frames_of(data), frames_of(encoded), strict=True):
        assert np.array_equal(one[0], other[0])


def test_an_animated_lossy_webp_stays_lossy_and_close() -> None:
    pictures = [Image.fromarray(scene(128, 96, seed=s)) for s in range(3)]
    data = save(pictures[0], "WEBP", save_all=True, append_images=pictures[1:], duration=80, quality=80)
    encoded, _, _ = again(data)
    assert b"VP8 " in encoded and b"VP8L" not in encoded
    for one, other in zip(frames_of(data), frames_of(encoded), strict=True):
        assert np.abs(one[0].astype(int) - other[0]).mean() < 3


# --------------------------------------------------------------------------------------- TIFF with pages


def pages_of_every_kind() -> bytes:
    pictures = [
        (Image.fromarray(scene(96, 64)), {"compression": "tiff_lzw", "description": "one"}),
        (Image.fromarray(gray(40, 80, seed=2)), {"compression": "raw", "description": "two"}),
        (
            Image.fromarray(scene(50, 30, seed=3)).convert("CMYK"),
            {"compression": "packbits", "description": "three"},
        ),
        (rgba(33, 17), {"compression": "tiff_adobe_deflate", "description": "four"}),
        (Image.fromarray(deep(gray(20, 30, seed=4))), {"compression": "raw", "description": "five"}),
    ]
    return joined_tiff([save(image, "TIFF", **options) for image, options in pictures])


def joined_tiff(single: list[bytes]) -> bytes:
    """Pages one after another, each with its own tags, put together by hand."""
    out = bytearray(struct.pack("<2sHI", b"II", 42, 0))
    link = 4
    for data in single:
        assert data[:2] == b"II"
        base = len(out)
        out += data
        shift_directory(out, base, int.from_bytes(data[4:8], "little"))
        struct.pack_into("<I", out, link, base + int.from_bytes(data[4:8], "little"))
        at = base + int.from_bytes(data[4:8], "little")
        (count,) = struct.unpack_from("<H", out, at)
        link = at + 2 + 12 * count
        out += bytes(len(out) & 1)
    return bytes(out)


def shift_directory(out: bytearray, base: int, at: int) -> None:
    """Move every offset in the directory by ``base``."""
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 12: 8}
    (count,) = struct.unpack_from("<H", out, base + at)
    for entry in range(base + at + 2, base + at + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from("<HHI", out, entry)
        (value,) = struct.unpack_from("<I", out, entry + 8)
        total = sizes[kind] * number
        if total > 4:
            struct.pack_into("<I", out, entry + 8, value + base)
            if tag == 273:
                for index in range(number):
                    spot = base + value + 4 * index
                    struct.pack_into("<I", out, spot, struct.unpack_from("<I", out, spot)[0] + base)
        elif tag == 273:
            struct.pack_into("<I", out, entry + 8, value + base)


def test_tiff_pages_of_different_size_mode_and_compression_keep_all_of_it() -> None:
    data = pages_of_every_kind()
    encoded, _, picture = again(data)
    assert len(picture.frames) == 5
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(encoded)) as after:
        assert before.n_frames == after.n_frames == 5
        for one, other in zip(ImageSequence.Iterator(before), ImageSequence.Iterator(after), strict=True):
            assert one.size == other.size
            assert one.mode == other.mode
            assert one.info["compression"] == other.info["compression"]
            assert one.tag_v2[270] == other.tag_v2[270]
            limit = 1 if one.mode == "CMYK" else 0
            assert np.abs(np.asarray(one).astype(int) - np.asarray(other)).max() <= limit


def test_sixteen_bit_colour_pages_are_decoded_once_and_kept() -> None:
    import cv2

    pages = [deep(scene(40, 30, seed=s)) for s in range(3)]
    ok, buffer = cv2.imencodemulti(".tiff", [np.ascontiguousarray(p[..., ::-1]) for p in pages])
    assert ok
    encoded, _, picture = again(buffer.tobytes())
    twice = again(encoded)[2]
    for page, one, other in zip(pages, picture.frames, twice.frames, strict=True):
        assert np.array_equal(one.pixels, page) and np.array_equal(other.pixels, page)


def test_a_big_tiff_stays_a_big_tiff_with_its_tags() -> None:
    data = save(Image.fromarray(scene()), "TIFF", big_tiff=True, description="big", dpi=(200, 200))
    assert data[2] == 43
    encoded, notes, _ = again(data)
    assert encoded[2] == 43
    image = opened(encoded)
    assert image.tag_v2[270] == "big" and image.info["dpi"] == (200, 200)
    assert np.array_equal(np.asarray(image), scene())
    assert notes == ()


def test_a_jpeg_coded_tiff_stays_jpeg_coded_and_close() -> None:
    data = save(Image.fromarray(scene(128, 96)), "TIFF", compression="jpeg", quality=95)
    encoded, _, _ = again(data)
    assert opened(encoded).info["compression"] == "jpeg"
    assert np.abs(displayed(data).astype(int) - displayed(encoded)).mean() < 2


def test_a_page_in_a_compression_that_cannot_be_written_is_lossless_with_a_note() -> None:
    data = save(Image.fromarray(gray()).convert("1"), "TIFF", compression="tiff_ccitt")
    encoded, notes, _ = again(data)
    assert np.array_equal(displayed(data), displayed(encoded))
    assert any("tiff_ccitt" in note and "deflate" in note for note in notes)


def test_sub_directories_of_a_tiff_page_that_cannot_be_kept_are_said() -> None:
    samples = deep(scene())
    data = tiff_rgb16(samples, {330: (4, 1, struct.pack("<I", 8))})
    assert any("330" in note for note in again(data)[1])


# --------------------------------------------------------------------------------------------------- BMP


def test_a_32_bit_bmp_with_alpha_keeps_it() -> None:
    width, height = 20, 10
    samples = np.asarray(rgba(width, height))
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    body = samples[::-1, :, [2, 1, 0, 3]].tobytes()
    header = struct.pack("<IiiHHIIiiII", 108, width, height, 1, 32, 3, len(body), 2835, 2835, 0, 0)
    header += masks + b"BGRs" + bytes(48)
    data = struct.pack("<2sIHHI", b"BM", 14 + 108 + len(body), 0, 0, 14 + 108) + header + body
    assert np.array_equal(displayed(data), samples)
    encoded, notes, _ = again(data)
    assert np.array_equal(displayed(encoded), samples)
    assert round(float(opened(encoded).info["dpi"][0])) == 72
    assert notes == ()


def test_a_bmp_profile_that_cannot_be_kept_is_said() -> None:
    data = bytearray(save(Image.fromarray(scene()), "BMP"))
    header = struct.pack("<I", 124) + bytes(data[18:54]) + bytes(16) + b"DEBM" + bytes(64)
    whole = bytes(data[:10]) + struct.pack("<I", 14 + 124) + header + bytes(data[54:])
    _, notes, _ = again(whole)
    assert any("profile" in note for note in notes)


# -------------------------------------------------------------------------------- what is refused, and how


def test_float_and_32_bit_samples_are_refused_and_named() -> None:
    for mode, word in (("F", "float"), ("I", "integer")):
        values = np.linspace(-5, 1e6, 64 * 64).reshape(64, 64)
        data = save(Image.fromarray(values.astype(np.float32 if mode == "F" else np.int32)), "TIFF")
        with pytest.raises(UnsupportedMedia, match=word):
            decode(data, probe(data, "a"), "a")


def test_a_page_larger_than_the_limit_is_refused_before_any_page_is_decoded() -> None:
    import cv2

    pages = [deep(scene(40, 30)), deep(scene(400, 300))]
    _, buffer = cv2.imencodemulti(".tiff", [np.ascontiguousarray(p[..., ::-1]) for p in pages])
    limits = Limits(pixels=10_000)
    data = buffer.tobytes()
    info = probe(data, "a", limits=limits)
    with pytest.raises(LimitExceeded):
        decode(data, info, "a", limits=limits)


def test_every_failure_of_a_decoder_is_a_typed_error() -> None:
    rng = np.random.default_rng(5)
    files = [
        make() for name, make in LOSSLESS.items() if name.split()[0] in ("png", "gif", "tiff", "bmp", "webp")
    ]
    tried = refused = 0
    for data in files:
        for _ in range(12):
            broken = bytearray(data)
            for at in rng.integers(0, min(len(data), 600), 6):
                broken[at] = rng.integers(256)
            tried += 1
            try:
                decode(bytes(broken), probe(bytes(broken), "a"), "a")
            except (DamagedMedia, UnsupportedMedia, LimitExceeded):
                refused += 1
    assert refused > tried / 4
