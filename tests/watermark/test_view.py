"""A view gives what the functions give that it saves from being called twice."""

from __future__ import annotations

import numpy as np
import pytest
from watermark_pictures import textured

from labeler.core.keys import PUBLIC_KEY
from labeler.types import State
from labeler.watermark import image
from labeler.watermark.frame import FRAME, frame_size, planes_of, reduce_to
from labeler.watermark.reading import read
from labeler.watermark.view import View

PAYLOAD = bytes.fromhex("140123456789abcd")


@pytest.mark.parametrize("size", [(123, 77), (401, 399), (200, 100), (100, 133), (50, 66), (25, 31)])
def test_reductions_are_those_of_the_frame_module(size: tuple[int, int]) -> None:
    picture = textured(401, 533)
    view = View(picture)
    for _ in range(2):
        np.testing.assert_array_equal(view.reduced(*size), reduce_to(picture, *size))


def test_the_reading_is_that_of_the_frame() -> None:
    picture = textured(700, 900)
    ours = View(picture).analysis(FRAME).reading
    theirs = read(planes_of(reduce_to(picture, *frame_size(700, 900, FRAME))))
    np.testing.assert_array_equal(ours.luma, theirs.luma)
    np.testing.assert_array_equal(ours.evidence.luma.cells, theirs.evidence.luma.cells)


def test_a_view_that_was_searched_is_marked_like_its_pixels() -> None:
    picture = textured(700, 900)
    alpha = np.full(picture.shape[:2], 255, np.uint8)
    alpha[:40] = 0
    view = View(picture, alpha)
    assert image.detect(view, [PUBLIC_KEY], quick=True, likely=False).state is State.ABSENT
    marked = image.embed(view, PAYLOAD, PUBLIC_KEY).pixels
    np.testing.assert_array_equal(marked, image.embed(picture, PAYLOAD, PUBLIC_KEY, alpha=alpha).pixels)
    np.testing.assert_array_equal(marked[:40], picture[:40])
    found = image.detect(View(marked, alpha), [PUBLIC_KEY], quick=True, likely=False)
    assert found.payload == PAYLOAD.hex()


def test_transparent_pixels_are_seen_white_and_the_given_ones_kept() -> None:
    picture = textured(64, 64)
    alpha = np.full((64, 64), 255, np.uint8)
    alpha[:8] = 0
    view = View(picture, alpha)
    assert (view.pixels[:8] == 255).all()
    np.testing.assert_array_equal(view.pixels[8:], picture[8:])
    assert view.stored is picture
