"""Fresh pixels in an old shell: JPEG, PNG and WebP."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image, ImageCms

from labeler.errors import DamagedMedia
from labeler.media.containers import gif, graft, heif, jpeg, png, riff, tiff
from labeler.media.containers.splice import Edit, Shift, splice

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def picture(mode: str = "RGB", size: tuple[int, int] = (40, 24), *, seed: int = 3) -> Image.Image:
    """A picture with gradients and detail, the same every time."""
    width, height = size
    bands = [
        Image.frombytes(
            "L",
            size,
            bytes(
                (x * seed + y * (band + 5) + x * y // 7) % 256 for y in range(height) for x in range(width)
            ),
        )
        for band in range(4)
    ]
    count = {"L": 1, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    return bands[0] if count == 1 else Image.merge(mode, bands[:count])


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def pixels(data: bytes) -> list[tuple[str, tuple[int, int], bytes]]:
    with Image.open(io.BytesIO(data)) as image:
        result = []
        for frame in range(getattr(image, "n_frames", 1)):
            image.seek(frame)
            image.load()
            result.append((image.mode, image.size, image.tobytes()))
        return result


def exif(*, thumbnail: bool = False) -> bytes:
    tags = Image.Exif()
    tags[0x010F] = "Maker"
    tags[0x9286] = b"ASCII\0\0\0hello"
    tags[0x0112] = 6
    data = tags.tobytes()
    if thumbnail:
        body = data[6:]
        endian = "<" if body[:2] == b"II" else ">"
        count = struct.unpack_from(endian + "H", body, 8)[0]
        follow = 10 + 12 * count
        ifd1 = struct.pack(endian + "HHHIIHHIII", 2, 0x201, 4, 1, 8, 0x202, 4, 1, 4, 0)
        body = body[:follow] + struct.pack(endian + "I", len(body)) + body[follow + 4 :] + ifd1
        data = b"Exif\0\0" + body
    return data


def rich_jpeg() -> bytes:
    data = encode(
        picture(), "JPEG", icc_profile=ICC, exif=exif(thumbnail=True), dpi=(300, 300), comment=b"a comment"
    )
    layout = jpeg.walk(data)
    extra = [
        jpeg.encode(jpeg.APP1, jpeg.XMP + b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"),
        jpeg.encode(jpeg.APP13, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\0"),
        jpeg.encode(jpeg.APP11, b"JP\0\1\0\0\0\1\0\0\0\x10jumb12345678"),
        jpeg.encode(jpeg.APP2, jpeg.MPF + b"II*\0\x08\0\0\0\0\0\0\0\0\0"),
    ]
    return splice(data, [Edit(layout.segments[-1].end, layout.segments[-1].end, b"".join(extra))])


def test_jpeg_keeps_every_other_segment() -> None:
    source = rich_jpeg()
    encoded = encode(picture(seed=5), "JPEG", quality=70, progressive=True)
    result, notes = graft(source, encoded, "image/jpeg")
    assert pixels(result) == pixels(encoded)

    def kept(data: bytes) -> list[bytes]:
        return [
            s.payload(data)
            for s in jpeg.walk(data).segments
            if s.marker in (jpeg.APP1, jpeg.APP2, jpeg.APP13, jpeg.COM) and not s.starts(data, jpeg.MPF)
        ]

    assert kept(result) == kept(source)
    assert not any(s.marker == jpeg.APP11 for s in jpeg.walk(result).segments)
    assert any("thumbnail" in note for note in notes) and any("MPF" in note for note in notes)
    with Image.open(io.BytesIO(result)) as image:
        assert image.info["dpi"] == (300, 300) and image.info["icc_profile"] == ICC


def test_jpeg_keeps_credentials_on_request() -> None:
    result, _ = graft(rich_jpeg(), encode(picture(), "JPEG"), "image/jpeg", drop_credentials=False)
    assert any(s.marker == jpeg.APP11 for s in jpeg.walk(result).segments)


def test_jpeg_changes_of_colour_model() -> None:
    cmyk = encode(picture("CMYK"), "JPEG", icc_profile=ICC)
    result, notes = graft(cmyk, encode(picture(), "JPEG"), "image/jpeg")
    assert pixels(result) == pixels(encode(picture(), "JPEG"))
    assert not any(s.marker == jpeg.APP14 for s in jpeg.walk(result).segments) and notes == ()
    back, notes = graft(rich_jpeg(), cmyk, "image/jpeg")
    assert pixels(back) == pixels(cmyk)
    assert any("ICC" in note for note in notes)
    assert not any(s.starts(back, b"ICC_PROFILE") for s in jpeg.walk(back).segments)


def rich_png(mode: str = "RGB") -> bytes:
    data = encode(picture(mode), "PNG", icc_profile=ICC, exif=exif()[6:], dpi=(144, 144))
    first = png.walk(data)[1].start
    last = png.walk(data)[-1].start
    extra = [
        png.encode(b"gAMA", struct.pack(">I", 45455)),
        png.encode(b"sBIT", b"\5\6\5"),
        png.encode(b"bKGD", struct.pack(">HHH", 1, 2, 3)),
        png.encode(b"tEXt", b"Title\0x"),
        png.encode(b"zTXt", b"Long\0\0" + zlib.compress(b"y" * 500)),
        png.encode_itxt(b"Author", "李".encode()),
        png.encode(b"prVa", b"private, safe"),
        png.encode(b"prVA", b"private, unsafe"),
        png.encode(b"caBX", b"manifest"),
    ]
    late = png.encode(b"tIME", b"\x07\xe9\1\1\0\0\0") + png.encode(b"tEXt", b"After\0z")
    return splice(data, [Edit(first, first, b"".join(extra)), Edit(last, last, late)])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_png_keeps_ancillary_chunks(mode: str) -> None:
    source = rich_png()
    encoded = encode(picture(mode, seed=9), "PNG")
    result, notes = graft(source, encoded, "image/png")
    assert pixels(result) == pixels(encoded)
    kinds = [c.kind for c in png.walk(result)]
    gone = (
        {b"prVA", b"caBX"}
        | (set() if mode == "RGB" else {b"sBIT", b"bKGD"})
        | ({b"iCCP"} if mode == "L" else set())
    )
    expected = {c.kind for c in png.walk(source)} - gone
    assert set(kinds) == expected
    assert kinds.index(b"tIME") > kinds.index(b"IDAT") > kinds.index(b"prVa")
    assert any("prVA" in note for note in notes)
    old = {c.kind: c.payload(source) for c in png.walk(source)}
    assert all(
        c.payload(result) == old[c.kind]
        for c in png.walk(result)
        if c.kind in old and c.kind not in (b"IHDR", b"IDAT", b"tEXt")
    )


def test_png_palette_and_animation() -> None:
    palette = encode(picture().quantize(16), "PNG", transparency=3)
    result, _ = graft(rich_png(), palette, "image/png")
    assert pixels(result) == pixels(palette)
    kinds = [c.kind for c in png.walk(result)]
    assert kinds.index(b"iCCP") < kinds.index(b"PLTE") and b"tRNS" in kinds
    moving = encode(picture(), "PNG", save_all=True, append_images=[picture(seed=8)], duration=70)
    result, _ = graft(moving, moving, "image/png")
    assert result == moving


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_webp_flags_and_chunks(mode: str, lossless: bool) -> None:
    source = encode(picture(), "WEBP", icc_profile=ICC, exif=exif(), xmp=b"<x/>")
    parts = [(c.kind, c.payload(source)) for c in riff.walk(source, b"WEBP").chunks]
    source = riff.build(b"WEBP", [*parts, (b"ODD ", b"abc"), (b"C2PA", b"manifest")])
    encoded = encode(picture(mode, seed=5), "WEBP", lossless=lossless)
    result, _ = graft(source, encoded, "image/webp")
    assert pixels(result) == pixels(encoded)
    chunks = {c.kind: c.payload(result) for c in riff.walk(result, b"WEBP").chunks}
    assert chunks[b"ICCP"] == ICC and chunks[b"XMP "] == b"<x/>" and chunks[b"ODD "] == b"abc"
    assert b"C2PA" not in chunks
    flags = riff.ICC | riff.EXIF | riff.XMP | (riff.ALPHA if mode == "RGBA" else 0)
    assert chunks[b"VP8X"][0] == flags
    with Image.open(io.BytesIO(result)) as image:
        assert image.info["icc_profile"] == ICC and image.getexif()[0x010F] == "Maker"


def test_webp_without_metadata_stays_simple() -> None:
    encoded = encode(picture(), "WEBP")
    assert graft(encode(picture(seed=7), "WEBP"), encoded, "image/webp") == (encoded, ())


def test_gif_extensions() -> None:
    frames = [picture("L", seed=seed) for seed in (4, 5)]
    encoded = encode(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=70, loop=0)
    source = encode(frames[0], "GIF", comment=b"old")
    at = gif.walk(source).first
    extra = gif.encode_xmp(b"<x/>") + b"\x21\xff\x0bICCRGBG1012\3abc\0" + b"\x21\xff\x0bC2PA_GIF\1\0\0\3abc\0"
    source = splice(source, [Edit(at, at, extra)])
    result, _ = graft(source, encoded, "image/gif")
    assert pixels(result) == pixels(encoded)
    packets = [gif.xmp_packet(result, block) for block in gif.walk(result).blocks]
    assert packets.count(b"<x/>") == 1 and b"ICCRGBG1012" in result and b"C2PA" not in result
    with Image.open(io.BytesIO(result)) as image:
        assert image.info["loop"] == 0 and image.info["comment"] == b"old"


@pytest.mark.parametrize("kind", ["TIFF", "AVIF"])
def test_xmp_of_tiff_and_avif(kind: str) -> None:
    media_type = f"image/{kind.lower()}"
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    source = encode(picture(), kind)
    plain, encoded = source, encode(picture(seed=5), kind)
    if kind == "TIFF":
        source = tiff.set_value(source, 700, packet, kind=1)
    else:
        source = heif.add_item(source, heif.read(source), packet)
    result, _ = graft(source, encoded, media_type)
    assert pixels(result) == pixels(encoded) and packet in result
    assert graft(plain, encoded, media_type) == (encoded, ())
    assert graft(source, result, media_type) == (result, ())


def test_other_types_are_returned_as_encoded() -> None:
    assert graft(b"x", b"y", "image/bmp") == (b"y", ())


def test_splice_and_shift() -> None:
    edits = [Edit(2, 4, b"123"), Edit(6, 6, b"-")]
    assert splice(b"abcdefgh", edits) == b"ab123ef-gh"
    shift = Shift(edits)
    assert [shift(p) for p in (0, 2, 4, 5, 6, 8)] == [0, 2, 5, 6, 8, 10]
    with pytest.raises(DamagedMedia, match="overlap"):
        splice(b"abcdef", [Edit(0, 3, b""), Edit(2, 4, b"")])
