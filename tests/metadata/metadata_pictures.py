"""Small pictures in every format, made here, for the tests of containers and metadata."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image, ImageCms

from labeler.media.containers import jpeg, png, riff
from labeler.media.containers.splice import Edit, splice
from labeler.types import Label, MediaInfo, Modality

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

LABEL = Label(
    producer="001191110102MAD55U9H0F10002",
    produce_id="98ae6b12-23e2-49af-b98a-780706f8e584",
    generator="stable-diffusion/3.5",
    created="2026-08-02T09:30:00+08:00",
    author="Ann Example; 李雷",
    rights="© 2026 Ann & Co <all rights>",
)

FOREIGN_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Some Tool 1.0">
 <!-- a comment that must stay -->
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="uuid:1234"
    xmlns:ph='http://ns.adobe.com/photoshop/1.0/'
    xmlns:odd="http://example.org/odd/1.0/"
    ph:City='Z&#252;rich'   ph:ICCProfile="sRGB"
    odd:flag="&lt;yes&gt;">
   <odd:List><rdf:Bag><rdf:li>one</rdf:li><rdf:li>two &amp; three</rdf:li></rdf:Bag></odd:List>
   <d:creator xmlns:d="http://purl.org/dc/elements/1.1/">
    <rdf:Seq>
     <rdf:li>First Author</rdf:li>
    </rdf:Seq>
   </d:creator>
   <?odd-instruction keep me?>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
@PAD@
<?xpacket end="w"?>""".replace("@PAD@", (" " * 80 + "\n") * 2).encode()


def info(media_type: str) -> MediaInfo:
    return MediaInfo(media_type=media_type, modality=Modality.IMAGE)


def picture(mode: str = "RGB", size: tuple[int, int] = (40, 24), *, seed: int = 3) -> Image.Image:
    """A picture with gradients and detail, the same every time."""
    width, height = size
    values = [
        bytes((x * seed + y * (band + 5) + x * y // 7) % 256 for y in range(height) for x in range(width))
        for band in range(4)
    ]
    if mode == "I;16":
        return Image.frombytes(
            "I;16", size, b"".join(bytes(pair) for pair in zip(values[0], values[1], strict=True))
        )
    bands = [Image.frombytes("L", size, value) for value in values]
    count = {"L": 1, "P": 3, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    if count == 1:
        return bands[0]
    return picture().quantize(32) if mode == "P" else Image.merge(mode, bands[:count])


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def pixels(data: bytes) -> list[tuple[object, ...]]:
    """Every frame as mode, size, duration and bytes."""
    with Image.open(io.BytesIO(data)) as image:
        result: list[tuple[object, ...]] = []
        for frame in range(getattr(image, "n_frames", 1)):
            image.seek(frame)
            image.load()
            result.append((image.mode, image.size, image.info.get("duration"), image.tobytes()))
        return result


def exif(*, description: str = "", comment: bytes = b"ASCII\0\0\0hello", thumbnail: bool = False) -> bytes:
    """EXIF with its ``Exif`` identifier, as Pillow's ``exif`` option wants it."""
    tags = Image.Exif()
    tags[0x010F] = "Maker"
    tags[0x0112] = 1
    if description:
        tags[0x010E] = description
    tags.get_ifd(0x8769)[0x9286] = comment
    data = tags.tobytes()
    if thumbnail:
        body = data[6:]
        endian = "<" if body[:2] == b"II" else ">"
        follow = 10 + 12 * struct.unpack_from(endian + "H", body, 8)[0]
        ifd1 = struct.pack(endian + "HHHIIHHIII", 2, 0x201, 4, 1, 8, 0x202, 4, 1, 4, 0)
        data = b"Exif\0\0" + body[:follow] + struct.pack(endian + "I", len(body)) + body[follow + 4 :] + ifd1
    return data


def rich_jpeg() -> bytes:
    """JPEG with EXIF of 50 KB, ICC in several segments, comment, IPTC-IIM, foreign XMP."""
    icc = ICC + bytes(70000)
    data = encode(
        picture(),
        "JPEG",
        icc_profile=icc,
        exif=exif(comment=b"ASCII\0\0\0" + b"x" * 50000),
        dpi=(300, 300),
        comment=b"a comment",
        progressive=True,
    )
    layout = jpeg.walk(data)
    extra = [
        jpeg.encode(jpeg.APP1, jpeg.XMP + FOREIGN_XMP),
        jpeg.encode(jpeg.APP13, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\0"),
        jpeg.encode(0xE5, b"private"),
    ]
    at = layout.segments[-1].end
    return splice(data, [Edit(at, at, b"".join(extra))])


def rich_png() -> bytes:
    """PNG with ICC, EXIF, text chunks of all three kinds on both sides of the picture."""
    data = encode(picture("RGBA"), "PNG", icc_profile=ICC, exif=exif()[6:], dpi=(144, 144))
    first, last = png.walk(data)[1].start, png.walk(data)[-1].start
    early = [
        png.encode(b"tEXt", b"Title\0x"),
        png.encode(b"zTXt", b"Long\0\0" + zlib.compress(b"y" * 500)),
        png.encode_itxt(b"Author", "李".encode()),
        png.encode(b"prVA", b"private"),
    ]
    late = png.encode(b"tIME", b"\x07\xe9\1\1\0\0\0") + png.encode(b"tEXt", b"After\0z")
    return splice(data, [Edit(first, first, b"".join(early)), Edit(last, last, late)]) + b"trailing bytes"


def rich_webp() -> bytes:
    """WebP with ICC, EXIF, foreign XMP and an unknown chunk."""
    data = encode(picture(), "WEBP", icc_profile=ICC, exif=exif(), xmp=FOREIGN_XMP)
    parts = [(c.kind, c.payload(data)) for c in riff.walk(data, b"WEBP").chunks]
    return riff.build(b"WEBP", [*parts, (b"ODD ", b"abc")])


def tiff_of(endian: str, *, pages: int = 2, xmp: bytes = b"") -> bytes:
    """An uncompressed grey TIFF made by hand, in either byte order."""
    out = bytearray((b"II" if endian == "<" else b"MM") + struct.pack(endian + "HI", 42, 0))
    link = 4
    for page in range(pages):
        strip = len(out)
        out += picture("L", (16, 8), seed=page + 2).tobytes()
        fields = [(256, 3, 1, 16), (257, 3, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
        fields += [(273, 4, 1, strip), (277, 3, 1, 1), (278, 3, 1, 8), (279, 4, 1, 128)]
        if xmp and page == 0:
            fields.append((700, 1, len(xmp), len(out)))
            out += xmp + bytes(len(xmp) % 2)
        struct.pack_into(endian + "I", out, link, len(out))
        out += struct.pack(endian + "H", len(fields))
        for tag, kind, count, value in fields:
            if kind == 3:
                out += struct.pack(endian + "HHIHH", tag, kind, count, value, 0)
            else:
                out += struct.pack(endian + "HHII", tag, kind, count, value)
        link = len(out)
        out += bytes(4)
    return bytes(out)


def _moving(kind: str, mode: str = "RGB", **options: object) -> bytes:
    frames = [picture(mode, seed=seed) for seed in (4, 5)]
    return encode(picture(mode), kind, save_all=True, append_images=frames, duration=70, **options)


FORMATS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "jpeg": ("image/jpeg", lambda: encode(picture(), "JPEG")),
    "jpeg-grey": ("image/jpeg", lambda: encode(picture("L"), "JPEG")),
    "jpeg-cmyk": ("image/jpeg", lambda: encode(picture("CMYK"), "JPEG")),
    "jpeg-progressive-rich": ("image/jpeg", rich_jpeg),
    "png": ("image/png", lambda: encode(picture(), "PNG")),
    "png-palette": ("image/png", lambda: encode(picture("P"), "PNG", transparency=3)),
    "png-16": ("image/png", lambda: encode(picture("I;16"), "PNG")),
    "png-rich": ("image/png", rich_png),
    "apng": ("image/png", lambda: _moving("PNG")),
    "webp-lossy": ("image/webp", lambda: encode(picture(), "WEBP")),
    "webp-lossless": ("image/webp", lambda: encode(picture("RGBA"), "WEBP", lossless=True)),
    "webp-alpha": ("image/webp", lambda: encode(picture("RGBA"), "WEBP")),
    "webp-rich": ("image/webp", rich_webp),
    "webp-animated": ("image/webp", lambda: _moving("WEBP")),
    "gif": ("image/gif", lambda: encode(picture("P"), "GIF")),
    "gif-animated": ("image/gif", lambda: _moving("GIF", "P", loop=0, comment=b"a comment")),
    "tiff": ("image/tiff", lambda: encode(picture(), "TIFF", icc_profile=ICC)),
    "tiff-lzw": ("image/tiff", lambda: encode(picture(), "TIFF", compression="tiff_lzw")),
    "tiff-big": ("image/tiff", lambda: encode(picture(), "TIFF", big_tiff=True)),
    "tiff-pages-little": ("image/tiff", lambda: tiff_of("<")),
    "tiff-pages-big": ("image/tiff", lambda: tiff_of(">", pages=3)),
    "tiff-xmp": ("image/tiff", lambda: tiff_of("<", xmp=FOREIGN_XMP)),
    "avif": ("image/avif", lambda: encode(picture(), "AVIF")),
    "avif-alpha-rich": (
        "image/avif",
        lambda: encode(picture("RGBA"), "AVIF", icc_profile=ICC, exif=exif(), xmp=FOREIGN_XMP),
    ),
    "avif-animated": ("image/avif", lambda: _moving("AVIF")),
    "heic": ("image/heic", lambda: encode(picture(), "HEIF")),
    "heic-rich": ("image/heic", lambda: encode(picture(), "HEIF", exif=exif(), xmp=FOREIGN_XMP)),
    "heic-two": ("image/heic", lambda: _moving("HEIF")),
}
"""Name -> media type and maker."""
