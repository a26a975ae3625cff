from __future__ import annotations

import cv2
import numpy as np
import pytest
from watermark_pictures import textured

from labeler.core.keys import PUBLIC_KEY, WatermarkKey
from labeler.errors import UsageError
from labeler.types import State
from labeler.watermark.apply import add_delta
from labeler.watermark.image import CannotMark, detect, embed

PAYLOAD = bytes.fromhex("140123456789abcd")
OTHER = WatermarkKey.from_secret(bytes(range(32)))


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return textured()


@pytest.fixture(scope="module")
def marked(picture: np.ndarray) -> np.ndarray:
    return embed(picture, PAYLOAD, PUBLIC_KEY).pixels


def test_round_trip(picture: np.ndarray, marked: np.ndarray) -> None:
    report = detect(marked, [PUBLIC_KEY], quick=True)
    assert report.state is State.PRESENT
    assert report.payload == PAYLOAD.hex()
    assert report.mark_id == PAYLOAD.hex()[2:]
    assert report.key_id == "public-1"
    assert report.log10_p is not None
    assert report.log10_p < -10
    assert marked.dtype == picture.dtype
    assert marked.shape == picture.shape


@pytest.mark.parametrize("quality", [90, 50, 30])
def test_survives_jpeg(marked: np.ndarray, quality: int) -> None:
    assert detect(jpeg(marked, quality), [PUBLIC_KEY], quick=True).payload == PAYLOAD.hex()


def test_survives_half_size_and_grey(marked: np.ndarray) -> None:
    half = cv2.resize(marked, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    assert detect(half, [PUBLIC_KEY], quick=True).payload == PAYLOAD.hex()
    grey = cv2.cvtColor(marked, cv2.COLOR_RGB2GRAY)
    assert detect(grey, [PUBLIC_KEY], quick=True).payload == PAYLOAD.hex()


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_quick_finds_flips_and_quarter_turns(marked: np.ndarray, turns: int, mirror: bool) -> None:
    changed = np.rot90(marked, turns)
    if mirror:
        changed = np.fliplr(changed)
    report = detect(np.ascontiguousarray(changed), [PUBLIC_KEY], quick=True)
    assert report.payload == PAYLOAD.hex()
    assert report.geometry["flip"] is mirror


def test_several_keys_and_the_wrong_key(picture: np.ndarray, marked: np.ndarray) -> None:
    assert detect(marked, [OTHER], quick=True).state is State.ABSENT
    assert detect(picture, [PUBLIC_KEY, OTHER], quick=True).state is State.ABSENT
    twice = embed(marked, bytes(8), OTHER).pixels
    assert detect(twice, [PUBLIC_KEY], quick=True).payload == PAYLOAD.hex()
    report = detect(twice, [OTHER], quick=True)
    assert report.payload == "00" * 8
    assert report.key_id == OTHER.key_id


def test_quality_is_measured(picture: np.ndarray) -> None:
    result = embed(picture, PAYLOAD, PUBLIC_KEY, psnr=44.0)
    error = ((result.pixels.astype(float) - picture) ** 2).mean()
    assert result.psnr == pytest.approx(10 * np.log10(255**2 / error), abs=0.01)
    assert result.psnr == pytest.approx(44.0, abs=0.6)


def test_transparent_pixels_are_not_touched(picture: np.ndarray) -> None:
    alpha = np.full(picture.shape[:2], 255, np.uint8)
    alpha[100:200, 50:250] = 0
    result = embed(picture, PAYLOAD, PUBLIC_KEY, alpha=alpha).pixels
    assert (result[alpha == 0] == picture[alpha == 0]).all()
    assert detect(result, [PUBLIC_KEY], quick=True, alpha=alpha).payload == PAYLOAD.hex()


def test_sixteen_bits_and_grey(picture: np.ndarray) -> None:
    deep = picture.astype(np.uint16) * 257
    result = embed(deep, PAYLOAD, PUBLIC_KEY).pixels
    assert result.dtype == np.uint16
    assert detect(result, [PUBLIC_KEY], quick=True).payload == PAYLOAD.hex()
    grey = np.ascontiguousarray(picture[..., 1])
    assert detect(embed(grey, PAYLOAD, PUBLIC_KEY).pixels, [PUBLIC_KEY], quick=True).payload == PAYLOAD.hex()


def test_no_wrap_around_at_black_and_white() -> None:
    picture = textured(seed=5)
    picture[:200] = 255
    picture[200:300] = 0
    result = embed(picture, PAYLOAD, PUBLIC_KEY, strength="strong").pixels
    assert np.abs(result.astype(int) - picture).max() < 40


def test_refuses_small_and_flat_pictures() -> None:
    with pytest.raises(CannotMark, match="short side"):
        embed(textured(127, 300), PAYLOAD, PUBLIC_KEY)
    with pytest.raises(CannotMark, match="flat"):
        embed(np.full((300, 300, 3), 255, np.uint8), PAYLOAD, PUBLIC_KEY)


def test_bad_arrays_are_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        detect(np.zeros((200, 200), np.float32), [PUBLIC_KEY])
    with pytest.raises(ValueError, match="3 channels"):
        detect(np.zeros((200, 200, 4), np.uint8), [PUBLIC_KEY])
    with pytest.raises(ValueError, match="alpha"):
        detect(np.zeros((200, 200), np.uint8), [PUBLIC_KEY], alpha=np.zeros((9, 9), np.uint8))


def test_strength_report() -> None:
    assert embed(textured(512, 768), PAYLOAD, PUBLIC_KEY).weak == ""
    weak = embed(textured(140, 140), PAYLOAD, PUBLIC_KEY, strength="gentle").weak
    assert "JPEG 50" in weak


def test_documents_and_small_pictures_are_marked_in_luma_only() -> None:
    page = np.full((700, 560, 3), 255, np.uint8)
    for row in range(40, 660, 26):
        cv2.putText(
            page, "the quick brown fox 0123456789", (20, row), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 0, 0), 1
        )
    result = embed(page, PAYLOAD, PUBLIC_KEY)
    assert (np.ptp(result.pixels, axis=2) == 0).all()
    assert detect(jpeg(result.pixels, 60), [PUBLIC_KEY], quick=True).payload == PAYLOAD.hex()
    small = textured(256, 256)
    change = embed(small, PAYLOAD, PUBLIC_KEY, report=False).pixels.astype(int) - small
    inside = (small > 30).all(axis=2) & (small < 225).all(axis=2)
    assert (np.ptp(change, axis=2)[inside] == 0).all()


def test_strengths_differ_and_an_unknown_one_is_refused(picture: np.ndarray) -> None:
    levels = [
        embed(picture, PAYLOAD, PUBLIC_KEY, strength=s, report=False).psnr for s in ("strong", "gentle")
    ]
    assert levels[1] > levels[0] + 3
    with pytest.raises(UsageError, match="strength"):
        embed(picture, PAYLOAD, PUBLIC_KEY, strength="heavy")


def test_marks_put_together_are_noticed_and_two_marks_are_not(
    picture: np.ndarray, marked: np.ndarray
) -> None:
    assert detect(marked, [PUBLIC_KEY]).geometry["assembled"] is False
    assert detect(marked, [PUBLIC_KEY]).geometry["sync_excess"] == pytest.approx(1, abs=0.3)
    again = embed(marked, PAYLOAD[::-1], PUBLIC_KEY).pixels
    assert detect(again, [PUBLIC_KEY]).payload == PAYLOAD[::-1].hex()
    assert detect(again, [PUBLIC_KEY]).geometry["assembled"] is False
    total = np.zeros(picture.shape, np.float32)
    for number in range(8):  # the marks of eight payloads, the first one somewhat stronger
        mark = embed(picture, bytes([number + 1] * 8), PUBLIC_KEY, report=False).pixels
        total += (mark.astype(np.float32) - picture) * (1.6 if number == 0 else 1.0)
    mixed = np.clip(np.rint(picture + total / 2.5), 0, 255).astype(np.uint8)
    report = detect(mixed, [PUBLIC_KEY])
    assert report.payload == bytes([1] * 8).hex()
    assert report.geometry["assembled"] is True


def test_a_delta_is_added_exactly_and_saturates() -> None:
    """Every sample with every delta byte: sample + floor(byte / 8) - 16, within 0 and 255."""
    pixels, delta = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    wanted = np.clip(pixels.astype(int) + (delta.astype(int) // 8) - 16, 0, 255)
    before = delta.copy()
    np.testing.assert_array_equal(add_delta(pixels, delta), wanted)
    np.testing.assert_array_equal(delta, before)
    alpha = (pixels % 2 * 255).astype(np.uint8)
    np.testing.assert_array_equal(add_delta(pixels, delta, alpha=alpha), np.where(alpha, wanted, pixels))
