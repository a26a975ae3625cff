from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from labeler.errors import DependencyMissing, UsageError
from labeler.visible import fonts, wording
from labeler.visible.badge import wrap


def test_the_default_wording_satisfies_the_standard() -> None:
    assert wording.has_gb_elements(wording.wording("both").text)
    assert wording.wording("both", long=True).text == "人工智能生成 · AI-generated"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AI生成", True),
        ("ＡＩ合成", True),
        ("本内容由人工智能生成合成", True),
        ("AI-generated", False),
        ("AI", False),
        ("生成", False),
        ("ai生成", False),
        ("", False),
    ],
)
def test_gb_elements(text: str, expected: bool) -> None:
    assert wording.has_gb_elements(text) is expected


def test_unknown_language() -> None:
    with pytest.raises(UsageError, match="zh, en or both"):
        wording.wording("fr")


@pytest.mark.parametrize(
    "bad", ["", "   ", "AI\n生成", "AI\x00", "AI\u202e生成", "AI\u200b生成", "x" * 41, "\ue000", "ذكاء", "का"]
)
def test_unfit_texts_are_refused(bad: str) -> None:
    with pytest.raises(UsageError):
        wording.clean_text(bad)


@given(st.text(max_size=50))
@settings(max_examples=100, deadline=None)
def test_clean_text_is_clean_or_refused(text: str) -> None:
    try:
        clean = wording.clean_text(text)
    except UsageError:
        return
    assert clean and len(clean) <= wording.MAX_CHARS and clean.isprintable()
    assert wording.clean_text(clean) == clean


@given(st.text(alphabet="AI 生成abc", min_size=1, max_size=40), st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_wrap_loses_nothing_but_spaces(text: str, lines: int) -> None:
    broken = wrap(text, lines)
    assert len(broken) <= lines
    assert "".join(broken).replace(" ", "") == text.replace(" ", "")


def test_the_simplified_chinese_face_is_used() -> None:
    face = fonts.find_face("AI生成")
    assert face.bundled and face.family == "Noto Sans CJK SC"


def test_regional_shapes_differ_so_the_face_matters() -> None:
    face = fonts.find_face("骨")
    japanese = fonts.Face(path=face.path, index=0, family="Noto Sans CJK JP")
    assert bytes(fonts.load(face, 40).getmask("骨")) != bytes(fonts.load(japanese, 40).getmask("骨"))


def test_missing_glyphs_are_found() -> None:
    face = fonts.find_face("A")
    assert fonts.missing_glyphs(face, "AI生成 人工智能合成 AI-generated ·") == ""
    assert fonts.missing_glyphs(face, "AI\u1200生\u1200") == "\u1200"


def test_no_font_has_the_character() -> None:
    with pytest.raises(DependencyMissing, match=r"U\+1200") as caught:
        fonts.find_face("AI\u1200")
    assert "noto-cjk-sans-otc" in caught.value.remedy


def test_without_any_font(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_candidates", list)
    fonts._default_face.cache_clear()
    with pytest.raises(DependencyMissing, match="no font"):
        fonts.find_face("AI生成")
    fonts._default_face.cache_clear()


def test_a_font_of_the_system_is_the_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = fonts.find_face("AI").path
    monkeypatch.setattr(fonts.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(fonts, "_SYSTEM", ("/nowhere.ttf", str(bundled)))
    fonts._default_face.cache_clear()
    assert fonts.find_face("AI生成").path == bundled
    fonts._default_face.cache_clear()


def test_a_users_font_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a file"):
        fonts.find_face("AI", font=tmp_path / "none.ttf")
    fake = tmp_path / "fake.ttf"
    fake.write_bytes(b"no font")
    with pytest.raises(UsageError, match="not a font"):
        fonts.find_face("AI", font=fake)


def test_a_users_font_that_lacks_chinese() -> None:
    latin = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
    if not latin.is_file():
        pytest.skip("no Latin-only font here")
    assert fonts.find_face("AI-generated", font=latin).path == latin
    with pytest.raises(UsageError, match=r"'生' \(U\+751F\), '成'"):
        fonts.find_face("AI生成", font=latin)


def test_tofu_would_have_been_drawn() -> None:
    """The reason for the check: Pillow draws something for a character that the font lacks."""
    font: ImageFont.FreeTypeFont = fonts.load(fonts.find_face("A"), 40)
    image = Image.new("L", (60, 60))
    ImageDraw.Draw(image).text((5, 5), "\u1200", fill=255, font=font)
    assert image.getbbox() is not None
