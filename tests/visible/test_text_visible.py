"""Visible lines on texts: written once, found again, and other people's wording."""

from __future__ import annotations

import io

import pytest
import text_documents as docs
from hypothesis import given, settings
from hypothesis import strategies as st

from labeler.errors import UnsupportedMedia, UsageError
from labeler.media.text import pdf
from labeler.media.text.formats import format_of
from labeler.media.text.model import Edges
from labeler.media.text.probe import probe
from labeler.types import State
from labeler.visible import pdfstamp
from labeler.visible.text import KIND, OTHER, detect, detect_inside, marks, missing
from labeler.visible.wording import has_gb_elements

LANGS = ("both", "zh", "en")


def _label(data: bytes, kind: str, lang: str) -> bytes:
    form = format_of(kind)
    head, tail = missing(form.edges(data), lang)
    return form.mark(data, head, tail)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("name", docs.samples())
def test_marks_are_found_and_never_stacked(name: str, lang: str) -> None:
    data = docs.samples()[name]
    kind = probe(data, name).media_type
    form = format_of(kind)
    assert detect(form.edges(data)).state is State.ABSENT
    marked = _label(data, kind, lang)
    assert marked != data and probe(marked, name).media_type == kind
    for again in LANGS:
        assert _label(marked, kind, again) == marked
    found = detect(form.edges(marked))
    assert found.state is State.PRESENT
    assert {e.kind for e in found.evidence} == {KIND}
    assert all(has_gb_elements(e.text) == (lang != "en") for e in found.evidence)
    assert marks(lang).text in {e.text for e in found.evidence}


@settings(max_examples=80, deadline=None)
@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=300),
    st.sampled_from(["text/plain", "text/markdown", "text/html"]),
    st.sampled_from(LANGS),
)
def test_labelling_twice_changes_nothing(text: str, kind: str, lang: str) -> None:
    marked = _label(text.encode(), kind, lang)
    assert _label(marked, kind, lang) == marked
    assert detect(format_of(kind).edges(marked)).state is State.PRESENT


@pytest.mark.parametrize(
    "text",
    [
        ">  本报告由 阶跃AI 生成 · 2025/08/08 10:31:25\n正文……",
        "（此文由人工智能辅助生成，仅供参考）\n正文。",
        "本文由ＡＩ合成",
        "[AI generated]\nOnce upon a time",
        "This article was written by AI\nOnce upon a time",
        "*Generated with AI.*\n\nOnce",
    ],
)
def test_wording_of_others_is_found_at_the_start_and_at_the_end(text: str) -> None:
    body = "正文内容很长。" * 40
    for edges in (
        Edges(text + "\n" + body, body),
        Edges(body, body + "\n" + "\n".join(reversed(text.split("\n")))),
    ):
        found = detect(edges)
        assert found.state is State.PRESENT, edges
        assert {e.kind for e in found.evidence} == {OTHER}


@pytest.mark.parametrize(
    "text",
    [
        "Please send an EMAIL about 生成 the report",
        "AI is a field of computer science.",
        "词语的生成与理解",
        "He said the AI-generated pictures in the exhibition drew crowds from all over the country.",
        "The MAID 合成 the fibres",
    ],
)
def test_texts_without_a_label_are_absent(text: str) -> None:
    assert detect(Edges(text, text)).state is State.ABSENT


def test_wording_outside_the_window_does_not_count() -> None:
    body = "河水上涨。" * 20
    assert detect(Edges(body + "AI生成" + body, body)).state is State.ABSENT
    assert detect(Edges("", "")).state is State.ABSENT


@pytest.mark.parametrize("lang", ["zh", "en", "both"])
def test_our_own_lines_are_found_anywhere(lang: str) -> None:
    lines = marks(lang)
    body = "河水上涨。The river rose. " * 20
    for line in (lines.head, lines.tail, "> " + lines.head, lines.tail + " \r"):
        found = detect_inside(f"{body}\n{line}\n{body}".encode())
        assert found.state is State.PRESENT
        assert found.evidence[0].kind == KIND
    assert detect_inside(f"{body}{lines.head}{body}".encode()).state is State.ABSENT, "quoted in a sentence"
    assert detect_inside(b"").state is State.ABSENT


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(UsageError):
        marks("de")


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("count", [1, 3])
def test_pdf_stamps_stand_in_the_corners_of_first_and_last_page(count: int, rotate: int) -> None:
    data = docs.pdf(count, rotate=rotate)
    assert pdfstamp.detect(data).state is State.ABSENT
    marked = pdfstamp.mark(data, lang="both")
    assert pdfstamp.mark(marked, lang="zh") == marked
    assert [e.text for e in pdfstamp.detect(marked).evidence] == ["AI生成 · AI-generated"]
    with pdf.open_pdf(marked) as document:
        ends = pdf.pages(document)
        assert [len(pdf.stamps(page)) for page in ends] == ([2] if count == 1 else [1, 1])
        for page in ends:
            content = pdf.page_content(page)
            assert b"The river rose" in content and b"ActualText" in content
        assert b"LabelerMark" not in (pdf.page_content(document.pages[1]) if count == 3 else b"")


def test_pdf_words_of_others_and_pages_without_text() -> None:
    assert pdfstamp.detect(docs.pdf(1, words="[AI generated] The river")).evidence[0].kind == OTHER
    assert pdfstamp.detect(docs.pdf(1, words="")).state in (State.ABSENT, State.CANNOT_TELL)


def test_signed_and_encrypted_pdfs_are_left_alone() -> None:
    import pikepdf

    with pikepdf.open(io.BytesIO(docs.pdf(1))) as document:
        document.Root.AcroForm = pikepdf.Dictionary(SigFlags=3, Fields=pikepdf.Array())
        signed = io.BytesIO()
        document.save(signed)
    with pytest.raises(UnsupportedMedia, match="signed"):
        pdfstamp.mark(signed.getvalue(), lang="zh")
    with pikepdf.open(io.BytesIO(docs.pdf(1))) as document:
        locked = io.BytesIO()
        document.save(locked, encryption=pikepdf.Encryption(owner="o", user="u", R=6))
    with pytest.raises(UnsupportedMedia, match="encrypted"):
        pdfstamp.mark(locked.getvalue(), lang="zh")


@pytest.mark.parametrize(
    "text",
    [
        "This image is not AI-generated.",
        "None of this was written by AI",
        "(non-AI-generated)",
        "It wasn’t made with artificial intelligence",
        "非AI生成",
        "本文不是由人工智能生成的",
        "【本图未经AI合成】",
    ],
)
def test_a_denial_is_no_label(text: str) -> None:
    assert detect(Edges(text, text)).state is State.ABSENT


@pytest.mark.parametrize(
    "text",
    ["AI-generated, not by people", "(AI生成，非人工)", "Note: made with AI", "无锡AI生成", "未来科技AI生成"],
)
def test_a_denial_of_something_else_does_not_hide_a_label(text: str) -> None:
    assert detect(Edges(text, text)).state is State.PRESENT
