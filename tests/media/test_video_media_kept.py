"""What must survive one encode pass: source and output are compared for each thing."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from video_media_clips import again, clip, coded, look, lumas, psnr, times

from labeler.errors import UnsupportedMedia
from labeler.media import ffmpeg as engine
from labeler.media.video.decode import frames
from labeler.media.video.encode import Encoder
from labeler.media.video.info import Mastering

AAC = {"acodec": "aac", "b:a": "64k"}
CONTAINERS: list[tuple[str, dict[str, Any], dict[str, Any] | None, str]] = [
    ("a.mp4", {}, AAC, "h264"),
    ("a.mov", {}, AAC, "h264"),
    ("a.m4v", {"f": "mp4", "brand": "M4V "}, AAC, "h264"),
    ("a.mkv", {}, AAC, "h264"),
    ("a.webm", {"vcodec": "libvpx-vp9", "cpu-used": 8, "deadline": "realtime"}, {"acodec": "libopus"}, "vp9"),
    ("a.avi", {}, {"acodec": "libmp3lame"}, "h264"),
    ("b.avi", {"vcodec": "mpeg4"}, {"acodec": "pcm_s16le"}, "h264"),
    ("a.ts", {}, AAC, "h264"),
    ("b.ts", {"vcodec": "mpeg2video"}, {"acodec": "mp2"}, "h264"),
    ("a.flv", {}, AAC, "h264"),
    ("b.flv", {"vcodec": "flv"}, {"acodec": "libmp3lame"}, "h264"),
]


@pytest.mark.parametrize(
    ("name", "options", "sound", "codec"), CONTAINERS, ids=[row[0] for row in CONTAINERS]
)
def test_every_container_comes_out_as_it_came_in(
    tmp_path: Path, name: str, options: dict[str, Any], sound: dict[str, Any] | None, codec: str
) -> None:
    source = clip(tmp_path / name, sound=sound, **options)
    target = tmp_path / f"out{source.suffix}"
    before, after, encoder = again(source, target)
    assert after.media_type == before.media_type
    assert after.codec == encoder.codec == codec
    assert after.info.frames == before.info.frames == 20
    if before.packets is not None and before.packets.timed:
        assert times(after) == times(before)
        assert after.packets is not None and after.packets.duration[-1] == before.packets.duration[-1]
    assert (after.width, after.height) == (96, 64)
    assert coded(target, after.demuxer, "a") == coded(source, before.demuxer, "a")
    for one, other in zip(lumas(source, before), lumas(target, after), strict=True):
        assert psnr(one, other) > 33


def test_chapters_subtitles_attachments_tags_and_languages(tmp_path: Path) -> None:
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,100 --> 00:00:00,300\nHello\n\n2\n00:00:00,400 --> 00:00:00,700\nWörld\n")
    meta = tmp_path / "meta.txt"
    spans = ((0, 300, "One"), (300, 800, "Zwei\\; \\#"))
    chapters = "".join(f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={a}\nEND={b}\ntitle={t}\n" for a, b, t in spans)
    meta.write_text(f";FFMETADATA1\ntitle=A \\= B\ncomment=two\\\nlines\nCUSTOM=kept\n{chapters}")
    more = {"scodec": "srt", "metadata:s:a:0": "language=deu", "metadata:s:s:0": "language=fra"}
    plain = clip(tmp_path / "plain.mkv", sound=AAC, texts=(words, meta), **more)
    source = tmp_path / "full.mkv"
    node = engine.source(plain, "matroska").output(
        f"file:{source}", map="0", c="copy", attach=str(words), **{"metadata:s:t": "mimetype=text/plain"}
    )
    engine.run(node)
    target = tmp_path / "out.mkv"
    before, after, _ = again(source, target)
    assert [s.kind for s in before.streams] == ["video", "audio", "subtitle", "attachment"]
    assert [(s.kind, s.codec, s.language, s.tags.get("filename")) for s in after.streams] == [
        (s.kind, s.codec, s.language, s.tags.get("filename")) for s in before.streams
    ]
    assert after.chapters == before.chapters
    assert [chapter.title for chapter in after.chapters] == ["One", "Zwei; #"]
    kept = {key: value for key, value in before.tags.items() if key != "ENCODER"}
    assert kept == {"title": "A = B", "COMMENT": "two\nlines", "CUSTOM": "kept"}
    assert {key: after.tags.get(key) for key in kept} == kept
    for streams in ("a", "s"):
        packets = coded(source, "matroska", streams)
        assert packets == coded(target, "matroska", streams)
    attached = words.read_bytes()
    assert attached in source.read_bytes() and attached in target.read_bytes()


def test_mp4_subtitles_chapters_own_tags_and_index_in_front(tmp_path: Path) -> None:
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,100 --> 00:00:00,300\nHello\n")
    meta = tmp_path / "meta.txt"
    meta.write_text(";FFMETADATA1\ntitle=T\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=800\ntitle=One\n")
    source = clip(
        tmp_path / "a.mov",
        sound=AAC,
        texts=(words, meta),
        scodec="mov_text",
        movflags="+faststart+use_metadata_tags",
        tags={"com.example.note": "kept"},
        **{"metadata:s:v:0": "language=deu"},
    )
    before, after, _ = again(source, tmp_path / "out.mov")
    assert before.front and after.front
    assert [(s.kind, s.codec, s.language) for s in after.streams] == [
        (s.kind, s.codec, s.language) for s in before.streams
    ]
    assert after.chapters == before.chapters and after.chapters[0].title == "One"
    assert after.tags["com.example.note"] == "kept" and after.tags["title"] == "T"
    assert after.tags["major_brand"] == "qt  "
    assert coded(source, "mov", "s") == coded(tmp_path / "out.mov", "mov", "s")


@pytest.mark.parametrize("turn", [90, 180, -90])
def test_rotation(tmp_path: Path, turn: int) -> None:
    plain = clip(tmp_path / "plain.mp4")
    source = tmp_path / "turned.mp4"
    import ffmpeg

    node = ffmpeg.input(f"file:{plain}", **{"display_rotation:v:0": turn}).output(f"file:{source}", c="copy")
    engine.run(node)
    before, after, _ = again(source, tmp_path / "out.mp4")
    assert before.rotation == after.rotation == (turn if turn != 180 else before.rotation)
    assert abs(before.rotation) == abs(turn)
    assert (after.width, after.height) == (96, 64)
    assert after.displayed() == ((96, 64) if turn == 180 else (64, 96))
    assert psnr(lumas(plain, look(plain))[3], lumas(tmp_path / "out.mp4", after)[3]) > 33


def test_mirrored_display(tmp_path: Path) -> None:
    import ffmpeg

    plain = clip(tmp_path / "plain.mp4")
    source = tmp_path / "mirrored.mp4"
    options = {"display_rotation:v:0": 90, "display_hflip:v:0": None}
    engine.run(ffmpeg.input(f"file:{plain}", **options).output(f"file:{source}", c="copy"))
    before, after, _ = again(source, tmp_path / "out.mp4")
    assert before.mirrored and after.mirrored
    assert before.rotation == after.rotation
    at = [path.read_bytes().find(b"tkhd") for path in (source, tmp_path / "out.mp4")]
    matrix = [
        path.read_bytes()[k + 44 : k + 80] for path, k in zip((source, tmp_path / "out.mp4"), at, strict=True)
    ]
    assert matrix[0] == matrix[1]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize(
    ("space", "primaries", "transfer", "wide"),
    [("bt709", "bt709", "bt709", "tv"), ("bt470bg", "bt470bg", "smpte170m", "pc")],
)
def test_colour_tags_and_sample_shape(
    tmp_path: Path, name: str, space: str, primaries: str, transfer: str, wide: str
) -> None:
    tagged = f"setparams=range={wide}:color_primaries={primaries}:color_trc={transfer}:colorspace={space},setsar=16/15"
    before, after, _ = again(clip(tmp_path / name, vf=tagged), tmp_path / f"out{name[1:]}")
    assert (before.colour.space, before.colour.primaries, before.colour.transfer) == (
        space,
        primaries,
        transfer,
    )
    assert before.colour.full is (wide == "pc")
    assert after.colour == before.colour
    assert after.sar == before.sar == Fraction(16, 15)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_ten_bits(tmp_path: Path, codec: str) -> None:
    options: dict[str, Any] = {"vcodec": codec, "pix_fmt": "yuv420p10le", "preset": "ultrafast", "crf": 8}
    if codec == "libx265":
        options["x265-params"] = "log-level=none"
    fine = "format=yuv420p10le,geq=lum='lum(X,Y)+mod(X,4)':cb=512:cr=512"
    source = clip(tmp_path / "a.mkv", count=8, vf=fine, **options)
    before, after, _ = again(source, tmp_path / "out.mkv", quality=8)
    assert before.depth == after.depth == 10
    assert after.pix_fmt == before.pix_fmt == "yuv420p10le"
    one, other = lumas(source, before), lumas(tmp_path / "out.mkv", after)
    assert one[0].dtype == np.uint16 and one[0].max() > 255
    assert all(psnr(a, b, 1023) > 42 for a, b in zip(one, other, strict=True))


def test_static_hdr_data(tmp_path: Path) -> None:
    params = (
        "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:max-cll=1000,400:"
        "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    )
    source = clip(
        tmp_path / "a.mp4", count=5, vcodec="libx265", pix_fmt="yuv420p10le", **{"x265-params": params}
    )
    before, after, _ = again(source, tmp_path / "out.mp4")
    assert (
        before.mastering
        == after.mastering
        == Mastering(
            primaries=(0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329),
            luminance=(0.005, 1000.0),
            light=(1000, 400),
        )
    )
    assert after.colour == before.colour and after.colour.transfer == "smpte2084"
    assert after.tag == before.tag


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.mov"])
def test_frames_that_are_not_evenly_spaced(tmp_path: Path, name: str) -> None:
    source = clip(
        tmp_path / name, vf="settb=1/90000,setpts='(N*N*37+N*1113)'", enc_time_base="1/90000", sound=AAC
    )
    before, after, _ = again(source, tmp_path / f"out{name[1:]}")
    assert before.variable and after.variable
    assert len(set(np.diff([float(t) for t in times(before)]).round(6))) > 5
    assert times(after) == times(before)
    assert before.packets is not None and after.packets is not None
    assert after.packets.duration[-1] * after.time_base == before.packets.duration[-1] * before.time_base
    assert coded(tmp_path / f"out{name[1:]}", after.demuxer, "a") == coded(source, before.demuxer, "a")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.webm", {"vcodec": "libvpx-vp9", "cpu-used": 8, "deadline": "realtime"}),
        ("b.webm", {"vcodec": "libvpx", "cpu-used": 8, "deadline": "realtime"}),
        ("a.avi", {"vcodec": "mpeg4"}),
        ("a.mkv", {"pix_fmt": "yuv444p"}),
    ],
)
def test_odd_sizes(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    source = clip(tmp_path / name, size="321x241", count=6, **options)
    before, after, encoder = again(source, tmp_path / f"out{name[1:]}")
    assert (before.width, before.height) == (after.width, after.height) == (321, 241)
    assert after.info.frames == 6
    for one, other in zip(lumas(source, before), lumas(tmp_path / f"out{name[1:]}", after), strict=True):
        assert psnr(one, other) > 30
    if name == "a.avi":
        assert any(finding.id == "video.samples" for finding in encoder.findings)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi", "a.flv", "a.mov"])
def test_one_frame(tmp_path: Path, name: str) -> None:
    before, after, _ = again(clip(tmp_path / name, count=1), tmp_path / f"out{name[1:]}")
    assert before.info.frames == after.info.frames == 1


@pytest.mark.parametrize("codec", ["libx265", "libvpx-vp9", "libsvtav1"])
def test_the_source_s_codec_and_rate_are_kept(
    tmp_path: Path, codec: str, capfd: pytest.CaptureFixture[str]
) -> None:
    more: dict[str, Any] = {"libx265": {"x265-params": "log-level=none", "tag:v": "hvc1"}}.get(codec, {})
    source = clip(tmp_path / "a.mp4", vcodec=codec, rate="30000/1001", count=12, **more)
    before, after, encoder = again(source, tmp_path / "out.mp4")
    assert after.codec == before.codec == encoder.codec
    assert after.tag == before.tag
    assert after.rate == before.rate == Fraction(30000, 1001)
    assert times(after) == times(before)
    assert not encoder.findings


def test_cover_art_is_kept(tmp_path: Path) -> None:
    import cv2
    import ffmpeg

    plain = clip(tmp_path / "plain.mp4", sound=AAC)
    cover = tmp_path / "cover.png"
    cover.write_bytes(cv2.imencode(".png", np.full((32, 32, 3), 90, np.uint8))[1].tobytes())
    source = tmp_path / "a.mp4"
    node = ffmpeg.output(
        ffmpeg.input(f"file:{plain}"),
        ffmpeg.input(f"file:{cover}"),
        f"file:{source}",
        c="copy",
        **{"disposition:v:1": "attached_pic"},
    )
    engine.run(node)
    before, after, _ = again(source, tmp_path / "out.mp4")
    assert (
        [s.kind for s in before.streams] == [s.kind for s in after.streams] == ["video", "audio", "picture"]
    )
    assert cover.read_bytes() in (tmp_path / "out.mp4").read_bytes()


def test_another_sound_track_in_the_same_pass(tmp_path: Path) -> None:
    import ffmpeg

    source = clip(tmp_path / "a.mp4", sound=AAC, count=25)
    quiet = tmp_path / "new.wav"
    engine.run(
        ffmpeg.input("sine=frequency=990:sample_rate=44100:duration=1", f="lavfi").output(f"file:{quiet}")
    )
    before, after, _ = again(source, tmp_path / "out.mp4", audio=quiet)
    sound = after.of_kind("audio")
    assert len(sound) == 1 and sound[0].codec == "aac" and sound[0].sample_rate == 44100
    heard = engine.run(engine.source(tmp_path / "out.mp4", "mov")["a"].output("pipe:", f="f32le"))
    wave = np.frombuffer(heard, np.float32)[4096 : 4096 + 22050]
    assert abs(int(np.argmax(np.abs(np.fft.rfft(wave)))) * 2 - 990) <= 2
    assert times(after) == times(before)


def test_transparency_and_two_picture_tracks_are_refused(tmp_path: Path) -> None:
    import ffmpeg

    source = clip(
        tmp_path / "a.webm", vf="format=yuva420p", pix_fmt="yuva420p", vcodec="libvpx-vp9",
        **{"cpu-used": 8, "deadline": "realtime", "auto-alt-ref": 0},
    )  # fmt: skip
    info = look(source)
    assert info.alpha and [finding.id for finding in info.findings] == ["video.alpha"]
    with pytest.raises(UnsupportedMedia, match="transparency"):
        Encoder(source, tmp_path / "out.webm", info)
    plain = clip(tmp_path / "plain.mp4")
    two = tmp_path / "two.mp4"
    engine.run(
        ffmpeg.output(ffmpeg.input(f"file:{plain}"), ffmpeg.input(f"file:{plain}"), f"file:{two}", c="copy")
    )
    with pytest.raises(UnsupportedMedia, match="several picture tracks"):
        Encoder(two, tmp_path / "out.mp4", look(two))


def test_changed_samples_arrive(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", count=4)
    info = look(source)
    with frames(source, info) as opened, Encoder(source, tmp_path / "out.mp4", info, quality=4) as encoder:
        for frame in opened:
            frame.y[8:24, 8:40] = 235 if frame.index % 2 else 16
            encoder.write(frame)
        encoder.finish()
    after = lumas(tmp_path / "out.mp4", look(tmp_path / "out.mp4"))
    assert [round(float(y[12:20, 12:36].mean()) / 20) for y in after] == [1, 12, 1, 12]


def test_interlaced_pictures_stay_interlaced(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", vf="setfield=tff", flags="+ildct+ilme", **{"x264-params": "tff=1"})
    before, after, _ = again(source, tmp_path / "out.mp4")
    assert before.field_order == after.field_order == "tff"


def test_a_stream_with_arrival_times_stays_one(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.m2ts", f="mpegts", mpegts_m2ts_mode=1)
    before, after, _ = again(source, tmp_path / "out.m2ts")
    assert before.stamped and after.stamped
    assert times(after) == times(before)


@pytest.mark.parametrize("fmt", ["gbrp", "gray", "bgr0"])
def test_other_samples_look_the_same(tmp_path: Path, fmt: str) -> None:
    """RGB and grey have no layout of their own: converted once, and tagged as what they are now."""
    source = clip(tmp_path / "a.mkv", size="160x120", count=3, vcodec="ffv1", pix_fmt=fmt)
    before, after, encoder = again(source, tmp_path / "out.mkv", quality=4)
    pictures = []
    for path in (source, tmp_path / "out.mkv"):
        node = engine.source(path, "matroska").output("pipe:", f="rawvideo", pix_fmt="rgb24")
        pictures.append(np.frombuffer(engine.run(node), np.uint8))
    assert psnr(*pictures) > 40
    assert [finding.id for finding in before.findings] == ["video.samples"]
    assert {finding.id for finding in encoder.findings} == {"video.samples", "video.codec"}
    assert after.info.frames == 3


def test_side_data_that_is_lost_is_told(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mkv", **{"metadata:s:v": "stereo_mode=left_right"})
    assert [(f.id, f.severity) for f in look(source).findings] == [("video.side-data", "warn")]


def test_several_sounds_a_timecode_and_dates(tmp_path: Path) -> None:
    """ffmpeg lists a picture with a timecode track as a group, not in the order of the tracks."""
    import ffmpeg

    dates = {"creation_time": "2024-01-02T03:04:05Z", "com.example.note": "kept"}
    plain = clip(tmp_path / "plain.mov", rate="24000/1001", sound=AAC)
    source = tmp_path / "a.mov"
    given = ffmpeg.input(f"file:{plain}")
    marks = {"metadata:s:a:1": "language=jpn", "disposition:a:0": "0", "disposition:a:1": "default"}
    marks |= {f"metadata:g:{place}": f"{key}={value}" for place, (key, value) in enumerate(dates.items())}
    marks["movflags"] = "+use_metadata_tags"
    node = ffmpeg.output(
        given["v"], given["a"], given["a"], f"file:{source}", c="copy", timecode="01:00:00:00", **marks
    )
    engine.run(node)
    before, after, _ = again(source, tmp_path / "out.mov")
    kinds = [(s.index, s.kind, s.codec, s.language) for s in before.streams]
    assert [kind for _, kind, _, _ in kinds] == ["video", "audio", "audio", "data"]
    assert not before.findings  # the timecode track is made anew from the picture's tag
    assert [(s.index, s.kind, s.codec, s.language) for s in after.streams] == kinds
    assert before.streams[0].tags["timecode"] == after.streams[0].tags["timecode"] == "01:00:00:00"
    assert after.tags == before.tags and after.tags["com.example.note"] == "kept"
    assert after.streams[0].tags["creation_time"] == "2024-01-02T03:04:05.000000Z"
    assert after.rate == before.rate and times(after) == times(before)
    assert coded(source, "mov", "a") == coded(tmp_path / "out.mov", "mov", "a")


def test_tags_of_a_movie_are_the_same_bytes(tmp_path: Path) -> None:
    """Also those that ffmpeg does not know: an XMP packet, user data of another program."""
    from labeler.media.containers import isobmff, mp4

    source = clip(tmp_path / "a.mp4", sound=AAC, movflags="+faststart", tags={"title": "T", "comment": "C"})
    packet = isobmff.box(b"uuid", mp4.XMP_UUID + b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    other = isobmff.box(b"udta", isobmff.box(b"Xtra", b"something of a program"))
    with source.open("rb") as file:
        top = mp4.top_level(file)
        data, moov = mp4.header(file, top)
        new = mp4.apply(data, [((moov,), mp4.Edit(moov.end, moov.end, other))])
        with (tmp_path / "b.mp4").open("wb") as target:
            mp4.rewrite(file, target, top, new, behind=packet)
    before, after, _ = again(tmp_path / "b.mp4", tmp_path / "out.mp4")
    for piece in (
        packet,
        other,
        data[data.find(b"udta") - 4 :][: int.from_bytes(data[data.find(b"udta") - 4 :][:4], "big")],
    ):
        assert piece in (tmp_path / "out.mp4").read_bytes()
    assert after.tags == before.tags and after.front
    assert times(after) == times(before)
    assert coded(tmp_path / "out.mp4", "mov", "a") == coded(source, "mov", "a")
