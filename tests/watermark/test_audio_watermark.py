from __future__ import annotations

import hashlib
from fractions import Fraction

import numpy as np
import pytest

from labeler.core.keys import PUBLIC_KEY, WatermarkKey
from labeler.errors import UsageError
from labeler.types import State
from labeler.watermark.audio import CannotMark, Detector, Embedder, detect, embed
from labeler.watermark.sound.judge import FREE, Judge
from labeler.watermark.sound.layout import SoundLayout
from labeler.watermark.sound.localise import stretches
from labeler.watermark.sound.profile import BANDS, COLUMNS, PURPOSE, SYNC_BANDS
from labeler.watermark.sound.reading import Look
from labeler.watermark.sound.resample import Resampler, ratio_of

PAYLOAD = bytes.fromhex("140123456789abcd")
PRIVATE = WatermarkKey.from_secret(bytes(range(32)))


def sound(seconds: float, rate: int = 16000, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Something like speech: a gliding buzz and hiss through slow gates, over a soft floor."""
    rng = np.random.default_rng(seed)
    size = int(seconds * rate)
    time = np.arange(size) / rate
    pitch = 120 + 30 * np.sin(2 * np.pi * 0.7 * time + seed)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    top = int(min(rate / 2, 7000) / 160)
    buzz = sum(np.sin(k * phase) / k**0.8 for k in range(1, top))
    knots = rng.uniform(0, 1, int(seconds * 6) + 3) ** 2
    gate = np.interp(time * 6, np.arange(len(knots)), knots)
    hiss = np.interp(time * 5, np.arange(len(knots)), knots[::-1]) * rng.standard_normal(size)
    mono = 0.1 * buzz * gate + 0.03 * hiss + 0.001 * rng.standard_normal(size)
    side = 0.02 * rng.standard_normal((size, channels)) * (channels > 1)
    return (mono[:, None] * np.linspace(1, 0.7, channels) + side).astype(np.float32)


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    return sound(10)


@pytest.fixture(scope="module")
def marked(clip: np.ndarray) -> np.ndarray:
    return embed(clip, 16000, PAYLOAD, PRIVATE).samples


def test_layout_is_frozen() -> None:
    layout = SoundLayout.of(PUBLIC_KEY.derive(PURPOSE))
    assert layout.signs.shape == (BANDS, COLUMNS)
    assert (np.count_nonzero(layout.sync, axis=0) == SYNC_BANDS).all()
    counts = np.bincount(layout.bit[layout.bit < 384])
    assert (counts.min(), counts.max()) == (21, 22)
    text = layout.signs.astype(np.int8).tobytes() + layout.bit.astype("<i2").tobytes()
    assert hashlib.sha256(text).hexdigest() == LAYOUT_SHA256


LAYOUT_SHA256 = "0b4713da107279c72d67863f70d4d34329f516b57cfda0fcadeec54ca46a1220"


def test_payload_key_and_place_are_read(clip: np.ndarray, marked: np.ndarray) -> None:
    assert marked.shape == clip.shape
    assert marked.dtype == np.float32
    noise = 10 * np.log10((clip**2).sum() / ((marked - clip) ** 2).sum())
    assert 25 < noise < 45
    report = detect(marked, 16000, [PUBLIC_KEY, PRIVATE])
    assert report.state is State.PRESENT
    assert report.payload == PAYLOAD.hex()
    assert report.mark_id == PAYLOAD.hex()[2:]
    assert report.key_id == PRIVATE.key_id
    assert report.log10_p is not None
    assert report.log10_p < -20
    assert len(report.segments) == 1
    assert report.segments[0].start < 0.3
    assert report.segments[0].end > 9.7


def test_unmarked_and_wrong_key_are_absent(clip: np.ndarray, marked: np.ndarray) -> None:
    assert detect(clip, 16000, [PUBLIC_KEY, PRIVATE]).state is State.ABSENT
    report = detect(marked, 16000, [PUBLIC_KEY])
    assert report.state is State.ABSENT
    assert report.geometry == {"search": "lines"}
    assert detect(clip, 16000, [PUBLIC_KEY], quick=True).geometry == {"search": "quick"}


def test_stream_equals_whole(clip: np.ndarray, marked: np.ndarray) -> None:
    embedder = Embedder(16000, 1, PAYLOAD, PRIVATE)
    sizes = [1, 0, 999, 40_000, 7, 100_000]
    pieces, at = [], 0
    for size in [*sizes, len(clip)]:
        pieces.append(embedder.push(clip[at : at + size]))
        at += size
    pieces.append(embedder.flush())
    streamed = np.concatenate(pieces)
    assert streamed.shape == clip.shape
    assert np.abs(streamed - marked).max() < 1e-5
    assert embedder.weak == ""
    detector = Detector(16000, 1, [PRIVATE])
    for start in range(0, len(clip), 3001):
        detector.push(marked[start : start + 3001])
    assert detector.finish() == detect(marked, 16000, [PRIVATE])


@pytest.mark.parametrize(
    ("rate", "channels"), [(8000, 1), (11025, 1), (22050, 2), (44100, 2), (48000, 6), (44099, 1), (96000, 1)]
)
def test_rates_and_channels(rate: int, channels: int) -> None:
    samples = sound(5, rate, channels, seed=rate)
    marked = embed(samples, rate, PAYLOAD, PUBLIC_KEY)
    assert marked.samples.shape == samples.shape
    assert detect(marked.samples, rate, [PUBLIC_KEY]).payload == PAYLOAD.hex()


def test_only_the_bands_are_changed() -> None:
    samples = sound(6, 44100)
    change = (embed(samples, 44100, PAYLOAD, PUBLIC_KEY).samples - samples)[:, 0]
    power = np.abs(np.fft.rfft(change)) ** 2
    frequency = np.fft.rfftfreq(len(change), 1 / 44100)
    outside = power[(frequency < 300) | (frequency > 5600)].sum()
    assert 10 * np.log10(outside / power.sum()) < -45


def test_changed_speed_is_found_and_told(marked: np.ndarray) -> None:
    resampler = Resampler(Fraction(100, 103), 1)
    fast = np.concatenate([resampler.push(marked.T.copy()), resampler.flush()], axis=1).T
    report = detect(fast, 16000, [PRIVATE])
    assert report.payload == PAYLOAD.hex()
    assert report.geometry["tempo"] == pytest.approx(1.03, abs=0.001)
    assert report.geometry["pitch"] == pytest.approx(1.03, abs=0.005)
    assert detect(fast, 16000, [PRIVATE], quick=True).payload == ""


def test_drifting_clock() -> None:
    samples = sound(60)
    marked = embed(samples, 16000, PAYLOAD, PRIVATE).samples[:, 0]
    at = np.arange(int(60 * 16000 / 1.0004)) * 1.0004
    drifted = np.interp(at, np.arange(len(marked)), marked).astype(np.float32)[:, None]
    report = detect(drifted, 16000, [PRIVATE], quick=True)
    assert report.payload == PAYLOAD.hex()
    assert report.geometry["tempo"] == pytest.approx(1.0004, abs=1e-4)


def test_two_marks_and_an_unmarked_middle(clip: np.ndarray, marked: np.ndarray) -> None:
    other = embed(sound(10, seed=5), 16000, bytes(8), PRIVATE).samples
    both = np.concatenate([marked[: 6 * 16000], clip[6 * 16000 : 9 * 16000], other[16000 : 8 * 16000]])
    report = detect(both, 16000, [PRIVATE])
    assert [part.payload for part in report.segments] == [PAYLOAD.hex(), bytes(8).hex()]
    first, second = report.segments
    assert first.end == pytest.approx(6, abs=0.3)
    assert second.start == pytest.approx(9, abs=0.3)
    assert second.end == pytest.approx(16, abs=0.3)


def test_insert_in_minutes_of_other_sound() -> None:
    host = sound(120, seed=3)
    insert = embed(sound(8, seed=4), 16000, PAYLOAD, PUBLIC_KEY).samples
    start = 71 * 16000
    host[start : start + len(insert)] = insert
    report = detect(host, 16000, [PUBLIC_KEY], quick=True)
    assert report.payload == PAYLOAD.hex()
    assert len(report.segments) == 1
    assert report.segments[0].start == pytest.approx(71, abs=0.3)
    assert report.segments[0].end == pytest.approx(79, abs=0.3)


def test_opposite_phase_and_mono() -> None:
    samples = sound(6, 16000, 2, seed=8)
    marked = embed(samples, 16000, PAYLOAD, PUBLIC_KEY).samples
    assert detect(marked.mean(axis=1, keepdims=True), 16000, [PUBLIC_KEY]).payload == PAYLOAD.hex()
    opposite = np.stack([marked[:, 0], -marked[:, 0]], axis=1)
    assert detect(opposite, 16000, [PUBLIC_KEY]).payload == PAYLOAD.hex()
    assert embed(opposite, 16000, PAYLOAD, PUBLIC_KEY).samples.shape == opposite.shape


def test_telephone_bandwidth_and_noise(marked: np.ndarray) -> None:
    down, up = Resampler(Fraction(1, 2), 1), Resampler(Fraction(2), 1)
    narrow = np.concatenate([down.push(marked.T.copy()), down.flush()], axis=1)
    wide = np.concatenate([up.push(narrow), up.flush()], axis=1)[:, : len(marked)].T
    assert detect(wide, 16000, [PRIVATE]).payload == PAYLOAD.hex()
    noise = np.random.default_rng(1).standard_normal(marked.shape) * np.sqrt((marked**2).mean()) * 0.1
    assert detect(marked + noise.astype(np.float32), 16000, [PRIVATE]).payload == PAYLOAD.hex()


def test_files_of_one_payload_differ_in_their_pattern() -> None:
    words = {Embedder(16000, 1, PAYLOAD, PRIVATE)}
    patterns = []
    for seed in (11, 12):
        embedder = Embedder(16000, 1, PAYLOAD, PRIVATE)
        embedder.push(sound(5, seed=seed))
        embedder.flush()
        choice = embedder._marker._choice
        assert choice is not None
        assert choice.score > 2.5
        patterns.append(choice.pattern)
    assert words
    assert abs(float((patterns[0] * patterns[1]).mean())) < 0.2


@pytest.mark.parametrize("size", [0, 1, 100, 8000])
def test_short_sounds(size: int) -> None:
    samples = sound(1)[:size]
    embedder = Embedder(16000, 1, PAYLOAD, PUBLIC_KEY)
    out = np.concatenate([embedder.push(samples), embedder.flush()])
    assert out.shape == samples.shape
    assert embedder.weak
    assert detect(samples, 16000, [PUBLIC_KEY]).state is State.CANNOT_TELL
    with pytest.raises(CannotMark):
        embed(samples, 16000, PAYLOAD, PUBLIC_KEY)


def test_silence_and_low_rates() -> None:
    silence = np.zeros((5 * 16000, 2), np.float32)
    with pytest.raises(CannotMark, match="silent"):
        embed(silence, 16000, PAYLOAD, PUBLIC_KEY)
    embedder = Embedder(16000, 2, PAYLOAD, PUBLIC_KEY)
    out = np.concatenate([embedder.push(silence), embedder.flush()])
    assert not out.any()
    assert "silent" in embedder.weak
    report = detect(silence, 16000, [PUBLIC_KEY])
    assert report.state is State.CANNOT_TELL
    assert "silent" in report.reason
    with pytest.raises(CannotMark, match="6000"):
        Embedder(6000, 1, PAYLOAD, PUBLIC_KEY)
    with pytest.raises(UsageError):
        Embedder(16000, 1, PAYLOAD, PUBLIC_KEY, strength="loud")


def test_digital_silence_stays_silent() -> None:
    samples = sound(6)
    samples[2 * 16000 : 4 * 16000] = 0
    change = embed(samples, 16000, PAYLOAD, PUBLIC_KEY).samples - samples
    assert np.abs(change[int(2.2 * 16000) : int(3.97 * 16000)]).max() < 1e-5


def test_absurd_samples_do_not_spread() -> None:
    samples = sound(6)
    samples[100] = np.nan
    samples[200] = np.inf
    samples[300] = -1e30
    marked = embed(samples, 16000, PAYLOAD, PUBLIC_KEY).samples
    assert np.isfinite(marked[1000:]).all()
    assert detect(marked, 16000, [PUBLIC_KEY]).payload == PAYLOAD.hex()


def test_bass_gets_its_mark_where_little_is() -> None:
    rng = np.random.default_rng(2)
    time = np.arange(8 * 16000) / 16000
    bass = 0.5 * np.sin(2 * np.pi * 90 * time) * (1 + 0.3 * np.sin(2 * np.pi * 2 * time))
    samples = (bass + 0.004 * rng.standard_normal(len(time))).astype(np.float32)[:, None]
    marked = embed(samples, 16000, PAYLOAD, PUBLIC_KEY)
    assert marked.snr > 40
    assert detect(marked.samples, 16000, [PUBLIC_KEY]).payload == PAYLOAD.hex()


@pytest.mark.parametrize("rate", [8000, 11025, 44099, 44100, 48000, 192000])
def test_resampler_round_trip(rate: int) -> None:
    ratio = ratio_of(rate)
    time = np.arange(rate) / rate
    wave = sum(np.sin(2 * np.pi * f * time + f) for f in (440, 1234, 3300)).astype(np.float32)[None]
    down, up = Resampler(ratio, 1), Resampler(1 / ratio, 1)
    there = np.concatenate([down.push(wave[:, :1000]), down.push(wave[:, 1000:]), down.flush()], axis=1)
    back = np.concatenate([up.push(there), up.flush()], axis=1)[:, : wave.shape[1]]
    inside = slice(rate // 10, -rate // 10)
    error = (back - wave)[:, inside]
    assert 10 * np.log10((error**2).mean() / (wave**2).mean()) < -80


def test_stretches_are_the_best_segmentation() -> None:
    ratio = np.full(300, -1.0, np.float32)
    ratio[50:120] = 1
    ratio[80:85] = -1
    ratio[200:206] = 1
    assert stretches(ratio, 14.0) == [(50, 120)]
    assert stretches(-ratio[:10], 20.0) == []


def test_judge_counts_decodings() -> None:
    judge = Judge()
    word = np.zeros(384, np.uint8)
    weak = Look(payload=bytes(8), word=word, rho=9.0)
    clear = Look(payload=bytes(8), word=word, rho=14.0)
    results = [judge.accept(weak) for _ in range(FREE + 1)]
    assert all(result is not None and result < -6.2 for result in results[:FREE])
    assert results[FREE] is None
    sure = judge.accept(clear)
    assert sure is not None
    assert sure < -6.4
    assert judge.accept(Look(payload=None, word=word, rho=99.0)) is None
