"""Containers of moving pictures: after a rewrite every offset in them points at what it pointed at before."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from video_containers import AVI, FLV, MKV, MP4, WEBM, frames, video

from labeler.errors import DamagedMedia, LimitExceeded, UnsupportedMedia
from labeler.media.containers import avi, flv, isobmff, matroska, mp4
from labeler.media.containers.isobmff import Box
from labeler.media.containers.splice import Edit, splice
from labeler.media.containers.stream import copy_edited


def box(kind: bytes, *parts: bytes) -> bytes:
    return isobmff.box(kind, b"".join(parts))


class Holes(io.RawIOBase):
    """A file of zeros with a few pieces of data in it."""

    def __init__(self, size: int, pieces: dict[int, bytes]) -> None:
        self.size, self.pieces, self.position = size, pieces, 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self.position = offset + (0, self.position, self.size)[whence]
        return self.position

    def read(self, size: int = -1) -> bytes:
        end = self.size if size < 0 else min(self.size, self.position + size)
        out = bytearray(max(0, end - self.position))
        for at, data in self.pieces.items():
            for index in range(max(at, self.position), min(at + len(data), end)):
                out[index - self.position] = data[index - at]
        self.position = max(self.position, end)
        return bytes(out)


class Counting(io.RawIOBase):
    """Where written bytes are counted and dropped."""

    written = 0

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.written += len(data)
        return len(data)


# ---------------------------------------------------------------------------------------------- copying


def test_edits_are_applied_like_splice_and_overlaps_are_refused() -> None:
    data = bytes(range(200)) * 7
    edits = [
        Edit(9, 9, b"one"),
        Edit(9, 9, b"two"),
        Edit(9, 20, b""),
        Edit(1000, 1004, b"longer than before"),
    ]
    out = io.BytesIO()
    copy_edited(io.BytesIO(data), out, edits)
    assert out.getvalue() == splice(data, edits)
    with pytest.raises(DamagedMedia):
        copy_edited(io.BytesIO(data), io.BytesIO(), [Edit(0, 10, b""), Edit(5, 12, b"")])
    with pytest.raises(DamagedMedia):
        copy_edited(io.BytesIO(data), io.BytesIO(), [Edit(1000, 2000, b"")])


# -------------------------------------------------------------------------------------------------- MP4


def grown(data: bytes, extra: int, **options: object) -> bytes:
    """The file with ``extra`` bytes more in its movie header."""
    source, out = io.BytesIO(data), io.BytesIO()
    top = mp4.top_level(source)
    moov, place = mp4.header(source, top)
    new = mp4.apply(moov, [((place,), Edit(place.end, place.end, box(b"free", bytes(extra - 8))))])
    mp4.rewrite(source, out, top, new, **options)  # type: ignore[arg-type]
    return out.getvalue()


def chunk_offsets(data: bytes) -> list[int]:
    moov, place = mp4.header(io.BytesIO(data), mp4.top_level(io.BytesIO(data)))
    found: list[int] = []
    for item, _ in mp4.inside(moov, place):
        if item.kind == b"stco":
            count = struct.unpack_from(">I", moov, item.body + 4)[0]
            found += struct.unpack_from(f">{count}I", moov, item.body + 8)
    return found


def test_chunk_offsets_follow_the_media_data() -> None:
    data = video("faststart.mp4")
    bare = data.replace(b"free", b"xxxx", 1)  # an unknown box is not used up
    before, after = chunk_offsets(bare), chunk_offsets(grown(bare, 1000))
    assert [b - a for a, b in zip(before, after, strict=True)] == [1000] * len(before)
    assert frames(grown(bare, 1000), MP4) == frames(data, MP4)


def test_a_free_box_behind_the_header_is_used_up_so_that_nothing_moves() -> None:
    data = grown(video("faststart.mp4"), 8)
    top = mp4.top_level(io.BytesIO(data))
    moov = next(item for item in top if item.kind == b"moov")
    roomy = grown(data[: moov.end] + box(b"free", bytes(2000)) + data[moov.end :], 8)
    for extra in (1000, 1992, 2000):  # the free box has 2000 bytes left
        assert chunk_offsets(grown(roomy, extra)) == chunk_offsets(roomy)
        assert len(grown(roomy, extra)) == len(roomy)
    for extra in (1995, 2008):  # what would be left is no box: the data moves
        assert chunk_offsets(grown(roomy, extra)) != chunk_offsets(roomy)


def test_offsets_of_fragments_indexes_and_encryption_move() -> None:
    def tables(shift: int) -> tuple[bytes, bytes, bytes, bytes]:
        sidx = box(b"sidx", bytes(4), bytes(8), bytes(4), struct.pack(">I", 40), bytes(4))
        tfhd = box(b"tfhd", struct.pack(">IIQ", 1, 1, 5000 + shift))
        moof = box(b"moof", box(b"traf", tfhd, box(b"trun", bytes(8))))
        entries = b"".join(struct.pack(">QQBHB", t, 4000 + t + shift, 1, 1, 1) for t in range(3))
        tfra = box(b"tfra", b"\1\0\0\0", struct.pack(">III", 1, 0b000100, 3), entries)
        mfra = box(b"mfra", tfra, box(b"mfro", bytes(8)))
        saio = box(b"saio", b"\0\0\0\1", bytes(8), struct.pack(">III", 2, 6000 + shift, 7000 + shift))
        co64 = box(b"co64", bytes(4), struct.pack(">IQ", 1, 6000 + shift))
        moov = box(b"moov", box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", saio, co64)))))
        return sidx, moof, mfra, moov

    sidx, moof, mfra, moov = tables(0)
    parts = [box(b"ftyp", b"isom"), moov, sidx, moof, box(b"mdat", bytes(9000)), mfra]
    result = grown(b"".join(parts), 300)
    sidx, moof, mfra, moov = tables(300)
    for part in (sidx, moof, mfra, moov[8:]):
        assert part in result
    index = box(b"sidx", bytes(16), struct.pack(">I", len(moov)), bytes(4))  # reaches over the header
    moved = grown(b"".join([box(b"ftyp", b"isom"), index, tables(0)[3], box(b"mdat", bytes(9000))]), 300)
    assert struct.unpack_from(">I", moved, moved.index(b"sidx") + 20)[0] == len(moov) + 300


def test_a_header_that_is_open_to_the_end_of_the_file_is_closed() -> None:
    data = video("plain.mp4")
    at = data.index(b"moov") - 4
    result = grown(data[:at] + bytes(4) + data[at + 4 :], 100)
    assert frames(result, MP4) == frames(data, MP4)


def test_mp4_files_that_cannot_be_changed_safely_are_refused() -> None:
    head, mdat = box(b"ftyp", b"isom"), box(b"mdat", bytes(100))

    def stco(offset: int) -> bytes:
        table = box(b"stco", bytes(4), struct.pack(">II", 1, offset))
        return box(b"moov", box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", table)))))

    with pytest.raises(LimitExceeded):
        grown(head + stco(0xFFFFFFF0) + mdat, 100)
    with pytest.raises(UnsupportedMedia):
        grown(head + box(b"moov", box(b"cmov", bytes(8))) + mdat, 100)
    with pytest.raises(UnsupportedMedia):
        grown(head + box(b"moov", box(b"meta", bytes(4), box(b"iloc", bytes(8)))) + mdat, 100)
    for data in (
        head + mdat,
        mdat[:50],
        b"",
        b"\0\0\0\x10wide",
        head + stco(1)[:-4],
        head + stco(1) + mdat[:-1],
    ):
        with pytest.raises(DamagedMedia):
            mp4.top_level(io.BytesIO(data))


def test_large_files_are_not_read_into_memory() -> None:
    head = box(b"ftyp", b"isom")
    size = 3 << 30
    mdat = struct.pack(">I4s", size, b"mdat")
    tail = box(b"moov", box(b"mvhd", bytes(100)))
    source = Holes(len(head) + size + len(tail), {0: head + mdat, len(head) + size: tail})
    top = mp4.top_level(source)  # type: ignore[arg-type]
    assert [item.kind for item in top] == [b"ftyp", b"mdat", b"moov"]
    assert mp4.header(source, top)[0] == tail  # type: ignore[arg-type]
    huge = Holes(100 << 20, {0: head, len(head): struct.pack(">I4s", (100 << 20) - len(head), b"moov")})
    with pytest.raises(LimitExceeded):
        mp4.header(huge, mp4.top_level(huge))  # type: ignore[arg-type]


# --------------------------------------------------------------------------------------------- Matroska


def is_true(data: bytes) -> tuple[int, int, int]:
    """Assert that every position and checksum of a segment is right; how many there are of each."""
    segment = matroska.walk(io.BytesIO(data))
    at = {item.start - segment.box.body: item.id for item in segment.elements}
    seeks = cues = sums = 0
    for item in segment.elements:
        if item.unknown or item.id == matroska.VOID:
            continue
        raw = data[item.start : item.end]
        inner = matroska.children(raw)
        if inner and inner[0].id == matroska.CRC:
            want = zlib.crc32(raw[inner[0].end :]).to_bytes(4, "little")
            assert raw[inner[0].body : inner[0].end] == want, f"{item.id:X}"
            sums += 1
        if item.id == matroska.SEEK_HEAD:
            for seek in inner:
                if seek.id == 0x4DBB:
                    wanted, position = (matroska.number(raw, x) for x in matroska.children(raw, seek))
                    assert at[position] == wanted
                    seeks += 1
        if item.id == matroska.CUES:
            for point in inner:
                for track in matroska.children(raw, point) if point.id == 0xBB else ():
                    for field in matroska.children(raw, track) if track.id == 0xB7 else ():
                        if field.id == 0xF1:
                            assert at[matroska.number(raw, field)] == matroska.CLUSTER
                            cues += 1
        if item.id == matroska.CLUSTER:
            for field in inner:
                if field.id == 0xA7:
                    assert matroska.number(raw, field) == item.start - segment.box.body
                    seeks += 1
    return seeks, cues, sums


def retagged(data: bytes, size: int) -> bytes:
    out = io.BytesIO()
    tags = matroska.master(matroska.TAGS, matroska.element(matroska.VOID, bytes(size)), crc=True)
    matroska.rewrite_tags(io.BytesIO(data), out, matroska.walk(io.BytesIO(data)), tags)
    return out.getvalue()


@pytest.mark.parametrize("name", ["plain.mkv", "cues-first.mkv"])
@pytest.mark.parametrize("size", [0, 100, 65_000, 1 << 20])
def test_positions_and_checksums_of_matroska_stay_true(name: str, size: int) -> None:
    data = video(name)
    before = is_true(data)
    assert min(before) > 2
    result = retagged(data, size)
    assert is_true(result) == before
    for start in (0.0, 0.9):
        assert frames(result, MKV, start=start) == frames(data, MKV, start=start)
    assert retagged(result, size) == result


def test_segments_and_clusters_of_unknown_size_stay_so() -> None:
    data = video("live.webm")
    assert matroska.walk(io.BytesIO(data)).box.unknown
    result = retagged(data, 500)
    assert matroska.walk(io.BytesIO(result)).box.unknown
    assert frames(result, WEBM) == frames(data, WEBM)


def test_clusters_that_tell_their_position_are_corrected_or_stop_telling_it() -> None:
    def cluster(position: bytes) -> bytes:
        body = matroska.uint(0xE7, 0) + matroska.element(0xA7, position) + matroska.element(0xA3, bytes(50))
        return matroska.master(matroska.CLUSTER, body, crc=True)

    def file(width: int, front: bytes = b"") -> bytes:
        tracks = matroska.element(matroska.TRACKS, bytes([0xAE, 0x80]))
        body = front + tracks
        body += cluster(len(body).to_bytes(width, "big"))
        segment = matroska.element(matroska.SEGMENT, body, width=8)
        return matroska.element(matroska.EBML, b"") + segment

    assert is_true(file(2))[0] == 1
    assert is_true(retagged(file(2), 100))[0] == 1
    lost = retagged(file(1), 1000)  # the position does not fit in its byte any more
    assert is_true(lost) == (0, 0, 2)
    assert b"\xec\x81\0" in lost
    summed = retagged(file(2, matroska.element(matroska.CRC, bytes(4))), 10)
    assert matroska.walk(io.BytesIO(summed)).elements[0].id == matroska.VOID


def test_damaged_matroska_files_are_refused() -> None:
    data = video("plain.mkv")
    at = matroska.walk(io.BytesIO(data)).elements[1].start
    bad = data[:at] + b"\0" + data[at + 1 :]
    for broken in (
        b"",
        data[:40],
        data[:-1],
        data[: len(data) // 2],
        b"\x1aE\xdf\xa3\x80",
        bad,
    ):
        with pytest.raises(DamagedMedia):
            matroska.walk(io.BytesIO(broken))


# -------------------------------------------------------------------------------------------------- AVI


def opendml(shift: int = 0, info: bytes = b"", absolute: bool = False) -> bytes:
    """An AVI file of two RIFF chunks with all three kinds of index."""
    frame = avi.chunk(b"00dc", b"picture!")

    def standard_index(base: int) -> bytes:
        entry = struct.pack("<II", 0, 8)
        return avi.chunk(b"ix00", struct.pack("<HBBI4sQI", 2, 0, 1, 1, b"00dc", base, 0) + entry)

    def build(first: int, second: int, start: int) -> bytes:
        entries = struct.pack("<QII", first, 40, 1) + struct.pack("<QII", second, 40, 1)
        indx = avi.chunk(b"indx", struct.pack("<HBBI4s12x", 4, 0, 0, 2, b"00dc") + entries)
        header = avi.chunk(b"LIST", avi.chunk(b"LIST", indx, form=b"strl"), form=b"hdrl")
        movi = avi.chunk(b"LIST", frame + standard_index(start + 4), form=b"movi")
        offset = start + 4 if absolute else 4
        idx1 = avi.chunk(b"idx1", b"00dc" + struct.pack("<III", 16, offset, 8))
        one = avi.chunk(b"RIFF", header + info + movi + idx1, form=b"AVI ")
        two = avi.chunk(
            b"RIFF", avi.chunk(b"LIST", frame + standard_index(second), form=b"movi"), form=b"AVIX"
        )
        return one + two

    rough = build(0, 0, 0)
    ix = [at for at in range(len(rough)) if rough.startswith(b"ix00", at)]
    return build(ix[0], ix[1], rough.index(b"movi"))


@pytest.mark.parametrize("absolute", [False, True])
def test_indexes_of_avi_move_with_the_frames(absolute: bool) -> None:
    data = opendml(absolute=absolute)
    info = avi.chunk(b"LIST", avi.chunk(b"IART", b"someone"), form=b"INFO")
    top = avi.top_level(io.BytesIO(data))
    place = next(item.start for item in top[0][1] if item.form == b"movi")
    out = io.BytesIO()
    avi.rewrite(io.BytesIO(data), out, top, [Edit(place, place, info)])
    assert out.getvalue() == opendml(info=info, absolute=absolute)


def test_a_junk_chunk_before_the_frames_is_used_up() -> None:
    junk = avi.chunk(b"JUNK", bytes(200))
    data = opendml(info=junk)
    info = avi.chunk(b"LIST", avi.chunk(b"IART", b"someone"), form=b"INFO")
    top = avi.top_level(io.BytesIO(data))
    place = next(item.start for item in top[0][1] if item.kind == b"JUNK")
    out = io.BytesIO()
    avi.rewrite(io.BytesIO(data), out, top, [Edit(place, place, info)])
    assert out.getvalue() == opendml(info=info + avi.chunk(b"JUNK", bytes(200 - len(info))))


def test_damaged_avi_files_are_refused() -> None:
    data = video("plain.avi")
    for broken in (
        b"",
        data[:11],
        data[:5000],
        data[:-1],
        b"RIFF\4\0\0\0AVI ",
        data.replace(b"movi", b"movj"),
    ):
        with pytest.raises(DamagedMedia):
            avi.top_level(io.BytesIO(broken))


# -------------------------------------------------------------------------------------------------- FLV


def test_flv_script_data_is_read_in_all_its_types() -> None:
    def named(name: str, value: bytes) -> bytes:
        return struct.pack(">H", len(name)) + name.encode() + value

    inner = (
        named("list", b"\x0a" + struct.pack(">I", 2) + b"\0" + struct.pack(">d", 7) + flv.string("x"))
        + b"\0\0\x09"
    )
    values = [
        ("number", b"\0" + struct.pack(">d", 1.5)),
        ("flag", b"\1\1"),
        ("text", flv.string("hello")),
        ("object", b"\3" + inner),
        ("null", b"\5"),
        ("date", b"\x0b" + bytes(10)),
        ("long", flv.string("y" * 70_000)),
    ]
    body = b"".join(named(name, value) for name, value in values)
    data = flv.string("onMetaData") + b"\x08" + struct.pack(">I", 7) + body + b"\0\0\x09"
    name, at, last, found = flv.properties(data)
    assert (name, data[at], last) == ("onMetaData", 8, len(data) - 3)
    assert [item.path for item in found] == [
        ("number",), ("flag",), ("text",), ("object",), ("object", "list"), ("object", "list", "0"),
        ("object", "list", "1"), ("null",), ("date",), ("long",),
    ]  # fmt: skip
    assert found[2].text == "hello" and len(found[-1].text) == 70_000
    assert all(data[item.value] == item.kind for item in found)
    for cut in range(0, len(data) - 70_000, 3):
        try:
            flv.properties(data[:cut])
        except DamagedMedia:
            continue


def test_flv_script_data_that_nests_or_counts_without_end_is_refused() -> None:
    deep = flv.string("onMetaData") + b"\3" + b"\0\1x\3" * 200
    with pytest.raises((LimitExceeded, DamagedMedia)):
        flv.properties(deep)
    many = flv.string("onMetaData") + b"\3" + b"\0\1x\x0a\xff\xff\xff\xff" + b"\5" * 600_000
    with pytest.raises((LimitExceeded, DamagedMedia)):
        flv.properties(many)


def test_damaged_flv_files_are_refused() -> None:
    data = video("indexed.flv")
    assert {tag.kind for tag in flv.tags(io.BytesIO(data))} == {8, 9, 18}
    for broken in (b"", b"FLV\1\5\0\0\0", data[:-9], data[:13] + b"\x07" + data[14:]):
        with pytest.raises(DamagedMedia):
            list(flv.tags(io.BytesIO(broken)))
    assert frames(data, FLV)


def test_boxes_that_hold_one_another_without_end_are_refused() -> None:
    inner = b""
    for _ in range(60):
        inner = box(b"trak", inner)
    moov = box(b"moov", inner)
    assert len(list(mp4.inside(moov, Box(b"moov", 0, 8, len(moov))))) < 12
    many = box(b"moov", box(b"free") * 200_000)
    with pytest.raises(DamagedMedia):
        list(mp4.inside(many, Box(b"moov", 0, 8, len(many))))
    assert AVI != MP4


def test_an_index_that_nests_without_end_is_copied_as_it_is() -> None:
    deep = b"\xec\x80"
    for _ in range(3000):
        deep = matroska.element(0xBB, deep)
    tracks = matroska.element(matroska.TRACKS, bytes([0xAE, 0x80]))
    body = tracks + matroska.element(matroska.CUES, deep)
    data = matroska.element(matroska.EBML, b"") + matroska.element(matroska.SEGMENT, body, width=8)
    assert deep[-4000:] in retagged(data, 10)


def test_very_many_tiny_pieces_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    tracks = matroska.element(matroska.TRACKS, bytes([0xAE, 0x80]))
    live = b"\x1fC\xb6u\xff" + b"\xa3\x80" * 400
    head = matroska.element(matroska.EBML, b"") + b"\x18\x53\x80\x67\xff"
    for module, limit, data, read in (
        (matroska, "_MAX_BLOCKS", head + tracks + live * 3, matroska.walk),
        (matroska, "_MAX_TOP", head + tracks + b"\xec\x80" * 1001, matroska.walk),
        (mp4, "_MAX_TOP", box(b"ftyp", b"isom") + box(b"free") * 1001, mp4.top_level),
        (avi, "_MAX_CHUNKS", opendml() + avi.chunk(b"RIFF", b"", form=b"AVIX") * 1001, avi.top_level),
        (
            flv,
            "_MAX_TAGS",
            b"FLV\1\5\0\0\0\x09" + bytes(4) + (b"\x08" + bytes(14)) * 1001,
            lambda f: list(flv.tags(f)),
        ),
    ):
        with monkeypatch.context() as change:
            change.setattr(module, limit, 1000)
            with pytest.raises(LimitExceeded):
                read(io.BytesIO(data))
