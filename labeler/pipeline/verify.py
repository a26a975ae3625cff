"""Verification: container layers read the file, then it is decoded once, and every layer is heard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from labeler import profiles
from labeler.core.keys import PUBLIC_KEY, KeyRing, WatermarkKey
from labeler.core.threads import one_thread
from labeler.errors import (
    DamagedMedia,
    DependencyMissing,
    InsecureKeyFile,
    LabelerError,
    UnsupportedMedia,
    UsageError,
)
from labeler.media.files import Source, open_source, read_neighbour
from labeler.pipeline import reconcile
from labeler.pipeline.modalities import metadata_of, probe, signals_of
from labeler.pipeline.options import VerifyOptions, check_files
from labeler.pipeline.seen import Seen
from labeler.profiles import checks
from labeler.types import (
    CredentialsReport,
    ErrorInfo,
    Finding,
    Layer,
    Layers,
    MediaInfo,
    MetadataReport,
    Report,
    State,
    Verdict,
    VisibleReport,
    WatermarkReport,
)

if TYPE_CHECKING:
    from labeler.credentials.trust import Trust

__all__ = [
    "CREDENTIALS_SUFFIX",
    "check_options",
    "error_report",
    "inspect_one",
    "inspect_source",
    "keys_at_hand",
    "verify_one",
    "verify_source",
]

CREDENTIALS_SUFFIX = ".c2pa"


def verify_one(path: Path, options: VerifyOptions) -> Report:
    """Verify one file; an unreadable file gives a report with ``error`` set, never "no label".

    Raises:
        UsageError, InputError: the profile, the trust list or the file of tokens is wrong, whatever the file is.
    """
    check_options(options)
    try:
        source = open_source(path, limits=options.limits)
        return verify_source(source, options)
    except UsageError:
        raise
    except LabelerError as error:
        return error_report(path, error)


def check_options(options: VerifyOptions) -> None:
    """Raise what is wrong with the options themselves, before any file is read."""
    if options.profile:
        profiles.load(options.profile)
    check_files(trust=options.trust, tokens=options.tokens)
    _trust(options)


@one_thread()
def verify_source(
    source: Source, options: VerifyOptions, *, sidecars: dict[str, bytes] | None = None
) -> Report:
    """Verify a file that is open already.

    Args:
        source: the file.
        options: what to look at.
        sidecars: neighbouring files by suffix; default: those that stand beside ``source.path``.

    Raises:
        InputError: the file is of no supported type, over a limit or damaged.
    """
    name = str(source.path)
    info = probe(source, options.limits)
    asked = options.layers or tuple(Layer)
    if sidecars is None:
        sidecars = _sidecars(source.path)
    metadata = _read_metadata(source, info, asked, sidecars)
    credentials = _read_credentials(source, info, asked, sidecars, _trust(options))
    seen = _read_signals(source, info, asked, options)
    layers = Layers(
        visible=seen.visible, metadata=metadata, watermark=seen.watermark, credentials=credentials
    )
    pairs = reconcile.consistency(layers, seen.sound_track)
    findings = () if info.extension_matches else (_mismatch(info, name),)
    return Report(
        path=name,
        sha256=source.sha256,
        media_type=info.media_type,
        modality=info.modality,
        verdict=reconcile.verdict(layers, pairs, seen.sound_track),
        sound_track=seen.sound_track,
        label=reconcile.label_of(layers),
        layers=layers,
        consistency=pairs,
        compliance=checks.judge(layers, profiles.load(options.profile), info.modality)
        if options.profile
        else None,
        findings=findings,
    )


def _mismatch(info: MediaInfo, name: str) -> Finding:
    suffix = Path(name).suffix
    return Finding(
        id="media.extension",
        severity="warn",
        detail=f"the name ends in {suffix}, the content is {info.media_type}",
    )


def _sidecars(path: Path) -> dict[str, bytes]:
    from labeler.metadata import sidecar

    found = {suffix: read_neighbour(path, suffix) for suffix in (sidecar.SUFFIX, CREDENTIALS_SUFFIX)}
    return {suffix: data for suffix, data in found.items() if data is not None}


def _trust(options: VerifyOptions) -> Trust | None:
    if options.trust is None:
        return None
    from labeler.credentials.trust import Trust

    return Trust.from_files([options.trust])


def _read_metadata(
    source: Source, info: MediaInfo, asked: Sequence[Layer], sidecars: dict[str, bytes]
) -> MetadataReport:
    if Layer.METADATA not in asked:
        return MetadataReport(state=State.SKIPPED)
    from labeler.metadata import sidecar

    try:
        with source.open() as file:
            report = metadata_of(info.modality).read(file, info)
    except DamagedMedia as error:
        return MetadataReport(state=State.CANNOT_TELL, reason=error.message)
    if report.state is not State.PRESENT and sidecar.SUFFIX in sidecars:
        return sidecar.read(sidecars[sidecar.SUFFIX])
    return report


def _read_credentials(
    source: Source, info: MediaInfo, asked: Sequence[Layer], sidecars: dict[str, bytes], trust: Trust | None
) -> CredentialsReport:
    if Layer.CREDENTIALS not in asked:
        return CredentialsReport(state=State.SKIPPED)
    from labeler.credentials import read

    with source.open() as file:
        return read.read(file, info, sidecar=sidecars.get(CREDENTIALS_SUFFIX), trust=trust)


def _read_signals(source: Source, info: MediaInfo, asked: Sequence[Layer], options: VerifyOptions) -> Seen:
    if not any(layer.is_signal for layer in asked):
        return Seen()
    keys, trouble = keys_at_hand(options.home) if Layer.WATERMARK in asked else ([], "")
    try:
        seen = signals_of(info.modality).detect(source, info, asked, keys=keys, options=options)
    except UnsupportedMedia as error:  # samples that no signal layer can read; the containers still speak
        return Seen.cannot_tell(error.message)
    return seen.without_keys(trouble) if trouble else seen


def keys_at_hand(home: Path | None) -> tuple[list[WatermarkKey], str]:
    """All keys; if the ring cannot be read, the published one, and what is wrong."""
    try:
        return KeyRing(home).all_keys(), ""
    except (DependencyMissing, InsecureKeyFile) as error:
        return [PUBLIC_KEY], f"the private keys cannot be read: {error}"


def error_report(path: Path, error: Exception) -> Report:
    """The report of a file that could not be read: cannot tell, and why."""
    info = ErrorInfo.of(error)
    state, reason = State.CANNOT_TELL, info.message
    return Report(
        path=str(path),
        verdict=Verdict.CANNOT_TELL,
        layers=Layers(
            visible=VisibleReport(state=state, reason=reason),
            metadata=MetadataReport(state=state, reason=reason),
            watermark=WatermarkReport(state=state, reason=reason),
            credentials=CredentialsReport(state=state, reason=reason),
        ),
        error=info,
    )


def inspect_one(path: Path, options: VerifyOptions) -> dict[str, object]:
    """Everything found in a file and its sidecars, raw, as ``inspect_source`` gives it."""
    return inspect_source(open_source(path, limits=options.limits), options, sidecars=_sidecars(path))


def inspect_source(
    source: Source, options: VerifyOptions, *, sidecars: dict[str, bytes]
) -> dict[str, object]:
    """Everything found, raw: the report, the media's header, and the manifest store as c2pa gives it."""
    import dataclasses

    from labeler.credentials import read

    report = verify_source(source, options, sidecars=sidecars)
    info = probe(source, options.limits)
    with source.open() as file:
        manifest = read.raw(file, info, sidecar=sidecars.get(CREDENTIALS_SUFFIX), trust=_trust(options))
    return {
        "media": dataclasses.asdict(info),
        "sidecars": {suffix: len(data) for suffix, data in sidecars.items()},
        "report": report,
        "c2pa": manifest,
    }
