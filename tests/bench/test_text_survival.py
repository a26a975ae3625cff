"""The survival table: small, but every transform, and no row worse than the reference."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from click.testing import CliRunner

from labeler.bench import text_survival
from labeler.bench.text_transforms import TRANSFORMS, Transform, paragraphs, sentences
from labeler.cli import bench
from labeler.errors import UsageError
from labeler.watermark.texttag import frame


def test_the_table_of_one_text_per_language() -> None:
    result = text_survival.run(texts=1)
    assert result.worse == ()
    cells = {(c.transform, c.carrier, c.language): c for c in result.cells}
    ran = [t for t in TRANSFORMS if not t.missing()]
    assert len(cells) == len(ran) * len(text_survival.CARRIERS) * 2
    assert len(ran) >= 25, "what needs nothing but Python always runs"
    for language in ("en", "zh"):
        assert cells["NFC", "C2PA in text", language].outcomes == {"intact": 1}
        assert cells["U+FEFF dropped", "C2PA in text", language].outcomes == {"damaged": 1}, "never unsigned"
        assert cells["Mn dropped (accents)", "tag, sentence", language].outcomes == {"lost": 1}
        assert cells["one sentence", "tag, sentence", language].outcomes == {"kept": 1}
        assert cells["one sentence", "visible", language].outcomes == {"lost": 1}
        assert cells["one word inserted", "C2PA sidecar", language].outcomes == {"altered": 1}
    assert 40 < result.added["tag, end"] < 50
    table = text_survival.markdown(result)
    assert "| retyped, or OCR | kept | kept |" in table
    assert "No row is worse" in table
    assert result.to_dict()["schema"] == "labeler/text-survival/1"


def test_a_row_that_is_worse_is_named() -> None:
    wipe = Transform("NFC", lambda text, language, rng: "nothing left")
    result = text_survival.run(texts=1, languages=("en",), transforms=(wipe,))
    assert "NFC, visible, en: 0.00" in result.worse
    assert "Worse than the reference" in text_survival.markdown(result)


@pytest.mark.parametrize("transform", [t for t in TRANSFORMS if not t.needs], ids=lambda t: t.name)
def test_every_transform_leaves_some_text(transform: Transform) -> None:
    text = "One. Two.\n\nThree is café. Four.\n\nFive. Six.\n"
    assert transform.change(text, "en", np.random.default_rng(1)).strip()


def test_sentences_keep_the_tags_behind_them(public_frame: str) -> None:
    assert sentences(f"One.{public_frame} Two.") == [f"One.{public_frame} ", "Two."]
    assert paragraphs("a\nb\n\n\nc\n") == ["a\nb", "c\n"]


@pytest.fixture
def public_frame() -> str:
    from labeler.core.keys import PUBLIC_KEY

    return frame(bytes(8), PUBLIC_KEY)


def test_the_command_prints_it(monkeypatch: pytest.MonkeyPatch) -> None:
    few = functools.partial(text_survival.run, transforms=TRANSFORMS[:1])
    monkeypatch.setattr(text_survival, "run", few)
    found = CliRunner().invoke(bench.command, ["robustness", "--modality", "text", "--texts", "1"])
    assert "UTF-8 and UTF-16 copy" in found.output
    found = CliRunner().invoke(bench.command, ["robustness"])
    assert isinstance(found.exception, UsageError)
