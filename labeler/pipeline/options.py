"""What a caller can ask for; the command line and the library fill in the same two types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from labeler.errors import UsageError
from labeler.media.limits import DEFAULT_LIMITS, Limits
from labeler.types import Layer

__all__ = ["LabelOptions", "VerifyOptions", "check_files", "parse_layers"]

_Options = TypeVar("_Options", "LabelOptions", "VerifyOptions")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelOptions:
    """How to label.

    Attributes:
        profile: name of a profile; it decides layers, wording, size and place unless given below.
        layers: layers to write, or None for the profile's.
        producer: name or code of the generation service; required.
        produce_id: id of the content; default a random UUID, hex.
        author: who claims authorship.
        rights: rights statement.
        training: whether the content may be used to train AI, written into the manifest: ``allowed``,
            ``notAllowed``, or "" to say nothing.
        generator: the AI system as ``NAME/VERSION``.
        source_type: IPTC digital source type, last path part.
        lang: wording of the visible mark: ``zh``, ``en`` or ``both``; default the profile's.
        position: ``auto``, ``top-left``, ``top-right``, ``bottom-left``, ``bottom-right``; default the profile's.
        font: font file for the visible mark; default the bundled Noto Sans CJK.
        audible: the mark in sound: ``speech``, ``rhythm`` (Morse "AI") or ``both``; default the profile's.
        audible_place: ``start``, ``end``, ``both``, or seconds from the beginning; default the profile's.
        audible_mode: ``mix`` (the programme steps back) or ``insert`` (it makes room); default the profile's.
        prompt: a sound file to speak instead of labeler's own words.
        key: watermark key id; ``public-1`` is readable by every installation, ``private`` is the newest own one.
        strength: of the watermark: ``gentle``, ``default`` or ``strong``.
        quality: 1..100 for lossy pictures, in place of the source's own.
        codec: of video: ``h264``, ``hevc``, ``vp9`` or ``av1``; default the source's own.
        crf: constant quality of video in the encoder's scale, lower is better; default about the same for all.
        preset: of the video encoder, in its own words.
        hardware: video encoder of the hardware: ``nvenc``, ``qsv``, ``amf``, ``vaapi`` or ``videotoolbox``.
        visible_seconds: video: show the visible mark for so many seconds from the beginning, at least 2; default
            throughout.
        fast: video: do not try out on a few seconds how strong the watermark must be.
        sound_track: video: lay the marks of sound into its first sound track too.
        certificate: signing chain, PEM; default the development identity of ``keys init``.
        certificate_key: its private key, PEM.
        passphrase: of the private key.
        every_paragraph: texts: also put the visible mark behind each paragraph.
        tag_every: texts: where the invisible tag goes: ``sentence``, ``paragraph`` or ``end``.
        in_text: put the manifest of a text (plain, Markdown, HTML, WebVTT) into it instead of a sidecar.
        relabel: replace a label of the same producer instead of leaving the file alone.
        limits: what is refused before decoding.
        home: folder of keys and configuration; default ``$LABELER_HOME``.
    """

    profile: str = "cn-gb45438"
    layers: tuple[Layer, ...] | None = None
    producer: str = ""
    produce_id: str = ""
    author: str = ""
    rights: str = ""
    training: str = ""
    generator: str = ""
    source_type: str = "trainedAlgorithmicMedia"
    lang: str = ""
    position: str = ""
    font: Path | None = None
    audible: str = ""
    audible_place: str = ""
    audible_mode: str = ""
    prompt: Path | None = None
    key: str = "public-1"
    strength: str = "default"
    quality: int | None = None
    codec: str = ""
    crf: float | None = None
    preset: str = ""
    hardware: str = ""
    visible_seconds: float | None = None
    fast: bool = False
    sound_track: bool = False
    certificate: Path | None = None
    certificate_key: Path | None = None
    passphrase: bytes | None = field(default=None, repr=False)
    every_paragraph: bool = False
    tag_every: str = "paragraph"
    in_text: bool = False
    relabel: bool = False
    limits: Limits = DEFAULT_LIMITS
    home: Path | None = None

    @classmethod
    def of(cls, **options: Any) -> LabelOptions:
        """From keywords; layers may be a comma-separated list, paths strings."""
        return _of(cls, options)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """How to verify.

    Attributes:
        layers: layers to look at, or None for all.
        profile: judge against this profile, or "" for no judgement.
        trust: PEM file of certificates whose signatures are to be trusted.
        tokens: texts: JSON file of the token ids, to look for a mark of the generation.
        quick: look for the watermark as it was embedded, flipped or turned by quarter turns only.
        deep: sound: search for every combination of changed tempo and pitch, not only for each alone.
        sound_track: video: listen to its first sound track too.
        limits: what is refused before decoding.
        home: folder of keys and configuration; default ``$LABELER_HOME``.
    """

    layers: tuple[Layer, ...] | None = None
    profile: str = ""
    trust: Path | None = None
    tokens: Path | None = None
    quick: bool = False
    deep: bool = False
    sound_track: bool = True
    limits: Limits = DEFAULT_LIMITS
    home: Path | None = None

    @classmethod
    def of(cls, **options: Any) -> VerifyOptions:
        """From keywords; layers may be a comma-separated list, paths strings."""
        return _of(cls, options)


def _of(cls: type[_Options], options: dict[str, Any]) -> _Options:
    unknown = options.keys() - cls.__dataclass_fields__.keys()
    if unknown:
        raise UsageError(
            f"unknown option {', '.join(sorted(unknown))}.",
            remedy=f"Options: {', '.join(cls.__dataclass_fields__)}.",
        )
    hints = get_type_hints(cls)
    return cls(**{name: _typed(name, value, hints[name]) for name, value in options.items()})


_WORDS = {str: "text", bool: "True or False", int: "a whole number", float: "a number", Path: "a path"}


def _typed(name: str, value: Any, hint: Any) -> Any:
    """The value of an option as its field has it.

    Raises:
        UsageError: it is of another type.
    """
    if name == "layers" and value is not None:
        return parse_layers(value)
    types = get_args(hint) or (hint,)
    if Path in types and isinstance(value, str):
        return Path(value)
    known = tuple(kind for kind in types if isinstance(kind, type)) + ((int,) if float in types else ())
    if not isinstance(value, known) or (isinstance(value, bool) and bool not in types):
        wanted = _WORDS.get(types[0], types[0].__name__)
        raise UsageError(
            f"the option {name} is {wanted}, not {type(value).__name__}.", remedy="See labeler.LabelOptions."
        )
    return value


def parse_layers(layers: str | Iterable[str]) -> tuple[Layer, ...]:
    """Layers of a list, or of a text with commas between, in writing order.

    Raises:
        UsageError: there is none, or one is unknown.

    >>> parse_layers("credentials,metadata")
    (<Layer.METADATA: 'metadata'>, <Layer.CREDENTIALS: 'credentials'>)
    """
    parts = layers.split(",") if isinstance(layers, str) else layers if isinstance(layers, Iterable) else ()
    asked = {name for part in parts if (name := str(part).strip())}
    unknown = asked - set(Layer)
    if unknown or not asked:
        raise UsageError(
            f"unknown layer {', '.join(sorted(unknown)) or '(none given)'}.",
            remedy=f"Layers: {', '.join(Layer)}.",
        )
    return tuple(layer for layer in Layer if layer in asked)


def check_files(**files: Path | None) -> None:
    """Raise UsageError for an option, by name, whose file is not there."""
    for name, path in files.items():
        if path is not None and not path.is_file():
            raise UsageError(f"the file of --{name} is not there.", remedy="Check the path.", path=path)
