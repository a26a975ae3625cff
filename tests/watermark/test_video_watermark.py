"""The video watermark on synthetic clips: what is written is found, nothing else is, frames stay as asked."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from labeler.core.keys import PUBLIC_KEY, WatermarkKey
from labeler.errors import UsageError
from labeler.types import State, WatermarkReport
from labeler.watermark.motion.evidence import SLOTS_MAX, Timeline
from labeler.watermark.motion.frames import GRAINS, Grain, half_shape
from labeler.watermark.motion.inner import inner_of
from labeler.watermark.motion.segments import runs
from labeler.watermark.motion.strength import GOALS, Trial, loss_of, tune
from labeler.watermark.video import CannotMark, Detector, VideoMark, layout_of, prepare

Frames = npt.NDArray[np.uint8]
PAYLOAD = bytes.fromhex("140123456789abcd")
OTHER = bytes.fromhex("14fedcba98765432")
PRIVATE = WatermarkKey.from_secret(bytes(range(32)))


def footage(count: int = 12, height: int = 270, width: int = 480, seed: int = 1) -> Frames:
    """A textured scene with a flat sky and a moving ball."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 1, (height, width)).astype(np.float32)
    texture = sum(cv2.GaussianBlur(noise, (0, 0), s) * s * 14 for s in (1.0, 3.0, 9.0))
    scene = np.clip(120 + texture, 20, 230)
    scene[: height // 4] = 170
    frames = np.empty((count, height, width), np.uint8)
    for index in range(count):
        frame = scene + rng.normal(0, 0.7, (height, width))
        cv2.circle(frame, (60 + 9 * index, height // 2), 25, 200.0, -1)
        frames[index] = np.clip(frame, 16, 235).astype(np.uint8)
    return frames


def plan(
    frames: Frames, payload: bytes = PAYLOAD, key: WatermarkKey = PUBLIC_KEY, **options: object
) -> VideoMark:
    height, width = frames.shape[1:]
    return prepare(width, height, payload, key, sample_luma=list(frames[::4]), **options)  # type: ignore[arg-type]


def marked(
    frames: Frames, payload: bytes = PAYLOAD, key: WatermarkKey = PUBLIC_KEY, **options: object
) -> Frames:
    mark = plan(frames, payload, key, **options)
    result = frames.copy()
    for index, frame in enumerate(result):
        mark.apply(frame, index)
    return result


def look(frames: Frames, keys: tuple[WatermarkKey, ...] = (PUBLIC_KEY,), **options: bool) -> WatermarkReport:
    detector = Detector(frames.shape[2], frames.shape[1], keys, **options)
    for index, frame in enumerate(frames):
        detector.push(np.ascontiguousarray(frame), index / 10)
    return detector.finish()


def scaled(frames: Frames, width: int, height: int) -> Frames:
    return np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames])


@pytest.fixture(scope="module")
def clip() -> Frames:
    return footage()


@pytest.fixture(scope="module", params=GRAINS)
def mark_on(clip: Frames, request: pytest.FixtureRequest) -> Frames:
    return marked(clip, grain=request.param)


def test_the_payload_comes_back_with_geometry_and_the_stretch(mark_on: Frames) -> None:
    report = look(mark_on)
    assert report.state is State.PRESENT
    assert report.payload == PAYLOAD.hex()
    assert report.mark_id == PAYLOAD.hex()[2:]
    assert report.key_id == "public-1"
    assert report.log10_p is not None and report.log10_p < -7
    assert report.geometry["search"] == "none"
    assert [(s.start, s.end, s.payload) for s in report.segments] == [(0.0, 1.1, PAYLOAD.hex())]
    assert type(report.segments[0].start) is float


@pytest.mark.parametrize(
    "change",
    [
        lambda f: scaled(f, 240, 136),
        lambda f: np.rot90(f, 1, (1, 2)),
        lambda f: f[:, ::-1, ::-1],
        lambda f: f[:, :, ::-1],
        lambda f: f[:, 33:250, 41:420],
        lambda f: scaled(f, 360, 270),
        lambda f: np.pad(f, ((0, 0), (105, 105), (0, 0))),
        lambda f: (f * 0.7 + 30).astype(np.uint8),
        lambda f: f[::3],
    ],
    ids=[
        "half size",
        "quarter turn",
        "half turn",
        "flip",
        "crop",
        "4:3",
        "letterbox",
        "contrast",
        "one frame in three",
    ],
)
def test_it_is_found_after(change: object, mark_on: Frames) -> None:
    assert look(np.ascontiguousarray(change(mark_on))).payload == PAYLOAD.hex()  # type: ignore[operator]


def test_it_is_found_after_strong_jpeg_of_every_frame(clip: Frames) -> None:
    strong = marked(clip, strength="strong")
    frames = np.stack(
        [cv2.imdecode(cv2.imencode(".jpg", f, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 0) for f in strong]
    )
    assert look(frames).payload == PAYLOAD.hex()


def test_nothing_is_found_without_a_mark_or_with_another_key(clip: Frames) -> None:
    report = look(clip)
    assert (report.state, report.geometry) == (State.ABSENT, {"search": "full"})
    assert look(marked(clip, key=PRIVATE), quick=True).state is State.ABSENT


def test_all_keys_are_tried(clip: Frames) -> None:
    report = look(marked(clip, key=PRIVATE), (PUBLIC_KEY, PRIVATE))
    assert (report.payload, report.key_id) == (PAYLOAD.hex(), PRIVATE.key_id)


def test_quick_leaves_the_search_out(mark_on: Frames) -> None:
    crop = np.ascontiguousarray(mark_on[:, 33:250, 41:420])
    report = look(crop, quick=True)
    assert (report.state, report.geometry) == (State.ABSENT, {"search": "quick"})


def test_the_picture_inside_bars_is_read_as_it_is(mark_on: Frames) -> None:
    framed = np.pad(mark_on, ((0, 0), (110, 110), (0, 0)), constant_values=16)
    assert inner_of(framed[0]) == (slice(110, 380), slice(0, 480))
    assert inner_of(mark_on[0]) is None
    geometry = look(framed).geometry
    assert (geometry["search"], geometry["inside_bars"]) == ("none", True)
    fill = np.stack([cv2.resize(cv2.GaussianBlur(f, (0, 0), 15), (480, 850)) for f in mark_on])
    fill[:, 290:560] = mark_on
    report = look(fill)
    assert (report.payload, report.geometry["inside_bars"]) == (PAYLOAD.hex(), True)


def blurred_fill(frame: Frames) -> Frames:
    """The picture in the middle of an upright blurred copy of itself; without the noise that this clip is."""
    small = cv2.resize(cv2.GaussianBlur(frame, (0, 0), 3), (270, 152), interpolation=cv2.INTER_AREA)
    canvas = cv2.blur(cv2.resize(frame, (270, 480)), (33, 33))
    canvas[164:316] = small
    return np.asarray(canvas, np.uint8)


@pytest.mark.parametrize(
    ("surround", "expected"),
    [
        (lambda f: np.pad(f, ((45, 45), (0, 0)), constant_values=16), (slice(45, 315), slice(0, 480))),
        (lambda f: np.pad(f, ((0, 0), (80, 80)), constant_values=16), (slice(0, 270), slice(80, 560))),
        (lambda f: np.pad(f, ((45, 45), (80, 80)), constant_values=235), (slice(45, 315), slice(80, 560))),
        (lambda f: np.pad(f[90:], ((0, 90), (0, 0)), constant_values=16), None),
        (blurred_fill, (slice(164, 316), slice(0, 270))),
        (lambda f: f, None),
        (lambda f: np.full_like(f, 16), None),
        (lambda f: f[:40, :40], None),
    ],
    ids=["letterbox", "pillars", "window", "one bar", "blurred fill", "none", "black", "tiny"],
)
def test_edges_of_a_picture_inside_another_are_found_to_the_pixel(
    surround: Callable[[Frames], Frames], expected: tuple[slice, slice] | None, clip: Frames
) -> None:
    """Also after compression, which smears them; a horizon, as this clip has, is no edge."""
    frame = surround(clip[0])
    assert inner_of(frame) == expected
    assert inner_of(jpeg([frame], 60)[0][0]) == expected


@pytest.mark.parametrize(("width", "height"), [(480, 204), (480, 360)])
def test_every_grain_is_read_where_its_frame_is_rounded_differently(width: int, height: int) -> None:
    """A half-resolution frame of 277 x 370 px shrinks to 138 or 139 rows, depending on what is rounded first."""
    clip = footage(count=8, height=height, width=width)
    for grain in GRAINS:
        mark = plan(clip, grain=grain)
        report = look(marked(clip, grain=grain))
        assert (report.payload, report.geometry["search"]) == (PAYLOAD.hex(), "none"), grain
        rows, columns = half_shape(height, width, grain)
        assert abs(rows / columns - height / width) < 0.01
        assert mark.grain == grain


def test_segments_show_what_was_cut_in() -> None:
    one, two, three = footage(12, seed=1), footage(12, seed=2), footage(12, seed=3)
    film = np.concatenate([marked(one), two, marked(three, OTHER)])
    found = [(s.start, s.end, s.payload) for s in look(film).segments]
    assert found == [(0.0, 1.2, PAYLOAD.hex()), (2.4, 3.5, OTHER.hex())]


def test_scenes_of_several_clips_are_all_named_whatever_their_grain() -> None:
    scenes = [
        marked(footage(12, seed=seed), payload, grain=grain)
        for seed, payload, grain in ((1, PAYLOAD, "fine"), (2, OTHER, "coarse"))
    ]
    edit = np.concatenate([scenes[0], footage(12, seed=3), scenes[1]])
    segments = look(edit).segments
    assert [segment.payload for segment in segments] == [PAYLOAD.hex(), OTHER.hex()]
    assert [(s.start, s.end) for s in segments] == [(0.0, 1.2), (2.4, 3.5)]


def test_scenes_of_an_edit_are_read_alone_also_when_cropped() -> None:
    quiet = np.concatenate([footage(8, seed=seed) // 2 + 100 * (seed % 2) for seed in (4, 5, 6)])
    film = np.concatenate([quiet, marked(footage(14, seed=7)), quiet[::-1]])
    crop = np.ascontiguousarray(film[:, 20:250, 30:440])
    report = look(crop)
    assert report.payload == PAYLOAD.hex()
    assert [(s.start, s.end) for s in report.segments] == [(2.4, 3.8)]


def test_the_change_is_small_everywhere_and_smaller_on_the_sky(clip: Frames, mark_on: Frames) -> None:
    change = mark_on.astype(np.float32) - clip
    assert 0.4 < float(np.sqrt((change**2).mean())) < 1.1
    assert float(np.abs(change).max()) <= 6
    sky = change[:, 4:60]
    assert 0.3 < float(np.sqrt((sky**2).mean())) <= 0.6
    assert float(np.abs(change.mean())) < 0.02


def test_ten_bits_carry_the_same_mark_and_stay_in_range(clip: Frames) -> None:
    ten = clip.astype(np.uint16) * 4 + 1
    ten[:, 100:120] = 1023
    mark = prepare(480, 270, PAYLOAD, PUBLIC_KEY, sample_luma=list(ten[::4]), bit_depth=10)
    detector = Detector(480, 270, [PUBLIC_KEY], bit_depth=10)
    for index, frame in enumerate(ten):
        mark.apply(frame, index)
        detector.push(frame, index / 10)
    assert int(ten.max()) == 1023
    assert detector.finish().payload == PAYLOAD.hex()


def test_white_and_black_do_not_wrap(clip: Frames) -> None:
    frames = clip.copy()
    frames[:, 150:200, :200], frames[:, 150:200, 200:] = 255, 0
    change = marked(frames).astype(np.int16) - frames
    assert int(np.abs(change).max()) <= 6


def test_frames_may_come_in_any_order_and_at_any_index(clip: Frames) -> None:
    mark = plan(clip)
    frames = clip.copy()
    for index in (5, 6, 7, 2, 40):
        mark.apply(frames[index % 12], index)
    assert all(bool((frames[i % 12] != clip[i % 12]).any()) for i in (5, 6, 7, 2, 40))


def test_the_mark_depends_on_key_payload_and_clip_alone(clip: Frames) -> None:
    assert np.array_equal(marked(clip), marked(clip))
    assert not np.array_equal(marked(clip), marked(clip, OTHER))
    assert not np.array_equal(plan(clip).word, plan(clip, key=PRIVATE).word)


def test_what_cannot_be_marked_is_refused() -> None:
    flat = [np.full((270, 480), 90, np.uint8)]
    with pytest.raises(CannotMark, match="flat"):
        prepare(480, 270, PAYLOAD, PUBLIC_KEY, sample_luma=flat)
    with pytest.raises(CannotMark, match="short side has 100 px"):
        prepare(480, 100, PAYLOAD, PUBLIC_KEY, sample_luma=[np.zeros((100, 480), np.uint8)])
    with pytest.raises(CannotMark, match="176 x 144 px are too few"):
        prepare(176, 144, PAYLOAD, PUBLIC_KEY, sample_luma=[np.zeros((144, 176), np.uint8)])
    with pytest.raises(UsageError, match="unknown strength"):
        prepare(480, 270, PAYLOAD, PUBLIC_KEY, sample_luma=flat, strength="heavy")


def test_frames_of_another_size_or_depth_are_refused(clip: Frames) -> None:
    mark = plan(clip)
    with pytest.raises(ValueError, match="the frame is"):
        mark.apply(np.zeros((480, 270), np.uint8), 0)
    with pytest.raises(ValueError, match="8 bits"):
        mark.apply(np.zeros((270, 480), np.uint16), 0)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (np.zeros((0, 270, 480), np.uint8), "no frames"),
        (np.full((3, 270, 480), 50, np.uint8), "flat"),
        (np.zeros((3, 20, 480), np.uint8), "short side"),
    ],
)
def test_what_cannot_show_a_mark_is_not_called_unmarked(frames: Frames, reason: str) -> None:
    report = look(frames)
    assert report.state is State.CANNOT_TELL
    assert reason in report.reason


def test_the_timeline_is_bounded_and_keeps_everything() -> None:
    timeline = Timeline()
    for index in range(1000):
        timeline.push(np.full((2, 2), 1, np.float32), float(index))
    slots = timeline.slots
    assert SLOTS_MAX / 2 <= len(slots) < SLOTS_MAX
    assert sum(float(slot.plane[0, 0]) for slot in slots) == 1000
    assert (slots[0].first, slots[-1].last) == (0.0, 999.0)
    assert all(one.last < two.first for one, two in itertools.pairwise(slots))


def test_runs_bridge_weak_frames_and_leave_noise_out() -> None:
    rng = np.random.default_rng(3)
    scores = np.concatenate([rng.normal(0, 1, 20), rng.normal(5, 1, 30), rng.normal(0, 1, 20)])
    scores[30] = 0.0
    assert runs(scores.astype(np.float32)) == [(20, 50)]


def test_the_layout_of_video_is_its_own_and_frozen() -> None:
    layout = layout_of(PUBLIC_KEY)
    radius = layout.luma.radius
    assert (float(radius.min()), float(radius.max()), len(radius)) == (8.0, 18.0, 344)
    assert layout.sync[:4].tolist() == [[1, -14], [2, -15], [2, -14], [3, -14]]
    assert layout.luma.bit[:6].tolist() == [25, 1, 216, 163, 258, 352]


def jpeg(frames: list[Frames], quality: int) -> tuple[list[Frames], int]:
    data = [cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for frame in frames]
    return [np.asarray(cv2.imdecode(d, 0), np.uint8) for d in data], sum(len(d) for d in data)


def test_tuning_stops_at_quality_and_at_what_is_needed(clip: Frames) -> None:
    """With JPEG in place of a video encoder."""

    def attempt(planes: object, again: bool, quality: int = 80) -> Trial:
        delivered, size = jpeg(list(planes), quality)  # type: ignore[call-overload]
        return Trial(size=size, delivered=delivered, attacked=jpeg(delivered, 50)[0] if again else ())

    def make(scale: float, grain: Grain) -> VideoMark:
        return plan(clip, scale=scale, grain=grain)

    tuned = tune(list(clip), make, attempt, grain="medium")
    goal = GOALS["default"]
    assert goal.least * 0.5 <= tuned.scale <= goal.most
    assert tuned.loss <= goal.loss * 1.01 or tuned.scale <= goal.least
    assert tuned.growth <= goal.growth * 1.01 or tuned.scale <= goal.least
    strong, weak = marked(clip, scale=1.5), marked(clip, scale=0.6)
    delivered = [jpeg(list(group), 80)[0] for group in (clip, weak, strong)]
    assert loss_of(clip, delivered[0], delivered[2]) > loss_of(clip, delivered[0], delivered[1]) > 0


def test_the_margin_tells_a_readable_clip_from_one_that_is_not(clip: Frames) -> None:
    mark = plan(clip)
    assert mark.margin(list(marked(clip))) > 4
    assert mark.margin(list(clip)) < -8
