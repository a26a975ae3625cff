"""Containers by themselves: odd but legal structures, and what is refused."""

from __future__ import annotations

import itertools
import struct

import pytest

from labeler.errors import DamagedMedia, LimitExceeded, UnsupportedMedia
from labeler.media.containers import gif, heif, isobmff, jpeg, png, riff, tiff
from labeler.media.containers.isobmff import box, full_box

PICTURE, TILE, OTHER = b"primary picture bytes", b"tile", b"something else"
PACKET = b"<x/>" + b" " * 40


def heif_file(
    *,
    version: int = 1,
    widths: tuple[int, int, int] = (4, 4, 0),
    method: int = 0,
    iref: int | None = None,
    order: str = "iinf iloc",
    tail: str = "mdat",
    large: bool = False,
    movie: bytes = b"",
) -> bytes:
    """A file with three items: one in two extents, one in the file or in idat, one behind a base offset.

    Args:
        version: of iloc.
        widths: sizes of the offset, length and base offset fields.
        method: construction method of the second item.
        iref: version of an existing item reference box, None for none.
        order: order of the boxes in meta.
        tail: ``mdat``, ``open`` (size 0), ``before`` (mdat in front of meta) or ``junk`` behind it.
        large: 64-bit size in the meta box.
        movie: payload of a moov box behind meta, with MARK where the offset of the data goes.
    """
    offset_width, length_width, base_width = widths
    wide = 2 if version < 2 else 4
    ftyp = box(b"ftyp", b"avif\0\0\0\0mif1")

    def build(data_at: int) -> tuple[bytes, int]:
        places = [(1, 0, [(data_at, 7), (data_at + 7, len(PICTURE) - 7)])]
        places.append((2, method, [(0 if method == 1 else data_at + len(PICTURE), len(TILE))]))
        places.append((7, 0, [(data_at + len(PICTURE) + len(TILE), len(OTHER))]))
        out = struct.pack(">H", offset_width << 12 | length_width << 8 | base_width << 4) + len(
            places
        ).to_bytes(wide, "big")
        for number, how, extents in places:
            out += number.to_bytes(wide, "big") + (struct.pack(">H", how) if version else b"") + b"\0\0"
            base = data_at if base_width and how == 0 else 0
            if offset_width == 0 and how == 0:
                base = extents[0][0]
            out += base.to_bytes(base_width, "big") + len(extents).to_bytes(2, "big")
            for start, size in extents:
                out += (start - base if offset_width else 0).to_bytes(offset_width, "big") + size.to_bytes(
                    length_width, "big"
                )
        entries = b"".join(
            full_box(b"infe", 2, 0, struct.pack(">HH4s", n, 0, b"av01") + b"\0") for n in (1, 2, 7)
        )
        parts = {
            "hdlr": full_box(b"hdlr", 0, 0, b"\0" * 4 + b"pict" + b"\0" * 13),
            "pitm": full_box(b"pitm", 0, 0, b"\0\1"),
            "iinf": full_box(b"iinf", 0, 0, b"\0\3" + entries),
            "iloc": full_box(b"iloc", version, 0, out),
            "idat": box(b"idat", TILE),
        }
        if iref is not None:
            size = 2 if iref == 0 else 4
            inner = box(b"dimg", (1).to_bytes(size, "big") + b"\0\1" + (2).to_bytes(size, "big"))
            parts["iref"] = full_box(b"iref", iref, 0, inner)
        names = ["hdlr", "pitm", *order.split(), *(["iref"] if iref is not None else []), "idat"]
        body = b"\0" * 4 + b"".join(parts[name] for name in names)
        meta = struct.pack(">I4sQ", 1, b"meta", len(body) + 16) + body if large else box(b"meta", body)
        moov = box(b"moov", movie.replace(b"MARK", data_at.to_bytes(4, "big"))) if movie else b""
        payload = PICTURE + TILE + OTHER
        mdat = (b"\0\0\0\0mdat" + payload) if tail == "open" else box(b"mdat", payload)
        if tail == "before":
            return ftyp + mdat + meta + moov, len(ftyp) + 8
        return ftyp + meta + moov + mdat + (b"\0\0\0" if tail == "junk" else b""), len(ftyp + meta + moov) + 8

    return build(build(0)[1])[0]


def contents(data: bytes) -> dict[int, bytes]:
    meta = heif.read(data)
    return {n: b"".join(data[s:e] for s, e in heif.item_ranges(data, meta, n)) for n in meta.locations}


CASES = [
    {"version": v, "widths": w, "method": m, "iref": r, "order": o, "tail": t}
    for v, w, m, r, o, t in itertools.product(
        (0, 1, 2),
        ((4, 4, 0), (4, 4, 4), (8, 8, 8), (4, 8, 0)),
        (0, 1),
        (None, 0, 1),
        ("iinf iloc", "iloc iinf"),
        ("mdat", "open", "before", "junk"),
    )
    if not (v == 0 and m == 1)
]


def test_heif_items_stay_whatever_the_tables_look_like() -> None:
    for case in CASES:
        data = heif_file(**case)
        before = contents(data)
        assert before == {1: PICTURE, 2: TILE, 7: OTHER}, case
        out = heif.add_item(data, heif.read(data), PACKET)
        meta = heif.read(out)
        assert contents(out) == {**before, 8: PACKET}, case
        assert meta.describes == {8} and meta.items[8].content_type == heif.XMP_TYPE, case
        assert out.endswith(b"\0\0\0") == (case["tail"] == "junk")
        for packet in (b"<y/>", PACKET * 3, PACKET):
            out = heif.replace_item(out, heif.read(out), 8, packet)
            assert {n: t.rstrip(b" ") for n, t in contents(out).items()} == {
                **before,
                8: packet.rstrip(b" "),
            }, case
        assert len(heif.read(out).items) == 4


def test_heif_offset_in_base_only_is_widened() -> None:
    data = heif_file(version=0, widths=(0, 4, 4))
    broken = contents(data)
    out = heif.add_item(data, heif.read(data), PACKET)
    assert contents(out) == {**broken, 8: PACKET} and heif.read(out).widths[0] == 4


def test_heif_large_meta_and_chunk_offsets() -> None:
    table = box(b"stco", struct.pack(">II", 0, 1) + b"MARK") + box(
        b"co64", struct.pack(">II", 0, 1) + b"\0\0\0\0MARK"
    )
    movie = box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", table))))
    data = heif_file(large=True, movie=movie)
    out = heif.add_item(data, heif.read(data), PACKET)
    assert contents(out) == {1: PICTURE, 2: TILE, 7: OTHER, 8: PACKET}
    at = out.index(b"stco") + 12
    first = int.from_bytes(out[at : at + 4], "big")
    second = int.from_bytes(out[out.index(b"co64") + 12 :][:8], "big")
    assert first == second and out[first:].startswith(PICTURE)
    assert [b.kind for b in isobmff.top_level(out)] == [b"ftyp", b"meta", b"moov", b"mdat", b"mdat"]
    protected = heif_file(
        movie=box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", box(b"saio", bytes(8))))))
    )
    with pytest.raises(UnsupportedMedia):
        heif.add_item(protected, heif.read(protected), PACKET)


def test_heif_shared_data_is_not_overwritten() -> None:
    """An item whose bytes belong to another item too is moved, not changed in place."""
    data = heif_file()
    meta = heif.read(data)
    shared = data.replace(
        struct.pack(">HHHH", 7, 0, 0, 1) + struct.pack(">II", *_extent(meta, 7)),
        struct.pack(">HHHH", 7, 0, 0, 1) + struct.pack(">II", *_extent(meta, 2)),
    )
    assert contents(shared)[7] == TILE
    out = heif.replace_item(shared, heif.read(shared), 7, b"new")
    assert contents(out) == {1: PICTURE, 2: TILE, 7: b"new"}


def _extent(meta: heif.Meta, number: int) -> tuple[int, int]:
    return meta.locations[number].extents[0][1:]


def test_heif_refuses() -> None:
    ftyp = box(b"ftyp", b"avif\0\0\0\0")
    with pytest.raises(DamagedMedia, match="no meta"):
        heif.read(ftyp)
    with pytest.raises(UnsupportedMedia):
        heif.read(ftyp + box(b"meta", bytes(4)))
    full = heif_file().replace(full_box(b"pitm", 0, 0, b"\0\1"), full_box(b"pitm", 0, 0, b"\xff\xff"))
    with pytest.raises(LimitExceeded):
        heif.add_item(full, heif.read(full), PACKET)
    data = heif_file()
    at = data.index(b"iloc") + 8
    with pytest.raises(DamagedMedia, match="field sizes"):
        heif.read(data[:at] + b"\x53" + data[at + 1 :])
    outside = heif_file().replace(PICTURE + TILE + OTHER, PICTURE + TILE)
    with pytest.raises(DamagedMedia):
        heif.read(outside)


def test_boxes() -> None:
    with pytest.raises(DamagedMedia):
        isobmff.boxes(b"\0\0\0\x04free", 0, 8)
    with pytest.raises(DamagedMedia):
        isobmff.boxes(struct.pack(">I4sQ", 1, b"free", 8), 0, 16)
    found = isobmff.boxes(struct.pack(">I4sQ", 1, b"free", 20) + b"abcd", 0, 20)
    assert found[0].payload(struct.pack(">I4sQ", 1, b"free", 20) + b"abcd") == b"abcd"
    with pytest.raises(DamagedMedia):
        isobmff.top_level(box(b"ftyp", b"x") + b"\0\0\1\0mdat")
    assert len(isobmff.top_level(box(b"ftyp", b"x") + b"\0\0\1\0----")) == 1
    with pytest.raises(LimitExceeded):
        isobmff.resize(found[0].__class__(b"free", 0, 8, 9), 1 << 32)


def test_jpeg_walk() -> None:
    scan = b"\xff\xda\0\2data\xff\xd9"
    data = (
        b"\xff\xd8\xff\xff\xff"
        + jpeg.encode(jpeg.COM, b"hi")
        + b"stray\xff\0"
        + jpeg.encode(0xDB, b"q")[0:]
        + scan
    )
    layout = jpeg.walk(data)
    assert [s.payload(data) for s in layout.segments] == [b"hi", b"q"] and data[layout.scan :] == scan
    for bad in (
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xe1\0\1",
        b"\xff\xd8\xff\xe1\xff\xff",
        b"\xff\xd8\xff",
    ):
        with pytest.raises(DamagedMedia):
            jpeg.walk(bad)
    with pytest.raises(LimitExceeded):
        jpeg.encode(jpeg.APP1, bytes(65534))


def test_png_walk_and_text() -> None:
    head = png.SIGNATURE + png.encode(b"IHDR", bytes(13))
    data = head + png.encode(b"iTXt", b"k\0\0\0en\0t\0" + "é".encode()) + png.encode(b"IEND", b"")
    chunk = png.walk(data)[1]
    text = png.read_text(data, chunk, limit=10)
    assert text is not None and text.text.decode() == "é" and chunk.safe_to_copy and chunk.ancillary
    for bad in (
        head,
        png.SIGNATURE + png.encode(b"IEND", b""),
        data[:-1],
        b"\x89PNG",
        head + b"\xff\xff\xff\xffIDAT" + bytes(9),
    ):
        with pytest.raises(DamagedMedia):
            png.walk(bad)
    for odd in (b"nothing", b"k\0\1\1\0\0x", b"k\0\1\0\0\0not deflated", b"k\0"):
        broken = head + png.encode(b"iTXt", odd) + png.encode(b"IEND", b"")
        assert png.read_text(broken, png.walk(broken)[1], limit=10) is None


def test_riff_walk() -> None:
    data = riff.build(b"WEBP", [(b"odd ", b"abc"), (b"even", b"abcd")], b"tail")
    file = riff.walk(data, b"WEBP")
    assert [c.payload(data) for c in file.chunks] == [b"abc", b"abcd"] and data[file.end :] == b"tail"
    unpadded = riff.build(b"WEBP", [(b"odd ", b"abc")])[:-1]
    assert riff.walk(unpadded, b"WEBP").chunks[0].payload(unpadded) == b"abc"
    for bad in (data[:20], b"RIFF\4\0\0\0WAVE", b"RIFX", data[:12] + b"VP8 \xff\xff\xff\x7f" + data[20:]):
        with pytest.raises(DamagedMedia):
            riff.walk(bad, b"WEBP")
    with pytest.raises(DamagedMedia):
        riff.vp8x([(b"VP8 ", bytes(10))])
    with pytest.raises(DamagedMedia):
        riff.vp8x([(b"VP8X", b"short")])


def test_gif_walk() -> None:
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    image = b"\x2c" + bytes(9) + b"\2" + b"\2Lz\0"
    assert [b.kind for b in gif.walk(head + image + b";after").blocks] == [gif.IMAGE]
    assert gif.walk(head + image).first == len(head)
    for bad in (
        b"GIF89a",
        head + b";",
        head + image[:-1],
        head + b"\x21",
        head + b"\x21\xfe\5ab",
        head + b"x",
    ):
        with pytest.raises(DamagedMedia):
            gif.walk(bad)
    with pytest.raises(DamagedMedia):
        gif.encode_xmp(b"a\0b")


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_tiff_set_value(endian: str, big: bool) -> None:
    order = b"II" if endian == "<" else b"MM"
    if big:
        data = order + struct.pack(endian + "HHHQ", 43, 8, 0, 16) + struct.pack(endian + "Q", 1)
        data += struct.pack(endian + "HHQHHI", 256, 3, 1, 5, 0, 0) + struct.pack(endian + "Q", 0)
    else:
        data = (
            order
            + struct.pack(endian + "HI", 42, 8)
            + struct.pack(endian + "HHHIHH", 1, 256, 3, 1, 5, 0)
            + bytes(4)
        )
    out = data
    for value in (
        b"<first packet/>",
        b"<longer packet than the first/>",
        b"<s/>",
        b"<longer again, much longer/>" * 9,
    ):
        out = tiff.set_value(out, 700, value)
        head = tiff.header(out)
        directory = tiff.ifd(out, head, head.first)
        entry = tiff.find(directory, 700)
        assert entry is not None and entry.value(out).rstrip(b"\0") == value and entry.kind == 7
        width = tiff.find(directory, 256)
        assert width is not None and struct.unpack(endian + "H", width.value(out)) == (5,)
        assert tiff.set_value(out, 700, value) == out
    assert b"first" not in out


def test_tiff_refuses() -> None:
    for bad in (
        b"",
        b"II*\0",
        b"II,\0\x08\0\0\0",
        b"II*\0\xff\xff\xff\xff",
        b"II*\0\x08\0\0\0\5\0",
        b"II*\0\0\0\0\0",
    ):
        with pytest.raises(DamagedMedia):
            list(tiff.ifds(bad, tiff.header(bad)))
            tiff.ifd(bad, tiff.header(bad), tiff.header(bad).first)
    # A value that lies over the directory itself is left alone, and the new one goes to the end.
    body = b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 700, 7, 18, 8) + bytes(4)
    out = tiff.set_value(body, 700, b"<new/>")
    entry = tiff.find(tiff.ifd(out, tiff.header(out), 8), 700)
    assert entry is not None and entry.value(out) == b"<new/>"
