"""What was written, against what is read back."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator

from labeler import profiles
from labeler.core.payload import Payload
from labeler.pipeline.marked import Marked
from labeler.profiles.checks import judge
from labeler.types import Finding, Label, Layer, Layers, Report, State
from labeler.visible.wording import has_gb_elements

__all__ = ["heard", "lost", "shortfalls"]


def lost(marked: Marked, written: Collection[Layer], label: Label, reread: Report) -> list[Layer]:
    """Layers that do not read back as they were written."""
    found, mark_id = reread.layers, label.mark_id
    texts = [evidence.text for evidence in found.visible.evidence]
    there = any(note.id == "visible.there" for note in marked.notes)  # whatever it says
    intact = {
        Layer.VISIBLE: any(
            there or has_gb_elements(text) >= has_gb_elements(marked.visible_text) for text in texts
        ),
        Layer.WATERMARK: found.watermark.payload == Payload.of(label).hex,
        Layer.METADATA: found.metadata.label is not None and found.metadata.label.mark_id == mark_id,
        Layer.CREDENTIALS: found.credentials.content == "intact"
        and found.credentials.label is not None
        and found.credentials.label.mark_id == mark_id,
    }
    return [layer for layer in written if not intact[layer] and layer not in marked.unheard]


def heard(marked: Marked, label: Label, reread: Report) -> tuple[Layer, ...]:
    """The layers of the sound track that read back as they were written; a user's own words cannot be."""
    found = reread.sound_track
    if found is None:
        return ()
    intact = {
        Layer.VISIBLE: found.visible.state is State.PRESENT or Layer.VISIBLE in marked.unheard,
        Layer.WATERMARK: found.watermark.payload == Payload.of(label).hex,
    }
    return tuple(layer for layer in marked.sound_track if intact[layer])


def shortfalls(
    marked: Marked, written: Collection[Layer], label: Label, reread: Report, profile: str
) -> Iterator[Finding]:
    """What the file, as it was read back, lacks of its profile, and of marks that are a bonus."""
    names = {Layer.VISIBLE: "audible mark", Layer.WATERMARK: "watermark"}
    kept = heard(marked, label, reread)
    for layer in marked.sound_track:
        if layer not in kept:
            detail = f"the {names[layer]} of the sound track did not survive the encoding"
            yield Finding(id="sound-track.lost", severity="warn", detail=detail)
    if reasons := "; ".join(_unmet(marked, written, reread, profile)):
        detail = f"this does not meet {profile}: {reasons}"
        yield Finding(id="profile.unmet", severity="warn", detail=detail)


def _unmet(marked: Marked, written: Collection[Layer], reread: Report, profile: str) -> Iterator[str]:
    """Why the file fails its profile; a layer that was left out, and not looked for, counts as absent."""
    found = {layer.value: getattr(reread.layers, layer) for layer in Layer}
    states = {layer: State.ABSENT for layer in Layer if layer not in written}
    states |= dict.fromkeys(marked.unheard, State.CANNOT_TELL)
    found |= {layer.value: dataclasses.replace(found[layer], state=state) for layer, state in states.items()}
    clauses: dict[str, str] = {}
    for check in judge(Layers(**found), profiles.load(profile), reread.modality).checks:
        if check.result == "fail":
            clauses.setdefault(check.detail, check.clause)
    return (f"{detail} ({clause})" for detail, clause in clauses.items())
