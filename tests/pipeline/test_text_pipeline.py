"""The signal pass over texts, and strings without a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import text_documents as docs

from labeler import profiles
from labeler.core.keys import PUBLIC_KEY, KeyRing
from labeler.core.payload import Payload
from labeler.errors import UsageError
from labeler.media.files import Source
from labeler.media.limits import DEFAULT_LIMITS
from labeler.pipeline import text
from labeler.pipeline.marked import Marked
from labeler.pipeline.options import LabelOptions, VerifyOptions
from labeler.pipeline.seen import Seen
from labeler.pipeline.strings import label_text, verify_text
from labeler.types import Label, Layer, State, Verdict
from labeler.visible import text as visible

LABEL = Label(producer="001191110102MAD55U9H0F10002", produce_id="98ae6b12")
PAYLOAD = bytes(Payload.of(LABEL))
SAMPLES = {**docs.samples(), "story.pdf": docs.pdf()}
SIGNALS = (Layer.VISIBLE, Layer.WATERMARK)
TAGGED = {
    "story.txt",
    "story.md",
    "story.html",
    "story.srt",
    "story.vtt",
    "story.docx",
    "story.pptx",
    "story.epub",
}


def _apply(data: bytes, name: str, **options: object) -> Marked:
    info = text.probe(data, name, limits=DEFAULT_LIMITS)
    return text.apply(
        Source(Path(name), data),
        info,
        SIGNALS,
        payload=PAYLOAD,
        key=PUBLIC_KEY,
        profile=profiles.load("cn-gb45438"),
        options=LabelOptions(producer="x", **options),  # type: ignore[arg-type]
    )


def _detect(data: bytes, name: str) -> Seen:
    info = text.probe(data, name, limits=DEFAULT_LIMITS)
    return text.detect(
        Source(Path(name), data), info, SIGNALS, keys=[PUBLIC_KEY], options=VerifyOptions(quick=True)
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_by_default_the_visible_lines_are_written_and_no_tag(name: str) -> None:
    marked = _apply(SAMPLES[name], name)
    assert marked.written == (Layer.VISIBLE,)
    assert marked.visible_text == "AI生成 · AI-generated"
    assert [note.id for note in marked.notes] == ["watermark.opt-in"]
    seen = _detect(marked.content.data, name)
    assert seen.visible.state is State.PRESENT
    assert seen.watermark.state is State.CANNOT_TELL and "statistical" in seen.watermark.reason
    assert _apply(marked.content.data, name).content.data == marked.content.data


@pytest.mark.parametrize("name", SAMPLES)
def test_the_tag_is_written_when_it_is_asked_for(name: str) -> None:
    marked = _apply(SAMPLES[name], name, layers=SIGNALS)
    if name not in TAGGED:
        assert [note.id for note in marked.notes] == ["watermark.impossible"]
        return
    assert marked.written == SIGNALS and marked.algorithm == "io.github.labeler.text-tag.1"
    assert _detect(marked.content.data, name).watermark.payload == PAYLOAD.hex()
    assert _apply(marked.content.data, name, layers=SIGNALS).content.data == marked.content.data


def test_a_tag_in_escaped_json_is_found() -> None:
    import json

    from labeler.watermark import texttag

    said = texttag.embed(docs.ENGLISH, PAYLOAD, PUBLIC_KEY)
    for data in (json.dumps({"t": said}), json.dumps({"t": said}, ensure_ascii=False)):
        assert _detect(data.encode(), "a.json").watermark.payload == PAYLOAD.hex()


@pytest.mark.parametrize("kind", ["text", "markdown", "html"])
@pytest.mark.parametrize("lang", ["both", "zh", "en"])
@pytest.mark.parametrize("words", [docs.ENGLISH, docs.CHINESE])
def test_strings_are_labelled_once_and_verified(words: str, lang: str, kind: str) -> None:
    options = {"lang": lang, "kind": kind, "tag": "sentence", "label": LABEL}
    labelled = label_text(words, **options)  # type: ignore[arg-type]
    assert label_text(labelled, **options) == labelled  # type: ignore[arg-type]
    report = verify_text(labelled, kind=kind)
    assert report.layers.visible.state is State.PRESENT
    assert report.layers.watermark.payload == PAYLOAD.hex()
    assert report.verdict is Verdict.AI_CONFIRMED
    if kind == "markdown":
        assert report.label == LABEL
        assert [pair.result for pair in report.consistency] == ["agree"]


def test_places_and_paragraph_marks() -> None:
    assert label_text("a", place="start", lang="zh") == "【AI生成】\na"
    assert label_text("a", place="end", lang="zh") == "a\n（本内容由人工智能生成）"
    marked = label_text("一。\n\n二。", lang="zh", every_paragraph=True)
    assert marked.count("〔AI生成〕") == 2
    assert label_text(marked, lang="zh", every_paragraph=True) == marked


@pytest.mark.parametrize(("old", "new"), [("en", "zh"), ("zh", "both"), ("both", "en")])
@pytest.mark.parametrize("name", SAMPLES)
def test_lines_in_another_language_are_told_and_replaced_on_demand(name: str, old: str, new: str) -> None:
    data, words = SAMPLES[name], visible.marks(new).text
    there = _apply(data, name, lang=old).content.data
    kept = _apply(there, name, lang=new)
    assert kept.content.data == there and kept.visible_text == visible.marks(old).text
    assert [visible.marks(old).text in note.detail for note in kept.notes if note.id == "visible.there"] == [
        True
    ]
    anew = _apply(there, name, lang=new, relabel=True)
    replaced = not name.endswith((".odt", ".pdf"))  # those are told, too
    assert (anew.visible_text == words) == replaced
    assert ("visible.there" in {note.id for note in anew.notes}) != replaced
    found = {evidence.text for evidence in _detect(anew.content.data, name).visible.evidence}
    assert (words in found) == replaced and (visible.marks(old).text in found) != replaced
    if replaced and not name.endswith(".pptx"):  # whose boxes are as wide as the first words
        assert anew.content.data == _apply(data, name, lang=new).content.data


def test_strings_in_another_language_are_told_and_replaced_on_demand(
    caplog: pytest.LogCaptureFixture,
) -> None:
    english = label_text("One.\n\nTwo.", lang="en", every_paragraph=True)
    assert label_text(english) == english and not caplog.records, "no language was asked for"
    assert label_text(english, lang="zh") == english
    assert "AI-generated" in caplog.text and "relabel" in caplog.text
    chinese = label_text(english, lang="zh", every_paragraph=True, relabel=True)
    assert chinese == label_text("One.\n\nTwo.", lang="zh", every_paragraph=True)


def test_strings_take_the_options_of_files(home: Path) -> None:
    options: dict[str, Any] = {"producer": "acme", "produce_id": "42", "generator": "model/1", "lang": "zh"}
    mark_id = Label(producer="acme", produce_id="42").mark_id
    text = label_text("One. Two.", layers="visible,watermark", key="private", home=home, **options)
    assert text.startswith("【AI生成】\n")
    report = verify_text(text, keys=KeyRing(home).all_keys())
    assert report.layers.watermark.mark_id == mark_id and report.layers.watermark.key_id != PUBLIC_KEY.key_id
    for kind in ("markdown", "html"):
        page = "<!doctype html><title>t</title><p>One.</p>" if kind == "html" else "One."
        labelled = label_text(page, kind=kind, layers="metadata", **options)
        report = verify_text(labelled, kind=kind)
        assert report.label is not None and report.label.mark_id == mark_id
        assert report.layers.visible.state is State.ABSENT
    assert "AIGC:" in label_text("One.", kind="markdown", **options)
    assert "AIGC:" not in label_text("One.", kind="markdown", layers="visible", **options)
    assert label_text("One.", tag_every="end", layers=["watermark"], **options).startswith("One")


def test_an_unlabelled_string_is_not_called_human() -> None:
    report = verify_text(docs.ENGLISH)
    assert report.verdict is Verdict.CANNOT_TELL
    assert "statistical" in report.layers.watermark.reason


def test_wrong_calls_are_told() -> None:
    for wrong in (
        {"place": "middle"},
        {"kind": "rtf"},
        {"lang": "de"},
        {"tag": "end"},
        {"tag": "word", "label": LABEL},
        {"layers": "watermark"},
        {"layers": "metadata", "label": LABEL},
        {"layers": "metadata", "kind": "markdown"},
        {"layers": "credentials", "producer": "p"},
        {"nonsense": 1},
    ):
        with pytest.raises(UsageError):
            label_text("Some words.", **wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        verify_text("x", kind="rtf")
