from __future__ import annotations

import cv2
import numpy as np
import pytest
from watermark_pictures import textured

from labeler.bench.attacks import OPERATIONS
from labeler.core.keys import PUBLIC_KEY, WatermarkKey
from labeler.types import State
from labeler.watermark import hypotheses
from labeler.watermark.analysis import fold, line_transform, synthesis
from labeler.watermark.code import encode
from labeler.watermark.decoding import Observed, decode_patiently, decode_payload
from labeler.watermark.image import detect, embed
from labeler.watermark.layout import Layout
from labeler.watermark.message import candidates
from labeler.watermark.orientation import ORIENTATIONS
from labeler.watermark.search import _half_spectrum

PAYLOAD = bytes.fromhex("140123456789abcd")
OTHER = WatermarkKey.from_secret(bytes(range(32)))


@pytest.fixture(scope="module")
def marked() -> np.ndarray:
    return embed(textured(512, 768), PAYLOAD, PUBLIC_KEY, report=False).pixels


CASES = {
    "crop 50 %": [("crop", {"area": 0.5, "place": "random"})],
    "crop 25 %, JPEG 70": [("crop", {"area": 0.25, "place": "random"}), ("jpeg", {"quality": 70})],
    "crop 10 %": [("crop", {"area": 0.1})],
    "rotate 7, JPEG 70": [("rotate", {"degrees": 7.0}), ("jpeg", {"quality": 70})],
    "rotate 45 grown": [("rotate", {"degrees": 45.0, "canvas": "grown"})],
    "aspect": [("stretch", {"factor": 1.25})],
    "perspective": [("perspective", {"jitter": 0.02})],
    "mirror and crop": [("mirror", {}), ("crop", {"area": 0.6, "place": "random"})],
    "meme": [("canvas", {"top": 0.2, "sides": 0.03, "text": "HELLO"}), ("jpeg", {"quality": 75})],
}


@pytest.mark.parametrize("case", CASES)
def test_full_search_finds(marked: np.ndarray, case: str) -> None:
    rng = np.random.default_rng(4)
    changed = marked
    for name, parameters in CASES[case]:
        changed = np.ascontiguousarray(OPERATIONS[name](changed, rng, **parameters))
    report = detect(changed, [OTHER, PUBLIC_KEY] if case == "aspect" else [PUBLIC_KEY])
    assert report.state is State.PRESENT
    assert report.payload == PAYLOAD.hex()
    assert report.key_id == "public-1"


def test_the_geometry_is_reported(marked: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    turned = OPERATIONS["rotate"](marked, rng, degrees=10.0)
    report = detect(turned, [PUBLIC_KEY])
    assert abs(abs(report.geometry["rotation"]) - 10) < 0.3
    assert report.geometry["scale"] == pytest.approx(1, abs=0.01)
    cut = OPERATIONS["crop"](marked, rng, area=0.25)
    report = detect(np.ascontiguousarray(cut), [PUBLIC_KEY])
    assert report.geometry["scale"] == pytest.approx(2, abs=0.05)


def test_nothing_is_found_in_unmarked_pictures() -> None:
    for seed in (2, 3):
        report = detect(textured(300, 420, seed=seed), [PUBLIC_KEY])
        assert report.state is State.ABSENT
        assert report.geometry["search"] == "full"


def test_a_wrong_key_finds_nothing(marked: np.ndarray) -> None:
    assert detect(marked, [OTHER]).state is State.ABSENT


def test_tiny_and_flat_pictures_cannot_be_judged() -> None:
    assert detect(textured(31, 200), [PUBLIC_KEY]).state is State.CANNOT_TELL
    assert detect(np.full((200, 200, 3), 7, np.uint8), [PUBLIC_KEY]).state is State.CANNOT_TELL


def test_cut_outs_of_large_pictures() -> None:
    picture = cv2.resize(textured(1000, 1500, seed=9), (3000, 2000), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).normal(0, 4, picture.shape)
    picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    marked = embed(picture, PAYLOAD, PUBLIC_KEY, report=False).pixels
    cut = np.ascontiguousarray(marked[700 : 700 + 346, 900 : 900 + 520])  # 3 % of the area
    assert detect(cut, [PUBLIC_KEY]).payload == PAYLOAD.hex()
    assert detect(marked, [PUBLIC_KEY], quick=True).payload == PAYLOAD.hex()


def test_line_transform_and_synthesis_agree() -> None:
    rng = np.random.default_rng(1)
    plane = rng.normal(size=(300, 700)).astype(np.float32)
    cells = fold(plane)
    assert cells.shape == (16, 128, 128)
    assert cells.sum() == pytest.approx(plane.sum(), abs=0.05)
    reference = np.fft.fft2(cells[5])
    grid = line_transform(cells).reshape(16, 61, 31)
    assert np.allclose(grid[5, 30 + 7, 12], reference[7, 12], rtol=1e-3, atol=0.05)
    assert np.allclose(grid[5, 30 - 9, 3], reference[-9, 3], rtol=1e-3, atol=0.05)
    lines = np.zeros((1, 61 * 31), np.complex64)
    lines[0, (30 - 5) * 31 + 8] = 1j
    y, x = np.mgrid[0:128, 0:128]
    expected = np.cos(2 * np.pi * (8 * x - 5 * y) / 128 + np.pi / 2)
    assert np.allclose(synthesis(lines)[0], expected, atol=1e-3)


def test_orientations_of_spectra_and_arrays_agree() -> None:
    layout = Layout.of(PUBLIC_KEY.derive("watermark/image/1"))
    plane = np.random.default_rng(0).normal(size=(300, 202)).astype(np.float32)
    grid = line_transform(fold(plane)).sum(axis=0)
    for orientation in ORIENTATIONS:
        direct = line_transform(fold(orientation.apply(plane))).sum(axis=0)[layout.sync_grid]
        assert np.allclose(direct, orientation.lines(grid, layout.sync, *plane.shape), atol=0.05)


def test_hypotheses_cover_what_is_promised() -> None:
    scale = np.sqrt(np.abs(np.linalg.det(hypotheses.scales())))
    assert scale.min() < 0.27
    assert scale.max() > 1.58
    square = np.linalg.det(hypotheses.aspects())
    assert np.allclose(np.abs(square), 1, atol=1e-4)
    assert len(hypotheses.rotations(640, 640)) > 2000


def test_the_half_spectrum_is_that_of_numpy() -> None:
    plane = np.random.default_rng(3).normal(size=(512, 512)).astype(np.float32)
    wanted = np.fft.fftshift(np.fft.rfft2(plane), axes=0)
    parts = _half_spectrum(plane)
    assert np.abs(parts[..., 0] + 1j * parts[..., 1] - wanted).max() < 1e-3 * np.abs(wanted).max()


def _observed(layout: Layout, word: np.ndarray | None, seed: int) -> Observed:
    """Dims of both carriers that carry a codeword 14 dB under the noise."""
    rng = np.random.default_rng(seed)
    values = [rng.normal(size=len(carrier.bit)) for carrier in (layout.luma, layout.chroma)]
    if word is not None:
        for part, carrier in zip(values, (layout.luma, layout.chroma), strict=True):
            part += 0.19 * (1.0 - 2.0 * word[carrier.bit])
    return Observed(
        values=np.concatenate(values).astype(np.float32),
        luma_dims=len(layout.luma.bit),
        sync=np.zeros(128, np.float32),
    )


def test_a_second_chance_reads_what_one_decoding_does_not() -> None:
    layout = Layout.of(PUBLIC_KEY.derive("watermark/image/1"))
    word = encode(candidates(PAYLOAD, layout.key, count=1))[0]
    seen = [_observed(layout, word, seed) for seed in (12, 20, 23, 36)]
    assert sum(decode_payload(observed, layout) is not None for observed in seen) <= 2
    found = [decode_patiently(observed, layout) for observed in seen]
    assert sum(item is not None for item in found) >= 2
    assert {item.payload for item in found if item is not None} == {PAYLOAD}
    assert decode_patiently(_observed(layout, None, 1), layout) is None
