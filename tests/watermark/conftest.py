from __future__ import annotations

from pathlib import Path

import cv2
import pytest

cv2.setNumThreads(1)
SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "images"


@pytest.fixture(scope="session")
def shared_images() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the shared pictures are not here")
    return SHARED
