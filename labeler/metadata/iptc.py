"""IPTC and Dublin Core fields of a label in XMP.

Sources: IPTC Photo Metadata Standard 2025.1 (``Iptc4xmpExt``: DigitalSourceType, AISystemUsed,
AISystemVersionUsed, AIPromptInformation, AIPromptWriterName), IPTC NewsCodes digitalsourcetype,
ISO 16684-1 (dc:creator as ordered array, dc:rights as language alternative), XMP part 2 (ResourceEvent).

The label's time stands in ``xmpMM:History``, in the event whose ``stEvt:parameters`` is ``TC260:AIGC``
(``stEvt:when``), because ``xmp:CreateDate`` belongs to the picture and ``xmp:MetadataDate`` to whoever
edits last. ``xmp:CreateDate`` is set beside it only if the whole picture is generated and nothing in the
file tells another date.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from labeler.metadata import xmp
from labeler.types import AI_SOURCE_TYPES, IPTC_SOURCE_TYPE_URI, NON_AI_SOURCE_TYPES, Finding, Label

__all__ = ["Fields", "changes", "event", "read"]

_NAMES = ("AISystemUsed", "AISystemVersionUsed", "AIPromptInformation", "AIPromptWriterName")
_AUTHOR_SEPARATOR = "; "


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """IPTC and Dublin Core fields as read.

    Attributes:
        source_type: last path part of the digital source type, or "".
        generator: ``AISystemUsed/AISystemVersionUsed``, or the name alone, or "".
        created: time of the labelling event, else ``xmp:CreateDate``, else "".
        author: every dc:creator, joined by ``"; "``.
        rights: first dc:rights.
        raw: fields by their name in the standard, for reports.
        findings: deviations.
    """

    source_type: str = ""
    generator: str = ""
    created: str = ""
    author: str = ""
    rights: str = ""
    raw: dict[str, str]
    findings: tuple[Finding, ...] = ()

    def as_dict(self) -> dict[str, str]:
        """What ``aigc.to_label`` asks for."""
        return {
            "source_type": self.source_type,
            "generator": self.generator,
            "created": self.created,
            "author": self.author,
            "rights": self.rights,
        }


def read(packets: Sequence[xmp.Packet]) -> Fields:
    """The fields of all packets of a file; the first packet that has a field wins."""

    def first(namespace: str, local: str) -> str:
        texts = (packet.text(namespace, local).strip() for packet in packets)
        return next((text for text in texts if text), "")

    raw: dict[str, str] = {}
    findings: list[Finding] = []
    if uri := first(xmp.IPTC_EXT, "DigitalSourceType"):
        raw["DigitalSourceType"] = uri
    source_type = unquote(uri.rstrip("/")).replace(":", "/").rpartition("/")[2]
    if uri and source_type not in AI_SOURCE_TYPES | NON_AI_SOURCE_TYPES:
        findings.append(
            Finding(
                id="iptc.dst.value", severity="error", detail=f"{uri[:120]!r} is no IPTC digital source type."
            )
        )
    for name in _NAMES:
        if text := first(xmp.IPTC_EXT, name):
            raw[name] = text
    creators = next((v for p in packets if (v := _creators(p))), [])
    rights = first(xmp.DC, "rights")
    if creators:
        raw["creator"] = _AUTHOR_SEPARATOR.join(creators)
    if rights:
        raw["rights"] = rights
    created = next((when for p in packets if (when := _when(p))), "")
    if created:
        raw["History.when"] = created
    if date := first(xmp.XMP, "CreateDate"):
        raw["CreateDate"] = date
    name, version = raw.get("AISystemUsed", ""), raw.get("AISystemVersionUsed", "")
    return Fields(
        source_type=source_type,
        generator=f"{name}/{version}" if name and version else name,
        created=created or raw.get("CreateDate", ""),
        author=raw.get("creator", ""),
        rights=rights,
        raw=raw,
        findings=tuple(findings),
    )


def _creators(packet: xmp.Packet) -> list[str]:
    return [value.strip() for p in packet.find(xmp.DC, "creator") for value in p.values if value.strip()]


def _when(packet: xmp.Packet) -> str:
    times = [f.get("when", "") for _, f in packet.events() if f.get("parameters") == xmp.HISTORY_MARK]
    return times[0].strip() if times else ""


def changes(
    label: Label, *, prompt: str = "", prompt_writer: str = "", create_date: bool = False
) -> list[xmp.Change]:
    """What the IPTC, Dublin Core and XMP basic fields are to say.

    Args:
        label: the label.
        prompt: text for AIPromptInformation; prompts can hold personal data, so only on request.
        prompt_writer: name for AIPromptWriterName, likewise.
        create_date: also set ``xmp:CreateDate`` if there is none.
    """
    result = [xmp.Change(xmp.IPTC_EXT, "DigitalSourceType", IPTC_SOURCE_TYPE_URI + label.source_type)]
    name, _, version = (
        label.generator.rpartition("/") if "/" in label.generator else (label.generator, "", "")
    )
    for local, text in (
        ("AISystemUsed", name),
        ("AISystemVersionUsed", version),
        ("AIPromptInformation", prompt),
        ("AIPromptWriterName", prompt_writer),
    ):
        if text:
            result.append(xmp.Change(xmp.IPTC_EXT, local, text))
    authors = tuple(part.strip() for part in label.author.split(_AUTHOR_SEPARATOR) if part.strip())
    if authors:
        result.append(xmp.Change(xmp.DC, "creator", authors, "seq"))
    if label.rights:
        result.append(xmp.Change(xmp.DC, "rights", label.rights, "lang"))
    if create_date and label.created and not label.edited:
        result.append(xmp.Change(xmp.XMP, "CreateDate", label.created, "absent"))
    return result


def event(label: Label) -> xmp.Event | None:
    """The history event that keeps the label's time, if it has one."""
    if not label.created:
        return None
    return xmp.Event("edited" if label.edited else "created", label.created, label.generator)
