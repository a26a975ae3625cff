"""HEIC through pillow-heif where it is installed."""

from __future__ import annotations

import pytest
from PIL import features

try:
    from pillow_heif import register_heif_opener
except ImportError:
    HEIF = False
else:
    register_heif_opener()
    HEIF = True


@pytest.fixture
def needs(request: pytest.FixtureRequest) -> None:
    """Skip a format whose codec is not there."""
    name = request.getfixturevalue("name")
    if name.startswith("heic") and not HEIF:
        pytest.skip("pillow-heif is not installed")
    if name.startswith("avif") and not features.check("avif"):
        pytest.skip("Pillow without AVIF")
