"""Zip packages (OOXML, ODF, EPUB): hardened reading, and rewriting that copies untouched members as they are.

Source: PKWARE APPNOTE 6.3.10, sections 4.3.7 to 4.3.16. The central directory alone decides what is in
the package; sizes, ratio, count, names and overlap are checked before a single byte is inflated. Members
that do not change keep their compressed bytes, their order and their headers.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from labeler.errors import DamagedMedia, LimitExceeded, UnsupportedMedia
from labeler.media.text.limits import DEFAULT, DocumentLimits

__all__ = ["Member", "Package", "member_names"]

_END = b"PK\x05\x06"
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_EPOCH = (0, 33)  # 1980-01-01 00:00
_MEMBER_FLOOR = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of a package, as the central directory has it.

    Attributes:
        name: its path.
        method: 0 stored, 8 deflated.
        crc: CRC-32 of the content.
        compressed: bytes in the package.
        size: bytes uncompressed.
        offset: of its local header.
        end: first byte behind it.
        central: its entry in the central directory.
    """

    name: str
    method: int
    crc: int
    compressed: int
    size: int
    offset: int
    end: int
    central: bytes = field(repr=False)


def member_names(data: bytes) -> list[str]:
    """Names in a package; [] if it is none. Nothing is inflated."""
    try:
        return [member.name for member in Package(data).members.values()]
    except (DamagedMedia, LimitExceeded, UnsupportedMedia):
        return []


class Package:
    """A zip package in memory.

    Args:
        data: the file.
        limits: what is refused.

    Raises:
        DamagedMedia: the directory is broken, or members overlap.
        LimitExceeded: too many members, too large, or compressed beyond reason.
        UnsupportedMedia: encrypted, split or Zip64.
    """

    __slots__ = ("_comment", "_start", "data", "limits", "members")

    def __init__(self, data: bytes, *, limits: DocumentLimits = DEFAULT) -> None:
        self.data = data
        self.limits = limits
        end = data.rfind(_END, max(0, len(data) - 65_557))
        if end < 0 or len(data) < end + 22:
            raise DamagedMedia("the zip package has no directory; it is cut short.")
        disk, _, here, count, size, start, comment = struct.unpack_from("<4H2LH", data, end + 4)
        if 0xFFFF in (disk, count) or 0xFFFFFFFF in (size, start):
            raise UnsupportedMedia("Zip64 packages are not handled.")
        if disk or here != count or start + size > end:
            raise DamagedMedia("the directory of the zip package is broken.")
        if count > limits.members:
            raise LimitExceeded(f"the package has {count} files; the limit is {limits.members}.")
        self._start = start
        self._comment = data[end + 22 : end + 22 + comment]
        self.members = self._read_directory(start, start + size, count)
        self._check()

    def _read_directory(self, start: int, end: int, count: int) -> dict[str, Member]:
        found: list[tuple[int, bytes]] = []
        position = start
        for _ in range(count):
            if position + _CENTRAL.size > end or self.data[position : position + 4] != b"PK\x01\x02":
                raise DamagedMedia("the directory of the zip package is broken.")
            name, extra, note = struct.unpack_from("<3H", self.data, position + 28)
            after = position + _CENTRAL.size + name + extra + note
            found.append((struct.unpack_from("<L", self.data, position + 42)[0], self.data[position:after]))
            position = after
        offsets = sorted(offset for offset, _ in found)
        if len(set(offsets)) != count:
            raise DamagedMedia("files of the package overlap.")
        following = dict(zip(offsets, [*offsets[1:], start], strict=True))
        members: dict[str, Member] = {}
        for offset, central in found:
            member = self._member(offset, following[offset], central)
            if member.name in members:
                raise DamagedMedia(f"the package holds {member.name[:80]!r} twice.")
            members[member.name] = member
        return members

    def _member(self, offset: int, end: int, central: bytes) -> Member:
        fields = _CENTRAL.unpack_from(central)
        flags, method, crc, compressed, size, name_size = fields[3], fields[4], *fields[7:11]
        raw = central[_CENTRAL.size : _CENTRAL.size + name_size]
        try:
            name = raw.decode("utf-8" if flags & 0x800 else "cp437")
        except UnicodeDecodeError as error:
            raise DamagedMedia("a name in the zip package is not readable.") from error
        if flags & 1:
            raise UnsupportedMedia("the document is encrypted.", remedy="Save it without a password first.")
        if method not in (0, 8) or 0xFFFFFFFF in (compressed, size):
            raise UnsupportedMedia(f"the package uses zip method {method} or Zip64, which is not handled.")
        parts = name.replace("\\", "/").split("/")
        if not name or name.startswith("/") or ".." in parts or "\0" in name or ":" in parts[0]:
            raise DamagedMedia(f"the package holds a file with the unsafe name {name[:80]!r}.")
        if self.data[offset : offset + 4] != b"PK\x03\x04" or offset + _LOCAL.size > end:
            raise DamagedMedia(f"the header of {name[:80]!r} in the package is broken.")
        member = Member(
            name=name,
            method=method,
            crc=crc,
            compressed=compressed,
            size=size,
            offset=offset,
            end=end,
            central=central,
        )
        if self._content_start(member) + compressed > end:
            raise DamagedMedia(f"files of the package overlap at {name[:80]!r}.")
        return member

    def _content_start(self, member: Member) -> int:
        name, extra = struct.unpack_from("<2H", self.data, member.offset + 26)
        return int(member.offset + _LOCAL.size + name + extra)

    def _check(self) -> None:
        total = sum(member.size for member in self.members.values())
        if total > self.limits.total_bytes:
            raise LimitExceeded(
                f"the package unpacks to {total >> 20} MB; the limit is {self.limits.total_bytes >> 20} MB."
            )
        packed = sum(member.compressed for member in self.members.values())
        worst = max(
            (m.size / max(1, m.compressed) for m in self.members.values() if m.size > _MEMBER_FLOOR),
            default=0,
        )
        if total > _MEMBER_FLOOR and max(worst, total / max(1, packed)) > self.limits.ratio:
            raise LimitExceeded(
                f"a part of the package is compressed {max(worst, total / max(1, packed)):.0f} : 1; "
                f"the limit is {self.limits.ratio} : 1."
            )

    def __contains__(self, name: str) -> bool:
        return name in self.members

    def read(self, name: str) -> bytes:
        """One member, inflated and checked.

        Raises:
            DamagedMedia: it is not there, or size or checksum do not fit.
            LimitExceeded: it is too large to be parsed.
        """
        member = self.members.get(name)
        if member is None:
            raise DamagedMedia(f"the package has no part {name!r}.")
        if member.size > self.limits.part_bytes:
            raise LimitExceeded(
                f"the part {name!r} has {member.size >> 20} MB; the limit is {self.limits.part_bytes >> 20} MB."
            )
        start = self._content_start(member)
        raw = self.data[start : start + member.compressed]
        content = raw
        if member.method == 8:
            try:
                content = zlib.decompressobj(-15).decompress(raw, member.size + 1)
            except zlib.error as error:
                raise DamagedMedia(f"the part {name!r} cannot be unpacked: {error}.") from error
        if len(content) != member.size or zlib.crc32(content) != member.crc:
            raise DamagedMedia(f"size or checksum of the part {name!r} do not fit.")
        return content

    def replace(self, parts: Mapping[str, bytes]) -> bytes:
        """The package with parts changed or added; everything else is copied as it stands.

        A package in which nothing differs comes back byte for byte.
        """
        changed = {
            name: content
            for name, content in parts.items()
            if name not in self.members or self.read(name) != content
        }
        if not changed:
            return self.data
        pieces: list[bytes] = []
        directory: list[bytes] = []
        offset = 0
        ordered = sorted(self.members.values(), key=lambda member: member.offset)
        if ordered and ordered[0].offset:
            pieces.append(self.data[: ordered[0].offset])
            offset = ordered[0].offset
        moved: dict[str, bytes] = {}
        for member in ordered:
            if member.name in changed:
                piece, central = _entry(member.name, changed[member.name], offset, member)
            else:
                piece = self.data[member.offset : member.end]
                central = member.central[:42] + struct.pack("<L", offset) + member.central[46:]
            pieces.append(piece)
            moved[member.name] = central
            offset += len(piece)
        directory = [moved[name] for name in self.members]
        for name in changed:
            if name not in self.members:
                piece, central = _entry(name, changed[name], offset, None)
                pieces.append(piece)
                directory.append(central)
                offset += len(piece)
        listing = b"".join(directory)
        end = struct.pack(
            "<4s4H2LH", _END, 0, 0, len(directory), len(directory), len(listing), offset, len(self._comment)
        )
        return b"".join([*pieces, listing, end, self._comment])


def _entry(name: str, content: bytes, offset: int, old: Member | None) -> tuple[bytes, bytes]:
    """Local file and directory entry of a changed or new member; it keeps the method, time and attributes."""
    method = old.method if old else 8
    packed = content
    if method == 8:
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        packed = packer.compress(content) + packer.flush()
    made, time, date, inner, outer = 20, *_EPOCH, 0, 0
    if old:
        fields = _CENTRAL.unpack_from(old.central)
        made, time, date, inner, outer = fields[1], fields[5], fields[6], fields[14], fields[15]
    raw = name.encode()
    flags = 0 if name.isascii() else 0x800
    common = (20, flags, method, time, date, zlib.crc32(content), len(packed), len(content), len(raw))
    local = _LOCAL.pack(b"PK\x03\x04", *common, 0) + raw + packed
    central = _CENTRAL.pack(b"PK\x01\x02", made, *common, 0, 0, 0, inner, outer, offset) + raw
    return local, central
