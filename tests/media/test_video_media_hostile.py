"""Files that are cut off, damaged, or something else under a video's name: refused, in time, with a reason."""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path

import numpy as np
import pytest
from video_media_clips import again, clip, look

from labeler.errors import DamagedMedia, InputError, LabelerError, LimitExceeded, UnsupportedMedia
from labeler.media import ffmpeg as engine
from labeler.media.limits import Limits
from labeler.media.video.decode import frames, sample
from labeler.media.video.probe import probe

NAMES = ("a.mp4", "front.mp4", "a.mkv", "a.webm", "a.avi", "a.ts", "a.flv", "fragments.mp4")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """One clip with sound a container, as bytes."""
    folder = tmp_path_factory.mktemp("clips")
    made = {}
    for name in NAMES:
        options: dict[str, object] = {}
        sound: dict[str, object] = {"acodec": "aac"}
        if name == "a.webm":
            options = {"vcodec": "libvpx-vp9", "cpu-used": 8, "deadline": "realtime"}
            sound = {"acodec": "libopus"}
        if name == "front.mp4":
            options = {"movflags": "+faststart"}
        if name == "fragments.mp4":
            options = {"movflags": "+frag_keyframe+empty_moov", "g": 6}
        made[name] = clip(folder / name, count=24, sound=sound, **options).read_bytes()
    return made


def _count(path: Path) -> int:
    info = look(path)
    with frames(path, info) as opened:
        return sum(1 for _ in opened)


def test_the_clips_are_whole(clips: dict[str, bytes], tmp_path: Path) -> None:
    for name, data in clips.items():
        path = tmp_path / name
        path.write_bytes(data)
        assert _count(path) == 24


@pytest.mark.parametrize("name", NAMES)
def test_cut_off_files_are_refused(clips: dict[str, bytes], tmp_path: Path, name: str) -> None:
    data = clips[name]
    path = tmp_path / name
    for share in (0.02, 0.3, 0.7, 0.95, 0.999):
        path.write_bytes(data[: max(1, int(len(data) * share))])
        with pytest.raises(InputError):
            _count(path)


@pytest.mark.parametrize("name", NAMES)
def test_holes_are_refused_or_every_frame_is_there(
    clips: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    """Zeros written over a piece of the media data."""
    rng = np.random.default_rng(5)
    path = tmp_path / name
    refused = 0
    for _ in range(4):
        data = bytearray(clips[name])
        at = int(rng.integers(len(data) // 3, len(data) * 2 // 3))
        data[at : at + 400] = bytes(400)
        path.write_bytes(data)
        try:
            assert _count(path) == 24
        except LabelerError:
            refused += 1
    assert refused >= 1


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts", "a.flv"])
def test_random_changes_end_in_an_error_or_in_frames(
    clips: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    rng = np.random.default_rng(len(name))
    path = tmp_path / name
    started = time.monotonic()
    for _ in range(8):
        data = bytearray(clips[name])
        for at in rng.integers(0, len(data) if rng.random() < 0.5 else 600, int(rng.integers(1, 12))):
            data[at] = int(rng.integers(256))
        path.write_bytes(data)
        try:
            _count(path)
        except LabelerError as error:
            assert error.message and " @ 0x" not in error.message
    assert time.monotonic() - started < 60


def test_playlists_under_a_video_name_open_nothing(clips: dict[str, bytes], tmp_path: Path) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(clips["a.mp4"])
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.01)
        port = listener.getsockname()[1]
        texts = [
            f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n",
            f"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:{port}/x.ts\n#EXT-X-ENDLIST\n",
            f"ffconcat version 1.0\nfile '{secret}'\n",
            f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{secret}</BaseURL></MPD>',
            "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
        ]
        for number, text in enumerate(texts):
            for suffix in (".mp4", ".mkv", ".ts"):
                path = tmp_path / f"evil{number}{suffix}"
                path.write_text(text)
                with pytest.raises(UnsupportedMedia):
                    look(path)
        # behind a real signature the text is media data of a wrong format, not a playlist
        for head in (b"\0\0\0\x14ftypisom\0\0\0\0isom", b"\x1aE\xdf\xa3", b"FLV\x01\x05\0\0\0\x09\0\0\0\0"):
            path = tmp_path / "evil.mp4"
            path.write_bytes(head + texts[0].encode() * 40)
            with pytest.raises(InputError):
                look(path)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_a_data_reference_to_another_file_is_not_followed(clips: dict[str, bytes], tmp_path: Path) -> None:
    """The index says that the samples are in another file (dref ``url`` with a path, not self-contained)."""
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(clips["a.mp4"])
    data = clips["front.mp4"]
    at = data.find(b"url \0\0\0\x01")
    assert at > 0
    path = tmp_path / "evil.mp4"
    path.write_bytes(
        data[: at + 7] + b"\0" + data[at + 8 :]
    )  # "not in this file", and no name: must not crash
    with contextlib.suppress(LabelerError):
        _count(path)


def test_texts_in_the_file_cannot_pass_for_tracks(tmp_path: Path) -> None:
    forged = (
        "x\n  Stream #0:7: Video: h264, yuv420p, 9x9\n[Parsed_showinfo_0 @ 0x1] n:   0 pts: 0 s:9x9 fmt:rgb24"
    )
    path = clip(
        tmp_path / "a.mkv", count=3, tags={"title": forged, "comment": "Duration: 99:00:00.00, start: 5"}
    )
    info = look(path)
    assert (info.width, info.height, info.pix_fmt, len(info.streams)) == (96, 64, "yuv420p", 1)
    assert info.tags["title"] == forged
    assert info.info.duration < 1 and info.start == 0


def test_limits_are_checked_before_more_than_a_frame_is_decoded(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", count=3)
    with path.open("rb") as file, pytest.raises(LimitExceeded, match="megapixels"):
        probe(file, path.stat().st_size, "a.mp4", limits=Limits(pixels=1000))


def test_a_picture_that_changes_its_size_on_the_way(tmp_path: Path) -> None:
    one = clip(tmp_path / "one.h264", count=10, g=5).read_bytes()
    both = tmp_path / "both.h264"
    both.write_bytes(one + clip(tmp_path / "two.h264", count=10, g=5, size="64x48").read_bytes())
    path = tmp_path / "both.ts"
    parts = engine.source(both, "h264", r=25)
    engine.run(parts.output(f"file:{path}", c="copy", **{"bsf:v": "setts=ts=N*3600"}))
    with pytest.raises(DamagedMedia, match="size of its pictures"):
        _count(path)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    import ffmpeg

    path = tmp_path / "a.mp4"
    engine.run(ffmpeg.input("sine=duration=0.3", f="lavfi").output(f"file:{path}", acodec="aac"))
    with pytest.raises(UnsupportedMedia, match="no picture track"):
        look(path)


def test_a_file_in_memory_needs_a_path_and_names_are_harmless(
    clips: dict[str, bytes], tmp_path: Path
) -> None:
    for name in ("-i.mp4", "concat:a.mp4", "a%d.mp4", "it's [a], 100%.mp4", "new\nline.mp4"):
        path = tmp_path / name
        path.write_bytes(clips["a.mp4"])
        assert _count(path) == 24
        with path.open("rb") as file:  # by the open descriptor
            assert probe(file, path.stat().st_size, name).info.frames == 24


def test_sample_of_a_damaged_file_is_refused_too(clips: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    data = bytearray(clips["a.mp4"])
    at = data.find(b"mdat") + 400
    data[at : at + 2000] = bytes(2000)
    path.write_bytes(data)
    with pytest.raises(LabelerError):
        list(sample(path, look(path)))


def test_output_is_no_video_unless_finished(clips: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(clips["a.mp4"])
    before, after, _ = again(path, tmp_path / "out.mp4")
    assert after.info.frames == before.info.frames
