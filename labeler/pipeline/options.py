"""What a caller can ask for; the command line and the library fill in the same two types."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

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
        """From keywords; layers may be a comma-separated list."""
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
        limits: what is refused before decoding.
        home: folder of keys and configuration; default ``$LABELER_HOME``.
    """

    layers: tuple[Layer, ...] | None = None
    profile: str = ""
    trust: Path | None = None
    tokens: Path | None = None
    quick: bool = False
    deep: bool = False
    limits: Limits = DEFAULT_LIMITS
    home: Path | None = None

    @classmethod
    def of(cls, **options: Any) -> VerifyOptions:
        """From keywords; layers may be a comma-separated list."""
        return _of(cls, options)


def _of(cls: type[_Options], options: dict[str, Any]) -> _Options:
    layers = options.get("layers")
    if layers is not None:
        options["layers"] = parse_layers(layers if isinstance(layers, str) else ",".join(layers))
    unknown = options.keys() - cls.__dataclass_fields__.keys()
    if unknown:
        raise UsageError(
            f"unknown option {', '.join(sorted(unknown))}.",
            remedy=f"Options: {', '.join(cls.__dataclass_fields__)}.",
        )
    for name in ("producer", "produce_id", "author", "rights", "generator"):
        if not isinstance(options.get(name, ""), str):
            raise UsageError(f"the {name.replace('_', ' ')} is text, not {type(options[name]).__name__}.")
    return cls(**options)


def parse_layers(text: str) -> tuple[Layer, ...]:
    """Layers of a comma-separated list, in writing order.

    >>> parse_layers("credentials,metadata")
    (<Layer.METADATA: 'metadata'>, <Layer.CREDENTIALS: 'credentials'>)
    """
    asked = {part.strip() for part in text.split(",") if part.strip()}
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
