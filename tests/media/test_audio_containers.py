"""Containers of sound: walked and rewritten as streams, and never a surprise from hostile bytes."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from audio_clips import TYPES, encoded, tone, wav
from hypothesis import given, settings
from hypothesis import strategies as st

from labeler.errors import DamagedMedia, LabelerError
from labeler.media.containers import aiff, comments, flac, id3, ogg, wave
from labeler.media.containers.comments import Comments


def rewritten(data: bytes, **changes: bytes | None) -> bytes:
    """A WAVE file with chunks changed by name."""
    source, target = io.BytesIO(data), io.BytesIO()
    file = wave.walk(source)
    wave.rewrite(source, target, file, lambda c: changes.get(c.kind.decode(), c))
    return target.getvalue()


# --------------------------------------------------------------------------------------------- WAVE


def test_wave_untouched_is_identical() -> None:
    data = wav(tone(0.1), extra=b"junk\x03\0\0\0abc\0LIST\x04\0\0\0adtl") + b"behind the form"
    assert rewritten(data) == data


def test_wave_of_a_pipe_runs_to_its_end_and_gets_true_sizes() -> None:
    whole = wav(tone(0.1))
    at = whole.index(b"data") + 4
    for size in (b"\xff\xff\xff\xff", b"\0\0\0\0"):
        piped = whole[:4] + size + whole[8:at] + size + whole[at + 4 :]
        assert rewritten(piped) == whole


def test_wave_cut_off_is_refused() -> None:
    data = wav(tone(0.1))
    for cut in (11, 20, 60, len(data) - 1000, len(data) - 9):
        with pytest.raises(DamagedMedia):
            wave.walk(io.BytesIO(data[:cut]))


def test_rf64_sizes_come_from_ds64_and_go_back_there() -> None:
    plain = wav(tone(0.1))
    size = int.from_bytes(plain[40:44], "little")
    head = wave.ds64(len(plain) - 8 + 36, size)
    data = b"RF64\xff\xff\xff\xffWAVE" + head + plain[12:40] + b"\xff\xff\xff\xff" + plain[44:]
    file = wave.walk(io.BytesIO(data))
    assert file.form == b"RF64" and file.find(b"data").size == size and file.end == len(data)
    assert rewritten(data) == data


def test_a_wave_file_that_passes_4_gib_becomes_rf64() -> None:
    class Sink(io.RawIOBase):
        """Keeps the head, counts the rest."""

        head, size = b"", 0

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.head = (self.head + data)[:200] if len(self.head) < 200 else self.head
            self.size += len(data)
            return len(data)

    from labeler.media.containers.iff import Made, Piece

    block = bytes(1 << 24)
    made = Made(257 << 24, (block for _ in range(257)))
    sink = Sink()
    pieces = [Piece(b"JUNK", bytes(28)), Piece(b"fmt ", bytes(16)), Piece(b"data", made)]
    wave.write(io.BytesIO(), sink, b"RIFF", pieces)  # type: ignore[arg-type]
    assert sink.head[:20] == b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0"[:20]
    riff_size, data_size = struct.unpack_from("<QQ", sink.head, 20)
    assert (riff_size, data_size) == (sink.size - 8, 257 << 24)
    assert b"JUNK" not in sink.head and b"data\xff\xff\xff\xff" in sink.head


# ------------------------------------------------------------------------------------- AIFF and FLAC


def test_aiff_untouched_is_identical() -> None:
    data = encoded("aiff")
    target = io.BytesIO()
    aiff.rewrite(io.BytesIO(data), target, aiff.walk(io.BytesIO(data)), lambda chunk: chunk)
    assert target.getvalue() == data


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 96000, 192000])
def test_extended_numbers(rate: int) -> None:
    exponent = rate.bit_length() - 1
    data = struct.pack(">HQ", 0x3FFF + exponent, rate << 63 - exponent)
    assert aiff.extended(data) == rate


def test_flac_untouched_is_identical_also_behind_an_id3_tag() -> None:
    tag = id3.build(4, [id3.user_text(4, "a", "b")])
    for data in (encoded("flac"), tag + encoded("flac")):
        target = io.BytesIO()
        flac.rewrite(io.BytesIO(data), target, flac.walk(io.BytesIO(data)), lambda block: block)
        assert target.getvalue() == data


# ---------------------------------------------------------------------------------------------- Ogg


def crc(data: bytes) -> int:
    """RFC 3533's checksum, bit by bit."""
    value = 0
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value & 1 << 31 else value << 1) & 0xFFFFFFFF
    return value


@given(st.binary(max_size=300))
def test_checksum_is_that_of_the_rfc(data: bytes) -> None:
    assert ogg.checksum(data) == crc(data)


def packets(data: bytes) -> list[bytes]:
    """All packets of a file with one stream."""
    found, rest = [], b""
    for page in ogg.pages(io.BytesIO(data)):
        at = page.start + 27 + len(page.lacing)
        for length in page.lacing:
            rest += data[at : at + length]
            at += length
            if length < 255:
                found.append(rest)
                rest = b""
    return found


@pytest.mark.parametrize(("name", "codec"), [("ogg", "libvorbis"), ("opus", "libopus"), ("ogg", "flac")])
@pytest.mark.parametrize("size", [30, 255, 70_000, 300_000])
def test_a_longer_comment_packet_moves_no_sound(name: str, codec: str, size: int) -> None:
    data, target = encoded(name, "-c:a", codec), io.BytesIO()
    comment = b"c" * size
    ogg.rewrite(io.BytesIO(data), target, lambda number, stream: comment)
    result = target.getvalue()
    ogg.check(io.BytesIO(result))
    before, after = packets(data), packets(result)
    assert after[1] == comment
    assert after[:1] + after[2:] == before[:1] + before[2:]
    sound = [(p.granule, p.lacing, p.flags) for p in ogg.pages(io.BytesIO(data)) if p.granule]
    assert [(p.granule, p.lacing, p.flags) for p in ogg.pages(io.BytesIO(result)) if p.granule][
        -len(sound) :
    ] == sound
    back = io.BytesIO()
    ogg.rewrite(io.BytesIO(result), back, lambda number, stream: before[1])
    assert packets(back.getvalue()) == before


def test_sound_on_the_page_of_the_headers_is_kept() -> None:
    """Some old encoders begin the sound on the page on which the headers end."""
    data = encoded("ogg", "-c:a", "libvorbis")
    found = list(ogg.pages(io.BytesIO(data)))
    pieces = [data[p.start : p.start + p.size] for p in found]
    setup, sound = pieces[1], pieces[2]
    lacing = found[1].lacing + found[2].lacing
    body = setup[27 + len(found[1].lacing) :] + sound[27 + len(found[2].lacing) :]
    assert len(lacing) < 256
    joined = sound[:18] + struct.pack("<II", 1, 0) + bytes([len(lacing)]) + lacing + body
    pages = [pieces[0], joined, *pieces[3:]]
    numbered = [p[:18] + struct.pack("<II", i, 0) + p[26:] for i, p in enumerate(pages)]
    odd = b"".join(p[:22] + struct.pack("<I", ogg.checksum(p)) + p[26:] for p in numbered)
    ogg.check(io.BytesIO(odd))
    target = io.BytesIO()
    ogg.rewrite(io.BytesIO(odd), target, lambda number, stream: stream.comment + b"\0" * 9)
    ogg.check(io.BytesIO(target.getvalue()))
    before, after = packets(odd), packets(target.getvalue())
    assert after[1] == before[1] + b"\0" * 9 and after[2:] == before[2:]


def test_a_flipped_bit_or_a_missing_page_is_found() -> None:
    data = encoded("opus", "-c:a", "libopus", seconds=3.0)
    found = list(ogg.pages(io.BytesIO(data)))
    for place in range(40, len(data), len(data) // 23):
        broken = bytearray(data)
        broken[place] ^= 4
        with pytest.raises(DamagedMedia):
            ogg.check(io.BytesIO(bytes(broken)))
    gone = found[3]
    with pytest.raises(DamagedMedia, match="missing"):
        ogg.check(io.BytesIO(data[: gone.start] + data[gone.start + gone.size :]))


# ---------------------------------------------------------------------------------------------- ID3


def syncsafe(value: int) -> bytes:
    return bytes(value >> shift & 127 for shift in (21, 14, 7, 0))


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize("value", ['{"Label":"1"}', "人工智能 ÿ", ""])
def test_texts_come_back(version: int, value: str) -> None:
    tag = id3.parse(id3.build(version, [id3.user_text(version, "AIGC", value)], 10))
    assert tag is not None and tag.version == version and tag.padding == 10
    assert id3.texts(tag.frames[0]) == ("AIGC", value)


def test_unsynchronised_tags() -> None:
    picture = b"\xff\xe0\xff\0\xff\xff"
    plain = b"APIC" + struct.pack(">I", len(picture)) + b"\0\0" + picture
    body = plain.replace(b"\xff\0", b"\xff\0\0").replace(b"\xff\xe0", b"\xff\0\xe0")
    old = id3.parse(b"ID3\x03\0\x80" + syncsafe(len(body)) + body)
    assert old is not None and [f.raw for f in old.frames] == [plain]
    coded = picture.replace(b"\xff\0", b"\xff\0\0").replace(b"\xff\xe0", b"\xff\0\xe0")
    frame = b"APIC" + syncsafe(len(coded)) + b"\0\x02" + coded
    new = id3.parse(b"ID3\x04\0\x80" + syncsafe(len(frame)) + frame)
    assert new is not None and new.frames[0].raw == frame and new.frames[0].body == picture
    assert id3.parse(id3.build(4, new.frames)).frames == new.frames


def test_plain_sizes_in_a_2_4_tag_are_repaired() -> None:
    long = b"TIT2" + struct.pack(">I", 300) + b"\0\0" + b"\x03" + b"x" * 299
    short = b"TPE1" + struct.pack(">I", 4) + b"\0\0\x03abc"
    body = long + short
    tag = id3.parse(b"ID3\x04\0\0" + syncsafe(len(body)) + body)
    assert tag is not None and [f.kind for f in tag.frames] == ["TIT2", "TPE1"]
    assert id3.parse(id3.build(4, tag.frames)).frames[1].body == b"\x03abc"


def test_what_stands_behind_an_mp3() -> None:
    ape = b"APETAGEX" + struct.pack("<IIII8x", 2000, 32, 0, 0)
    data = bytes(500) + ape + b"TAG" + bytes(125)
    assert list(id3.tail(io.BytesIO(data), len(data))) == [("id3v1", 532, 660), ("ape", 500, 532)]


# ----------------------------------------------------------------------------------- comments, hostile


@given(st.binary(max_size=40), st.lists(st.binary(max_size=40), max_size=5), st.binary(max_size=9))
def test_comments_come_back(vendor: bytes, items: list[bytes], rest: bytes) -> None:
    old = Comments(vendor, tuple(items), rest)
    assert comments.parse(comments.build(old)) == old


def poke(data: bytes, media_type: str) -> None:
    """Walk bytes as a container, whatever they are."""
    source, target = io.BytesIO(data), io.BytesIO()
    with contextlib.suppress(LabelerError):
        match media_type:
            case "audio/wav":
                wave.rewrite(source, target, wave.walk(source), lambda c: c, [(b"AIGC", b"{}")])
            case "audio/aiff":
                aiff.rewrite(source, target, aiff.walk(source), lambda c: c, [(b"APPL", b"{}")])
            case "audio/flac":
                flac.rewrite(source, target, flac.walk(source), lambda b: b, [(4, b"{}")])
            case "audio/ogg":
                ogg.rewrite(source, target, lambda n, s: b"{}")
            case _:
                tag = id3.find(source)
                assert tag is None or all(id3.texts(f) or True for f in tag.frames)
    assert len(target.getvalue()) < 2 * len(data) + 100_000


HEADS = {
    "audio/wav": b"RIFF\xff\0\0\0WAVE",
    "audio/aiff": b"FORM\0\0\0\xffAIFF",
    "audio/flac": b"fLaC\0\0\0\x22" + bytes(34),
    "audio/ogg": b"OggS\0\x02" + bytes(20) + b"\x01\x08OpusHead",
    "audio/mpeg": b"ID3\x04\0\0\0\0\x01\0",
}


@pytest.mark.parametrize("media_type", HEADS)
@given(data=st.binary(max_size=400))
def test_random_bytes_raise_nothing_else(media_type: str, data: bytes) -> None:
    poke(HEADS[media_type] + data, media_type)
    poke(data, media_type)


@pytest.mark.parametrize("name", ["wav", "aiff", "flac", "ogg", "opus", "mp3"])
@settings(max_examples=60)
@given(st.data())
def test_mutated_files_raise_nothing_else(name: str, data: st.DataObject) -> None:
    whole = bytearray(encoded(name, seconds=0.2)[:6000])
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, min(len(whole) - 1, 600)))
        whole[place] = data.draw(st.integers(0, 255))
    poke(bytes(whole[: data.draw(st.integers(0, len(whole)))]), TYPES[name])


def test_the_helper_makes_sound() -> None:
    assert zlib.crc32(tone(0.1).tobytes()) == zlib.crc32(tone(0.1).tobytes())
    assert 0.1 < np.abs(tone(0.1)).max() < 1
