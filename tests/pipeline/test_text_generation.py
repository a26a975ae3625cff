"""Token ids beside a text: marks of the generation in verify, and whether they name the same content."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import labeler
from labeler import State, Verdict
from labeler.core.keys import PUBLIC_KEY
from labeler.errors import UsageError
from labeler.types import Label
from labeler.watermark.generation import (
    GumbelSampler,
    MultibitGumbelSampler,
    Sampler,
    Warp,
    choose,
    generation_key,
    read_tokens,
    top_candidates,
)

LABEL = Label(producer="acme", produce_id="77")


def generate(sampler: Sampler | None, count: int, seed: int = 1) -> list[int]:
    """Tokens of a model without any sense: about three bits a token."""
    rng = np.random.default_rng(seed)
    ids: list[int] = []
    for _ in range(count):
        if sampler is None:
            ids.append(int(rng.integers(1000)))
            continue
        logits = rng.normal(0, 1.0, (1, 1000)) * 2.5
        tokens = choose(
            sampler, top_candidates(logits, Warp(top_k=50)), np.array([ids], np.int64).reshape(1, -1), rng=rng
        )
        ids.append(int(tokens[0]))
    return ids


@pytest.fixture(scope="module")
def marked() -> list[int]:
    return generate(MultibitGumbelSampler(key=generation_key(PUBLIC_KEY), mark_id=LABEL.mark_id), 300)


def test_the_mark_of_the_generation_agrees_with_the_label(
    marked: list[int], tmp_path: Path, home: Path
) -> None:
    source, tokens = tmp_path / "a.txt", tmp_path / "ids.json"
    source.write_text("Words that a model wrote.\n", encoding="utf-8")
    tokens.write_text(json.dumps({"token_ids": marked}), encoding="utf-8")
    found = labeler.verify_file(source, home=home, tokens=tokens)
    assert found.verdict is Verdict.AI_CONFIRMED
    assert found.layers.watermark.mark_id == LABEL.mark_id[:6]
    assert found.layers.watermark.geometry["kind"] == "generation"
    assert found.layers.watermark.log10_p is not None and found.layers.watermark.log10_p < -6
    for produce_id, verdict in (("77", Verdict.AI_CONFIRMED), ("78", Verdict.CONFLICT)):
        output = tmp_path / produce_id / "a.txt"
        labeler.label_file(source, output, producer="acme", produce_id=produce_id, home=home)
        report = labeler.verify_file(output, home=home, tokens=tokens)
        assert report.verdict is verdict
        pairs = {pair.id: pair.result for pair in report.consistency}
        expected = "agree" if produce_id == "77" else "disagree"
        assert pairs["id.generation-vs-metadata"] == pairs["id.generation-vs-credentials"] == expected


def test_tag_and_mark_are_compared(marked: list[int]) -> None:
    for label, result in ((LABEL, "agree"), (Label(producer="acme", produce_id="78"), "disagree")):
        text = labeler.label_text("One sentence. Another one.", label=label, tag="sentence")
        report = labeler.verify_text(text, token_ids=marked)
        assert report.layers.watermark.mark_id == label.mark_id, "the tag goes first"
        assert report.layers.watermark.geometry["generation"]["scheme"] == "gumbel-32"
        assert {p.id: p.result for p in report.consistency}["id.generation-vs-watermark"] == result


def test_schemes_without_a_message_name_no_content() -> None:
    ids = generate(GumbelSampler(key=generation_key(PUBLIC_KEY)), 200)
    report = labeler.verify_text(labeler.label_text("One sentence.", label=LABEL, tag="end"), token_ids=ids)
    assert report.layers.watermark.geometry["generation"]["scheme"] == "gumbel"
    assert {p.id: p.result for p in report.consistency}["id.generation-vs-watermark"] == "unknown"
    assert report.verdict is Verdict.AI_CONFIRMED


def test_without_ids_it_cannot_be_told_and_with_them_it_can() -> None:
    assert labeler.verify_text("Words.").layers.watermark.state is State.CANNOT_TELL
    unmarked = labeler.verify_text("Words.", token_ids=generate(None, 300))
    assert unmarked.layers.watermark.state is State.ABSENT
    short = labeler.verify_text("Words.", token_ids=[1, 2, 3])
    assert short.layers.watermark.state is State.CANNOT_TELL
    assert "too few" in short.layers.watermark.reason


@pytest.mark.parametrize(
    "data", [b"", b"{", b'"a"', b"[1, true]", b"[-1]", b"[1.5]", b'{"x": [1]}', b"[" * 9999]
)
def test_files_that_hold_no_ids_are_told(data: bytes) -> None:
    with pytest.raises(UsageError, match="token ids"):
        read_tokens(data)


def test_ids_by_other_names() -> None:
    assert list(read_tokens(b'{"input_ids": [3, 1]}')) == [3, 1]
    assert list(read_tokens(b"[]")) == []
