"""Options are checked before any file is read, also where the output is there already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import labeler
from labeler.errors import DependencyMissing, LabelerError, UsageError
from labeler.pipeline.check import check_label
from labeler.pipeline.options import LabelOptions, VerifyOptions
from labeler.pipeline.verify import check_options


def test_good_options_pass(home: Path, tmp_path: Path) -> None:
    font = tmp_path / "a.ttf"
    font.write_bytes(b"looked at where it is used")
    check_label(LabelOptions(producer="p"))
    check_label(
        LabelOptions(
            producer="p",
            font=font,
            key="private",
            home=home,
            certificate=home / "credentials" / "chain.pem",
            certificate_key=home / "credentials" / "key.pem",
            audible_place="12.5",
            visible_seconds=2,
            crf=60,
            preset="fast",
        )
    )
    check_label(LabelOptions(producer="p", key="key-00000000", layers=(labeler.Layer.METADATA,)))


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"producer": ""}, UsageError, "who labels"),
        ({"profile": "mars"}, UsageError, "cn-gb45438"),
        ({"source_type": "magic"}, UsageError, "source type"),
        ({"font": Path("no.ttf")}, UsageError, "--font"),
        ({"prompt": Path("no.wav")}, UsageError, "--prompt"),
        ({"key": "key-00000000"}, DependencyMissing, "key"),
        ({"certificate": Path("a.pem")}, UsageError, "together"),
        ({"certificate": Path("a.pem"), "certificate_key": Path("b.pem")}, DependencyMissing, "a.pem"),
        ({"quality": 0}, UsageError, "1 to 100"),
        ({"quality": 101}, UsageError, "1 to 100"),
        ({"audible_place": "nowhere"}, UsageError, "place"),
        ({"visible_seconds": 1}, UsageError, "at least 2 s"),
        ({"crf": 999}, UsageError, "--crf 999"),
        ({"codec": "h264", "crf": 60}, UsageError, "0 to 51"),
        ({"codec": "av1", "preset": "fast"}, UsageError, "-1 to 13"),
        ({"hardware": "abacus"}, UsageError, "nvenc"),
    ],
)
def test_wrong_options_are_told(
    wrong: dict[str, Any], error: type[LabelerError], words: str, home: Path
) -> None:
    with pytest.raises(error) as caught:
        check_label(LabelOptions(**({"producer": "p", "home": home} | wrong)))
    caught.match(words)


def test_files_that_options_of_verify_name_are_no_inputs() -> None:
    for name in ("trust", "tokens"):
        with pytest.raises(UsageError, match=f"--{name}"):
            check_options(VerifyOptions(**{name: Path("missing")}))


def test_the_library_checks_before_it_looks_at_the_output(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes())
    with pytest.raises(UsageError, match="--font"):
        labeler.label_file(tmp_path / "a.png", tmp_path / "b.png", producer="p", font=tmp_path / "no.ttf")


@pytest.mark.parametrize(
    "wrong",
    [
        {"produce_id": 42},
        {"lang": None},
        {"quality": "90"},
        {"quality": 90.5},
        {"quality": True},
        {"visible_seconds": "2"},
        {"relabel": "yes"},
        {"font": 5},
        {"limits": 100},
        {"layers": 5},
        {"layers": ["visible", 3]},
        {"layers": []},
    ],
)
def test_an_option_of_another_type_is_told(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(UsageError, match=name.removesuffix("s")) as told:
        LabelOptions.of(**wrong)
    assert told.value.remedy


def test_options_come_as_python_has_them(tmp_path: Path) -> None:
    options = LabelOptions.of(
        font="a.ttf", visible_seconds=2, layers=["metadata", labeler.Layer.VISIBLE], home=None
    )
    assert options.font == Path("a.ttf") and options.visible_seconds == 2 and options.home is None
    assert options.layers == (labeler.Layer.VISIBLE, labeler.Layer.METADATA)


SOUND = np.zeros(16_000, np.float32)
FRAME = np.zeros((200, 300, 3), np.uint8)
PRODUCER = {"producer": "acme"}


@pytest.mark.parametrize(
    "call",
    [
        *(
            lambda rate=rate: labeler.label_audio(SOUND, rate, **PRODUCER)
            for rate in (0, -5, "x", None, 1e4, 10**12)
        ),
        *(
            lambda rate=rate: labeler.verify_audio(SOUND, rate)
            for rate in (0, -5, "x", None, float("nan"), 10**12)
        ),
        *(
            lambda rate=rate: labeler.verify_frames([FRAME], rate)
            for rate in (0, -5, "x", None, float("nan"))
        ),
        *(lambda text=text: labeler.label_text(text) for text in (b"bytes", None, 5)),
        *(lambda text=text: labeler.verify_text(text) for text in (b"bytes", None, 5)),
        *(lambda path=path: labeler.verify_file(path) for path in (b"a.png", None, 5, FRAME)),
        lambda: labeler.label_file("a.png", None, **PRODUCER),
        lambda: list(labeler.label_frames(None, **PRODUCER)),
        lambda: labeler.verify_frames(None, 25),
        lambda: labeler.label_image(None, **PRODUCER),
    ],
)
def test_arguments_of_another_type_are_told(call: Any) -> None:
    with pytest.raises(UsageError) as told:
        call()
    assert told.value.message


def test_numbers_of_numpy_are_numbers() -> None:
    assert labeler.verify_audio(SOUND, np.int64(16_000), layers="visible").verdict
    assert labeler.verify_frames([FRAME], np.float32(25), layers="visible").verdict
