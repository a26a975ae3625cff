"""The types that every room shares: what is said (Label) and what was found (Report).

All are frozen and hold plain data, so that ``dataclasses.asdict`` of a Report is the JSON of the
contract. Nothing here knows a file format, a codec or a key.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from labeler.errors import ExitCode, LabelerError, UsageError

__all__ = [
    "AI_SOURCE_TYPES",
    "NON_AI_SOURCE_TYPES",
    "Check",
    "Compliance",
    "Consistency",
    "CredentialsReport",
    "ErrorInfo",
    "Evidence",
    "Finding",
    "Label",
    "LabelResult",
    "Layer",
    "Layers",
    "MediaInfo",
    "MetadataReport",
    "Modality",
    "Report",
    "Segment",
    "SoundTrack",
    "State",
    "Verdict",
    "VisibleReport",
    "WatermarkReport",
]

IPTC_SOURCE_TYPE_URI = "http://cv.iptc.org/newscodes/digitalsourcetype/"
"""Prefix of the IPTC digital source type NewsCodes; compare the last path part only."""

AI_SOURCE_TYPES = frozenset(
    {
        "trainedAlgorithmicMedia",
        "compositeWithTrainedAlgorithmicMedia",
        "algorithmicMedia",
        "compositeSynthetic",
        "algorithmicallyEnhanced",
        "dataDrivenMedia",
    }
)
"""IPTC digital source types that say that an algorithm made or changed the content."""

NON_AI_SOURCE_TYPES = frozenset(
    {
        "digitalCapture",
        "computationalCapture",
        "screenCapture",
        "virtualRecording",
        "negativeFilm",
        "positiveFilm",
        "print",
        "humanEdits",
        "digitalCreation",
        "compositeCapture",
        "composite",
    }
)
"""IPTC digital source types that name a camera, a screen or a human hand."""


class Modality(StrEnum):
    """The four kinds of media."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"


class Layer(StrEnum):
    """The four layers, in the order in which they are written."""

    VISIBLE = "visible"
    WATERMARK = "watermark"
    METADATA = "metadata"
    CREDENTIALS = "credentials"

    @property
    def is_signal(self) -> bool:
        """True for layers that change samples, false for those that change the container only."""
        return self in (Layer.VISIBLE, Layer.WATERMARK)


class State(StrEnum):
    """What one layer can say. A crash or an unreadable file is never ``ABSENT``."""

    PRESENT = "present"
    ABSENT = "absent"
    CANNOT_TELL = "cannot-tell"
    NOT_APPLICABLE = "not-applicable"
    SKIPPED = "skipped"


class Verdict(StrEnum):
    """What all layers together say about a file."""

    AI_CONFIRMED = "ai-confirmed"
    AI_POSSIBLE = "ai-possible"
    AI_SUSPECTED = "ai-suspected"
    NO_LABEL_FOUND = "no-label-found"
    CONFLICT = "conflict"
    CANNOT_TELL = "cannot-tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a label says about one piece of content.

    Attributes:
        value: GB 45438 ``Label``: ``"1"`` is, ``"2"`` may be, ``"3"`` is suspected to be AI-generated.
        producer: name or code of the generation service (GB 45438 Annex E ``ContentProducer``).
        produce_id: the producer's unique id of this content (``ProduceID``).
        propagator: name or code of the distribution service; at first writing the producer.
        propagate_id: the propagator's unique id; at first writing the produce_id.
        generator: the AI system as ``NAME/VERSION``, or empty.
        source_type: IPTC digital source type, last path part.
        created: time of generation or labelling, RFC 3339, or empty.
        author: who claims authorship, or empty.
        rights: rights statement, or empty.
    """

    value: str = "1"
    producer: str
    produce_id: str
    propagator: str = ""
    propagate_id: str = ""
    generator: str = ""
    source_type: str = "trainedAlgorithmicMedia"
    created: str = ""
    author: str = ""
    rights: str = ""

    def __post_init__(self) -> None:
        if self.value not in ("1", "2", "3"):
            raise UsageError(f"label value {self.value!r} is not 1, 2 or 3 (GB 45438-2025 Annex E c).")
        if not self.producer or not self.produce_id:
            raise UsageError("a label needs a producer and a produce id (GB 45438-2025 6.1).")
        if self.source_type not in AI_SOURCE_TYPES | NON_AI_SOURCE_TYPES:
            raise UsageError(
                f"unknown IPTC digital source type {self.source_type!r}.",
                remedy=f"Use one of: {', '.join(sorted(AI_SOURCE_TYPES))}.",
            )
        if not self.propagator:
            object.__setattr__(self, "propagator", self.producer)
            object.__setattr__(self, "propagate_id", self.propagate_id or self.produce_id)

    @property
    def mark_id(self) -> str:
        """First 56 bits of SHA-256 over producer and produce_id, 14 hex digits (contract.md, Identity)."""
        return mark_id(self.producer, self.produce_id)

    @property
    def edited(self) -> bool:
        """True when AI edited existing content rather than generating all of it."""
        return self.source_type in ("compositeWithTrainedAlgorithmicMedia", "algorithmicallyEnhanced")

    def to_dict(self) -> dict[str, str]:
        """The label as in ``verify --json``."""
        return {**dataclasses.asdict(self), "mark_id": self.mark_id}


def mark_id(producer: str, produce_id: str) -> str:
    r"""First 56 bits of SHA-256(``"labeler/mark/1\n" producer "\n" produce_id``), 14 hex digits.

    >>> mark_id("acme", "42")
    'a2895f6c0f46a1'
    """
    return hashlib.sha256(f"labeler/mark/1\n{producer}\n{produce_id}".encode()).hexdigest()[:14]


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaInfo:
    """What a file is, read from its header alone.

    Attributes:
        media_type: true MIME type by content, for example ``image/jpeg``.
        modality: which of the four kinds.
        width: px as stored, 0 if not applicable.
        height: px as stored, 0 if not applicable.
        frames: number of frames, 1 for a still picture.
        size: bytes.
        extension_matches: false when the file name claims another type.
        duration: seconds, 0 if not applicable or unknown.
        codec: of the main stream, as ffmpeg names it (``pcm_s16le``, ``h264``), or "".
        sample_rate: Hz, 0 without sound.
        channels: of the sound, 0 without sound.
    """

    media_type: str
    modality: Modality
    width: int = 0
    height: int = 0
    frames: int = 1
    size: int = 0
    extension_matches: bool = True
    duration: float = 0.0
    codec: str = ""
    sample_rate: int = 0
    channels: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to tell about a label that is not an error: ``id`` is stable, for programs.

    ``severity`` is ``info``, ``warn`` or ``error``.
    """

    id: str
    severity: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One visible or audible mark found.

    Attributes:
        kind: what was found, for example ``labeler-mark``.
        text: its wording.
        box: x, y, width, height in px of the picture as displayed, or None.
        frame: width and height of that picture, px, or None.
        time: start, end in seconds, or None.
        score: strength of the match, 0 to 1.
        height_ratio: height of the smallest glyph's ink over the shortest side, or None.
    """

    kind: str
    text: str = ""
    box: tuple[int, int, int, int] | None = None
    frame: tuple[int, int] | None = None
    time: tuple[float, float] | None = None
    score: float = 0.0
    height_ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VisibleReport:
    """What the visible (audible) layer found."""

    state: State
    evidence: tuple[Evidence, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataReport:
    """What the metadata layer found.

    Attributes:
        state: PRESENT if a GB 45438 label or an IPTC AI source type was read.
        carrier: where the label stood: ``xmp``, ``png-text``, ``sidecar``, ...
        fields: every field read, by its name in the standard.
        findings: deviations from the standard.
        label: the label in labeler's terms, if producer and id could be read.
        value: GB 45438 ``Label`` as read ("1", "2", "3") or "" where only IPTC fields stood.
        source_type: IPTC digital source type, last path part, or "".
        reason: why the state is CANNOT_TELL, else empty.
    """

    state: State
    carrier: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    label: Label | None = None
    value: str = ""
    source_type: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of sound or video that carries one mark.

    Attributes:
        start: seconds from the beginning of the file.
        end: seconds.
        payload: 16 hex digits, or "" for a stretch whose mark could not be read.
        key_id: the key that read it.
        log10_p: as in ``WatermarkReport``, of this stretch alone, or None.
    """

    start: float
    end: float
    payload: str = ""
    key_id: str = ""
    log10_p: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatermarkReport:
    """What the watermark layer found.

    Attributes:
        state: PRESENT only for an accepted mark (tag and correlation).
        payload: 16 hex digits, or "".
        mark_id: last 14 hex digits of the payload, or "".
        key_id: the key that read it.
        log10_p: log10 of the probability of so strong a finding in the whole search without a mark.
        geometry: how the picture was changed since marking (scale, rotation, flip, offset).
        fingerprint: of the picture as it is now, hex, or "" where geometry forbids to compare it.
        segments: sound and video: which stretches carry which mark, in order of time.
        reason: why the state is CANNOT_TELL, else empty.
    """

    state: State
    payload: str = ""
    mark_id: str = ""
    key_id: str = ""
    log10_p: float | None = None
    geometry: dict[str, Any] = field(default_factory=dict)
    fingerprint: str = ""
    segments: tuple[Segment, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundTrack:
    """What the signal layers found in the (first) sound track of a video."""

    visible: VisibleReport
    watermark: WatermarkReport


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsReport:
    """What the C2PA layer found; content, signer, time and chain are told apart.

    Attributes:
        state: PRESENT if a manifest was found, whatever its validity.
        content: ``intact``, ``altered`` or ``unknown``.
        signer: ``trusted``, ``unknown``, ``expired`` or ``invalid``.
        time: ``stamped`` (by a time-stamping authority), ``claimed`` or ``none``.
        chain: ``intact``, ``broken`` (an ingredient fails) or ``none`` (no ingredients).
        claim_generator: the software that signed.
        signer_name: common name and organisation of the certificate.
        signed_at: claimed or stamped time, RFC 3339, or "".
        codes: C2PA validation status codes, failures first.
        source_type: digital source type of the first action, last path part, or "".
        payload: watermark payload of our soft binding, 16 hex digits, or "".
        fingerprint: of the picture as it was labelled, hex, or "".
        label: the label in labeler's terms, if the manifest carries one.
        carrier: ``embedded``, ``sidecar`` or ``in-text``.
        reason: why the state is CANNOT_TELL, or what broke the binding of a manifest in a text; else empty.
    """

    state: State
    content: str = "unknown"
    signer: str = "unknown"
    time: str = "none"
    chain: str = "none"
    claim_generator: str = ""
    signer_name: str = ""
    signed_at: str = ""
    codes: tuple[str, ...] = ()
    source_type: str = ""
    payload: str = ""
    fingerprint: str = ""
    label: Label | None = None
    carrier: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """The findings of the four layers."""

    visible: VisibleReport
    metadata: MetadataReport
    watermark: WatermarkReport
    credentials: CredentialsReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """Whether two layers name the same content: ``agree``, ``disagree`` or ``unknown``."""

    id: str
    result: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One requirement of a profile: ``pass``, ``fail`` or ``cannot-tell``."""

    id: str
    clause: str
    result: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compliance:
    """The judgement of a file against a profile."""

    profile: str
    result: str
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorInfo:
    """An error as data.

    Attributes:
        code: name of the error class, kebab-case.
        message: what was expected and what was found.
        remedy: what to do about it.
        exit_code: what the command line exits with when this is the only file.
    """

    code: str
    message: str
    remedy: str = ""
    exit_code: int = 1

    @classmethod
    def of(cls, error: Exception) -> ErrorInfo:
        """An exception as data; one that labeler did not foresee is called ``internal-error``."""
        if isinstance(error, LabelerError):
            return cls(
                code=error.code, message=error.message, remedy=error.remedy, exit_code=int(error.exit_code)
            )
        return cls(
            code="internal-error",
            message=f"labeler failed on this file: {type(error).__name__}: {error}",
            remedy="Please report it, with the file if you can share it.",
            exit_code=int(ExitCode.INPUT),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What verification found in one file, the line of ``verify --json``; ``layers`` are of a video's pictures."""

    path: str
    verdict: Verdict
    layers: Layers
    sound_track: SoundTrack | None = None
    sha256: str = ""
    media_type: str = ""
    modality: str = ""
    label: Label | None = None
    consistency: tuple[Consistency, ...] = ()
    compliance: Compliance | None = None
    findings: tuple[Finding, ...] = ()
    error: ErrorInfo | None = None

    @property
    def is_labelled(self) -> bool:
        """True when a label was found and no layer contradicts another."""
        return self.verdict in (Verdict.AI_CONFIRMED, Verdict.AI_POSSIBLE, Verdict.AI_SUSPECTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelResult:
    """What labelling did to one file.

    Attributes:
        input: path read.
        output: path written.
        input_sha256: hex digest of the input.
        output_sha256: hex digest of the output.
        label: the label as written.
        layers: the layers written, in order.
        sound_track: the layers in the sound track of a video.
        reread: the report of reading the output back.
        seconds: wall time.
        notes: layers that could not be written, and why; weak marks; what could not be kept.
        error: set instead of the above when the file failed.
    """

    input: str
    output: str = ""
    input_sha256: str = ""
    output_sha256: str = ""
    label: Label | None = None
    layers: tuple[Layer, ...] = ()
    sound_track: tuple[Layer, ...] = ()
    reread: Report | None = None
    seconds: float = 0.0
    notes: tuple[Finding, ...] = ()
    error: ErrorInfo | None = None
