"""What a caller chooses of a video encoder, checked before any frame is decoded."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from labeler.errors import DamagedMedia, DependencyMissing, LimitExceeded, UsageError
from labeler.media import ffmpeg as engine
from labeler.media.video.settings import CODECS, HARDWARE

__all__ = ["check_encoder", "check_settings"]


def check_settings(
    codecs: Iterable[str], *, quality: float | None, preset: str | None, hardware: str | None
) -> None:
    """Check quality and preset against what the encoders take.

    Args:
        codecs: those that a file may be written in; one that takes the value suffices.
        quality: in the encoder's scale, or None for the default.
        preset: in the encoder's own words, or None for the default.
        hardware: the family of the encoder, or None for software.

    Raises:
        UsageError: no encoder takes the quality or the preset, or there is no such hardware.
    """
    if hardware is not None and hardware not in HARDWARE:
        raise UsageError(
            f"there is no hardware encoder {hardware}.", remedy=f"Use one of: {', '.join(HARDWARE)}."
        )
    family = HARDWARE[hardware] if hardware is not None else None
    chosen = list(codecs)
    scales = {codec: (family.scale if family else None) or CODECS[codec].scale for codec in chosen}
    if quality is not None and not any(low <= quality <= high for low, high in scales.values()):
        known = _listed({codec: f"{low:g} to {high:g}" for codec, (low, high) in scales.items()})
        raise UsageError(
            f"--crf {quality:g} is beyond the scale of the video encoder.", remedy=f"Give {known}."
        )
    presets = {codec: family.presets if family else CODECS[codec].presets for codec in chosen}
    if preset is not None and not any(preset in names for names in presets.values()):
        known = _listed({codec: _words(names) for codec, names in presets.items()})
        raise UsageError(f"there is no --preset {preset} of the video encoder.", remedy=f"Give {known}.")


def _words(names: tuple[str, ...]) -> str:
    if not names:
        return "none"
    numbers = names[0].removeprefix("-").isdigit()
    return f"{names[0]} to {names[-1]}" if numbers else ", ".join(names)


def _listed(said: dict[str, str]) -> str:
    """What is said of several codecs, those together of which the same is said."""
    groups: dict[str, list[str]] = {}
    for codec, words in said.items():
        groups.setdefault(words, []).append(codec)
    return "; ".join(f"{words} ({', '.join(codecs)})" for words, codecs in groups.items())


def check_encoder(codec: str, *, quality: float | None, preset: str | None, hardware: str | None) -> None:
    """Check the choices for one codec, and that its encoder in hardware is here, by encoding a few black pictures.

    Raises:
        UsageError: as ``check_settings``.
        DependencyMissing: the encoder, its driver or its device is not here.
    """
    check_settings((codec,), quality=quality, preset=preset, hardware=hardware)
    if hardware is not None and not _encodes(codec, hardware):
        raise DependencyMissing(
            f"{codec} cannot be encoded with {hardware} on this machine.",
            remedy="Leave --hardware out; it needs the device, its driver, and an ffmpeg that knows both.",
        )


@functools.cache
def _encodes(codec: str, hardware: str) -> bool:
    import ffmpeg

    family = HARDWARE[hardware]
    black = ffmpeg.input("color=black:size=256x256:rate=25:duration=0.2", f="lavfi")
    options = family.encode(codec, None) | {"c:v:0": f"{codec}_{hardware}"}
    options["filter:v:0"] = ",".join(family.filters("yuv420p"))
    try:
        engine.run(ffmpeg.output(black, "pipe:", f="null", **options))
    except (DamagedMedia, LimitExceeded):
        return False
    return True
