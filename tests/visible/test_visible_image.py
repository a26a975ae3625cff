from __future__ import annotations

import time

import numpy as np
import pytest
from visible_pictures import NAMES, luminance, picture

from labeler.errors import UsageError
from labeler.visible import image as visible

SIZES = [(64, 64), (128, 128), (200, 150), (256, 256), (512, 768), (1024, 1024), (1920, 1080), (4000, 3000)]


def bitmap_glyph_height(mark: visible.Mark) -> int:
    """Smallest ink height of the main line's glyphs, read off the badge: rows that are half covered."""
    heights = []
    for _, x, y, w, h in mark.badge.glyphs:
        rows = np.flatnonzero(mark.badge.ink[y : y + h, x : x + w].max(axis=1) >= 128)
        heights.append(int(rows[-1] - rows[0] + 1))
    return min(heights)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("lang", ["zh", "both"])
@pytest.mark.parametrize("long", [False, True])
def test_smallest_glyph_is_five_percent_on_the_bitmap(size: tuple[int, int], lang: str, long: bool) -> None:
    mark = visible.prepare(*size, lang=lang, long=long)
    assert bitmap_glyph_height(mark) / min(size) >= 0.05
    assert 0.05 <= mark.glyph_ratio <= mark.line_ratio
    assert bitmap_glyph_height(mark) == pytest.approx(mark.glyph_ratio * min(size), abs=1)


@pytest.mark.parametrize("short", range(150, 700, 23))
def test_five_percent_holds_at_every_size(short: int) -> None:
    assert visible.prepare(short, short + 50).glyph_ratio >= 0.05


@pytest.mark.parametrize("size", [*SIZES, (32, 32), (40, 40), (16, 2000), (2000, 16), (24, 600), (6000, 400)])
def test_the_mark_lies_within_and_near_a_corner(size: tuple[int, int]) -> None:
    for position in visible.POSITIONS:
        mark = visible.prepare(*size, position=position)
        x, y, w, h = mark.box
        gap_x = x if position.endswith("left") else size[0] - x - w
        gap_y = y if position.startswith("top") else size[1] - y - h
        assert 0 <= gap_x <= 0.025 * min(size) and 0 <= gap_y <= 0.025 * min(size)
        assert x >= 0 and y >= 0 and x + w <= size[0] and y + h <= size[1]


def test_small_pictures_get_simpler_badges() -> None:
    assert visible.prepare(512, 512).text == "AI生成 · AI-generated"
    small = visible.prepare(64, 64)
    assert (small.text, small.lang, small.badge.em) == ("AI生成", "zh", visible.EM_SMALL)
    assert len(visible.prepare(16, 2000).badge.lines) == 3
    assert visible.prepare(48, 48, long=True).text == "AI生成"
    assert visible.prepare(2000, 1000).box[2] < 2000 * 0.16


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (28, 28), (8, 4000), (4000, 8)])
def test_what_cannot_fit_says_so(size: tuple[int, int]) -> None:
    with pytest.raises(visible.MarkDoesNotFit, match="does not fit") as caught:
        visible.prepare(*size)
    assert caught.value.code == "mark-does-not-fit" and caught.value.remedy


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(64, 64), (640, 480)])
def test_contrast_is_at_least_four_and_a_half(name: str, size: tuple[int, int]) -> None:
    pixels = picture(name, *size)
    mark = visible.prepare(*size, reference=pixels)
    x, y, w, h = mark.box
    drawn = luminance(visible.apply(pixels, mark)[y : y + h, x : x + w])
    words = np.median(drawn[mark.badge.ink >= 192])
    plate = drawn[(mark.badge.ink == 0) & (mark.badge.plate == 255)].max()
    assert (words + 0.05) / (plate + 0.05) >= 4.5


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [0, 3])
def test_only_the_box_changes(dtype: type, channels: int) -> None:
    shape = (300, 400, 3) if channels else (300, 400)
    pixels = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, shape).astype(dtype)
    before = pixels.copy()
    mark = visible.prepare(400, 300, position="top-left")
    marked = visible.apply(pixels, mark)
    assert np.array_equal(pixels, before)
    assert marked.dtype == dtype and marked.shape == shape
    x, y, w, h = mark.box
    assert marked[y : y + h, x : x + w].max() == np.iinfo(dtype).max
    outside = np.ones(shape[:2], bool)
    outside[y : y + h, x : x + w] = False
    assert np.array_equal(marked[outside], before[outside])
    assert visible.apply(pixels, mark, in_place=True) is pixels
    assert np.array_equal(pixels, marked)


def test_eight_and_sixteen_bit_agree() -> None:
    pixels = picture("texture", 400, 300)
    mark = visible.prepare(400, 300)
    eight = visible.apply(pixels, mark).astype(int)
    sixteen = visible.apply(pixels.astype(np.uint16) * 257, mark)
    assert np.abs(eight - (sixteen / 257)).max() <= 1.01


def test_the_plate_is_opaque_over_transparency() -> None:
    pixels = np.zeros((300, 300, 3), np.uint8)
    pixels[:, 150:] = 255
    alpha = np.zeros((300, 300), np.uint8)
    mark = visible.prepare(300, 300, position="bottom-right")
    marked, opacity = visible.apply(pixels, mark, alpha=alpha), visible.apply_alpha(alpha, mark)
    assert alpha.max() == 0
    x, y, w, h = mark.box
    assert np.array_equal(opacity[y : y + h, x : x + w], mark.badge.plate)
    assert opacity.sum() == mark.badge.plate.astype(int).sum()
    other = visible.apply(255 - pixels, mark, alpha=alpha)
    inside = opacity == 255
    assert np.array_equal(marked[inside], other[inside]), "what is fully transparent does not show through"
    for ground in (0, 255):
        share = opacity[..., None] / 255
        shown = (marked * share + ground * (1 - share)).astype(np.uint8)
        assert [e.text for e in visible.detect(shown).evidence] == [mark.text]


def test_opaque_alpha_changes_nothing() -> None:
    pixels = picture("texture", 300, 300)
    mark = visible.prepare(300, 300)
    full = np.full((300, 300), 255, np.uint8)
    same = np.abs(visible.apply(pixels, mark, alpha=full).astype(int) - visible.apply(pixels, mark))
    assert same.max() <= 1
    assert np.array_equal(visible.apply_alpha(full, mark), full)


def test_the_calmest_corner_is_taken() -> None:
    pixels = picture("noise", 600, 400)
    pixels[:200, :300] = 90
    assert visible.prepare(600, 400, reference=pixels).position == "top-left"
    assert visible.prepare(600, 400, reference=pixels[..., 0].copy()).position == "top-left"
    assert visible.prepare(600, 400, reference=pixels.astype(np.uint16) * 257).position == "top-left"
    assert visible.prepare(600, 400, reference=picture("white", 600, 400)).position == "bottom-right"
    assert visible.prepare(600, 400).position == "bottom-right"


def test_the_same_every_time() -> None:
    pixels = picture("texture", 640, 480)
    one, two = (visible.prepare(640, 480, reference=pixels) for _ in range(2))
    assert one.box == two.box
    assert np.array_equal(visible.apply(pixels, one), visible.apply(pixels, two))


def test_a_users_text_is_broken_into_lines() -> None:
    mark = visible.prepare(
        400, 400, text="本图片由示例公司的人工智能模型生成，仅供参考", position="top-right"
    )
    assert mark.text.startswith("本图片") and len(mark.badge.lines) > 1 and mark.glyph_ratio >= 0.05
    with pytest.raises(visible.MarkDoesNotFit):
        visible.prepare(60, 60, text="Unreasonably long notice, for so small")


@pytest.mark.parametrize(
    "options",
    [
        {"position": "middle"},
        {"lang": "fr"},
        {"ratio": 0.5},
        {"text": "a\nb"},
        {"reference": np.zeros((5, 5))},
    ],
)
def test_wrong_options(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        visible.prepare(400, 300, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((300, 400, 4), np.uint8), np.zeros((300, 400), np.float32), np.zeros((400, 300), np.uint8)],
)
def test_wrong_frames(pixels: np.ndarray) -> None:
    with pytest.raises(UsageError):
        visible.apply(pixels, visible.prepare(400, 300))


def test_evidence_of_what_was_written() -> None:
    mark = visible.prepare(640, 480)
    found = visible.evidence(mark)
    assert (found.kind, found.text, found.box, found.score) == ("labeler-mark", mark.text, mark.box, 1.0)
    assert found.height_ratio == mark.glyph_ratio


def test_cost_on_twelve_megapixels() -> None:
    """Goals: prepare and apply about 15 ms each, detect 60 ms of CPU; the bars leave room for busy machines."""
    pixels = np.tile(picture("texture", 800, 600), (5, 5, 1))

    def cpu(action: object) -> float:
        start = time.process_time()
        action()  # type: ignore[operator]
        return time.process_time() - start

    mark = visible.prepare(4000, 3000, reference=pixels)
    assert min(cpu(lambda: visible.apply(pixels, mark, in_place=True)) for _ in range(3)) < 0.06
    assert min(cpu(lambda: visible.prepare(4000, 3000, reference=pixels)) for _ in range(3)) < 0.06
    assert min(cpu(lambda: visible.detect(pixels)) for _ in range(3)) < 0.25
