"""Fixtures that every room may use: a home with keys, and pictures of our own making."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy: see labeler.core.threads

import numpy as np
import pytest
from PIL import Image

from labeler.core.keys import KeyRing, WatermarkKey
from labeler.credentials.certs import create_development_identity


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LABELER_HOME with one private watermark key and a development identity."""
    folder = tmp_path_factory.mktemp("home")
    create_development_identity(folder / "credentials")
    KeyRing(folder).add(WatermarkKey.generate())
    return folder


@pytest.fixture(autouse=True)
def _no_home_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests never see the keys or the configuration of whoever runs them."""
    monkeypatch.setenv("LABELER_HOME", str(tmp_path_factory.getbasetemp() / "no-home"))


def textured(width: int, height: int, seed: int = 0) -> np.ndarray:
    """A photograph-like RGB picture, H x W x 3, uint8."""
    rng = np.random.default_rng(seed)
    y = np.linspace(60, 180, height)[:, None, None]
    total = y + np.zeros((height, width, 3))
    for cells in (4, 9, 20, 45, 100):
        small = Image.fromarray(rng.integers(0, 255, (cells, cells, 3), dtype=np.uint8))
        total += (
            (np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), float) - 127)
            * 4
            / cells**0.7
        )
    return np.clip(total + rng.normal(0, 2, total.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """640 x 480, photograph-like."""
    return textured(640, 480)


@pytest.fixture
def photo_png(photo: np.ndarray, tmp_path: Path) -> Iterator[Path]:
    """The photograph as a PNG file."""
    path = tmp_path / "photo.png"
    Image.fromarray(photo).save(path)
    yield path
