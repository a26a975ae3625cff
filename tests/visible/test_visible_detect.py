"""The detector: every mark of ours after every chain, nothing else, with a margin on both sides."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image, ImageDraw
from visible_pictures import CHAINS, NAMES, SHARED_NAMES, iou, jpeg, picture, shared_picture

from labeler.errors import UsageError
from labeler.types import State
from labeler.visible import fonts
from labeler.visible import image as visible
from labeler.visible.detect import MIN_BADGE, MIN_GLYPH, MIN_SUB, Match, search

LOWEST = {"badge": 0.80, "glyph": 0.74, "sub": 0.69}
"""Bars for marks with text of 9 px and more: each measure stays above, well above its threshold."""
WORDINGS = [("both", False), ("zh", False), ("en", False), ("both", True), ("zh", True)]

needs_shared = pytest.mark.skipif(not SHARED_NAMES, reason="the shared pictures are not here")


def cases(names: tuple[str, ...] | list[str], chains: int) -> list[tuple[str, str, str, bool, str]]:
    """Each picture with some chains in turn; wordings and corners in turn."""
    wordings, corners, all_chains = (itertools.cycle(c) for c in (WORDINGS, visible.POSITIONS, CHAINS))
    out = []
    for name in names:
        out += [(name, next(all_chains), *next(wordings), next(corners)) for _ in range(chains)]
        next(corners)
    return out


def check(pixels: np.ndarray, chain: str, lang: str, long: bool, corner: str) -> None:
    change, factor, (dx, dy) = CHAINS[chain]
    mark = visible.prepare(pixels.shape[1], pixels.shape[0], lang=lang, long=long, position=corner)
    seen = change(visible.apply(pixels, mark))
    if mark.badge.em * factor < 9:
        pytest.skip("text below 9 px")
    report = visible.detect(seen)
    assert report.state is State.PRESENT
    assert [e.text for e in report.evidence] == [mark.text]
    (found,) = report.evidence
    x, y, w, h = (v * factor for v in mark.box)
    assert found.kind == "labeler-mark" and found.box is not None and found.height_ratio is not None
    assert iou(found.box, (x + dx, y + dy, w, h)) > 0.8
    ratio = mark.badge.glyph_ink * factor / min(seen.shape[:2])
    assert found.height_ratio == pytest.approx(ratio, rel=0.05, abs=0.75 / min(seen.shape[:2]))
    best = search(seen)[0]
    assert best.badge >= LOWEST["badge"] and best.glyph >= LOWEST["glyph"] and best.sub >= LOWEST["sub"]


@pytest.mark.parametrize(("name", "chain", "lang", "long", "corner"), cases(NAMES, len(CHAINS)))
def test_found_on_synthetic_pictures(name: str, chain: str, lang: str, long: bool, corner: str) -> None:
    check(picture(name, 640, 480), chain, lang, long, corner)


@needs_shared
@pytest.mark.parametrize(("name", "chain", "lang", "long", "corner"), cases(SHARED_NAMES, 2))
def test_found_on_shared_pictures(name: str, chain: str, lang: str, long: bool, corner: str) -> None:
    check(shared_picture(name), chain, lang, long, corner)


@pytest.mark.parametrize(
    "size", [(32, 32), (64, 64), (128, 128), (16, 300), (300, 16), (30, 60), (1500, 100)]
)
@pytest.mark.parametrize("name", ["white", "texture"])
def test_found_in_icons_and_strips(size: tuple[int, int], name: str) -> None:
    pixels = picture(name, *size)
    mark = visible.prepare(*size, reference=pixels)
    for seen in (visible.apply(pixels, mark), jpeg(visible.apply(pixels, mark), 75)):
        assert [e.text for e in visible.detect(seen).evidence] == [mark.text]


@pytest.mark.parametrize("ratio", [0.03, 0.05, 0.1, 0.16, 0.25])
@pytest.mark.parametrize("lang", ["both", "en", "zh"])
def test_found_at_every_size_that_can_be_asked_for(ratio: float, lang: str) -> None:
    pixels = picture("texture", 800, 600)
    mark = visible.prepare(800, 600, lang=lang, ratio=ratio)
    (found,) = visible.detect(visible.apply(pixels, mark)).evidence
    assert found.text == mark.text and found.box is not None and iou(found.box, mark.box) > 0.8


def test_sixteen_bit_and_large() -> None:
    pixels = np.tile(picture("texture", 650, 500), (4, 4, 1)).astype(np.uint16) * 257
    mark = visible.prepare(2600, 2000)
    (found,) = visible.detect(visible.apply(pixels, mark, in_place=True)).evidence
    assert found.box is not None and iou(found.box, mark.box) > 0.9


def test_two_marks_in_one_picture() -> None:
    pixels = np.hstack([picture("texture", 400, 400), picture("dark", 400, 400)])
    for x, lang in ((0, "zh"), (400, "both")):
        part = pixels[:, x : x + 400]
        part[...] = visible.apply(part, visible.prepare(400, 400, lang=lang))
    assert {e.text for e in visible.detect(pixels).evidence} == {"AI生成", "AI生成 · AI-generated"}


def test_a_users_text_is_found_when_it_is_named() -> None:
    pixels = picture("texture", 640, 480)
    mark = visible.prepare(640, 480, text="Made with AI by Example")
    seen = jpeg(visible.apply(pixels, mark), 75)
    assert visible.detect(seen).state is State.ABSENT
    assert [e.text for e in visible.detect(seen, text="Made with AI by Example").evidence] == [mark.text]


def test_no_font_means_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    from labeler.visible.forms import known_forms

    monkeypatch.setattr(fonts, "_candidates", list)
    fonts._default_face.cache_clear()
    known_forms.cache_clear()
    report = visible.detect(picture("white", 100, 100))
    assert report.state is State.CANNOT_TELL and "font" in report.reason
    fonts._default_face.cache_clear()


@pytest.mark.parametrize(
    "pixels", [np.zeros((5, 5, 4), np.uint8), np.zeros((5, 5)), np.zeros((0, 5), np.uint8)]
)
def test_wrong_pictures(pixels: np.ndarray) -> None:
    with pytest.raises(UsageError):
        visible.detect(pixels)


# --- what is no mark ---


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (1, 400), (40, 40), (640, 480), (2000, 100)])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_in_unmarked_pictures(name: str, size: tuple[int, int]) -> None:
    pixels = picture(name, *size)
    assert visible.detect(pixels).state is State.ABSENT


@needs_shared
@pytest.mark.parametrize("name", SHARED_NAMES)
def test_nothing_in_the_shared_pictures(name: str) -> None:
    pixels = shared_picture(name)
    assert visible.detect(pixels).state is State.ABSENT
    assert visible.detect(CHAINS["screenshot 0.7"][0](pixels)).state is State.ABSENT


CHINESE = (
    "近日，生成式人工智能服务管理办法发布。本文由AI生成的内容需要标识，人工智能生成合成内容应当显著提示。"
    "AI绘画、AI写作、AI产品，智能生活，完成生产。"
)
ENGLISH = "AI-generated content must be labelled. The AI-generation of images, AI generated text, AI-powered tools. "


@pytest.mark.parametrize("px", [14, 20, 28, 52])
@pytest.mark.parametrize("text", [CHINESE, ENGLISH], ids=["zh", "en"])
@pytest.mark.parametrize(("words", "ground"), [(255, 20), (230, 60), (20, 255)])
def test_nothing_in_pages_of_text(px: int, text: str, words: int, ground: int) -> None:
    """Our own words in our own font, within running text, on dark and white pages."""
    page = Image.new("RGB", (900, 700), (ground,) * 3)
    font = fonts.load(fonts.find_face(text), px)
    per_line = int(860 / px * (1 if text is CHINESE else 2))
    for row, y in enumerate(range(20, 690, int(px * 1.5))):
        line = (text * 40)[row * per_line : (row + 1) * per_line]
        ImageDraw.Draw(page).text((20 + row % 3 * 7, y), line, font=font, fill=(words,) * 3)
    assert visible.detect(jpeg(np.array(page), 80)).state is State.ABSENT


OTHERS = [
    "AI合成",
    "AI生产",
    "AI完成",
    "人工智能合成",
    "人工智能创作",
    "内容生成",
    "再生成",
    "HI生成",
    "I生成",
]
OTHERS += ["AI-operated", "AI-graduated", "AI-generates", "AI-general", "AI generated", "AI-assisted"]


def test_stars_beside_the_badge_are_not_a_text() -> None:
    rng = np.random.default_rng(5)
    sky = np.full((240, 240, 3), 20, np.uint8)
    sky[rng.random((240, 240)) > 0.995] = 220
    marked = visible.apply(sky, visible.prepare(240, 240, position="bottom-right"))
    assert [found.text for found in visible.detect(marked).evidence] == ["AI生成 · AI-generated"]


@pytest.mark.parametrize("text", OTHERS)
def test_other_words_on_the_same_badge(text: str) -> None:
    """The hardest case: same plate, same font, same place. The worst glyph tells, with a margin."""
    pixels = picture("texture", 640, 480)
    seen = jpeg(visible.apply(pixels, visible.prepare(640, 480, text=text)), 75)
    assert visible.detect(seen).state is State.ABSENT
    for match in search(seen):
        assert match.badge < MIN_BADGE or match.glyph <= MIN_GLYPH - 0.06


def test_one_line_is_not_taken_for_two() -> None:
    """What lies below a one-line badge must not pass for a second line."""

    def second_line(seen: np.ndarray) -> list[Match]:
        return [m for m in search(seen) if m.accepted and "·" in m.text]

    for name, chain in itertools.product(NAMES[::2], ("half", "screenshot 1.3")):
        pixels = picture(name, 640, 480)
        mark = visible.prepare(640, 480, lang="zh", position="top-left")
        assert not second_line(CHAINS[chain][0](visible.apply(pixels, mark)))
    assert LOWEST["sub"] > MIN_SUB
