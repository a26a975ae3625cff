from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from labeler.bench import robustness
from labeler.bench.attacks import OPERATIONS, Attack, load_grid
from labeler.errors import UsageError


def picture(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (24, 36, 3)).astype(np.uint8)
    return cv2.resize(small, (360, 240), interpolation=cv2.INTER_CUBIC)


def test_the_default_grid_runs_and_is_repeatable() -> None:
    attacks = load_grid()
    assert len({attack.name for attack in attacks}) == len(attacks) >= 60
    image = picture()
    for attack in attacks:
        one, two = attack(image, seed=5), attack(image, seed=5)
        assert one.dtype == np.uint8
        assert one.ndim == 3
        assert (one == two).all(), attack.name


def test_random_attacks_depend_on_the_seed() -> None:
    noise = Attack(name="n", steps=(("noise", {"sigma": 5}),))
    assert (noise(picture(), seed=1) != noise(picture(), seed=2)).any()


def test_crop_keeps_the_area_asked_for() -> None:
    out = OPERATIONS["crop"](picture(), np.random.default_rng(0), area=0.25, place="random")
    assert out.shape == (120, 180, 3)


def test_rotation_inside_has_no_corners() -> None:
    white = np.full((240, 360, 3), 255, np.uint8)
    out = OPERATIONS["rotate"](white, np.random.default_rng(0), degrees=20.0, canvas="inside")
    assert out.min() == 255
    grown = OPERATIONS["rotate"](white, np.random.default_rng(0), degrees=20.0, canvas="grown")
    assert grown.shape[0] > 240
    assert grown.min() == 0


def test_a_bad_grid_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "grid.toml"
    file.write_text("[[attack]]\nname = 'x'\nsteps = [{op = 'melt'}]\n")
    with pytest.raises(UsageError, match="melt"):
        load_grid(file)
    file.write_text("nothing = 1\n")
    with pytest.raises(UsageError, match="not a grid"):
        load_grid(file)


class Lsb:
    """A toy mark in the lowest bits: survives nothing."""

    name = "lsb"

    def embed(self, pixels: np.ndarray, payload: bytes) -> np.ndarray:
        out = pixels.copy()
        bits = np.unpackbits(np.frombuffer(payload, np.uint8))
        out[0, :64, 0] = out[0, :64, 0] & 254 | bits
        return out

    def detect(self, pixels: np.ndarray) -> bytes | None:
        return np.packbits(pixels[0, :64, 0] & 1).tobytes()


def test_a_run_counts_and_prints(tmp_path: Path) -> None:
    for seed in range(2):
        cv2.imwrite(str(tmp_path / f"p{seed}.png"), picture(seed)[..., ::-1])
    grid = tmp_path / "grid.toml"
    grid.write_text(
        "[[attack]]\nname = 'none'\nbar = 0.9\nsteps = []\n"
        "[[attack]]\nname = 'jpeg'\nsteps = [{op = 'jpeg', quality = 50}]\n"
        "[[attack]]\nname = 'huge only'\nmin_pixels = 10000000\nsteps = []\n"
    )
    seen: list[str] = []
    result = robustness.run(tmp_path, grid=grid, method=Lsb(), repeats=2, progress=seen.append)
    assert seen == ["p0", "p1"]
    assert [(o.read, o.total, o.wrong) for o in result.outcomes] == [(4, 4, 0), (0, 4, 4)]
    again = robustness.Run.from_dict(json.loads(json.dumps(result.to_dict())))
    assert again == result
    text = robustness.markdown([result, again])
    assert "| none | 100 % | 100 % | 90 % |" in text
    assert "| jpeg | 0 % | 0 % |" in text
    assert "50.0 % of 8" in text


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no picture"):
        robustness.run(tmp_path)


def test_our_own_method_on_a_small_grid(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "p.png"), cv2.resize(picture(3), (720, 480))[..., ::-1])
    grid = tmp_path / "grid.toml"
    grid.write_text("[[attack]]\nname = 'q50'\nsteps = [{op = 'jpeg', quality = 50}]\n")
    result = robustness.run(tmp_path, grid=grid)
    assert result.outcomes[0].share == 1.0
    assert result.pictures[0].psnr > 41


def test_ssim_of_equal_pictures_is_one() -> None:
    assert robustness.ssim(picture(), picture()) == pytest.approx(1)
    assert robustness.ssim(picture(), OPERATIONS["blur"](picture(), np.random.default_rng(0), sigma=6)) < 0.9
