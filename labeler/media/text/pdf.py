"""PDF through pikepdf (qpdf): bounded opening, information and XMP, a stamp, and what text a page shows.

The only module that imports pikepdf. Nothing in a PDF is ever executed or rendered. qpdf's own guards are
set before the first file is opened: they bound what a compressed stream may unpack to, filters in a row,
nesting and warnings, since object streams are unpacked as soon as a file is opened.

Saving keeps every object and every coded stream as it is; qpdf writes the file anew, with the same kind of
object streams and the same version. A digitally signed PDF is refused: any change would break its signature.
"""

from __future__ import annotations

import copy
import io
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, Stream, String
from pikepdf import settings as qpdf_settings

from labeler.errors import DamagedMedia, LimitExceeded, UnsupportedMedia
from labeler.media.text.limits import DEFAULT

__all__ = [
    "Stamp",
    "info_text",
    "open_pdf",
    "pages",
    "save",
    "set_info",
    "set_xmp",
    "stamp",
    "stamps",
    "xmp_packet",
]

STAMP_KEY = "LabelerMark"
"""Names of our stamps in a page's resources start with this."""

_STREAM_BYTES = 128 << 20
_MAX_PAGES = 100_000
_XMP_BYTES = 16 << 20
_LIMITS_SET = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stamp:
    """A small picture to be put on a page.

    Attributes:
        rgb: 3 bytes a pixel, rows from the top.
        alpha: 1 byte a pixel.
        width: px.
        height: px.
        points: height on the page, in points (1/72 inch).
        text: what it says, for readers that extract or speak text.
    """

    rgb: bytes
    alpha: bytes
    width: int
    height: int
    points: float
    text: str


def _set_limits() -> None:
    global _LIMITS_SET
    if not _LIMITS_SET:
        qpdf_settings.set_qpdf_limits(
            doc_max_warnings=200,
            parser_max_nesting=200,
            max_stream_filters=4,
            flate_max_memory=_STREAM_BYTES,
            png_max_memory=_STREAM_BYTES,
            run_length_max_memory=_STREAM_BYTES,
            tiff_max_memory=_STREAM_BYTES,
            dct_max_memory=_STREAM_BYTES,
        )
        _LIMITS_SET = True


@contextmanager
def open_pdf(data: bytes) -> Iterator[Pdf]:
    """A PDF, opened within limits.

    Raises:
        DamagedMedia: it cannot be read.
        LimitExceeded: too many objects or pages.
        UnsupportedMedia: encrypted.
    """
    _set_limits()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Pdf.open(
                io.BytesIO(data), suppress_warnings=True, inherit_page_attributes=False
            ) as document:
                if document.is_encrypted:
                    raise UnsupportedMedia(
                        "the PDF is encrypted.", remedy="Save it without a password first."
                    )
                if len(document.objects) > DEFAULT.pdf_objects:
                    raise LimitExceeded(f"the PDF has more than {DEFAULT.pdf_objects} objects.")
                yield document
    except pikepdf.PasswordError as error:
        raise UnsupportedMedia("the PDF is encrypted.", remedy="Save it without a password first.") from error
    except (
        pikepdf.PdfError,
        pikepdf.DataDecodingError,
        RuntimeError,
        TypeError,
        ValueError,
        KeyError,
        AttributeError,
        IndexError,
    ) as error:
        said = re.sub(r"stream <[^>]*>: ", "", str(error))[:160]
        raise DamagedMedia(f"the PDF cannot be read: {said}.") from error


def pages(document: Pdf) -> list[pikepdf.Page]:
    """The first and the last page; one page if there is but one.

    Raises:
        DamagedMedia: there is no page.
    """
    count = len(document.pages)
    if not 0 < count <= _MAX_PAGES:
        raise DamagedMedia(f"the PDF has {count} pages.")
    return [document.pages[0], *([document.pages[count - 1]] if count > 1 else [])]


def info_text(document: Pdf, name: str) -> str | None:
    """A text of the document information dictionary."""
    value = _info(document).get(f"/{name}")
    return str(value)[: 1 << 20] if isinstance(value, String) else None


def _info(document: Pdf) -> Any:
    value = document.trailer.get("/Info")
    return value if isinstance(value, Dictionary) else Dictionary()


def set_info(document: Pdf, name: str, text: str) -> None:
    """Set a text of the document information dictionary."""
    if not isinstance(document.trailer.get("/Info"), Dictionary):
        document.trailer[Name.Info] = document.make_indirect(Dictionary())
    document.trailer.Info[f"/{name}"] = String(text)


def xmp_packet(document: Pdf) -> bytes:
    """The XMP packet of the document, or b""."""
    stream = document.Root.get("/Metadata")
    data = stream_bytes(stream) if isinstance(stream, Stream) else b""
    return data if len(data) <= _XMP_BYTES else b""


def set_xmp(document: Pdf, packet: bytes) -> None:
    """Set the XMP packet; it stays uncompressed, so that tools that know no PDF find it."""
    stream = document.make_stream(packet)
    stream[Name.Type] = Name.Metadata
    stream[Name.Subtype] = Name.XML
    document.Root[Name.Metadata] = stream


def stream_bytes(stream: Any) -> bytes:
    """A stream decoded, within bounds."""
    raw = bytes(stream.read_raw_bytes())
    kind = stream.get("/Filter")
    if kind is None:
        return raw
    if str(kind) == "/FlateDecode" and "/DecodeParms" not in stream:
        try:
            return zlib.decompressobj().decompress(raw, _STREAM_BYTES)
        except zlib.error:
            return b""
    return bytes(stream.read_bytes())


def save(document: Pdf) -> bytes:
    """The file; coded streams stay as they are.

    Raises:
        UnsupportedMedia: it carries a digital signature.
    """
    form = document.Root.get("/AcroForm")
    if isinstance(form, Dictionary) and int(form.get("/SigFlags", 0)) & 1:
        raise UnsupportedMedia(
            "the PDF is digitally signed; any change would break the signature.",
            remedy="Label it before it is signed.",
        )
    target = io.BytesIO()
    document.save(
        target,
        preserve_pdfa=True,
        object_stream_mode=pikepdf.ObjectStreamMode.preserve,
        stream_decode_level=pikepdf.StreamDecodeLevel.none,
        compress_streams=False,
        deterministic_id=True,
        fix_metadata_version=False,
    )
    return target.getvalue()


def stamp(document: Pdf, page: pikepdf.Page, mark: Stamp, *, top: bool) -> None:
    """Draw a stamp in the right corner of a page as it is displayed, at the top or the bottom."""
    soft = document.make_stream(zlib.compress(mark.alpha, 9))
    image = document.make_stream(zlib.compress(mark.rgb, 9))
    for stream, space in ((soft, Name.DeviceGray), (image, Name.DeviceRGB)):
        stream.Type, stream.Subtype = Name.XObject, Name.Image
        stream.Width, stream.Height, stream.BitsPerComponent = mark.width, mark.height, 8
        stream.ColorSpace, stream.Filter = space, Name.FlateDecode
    image.SMask = soft
    image[Name.Alt] = String(mark.text)
    resources: Any = _inherited(page, "/Resources")
    shared: Any = copy.copy(resources) if isinstance(resources, Dictionary) else Dictionary()
    held: Any = shared.get("/XObject")  # pages may share these dictionaries; ours is put into copies
    objects: Any = copy.copy(held) if isinstance(held, Dictionary) else Dictionary()
    name = next(f"/{STAMP_KEY}{n}" for n in range(1, 10_000) if f"/{STAMP_KEY}{n}" not in objects)
    objects[name] = image
    shared[Name.XObject] = objects
    page.obj[Name.Resources] = shared
    matrix = _place(page, mark, top=top)
    spoken = ("\ufeff" + mark.text).encode("utf-16-be").hex()
    numbers = " ".join(f"{value:.3f}" for value in matrix)
    drawing = f"\nq\n/Span << /ActualText <{spoken}> >> BDC\n{numbers} cm\n{name} Do\nEMC\nQ\n".encode()
    page.contents_add(document.make_stream(b"q\n"), prepend=True)
    page.contents_add(document.make_stream(b"\nQ" + drawing))


def _inherited(page: pikepdf.Page, key: str) -> Any:
    node: Any = page.obj
    for _ in range(64):
        value = node.get(key)
        if value is not None:
            return value
        node = node.get("/Parent")
        if not isinstance(node, Dictionary):
            return None
    return None


def _box(page: pikepdf.Page) -> tuple[float, float, float, float]:
    for key in ("/CropBox", "/MediaBox"):
        value = _inherited(page, key)
        if isinstance(value, Array) and len(value) == 4:
            x0, y0, x1, y1 = (float(v) for v in value)
            return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
    return 0.0, 0.0, 612.0, 792.0


def _place(page: pikepdf.Page, mark: Stamp, *, top: bool) -> tuple[float, ...]:
    """The matrix that puts the unit square where the stamp is to be, whichever way the page is turned."""
    x0, y0, x1, y1 = _box(page)
    turn = int(_inherited(page, "/Rotate") or 0) % 360
    wide, high = (y1 - y0, x1 - x0) if turn in (90, 270) else (x1 - x0, y1 - y0)
    height = min(mark.points, high / 4)
    width = height * mark.width / mark.height
    if width > wide * 0.9:
        width, height = wide * 0.9, wide * 0.9 * mark.height / mark.width
    margin = min(12.0, wide * 0.02, high * 0.02)
    left = wide - margin - width
    low = high - margin - height if top else margin
    if turn == 90:  # displayed x runs along the page's y, displayed y against its x
        return 0.0, width, -height, 0.0, x1 - low, y0 + left
    if turn == 180:
        return -width, 0.0, 0.0, -height, x1 - left, y1 - low
    if turn == 270:
        return 0.0, -width, height, 0.0, x0 + low, y1 - left
    return width, 0.0, 0.0, height, x0 + left, y0 + low


def stamps(page: pikepdf.Page) -> list[str]:
    """Texts of our stamps that a page really draws."""
    resources = _inherited(page, "/Resources")
    objects = resources.get("/XObject") if isinstance(resources, Dictionary) else None
    if not isinstance(objects, Dictionary):
        return []
    names = {str(k): v for k, v in objects.items() if str(k).startswith(f"/{STAMP_KEY}")}
    if not names:
        return []
    content = page_content(page)
    found = []
    for name, image in names.items():
        alt = image.get("/Alt") if isinstance(image, Stream) else None
        if f"{name} Do".encode() in content and isinstance(alt, String):
            found.append(str(alt)[:200])
    return found


def page_content(page: pikepdf.Page) -> bytes:
    """The content streams of a page, decoded within bounds and joined."""
    contents = page.obj.get("/Contents")
    streams = list(contents) if isinstance(contents, Array) else [contents]
    return b"\n".join(stream_bytes(s) for s in streams[:10_000] if isinstance(s, Stream))
