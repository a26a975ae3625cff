"""The audible mark, measured: is it found after what happens to sound, and is nothing found where there is none?"""

from __future__ import annotations

import itertools
import math
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from labeler.bench.audio_attacks import OPERATIONS, Floats, Scene, SoundAttack, convert_rate
from labeler.errors import DependencyMissing
from labeler.media import ffmpeg as process
from labeler.types import Evidence
from labeler.visible import audio
from labeler.visible.sound import rhythm, speech
from labeler.visible.sound.templates import LEAST

__all__ = [
    "ATTACKS",
    "MARKS",
    "Row",
    "Sound",
    "Unmarked",
    "markdown",
    "measure",
    "sounds",
    "unmarked",
]

MARKS: Mapping[str, Mapping[str, Any]] = {
    "rhythm": {"kind": "rhythm"},
    "zh": {"kind": "speech", "lang": "zh"},
    "zh-short": {"kind": "speech", "lang": "zh", "short": True},
    "en": {"kind": "speech", "lang": "en"},
}
"""What is laid into the sounds, by the name of the pattern that has to find it."""


def _attack(name: str, *steps: tuple[str, dict[str, Any]]) -> SoundAttack:
    return SoundAttack(name=name, steps=steps)


ATTACKS = (
    _attack("none"),
    _attack("MP3 64k", ("codec", {"name": "mp3", "kbps": 64})),
    _attack("AAC 64k", ("codec", {"name": "aac", "kbps": 64})),
    _attack("Opus 32k", ("codec", {"name": "opus", "kbps": 32})),
    _attack("Opus 24k", ("codec", {"name": "opus", "kbps": 24})),
    _attack("G.711, 8 kHz", ("codec", {"name": "g711"})),
    _attack("GSM full rate", ("telephone", {"name": "gsm"})),
    _attack("AMR-NB 12.2k", ("codec", {"name": "amr-nb", "kbps": 12.2})),
    _attack("Speex 11k", ("telephone", {"name": "speex"})),
    _attack("8 kHz", ("narrow", {"rate": 8000})),
    _attack("noise 20 dB", ("noise", {"snr": 20})),
    _attack("noise 10 dB", ("noise", {"snr": 10})),
    _attack("echo 60, 140 ms", ("echo", {})),
    _attack("reverb 0.6 s", ("reverb", {})),
    _attack("speech bed -10 dB", ("bed", {"kind": "speech", "db": -10})),
    _attack("music bed -10 dB", ("bed", {"kind": "music", "db": -10})),
    _attack("compressor", ("filtered", {"name": "acompressor", "threshold": 0.05, "ratio": 6})),
    _attack("anti-phase", ("anti-phase", {})),
    _attack("speed -5 %", ("speed", {"factor": 0.95})),
    _attack("speed -3 %", ("speed", {"factor": 0.97})),
    _attack("speed +3 %", ("speed", {"factor": 1.03})),
    _attack("speed +5 %", ("speed", {"factor": 1.05})),
    _attack("tempo +5 %", ("tempo", {"factor": 1.05})),
    _attack("pitch +5 %", ("pitch", {"factor": 1.05})),
)

_TIMED = {"speed", "tempo"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """One sound without a mark: its name, samples (n, channels) and rate, Hz."""

    name: str
    samples: Floats
    rate: int


@dataclass(slots=True, kw_only=True)
class Row:
    """One kind of mark under one attack, over all sounds.

    Attributes:
        mark: key of `MARKS`.
        attack: its name.
        found: sounds in which the mark was found within 0.15 s of its place.
        total: sounds that were marked.
        failed: names of the others.
        scores: of the finds.
        errors: seconds between find and place.
        extra: finds that are not the mark.
    """

    mark: str
    attack: str
    found: int = 0
    total: int = 0
    failed: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    extra: int = 0


@dataclass(slots=True, kw_only=True)
class Unmarked:
    """Sound of one origin without a mark.

    Attributes:
        origin: in words.
        seconds: how much of it.
        finds: how many marks were found in it.
        highest: the highest score by pattern, whether a find or not.
    """

    origin: str
    seconds: float = 0.0
    finds: list[str] = field(default_factory=list)
    highest: dict[str, float] = field(default_factory=dict)


def sounds(folder: Path | str, *, seconds: float | None = 10.0) -> Iterator[Sound]:
    """The WAV and FLAC files of a folder, their first seconds."""
    for path in sorted(Path(folder).iterdir()):
        if path.suffix not in (".wav", ".flac"):
            continue
        demuxer = "wav" if path.suffix == ".wav" else "flac"
        rate, channels = _format(path, demuxer)
        limit = {} if seconds is None else {"t": seconds}
        stream = process.source(path, demuxer).output("pipe:", format="f32le", acodec="pcm_f32le", **limit)
        data = process.run(stream, path=path, limit=1 << 30)
        yield Sound(name=path.stem, samples=np.frombuffer(data, "<f4").reshape(-1, channels), rate=rate)


def _format(path: Path, demuxer: str) -> tuple[int, int]:
    """Rate and channels, from the header of the first moments as WAV."""
    head = process.run(process.source(path, demuxer).output("pipe:", format="wav", t=0.01), path=path)
    return int.from_bytes(head[24:28], "little"), int.from_bytes(head[22:24], "little")


def measure(
    library: Sequence[Sound],
    *,
    marks: Sequence[str] = tuple(MARKS),
    attacks: Sequence[SoundAttack] = ATTACKS,
    progress: Callable[[str], None] | None = None,
) -> list[Row]:
    """Mark every sound with every mark, attack it, look for it.

    Marks stand alternately at the beginning and 2 s into the sound, mixed in.
    """
    rows = {(m, a.name): Row(mark=m, attack=a.name) for m in marks for a in attacks}
    speaker = next((s for s in library if s.name.startswith("s")), library[0])
    player = next((s for s in library if s.name.startswith("m")), library[0])
    for number, (sound, mark) in enumerate(itertools.product(library, marks)):
        channels = sound.samples.shape[1]
        place = "start" if number // len(marks) % 2 == 0 else "2"
        marker = audio.Marker(audio.prepare(sound.rate, channels, place=place, **MARKS[mark]))
        marked = np.concatenate([marker.push(sound.samples), marker.flush()])
        beds = [
            sound.samples[:, 0]
            if other is sound
            else convert_rate(other.samples[:, :1], other.rate, sound.rate)[:, 0]
            for other in (speaker, player)
        ]
        scene = Scene(samples=marked, rate=sound.rate, original=sound.samples, speech=beds[0], music=beds[1])
        for attack in attacks:
            try:
                _one(rows[mark, attack.name], sound, scene, attack, marker.spans[0])
            except DependencyMissing:
                continue
        if progress is not None:
            progress(f"{sound.name} {mark}")
    return [row for row in rows.values() if row.total]


def _one(row: Row, sound: Sound, scene: Scene, attack: SoundAttack, span: tuple[float, float]) -> None:
    """One mark under one attack."""
    rng = np.random.default_rng([2026, len(sound.samples)])
    factor = 1.0
    for name, parameters in attack.steps:
        scene = OPERATIONS[name](scene, rng, **parameters)
        factor *= parameters["factor"] if name in _TIMED else 1.0
    row.total += 1
    best: Evidence | None = None
    for evidence in audio.detect(scene.samples, scene.rate).evidence:
        if _pattern(evidence) == row.mark and abs(_begin(evidence) - span[0] / factor) <= 0.15:
            best = evidence
        else:
            row.extra += 1
    if best is None:
        row.failed.append(sound.name)
    else:
        row.found += 1
        row.scores.append(best.score)
        row.errors.append(abs(_begin(best) - span[0] / factor))


def _begin(evidence: Evidence) -> float:
    return evidence.time[0] if evidence.time else math.inf


def _pattern(evidence: Evidence) -> str:
    texts = {rhythm.TEXT: "rhythm"} | {text: name for name, text in speech.PROMPTS.items()}
    return texts[evidence.text]


def unmarked(
    library: Iterable[Sound], *, made: bool = True, progress: Callable[[str], None] | None = None
) -> list[Unmarked]:
    """Look for marks where there are none: in sounds and, if ``made``, in them at other speeds and in sound made here.

    Speech of espeak-ng, among it sentences with words of our prompts in the very voice of our prompts, is left
    out where the program is not installed.
    """
    rows = []
    sources: list[tuple[str, Iterable[Sound]]] = []
    if made:
        clips = library = list(library)
        sources = [
            *((f"the clips at {f} of their speed", _sped(clips, f)) for f in (0.8, 0.9, 1.1, 1.25)),
            ("melodies of harmonic tones, seeded", (_melody(seed) for seed in range(6))),
            ("a 1 kHz tone keyed at random, units of 120 ms", (_keyed(seed) for seed in range(4))),
            ("English words in Morse code, 1 kHz, units of 120 ms", (_morse(seed) for seed in range(4))),
            ("espeak-ng, other sentences, our voice and others", _speech()),
        ]
    sources.insert(0, ("the clips, whole", library))
    for origin, parts in sources:
        row = Unmarked(origin=origin)
        for part in parts:
            seeker = audio.Seeker(part.rate, part.samples.shape[1])
            seeker.push(part.samples)
            row.finds += [f"{part.name}: {e.text} {e.score:.2f}" for e in seeker.finish().evidence]
            row.seconds += len(part.samples) / part.rate
            for name, score in seeker.highest.items():
                row.highest[name] = max(score, row.highest.get(name, 0.0))
        if row.seconds:
            rows.append(row)
        if progress is not None:
            progress(origin)
    return rows


def _sped(library: Sequence[Sound], factor: float) -> Iterator[Sound]:
    for sound in library:
        rate = round(sound.rate * factor)
        yield Sound(name=f"{sound.name} x{factor}", samples=sound.samples, rate=rate)


def _melody(seed: int) -> Sound:
    """A minute of decaying harmonic tones of random pitch and rhythm, over soft noise."""
    rate, rng = 16_000, np.random.default_rng([7, seed])
    out = rng.normal(size=61 * rate) * 0.01
    time = np.arange(rate) / rate
    beat = rng.uniform(0.11, 0.26)
    for start in np.arange(0, 59, beat):
        pitch = 110 * 2 ** (rng.integers(0, 42) / 12)
        note = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 6))
        shape = (
            np.exp(-rng.uniform(1, 12) * time) * np.clip(time / 0.01, 0, 1) * np.clip((1 - time) / 0.1, 0, 1)
        )
        if rng.random() < 0.7:
            out[round(start * rate) :][:rate] += note * shape
    return Sound(
        name=f"melody {seed}",
        samples=(out / np.abs(out).max()).astype(np.float32)[: 60 * rate, None],
        rate=rate,
    )


def _tones(units: Sequence[int], name: str) -> Sound:
    rate = 8000
    shape = np.repeat(np.asarray(units, float), round(rhythm.UNIT * rate))
    soft = np.hanning(round(rhythm.SOFT * rate))
    shape = np.convolve(shape, soft / soft.sum(), "same")
    return Sound(
        name=name,
        samples=(0.3 * rhythm.tone(rate, len(shape)) * shape).astype(np.float32)[:, None],
        rate=rate,
    )


def _keyed(seed: int) -> Sound:
    rng = np.random.default_rng([8, seed])
    return _tones(rng.integers(0, 2, 500).tolist(), f"keyed {seed}")


_LETTERS = {
    "a": ".-", "b": "-...", "c": "-.-.", "d": "-..", "e": ".", "f": "..-.", "g": "--.", "h": "....", "i": "..",
    "j": ".---", "k": "-.-", "l": ".-..", "m": "--", "n": "-.", "o": "---", "p": ".--.", "q": "--.-", "r": ".-.",
    "s": "...", "t": "-", "u": "..-", "v": "...-", "w": ".--", "x": "-..-", "y": "-.--", "z": "--..",
}  # fmt: skip
_TEXT = (
    "the quick brown fox is line that in sea eat tea ate is it as at in an tie he sees a small animal near this lake "
    "and his aunt said it was sad at six"
)


def _morse(seed: int) -> Sound:
    rng = np.random.default_rng([9, seed])
    units: list[int] = []
    for word in rng.choice(_TEXT.split(), 40):
        for letter in word:
            for sign in _LETTERS[letter]:
                units += [1] * (1 if sign == "." else 3) + [0]
            units += [0, 0]
        units += [0] * 4
    return _tones(units, f"morse {seed}")


_ENGLISH = (
    "This audio is copyrighted.", "This audio is brought to you by the city library.", "The audience is A I literate.",
    "This radio is a generous gift.", "A I generated music is everywhere.", "Is this audio real?",
    "I generated the report yesterday.", "Artificial intelligence is a field of computer science.",
    "The next train to London leaves from platform four.", "Please mind the gap between the train and the platform.",
    "In this episode we talk about the weather and the sea.", "This video is A I generated.",
    "This audio is human generated.", "This audio is A I assisted.",
)  # fmt: skip
_MANDARIN = (
    "jin1tian1 tian1qi4 hen3 hao3 wo3men5 qu4 gong1yuan2 san4bu4",
    "ben3 chan3pin3 you2 shang4hai3 gong1chang3 sheng1chan3",
    "ren2gong1zhi4neng2 shi4 ji4suan4ji1 ke1xue2 de5 yi2ge4 fen1zhi1", "ben3 shi4pin2 you2 zhang1san1 zhi4zuo4",
    "zhe4 shi4 yi2ge4 qing2lang3 de5 zao3chen2", "wo3men5 sheng1cheng2 le5 yi1fen4 bao4gao4",
    "ben3 yin1pin2 you2 yu2le4 gong1si1 chu1ban3", "cheng2shi4 sheng1huo2 sheng1cheng2 zeng1zhang3",
    "huan1ying2 shou1ting1 jin1tian1 de5 xin1wen2 jie2mu4", "qing3 zhu4yi4 xia4 yi1 zhan4 shi4 ren2min2 guang3chang3",
)  # fmt: skip


def _speech() -> Iterator[Sound]:
    """Sentences that are not our prompts, in our voice at our speed, and in others."""
    program = shutil.which("espeak-ng")
    if program is None:
        return
    languages = (("en-us", _ENGLISH, (130, 145, 170)), ("cmn-latn-pinyin", _MANDARIN, (112, 120, 150)))
    for language, sentences, speeds in languages:
        for voice, speed, sentence in itertools.product(("+f2", "", "+f4"), speeds, sentences):
            command = [program, "-v", language + voice, "-s", str(speed), "-p", "46", "--stdout", sentence]
            data = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
            samples = np.frombuffer(data[44 : len(data) // 2 * 2], "<i2") / np.float32(32768)
            rate = int.from_bytes(data[24:28], "little")
            yield Sound(
                name=f"{voice} {speed} {sentence}", samples=samples.astype(np.float32)[:, None], rate=rate
            )


def markdown(rows: Sequence[Row], nothing: Sequence[Unmarked]) -> str:
    """The tables of docs/audible.md."""
    marks = list(dict.fromkeys(row.mark for row in rows))
    by = {(row.mark, row.attack): row for row in rows}
    lines = [f"| after | {' | '.join(marks)} |", "|---|" + "---|" * len(marks)]
    for attack in dict.fromkeys(row.attack for row in rows):
        cells = []
        for mark in marks:
            row = by[mark, attack]
            missed = f" (missed: {', '.join(row.failed)})" if row.failed else ""
            lowest = f", {min(row.scores):.2f}" if row.scores else ""
            cells.append(f"{row.found}/{row.total}{lowest}{missed}")
        lines.append(f"| {attack} | {' | '.join(cells)} |")
    errors = [error for row in rows for error in row.errors]
    lines += [
        "",
        f"Found / marked, and the lowest score of a find. Positions: median error {1000 * np.median(errors):.0f} ms, "
        f"largest {1000 * max(errors):.0f} ms. Finds that were not the mark: {sum(row.extra for row in rows)}.",
        "",
        f"| unmarked sound | seconds | finds | {' | '.join(f'highest {name}' for name in LEAST)} |",
        "|---|---:|---:|" + "---:|" * len(LEAST),
    ]
    for row_ in nothing:
        scores = " | ".join(f"{row_.highest.get(name, 0):.2f}" for name in LEAST)
        lines.append(f"| {row_.origin} | {row_.seconds:.0f} | {len(row_.finds)} | {scores} |")
    lines.append(
        f"| **all** | {sum(r.seconds for r in nothing):.0f} | {sum(len(r.finds) for r in nothing)} |"
        + " |" * len(LEAST)
    )
    found = [find for row_ in nothing for find in row_.finds]
    if found:
        lines += ["", "Found where there is no mark: " + "; ".join(found) + "."]
    return "\n".join(lines) + "\n"
