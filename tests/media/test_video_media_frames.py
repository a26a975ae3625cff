"""Frames in and out: times, ranges, samples for detection, arrays, memory."""

from __future__ import annotations

import resource
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from video_media_clips import clip, look, lumas, psnr, times

from labeler.errors import OutputError, UnsupportedMedia, UsageError
from labeler.media.video.arrays import frame_of, new_video
from labeler.media.video.decode import frames, sample
from labeler.media.video.encode import Encoder
from labeler.media.video.info import LAYOUTS, depth_of, has_alpha, layout_of
from labeler.media.video.settings import codec_for

CLIPS = Path(__file__).parents[3] / "shared" / "data" / "video"


def test_frames_come_in_order_with_their_times(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", count=12, rate="24000/1001")
    info = look(path)
    assert info.rate == Fraction(24000, 1001) and not info.variable
    with frames(path, info) as opened:
        seen = [(frame.index, frame.ticks, frame.pts, frame.y.shape, frame.u.shape) for frame in opened]  # type: ignore[union-attr]
    assert [row[0] for row in seen] == list(range(12))
    assert [row[1] * info.time_base for row in seen] == times(info)
    assert [row[2] for row in seen] == pytest.approx([n * 1001 / 24000 for n in range(12)])
    assert {row[3:] for row in seen} == {((64, 96), (32, 48))}


def test_frames_share_one_writable_buffer(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", count=3)
    with frames(path, look(path)) as opened:
        places = set()
        for frame in opened:
            places.add(frame.y.ctypes.data)
            frame.y[:] = 7
            assert frame.data[: frame.y.size].max() == 7
            assert frame.u is not None and frame.data.nbytes == frame.y.size + 2 * frame.u.size
    assert len(places) == 1


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.flv", "a.mov"])
@pytest.mark.parametrize("group", [250, 10])
def test_a_range_and_each_nth(tmp_path: Path, name: str, group: int) -> None:
    path = clip(tmp_path / name, count=50, g=group, preset="veryfast")
    info = look(path)
    everything = lumas(path, info)
    with frames(path, info, start=0.6, seconds=0.8, gray=True) as opened:
        part = [(round(frame.pts, 3), frame.y.copy()) for frame in opened]
    assert [when for when, _ in part] == [round(n / 25, 3) for n in range(15, 35)]
    assert all(np.array_equal(y, everything[15 + n]) for n, (_, y) in enumerate(part))
    with frames(path, info, every=7) as opened:
        assert [round(frame.pts * 25) for frame in opened] == list(range(0, 50, 7))


def test_times_begin_at_zero_in_a_transport_stream(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.ts", count=10)
    info = look(path)
    assert info.start > 1
    with frames(path, info) as opened:
        assert [round(frame.pts, 3) for frame in opened] == [round(n / 25, 3) for n in range(10)]


def test_luma_alone_is_the_luma_of_the_whole(tmp_path: Path) -> None:
    for name, fmt in (
        ("a.mp4", "yuv420p"),
        ("b.mkv", "yuv420p10le"),
        ("c.mkv", "yuv444p"),
        ("d.mkv", "yuvj420p"),
    ):
        path = clip(tmp_path / name, count=3, pix_fmt=fmt)
        info = look(path)
        with frames(path, info) as opened:
            whole = [frame.y.copy() for frame in opened]
        alone = lumas(path, info)
        assert all(np.array_equal(a, b) for a, b in zip(whole, alone, strict=True))
        assert whole[0].dtype == (np.uint16 if "10" in fmt else np.uint8)


@pytest.mark.parametrize(("count", "wanted"), [(20, 60), (200, 60), (200, 10)])
def test_sample_is_even(tmp_path: Path, count: int, wanted: int) -> None:
    path = clip(tmp_path / "a.mp4", count=count)
    when = [frame.pts for frame in sample(path, look(path), wanted)]
    assert min(count, wanted) * 0.9 <= len(when) <= wanted
    step = count / 25 / len(when)
    assert np.all(np.diff(when) < 1.9 * step) and when[0] < step and when[-1] > count / 25 - 2 * step


def test_sample_of_a_part_and_without_reading_on(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", count=100)
    when = [frame.pts for frame in sample(path, look(path), 10, start=2.0, seconds=1.0)]
    assert 8 <= len(when) <= 11 and min(when) >= 1.99 and max(when) <= 3.0
    some = sample(path, look(path), 50)
    assert next(some).u is None
    some.close()  # type: ignore[attr-defined]


def test_rgb_arrays_become_a_video_with_even_times(tmp_path: Path) -> None:
    y, x = np.mgrid[0:48, 0:64]
    pictures = [np.dstack([x * 4, y * 5, 0 * x + 20 * n]).astype(np.uint8) for n in range(9)]
    for name, media_type in (("a.mp4", "video/mp4"), ("a.webm", "video/webm"), ("a.mkv", "video/x-matroska")):
        info = new_video(64, 48, Fraction(30000, 1001), media_type=media_type)
        with Encoder(None, tmp_path / name, info, quality=6) as encoder:
            for index, picture in enumerate(pictures):
                encoder.write(frame_of(picture, index, info))
            encoder.finish()
        made = look(tmp_path / name)
        assert made.info.frames == 9 and made.codec == info.codec
        with frames(tmp_path / name, made) as opened:
            for frame, picture in zip(opened, pictures, strict=True):
                planes = frame.data.reshape(-1, 64)
                assert psnr(cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420), picture) > 32


def test_what_cannot_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="even"):
        new_video(63, 48, 25)
    with pytest.raises(UnsupportedMedia, match="not written"):
        new_video(64, 48, 25, media_type="video/ogg")
    info = new_video(64, 48, 25)
    with pytest.raises(UsageError, match="expected"):
        frame_of(np.zeros((48, 62, 3), np.uint8), 0, info)
    with pytest.raises(UnsupportedMedia, match="not written with"):
        codec_for(new_video(64, 48, 25, media_type="video/webm"), "h264")


def test_a_failing_encoder_says_why_and_is_no_fault_of_the_input(tmp_path: Path) -> None:
    info = new_video(64, 48, 25)
    frame = frame_of(np.zeros((48, 64, 3), np.uint8), 0, info)
    with (
        pytest.raises(OutputError, match="No such file"),
        Encoder(None, tmp_path / "no" / "a.mp4", info) as encoder,
    ):
        for _ in range(40):
            encoder.write(frame)
        encoder.finish()


def test_hardware_encoders_have_names(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nvenc"):
        Encoder(None, tmp_path / "a.mp4", new_video(64, 48, 25), hardware="nowhere")


def test_pixel_formats() -> None:
    expected = {
        "yuv420p": ("yuv420p", 8), "yuvj422p": ("yuv422p", 8), "nv12": ("yuv420p", 8), "p010le": ("yuv420p10le", 10),
        "yuv422p10le": ("yuv422p10le", 10), "yuv444p12le": ("yuv444p10le", 12), "gbrp": ("yuv444p", 8),
        "gbrp10le": ("yuv444p10le", 10), "rgb24": ("yuv444p", 8), "rgb48le": ("yuv444p10le", 16),
        "pal8": ("yuv444p", 8),
        "gray": ("yuv420p", 8), "gray10le": ("yuv420p10le", 10), "yuyv422": ("yuv422p", 8), "yuv411p": ("yuv422p", 8),
    }  # fmt: skip
    for name, (layout, depth) in expected.items():
        assert (layout_of(name).name, depth_of(name)) == (layout, depth)
        assert not has_alpha(name)
    assert all(has_alpha(name) for name in ("yuva420p", "rgba", "argb", "gbrap12le", "ya8", "yuva444p10le"))
    assert LAYOUTS["yuv420p"].bytes(321, 241) == 321 * 241 + 2 * 161 * 121
    assert LAYOUTS["yuv422p10le"].bytes(4, 2, gray=True) == 16


def test_memory_stays_flat(tmp_path: Path) -> None:
    """3,000 frames take no more of this process than the first 300."""
    path = clip(tmp_path / "a.mp4", size="160x90", count=3000, rate="60")
    info = look(path)
    peaks = []
    with frames(path, info) as opened, Encoder(path, tmp_path / "b.mp4", info, preset="ultrafast") as encoder:
        for frame in opened:
            encoder.write(frame)
            if frame.index in (300, 2999):
                peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        encoder.finish()
    assert peaks[1] - peaks[0] < 4096  # kB


@pytest.mark.skipif(not CLIPS.is_dir(), reason="clips of the shared folder are not here")
def test_real_clips_keep_count_times_and_sound(tmp_path: Path) -> None:
    for name in ("carphone_pristine.mp4", "cog2.mp4", "book.mkv"):
        path = CLIPS / name
        info = look(path)
        target = tmp_path / name
        with frames(path, info) as opened, Encoder(path, target, info, preset="ultrafast") as encoder:
            for frame in opened:
                encoder.write(frame)
            encoder.finish()
        after = look(target)
        assert times(after) == times(info)
        assert (after.sar or 1) == (info.sar or 1) and after.colour.full == info.colour.full
        assert psnr(lumas(path, info)[5], lumas(target, after)[5]) > 38
