from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from labeler.bench import audio_false_accepts
from labeler.bench.audio import SoundRun, main, markdown, run, sounds, summary
from labeler.bench.audio_attacks import OPERATIONS, Scene, load_grid
from labeler.errors import UsageError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sounds")
    for name, seed in (("one", 1), ("two", 2)):
        rng = np.random.default_rng(seed)
        knots = rng.uniform(0.02, 1, 40) ** 2
        gate = np.interp(np.arange(6 * 16000) / 3000, np.arange(40), knots)
        tone = np.sign(np.sin(2 * np.pi * 140 * np.arange(6 * 16000) / 16000))
        samples = (0.2 * gate * tone + 0.05 * gate[::-1] * rng.standard_normal(len(gate))) * 32767 * 0.5
        with wave.open(str(place / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes(samples.astype("<i2").tobytes())
    return place


def test_grid_has_the_attacks_of_the_issue() -> None:
    grid = {attack.name: attack for attack in load_grid()}
    assert len(grid) > 50
    assert grid["noise 20 dB"].bar == 0.93
    assert grid["GSM, 60 s"].seconds == 60
    assert [attack.name for attack in load_grid(names=["mono"])] == ["mono"]


def test_grid_with_unknown_operation(tmp_path: Path) -> None:
    path = tmp_path / "grid.toml"
    path.write_text('[[attack]]\nname = "x"\nsteps = [{ op = "melt" }]\n', encoding="utf-8")
    with pytest.raises(UsageError, match="melt"):
        load_grid(path)


def test_run_counts_and_prints(folder: Path) -> None:
    attacks = load_grid(names=["none", "AAC 64k", "first half", "anti-phase"])
    result = run(folder, attacks=attacks)
    assert [outcome.read for outcome in result.outcomes if outcome.name in ("none", "anti-phase")] == [2, 2]
    assert summary(result)["wrong"] == 0
    assert summary(result)["snr_min"] > 25
    assert SoundRun.from_dict({"schema": "labeler/robustness-audio/1", **_plain(result)}) == result
    assert "| none | 2/2 | 100 % |" in markdown(result)


def _plain(result: SoundRun) -> dict[str, object]:
    data = result.to_dict()
    data.pop("schema")
    return data


def test_command_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run.json"
    assert main([str(folder), "--names", "one", "--attacks", "none;-6 dB", "--json", str(out)]) == 0
    assert "| -6 dB | 1/1 |" in capsys.readouterr().out
    assert out.stat().st_size > 200


def test_attacks_keep_rate_and_are_seeded(folder: Path) -> None:
    samples, rate = next((data, rate) for name, data, rate in sounds(folder) if name == "one")
    scene = Scene(samples=samples, rate=rate, original=samples, speech=samples[:, 0], music=samples[:, 0])
    grid = {attack.name: attack for attack in load_grid()}
    noisy = [grid["noise 20 dB"](scene, seed=seed).samples for seed in (1, 1, 2)]
    assert np.array_equal(noisy[0], noisy[1])
    assert not np.array_equal(noisy[0], noisy[2])
    level = 10 * np.log10((samples**2).mean() / ((noisy[0] - samples) ** 2).mean())
    assert level == pytest.approx(20, abs=0.2)
    fast = OPERATIONS["speed"](scene, np.random.default_rng(0), factor=1.05)
    assert len(fast.samples) == pytest.approx(len(samples) / 1.05, rel=0.01)
    half = OPERATIONS["half-marked"](
        scene.with_samples(samples + 1), np.random.default_rng(0), which="first", seconds=2.0
    )
    assert (half.samples - samples)[: 2 * rate].min() == 1
    assert np.array_equal(half.samples[2 * rate :], samples[2 * rate :])


def test_false_accept_log_continues(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    first = audio_false_accepts.run(folder, log, count=1)
    counts = audio_false_accepts.run(folder, log, count=2)
    assert (first["searches"], counts["searches"]) == (1, 2)
    assert counts["accepted"] == counts["passed"] == 0
    assert counts["decodes"] >= 40
