"""The ffmpeg adapter: what it may open, how it ends, what it says."""

from __future__ import annotations

import os
import time
from pathlib import Path

import ffmpeg
import numpy as np
import pytest

from labeler.errors import DamagedMedia, DependencyMissing, LimitExceeded
from labeler.media import ffmpeg as engine


def _tone(path: Path, seconds: float = 1.0) -> Path:
    node = ffmpeg.input(f"sine=frequency=440:duration={seconds}:sample_rate=8000", f="lavfi")
    engine.run(node.output(f"file:{path}", f="wav"))
    return path


def test_bytes_go_out_and_come_back(tmp_path: Path) -> None:
    sound = np.linspace(-1, 1, 8000, dtype=np.float32)
    node = ffmpeg.input("pipe:", f="f32le", ar=8000, ac=1, protocol_whitelist="pipe")
    with engine.Writer(node.output(f"file:{tmp_path / 'a.wav'}", acodec="pcm_f32le")) as writer:
        writer.write(sound[:0])
        writer.write(sound[:5000])
        writer.write(sound[5000:])
        writer.finish()
    back = engine.run(engine.source(tmp_path / "a.wav", "wav").output("pipe:", f="f32le"))
    assert np.array_equal(np.frombuffer(back, np.float32), sound)


def test_names_that_look_like_options_protocols_or_patterns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("-i.wav", "concat:a.wav", "a%d.wav", "it's [a], 100%.wav"):
        _tone(tmp_path / name)
        out = engine.run(engine.source(Path(name), "wav").output("pipe:", f="s16le"))
        assert len(out) == 16000


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{secret}'\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n",
    ],
)
@pytest.mark.parametrize("demuxer", ["mov", "wav", "matroska", "mpegts", "avi", "flv"])
def test_a_playlist_opens_nothing(tmp_path: Path, text: str, demuxer: str) -> None:
    secret = _tone(tmp_path / "secret.wav")
    evil = tmp_path / "evil.mp4"
    evil.write_text(text.format(secret=secret))
    with pytest.raises(DamagedMedia) as caught:
        engine.run(engine.source(evil, demuxer).output("pipe:", f="f32le"), path=evil)
    assert "secret" not in caught.value.message


def test_a_process_that_hangs_is_ended_with_its_group(tmp_path: Path) -> None:
    pipe = tmp_path / "fifo"
    os.mkfifo(pipe)
    started = time.monotonic()
    with pytest.raises(LimitExceeded, match="ended"):
        engine.run(engine.source(pipe, "wav").output("pipe:", f="f32le"), timeout=0.3)
    assert time.monotonic() - started < 5


def test_leaving_early_ends_the_process() -> None:
    node = ffmpeg.input("sine=frequency=440", f="lavfi").output("pipe:", f="f32le")
    with engine.Reader(node) as reader:
        assert len(reader.read(100_000)) == 100_000
        process = reader._process
    assert process.returncode is not None


def test_a_writer_whose_ffmpeg_fails_says_why(tmp_path: Path) -> None:
    node = ffmpeg.input("pipe:", f="f32le", ar=8000, ac=1)
    with (
        engine.Writer(node.output(f"file:{tmp_path / 'no' / 'a.wav'}"), path="a.wav") as writer,
        pytest.raises(DamagedMedia, match="No such file"),
    ):
        for _ in range(50):
            writer.write(np.zeros(100_000, np.float32))
        writer.finish()


def test_more_output_than_allowed_is_refused() -> None:
    node = ffmpeg.input("sine=frequency=440:duration=1", f="lavfi").output("pipe:", f="f32le")
    with pytest.raises(LimitExceeded, match="more than 1000 bytes"):
        engine.run(node, limit=1000)


def test_a_named_program_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELER_FFMPEG", "/nowhere/ffmpeg")
    engine.executable.cache_clear()
    try:
        with pytest.raises(DependencyMissing, match="no program"):
            engine.executable()
    finally:
        engine.executable.cache_clear()


def test_a_process_that_still_computes_at_the_end_is_waited_for(tmp_path: Path) -> None:
    picture = ffmpeg.input("pipe:", f="rawvideo", s="640x480", pix_fmt="gray", protocol_whitelist="pipe")
    node = picture.output(
        f"file:{tmp_path / 'a.mkv'}", vcodec="libx264", preset="veryslow", pix_fmt="yuv420p"
    )
    noise = np.random.default_rng(1).integers(0, 256, 640 * 480, np.uint8)
    with engine.Writer(node) as writer:
        for _ in range(8):
            writer.write(noise)
        writer._timeout = 0.5
        writer.finish()
    assert (tmp_path / "a.mkv").stat().st_size > 100_000
