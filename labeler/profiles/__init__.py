"""Profiles: what a legal regime demands, one TOML file each, and the checks that they name.

A profile says which layers to write, which of them must not be missing, how the visible mark looks, and
which checks a labelled file must pass. The texts are an engineering reading of the regimes, not legal advice.
"""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any

from labeler.errors import UsageError
from labeler.types import Layer, Modality

__all__ = ["AudibleStyle", "CheckRule", "Profile", "VisibleStyle", "load", "names"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VisibleStyle:
    """How the visible mark looks: language, corner, font size over the picture's shortest side."""

    lang: str = "both"
    position: str = "auto"
    ratio: float = 0.073


@dataclass(frozen=True, slots=True, kw_only=True)
class AudibleStyle:
    """How the mark in sound sounds: spoken or as a rhythm, where, and mixed in or inserted."""

    kind: str = "speech"
    place: str = "start"
    mode: str = "mix"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRule:
    """One check of a profile: its id, the clause it stands for, the test in ``checks`` and its parameters.

    ``modalities`` are those that the clause speaks of.
    """

    id: str
    clause: str
    test: str
    minimum: float = 0.0
    modalities: tuple[str, ...] = tuple(Modality)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A legal regime, or a purpose.

    Attributes:
        name: file name without ``.toml``.
        title: for people.
        layers: what to write, in writing order.
        required: layers without which a file is not labelled; the others are written where they can be.
        visible: style of the visible mark.
        audible: style of the mark in sound.
        checks: what ``verify --profile`` judges.
        exceptions: modalities for which other layers are written or required.
    """

    name: str
    title: str
    layers: tuple[Layer, ...]
    required: frozenset[Layer]
    visible: VisibleStyle
    audible: AudibleStyle
    checks: tuple[CheckRule, ...]
    exceptions: dict[Modality, tuple[tuple[Layer, ...], frozenset[Layer]]]

    def layers_for(self, modality: Modality) -> tuple[tuple[Layer, ...], frozenset[Layer]]:
        """Layers to write, and those of them that must not be missing, for one modality."""
        return self.exceptions.get(modality, (self.layers, self.required))


def names() -> list[str]:
    """Names of the profiles that there are."""
    files = (entry.name for entry in resources.files(__name__).iterdir())
    return sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml"))


@functools.cache
def load(name: str) -> Profile:
    """Load a profile by its name.

    Raises:
        UsageError: there is no such profile.
    """
    if name not in names():
        raise UsageError(f"there is no profile {name!r}.", remedy=f"Profiles: {', '.join(names())}.")
    text = resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return _parse(name, tomllib.loads(text))


def _layers(table: dict[str, Any]) -> tuple[tuple[Layer, ...], frozenset[Layer]]:
    layers = tuple(layer for layer in Layer if layer in table["layers"])
    return layers, frozenset(Layer(layer) for layer in table["required"])


def _parse(name: str, table: dict[str, Any]) -> Profile:
    layers, required = _layers(table)
    return Profile(
        name=name,
        title=table["title"],
        layers=layers,
        required=required,
        exceptions={modality: _layers(table[modality]) for modality in Modality if modality in table},
        visible=VisibleStyle(**table.get("visible", {})),
        audible=AudibleStyle(**table.get("audible", {})),
        checks=tuple(CheckRule(**check) for check in table.get("checks", ())),
    )
