"""Text files as UTF-8 and back, byte for byte.

Every edit is made on UTF-8 bytes and converted back to what the file was, with its byte order mark. For
UTF-8 files, by far the most, nothing is converted at all. A file whose bytes would not come back exactly
is not edited.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field

from labeler.errors import DamagedMedia, UnsupportedMedia

__all__ = ["TextData", "decode", "is_text"]

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_CHUNK = 1 << 20
_CONTROLS = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")
_PAIR = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]|[\x81-\xfe][\x30-\x39][\x81-\xfe][\x30-\x39]")
_MAX_CONVERTED = 128 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TextData:
    r"""A text file.

    Attributes:
        body: its characters as UTF-8, without the byte order mark.
        bom: the byte order mark, or b"".
        codec: what the file is written in: ``utf-8``, ``utf-16-le``, ``gb18030``, ``latin-1``, ...
        newline: the first line end of the file: b"\n", b"\r\n" or b"\r".
    """

    body: bytes = field(repr=False)
    bom: bytes = b""
    codec: str = "utf-8"
    newline: bytes = b"\n"

    def encode(self, body: bytes, *, references: bool = False) -> bytes:
        """The file with another body.

        Args:
            body: UTF-8.
            references: write what the encoding lacks as ``&#...;`` (HTML).

        Raises:
            UnsupportedMedia: the file's encoding has no such characters.
        """
        if self.codec == "utf-8":
            return self.bom + body if self.bom else body
        errors = "xmlcharrefreplace" if references else "strict"
        if self.codec.startswith("utf"):
            errors = "surrogatepass"
        try:
            return self.bom + body.decode("utf-8", "surrogatepass").encode(self.codec, errors)
        except UnicodeEncodeError as error:
            raise UnsupportedMedia(
                "the file's 8-bit encoding has no Chinese characters.",
                remedy="Convert it to UTF-8, or label with --lang en.",
            ) from error


def decode(data: bytes) -> TextData:
    """Read a text file; the encoding is told by the byte order mark, else by what fits.

    Raises:
        DamagedMedia: characters are cut, so that the file could not be written back as it was.
    """
    bom, codec = next(((bom, codec) for bom, codec in _BOMS if data.startswith(bom)), (b"", ""))
    rest = data[len(bom) :] if bom else data
    if codec == "utf-8" or (not codec and _is_utf8(rest)):
        return TextData(body=rest, bom=bom, newline=_newline(rest))
    if len(data) > _MAX_CONVERTED:
        raise DamagedMedia(f"a text of {len(data) >> 20} MB that is not UTF-8 is too large to be converted.")
    codec = codec or ("gb18030" if _looks_like_gb(rest) else "latin-1")
    try:
        body = rest.decode(codec, "surrogatepass" if codec.startswith("utf") else "strict")
        result = TextData(
            body=body.encode("utf-8", "surrogatepass"),
            bom=bom,
            codec=codec,
            newline=_newline(body.encode("utf-8", "ignore")),
        )
        if result.encode(result.body) == data:
            return result
    except UnicodeError as error:
        raise DamagedMedia(f"the text is not valid {codec.upper()}: {error.__class__.__name__}.") from error
    raise DamagedMedia(f"the text does not come back byte for byte from {codec.upper()}.")


def is_text(data: bytes) -> bool:
    """Whether bytes are text: no NUL and next to no other control characters, or UTF-16 with its mark."""
    if any(data.startswith(bom) for bom, _ in _BOMS):
        return True
    head = data[: 1 << 16]
    if b"\0" in head or b"\0" in data[-(1 << 16) :]:
        return False
    return len(_CONTROLS.findall(head)) <= len(head) // 500


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), _CHUNK):
            decoder.decode(data[start : start + _CHUNK])
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def _looks_like_gb(data: bytes) -> bool:
    """Whether most pairs are as GB 2312 writes them: both bytes above 0xA0 (four bytes tell nothing)."""
    head = data[: 1 << 18]
    pairs = [pair for pair in _PAIR.findall(head) if len(pair) == 2]
    if not pairs or sum(pair[1] > 0xA0 for pair in pairs) < 0.8 * len(pairs):
        return False
    try:
        return data.decode("gb18030").encode("gb18030") == data
    except UnicodeError:
        return False


def _newline(body: bytes) -> bytes:
    match = re.search(rb"\r\n|\n|\r", body[: 1 << 20])
    return match[0] if match else b"\n"
