"""Round trips: label in, label out, and nothing else changed."""

from __future__ import annotations

import dataclasses
import io
import json
import struct
import zlib

import pytest
from metadata_pictures import (
    FOREIGN_XMP,
    FORMATS,
    ICC,
    LABEL,
    encode,
    exif,
    info,
    picture,
    pixels,
    rich_jpeg,
    tiff_of,
)
from PIL import Image

from labeler.errors import DamagedMedia, LimitExceeded, UnsupportedMedia
from labeler.media.containers import gif, heif, jpeg, png, riff, tiff
from labeler.media.containers.splice import Edit, splice
from labeler.metadata import aigc, image, xmp
from labeler.metadata.carriers import CARRIERS
from labeler.types import Label, MetadataReport, State


def write(data: bytes, media_type: str, label: Label = LABEL, **options: str) -> bytes:
    out = io.BytesIO()
    image.write(io.BytesIO(data), out, info(media_type), label, **options)
    return out.getvalue()


def read(data: bytes, media_type: str) -> MetadataReport:
    return image.read(io.BytesIO(data), info(media_type))


def ids(report: MetadataReport) -> set[str]:
    return {finding.id for finding in report.findings}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.usefixtures("needs")
def test_round_trip(name: str) -> None:
    media_type, make = FORMATS[name]
    data = make()
    assert read(data, media_type).state is State.ABSENT
    out = write(data, media_type)
    assert pixels(out) == pixels(data)
    report = read(out, media_type)
    assert report.state is State.PRESENT and report.carrier == "xmp" and report.value == "1"
    authors = LABEL.author if b"First Author" not in data else f"First Author; {LABEL.author}"
    assert report.label == dataclasses.replace(LABEL, author=authors)
    assert report.findings == ()
    assert out.count(b"ContentProducer") == 1
    assert write(out, media_type) == out, "writing twice is writing once"
    other = dataclasses.replace(
        LABEL, produce_id="another", propagate_id="another", value="2", created="2026-09-01T00:00:00Z"
    )
    again = write(out, media_type, other)
    assert read(again, media_type).label == dataclasses.replace(other, author=authors)
    assert LABEL.produce_id.encode() not in again
    assert pixels(again) == pixels(data)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.usefixtures("needs")
def test_foreign_xmp_is_kept(name: str) -> None:
    """Every byte of a foreign packet is still there, in order."""
    media_type, make = FORMATS[name]
    carrier = CARRIERS[media_type]
    data, _ = carrier.write(make(), [FOREIGN_XMP])
    out = write(data, media_type)
    (packet,) = carrier.read(out).packets
    assert is_subsequence(FOREIGN_XMP.split(), packet.split())
    assert b"ns0:" not in packet
    assert pixels(out) == pixels(data)


def is_subsequence(small: list[bytes], large: list[bytes]) -> bool:
    rest = iter(large)
    return all(any(word in other for other in rest) for word in small)


def test_jpeg_other_segments_identical() -> None:
    data = rich_jpeg()
    out = write(data, "image/jpeg")

    def others(source: bytes) -> list[bytes]:
        return [s.payload(source) for s in jpeg.walk(source).segments if not s.starts(source, jpeg.XMP)]

    assert others(out) == others(data)
    assert out[jpeg.walk(out).scan :] == data[jpeg.walk(data).scan :]


def test_png_other_chunks_identical() -> None:
    data = FORMATS["png-rich"][1]()
    out = write(data, "image/png")
    raw = [out[c.start : c.end] for c in png.walk(out) if not out.startswith(png.XMP_KEYWORD, c.body)]
    assert raw == [data[c.start : c.end] for c in png.walk(data)]
    assert out.endswith(b"trailing bytes")
    for chunk in png.walk(out):
        assert zlib.crc32(out[chunk.start + 4 : chunk.end - 4]) == int.from_bytes(
            out[chunk.end - 4 : chunk.end], "big"
        )


@pytest.mark.parametrize("name", ["webp-lossy", "webp-lossless", "webp-alpha", "webp-rich", "webp-animated"])
def test_webp_structure(name: str) -> None:
    data = FORMATS[name][1]()
    out = write(data, "image/webp")
    chunks = riff.walk(out, b"WEBP").chunks
    old = [c.payload(data) for c in riff.walk(data, b"WEBP").chunks if c.kind not in (b"VP8X", b"XMP ")]
    assert [c.payload(out) for c in chunks if c.kind not in (b"VP8X", b"XMP ")] == old
    head = chunks[0].payload(out)
    assert chunks[0].kind == b"VP8X" and head[0] & riff.XMP
    assert bool(head[0] & riff.ANIMATION) == (name == "webp-animated")
    assert bool(head[0] & riff.ALPHA) == (name in ("webp-lossless", "webp-alpha"))
    assert (int.from_bytes(head[4:7], "little") + 1, int.from_bytes(head[7:10], "little") + 1) == (40, 24)


def test_gif_becomes_89a_and_keeps_blocks() -> None:
    data = b"GIF87a" + FORMATS["gif"][1]()[6:]
    out = write(data, "image/gif")
    assert out[:6] == b"GIF89a"
    blocks = [out[b.start : b.end] for b in gif.walk(out).blocks if gif.xmp_packet(out, b) is None]
    assert blocks == [data[b.start : b.end] for b in gif.walk(data).blocks]


def test_gif_packet_in_sub_blocks() -> None:
    data = FORMATS["gif"][1]()
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + b" " * 300 + FOREIGN_XMP[FOREIGN_XMP.index(b"<rdf") :]
    packet = packet[: packet.index(b"<?xpacket")]
    pieces = [packet[i : i + 255] for i in range(0, len(packet), 255)]
    block = b"\x21\xff\x0b" + gif.XMP_ID + b"".join(bytes([len(p)]) + p for p in pieces) + b"\0"
    at = gif.walk(data).first
    out = write(splice(data, [Edit(at, at, block)]), "image/gif")
    assert read(out, "image/gif").label is not None and b"First Author" in out
    assert pixels(out) == pixels(data)


@pytest.mark.parametrize("endian", ["<", ">"])
def test_tiff_moves_nothing(endian: str) -> None:
    data = tiff_of(endian, pages=3)
    out = write(data, "image/tiff")
    assert out[8 : len(data)] == data[8:]
    head = tiff.header(out)
    pages = list(tiff.ifds(out, head))
    assert len(pages) == 3
    entry = tiff.find(pages[0], 700)
    assert (
        entry is not None
        and entry.kind == 7
        and [e.tag for e in pages[0].entries] == sorted(e.tag for e in pages[0].entries)
    )
    kept = write(tiff_of(endian, xmp=FOREIGN_XMP), "image/tiff")
    entry = tiff.find(next(tiff.ifds(kept, tiff.header(kept))), 700)
    assert entry is not None and entry.kind == 1, "an existing BYTE entry keeps its type"


def test_tiff_does_not_grow_on_relabelling() -> None:
    out = write(tiff_of("<"), "image/tiff")
    for number in range(5):
        out = write(out, "image/tiff", dataclasses.replace(LABEL, produce_id=f"n{number}"))
    assert len(out) <= len(write(tiff_of("<"), "image/tiff"))
    longer = dataclasses.replace(LABEL, produce_id="n" * 500)
    assert read(write(out, "image/tiff", longer), "image/tiff").label == longer


@pytest.mark.parametrize("name", ["avif", "avif-animated", "heic"])
@pytest.mark.usefixtures("needs")
def test_heif_does_not_grow_on_relabelling(name: str) -> None:
    media_type, make = FORMATS[name]
    first = write(make(), media_type)
    out = write(first, media_type, dataclasses.replace(LABEL, produce_id="n" * 500))
    assert len(out) == len(first) + 500 - len(LABEL.produce_id)
    assert len(heif.read(out).items) == len(heif.read(first).items)
    assert pixels(out) == pixels(first)


def test_old_exif_label_is_blanked_in_place() -> None:
    old = json.dumps({"AIGC": aigc.fields_of(dataclasses.replace(LABEL, produce_id="old"))})
    for tags in (exif(description=old), exif(comment=b"ASCII\0\0\0" + old.encode())):
        for kind, media_type in (
            ("JPEG", "image/jpeg"),
            ("PNG", "image/png"),
            ("WEBP", "image/webp"),
            ("AVIF", "image/avif"),
        ):
            data = encode(picture(), kind, exif=tags)
            before = read(data, media_type)
            assert before.carrier == "exif" and before.fields["ProduceID"] == "old"
            assert "cn.meta.placement" in ids(before)
            out = write(data, media_type)
            assert b'"old"' not in out and read(out, media_type).findings == ()
            with Image.open(io.BytesIO(out)) as opened:
                assert opened.getexif()[0x010F] == "Maker"


def test_utf16_user_comment() -> None:
    old = json.dumps({"AIGC": aigc.fields_of(LABEL)})
    for codec in ("utf-16-le", "utf-16-be"):
        data = encode(picture(), "JPEG", exif=exif(comment=b"UNICODE\0" + old.encode(codec)))
        assert read(data, "image/jpeg").label is not None
        assert read(write(data, "image/jpeg"), "image/jpeg").findings == ()


def with_segment(marker: int, payload: bytes) -> bytes:
    data = encode(picture(), "JPEG")
    return splice(data, [Edit(2, 2, jpeg.encode(marker, payload))])


def test_glued_app9_and_comment_are_replaced() -> None:
    for marker, place in ((jpeg.APP9, "jpeg-app9"), (jpeg.COM, "jpeg-comment")):
        data = with_segment(marker, b'AIGC{"Label":"1","ContentProducer":"x","ProduceID":"8F995586"}')
        report = read(data, "image/jpeg")
        assert report.carrier == place and report.value == "1"
        assert {"cn.meta.placement", "cn.meta.fields"} <= ids(report)
        out = write(data, "image/jpeg")
        assert b"8F995586" not in out and read(out, "image/jpeg").findings == ()


def test_label_inside_other_data_is_left_and_told() -> None:
    data = with_segment(
        jpeg.COM, b'made by me AIGC{"Label":"1","ContentProducer":"x","ProduceID":"8F995586"} bye'
    )
    out = io.BytesIO()
    findings = image.write(io.BytesIO(data), out, info("image/jpeg"), LABEL)
    assert "cn.meta.single" in {finding.id for finding in findings}
    report = read(out.getvalue(), "image/jpeg")
    assert "cn.meta.single" in ids(report) and report.label == LABEL


def test_png_text_label_is_replaced() -> None:
    data = encode(picture(), "PNG")
    text = b'{"Label": "1", "ContentProducer": "doubao", "ProduceID": "abc123"}'
    for chunk in (
        png.encode(b"tEXt", b"AIGC\0" + text),
        png.encode_itxt(b"AIGC", text),
        png.encode(b"zTXt", b"AIGC\0\0" + zlib.compress(text)),
        png.encode(b"iTXt", b"AIGC\0\1\0\0\0" + zlib.compress(text)),
    ):
        old = splice(data, [Edit(33, 33, chunk)])
        report = read(old, "image/png")
        assert report.carrier == "png-text" and report.fields["ProduceID"] == "abc123"
        out = write(old, "image/png")
        assert read(out, "image/png").label == LABEL and b"AIGC\0" not in out


def test_png_xmp_compressed_and_twice() -> None:
    data = encode(picture(), "PNG")
    label = aigc.serialise(aigc.fields_of(dataclasses.replace(LABEL, produce_id="old")))
    packet = xmp.merge(FOREIGN_XMP, [xmp.Change(aigc.NAMESPACE, "AIGC", label, "element")])
    packed = png.encode(b"iTXt", png.XMP_KEYWORD + b"\0\1\0\0\0" + zlib.compress(packet))
    one = splice(data, [Edit(33, 33, packed)])
    assert read(one, "image/png").fields["ProduceID"] == "old"
    assert read(write(one, "image/png"), "image/png").findings == ()
    two = splice(data, [Edit(33, 33, packed + png.encode_itxt(png.XMP_KEYWORD, packet))])
    assert "cn.meta.single" in ids(read(two, "image/png"))
    fixed = read(write(two, "image/png"), "image/png")
    assert fixed.findings == () and fixed.fields["ProduceID"] == LABEL.produce_id


def test_png_raw_profile_is_read() -> None:
    packet = xmp.merge(
        b"", [xmp.Change(aigc.NAMESPACE, "AIGC", aigc.serialise(aigc.fields_of(LABEL)), "element")]
    )
    text = b"\nxmp\n%8d\n" % len(packet) + packet.hex().encode() + b"\n"
    chunk = png.encode(b"zTXt", b"Raw profile type xmp\0\0" + zlib.compress(text))
    data = splice(encode(picture(), "PNG"), [Edit(33, 33, chunk)])
    assert read(data, "image/png").fields["ProduceID"] == LABEL.produce_id


def test_extended_xmp_is_read_and_left() -> None:
    packet = xmp.merge(
        b"", [xmp.Change(aigc.NAMESPACE, "AIGC", aigc.serialise(aigc.fields_of(LABEL)), "element")]
    )
    half = len(packet) // 2
    data = encode(picture(), "JPEG")
    parts = b""
    for start, piece in ((half, packet[half:]), (0, packet[:half])):
        head = jpeg.EXTENDED_XMP + b"0" * 32 + struct.pack(">II", len(packet), start)
        parts += jpeg.encode(jpeg.APP1, head + piece)
    data = splice(data, [Edit(2, 2, parts)])
    assert read(data, "image/jpeg").fields["ProduceID"] == LABEL.produce_id
    out = io.BytesIO()
    findings = image.write(io.BytesIO(data), out, info("image/jpeg"), LABEL)
    assert parts in out.getvalue() and "cn.meta.single" in {finding.id for finding in findings}


def test_packet_limit_of_jpeg() -> None:
    padded = FOREIGN_XMP.replace(b"<?xpacket end", b" " * 62500 + b"<?xpacket end")
    data = with_segment(jpeg.APP1, jpeg.XMP + padded)
    out = write(data, "image/jpeg")
    assert read(out, "image/jpeg").label is not None, "padding makes room"
    full = FOREIGN_XMP.replace(b"one</rdf", b"1" * 64000 + b"</rdf")
    with pytest.raises(LimitExceeded):
        write(with_segment(jpeg.APP1, jpeg.XMP + full), "image/jpeg")


@pytest.mark.parametrize("name", ["jpeg", "png", "webp-lossy", "gif", "tiff", "avif"])
def test_malformed_packet_is_not_destroyed(name: str) -> None:
    media_type, make = FORMATS[name]
    broken = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF>" + b"never closed " * 20
    data, _ = CARRIERS[media_type].write(make(), [broken])
    with pytest.raises(DamagedMedia, match="XMP packet"):
        write(data, media_type)
    report = read(data, media_type)
    assert report.state is State.CANNOT_TELL and report.reason and "xmp.malformed" in ids(report)
    salvage = broken + b"<TC260:AIGC>" + aigc.serialise(aigc.fields_of(LABEL)).encode()
    data, _ = CARRIERS[media_type].write(make(), [salvage])
    assert read(data, media_type).value == "1"


def test_reserved_codes_stay_only_where_they_fit() -> None:
    fields = aigc.fields_of(LABEL, reserved=("sig-1", "sig-2"))
    packet = xmp.merge(b"", [xmp.Change(aigc.NAMESPACE, "AIGC", aigc.serialise(fields), "element")])
    data, _ = CARRIERS["image/png"].write(encode(picture(), "PNG"), [packet])

    def codes(label: Label) -> tuple[str, str]:
        found = read(write(data, "image/png", label), "image/png").fields
        return found["ReservedCode1"], found["ReservedCode2"]

    assert codes(LABEL) == ("sig-1", "sig-2")
    assert codes(dataclasses.replace(LABEL, propagator="platform", propagate_id="9")) == ("sig-1", "")
    assert codes(dataclasses.replace(LABEL, value="2")) == ("", "")


def test_findings_of_writing() -> None:
    first = write(encode(picture(), "PNG"), "image/png")
    out = io.BytesIO()
    other = dataclasses.replace(
        LABEL,
        producer="某公司",
        produce_id="0000",
        rights="other",
        source_type="compositeWithTrainedAlgorithmicMedia",
    )
    findings = {f.id for f in image.write(io.BytesIO(first), out, info("image/png"), other)}
    assert findings == {
        "cn.meta.charset",
        "cn.meta.placeholder",
        "meta.label_replaced",
        "meta.source_type_replaced",
        "meta.rights_kept",
    }


def test_prompt_only_on_request() -> None:
    assert b"AIPrompt" not in write(encode(picture(), "PNG"), "image/png")
    out = write(encode(picture(), "PNG"), "image/png", prompt="a cat", prompt_writer="Ann")
    fields = read(out, "image/png").fields
    assert fields["AIPromptInformation"] == "a cat" and fields["AIPromptWriterName"] == "Ann"


def test_dates_do_not_contradict() -> None:
    plain = read(write(encode(picture(), "PNG"), "image/png"), "image/png").fields
    assert plain["CreateDate"] == LABEL.created == plain["History.when"]
    dated = read(write(encode(picture(), "JPEG", exif=exif()), "image/jpeg"), "image/jpeg").fields
    assert "CreateDate" not in dated and dated["History.when"] == LABEL.created


def test_iptc_alone_is_present() -> None:
    uri = "https://cv.iptc.org/newscodes/digitalsourcetype/"
    for term, state in (("trainedAlgorithmicMedia", State.PRESENT), ("digitalCapture", State.ABSENT)):
        packet = xmp.merge(b"", [xmp.Change(xmp.IPTC_EXT, "DigitalSourceType", uri + term)])
        data, _ = CARRIERS["image/png"].write(encode(picture(), "PNG"), [packet])
        report = read(data, "image/png")
        assert report.state is state and report.source_type == term and report.label is None
        assert ("cn.meta.present" in ids(report)) == (state is State.PRESENT)
    packet = xmp.merge(b"", [xmp.Change(xmp.IPTC_EXT, "DigitalSourceType", uri + "nonsense")])
    data, _ = CARRIERS["image/png"].write(encode(picture(), "PNG"), [packet])
    assert "iptc.dst.value" in ids(read(data, "image/png"))


def test_multi_picture_index_is_kept_right() -> None:
    """An Ultra HDR or stereo file: the second image is still where MPF says."""
    second = encode(picture("L"), "JPEG")
    mpf_size = 4 + 4 + 8 + 2 + 12 * 3 + 4 + 32
    primary = encode(picture(), "JPEG")
    size = len(primary) + mpf_size
    at = jpeg.walk(primary).segments[0].end
    base = at + 8

    def index() -> bytes:
        body = b"MM\0*\0\0\0\x08" + struct.pack(">H", 3)
        body += struct.pack(">HHI4s", 0xB000, 7, 4, b"0100") + struct.pack(">HHII", 0xB001, 4, 1, 2)
        body += struct.pack(">HHII", 0xB002, 7, 32, 50) + bytes(4)
        body += struct.pack(">IIIHH", 0x030000, size, 0, 0, 0) + struct.pack(
            ">IIIHH", 0, len(second), size - base, 0, 0
        )
        return jpeg.encode(jpeg.APP2, jpeg.MPF + body)

    segment = index()
    assert len(segment) == mpf_size
    data = primary[:at] + segment + primary[at:] + second
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.format == "MPO" and opened.n_frames == 2
    out = write(data, "image/jpeg")
    assert pixels(out) == pixels(data)
    layout = jpeg.walk(out)
    entry = next(s for s in layout.segments if s.starts(out, jpeg.MPF))
    (first_size,) = struct.unpack_from(">I", out, entry.body + 4 + 50 + 4)
    assert out[first_size:] == second
    behind = splice(
        data, [Edit(at + mpf_size, at + mpf_size, jpeg.encode(jpeg.APP1, jpeg.XMP + FOREIGN_XMP))]
    )
    shifted = bytearray(behind)
    grown = len(behind) - len(data)
    struct.pack_into(">I", shifted, base + 50 + 4, size + grown)
    struct.pack_into(">I", shifted, base + 50 + 16 + 8, size - base + grown)
    assert pixels(bytes(shifted)) == pixels(data)
    assert pixels(write(bytes(shifted), "image/jpeg")) == pixels(data)


def test_types() -> None:
    assert image.carrier("image/jpeg") == "xmp" and image.carrier("image/bmp") == "sidecar"
    with pytest.raises(UnsupportedMedia):
        image.carrier("image/x-unknown")
    data = encode(picture(), "BMP")
    out = io.BytesIO()
    findings = image.write(io.BytesIO(data), out, info("image/bmp"), LABEL)
    assert out.getvalue() == data and findings[0].id == "meta.sidecar"
    assert read(data, "image/bmp").state is State.NOT_APPLICABLE


def test_pillow_sees_the_packet() -> None:
    for name in ("jpeg", "png", "webp-lossy", "tiff", "avif"):
        media_type, make = FORMATS[name]
        with Image.open(io.BytesIO(write(make(), media_type))) as opened:
            packet = opened.info.get("xmp") or opened.info.get("XML:com.adobe.xmp") or opened.tag_v2[700]
            assert LABEL.produce_id in (packet if isinstance(packet, str) else packet.decode())
    assert ICC
