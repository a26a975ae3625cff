"""Animated PNG: the manifest goes to the end, because c2pa's place for it costs the animation.

c2pa-python 0.38.1 writes its ``caBX`` chunk straight after ``IHDR``. ffmpeg decides whether a PNG is
animated from the first 2 kB; a manifest there makes it see a still picture (measured with ffmpeg 9.0.2;
the same with the chunk anywhere before ``IDAT``). So the data hash is computed here, c2pa signs it, and
the chunk goes before ``IEND``, where Pillow, OpenCV and ffmpeg see every frame and c2pa reads it as
usual. C2PA 2.2, A.3.2 recommends a place before ``IDAT`` and does not demand it.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from labeler.errors import DamagedMedia, OutputError

__all__ = ["is_animated", "sign"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNK = b"caBX"
_FIRST_GUESS = 4096
_MAX_ROUNDS = 5


def is_animated(source: BinaryIO) -> bool:
    """Whether a PNG has an ``acTL`` chunk before its picture data."""
    source.seek(0)
    if source.read(8) != _SIGNATURE:
        return False
    while len(head := source.read(8)) == 8:
        size, name = struct.unpack(">I4s", head)
        if name in (b"acTL", b"IDAT", b"IEND"):
            return bool(name == b"acTL")
        source.seek(size + 4, 1)
    return False


def sign(source: BinaryIO, target: BinaryIO, make: Callable[[dict[str, Any]], bytes]) -> bytes:
    """Put a manifest into an animated PNG.

    Args:
        source: the PNG; manifests that it carries are left out.
        target: receives it with the manifest.
        make: signs a manifest with this ``c2pa.hash.data`` assertion and returns its bytes.

    Returns:
        The manifest.

    Raises:
        DamagedMedia: the chunks cannot be followed to ``IEND``.
    """
    source.seek(0)
    data = source.read()
    head, tail = _around_end(data)
    digest = hashlib.sha256()
    for part in (*head, tail):
        digest.update(part)
    start, length = sum(map(len, head)), _FIRST_GUESS
    for _ in range(_MAX_ROUNDS):  # the manifest contains its own length
        assertion = {
            "exclusions": [{"start": start, "length": length}],
            "name": "jumbf manifest",
            "alg": "sha256",
            "hash": list(digest.digest()),
            "pad": [],
        }
        manifest = make(assertion)
        if len(manifest) + 12 == length:
            break
        length = len(manifest) + 12
    else:
        raise OutputError("the manifest's length does not settle.")
    crc = zlib.crc32(manifest, zlib.crc32(_CHUNK))
    chunk = struct.pack(">I", len(manifest)) + _CHUNK + manifest + struct.pack(">I", crc)
    target.writelines((*head, chunk, tail))
    return manifest


def _around_end(data: bytes) -> tuple[list[memoryview], memoryview]:
    """What stands before ``IEND``, without old manifests, and the rest."""
    view = memoryview(data)
    kept: list[memoryview] = []
    begin = 0
    for name, offset, end in _chunks(data):
        if name == _CHUNK:
            kept.append(view[begin:offset])
            begin = end
        elif name == b"IEND":
            kept.append(view[begin:offset])
            return kept, view[offset:]
    raise DamagedMedia("the PNG ends before its IEND chunk.")


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of every chunk."""
    if not data.startswith(_SIGNATURE):
        raise DamagedMedia("this is no PNG.")
    offset = len(_SIGNATURE)
    while offset + 12 <= len(data):
        size, name = struct.unpack_from(">I4s", data, offset)
        end = offset + 12 + size
        if end > len(data):
            break
        yield name, offset, end
        offset = end
