"""The visible mark on video: the same badge as on pictures, whatever the samples look like, and found again."""

from __future__ import annotations

import subprocess
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from visible_pictures import iou, picture

from labeler.errors import UsageError
from labeler.media import ffmpeg
from labeler.types import State
from labeler.visible import image, video
from labeler.visible.videoseek import Seeker, detect

CLIPS = sorted((Path(__file__).resolve().parents[2].parent / "shared/data/video").glob("*"))
ROTATIONS = [(angle, mirrored) for angle in (0, 90, 180, 270, -90) for mirrored in (False, True)]


def displayed(plane: np.ndarray, rotation: float, mirrored: bool) -> np.ndarray:
    seen = np.rot90(plane, round(rotation / 90))
    return np.ascontiguousarray(seen[:, ::-1] if mirrored else seen)


def yuv(rgb: np.ndarray) -> list[np.ndarray]:
    """BT.709, full range, 4:4:4, float."""
    r, g, b = (rgb[..., i].astype(float) for i in range(3))
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    return [y, (b - y) / 1.8556 + 128, (r - y) / 1.5748 + 128]


def rgb_of(y: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    y, u, v = (p.astype(float) for p in (y, u, v))
    r, b = y + 1.5748 * (v - 128), y + 1.8556 * (u - 128)
    return np.clip(np.dstack([r, (y - 0.2126 * r - 0.0722 * b) / 0.7152, b]), 0, 255)


# ------------------------------------------------------------------------------------------------- drawing


@pytest.mark.parametrize("name", ["texture", "white", "dark"])
def test_it_looks_as_on_a_picture(name: str) -> None:
    rgb = picture(name, 640, 480)
    planes = [np.clip(p + 0.5, 0, 255).astype(np.uint8) for p in yuv(rgb)]
    mark = video.prepare(640, 480, position="top-left", full_range=True, subsampling=(1, 1))
    mark.apply(*planes)
    want = image.apply(rgb, image.prepare(640, 480, position="top-left")).astype(float)
    x, y, w, h = mark.box
    error = np.abs(rgb_of(*planes) - want)[y : y + h, x : x + w]
    assert np.percentile(error, 99) <= 2.5 and error.max() < 6
    assert (mark.text, mark.frame, mark.position) == ("AI生成 · AI-generated", (640, 480), "top-left")


def test_only_the_badge_is_touched_and_twice_the_same_frame_gives_the_same() -> None:
    mark = video.prepare(640, 480, position="bottom-left")
    frames = []
    for _ in range(2):
        planes = [
            np.random.default_rng(3).integers(0, 255, s, np.uint8)
            for s in ((480, 640), (240, 320), (240, 320))
        ]
        before = [plane.copy() for plane in planes]
        mark.apply(*planes)
        frames.append(planes)
    assert all((a == b).all() for a, b in zip(*frames, strict=True))
    x, y, w, h = mark.roi
    for plane, old, by in zip(planes, before, (1, 2, 2), strict=True):
        changed = np.argwhere(plane != old)
        top, left = changed.min(axis=0) * by
        bottom, right = (changed.max(axis=0) + 1) * by
        assert x <= left and y <= top and right <= x + w and bottom <= y + h


@pytest.mark.parametrize(("rotation", "mirrored"), ROTATIONS)
def test_a_turned_video_shows_the_mark_upright(rotation: float, mirrored: bool) -> None:
    stored = cv2.cvtColor(picture("texture", 640, 400), cv2.COLOR_RGB2GRAY)
    shown = displayed(stored, rotation, mirrored)
    mark = video.prepare(
        640, 400, rotation=rotation, mirrored=mirrored, full_range=True, position="bottom-right"
    )
    plain = video.prepare(shown.shape[1], shown.shape[0], full_range=True, position="bottom-right")
    assert mark.box == plain.box and mark.frame == plain.frame == shown.shape[::-1]
    mark.apply(stored)
    plain.apply(shown)
    assert np.abs(displayed(stored, rotation, mirrored).astype(int) - shown).max() <= 2


@pytest.mark.parametrize("sar", [Fraction(64, 45), Fraction(8, 9), Fraction(4, 3)])
@pytest.mark.parametrize("rotation", [0, 90])
def test_samples_that_are_not_square_are_allowed_for(sar: Fraction, rotation: int) -> None:
    stored = cv2.cvtColor(picture("texture", 720, 576), cv2.COLOR_RGB2GRAY)
    mark = video.prepare(720, 576, sar=sar, rotation=rotation, position="bottom-right")
    mark.apply(stored)
    wide = cv2.resize(stored, (round(720 * sar), 576), interpolation=cv2.INTER_CUBIC)
    shown = displayed(wide, rotation, False)
    assert mark.frame == shown.shape[::-1]
    assert mark.mark.glyph_ratio >= image.MIN_GLYPH_RATIO
    (found,) = image.detect(shown).evidence
    assert found.text == mark.text and found.box is not None and iou(found.box, mark.box) > 0.9
    assert found.height_ratio == pytest.approx(mark.mark.glyph_ratio, rel=0.03)


def test_words_are_white_and_neutral_in_the_range_of_the_video() -> None:
    for depth, full, white in ((8, False, 235), (8, True, 255), (10, False, 940), (10, True, 1023)):
        dtype = np.uint8 if depth == 8 else np.uint16
        planes = [np.full(s, (1 << depth) * 3 // 4, dtype) for s in ((480, 640), (240, 320), (240, 320))]
        mark = video.prepare(640, 480, depth=depth, full_range=full)
        mark.apply(*planes)
        assert planes[0].max() == white
        x, y, w, h = (v // 2 for v in mark.roi)
        inside = planes[1][y : y + h, x : x + w].astype(float)
        assert inside.min() >= (1 << depth - 1) and abs(inside.min() - (1 << depth - 1)) <= (1 << depth - 6)


def light(code: float) -> float:
    """cd/m2 of a 10-bit PQ code in video range (SMPTE ST 2084)."""
    part = ((code - 64) / 876) ** (1 / 78.84375)
    return float(10000 * (max(part - 0.8359375, 0) / (18.8515625 - 18.6875 * part)) ** (1 / 0.1593017578125))


def test_words_on_hdr_are_as_bright_as_paper_and_stand_out_from_the_plate() -> None:
    for transfer, white in (("smpte2084", 572), ("arib-std-b67", 721)):
        bright = np.full((480, 640), 800, np.uint16)
        mark = video.prepare(640, 480, depth=10, transfer=transfer, position="top-left")
        mark.apply(bright)
        x, y, w, h = mark.roi
        inside = bright[y + h // 8 : y + h - h // 8, x + w // 8 : x + w - w // 8]
        assert inside.max() == white
        if transfer == "smpte2084":
            assert light(white) == pytest.approx(203, rel=0.05)
            assert (light(white) + 5) / (light(float(inside.min())) + 5) >= 4.5


def test_ten_bits_look_like_eight() -> None:
    grey = cv2.cvtColor(picture("texture", 640, 480), cv2.COLOR_RGB2GRAY)
    deep = grey.astype(np.uint16) * 4
    video.prepare(640, 480).apply(grey)
    video.prepare(640, 480, depth=10).apply(deep)
    assert np.abs(deep / 4 - grey).max() <= 1


@pytest.mark.parametrize("size", [(641, 481), (319, 243), (1, 1), (176, 144), (96, 64)])
@pytest.mark.parametrize("position", image.POSITIONS)
@pytest.mark.parametrize("subsampling", [(2, 2), (2, 1), (1, 1), (4, 1)])
def test_odd_sizes(size: tuple[int, int], position: str, subsampling: tuple[int, int]) -> None:
    width, height = size
    try:
        mark = video.prepare(width, height, position=position, subsampling=subsampling)
    except image.MarkDoesNotFit:
        assert size == (1, 1)
        return
    chroma = (-(-height // subsampling[1]), -(-width // subsampling[0]))
    y, u, v = (np.full(shape, 128, np.uint8) for shape in ((height, width), chroma, chroma))
    mark.apply(y, u, v)
    assert y.max() > 200
    assert [e.text for e in image.detect(y).evidence] == [mark.text]
    assert (u == 128).all() and (v == 128).all()


def test_the_corner_is_the_calmest_of_most_frames() -> None:
    rng = np.random.default_rng(1)
    frame = rng.integers(0, 255, (360, 640), np.uint8)
    calm_left, calm_top = frame.copy(), frame.copy()
    calm_left[180:, :320] = 90
    calm_top[:180, 320:] = 90
    for frames, corner in (
        ([calm_left, calm_left, calm_top], "bottom-left"),
        ([calm_top, calm_left, calm_top], "top-right"),
        ([], "bottom-right"),
        ([calm_left.astype(np.uint16) * 4], "bottom-left"),
    ):
        assert video.prepare(640, 360, reference=frames).position == corner
    assert video.prepare(640, 360, reference=[calm_left], rotation=180).position == "top-right"


def test_how_many_frames_show_it() -> None:
    assert video.frames_shown(25, None) is None
    assert video.frames_shown(25, 2) == 50
    assert video.frames_shown(Fraction(30000, 1001), 2) == 60
    assert video.frames_shown(10, 2.05) == 21
    for rate, seconds in ((25, 1.9), (25, float("nan")), (0, 2), (float("inf"), 3)):
        with pytest.raises(UsageError):
            video.frames_shown(rate, seconds)


def test_wrong_planes_and_sizes_are_refused() -> None:
    mark = video.prepare(640, 480)
    for y in (np.zeros((480, 641), np.uint8), np.zeros((480, 640), np.uint16)):
        with pytest.raises(UsageError):
            mark.apply(y)
    with pytest.raises(UsageError):
        mark.apply(np.zeros((480, 640), np.uint8), np.zeros((480, 640), np.uint8))
    for options in ({"depth": 7}, {"subsampling": (3, 1)}):
        with pytest.raises(UsageError):
            video.prepare(640, 480, **options)  # type: ignore[arg-type]


def test_a_frame_of_1080_lines_costs_less_than_copying_it_a_few_times() -> None:
    mark = video.prepare(1920, 1080)
    planes = [np.full(s, 99, np.uint8) for s in ((1080, 1920), (540, 960), (540, 960))]

    def least(action: object) -> float:
        spent = []
        for _ in range(40):
            begin = time.process_time()
            action()  # type: ignore[operator]
            spent.append(time.process_time() - begin)
        return min(spent)

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        assert least(lambda: mark.apply(*planes)) < 0.001
    finally:
        cv2.setNumThreads(threads)


# ------------------------------------------------------------------------------------------------ finding


def moving(count: int, size: tuple[int, int] = (480, 270), seed: int = 0) -> list[np.ndarray]:
    """Grey frames in which a texture moves, ten a second."""
    width, height = size
    wide = cv2.cvtColor(picture("texture", width + 8 * count, height), cv2.COLOR_RGB2GRAY)
    noise = np.random.default_rng(seed).normal(0, 3, (height, width))
    return [np.clip(wide[:, 8 * i : 8 * i + width] + noise, 0, 255).astype(np.uint8) for i in range(count)]


def test_a_mark_is_found_with_place_and_time() -> None:
    frames = moving(40)
    mark = video.prepare(480, 270, position="top-right")
    for frame in frames:
        mark.apply(frame)
    report = detect(frames, [i / 10 for i in range(40)])
    (found,) = report.evidence
    assert report.state is State.PRESENT
    assert found.text == mark.text and found.frame == (480, 270) and found.time == (0.0, 3.9)
    assert found.box is not None and iou(found.box, mark.box) > 0.9
    assert found.score > 0.9 and found.height_ratio == pytest.approx(mark.mark.glyph_ratio, rel=0.05)
    written = video.evidence(mark, end=4.0)
    assert (written.kind, written.text, written.time) == (found.kind, found.text, (0.0, 4.0))


def test_the_beginning_alone_and_a_stretch_alone_are_found() -> None:
    mark = video.prepare(480, 270)
    for first, last in ((0, 20), (100, 140)):
        frames = moving(160)
        for frame in frames[first:last]:
            mark.apply(frame)
        seeker = Seeker()
        for index, frame in enumerate(frames):
            seeker.push(frame, index / 10)
        (found,) = seeker.finish().evidence
        assert found.time is not None
        assert found.time[0] == pytest.approx(first / 10, abs=0.45)
        assert found.time[1] == pytest.approx(last / 10, abs=0.45)


def test_two_corners_one_after_the_other_are_two_finds() -> None:
    frames = moving(60)
    marks = [video.prepare(480, 270, position=corner) for corner in ("top-left", "bottom-right")]
    for index, frame in enumerate(frames):
        marks[index // 30].apply(frame)
    found = detect(frames, [i / 10 for i in range(60)]).evidence
    assert [e.time for e in sorted(found, key=lambda e: e.time or (0, 0))] == [
        (pytest.approx(0, abs=0.2), pytest.approx(2.9, abs=0.2)),
        (pytest.approx(3.0, abs=0.2), pytest.approx(5.9, abs=0.2)),
    ]


def test_large_frames_in_colour_and_a_long_video_cost_bounded_memory() -> None:
    seeker = Seeker()
    mark = image.prepare(1280, 1100)
    frame = image.apply(picture("texture", 1280, 1100), mark)
    for index in range(140):
        seeker.push(frame if index else frame.astype(np.uint16) * 257, index / 5)
    assert sum(kept.frame.nbytes for kept in (*seeker._kept, *seeker._first)) < 80 * 540 * 630
    (found,) = seeker.finish().evidence
    assert found.box is not None and iou(found.box, mark.box) > 0.9
    assert found.time == (0, 139 / 5), "to the last frame, which the stride leaves out"


def test_nothing_is_found_in_nothing() -> None:
    assert Seeker().finish().state is State.CANNOT_TELL
    assert detect(moving(12), [i / 3 for i in range(12)]).state is State.ABSENT
    seeker = Seeker()
    seeker.push(np.zeros((90, 160), np.uint8), 0.0)
    for frame in (np.zeros((90, 161), np.uint8), np.zeros((90, 160), float), np.zeros((0, 5), np.uint8)):
        with pytest.raises(UsageError):
            seeker.push(frame, 1.0)
    assert seeker.finish().state is State.ABSENT


def test_a_users_text_is_found_when_it_is_named() -> None:
    frames = moving(12)
    mark = video.prepare(480, 270, text="Made with AI by Example")
    for frame in frames:
        mark.apply(frame)
    times = [i / 5 for i in range(12)]
    assert detect(frames, times).state is State.ABSENT
    assert [e.text for e in detect(frames, times, text="Made with AI by Example").evidence] == [mark.text]


# ---------------------------------------------------------------------------------------------- real clips


def run(arguments: list[str], data: bytes = b"") -> bytes:
    command = [str(ffmpeg.executable()), "-v", "error", "-y", *arguments]
    return subprocess.run(command, input=data, capture_output=True, check=True, timeout=120).stdout


def sampled(path: Path, size: tuple[int, int], rate: int = 4) -> list[np.ndarray]:
    """Luma of a few frames of the first 3 s, brought to a size."""
    fit = f"fps={rate},scale={size[0]}:{size[1]}"
    raw = run(["-i", str(path), "-t", "3", "-vf", fit, "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"])
    return list(np.frombuffer(raw, np.uint8).reshape(-1, size[1], size[0]).copy())


SIZES = {"lat1": (540, 960), "carphone_pristine": (176, 144), "bikes": (640, 272)}


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
def test_no_mark_is_found_in_a_real_clip_without_one(path: Path) -> None:
    frames = sampled(path, SIZES.get(path.stem, (640, 360)))
    assert len(frames) >= 6
    assert detect(frames, [i / 4 for i in range(len(frames))]).state is State.ABSENT


BLURRED = (
    "split[a][b];[a]scale=360:640:force_original_aspect_ratio=increase,crop=360:640,boxblur=12:4[c];"
    "[b]scale=360:-2[d];[c][d]overlay=0:(H-h)/2"
)


@pytest.mark.parametrize("stem", ["bikes", "person", "cog2", "bottle"])
@pytest.mark.parametrize(
    "filters", ["null", BLURRED, "scale=360:-2,pad=360:640:0:(oh-ih)/2"], ids=["crf", "blur", "bars"]
)
def test_a_real_clip_keeps_its_mark_after_reframing_at_crf_32(
    stem: str, filters: str, tmp_path: Path
) -> None:
    path = next((clip for clip in CLIPS if clip.stem == stem), None)
    if path is None:
        pytest.skip("the shared clips are not here")
    size = SIZES.get(stem, (640, 360))
    frames = sampled(path, size, 8)
    mark = video.prepare(*size, reference=frames[:4])
    for frame in frames:
        mark.apply(frame)
    raw = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{size[0]}x{size[1]}", "-r", "8", "-i", "pipe:0"]
    coded = tmp_path / "coded.mp4"
    x264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"]
    run([*raw, "-vf", filters, *x264, "-crf", "32", str(coded)], b"".join(f.tobytes() for f in frames))
    seen = (360, 640) if filters != "null" else size
    frames = sampled(coded, seen, 8)
    report = detect(frames, [i / 8 for i in range(len(frames))])
    assert [e.text for e in report.evidence] == [mark.text]
    assert report.evidence[0].time is not None and report.evidence[0].time[0] == 0.0
