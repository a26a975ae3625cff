"""What labelling leaves as it was, for every format; and manifests that plain c2pa-python checks."""

from __future__ import annotations

import io
import json
from pathlib import Path

import c2pa
import pytest
import text_documents as docs
from hypothesis import given, settings
from hypothesis import strategies as st

from labeler.core.keys import PUBLIC_KEY
from labeler.credentials import trust
from labeler.credentials.formats import c2pa_format
from labeler.media.files import Source
from labeler.media.text.formats import format_of
from labeler.media.text.model import NoPlace
from labeler.media.text.probe import probe
from labeler.metadata import text as metadata
from labeler.pipeline.label import Labelled, label_source
from labeler.pipeline.options import LabelOptions
from labeler.pipeline.text import tag
from labeler.types import Label, Layer, MediaInfo, Modality, State
from labeler.watermark import texttag

SAMPLES = {**docs.samples(), "story.pdf": docs.pdf()}
LABEL = Label(producer="acme", produce_id="0123456789abcdef")
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=20)
ENDS = st.sampled_from(["\n", "\r\n"])


def _label(name: str, data: bytes, home: Path, **options: object) -> Labelled:
    return label_source(
        Source(Path(name), data),
        LabelOptions(producer="acme", produce_id="77", home=home, **options),  # type: ignore[arg-type]
    )


def _inserted(before: bytes, after: bytes) -> bool:
    """Whether ``after`` is ``before`` with at most two pieces put into it."""
    size, start, end = len(before), 0, 0
    while start < size and before[start : start + 1] == after[start : start + 1]:
        start += 1
    while end < size - start and before[size - end - 1] == after[len(after) - end - 1]:
        end += 1
    return before[start : size - end] in after[start : len(after) - end]


def test_the_check_itself() -> None:
    assert _inserted(b"abcdef", b"abXcdYef")
    assert _inserted(b"", b"x")
    assert not _inserted(b"abcdef", b"abXcYd")
    assert not _inserted(b"abcdef", b"Xabcde")


def _pages(words: list[str], end: str) -> dict[str, bytes]:
    cues = end.join(
        f"00:00:{n:02}.000 --> 00:00:{n + 1:02}.500{end}{word.strip() or 'x'}{end}"
        for n, word in enumerate(words, 1)
    )
    numbered = end.join(
        f"{n}{end}00:00:{n:02},000 --> 00:00:{n + 1:02},500{end}{word.strip() or 'x'}{end}"
        for n, word in enumerate(words, 1)
    )
    objects = [json.dumps({"text": word, "n": 1.50}, ensure_ascii=False) for word in words]
    return {
        "text/vtt": f"WEBVTT{end}{end}{cues}".encode(),
        "application/x-subrip": numbered.encode(),
        "application/json": (objects[0] + end).encode(),
        "application/jsonl": (end.join(objects) + end).encode(),
        "text/markdown": f"---{end}title: x{end}---{end}{end}{end.join(words)}{end}".encode(),
        "text/html": f"<!DOCTYPE html>{end}<html><head></head><body>{end}<p>x</p></body></html>".encode(),
        "text/plain": end.join(words).encode(),
    }


@settings(max_examples=40, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=4), ENDS)
def test_marks_and_labels_are_only_put_in(words: list[str], end: str) -> None:
    for kind, data in _pages(words, end).items():
        marked = format_of(kind).mark(data, "【AI生成】", "（本内容由人工智能生成）")
        assert _inserted(data, marked), kind
        info = MediaInfo(media_type=kind, modality=Modality.TEXT)
        target = io.BytesIO()
        metadata.write(io.BytesIO(data), target, info, LABEL)
        if kind != "application/jsonl":  # one in every line
            assert _inserted(data, target.getvalue()), kind
        else:
            lines = zip(data.splitlines(), target.getvalue().splitlines(), strict=True)
            assert all(_inserted(one, other) for one, other in lines)


@settings(max_examples=40, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=4), ENDS, st.sampled_from(texttag.EVERY))
def test_tags_are_only_put_in(words: list[str], end: str, every: str) -> None:
    for kind, data in _pages([f"{word}. Ende." for word in words], end).items():
        plain = texttag.remove(data.decode()).encode()
        try:
            tagged = tag(plain, kind, bytes(8), PUBLIC_KEY, every=every)
        except (NoPlace, texttag.CannotTag):
            continue
        assert texttag.remove(tagged.decode()).encode() == plain, kind


@pytest.mark.parametrize("name", SAMPLES)
def test_labelling_again_changes_nothing(name: str, home: Path) -> None:
    first = _label(name, SAMPLES[name], home, layers=(Layer.VISIBLE, Layer.METADATA))
    again = _label(name, first.content.data, home, layers=(Layer.VISIBLE, Layer.METADATA), relabel=True)
    if name.endswith(("pdf", "html", "docx", "pptx", "xlsx", "odt", "epub")):
        assert len(again.content.data) == pytest.approx(len(first.content.data), abs=64), "but for the time"
    else:
        assert again.content.data == first.content.data
    info = probe(again.content.data, name)
    report = metadata.read(io.BytesIO(again.content.data), info)
    assert "cn.meta.single" not in {finding.id for finding in report.findings}


@pytest.mark.parametrize("name", SAMPLES)
def test_plain_c2pa_checks_what_was_signed(name: str, home: Path) -> None:
    labelled = _label(name, SAMPLES[name], home)
    kind = c2pa_format(probe(labelled.content.data, name).media_type)
    root = trust.Trust.from_files([home / "credentials" / "root.pem"])
    manifest = labelled.sidecars.get(".c2pa")
    assert (manifest is None) == name.endswith(".pdf"), "inside a PDF, else beside"
    for data, state in (
        (labelled.content.data, "Trusted"),
        (labelled.content.data[:-1] + b"\x01", "Invalid"),
    ):
        context = trust.reading_context(root)
        with c2pa.Reader(kind, io.BytesIO(data), manifest, context=context) as reader:
            assert reader.get_validation_state() == state


@pytest.mark.parametrize("name", SAMPLES)
def test_every_format_reads_back_whole(name: str, home: Path) -> None:
    labelled = _label(name, SAMPLES[name], home)
    layers = labelled.reread.layers
    assert layers.visible.state is State.PRESENT
    assert layers.metadata.label is not None
    assert layers.metadata.label.mark_id == labelled.label.mark_id
    assert layers.credentials.content == "intact"
