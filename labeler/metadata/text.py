"""The metadata layer for texts and documents: write one label, read whatever labels there are.

=================  =====================================================  =======================
format             where the label stands                                 carrier
=================  =====================================================  =======================
Markdown           front matter, mapping ``AIGC``                         ``front-matter``
HTML               ``<meta name="AIGC" content="{...}">``                 ``html-meta``
JSON, JSON Lines   member ``AIGC`` of the object; of every line           ``json``, ``jsonl``
WebVTT             comment ``NOTE AIGC {...}``                            ``vtt-note``
DOCX, PPTX, XLSX   docProps/custom.xml, property ``AIGC``                 ``ooxml-custom``
ODT                meta.xml, ``meta:user-defined`` ``AIGC``               ``odf-meta``
EPUB               OPF ``<meta name="AIGC">``                             ``opf-meta``
PDF                document information ``/AIGC``, and XMP                ``pdf``
text, SubRip       ``<name>.aigc.json`` beside the file                   ``sidecar``
=================  =====================================================  =======================

The label's IPTC and Dublin Core fields go beside it where the carrier holds named properties.
"""

from __future__ import annotations

import importlib
from typing import BinaryIO, cast

from labeler.errors import UnsupportedMedia
from labeler.media.text import probe
from labeler.media.text.encoding import decode
from labeler.media.text.jsontext import scan
from labeler.metadata import aigc, relabel, securitydata
from labeler.metadata.textslots import Contents, MarkdownSlot, Slot
from labeler.types import (
    AI_SOURCE_TYPES,
    IPTC_SOURCE_TYPE_URI,
    Finding,
    Label,
    MediaInfo,
    MetadataReport,
    State,
)

__all__ = ["carrier", "read", "report", "write"]

_MAX_FINDINGS = 100
_OOXML = ("textpackages", "OoxmlSlot")
_SLOTS = {
    "text/markdown": ("textslots", "MarkdownSlot"),
    "text/html": ("textslots", "HtmlSlot"),
    "application/json": ("textslots", "JsonSlot"),
    "application/jsonl": ("textslots", "JsonLinesSlot"),
    "text/vtt": ("textslots", "VttSlot"),
    probe.DOCX: _OOXML,
    probe.PPTX: _OOXML,
    probe.XLSX: _OOXML,
    probe.ODT: ("textpackages", "OdtSlot"),
    probe.EPUB: ("textpackages", "EpubSlot"),
    "application/pdf": ("textpdf", "PdfSlot"),
}
_SIDECAR_TYPES = frozenset({"text/plain", "application/x-subrip"})
_EXTRA = {
    "DigitalSourceType": "source_type",
    "AISystemUsed": "generator",
    "DC.created": "created",
    "DC.creator": "author",
    "DC.rights": "rights",
}


def carrier(media_type: str, data: bytes | None = None) -> str:
    """Where a label goes: the name of the slot in the file, or ``sidecar`` (``<name>.aigc.json`` beside it).

    Args:
        media_type: by content.
        data: the file, if at hand: a JSON file whose root is no object has no slot.

    Raises:
        UnsupportedMedia: for a type that this layer does not know.
    """
    if media_type in _SIDECAR_TYPES:
        return "sidecar"
    if media_type == "application/json" and data is not None and not scan(decode(data).body).is_object:
        return "sidecar"
    return _slot(media_type).name


def _slot(media_type: str) -> Slot:
    try:
        module, name = _SLOTS[media_type]
    except KeyError:
        raise UnsupportedMedia(f"the metadata layer for texts does not know {media_type!r}.") from None
    return cast(Slot, getattr(importlib.import_module(f"labeler.metadata.{module}"), name)())


def write(source: BinaryIO, target: BinaryIO, info: MediaInfo, label: Label) -> tuple[Finding, ...]:
    """Write the label; afterwards the file carries exactly this one.

    Labels that were there before are taken out (deciding whether they may be is the caller's part). The
    producer's ``ReservedCode1`` stays if label value, producer and id stay, ``ReservedCode2`` if all five do.

    Args:
        source: the file to read, from its beginning.
        target: where the result goes.
        info: what the file is; only ``media_type`` is used.
        label: what to say.

    Returns:
        Findings about the label and about what was replaced or could not be.

    Raises:
        DamagedMedia: the file cannot be read.
        LimitExceeded: a document is packed beyond reason.
        UnsupportedMedia: a type or a file without a place for the label.
    """
    data = _all(source)
    if carrier(info.media_type, data) == "sidecar":
        target.write(data)
        detail = f"{info.media_type} has no place for metadata here; the label belongs in a sidecar file."
        return (Finding(id="meta.sidecar", severity="info", detail=detail),)
    slot = _slot(info.media_type)
    before = slot.read(data)
    fields = aigc.fields_of(label, reserved=relabel.reserved(before.labels, label))
    extra = {"DigitalSourceType": IPTC_SOURCE_TYPE_URI + label.source_type}
    extra |= {name: text for name, key in list(_EXTRA.items())[1:] if (text := getattr(label, key))}
    target.write(slot.write(data, fields, extra if slot.keeps_properties else {}))
    findings = [*aigc.check(fields), *relabel.replaced(before.labels, label)]
    if not slot.keeps_properties and (label.author or label.rights):
        detail = f"author and rights have no place in {slot.name}; they stand in the credentials only."
        findings.append(Finding(id="meta.not-written", severity="info", detail=detail))
    return tuple(findings)


def read(source: BinaryIO, info: MediaInfo) -> MetadataReport:
    """Read every label of a text or document.

    Odd labels are findings, never errors. Plain text is looked through for the labels that other tools put
    into it; where there are none the state is NOT_APPLICABLE, and the sidecar decides.

    Args:
        source: the file, from its beginning.
        info: what the file is; only ``media_type`` is used.

    Raises:
        DamagedMedia: if the file itself cannot be read.
        UnsupportedMedia: for a type that this layer does not know.
    """
    data = _all(source)
    if carrier(info.media_type, data) == "sidecar":
        found = MarkdownSlot().read(data) if info.media_type == "text/plain" else Contents()
        if not found.labels:
            reason = f"{info.media_type} has no place for metadata; look for a sidecar file."
            return MetadataReport(state=State.NOT_APPLICABLE, reason=reason)
        return report(found, sidecar=True)
    return report(_slot(info.media_type).read(data))


def report(found: Contents, *, sidecar: bool = False) -> MetadataReport:
    """The report of what a slot holds.

    Args:
        found: from a slot.
        sidecar: the format has no slot, so that any place within it is odd.
    """
    findings: list[Finding] = []
    raw: dict[str, str] = {}
    place = ""
    if found.labels:
        first = found.labels[0]
        place, raw = first.place, dict(first.parsed.fields)
        odd = "the text itself, which has no slot" if sidecar else first.odd
        findings = [*first.parsed.findings, *aigc.check(raw), *securitydata.check(raw)]
        if odd:
            detail = f"the label stands in {odd}, not where its format has it."
            findings.append(Finding(id="cn.meta.placement", severity="warn", detail=detail))
        for other in found.labels[1:]:
            detail = f"another label stands in {other.place}; a file keeps only one (GB 45438 6.1 c)."
            findings.append(Finding(id="cn.meta.single", severity="error", detail=detail))
    for empty in dict.fromkeys(found.empty):
        detail = f"a field named AIGC in {empty} holds no Annex E label."
        findings.append(Finding(id="cn.meta.present", severity="warn", detail=detail))
    extra = {key: found.properties.get(name, "") for name, key in _EXTRA.items()}
    source_type = extra["source_type"].rstrip("/").rpartition("/")[2]
    present = bool(found.labels) or source_type in AI_SOURCE_TYPES
    value = raw.get("Label", "").strip()
    return MetadataReport(
        state=State.PRESENT if present else State.ABSENT,
        carrier=place,
        fields={**raw, **found.properties},
        findings=tuple(findings[:_MAX_FINDINGS]),
        label=aigc.to_label(raw, {**extra, "source_type": source_type}),
        value=value if value in ("1", "2", "3") else "",
        source_type=source_type,
    )


def _all(source: BinaryIO) -> bytes:
    if source.seekable():
        source.seek(0)
    return source.read()
