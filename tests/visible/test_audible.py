"""The audible mark: where it stands, how loud it is, what it leaves alone, and that it is found again."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path

import numpy as np
import pytest

from labeler.errors import UsageError
from labeler.media import ffmpeg
from labeler.types import State
from labeler.visible import audio
from labeler.visible.sound import rhythm, speech
from labeler.visible.sound.loudness import loudness
from labeler.visible.sound.placing import AFTER, BEFORE, CEILING, DUCK, LEAD, RAMP
from labeler.visible.wording import has_gb_elements

Floats = np.ndarray
RATE = 16000
CLIPS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "audio"


@functools.lru_cache(maxsize=32)
def _melody(seconds: float, rate: int, channels: int, level: float, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    out = rng.normal(size=round(seconds * rate)) * 0.02
    local = np.arange(rate) / rate
    shape = np.exp(-4 * local) * np.clip(local / 0.01, 0, 1) * np.clip((1 - local) / 0.1, 0, 1)
    for start in np.arange(0, seconds, 0.21):
        pitch = 110 * 2 ** (rng.integers(0, 30) / 12)
        note = shape * sum(np.sin(2 * np.pi * pitch * k * local) / k for k in range(1, 6))
        part = out[round(start * rate) :][:rate]
        part += note[: len(part)]
    sound = np.stack([out * (1 - 0.2 * c) for c in range(channels)], axis=1).astype(np.float32)
    return (sound * 10 ** ((level - loudness(sound, rate)) / 20)).astype(np.float32)


def programme(
    seconds: float, rate: int = RATE, channels: int = 1, level: float = -20.0, seed: int = 0
) -> Floats:
    """A melody of decaying harmonic tones over soft noise, (n, channels), at a loudness of ``level`` LUFS."""
    return _melody(seconds, rate, channels, level, seed).copy()


def streamed(
    samples: Floats, mark: audio.AudibleMark, sizes: list[int]
) -> tuple[Floats, list[tuple[float, float]]]:
    marker = audio.Marker(mark)
    parts, at = [], 0
    for size in itertools.cycle(sizes):
        if at >= len(samples):
            break
        parts.append(marker.push(samples[at : at + size]))
        at += size
    return np.concatenate([*parts, marker.flush()]), marker.spans


def splash(samples: Floats, rate: int, above: float) -> Floats:
    """dB of the energy above a frequency in windows of 4 ms, full scale 0."""
    spectrum = np.fft.rfft(samples, axis=0)
    spectrum[np.fft.rfftfreq(len(samples), 1 / rate) < above] = 0
    high = np.fft.irfft(spectrum, len(samples), axis=0)
    size = rate // 250
    power = (high[: len(high) // size * size].reshape(-1, size) ** 2).mean(axis=1)
    return 10 * np.log10(power + 1e-15)


def test_loudness_is_that_of_bs_1770() -> None:
    for rate in (8000, 44100, 48000):
        sine = np.sin(2 * np.pi * 997 * np.arange(3 * rate) / rate).astype(np.float32)[:, None]
        assert loudness(sine, rate) == pytest.approx(-3.01, abs=0.06)
        assert loudness(np.repeat(sine, 2, axis=1), rate) == pytest.approx(0, abs=0.06)
    quiet = np.concatenate([sine, 1e-4 * sine, 1e-4 * sine])  # the relative gate leaves the silence out
    assert loudness(quiet, rate) == pytest.approx(-3.01, abs=0.3)
    assert loudness(np.zeros((rate, 6), np.float32), rate) == -70.0


def test_wordings() -> None:
    assert has_gb_elements(audio.wording("zh")) and has_gb_elements(audio.wording("both"))
    assert has_gb_elements(audio.wording("zh", short=True))
    with pytest.raises(UsageError):
        audio.wording("fr")


def test_prompts_are_spoken_at_normal_speed_and_are_small() -> None:
    for name, text in (("zh", speech.PROMPTS["zh"]), ("zh-short", "甲乙生成")):
        seconds = len(speech.prompt(name, RATE)) / RATE
        assert 120 <= len(text) / seconds * 60 <= 160  # GB 45438-2025 5.3 note 4
    assert sum(2 * len(speech.prompt(name, RATE)) for name in speech.PROMPTS) < 400_000


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 44099, 96000])
def test_a_prompt_sounds_the_same_at_any_rate(rate: int) -> None:
    own, other = speech.prompt("en", RATE), speech.prompt("en", rate)
    assert len(other) / rate == pytest.approx(len(own) / RATE, abs=1 / rate)
    back = speech.resampled(other, rate, RATE)[: len(own)]
    below = np.abs(np.fft.rfftfreq(len(back), 1 / RATE)) < min(rate, RATE) * 0.45
    error = (np.fft.rfft(back) - np.fft.rfft(own[: len(back)]))[below]
    assert np.linalg.norm(error) < 10 ** (-40 / 20) * np.linalg.norm(np.fft.rfft(own)[: len(below)][below])


@pytest.mark.parametrize(
    ("kind", "lang", "short", "found"),
    [
        ("rhythm", "both", False, [rhythm.TEXT]),
        ("speech", "both", False, [speech.PROMPTS["zh"], speech.PROMPTS["en"]]),
        ("speech", "zh", True, [speech.PROMPTS["zh-short"]]),
        ("both", "en", False, [rhythm.TEXT, speech.PROMPTS["en"]]),
    ],
)
@pytest.mark.parametrize("mode", ["mix", "insert"])
@pytest.mark.parametrize("place", ["start", "end", "7.5"])
def test_a_mark_is_found_where_it_stands(
    kind: str, lang: str, short: bool, found: list[str], mode: str, place: str
) -> None:
    sound = programme(20, channels=2)
    mark = audio.prepare(RATE, 2, kind=kind, lang=lang, short=short, mode=mode, place=place)
    out, [(start, end)] = streamed(sound, mark, [RATE])
    assert len(out) == len(sound) + round(mark.added * RATE)
    report = audio.detect(out, RATE)
    assert report.state is State.PRESENT
    assert [e.text for e in report.evidence] == found
    first, last = report.evidence[0], report.evidence[-1]
    assert first.time is not None and last.time is not None
    assert first.time[0] == pytest.approx(start, abs=0.05) and last.time[1] == pytest.approx(end, abs=0.05)
    length = len(out) / RATE
    expected = {
        "start": BEFORE if mode == "insert" else LEAD,
        "end": length - (AFTER if mode == "insert" else LEAD) - mark.seconds,
        "7.5": 7.5 + (BEFORE if mode == "insert" else 0),
    }[place]
    assert start == pytest.approx(expected, abs=0.001)
    for evidence in report.evidence:
        assert evidence.kind == ("labeler-rhythm" if evidence.text == rhythm.TEXT else "labeler-speech")
        assert evidence.score > 0.8


@pytest.mark.parametrize("mode", ["mix", "insert"])
def test_a_stream_gets_the_same_mark_as_the_whole(mode: str) -> None:
    sound = programme(30, channels=2)
    mark = audio.prepare(RATE, 2, kind="rhythm", mode=mode, place="both", loudness=-20)
    whole = audio.apply(sound, mark)
    out, spans = streamed(sound, mark, [1, 7, 4096, 0, 30000, 513])
    assert len(spans) == 2
    np.testing.assert_array_equal(out, whole)


@pytest.mark.parametrize("rate", [100, 4000, 6000, 8000, 11025, 22050, 44099, 192000])
def test_every_rate_is_searched(rate: int) -> None:
    if rate < 4000:
        assert audio.detect(np.full((2000, 1), 0.1, np.float32), rate).state is State.ABSENT
        return
    sound = programme(9, rate, 1)
    out, [(start, _)] = streamed(sound, audio.prepare(rate, 1, kind="both", lang="en"), [rate])
    evidence = audio.detect(out, rate).evidence
    assert [e.text for e in evidence] == [rhythm.TEXT, speech.PROMPTS["en"]]
    assert evidence[0].time is not None and abs(evidence[0].time[0] - start) < 0.05


def test_a_stream_is_searched_like_the_whole() -> None:
    mark = audio.prepare(RATE, 1, kind="rhythm", place="both")
    out = audio.apply(programme(80), mark)
    seeker = audio.Seeker(RATE, 1)
    for at in range(0, len(out), 12345):
        seeker.push(out[at : at + 12345])
    streamed_report, report = seeker.finish(), audio.detect(out, RATE)
    assert len(report.evidence) == 2
    for one, other in zip(streamed_report.evidence, report.evidence, strict=True):
        assert one.time == pytest.approx(other.time, abs=0.02) and one.score == pytest.approx(
            other.score, abs=0.02
        )


@pytest.mark.parametrize("seconds", [27, 29, 30, 31, 32, 33, 59, 61])
def test_a_mark_at_the_end_is_found_whatever_the_length(seconds: int) -> None:
    mark = audio.prepare(RATE, 1, kind="both", place="end", mode="insert")
    out = audio.apply(programme(seconds - mark.added), mark)
    found = [evidence.text for evidence in audio.detect(out, RATE).evidence]
    assert found == [rhythm.TEXT, speech.PROMPTS["zh"], speech.PROMPTS["en"]]


def test_nothing_but_the_place_changes() -> None:
    sound = programme(20, channels=2)
    mark = audio.prepare(RATE, 2, kind="rhythm", place="8")
    out, [(start, end)] = streamed(sound, mark, [RATE])
    a, b = round((start - RAMP) * RATE), round((end + RAMP) * RATE)
    np.testing.assert_array_equal(out[:a], sound[:a])
    np.testing.assert_array_equal(out[b:], sound[b:])
    silent = (round(start * RATE) + round((1.5 + 11) * rhythm.UNIT * RATE)) + np.arange(RATE // 10)
    np.testing.assert_allclose(
        out[silent], sound[silent] * 10 ** (-DUCK / 20), atol=1e-6
    )  # between the repeats


def test_an_inserted_mark_leaves_the_programme_whole() -> None:
    sound = programme(12)
    mark = audio.prepare(RATE, 1, kind="rhythm", mode="insert", place="5")
    out = audio.apply(sound, mark)
    cut, more, fade = 5 * RATE, round(mark.added * RATE), RATE // 100
    np.testing.assert_array_equal(out[: cut - fade], sound[: cut - fade])
    np.testing.assert_array_equal(out[cut + more + fade :], sound[cut + fade :])
    assert not out[cut : cut + round(BEFORE * RATE)].any()


@pytest.mark.parametrize("level", [-30.0, -20.0, -14.0])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_the_level_follows_the_programme(level: float, channels: int) -> None:
    rate = 48000
    sound = programme(12, rate, channels, level)
    for kind, target in (("speech", audio.SPEECH_LEVEL), ("rhythm", audio.RHYTHM_LEVEL)):
        mark = audio.prepare(rate, channels, kind=kind, lang="zh", mode="insert", place="4")
        out, [(start, end)] = streamed(sound, mark, [rate])
        heard = out[round(start * rate) : round(end * rate)]
        if kind == "rhythm":  # the tone while it sounds: the long one, 2 to 5 units in
            heard = heard[round(2.2 * rhythm.UNIT * rate) : round(4.8 * rhythm.UNIT * rate)]
        assert loudness(heard, rate) - level == pytest.approx(target, abs=1.0)


@pytest.mark.parametrize(("channels", "level"), [(1, -30.0), (1, -13.0), (2, -10.0)])
def test_a_mixed_mark_has_its_level_and_the_programme_steps_back(channels: int, level: float) -> None:
    sound = programme(14, RATE, channels, level)
    sound *= min(1.0, 1 / np.abs(sound).max())
    for kind in ("speech", "rhythm"):
        mark = audio.prepare(RATE, channels, kind=kind, lang="zh", place="5")
        out, [(start, _)] = streamed(sound, mark, [RATE])
        span = slice(round(start * RATE), round(start * RATE) + len(mark.signal))
        parts = np.stack([sound[span, 0], mark.signal], axis=1).astype(float)
        (duck, gain), *_ = np.linalg.lstsq(parts, out[span, 0].astype(float), rcond=None)
        around = sound[span.start - 3 * RATE : span.stop + 3 * RATE]
        assert 20 * np.log10(gain) == pytest.approx(loudness(around, RATE), abs=1.0), kind  # 0 LUFS at gain 1
        assert 20 * np.log10(duck) <= -DUCK + 0.1


def test_loud_programmes_are_not_clipped_and_step_back_further() -> None:
    rng = np.random.default_rng(1)
    loud = np.clip(rng.normal(size=(12 * RATE, 2)), -1, 1).astype(np.float32)
    for kind in ("speech", "rhythm"):
        mark = audio.prepare(RATE, 2, kind=kind, place="4")
        out, [(start, end)] = streamed(loud, mark, [RATE])
        span = slice(round(start * RATE), round(end * RATE))
        assert np.abs(out[span]).max() <= CEILING + 1e-6
        kept = np.dot(out[span].ravel(), loud[span].ravel()) / np.dot(loud[span].ravel(), loud[span].ravel())
        assert kept < 10 ** (-DUCK / 20)
        assert audio.detect(out, RATE).state is State.PRESENT
    inserted = audio.apply(loud, audio.prepare(RATE, 2, mode="insert"))
    assert np.abs(inserted[: 3 * RATE]).max() <= CEILING + 1e-6


def test_edges_do_not_click() -> None:
    """A low tone all along, marked: what sounds above 4 kHz for a moment stays 80 dB below it."""
    rate = 48000
    low = 0.3 * np.sin(2 * np.pi * 90 * np.arange(12 * rate) / rate).astype(np.float32)[:, None]
    for mode, place in itertools.product(("mix", "insert"), ("start", "end", "4.0123")):
        mark = audio.prepare(rate, 1, kind="rhythm", mode=mode, place=place)
        out = audio.apply(low, mark)
        padded = np.concatenate([np.zeros((rate, 1), np.float32), out, np.zeros((rate, 1), np.float32)])
        inner = splash(padded, rate, 4000)[251 + 10 : -251 - 10]  # the programme's own hard ends are not ours
        assert inner.max() < -13 - 80, (mode, place)
    for name in speech.PROMPTS:
        prompt = speech.prompt(name, rate)
        assert np.abs(prompt[[0, -1]]).max() < 1e-3


def test_short_programmes_get_the_mark_inserted() -> None:
    for place, seconds in itertools.product(("start", "end", "both", "0.5"), (0.0, 0.2, 2.0)):
        mark = audio.prepare(RATE, 1, kind="rhythm", place=place)
        sound = programme(2.0)[: round(seconds * RATE)]
        out, spans = streamed(sound, mark, [1000])
        assert len(spans) == 1, (place, seconds)
        assert len(out) == len(sound) + round((mark.seconds + BEFORE + AFTER) * RATE)
        assert audio.detect(out, RATE).state is State.PRESENT


def test_silence_and_broken_numbers() -> None:
    sound = np.zeros((10 * RATE, 1), np.float32)
    mark = audio.prepare(RATE, 1, kind="rhythm")
    assert 0.005 < np.abs(audio.apply(sound, mark)).max() < 0.05
    assert audio.detect(sound, RATE).state is State.ABSENT
    sound[5] = np.nan
    sound[[2 * RATE, 9 * RATE]] = np.inf
    out = audio.apply(sound, mark)
    assert audio.detect(out, RATE).state is State.PRESENT
    assert audio.detect(np.zeros((0, 2), np.float32), RATE).state is State.ABSENT


def test_one_channel_turned_over_hides_nothing() -> None:
    out = audio.apply(programme(10, channels=2), audio.prepare(RATE, 2, kind="both"))
    out[:, 1] *= -1
    assert len(audio.detect(out, RATE).evidence) == 3


def test_a_wide_programme_hides_nothing() -> None:
    """What is louder in the difference of the channels than in their sum, before and after the mark."""
    low, high = programme(20, seed=1)[:, 0], programme(20, seed=2)[:, 0]
    wide = np.stack([low + 0.2 * high, -low + 0.2 * high], axis=1)
    out = audio.apply(wide, audio.prepare(RATE, 2, kind="both", loudness=loudness(wide, RATE)))
    assert len(audio.detect(out, RATE).evidence) == 3


def test_a_prompt_of_ones_own() -> None:
    rng = np.random.default_rng(2)
    own = rng.normal(size=2 * RATE).astype(np.float32)
    mark = audio.prepare(RATE, 1, prompt=own, mode="insert")
    assert mark.seconds == 2.0 and mark.text == "own prompt"
    sound = programme(10)
    out, [(start, end)] = streamed(sound, mark, [RATE])
    assert loudness(out[round(start * RATE) : round(end * RATE)], RATE) == pytest.approx(-20, abs=1)
    for bad in (np.zeros(100), np.full(100, np.nan), np.ones((3, 2)), np.zeros(0), np.ones(31 * RATE)):
        with pytest.raises(UsageError):
            audio.prepare(RATE, 1, prompt=bad.astype(np.float32))


def test_calls_that_make_no_sense() -> None:
    for wrong in (
        {"kind": "song"}, {"lang": "fr"}, {"place": "middle"}, {"place": "-1"}, {"place": "nan"}, {"place": "inf"},
        {"place": "9", "duration": 8.0}, {"mode": "over"},
        {"loudness": float("nan")},
    ):  # fmt: skip
        with pytest.raises(UsageError):
            audio.prepare(RATE, 1, **wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        audio.prepare(100, 1)
    with pytest.raises(UsageError):
        audio.apply(programme(1, channels=2), audio.prepare(RATE, 1))


def test_memory_is_bounded() -> None:
    mark = audio.prepare(RATE, 1, kind="rhythm", place="end")
    marker, seeker = audio.Marker(mark), audio.Seeker(RATE, 1)
    block = programme(10)
    most = 0
    for _ in range(30):
        marker.push(block)
        seeker.push(block)
        most = max(most, sum(map(len, marker._held)))
    assert most < 18 * RATE
    assert len(seeker._rows) < 6000 and seeker._features._rest.size < RATE
    assert len(marker.flush()) < 18 * RATE and len(marker.spans) == 1


def test_one_wrong_letter_or_word_is_no_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = np.zeros(RATE, np.float32)
    for units, found in (((1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1), 1), ((1, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1), 0)):
        monkeypatch.setattr(rhythm, "UNITS", units)
        shape = rhythm.envelope(RATE, margin=1)
        monkeypatch.undo()
        keyed = np.concatenate([quiet, 0.3 * shape * rhythm.tone(RATE, len(shape)), quiet])[:, None]
        assert len(audio.detect(keyed.astype(np.float32), RATE).evidence) == found, units
    for name, (first, last) in {"zh": (1.6, 2.1), "en": (0.9, 1.3)}.items():
        prompt = speech.prompt(name, RATE).copy()
        right = audio.detect(np.concatenate([quiet, prompt, quiet])[:, None], RATE)
        assert [e.text for e in right.evidence] == [speech.PROMPTS[name]]
        word = slice(round(first * RATE), round(last * RATE))
        prompt[word] = 0.2 * np.sin(2 * np.pi * 500 * np.arange(word.stop - word.start) / RATE)
        wrong = audio.detect(np.concatenate([quiet, prompt, quiet])[:, None], RATE)
        assert speech.PROMPTS[name] not in [e.text for e in wrong.evidence]


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_found_where_nothing_is(seed: int) -> None:
    rng = np.random.default_rng([5, seed])
    noise = (0.1 * rng.normal(size=(60 * RATE, 2))).astype(np.float32)
    keyed = np.repeat(rng.integers(0, 2, 500), round(rhythm.UNIT * RATE))
    beeps = (0.3 * keyed * rhythm.tone(RATE, len(keyed))).astype(np.float32)[:, None]
    for sound in (programme(60, seed=seed), noise, beeps):
        assert audio.detect(sound, RATE).state is State.ABSENT


@pytest.mark.parametrize("clip", ["m_glock", "m_spl", "s01_jfk", "s07_czech"])
def test_real_sound_in_noise(clip: str) -> None:
    if not CLIPS.is_dir():
        pytest.skip("the shared clips are not here")
    path = CLIPS / f"{clip}.flac"
    data = ffmpeg.run(
        ffmpeg.source(path, "flac").output("pipe:", format="f32le", acodec="pcm_f32le", ar=48000, ac=2, t=10)
    )
    sound = np.frombuffer(data, "<f4").reshape(-1, 2)
    assert audio.detect(sound, 48000).state is State.ABSENT
    out, [(start, _)] = streamed(sound, audio.prepare(48000, 2, kind="both", lang="en", place="0.5"), [48000])
    assert (
        len(out) == len(sound) and np.abs(out[: 9 * 48000]).max() <= max(CEILING, np.abs(sound).max()) + 1e-6
    )
    power = float((out**2).mean())
    out = out + np.random.default_rng(3).normal(size=out.shape) * np.sqrt(power / 100)
    report = audio.detect(out.astype(np.float32), 48000)
    assert [e.text for e in report.evidence] == [rhythm.TEXT, speech.PROMPTS["en"]]
    assert report.evidence[0].time is not None and abs(report.evidence[0].time[0] - start) < 0.05
