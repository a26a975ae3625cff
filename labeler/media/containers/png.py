"""PNG chunks: walk, text chunks, build.

Source: W3C PNG Specification (Third Edition) sections 5 (chunk layout, properties), 11.3.3 (text)
and 14.2 (copying of unknown ancillary chunks).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from labeler.errors import DamagedMedia

__all__ = [
    "SIGNATURE",
    "XMP_KEYWORD",
    "Chunk",
    "Text",
    "encode",
    "encode_itxt",
    "inflate_head",
    "read_text",
    "walk",
]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEYWORD = b"XML:com.adobe.xmp"
_MAX_CHUNKS = 500_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk.

    Attributes:
        kind: four letters.
        start: offset of the length field.
        body: offset of the first data byte.
        size: number of data bytes.
    """

    kind: bytes
    start: int
    body: int
    size: int

    @property
    def end(self) -> int:
        """Offset behind the CRC."""
        return self.body + self.size + 4

    @property
    def ancillary(self) -> bool:
        """True if a decoder may ignore the chunk."""
        return bool(self.kind[0] & 0x20)

    @property
    def safe_to_copy(self) -> bool:
        """True if the chunk stays valid when pixel data changes."""
        return bool(self.kind[3] & 0x20)

    def payload(self, data: bytes) -> bytes:
        """The data bytes."""
        return data[self.body : self.body + self.size]


@dataclass(frozen=True, slots=True)
class Text:
    """A text chunk, keyword and text still as bytes.

    Attributes:
        keyword: 1 to 79 bytes, Latin-1.
        text: the text, Latin-1 for tEXt and zTXt, UTF-8 for iTXt.
        compressed: true if it stood deflated.
    """

    keyword: bytes
    text: bytes
    compressed: bool


def walk(data: bytes) -> tuple[Chunk, ...]:
    """All chunks from IHDR to IEND; bytes behind IEND are nobody's chunk.

    Raises:
        DamagedMedia: if the signature, the first chunk or IEND is missing, or a chunk reaches
            behind the end of the file.
    """
    if not data.startswith(SIGNATURE):
        raise DamagedMedia("not a PNG file: its signature is missing.")
    chunks: list[Chunk] = []
    position = len(SIGNATURE)
    total = len(data)
    while position + 12 <= total:
        size = int.from_bytes(data[position : position + 4], "big")
        chunk = Chunk(data[position + 4 : position + 8], position, position + 8, size)
        if chunk.end > total:
            raise DamagedMedia(f"PNG chunk {chunk.kind!r} at byte {position} reaches behind the end.")
        chunks.append(chunk)
        if len(chunks) == 1 and chunk.kind != b"IHDR":
            raise DamagedMedia(f"the first PNG chunk is {chunk.kind!r}, not IHDR.")
        if chunk.kind == b"IEND":
            return tuple(chunks)
        if len(chunks) > _MAX_CHUNKS:
            raise DamagedMedia(f"the PNG file has more than {_MAX_CHUNKS} chunks.")
        position = chunk.end
    raise DamagedMedia("the PNG file ends before its IEND chunk.")


def encode(kind: bytes, payload: bytes) -> bytes:
    """One chunk with length and CRC."""
    return (
        len(payload).to_bytes(4, "big")
        + kind
        + payload
        + zlib.crc32(payload, zlib.crc32(kind)).to_bytes(4, "big")
    )


def encode_itxt(keyword: bytes, text: bytes) -> bytes:
    """An uncompressed iTXt chunk without language and translated keyword (11.3.3.4)."""
    return encode(b"iTXt", keyword + b"\0\0\0\0\0" + text)


def read_text(data: bytes, chunk: Chunk, *, limit: int) -> Text | None:
    """Take a tEXt, zTXt or iTXt chunk apart.

    Args:
        data: the file.
        chunk: one of its chunks.
        limit: a compressed text that grows beyond this many bytes is refused.

    Returns:
        None if the chunk is no text chunk or its fields cannot be told apart.
    """
    if chunk.kind not in (b"tEXt", b"zTXt", b"iTXt"):
        return None
    keyword, zero, rest = chunk.payload(data).partition(b"\0")
    if not zero:
        return None
    if chunk.kind == b"tEXt":
        return Text(keyword, rest, False)
    if chunk.kind == b"zTXt":
        text = _inflate(rest[1:], limit) if rest[:1] == b"\0" else None
        return None if text is None else Text(keyword, text, True)
    flags, rest = rest[:2], rest[2:]
    _language, zero, rest = rest.partition(b"\0")
    _translated, zero2, body = rest.partition(b"\0")
    if len(flags) < 2 or not zero or not zero2:
        return None
    if flags[0] == 0:
        return Text(keyword, body, False)
    inflated = _inflate(body, limit) if flags == b"\1\0" else None
    return None if inflated is None else Text(keyword, inflated, True)


def inflate_head(data: bytes, size: int) -> bytes:
    """The first bytes of a deflated string, fewer if it is shorter or damaged."""
    try:
        return zlib.decompressobj().decompress(data, size)
    except zlib.error:
        return b""


def _inflate(data: bytes, limit: int) -> bytes | None:
    engine = zlib.decompressobj()
    try:
        text = engine.decompress(data, limit + 1)
    except zlib.error:
        return None
    return text if len(text) <= limit else None
