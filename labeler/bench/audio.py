"""Robustness of the audio watermark: mark sounds, do something to them, read them again, count.

``python -m labeler.bench.audio FOLDER [--names A,B] [--json FILE]`` prints the table as Markdown.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

from labeler.bench.audio_attacks import Floats, Scene, SoundAttack, convert_rate, load_grid
from labeler.core.keys import PUBLIC_KEY, WatermarkKey
from labeler.core.threads import one_thread
from labeler.errors import DependencyMissing, UsageError
from labeler.media import ffmpeg as process
from labeler.watermark.audio import detect, embed

__all__ = ["SoundOutcome", "SoundQuality", "SoundRun", "load_sound", "markdown", "run", "sounds", "summary"]

SCHEMA = "labeler/robustness-audio/1"
TUNING = ("m_castanets", "m_guitar", "m_spl", "m_wz1", "s02_libri", "s07_czech")
"""Clips of the shared data that parameters were tuned on; all others are for reports."""
_EXTENSIONS = {".flac": "flac", ".wav": "wav"}
_SPEECH, _MUSIC = "s02_libri", "m_wz1"  # beds, from the tuning clips


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundQuality:
    """What marking did to one sound.

    Attributes:
        name: of the file.
        rate: Hz.
        channels: number.
        seconds: marked.
        snr: of the sound over the difference, dB.
        embed_speed: seconds of sound a second of CPU.
        repeat: which payload and key.
    """

    name: str
    rate: int
    channels: int
    seconds: float
    snr: float
    embed_speed: float
    repeat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundOutcome:
    """One attack over all sounds.

    Attributes:
        name: of the attack.
        group: heading.
        bar: share that must be read, or None.
        read: sounds whose payload was read exactly.
        total: sounds attacked.
        wrong: sounds where another payload was read.
        failed: names of those not read.
        speed: seconds of sound a second of CPU, median.
        rho: correlation with the code word where it was read, median.
    """

    name: str
    group: str
    bar: float | None
    read: int
    total: int
    wrong: int
    failed: tuple[str, ...]
    speed: float
    rho: float

    @property
    def share(self) -> float:
        """Share read, 0..1."""
        return self.read / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundRun:
    """A whole measurement."""

    strength: str
    sounds: tuple[SoundQuality, ...]
    outcomes: tuple[SoundOutcome, ...]
    left_out: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SoundRun:
        """Read :meth:`to_dict` back."""
        if data.get("schema") != SCHEMA:
            raise UsageError(f"this is no robustness run of sounds: schema {data.get('schema')!r}.")
        return cls(
            strength=data["strength"],
            sounds=tuple(SoundQuality(**item) for item in data["sounds"]),
            outcomes=tuple(
                SoundOutcome(**{**item, "failed": tuple(item["failed"])}) for item in data["outcomes"]
            ),
            left_out=tuple(data["left_out"]),
        )


def load_sound(path: Path) -> tuple[Floats, int]:
    """Samples (n, channels) float32 and rate of a WAV or FLAC file, through ffmpeg."""
    import ffmpeg

    stream = process.source(path, _EXTENSIONS[path.suffix.lower()])
    header = process.run(ffmpeg.output(stream, "pipe:", format="wav", acodec="pcm_f32le", t=0.01), path=path)
    channels = int.from_bytes(header[22:24], "little")
    rate = int.from_bytes(header[24:28], "little")
    data = process.run(
        ffmpeg.output(stream, "pipe:", format="f32le", acodec="pcm_f32le"), path=path, limit=1 << 30
    )
    return np.frombuffer(data, "<f4").reshape(-1, channels).astype(np.float32), rate


def sounds(folder: Path | str, *, names: Sequence[str] = ()) -> Iterator[tuple[str, Floats, int]]:
    """Name, samples and rate of every sound of a folder.

    Raises:
        UsageError: there is none.
    """
    paths = [p for p in sorted(Path(folder).iterdir()) if p.suffix.lower() in _EXTENSIONS]
    paths = [path for path in paths if not names or path.stem in names]
    if not paths:
        raise UsageError(f"there is no WAV or FLAC file in {folder}.")
    for path in paths:
        yield path.stem, *load_sound(path)


def run(
    folder: Path | str,
    *,
    names: Sequence[str] | None = None,
    attacks: Sequence[SoundAttack] | None = None,
    strength: str = "default",
    repeats: int = 1,
    progress: Callable[[str], None] | None = None,
) -> SoundRun:
    """Measure.

    Args:
        folder: WAV and FLAC files.
        names: file stems to keep; None keeps all but :data:`TUNING`.
        attacks: what is done; None is the default grid.
        strength: of the mark.
        repeats: times that everything is done, with other keys, payloads, places and noise.
        progress: is told every sound.
    """
    cv2.setNumThreads(1)
    every = {name: (samples, rate) for name, samples, rate in sounds(folder)}
    chosen = [name for name in every if (name not in TUNING if names is None else not names or name in names)]
    bench = _Bench(every, chosen, attacks if attacks is not None else load_grid(), strength)
    for repeat in range(repeats):
        for name in chosen:
            if progress is not None:
                progress(f"{name} ({repeat + 1} of {repeats})")
            bench.measure(name, repeat)
    return bench.result()


class _Bench:
    """One run in progress."""

    def __init__(
        self,
        every: dict[str, tuple[Floats, int]],
        chosen: Sequence[str],
        attacks: Sequence[SoundAttack],
        strength: str,
    ) -> None:
        self._every, self._chosen, self._attacks, self._strength = every, chosen, attacks, strength
        self._quality: list[SoundQuality] = []
        self._tallies = {attack.name: _Tally() for attack in attacks}
        self._left_out: dict[str, str] = {}

    def measure(self, name: str, repeat: int) -> None:
        """All attacks on one sound."""
        rate = self._every[name][1]
        payload = hashlib.sha256(f"{name}/{repeat}".encode()).digest()[:8]
        key = PUBLIC_KEY if repeat == 0 else WatermarkKey.from_secret(hashlib.sha256(b"%d" % repeat).digest())
        beds = [self._bed(kind, name, rate) for kind in (_SPEECH, _MUSIC)]
        for seconds in sorted({attack.seconds for attack in self._attacks}):
            original = self._material(name, seconds)
            start = time.process_time()
            marked = embed(original, rate, payload, key, strength=self._strength)
            spent = time.process_time() - start
            self._quality.append(
                SoundQuality(
                    name=name,
                    rate=rate,
                    channels=original.shape[1],
                    seconds=round(len(original) / rate, 2),
                    snr=round(marked.snr, 2),
                    embed_speed=round(len(original) / rate / max(spent, 1e-6), 1),
                    repeat=repeat,
                )
            )
            scene = Scene(samples=marked.samples, rate=rate, original=original, speech=beds[0], music=beds[1])
            for attack in self._attacks:
                if attack.seconds == seconds and attack.name not in self._left_out:
                    self._attack(attack, scene, name, payload, key, repeat)

    def _attack(
        self, attack: SoundAttack, scene: Scene, name: str, payload: bytes, key: WatermarkKey, repeat: int
    ) -> None:
        seed = hashlib.sha256(f"{name}/{attack.name}/{repeat}".encode()).digest()[:4]
        try:
            changed = attack(scene, seed=int.from_bytes(seed, "big"))
        except DependencyMissing as error:
            self._left_out[attack.name] = error.message
            return
        start = time.process_time()
        report = detect(changed.samples, changed.rate, [key])
        spent = time.process_time() - start
        length = len(changed.samples) / changed.rate
        self._tallies[attack.name].add(
            name, payload.hex(), report.payload, length / max(spent, 1e-6), report.geometry.get("rho", 0.0)
        )

    def _material(self, name: str, seconds: float) -> Floats:
        """The beginning of a sound; if it is too short for over 10 s, the other sounds follow it."""
        samples, rate = self._every[name]
        parts, have = [samples], len(samples)
        at = self._chosen.index(name)
        others = [*self._chosen[at + 1 :], *self._chosen[:at]] if seconds > 10 else []
        for other in others:
            if have >= seconds * rate:
                break
            more, its_rate = self._every[other]
            more = more if its_rate == rate else convert_rate(more, its_rate, rate)
            mono = more.mean(axis=1, keepdims=True)
            parts.append(np.repeat(mono, samples.shape[1], axis=1))
            have += len(more)
        return np.concatenate(parts)[: int(seconds * rate)]

    def _bed(self, bed: str, name: str, rate: int) -> Floats:
        """A bed of another sound, mono at ``rate``; the first other sound if the usual one is missing."""
        if bed not in self._every or bed == name:
            bed = next((other for other in self._every if other != name), name)
        samples, its_rate = self._every[bed]
        mono = samples.mean(axis=1, keepdims=True)
        return (mono if its_rate == rate else convert_rate(mono, its_rate, rate))[:, 0]

    def result(self) -> SoundRun:
        """The counts so far."""
        outcomes = [self._tallies[attack.name].outcome(attack) for attack in self._attacks]
        return SoundRun(
            strength=self._strength,
            sounds=tuple(self._quality),
            outcomes=tuple(outcome for outcome in outcomes if outcome.total),
            left_out=tuple(f"{name}: {why}" for name, why in self._left_out.items()),
        )


class _Tally:
    """Counts of one attack."""

    def __init__(self) -> None:
        self.read = self.total = self.wrong = 0
        self.failed: list[str] = []
        self.speeds: list[float] = []
        self.rhos: list[float] = []

    def add(self, name: str, payload: str, found: str, speed: float, rho: float) -> None:
        self.total += 1
        self.speeds.append(speed)
        if found == payload:
            self.read += 1
            self.rhos.append(rho)
        else:
            self.wrong += bool(found)
            self.failed.append(name)

    def outcome(self, attack: SoundAttack) -> SoundOutcome:
        return SoundOutcome(
            name=attack.name,
            group=attack.group,
            bar=attack.bar,
            read=self.read,
            total=self.total,
            wrong=self.wrong,
            failed=tuple(self.failed),
            speed=round(float(np.median(self.speeds)), 1) if self.speeds else 0.0,
            rho=round(float(np.median(self.rhos)), 1) if self.rhos else 0.0,
        )


def summary(result: SoundRun) -> dict[str, float]:
    """Overall figures: share read, wrong payloads, SNR of the 10 s sounds, speeds."""
    total = sum(outcome.total for outcome in result.outcomes)
    short = [sound for sound in result.sounds if sound.seconds <= 10.5]
    return {
        "sounds": len({sound.name for sound in result.sounds}),
        "read": sum(outcome.read for outcome in result.outcomes) / max(total, 1),
        "total": total,
        "wrong": sum(outcome.wrong for outcome in result.outcomes),
        "snr_mean": float(np.mean([sound.snr for sound in short])),
        "snr_min": min(sound.snr for sound in short),
        "embed_speed": float(np.median([sound.embed_speed for sound in result.sounds])),
    }


def markdown(result: SoundRun) -> str:
    """The table of a run."""
    values = summary(result)
    rows = [
        f"Strength {result.strength}; {values['sounds']:.0f} sounds: "
        + ", ".join(sorted({sound.name for sound in result.sounds}))
        + ".",
        f"SNR {values['snr_mean']:.1f} dB on average, {values['snr_min']:.1f} dB at least; "
        f"marked at {values['embed_speed']:.0f} x real time (median, one core).",
        "",
        "| attack | read | bar | median rho | x real time | missed |",
        "|---|---|---|---|---|---|",
    ]
    group = ""
    for outcome in result.outcomes:
        if outcome.group != group:
            group = outcome.group
            rows.append(f"| **{group}** | | | | | |")
        bar = "" if outcome.bar is None else f"{100 * outcome.bar:.0f} %"
        missed = ", ".join(f"{name} x {outcome.failed.count(name)}" for name in sorted(set(outcome.failed)))
        rows.append(
            f"| {outcome.name} | {outcome.read}/{outcome.total} | {bar} | {outcome.rho:.1f} | "
            f"{outcome.speed:.0f} | {missed} |"
        )
    rows.append(f"| **all** | {100 * values['read']:.1f} % of {values['total']:.0f} | | | | |")
    rows.append(f"| wrong payloads | {values['wrong']:.0f} | | | | |")
    rows += [f"\nLeft out: {line}" for line in result.left_out]
    return "\n".join(rows) + "\n"


@one_thread()
def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table of a run."""
    parser = argparse.ArgumentParser(prog="python -m labeler.bench.audio", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--names", default=None, help="file stems, by commas; all but the tuning clips if missing"
    )
    parser.add_argument("--attacks", default="", help="names of attacks, by semicolons")
    parser.add_argument("--grid", type=Path)
    parser.add_argument("--strength", default="default")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    chosen = [name for name in options.attacks.split(";") if name]
    result = run(
        options.folder,
        names=None if options.names is None else [name for name in options.names.split(",") if name],
        attacks=load_grid(options.grid, names=chosen),
        strength=options.strength,
        repeats=options.repeats,
        progress=lambda text: click.echo(text, err=True),
    )
    if options.json:
        options.json.write_text(json.dumps(result.to_dict(), indent=1), encoding="utf-8")
    click.echo(markdown(result), nl=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
