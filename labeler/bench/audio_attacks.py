"""What happens to sound on its way: named, parameterised, seeded functions from samples to samples.

Codecs and most filters are ffmpeg's (:mod:`labeler.media.ffmpeg`). GSM full rate and Speex are not in the bundled
ffmpeg: they go through ``libgsm`` and ``libspeex`` where the system has them, else the attack is left out.
"""

from __future__ import annotations

import ctypes
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from labeler.errors import DependencyMissing, UsageError
from labeler.media import ffmpeg as process

__all__ = ["OPERATIONS", "Scene", "SoundAttack", "load_grid"]

Floats: TypeAlias = npt.NDArray[np.float32]
DEFAULT_GRID = Path(__file__).with_name("audio.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A sound under attack.

    Attributes:
        samples: (n, channels), full scale 1.
        rate: Hz.
        original: the unmarked sound, as long as the marked one was.
        speech: (k,) another sound of speech at the same rate, for beds.
        music: (k,) another sound of music at the same rate.
    """

    samples: Floats
    rate: int
    original: Floats
    speech: Floats
    music: Floats

    def with_samples(self, samples: Floats) -> Scene:
        """The same with other samples."""
        return replace(self, samples=np.ascontiguousarray(samples, np.float32))


Operation: TypeAlias = Callable[..., Scene]
OPERATIONS: dict[str, Operation] = {}
"""All operations by name."""


def operation(function: Operation) -> Operation:
    """Register an operation under its name, underscores as hyphens."""
    OPERATIONS[function.__name__.strip("_").replace("_", "-")] = function
    return function


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundAttack:
    """A named chain of operations.

    Attributes:
        name: as printed.
        steps: pairs of operation name and its parameters.
        group: heading in the table.
        bar: smallest share of sounds that must be read, 0..1, or None.
        seconds: length of the sound that is marked.
    """

    name: str
    steps: tuple[tuple[str, Mapping[str, Any]], ...]
    group: str = ""
    bar: float | None = None
    seconds: float = 10.0

    def __call__(self, scene: Scene, *, seed: int = 0) -> Scene:
        """Apply the chain; the seed decides noise and random places.

        Raises:
            DependencyMissing: a codec is not there.
        """
        for number, (name, parameters) in enumerate(self.steps):
            scene = OPERATIONS[name](scene, np.random.default_rng([seed, number]), **parameters)
        return scene


def load_grid(path: Path | str | None = None, *, names: Sequence[str] = ()) -> list[SoundAttack]:
    """Read a grid of attacks from a TOML file of ``[[attack]]`` tables; ``names`` keeps some of them.

    Raises:
        UsageError: the file is not such a grid.
    """
    file = Path(path) if path is not None else DEFAULT_GRID
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))["attack"]
        attacks = []
        for table in tables:
            steps = [(step.pop("op"), step) for step in map(dict, table.pop("steps"))]
            unknown = [name for name, _ in steps if name not in OPERATIONS]
            if unknown:
                raise UsageError(f"unknown operation {unknown[0]!r}.")
            attacks.append(SoundAttack(steps=tuple(steps), **table))
    except (OSError, KeyError, TypeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{file} is no grid of attacks: {error}.") from error
    return [attack for attack in attacks if not names or attack.name in names]


def convert(
    samples: Floats,
    rate: int,
    *,
    filters: Sequence[tuple[str, Sequence[Any], Mapping[str, Any]]] = (),
    options: Mapping[str, Any] | None = None,
    suffix: str = "",
) -> Floats:
    """Send samples through ffmpeg: filters, then an encoder and back if ``suffix`` names a container."""
    import ffmpeg

    channels = samples.shape[1]
    with tempfile.TemporaryDirectory(prefix="labeler-") as folder:
        raw = Path(folder) / "in.f32"
        raw.write_bytes(np.ascontiguousarray(samples, "<f4").tobytes())
        stream = process.source(raw, "f32le", ar=rate, ac=channels)
        for name, arguments, named in filters:
            stream = stream.filter(name, *arguments, **named)
        if suffix:
            coded = Path(folder) / f"coded.{suffix}"
            process.run(stream.output(f"file:{coded}", **(options or {})))
            demuxer = {"m4a": "mov", "opus": "ogg"}.get(suffix, suffix)
            stream = process.source(coded, demuxer, **_raw_options(suffix))
        out = process.run(
            ffmpeg.output(stream, "pipe:", format="f32le", acodec="pcm_f32le", ar=rate, ac=channels),
            limit=1 << 30,
        )
    return np.frombuffer(out, "<f4").reshape(-1, channels).astype(np.float32)


def _raw_options(suffix: str) -> dict[str, Any]:
    return {"ar": 8000, "ac": 1} if suffix == "mulaw" else {}


_CODECS: dict[str, tuple[str, dict[str, Any]]] = {
    "mp3": ("mp3", {"acodec": "libmp3lame"}),
    "aac": ("m4a", {"acodec": "aac"}),
    "opus": ("opus", {"acodec": "libopus"}),
    "amr-nb": ("amr", {"acodec": "libopencore_amrnb", "ar": 8000, "ac": 1}),
    "g722": ("g722", {"acodec": "g722", "ar": 16000, "ac": 1}),
    "g711": ("mulaw", {"acodec": "pcm_mulaw", "ar": 8000, "ac": 1, "format": "mulaw"}),
}


@operation
def codec(scene: Scene, _: np.random.Generator, *, name: str, kbps: float = 0) -> Scene:
    """Encode and decode; ``kbps`` where the codec has a choice."""
    suffix, options = _CODECS[name]
    options = dict(options)
    if kbps:
        options["audio_bitrate"] = f"{kbps:g}k"
    return scene.with_samples(convert(scene.samples, scene.rate, suffix=suffix, options=options))


@operation
def telephone(scene: Scene, _: np.random.Generator, *, name: str, quality: int = 5) -> Scene:
    """GSM full rate or Speex narrow-band at 8 kHz through the system's libraries."""
    narrow = convert_rate(scene.samples.mean(axis=1, keepdims=True), scene.rate, 8000)
    numbers = np.clip(np.rint(narrow[:, 0] * 32767), -32768, 32767).astype(np.int16)
    frames = np.zeros(-(-len(numbers) // 160) * 160, np.int16)
    frames[: len(numbers)] = numbers
    coded = _gsm(frames) if name == "gsm" else _speex(frames, quality)
    wide = convert_rate((coded[:, None] / 32768).astype(np.float32), 8000, scene.rate)
    return scene.with_samples(np.repeat(wide, scene.samples.shape[1], axis=1))


def convert_rate(samples: Floats, rate: int, to: int) -> Floats:
    """Resample with ffmpeg."""
    import ffmpeg

    with tempfile.TemporaryDirectory(prefix="labeler-") as folder:
        raw = Path(folder) / "in.f32"
        raw.write_bytes(np.ascontiguousarray(samples, "<f4").tobytes())
        stream = process.source(raw, "f32le", ar=rate, ac=samples.shape[1])
        out = process.run(ffmpeg.output(stream, "pipe:", format="f32le", ar=to), limit=1 << 30)
    return np.frombuffer(out, "<f4").reshape(-1, samples.shape[1]).astype(np.float32)


def _library(*names: str) -> ctypes.CDLL:
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise DependencyMissing(f"there is no {names[0]}.", remedy="Install it to measure this attack.")


def _gsm(numbers: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """GSM 06.10 and back, in frames of 160 samples."""
    library = _library("libgsm.so.1", "libgsm.so")
    library.gsm_create.restype = ctypes.c_void_p
    handles = [ctypes.c_void_p(library.gsm_create()) for _ in range(2)]
    frame = (ctypes.c_ubyte * 33)()
    out = np.zeros_like(numbers)
    for start in range(0, len(numbers), 160):
        part = np.ascontiguousarray(numbers[start : start + 160])
        library.gsm_encode(handles[0], part.ctypes.data_as(ctypes.c_void_p), frame)
        library.gsm_decode(handles[1], frame, out[start:].ctypes.data_as(ctypes.c_void_p))
    for handle in handles:
        library.gsm_destroy(handle)
    return out


class _SpeexBits(ctypes.Structure):
    _fields_ = (
        ("chars", ctypes.c_void_p),
        ("bits", ctypes.c_int),
        ("char_place", ctypes.c_int),
        ("bit_place", ctypes.c_int),
        ("owner", ctypes.c_int),
        ("overflow", ctypes.c_int),
        ("size", ctypes.c_int),
        ("reserved1", ctypes.c_int),
        ("reserved2", ctypes.c_void_p),
    )


def _speex(numbers: npt.NDArray[np.int16], quality: int) -> npt.NDArray[np.int16]:
    """Speex narrow-band and back; quality 5 is 11 kbit/s."""
    library = _library("libspeex.so.1", "libspeex.so")
    for name in ("speex_encoder_init", "speex_decoder_init", "speex_lib_get_mode"):
        getattr(library, name).restype = ctypes.c_void_p
    mode = ctypes.c_void_p(library.speex_lib_get_mode(0))
    encoder = ctypes.c_void_p(library.speex_encoder_init(mode))
    decoder = ctypes.c_void_p(library.speex_decoder_init(mode))
    value = ctypes.c_int(quality)
    library.speex_encoder_ctl(encoder, 4, ctypes.byref(value))  # SPEEX_SET_QUALITY
    bits = _SpeexBits()
    library.speex_bits_init(ctypes.byref(bits))
    back = _SpeexBits()
    library.speex_bits_init(ctypes.byref(back))
    room = (ctypes.c_char * 200)()
    out = np.zeros_like(numbers)
    for start in range(0, len(numbers), 160):
        part = np.ascontiguousarray(numbers[start : start + 160])
        library.speex_bits_reset(ctypes.byref(bits))
        library.speex_encode_int(encoder, part.ctypes.data_as(ctypes.c_void_p), ctypes.byref(bits))
        size = library.speex_bits_write(ctypes.byref(bits), room, 200)
        library.speex_bits_read_from(ctypes.byref(back), room, size)
        library.speex_decode_int(decoder, ctypes.byref(back), out[start:].ctypes.data_as(ctypes.c_void_p))
    return out


@operation
def narrow(scene: Scene, _: np.random.Generator, *, rate: int) -> Scene:
    """To a low sample rate and back."""
    low = convert_rate(scene.samples, scene.rate, rate)
    return scene.with_samples(convert_rate(low, rate, scene.rate))


@operation
def filtered(scene: Scene, _: np.random.Generator, *, name: str, times: int = 1, **named: Any) -> Scene:
    """A filter of ffmpeg, some times in a row."""
    return scene.with_samples(convert(scene.samples, scene.rate, filters=[(name, (), named)] * times))


@operation
def echo(scene: Scene, _: np.random.Generator) -> Scene:
    """Echoes after 60 and 140 ms."""
    named = {"in_gain": 0.8, "out_gain": 0.9, "delays": "60|140", "decays": "0.35|0.25"}
    return scene.with_samples(convert(scene.samples, scene.rate, filters=[("aecho", (), named)]))


@operation
def reverb(scene: Scene, rng: np.random.Generator, *, seconds: float = 0.6, wet_db: float = -3.0) -> Scene:
    """A room: exponentially decaying noise, 60 dB in ``seconds``, its energy relative to the direct sound."""
    time = np.arange(int(seconds * scene.rate)) / scene.rate
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / seconds) * (time > 0.005)
    tail *= 10 ** (wet_db / 20) / np.sqrt((tail**2).sum())
    tail[0] = 1
    size = 1 << (len(scene.samples) + len(tail)).bit_length()
    spectrum = np.fft.rfft(scene.samples, size, axis=0) * np.fft.rfft(tail, size)[:, None]
    return scene.with_samples(
        np.asarray(np.fft.irfft(spectrum, axis=0)[: len(scene.samples)] * 0.7, np.float32)
    )


@operation
def noise(scene: Scene, rng: np.random.Generator, *, snr: float) -> Scene:
    """White noise over the whole band, relative to the power of the whole sound."""
    power = float((scene.samples**2).mean())
    extra = rng.standard_normal(scene.samples.shape) * np.sqrt(power * 10 ** (-snr / 10))
    return scene.with_samples(scene.samples + extra.astype(np.float32))


@operation
def bed(scene: Scene, rng: np.random.Generator, *, kind: str, db: float) -> Scene:
    """Another sound underneath."""
    other = scene.speech if kind == "speech" else scene.music
    start = int(rng.integers(max(len(other) // 4, 1)))
    other = np.resize(np.roll(other, -start), len(scene.samples))
    level = np.sqrt((scene.samples**2).mean() / max((other**2).mean(), 1e-12)) * 10 ** (db / 20)
    return scene.with_samples(scene.samples + level * other[:, None])


@operation
def volume(scene: Scene, _: np.random.Generator, *, db: float) -> Scene:
    """Louder or softer, clipped at full scale."""
    return scene.with_samples(np.clip(scene.samples * np.float32(10 ** (db / 20)), -1, 1))


@operation
def mono(scene: Scene, _: np.random.Generator) -> Scene:
    """The mean of all channels."""
    return scene.with_samples(scene.samples.mean(axis=1, keepdims=True))


@operation
def anti_phase(scene: Scene, _: np.random.Generator) -> Scene:
    """The second channel with the opposite sign; one channel becomes two."""
    return scene.with_samples(np.stack([scene.samples[:, 0], -scene.samples[:, -1]], axis=1))


@operation
def crop(scene: Scene, rng: np.random.Generator, *, seconds: float) -> Scene:
    """A random stretch."""
    size = min(int(seconds * scene.rate), len(scene.samples))
    start = int(rng.integers(len(scene.samples) - size + 1))
    return scene.with_samples(scene.samples[start : start + size])


@operation
def half(scene: Scene, _: np.random.Generator, *, which: str) -> Scene:
    """The first or the last half."""
    middle = len(scene.samples) // 2
    return scene.with_samples(scene.samples[:middle] if which == "first" else scene.samples[middle:])


@operation
def half_marked(scene: Scene, _: np.random.Generator, *, which: str, seconds: float = 5.3) -> Scene:
    """Marked only before (``first``) or after (``last``) the time."""
    cut = int(seconds * scene.rate)
    parts = [scene.samples, scene.original] if which == "first" else [scene.original, scene.samples]
    return scene.with_samples(np.concatenate([parts[0][:cut], parts[1][cut:]]))


@operation
def speed(scene: Scene, _: np.random.Generator, *, factor: float) -> Scene:
    """Faster and higher alike."""
    filters: list[tuple[str, Sequence[Any], Mapping[str, Any]]] = [
        ("asetrate", (round(scene.rate * factor),), {}),
        ("aresample", (scene.rate,), {}),
    ]
    return scene.with_samples(convert(scene.samples, scene.rate, filters=filters))


@operation
def tempo(scene: Scene, _: np.random.Generator, *, factor: float) -> Scene:
    """Faster, not higher."""
    return scene.with_samples(convert(scene.samples, scene.rate, filters=[("atempo", (factor,), {})]))


@operation
def pitch(scene: Scene, _: np.random.Generator, *, factor: float) -> Scene:
    """Higher, not faster."""
    return scene.with_samples(
        convert(scene.samples, scene.rate, filters=[("rubberband", (), {"pitch": factor})])
    )
