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
