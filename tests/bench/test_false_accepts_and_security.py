from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from labeler.bench import false_accepts, security


def picture(seed: int, height: int = 320, width: int = 420) -> np.ndarray:
    rng = np.random.default_rng(seed)
    out = np.zeros((height, width, 3), np.float32)
    for cell in (64, 16, 4, 2):
        grid = rng.normal(0, 1, (height // cell + 2, width // cell + 2, 3)).astype(np.float32)
        big = cv2.resize(grid, None, fx=cell, fy=cell, interpolation=cv2.INTER_CUBIC)
        out += big[:height, :width] * cell**0.5 * 4
    return np.clip(out + 128, 0, 255).astype(np.uint8)


def test_trials_are_resumable_and_repeatable(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture(1))
    log, again = tmp_path / "log.jsonl", tmp_path / "again.jsonl"
    false_accepts.run(tmp_path, log, count=1, keys=1)
    result = false_accepts.run(tmp_path, log, count=2, keys=1)
    assert result["searches"] == 2
    assert result["accepted"] == 0
    assert result["rate below (95 %)"] == pytest.approx(1.5)
    false_accepts.run(tmp_path, again, count=2, keys=1)
    assert false_accepts.load(log) == false_accepts.load(again)


def test_a_copied_mark_is_accepted_but_the_fingerprint_differs() -> None:
    smooth = [cv2.GaussianBlur(picture(seed, 480, 640), (0, 0), 2) for seed in (2, 3)]
    result = security.copying(smooth, level=36.0)
    assert result["accepted"] == result["pairs"] == 2  # nothing can prevent this
    assert result["noticed"] == 2
    assert result["trusted"] == 0


def test_averaging_eight_pictures_neither_removes_nor_forges() -> None:
    sources = [picture(seed) for seed in range(10, 18)]
    rows = security.averaging(sources, [picture(30)], [picture(31)], counts=(8,), levels=(38.0,))
    assert rows[0]["removed"] == 0
    assert rows[0]["forged"] == 0


def test_keyless_subtraction_leaves_the_mark_readable() -> None:
    rows = security.keyless([picture(40)], levels=(38.0,))
    assert rows[0]["readable"] == rows[0]["targets"] == 1


def test_fingerprints_are_counted() -> None:
    result = security.fingerprints([[picture(50), picture(50)], [picture(51)]])
    assert result["pairs"] == 2
    assert result["handled"] == 3 * len(security.HONEST)
    assert result["false alarms"] == 0
