"""What a new label does to what the file said before; the same for every kind of media."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from labeler.metadata import aigc
from labeler.metadata.iptc import Fields
from labeler.types import Finding, Label

__all__ = ["Old", "changed", "no_label", "replaced", "reserved", "second"]


class Old(Protocol):
    """A label that was found in a file."""

    @property
    def place(self) -> str:
        """Where it stood."""

    @property
    def parsed(self) -> aigc.Parsed:
        """What it said."""


def reserved(labels: Sequence[Old], label: Label) -> tuple[str, str]:
    """Reserved codes of the first old label, as far as they still fit the new one."""
    old = labels[0].parsed.fields if labels else {}
    new = aigc.fields_of(label)

    def same(*names: str) -> bool:
        return all(old.get(name) == new[name] for name in names)

    if not same("Label", "ContentProducer", "ProduceID"):
        return "", ""
    other = old.get("ReservedCode2", "") if same("ContentPropagator", "PropagateID") else ""
    return old.get("ReservedCode1", ""), other


def replaced(labels: Sequence[Old], label: Label) -> list[Finding]:
    """Old labels that name another content."""
    findings = []
    for old in labels:
        fields = old.parsed.fields
        if fields.get("ProduceID") != label.produce_id or fields.get("ContentProducer") != label.producer:
            who = fields.get("ContentProducer", "")[:60]
            detail = f"a label of {who!r} stood in {old.place}; it was replaced."
            findings.append(Finding(id="meta.label_replaced", severity="info", detail=detail))
    return findings


def changed(before: Fields, label: Label) -> list[Finding]:
    """IPTC fields that the new label changes, or that are kept against it."""
    findings = []
    if before.source_type and before.source_type != label.source_type:
        detail = f"the digital source type was {before.source_type[:60]!r} and is now {label.source_type!r}."
        findings.append(Finding(id="meta.source_type_replaced", severity="warn", detail=detail))
    if label.rights and before.rights and before.rights != label.rights:
        detail = "the file has another rights statement; it was kept and ours was not written."
        findings.append(Finding(id="meta.rights_kept", severity="warn", detail=detail))
    return findings


def no_label(place: str) -> Finding:
    """A field of the right name without a label in it."""
    detail = f"a field named AIGC in {place} holds no Annex E label."
    return Finding(id="cn.meta.present", severity="warn", detail=detail)


def second(place: str) -> Finding:
    """A label beside the first one."""
    detail = f"another label stands in {place}; a file keeps only one (GB 45438 6.1 c)."
    return Finding(id="cn.meta.single", severity="error", detail=detail)
