"""Whether a video file is all there, by the structure of its container alone.

ffmpeg plays what it finds and reports success for a file that was cut off. So before a frame is decoded, the
outermost structure must fill the file: boxes (ISO/IEC 14496-12 4.2), EBML elements (RFC 8794, RFC 9559), RIFF chunks
(OpenDML 1.02), FLV tags (Adobe FLV 10.1 Annex E), transport packets (ISO/IEC 13818-1 2.4.3).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from labeler.errors import DamagedMedia, LimitExceeded
from labeler.media.containers import isobmff, mp4
from labeler.media.containers.isobmff import Box
from labeler.media.containers.stream import read_at

__all__ = ["Structure", "check"]

_SEGMENT = 0x18538067
_EBML = 0x1A45DFA3
_CLUSTER = 0x1F43B675
_GLOBAL = frozenset({0xEC, 0xBF})  # Void, CRC-32
_IN_CLUSTER = frozenset({0xE7, 0xA3, 0xA0, 0xAB, 0xA7, 0x5854, 0xAF}) | _GLOBAL
_IN_SEGMENT = frozenset(
    {0x114D9B74, 0x1549A966, 0x1654AE6B, _CLUSTER, 0x1C53BB6B, 0x1043A770, 0x1254C367, 0x1941A469} | _GLOBAL
)
_UNKNOWN = -1
_MAX_PIECES = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """What the container says about the picture track.

    Attributes:
        samples: coded frames that the index promises, or None if it does not say.
        mirrored: the display matrix mirrors the picture.
        front: the index stands before the media data.
        stamped: transport packets have arrival times before them (M2TS).
    """

    samples: int | None = None
    mirrored: bool = False
    front: bool = False
    stamped: bool = False


def check(file: BinaryIO, size: int, media_type: str) -> Structure:
    """Walk the outermost structure of a file.

    Args:
        file: a seekable file.
        size: its bytes.
        media_type: by content.

    Raises:
        DamagedMedia: it is cut off, or not what it says.
        LimitExceeded: absurdly many pieces.
    """
    if media_type in ("video/mp4", "video/quicktime", "video/x-m4v"):
        return _movie(file)
    if media_type in ("video/x-matroska", "video/webm"):
        _matroska(file, size)
    elif media_type == "video/x-msvideo":
        _avi(file, size)
    elif media_type == "video/x-flv":
        _flv(file, size)
    elif media_type == "video/mp2t":
        return Structure(stamped=_transport(file, size) == 192)
    return Structure()


def _cut(size: int) -> DamagedMedia:
    return DamagedMedia(
        f"the file is cut off: more is declared than its {size} bytes.", remedy="Copy or download it again."
    )


def _movie(file: BinaryIO) -> Structure:
    top = mp4.top_level(file)
    data, moov = mp4.header(file, top)
    kinds = [item.kind for item in top]
    samples, mirrored = None, False
    for track in isobmff.children(data, moov):
        if track.kind != b"trak" or (found := _picture_track(data, track)) is None:
            continue
        samples, mirrored = found
        break
    if b"moof" in kinds:
        samples = None
    front = b"mdat" in kinds and kinds.index(b"moov") < kinds.index(b"mdat")
    return Structure(samples=samples or None, mirrored=mirrored, front=front)


def _picture_track(data: bytes, track: Box) -> tuple[int, bool] | None:
    """Samples and mirroring of a track, None if it is no picture track."""
    samples, mirrored, picture = 0, False, False
    for item, _ in mp4.inside(data, track):
        body = item.payload(data)
        if item.kind == b"hdlr":
            picture |= body[8:12] == b"vide"
        elif item.kind == b"tkhd" and len(body) >= 60:
            a, b, _u, c, d = struct.unpack_from(">5i", body, 52 if body[0] else 40)
            mirrored = a * d - b * c < 0
        elif item.kind in (b"stsz", b"stz2") and len(body) >= 12:
            samples = int.from_bytes(body[8:12], "big")
    return (samples, mirrored) if picture else None


def _element(file: BinaryIO, position: int, size: int) -> tuple[int, int, int]:
    """Identifier, offset of the body and size of an EBML element; size -1 if unknown."""
    head = read_at(file, position, 12)
    if not head or head[0] < 0x10:
        raise DamagedMedia(f"no EBML element at byte {position}.")
    width = 9 - head[0].bit_length()
    identifier = int.from_bytes(head[:width], "big")
    if len(head) <= width:
        raise _cut(size)
    if not head[width]:
        raise DamagedMedia(f"an EBML element at byte {position} has no size.")
    length = 9 - head[width].bit_length()
    field = head[width : width + length]
    if len(field) < length:
        raise _cut(size)
    value = int.from_bytes(field, "big") & ((1 << 7 * length) - 1)
    return identifier, position + width + length, _UNKNOWN if value == (1 << 7 * length) - 1 else value


def _matroska(file: BinaryIO, size: int) -> None:
    identifier, body, length = _element(file, 0, size)
    if identifier != _EBML or length < 0:
        raise DamagedMedia("not a Matroska file: it does not begin with an EBML header.")
    identifier, body, length = _element(file, body + length, size)
    if identifier != _SEGMENT:
        raise DamagedMedia("not a Matroska file: there is no segment behind the header.")
    end = size if length < 0 else body + length
    if end > size:
        raise _cut(size)
    position, allowed, inner = body, _IN_SEGMENT, end
    for _ in range(_MAX_PIECES):
        if position >= inner:
            if inner == end:
                return
            allowed, inner = _IN_SEGMENT, end
            continue
        identifier, body, length = _element(file, position, size)
        if identifier not in allowed:
            raise DamagedMedia(f"no element of a Matroska segment at byte {position}.")
        if length < 0:  # a live stream: its clusters say nothing about their size
            return
        position = body + length
        if position > inner:
            raise _cut(size)
        if identifier == _CLUSTER:
            position, allowed, inner = body, _IN_CLUSTER, position
    raise LimitExceeded(f"the file has more than {_MAX_PIECES} elements.")


def _avi(file: BinaryIO, size: int) -> None:
    """RIFF chunks, and in the list of media data also those of the frames."""
    position, inside = 0, [size]
    for _ in range(_MAX_PIECES):
        while len(inside) > 1 and position >= inside[-1]:
            position = inside.pop()
        if position + 8 > size:
            break
        head = read_at(file, position, 12)
        kind, length, form = head[:4], int.from_bytes(head[4:8], "little"), head[8:12]
        end = position + 8 + length + (length & 1)
        if len(inside) == 1 and (kind != b"RIFF" or form not in (b"AVI ", b"AVIX")):
            if not position:
                raise DamagedMedia("not an AVI file.")
            return  # something else stands behind it, which belongs to nobody
        if kind == b"RIFF" and not length:
            raise DamagedMedia("the AVI file was never finished: its size is not stated.")
        if not all(32 <= letter < 127 for letter in kind):
            raise DamagedMedia(f"no RIFF chunk at byte {position}.")
        if end > inside[-1] + 1:
            raise _cut(size)
        if kind == b"RIFF" or (kind == b"LIST" and form in (b"movi", b"rec ")):
            inside.append(end)
            end = position + 12
        position = end
    else:
        raise LimitExceeded(f"the file has more than {_MAX_PIECES} chunks.")


def _flv(file: BinaryIO, size: int) -> None:
    head = read_at(file, 0, 9)
    position = int.from_bytes(head[5:9], "big") + 4
    if len(head) < 9 or head[:3] != b"FLV" or position > size:
        raise _cut(size)
    for _ in range(_MAX_PIECES):
        if position >= size:
            return
        tag = read_at(file, position, 11)
        if len(tag) == 11 and tag[0] & 0x1F not in (8, 9, 18):
            raise DamagedMedia(f"no FLV tag at byte {position}.")
        position += 11 + int.from_bytes(tag[1:4], "big") + 4
        if len(tag) < 11 or position > size:
            raise _cut(size)
    raise LimitExceeded(f"the file has more than {_MAX_PIECES} tags.")


def _transport(file: BinaryIO, size: int) -> int:
    """Bytes of a packet."""
    head = read_at(file, 0, 204 * 2)
    for packet, offset in ((188, 0), (192, 4), (204, 0)):
        if head[offset : offset + 1] == b"\x47" == head[offset + packet : offset + packet + 1]:
            if size % packet:
                raise _cut(size)
            return packet
    raise DamagedMedia("not an MPEG transport stream: there are no sync bytes.")
