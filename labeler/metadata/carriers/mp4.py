"""MP4, MOV, M4V and M4A: the label as key ``AIGC`` in ``moov.udta.meta`` (TC260-PG-20257A, 202510A).

The list is the one that ``-movflags use_metadata_tags`` of ffmpeg writes and that ExifTool calls Keys:
``hdlr`` mdta, ``keys``, ``ilst``. A list of iTunes tags (``hdlr`` mdir) that stands there stays, and ours
stands behind it. IPTC fields go into an XMP packet in the ``uuid`` box (XMP specification part 3).

Sources: QuickTime File Format, "Metadata" (meta, hdlr, keys, ilst, data; ``meta`` without version field)
and "User data"; ISO/IEC 14496-12 8.10, 8.11; XMP specification part 3 (``uuid`` box, ``XMP_`` in udta).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from labeler.errors import DamagedMedia, LimitExceeded
from labeler.media.containers import isobmff, mp4
from labeler.media.containers.isobmff import Box
from labeler.media.containers.splice import Edit
from labeler.metadata import aigc
from labeler.metadata.carriers.base import MAX_PACKETS, New, Slots, Text, decode, remainder

__all__ = ["PLACE", "read", "write"]

PLACE = "mp4-keys"
"""The guide's place: ``moov.udta.meta``, key ``AIGC``."""

_MAX_XMP = 32 << 20
_MAX_TEXT = 1 << 20
_MAX_ITEMS = 10_000
_META_CHILDREN = frozenset({b"hdlr", b"keys", b"ilst", b"mhdr", b"free"})
_KEY = b"mdtaAIGC"
_UTF8, _UTF16 = 1, 2


@dataclass(frozen=True, slots=True)
class _Item:
    """One entry of a metadata list or of the user data.

    Attributes:
        box: the entry.
        place: what this place is called in reports.
        name: its key or four-character code.
        text: its value, "" if it is no text.
        index: the key's number, 0 without keys.
    """

    box: Box
    place: str
    name: str
    text: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class _List:
    """A ``meta`` box with its list.

    Attributes:
        box: the meta box.
        parents: the boxes that hold it, from ``moov``.
        skip: bytes of version and flags, 4 or, in the QuickTime form, 0.
        keyed: true if it has keys (``hdlr`` mdta).
        keys: the key entries' bytes, without their size.
        items: the entries.
        keys_box: the ``keys`` box, if any.
        list_box: the ``ilst`` box, if any.
    """

    box: Box
    parents: tuple[Box, ...]
    skip: int
    keyed: bool
    keys: tuple[bytes, ...]
    items: tuple[_Item, ...]
    keys_box: Box | None
    list_box: Box | None

    @property
    def standard(self) -> bool:
        """True in the guide's place."""
        return self.keyed and self.skip == 4 and [item.kind for item in self.parents] == [b"moov", b"udta"]


@dataclass(frozen=True, slots=True)
class _Header:
    """What the movie header holds for this layer; ``items`` stand in the user data itself."""

    data: bytes
    moov: Box
    lists: tuple[_List, ...]
    items: tuple[tuple[_Item, tuple[Box, ...]], ...]
    packets: tuple[tuple[Box, tuple[Box, ...]], ...]

    @property
    def udta(self) -> Box | None:
        """The movie's user data box."""
        return isobmff.find(mp4.children(self.data, self.moov), b"udta")


def read(source: BinaryIO) -> Slots:
    """The slots of an MP4 or QuickTime file; only its headers are read.

    Raises:
        DamagedMedia: if its boxes cannot be walked.
        LimitExceeded: if a header is absurdly large.
        UnsupportedMedia: if the header is compressed.
    """
    top = mp4.top_level(source)
    header = _header(*mp4.header(source, top))
    packets = [mp4.load(source, item)[item.body - item.start + 16 :] for item in _uuids(source, top)]
    packets += [item.payload(header.data) for item, _ in header.packets]
    items = [item for found in header.lists for item in found.items]
    items += [item for item, _ in header.items]
    texts = [Text(item.place, item.text, "AIGC" in item.name.upper()) for item in items if _is_of_use(item)]
    texts.sort(key=lambda text: text.place != PLACE)
    return Slots(packets=tuple(packets[:MAX_PACKETS]), texts=tuple(texts))


def write(source: BinaryIO, target: BinaryIO, new: New) -> tuple[str, ...]:
    """The file with the label in its place, XMP packets replaced, and other labels taken out.

    Args:
        source: a seekable file; media data is copied, never changed.
        target: where the result goes.
        new: the label and the XMP packets.

    Returns:
        Places whose label could not be taken out.

    Raises:
        DamagedMedia: if the boxes cannot be walked.
        LimitExceeded: if a header is absurdly large, or an offset would pass its field.
        UnsupportedMedia: if the header is compressed, or holds items with file offsets.
    """
    top = mp4.top_level(source)
    data, moov = mp4.header(source, top)
    queue = list(new.packets)
    edits: list[Edit] = []
    for item in _uuids(source, top):
        edits.append(Edit(item.start, item.end, _uuid(queue.pop(0))))
    header = _header(data, moov)
    nested = [change for found in header.lists for change in _without(header, found)]
    nested += [change for item, parents in header.items for change in _blanked(item, parents)]
    for item, parents in header.packets:
        if queue:
            nested.append((parents, Edit(item.start, item.end, isobmff.box(b"XMP_", queue.pop(0)))))
    header = _header(*_again(mp4.apply(data, nested)))
    result = mp4.apply(header.data, _with_label(header, new.text))
    mp4.rewrite(source, target, top, result, behind=b"".join(map(_uuid, queue)), edits=edits)
    return ()


def _again(data: bytes) -> tuple[bytes, Box]:
    return data, Box(b"moov", 0, 16 if data[:4] == b"\0\0\0\1" else 8, len(data))


# ------------------------------------------------------------------------------------------ XMP boxes


def _uuids(source: BinaryIO, top: tuple[Box, ...]) -> list[Box]:
    """The ``uuid`` boxes that hold XMP, the first few.

    Raises:
        LimitExceeded: if together they are absurdly large.
    """
    found: list[Box] = []
    for item in top:
        if item.kind == b"uuid" and not item.open and item.end - item.body >= 16 and len(found) < MAX_PACKETS:
            source.seek(item.body)
            if source.read(16) == mp4.XMP_UUID:
                found.append(item)
    if sum(item.end - item.body for item in found) > _MAX_XMP:
        raise LimitExceeded(f"the file holds more than {_MAX_XMP >> 20} MiB of XMP.")
    return found


def _uuid(packet: bytes) -> bytes:
    return isobmff.box(b"uuid", mp4.XMP_UUID + packet)


# ------------------------------------------------------------------------------------------ reading


def _header(data: bytes, moov: Box) -> _Header:
    """All metadata lists and user data items of the movie and its tracks."""
    lists: list[_List] = []
    items: list[tuple[_Item, tuple[Box, ...]]] = []
    packets: list[tuple[Box, tuple[Box, ...]]] = []
    top = mp4.children(data, moov)
    owners = [(moov, (moov,))] + [(item, (moov, item)) for item in top if item.kind == b"trak"]
    for owner, parents in owners:
        for child in mp4.children(data, owner):
            if child.kind == b"meta":
                lists.append(_list(data, child, parents))
            elif child.kind == b"udta":
                within = (*parents, child)
                for item in mp4.children(data, child):
                    if item.kind == b"meta":
                        lists.append(_list(data, item, within))
                    elif item.kind == b"XMP_":
                        packets.append((item, within))
                    elif text := _user_text(item.payload(data)):
                        items.append((_Item(item, "mp4-udta", item.kind.decode("latin-1"), text), within))
    return _Header(data, moov, tuple(lists), tuple(items), tuple(packets))


def _list(data: bytes, meta: Box, parents: tuple[Box, ...]) -> _List:
    skip = 0 if data[meta.body + 4 : meta.body + 8] in _META_CHILDREN else 4
    inside = mp4.children(data, meta, skip=skip)
    handler = isobmff.find(inside, b"hdlr")
    keys_box, list_box = isobmff.find(inside, b"keys"), isobmff.find(inside, b"ilst")
    keyed = handler is None or data[handler.body + 8 : handler.body + 12] == b"mdta"
    keys = tuple(_keys(data, keys_box)) if keys_box is not None and keyed else ()
    found = _List(meta, parents, skip, keyed, keys, (), keys_box, list_box)
    if list_box is None:
        return found
    place = "mp4-trak" if len(parents) > 1 and parents[1].kind == b"trak" else "mp4-meta"
    items: list[_Item] = []
    entries = mp4.children(data, list_box)
    if len(entries) > _MAX_ITEMS:
        raise LimitExceeded(f"a metadata list of the movie has more than {_MAX_ITEMS} entries.")
    for entry in entries:
        number = int.from_bytes(entry.kind, "big")
        index = number if 1 <= number <= len(keys) else 0
        name, text = _entry(data, entry)
        if index:
            name = keys[index - 1][4:].decode("utf-8", "replace")
        here = PLACE if found.standard and name == "AIGC" else place if keyed else "mp4-ilst"
        items.append(_Item(entry, here, name, text, index))
    return _List(meta, parents, skip, keyed, keys, tuple(items), keys_box, list_box)


def _keys(data: bytes, keys: Box) -> Iterator[bytes]:
    """Namespace and name of every key."""
    position = keys.body + 8
    for _ in range(min(int.from_bytes(data[keys.body + 4 : keys.body + 8], "big"), _MAX_ITEMS)):
        size = int.from_bytes(data[position : position + 4], "big")
        if size < 8 or position + size > keys.end:
            raise DamagedMedia("the metadata keys of the movie are cut off.")
        yield data[position + 4 : position + size]
        position += size


def _entry(data: bytes, entry: Box) -> tuple[str, str]:
    """Name and text of an ``ilst`` entry; the name of a ``----`` entry stands in it."""
    name, texts = entry.kind.decode("latin-1"), []
    try:
        inside = mp4.children(data, entry)
    except DamagedMedia:
        return name, ""
    for part in inside:
        if part.kind == b"name" and entry.kind == b"----":
            name = decode(data[part.body + 4 : part.end][:256])
        elif part.kind == b"data" and part.end - part.body >= 8:
            texts.append(_value(data[part.body : part.end]))
    return name, next((text for text in texts if text), "")


def _value(data: bytes) -> str:
    """The text of a ``data`` box: UTF-8, UTF-16, or of undeclared type (QuickTime, well-known types)."""
    kind, raw = int.from_bytes(data[1:4], "big"), data[8:]
    if len(raw) > _MAX_TEXT or kind not in (0, _UTF8, _UTF16, 4, 5):
        return ""
    if kind in (_UTF16, 5):
        return raw.decode("utf-16-be", "replace")
    return decode(raw)


def _user_text(raw: bytes) -> str:
    """Text of a user data item that may be a label: plain, or with the QuickTime size and language fields."""
    if len(raw) > _MAX_TEXT or not (b"{" in raw or b"A\0I\0G\0C" in raw):
        return ""
    if len(raw) >= 4 and 4 + int.from_bytes(raw[:2], "big") <= len(raw) and raw[:1] != b"{":
        return decode(raw[4 : 4 + int.from_bytes(raw[:2], "big")] or raw[4:])
    return decode(raw)


def _is_of_use(item: _Item) -> bool:
    return "AIGC" in item.name.upper() or ("{" in item.text and aigc.parse_label(item.text) is not None)


# ------------------------------------------------------------------------------------------ writing


def _without(header: _Header, found: _List) -> Iterator[tuple[tuple[Box, ...], Edit]]:
    """Edits that take labels out of a list, and their keys out of the table."""
    kept: list[tuple[_Item, str | None]] = []
    for item in found.items:
        rest = remainder(item.text)
        if item.name != "AIGC" and rest != "":
            kept.append((item, rest))
    used = {item.index for item, _ in kept}
    there = {item.index for item in found.items}
    keys = [
        (index, key)
        for index, key in enumerate(found.keys, 1)
        if index in used or not (index in there or key[4:] == b"AIGC")
    ]
    if (
        len(kept) == len(found.items)
        and all(rest is None for _, rest in kept)
        and len(keys) == len(found.keys)
    ):
        return
    numbers = {old: new for new, (old, _) in enumerate(keys, 1)}
    entries = []
    for item, rest in kept:
        raw = header.data[item.box.start : item.box.end]
        kind = struct.pack(">I", numbers[item.index]) if item.index else item.box.kind
        if rest is not None:
            entries.append(isobmff.box(kind, _data(rest)))
        else:
            entries.append(raw[:4] + kind + raw[8:])
    yield from _rebuilt(found, [key for _, key in keys], b"".join(entries))


def _blanked(item: _Item, parents: tuple[Box, ...]) -> Iterator[tuple[tuple[Box, ...], Edit]]:
    """Edits that take a label out of a user data item."""
    rest = remainder(item.text)
    if rest is None and item.name != "AIGC":
        return
    raw = (rest or "").encode()[:0xFFFF]
    new = isobmff.box(item.box.kind, struct.pack(">HH", len(raw), 0) + raw) if raw else b""
    yield parents, Edit(item.box.start, item.box.end, new)


def _rebuilt(found: _List, keys: Sequence[bytes], entries: bytes) -> Iterator[tuple[tuple[Box, ...], Edit]]:
    """Edits that give a list other keys and entries; a box that is not there yet is made."""
    within = (*found.parents, found.box)
    new_keys = _table(keys)
    end = found.box.end
    if found.keys_box is not None:
        yield within, Edit(found.keys_box.start, found.keys_box.end, new_keys)
    elif keys:
        at = found.list_box.start if found.list_box is not None else end
        yield within, Edit(at, at, new_keys)
    if found.list_box is not None:
        yield within, Edit(found.list_box.start, found.list_box.end, isobmff.box(b"ilst", entries))
    else:
        yield within, Edit(end, end, isobmff.box(b"ilst", entries))


def _with_label(header: _Header, text: str) -> list[tuple[tuple[Box, ...], Edit]]:
    """Edits that put the label in its place; there is no other one any more.

    ffmpeg reads every list with the first table of keys in the file. So that it still sees the right names
    beside a list of Apple's in ``moov.meta``, both tables get the same keys, in the same order.
    """
    changes: list[tuple[tuple[Box, ...], Edit]] = []
    lists = sorted(header.lists, key=lambda found: found.box.start)
    ours = next((found for found in lists if found.standard), None)
    twin = next(
        (found for found in lists if found.keys_box is not None and found.keys and found is not ours), None
    )
    keys = (
        ours.keys
        if ours is not None and (ours.items or twin is None)
        else twin.keys
        if twin is not None
        else ()
    )
    if twin is not None and keys == twin.keys:
        old = twin.list_box
        entries = header.data[old.body : old.end] if old is not None else b""
        changes += _rebuilt(twin, (*keys, _KEY), entries)
    entry = isobmff.box(struct.pack(">I", len(keys) + 1), _data(text))
    if ours is not None:
        old = ours.list_box
        entries = header.data[old.body : old.end] if old is not None else b""
        return [*changes, *_rebuilt(ours, (*keys, _KEY), entries + entry)]
    handler = isobmff.full_box(b"hdlr", 0, 0, struct.pack(">I4s12xB", 0, b"mdta", 0))
    body = handler + _table((*keys, _KEY)) + isobmff.box(b"ilst", entry)
    meta = isobmff.full_box(b"meta", 0, 0, body)
    udta = header.udta
    owner = header.moov if udta is None else udta
    inside = mp4.children(header.data, owner)
    at = inside[-1].end if inside else owner.body
    if udta is None:
        return [*changes, ((owner,), Edit(at, at, isobmff.box(b"udta", meta)))]
    return [*changes, ((header.moov, owner), Edit(at, at, meta))]


def _table(keys: Sequence[bytes]) -> bytes:
    """The ``keys`` box."""
    entries = b"".join(struct.pack(">I", len(key) + 4) + key for key in keys)
    return isobmff.full_box(b"keys", 0, 0, struct.pack(">I", len(keys)) + entries)


def _data(text: str) -> bytes:
    return isobmff.box(b"data", struct.pack(">II", _UTF8, 0) + text.encode("utf-8", "backslashreplace"))
