"""Sound files: what they are, what they decode to, and what is written in their place."""

from __future__ import annotations

import io
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from audio_clips import TYPES, decoded, encoded, tone, wav
from hypothesis import given, settings
from hypothesis import strategies as st

from labeler.errors import DamagedMedia, LabelerError, LimitExceeded, OutputError, UnsupportedMedia
from labeler.media.audio import decode, encode, pcm
from labeler.media.audio.info import PCM, AudioInfo
from labeler.media.audio.probe import probe
from labeler.media.containers import flac, id3, ogg, wave
from labeler.media.limits import Limits
from labeler.media.sniff import sniff

HOSTILE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "hostile"
LOSSLESS = [
    ("wav", ("-c:a", "pcm_u8"), "pcm_u8", 8),
    ("wav", (), "pcm_s16le", 16),
    ("wav", ("-c:a", "pcm_s24le"), "pcm_s24le", 24),
    ("wav", ("-c:a", "pcm_s32le"), "pcm_s32le", 32),
    ("wav", ("-c:a", "pcm_f32le"), "pcm_f32le", 32),
    ("wav", ("-c:a", "pcm_f64le"), "pcm_f64le", 64),
    ("wav", ("-c:a", "pcm_mulaw"), "pcm_mulaw", 8),
    ("aiff", (), "pcm_s16be", 16),
    ("aiff", ("-c:a", "pcm_s24be"), "pcm_s24be", 24),
    ("flac", (), "flac", 16),
    ("flac", ("-sample_fmt", "s32"), "flac", 24),
    ("m4a", ("-c:a", "alac"), "alac", 16),
    ("ogg", ("-c:a", "flac"), "flac", 16),
]
LOSSY = [
    ("mp3", (), "mp3"),
    ("mp3", ("-q:a", "2"), "mp3"),
    ("ogg", ("-c:a", "libvorbis"), "vorbis"),
    ("opus", ("-c:a", "libopus"), "opus"),
    ("m4a", ("-c:a", "aac"), "aac"),
    ("aac", (), "aac"),
]


def put(folder: Path, name: str, data: bytes) -> tuple[Path, AudioInfo]:
    path = folder / f"in.{name}"
    path.write_bytes(data)
    return path, probe(io.BytesIO(data), len(data), str(path))


def joined(path: Path, info: AudioInfo, **options: object) -> np.ndarray:
    return np.concatenate(list(decode.blocks(path, info, **options)))  # type: ignore[arg-type]


# -------------------------------------------------------------------------------------------- probe


@pytest.mark.parametrize(("name", "options", "codec", "bits"), LOSSLESS)
def test_headers_of_lossless_files(name: str, options: tuple[str, ...], codec: str, bits: int) -> None:
    data = encoded(name, *options, seconds=0.5, rate=48000, channels=6)
    found = probe(io.BytesIO(data), len(data), f"x.{name}")
    assert (found.codec, found.bits, found.sample_rate, found.channels) == (codec, bits, 48000, 6)
    assert found.frames == 24000 and found.info.duration == 0.5 and found.info.extension_matches
    assert found.info.media_type == TYPES[name]


@pytest.mark.parametrize(("name", "options", "codec"), LOSSY)
@pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (48000, 1), (8000, 1)])
def test_headers_of_lossy_files(
    name: str, options: tuple[str, ...], codec: str, rate: int, channels: int, tmp_path: Path
) -> None:
    path, found = put(tmp_path, name, encoded(name, *options, rate=rate, channels=channels))
    assert (found.codec, found.channels) == (codec, channels)
    assert found.sample_rate == (48000 if codec == "opus" else rate)
    assert len(joined(path, found)) == found.frames
    assert 0.9 < found.info.duration < 1.25 and 6000 < found.bit_rate < 260_000


@pytest.mark.parametrize("name", TYPES)
def test_the_content_decides_not_the_name(name: str) -> None:
    data = encoded(name, seconds=0.3)
    assert sniff(data[:64]) == TYPES[name]
    found = probe(io.BytesIO(data), len(data), "x.jpg")
    assert found.info.media_type == TYPES[name] and not found.info.extension_matches


def test_an_id3_tag_stands_in_front_of_other_formats_too() -> None:
    tag = id3.build(4, [id3.user_text(4, "a", "b")])
    for name in ("flac", "aac"):
        data = tag + encoded(name, seconds=0.3)
        assert probe(io.BytesIO(data), len(data), f"x.{name}").info.media_type == TYPES[name]


def test_what_cannot_be_is_refused() -> None:
    good = wav(tone(0.1))
    for at, value in ((22, b"\0\0"), (24, bytes(4)), (32, b"\x07\0"), (24, b"\xff\xff\xff\xff")):
        bad = good[:at] + value + good[at + len(value) :]
        with pytest.raises(DamagedMedia):
            probe(io.BytesIO(bad), len(bad), "x.wav")
    with pytest.raises(LimitExceeded):
        probe(io.BytesIO(good), len(good), "x.wav", limits=Limits(seconds=0.05))
    with pytest.raises(UnsupportedMedia):
        probe(io.BytesIO(b"plain text"), 10, "x.wav")


# ------------------------------------------------------------------------------------------- decode


@pytest.mark.parametrize(("name", "options"), [("wav", ()), ("flac", ()), ("ogg", ("-c:a", "libvorbis"))])
def test_blocks_join_to_what_ffmpeg_decodes(name: str, options: tuple[str, ...], tmp_path: Path) -> None:
    data = encoded(name, *options, seconds=1.3)
    path, found = put(tmp_path, name, data)
    pieces = list(decode.blocks(path, found, seconds=0.5))
    assert [len(p) for p in pieces] == [22050, 22050, 13230]
    assert all(p.dtype == np.float32 for p in pieces)
    whole = np.frombuffer(decoded(data, name), "<f4").reshape(-1, 2)
    np.testing.assert_array_equal(np.concatenate(pieces), whole[:57330])


@pytest.mark.parametrize(("name", "options"), [(name, options) for name, options, *_ in LOSSLESS[9:] + LOSSY])
def test_cut_off_files_are_never_decoded_as_whole(
    name: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    data = encoded(name, *options, seconds=2.0)
    for share in (0.4, 0.7, 0.99):
        part = data[: int(len(data) * share)]
        with pytest.raises(LabelerError):
            joined(*put(tmp_path, name, part))


@pytest.mark.parametrize(("name", "options"), [("flac", ()), ("opus", ()), ("ogg", ("-c:a", "libvorbis"))])
def test_a_flipped_bit_is_found_where_the_format_has_checksums(
    name: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    data = encoded(name, *options, seconds=2.0)
    rng = np.random.default_rng(5)
    for place in rng.integers(len(data) // 4, len(data) - 100, 6):
        broken = bytearray(data)
        broken[place] ^= 16
        path, found = put(tmp_path, name, bytes(broken))
        with pytest.raises(DamagedMedia):
            joined(path, found)


def test_who_only_looks_gets_what_is_there(tmp_path: Path) -> None:
    data = encoded("mp3", seconds=2.0)
    path, found = put(tmp_path, "mp3", data[: len(data) // 2])
    assert "cut off" in found.damage
    with pytest.raises(DamagedMedia):
        joined(path, found)
    assert 30_000 < len(joined(path, found, strict=False)) < 60_000


def test_too_many_channels_and_unknown_codecs_are_refused(tmp_path: Path) -> None:
    path, found = put(tmp_path, "wav", wav(tone(0.05, channels=9)))
    with pytest.raises(UnsupportedMedia, match="9 channels"):
        joined(path, found)
    form = struct.pack("<HHIIHH", 0x1234, 1, 8000, 8000, 1, 8)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data\x04\0\0\0abcd"
    path, found = put(tmp_path, "wav", b"RIFF" + struct.pack("<I", len(body)) + body)
    with pytest.raises(UnsupportedMedia, match="codec"):
        joined(path, found)


# ------------------------------------------------------------------------------------------- encode


@pytest.mark.parametrize(("name", "options", "codec", "bits"), LOSSLESS)
def test_unchanged_lossless_sound_comes_out_as_it_went_in(
    name: str, options: tuple[str, ...], codec: str, bits: int, tmp_path: Path
) -> None:
    data = encoded(name, *options, seconds=1.1)
    path, found = put(tmp_path, name, data)
    out = tmp_path / f"out.{name}"
    assert encode.write(path, found, out, decode.blocks(path, found, seconds=0.4)) == ()
    result = out.read_bytes()
    after = probe(io.BytesIO(result), len(result), str(out))
    assert (after.codec, after.bits, after.frames, after.layout) == (codec, bits, found.frames, found.layout)
    form = {64: "pcm_f64le"}.get(bits, "pcm_s32le") if bits >= 32 else "pcm_f32le"
    assert decoded(result, name, codec=form) == decoded(data, name, codec=form)
    if name in ("wav", "aiff", "flac"):
        assert result == data
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"in.{name}", f"out.{name}"]


def test_a_changed_sample_changes_alone_even_in_32_bits(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    numbers = rng.integers(-(2**31), 2**31 - 1, (5000, 2), dtype=np.int64).astype("<i4")
    plain = wav(np.zeros((5000, 2), np.float32), bits=32)
    path, found = put(tmp_path, "wav", plain[:44] + numbers.tobytes())
    sound = joined(path, found)
    sound[1234, 1] = 0.25
    out = tmp_path / "out.wav"
    encode.write(path, found, out, iter([sound[:777], sound[777:]]))
    after = np.frombuffer(out.read_bytes()[44:], "<i4").reshape(-1, 2)
    assert np.argwhere(after != numbers).tolist() == [[1234, 1]]
    assert abs(int(after[1234, 1]) - 2**29) < 256
    silence = np.zeros((600, 2), np.float32)
    sound = joined(path, found)
    longer = [sound[:1000], silence, sound[1000:], silence[:100]]
    encode.write(path, found, out, longer, inserted=[(1000, 600), (5600, 100)])
    after = np.frombuffer(out.read_bytes()[44:], "<i4").reshape(-1, 2)
    assert len(after) == 5700 and not after[1000:1600].any() and not after[5600:].any()
    np.testing.assert_array_equal(np.delete(after, np.s_[1000:1600], 0)[:5000], numbers)


@pytest.mark.parametrize(("name", "options", "codec"), LOSSY)
def test_lossy_sound_keeps_codec_length_place_and_rate(
    name: str, options: tuple[str, ...], codec: str, tmp_path: Path
) -> None:
    data = encoded(name, *options, seconds=3.0)
    path, found = put(tmp_path, name, data)
    out = tmp_path / f"out.{name}"
    encode.write(path, found, out, decode.blocks(path, found))
    result = out.read_bytes()
    after = probe(io.BytesIO(result), len(result), str(out))
    assert (after.codec, after.sample_rate, after.channels) == (codec, found.sample_rate, found.channels)
    assert after.frames == found.frames and 0.8 < after.bit_rate / found.bit_rate < 1.2
    before, now = joined(path, found), joined(out, after)
    assert len(before) == len(now)
    error = now - before  # a shift by one sample alone would leave less than 20 dB of the noise-like part
    assert 10 * np.log10((before**2).mean() / (error**2).mean()) > 17
    again = tmp_path / "again"
    encode.write(path, found, again, decode.blocks(path, found, seconds=0.9))
    assert again.read_bytes() == result


def test_everything_beside_the_sound_is_kept(tmp_path: Path) -> None:
    """Tags, pictures and chunks of the source, byte for byte."""
    mime, cover = b"image/png", b"\x89PNG\r\n\x1a\n a cover"
    sizes = struct.pack(">IIIIII", 0, 1, 1, 24, 0, len(cover))
    picture = (flac.PICTURE, struct.pack(">II", 3, len(mime)) + mime + sizes + cover)
    source, target = io.BytesIO(encoded("flac")), io.BytesIO()
    flac.rewrite(source, target, flac.walk(source), lambda b: b, [picture, (flac.APPLICATION, b"testdata")])
    path, found = put(tmp_path, "flac", target.getvalue())
    out = tmp_path / "out"
    encode.write(path, found, out, (b * 0.5 for b in decode.blocks(path, found)))
    with path.open("rb") as old, out.open("rb") as new:
        kept = [
            [(b.kind, flac.payload(f, b)) for b in flac.walk(f).blocks if b.kind != flac.STREAMINFO]
            for f in (old, new)
        ]
    assert kept[0] == kept[1] and picture in kept[1]

    tail = b"TAG" + bytes(125)
    path, found = put(tmp_path, "mp3", encoded("mp3") + tail)
    encode.write(path, found, out, (b * 0.5 for b in decode.blocks(path, found)))
    with path.open("rb") as old, out.open("rb") as new:
        assert id3.find(old) == id3.find(new) and out.read_bytes().endswith(tail)

    extra = b"bext\x06\0\0\0secret" + b"cue \x04\0\0\0\0\0\0\0"
    path, found = put(tmp_path, "wav", wav(tone(0.2), extra=extra) + b"")
    encode.write(path, found, out, (b * 0.5 for b in decode.blocks(path, found)))
    assert extra in out.read_bytes() and wave.walk(io.BytesIO(out.read_bytes())).find(b"data") is not None

    for name, codec in (("ogg", "libvorbis"), ("opus", "libopus")):
        path, found = put(tmp_path, name, encoded(name, "-c:a", codec))
        encode.write(path, found, out, (b * 0.5 for b in decode.blocks(path, found)))
        with path.open("rb") as old, out.open("rb") as new:
            assert ogg.streams(old)[0].comment == ogg.streams(new)[0].comment

    path, found = put(tmp_path, "m4a", encoded("m4a", "-c:a", "aac"))
    encode.write(path, found, out, (b * 0.5 for b in decode.blocks(path, found)))
    data, result = path.read_bytes(), out.read_bytes()
    at = data.index(b"udta") - 4
    udta = data[at : at + int.from_bytes(data[at : at + 4], "big")]
    assert "A Tëst".encode() in udta and result.count(udta) == 1


def test_a_damaged_cover_does_not_spoil_the_sound(tmp_path: Path) -> None:
    source, target = io.BytesIO(encoded("flac")), io.BytesIO()
    flac.rewrite(source, target, flac.walk(source), lambda b: b, [(flac.PICTURE, b"\0\0\0\3" + bytes(40))])
    assert len(joined(*put(tmp_path, "flac", target.getvalue()))) == 44100


def test_surround_keeps_its_layout(tmp_path: Path) -> None:
    for name, codec in (("flac", "flac"), ("opus", "libopus"), ("m4a", "aac")):
        path, found = put(tmp_path, name, encoded(name, "-c:a", codec, channels=6, rate=48000))
        out = tmp_path / f"out.{name}"
        encode.write(path, found, out, decode.blocks(path, found))
        data = out.read_bytes()
        after = probe(io.BytesIO(data), len(data), str(out))
        assert decode.decoded_format(out, after) == decode.decoded_format(path, found)


def test_a_wrong_number_of_frames_is_never_published(tmp_path: Path) -> None:
    for name in ("wav", "flac"):
        path, found = put(tmp_path, name, encoded(name, seconds=0.5))
        with pytest.raises(OutputError):
            encode.write(path, found, tmp_path / "out", [np.zeros((100, 2), np.float32)])
        with pytest.raises(OutputError, match="shape"):
            encode.write(path, found, tmp_path / "out", [np.zeros((100, 3), np.float32)])


def test_what_cannot_be_written_again_is_told_before(tmp_path: Path) -> None:
    _, found = put(tmp_path, "wav", encoded("wav", "-c:a", "adpcm_ms"))
    with pytest.raises(UnsupportedMedia, match="adpcm_ms"):
        encode.check(found)


@pytest.mark.parametrize("codec", PCM)
@given(data=st.data())
def test_stored_numbers_come_back(codec: str, data: st.DataObject) -> None:
    form = PCM[codec]
    raw = data.draw(st.binary(min_size=form.width * 2, max_size=form.width * 20))
    raw = raw[: len(raw) // (2 * form.width) * 2 * form.width]
    if form.is_float:
        values = np.frombuffer(raw, form.dtype)
        values = np.where(np.isfinite(values) & (np.abs(values) < 1e30) & (np.abs(values) > 1e-30), values, 0)
        raw = values.astype(form.dtype).tobytes()
    rest = pcm.residual(raw, form, 2) if pcm.needs_residual(form) else None
    assert pcm.to_bytes(pcm.to_float(raw, form, 2), form, rest) == raw


# ------------------------------------------------------------------------------------------ hostile


@pytest.mark.parametrize("name", TYPES)
@settings(max_examples=30, deadline=None)
@given(st.data())
def test_mutated_headers_are_read_or_refused(name: str, data: st.DataObject) -> None:
    whole = bytearray(encoded(name, seconds=0.2))
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, min(len(whole) - 1, 1500)))] = data.draw(st.integers(0, 255))
    part = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        found = probe(io.BytesIO(part), len(part), "x")
    except LabelerError:
        return
    assert 0 < found.channels <= 64 and found.sample_rate > 0 and found.info.duration >= 0


@pytest.mark.skipif(not HOSTILE.exists(), reason="the collection of hostile files is not here")
def test_hostile_files_are_decoded_or_refused() -> None:
    whole = 0
    for path in sorted(HOSTILE.iterdir()):
        if path.suffix[1:] not in TYPES:
            continue
        start = time.process_time()
        try:
            found = probe(io.BytesIO(path.read_bytes()), path.stat().st_size, str(path))
            whole += sum(map(len, decode.blocks(path, found))) > 0
        except LabelerError:
            pass
        assert time.process_time() - start < 2
    assert whole >= 30
