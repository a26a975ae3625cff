"""The metadata layer for images: write one label, read whatever labels there are.

A label is written as XMP property ``TC260:AIGC`` (GB 45438-2025 Annex E; TC260-PG-20259A) together with
the IPTC 2025.1 fields, by container surgery alone: coded picture data and every other metadata byte
stay as they are.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from labeler.errors import UnsupportedMedia
from labeler.metadata import aigc, iptc, xmp
from labeler.metadata.carriers import CARRIERS
from labeler.metadata.carriers.base import Slots
from labeler.metadata.xmltree import XmlError
from labeler.types import AI_SOURCE_TYPES, Finding, Label, MediaInfo, MetadataReport, State

__all__ = ["carrier", "read", "write"]

_SIDECAR_TYPES = frozenset({"image/bmp", "image/x-ms-bmp"})


@dataclass(frozen=True, slots=True)
class _Found:
    """A label and where it stood."""

    place: str
    parsed: aigc.Parsed
    findings: tuple[Finding, ...] = ()


def carrier(media_type: str) -> str:
    """Where a label goes: ``xmp`` (inside the file) or ``sidecar`` (``<name>.aigc.json`` beside it).

    Raises:
        UnsupportedMedia: for a type that this layer does not know.
    """
    if media_type in CARRIERS:
        return "xmp"
    if media_type in _SIDECAR_TYPES:
        return "sidecar"
    raise UnsupportedMedia(f"the metadata layer for images does not know {media_type!r}.")


def write(
    source: BinaryIO,
    target: BinaryIO,
    info: MediaInfo,
    label: Label,
    *,
    prompt: str = "",
    prompt_writer: str = "",
) -> tuple[Finding, ...]:
    """Write the label; afterwards the file carries exactly this one.

    Labels that were there before are taken out (deciding whether they may be is the caller's part). The
    producer's ``ReservedCode1`` stays if label value, producer and id stay, ``ReservedCode2`` if all five do.

    Args:
        source: the file to read, from its beginning.
        target: where the result goes.
        info: what the file is; only ``media_type`` is used.
        label: what to say.
        prompt: text for the IPTC field AIPromptInformation; off by default, prompts can be personal.
        prompt_writer: name for AIPromptWriterName; likewise.

    Returns:
        Findings about the label and about what was replaced or could not be.

    Raises:
        DamagedMedia: if the container cannot be walked, or its XMP packet is not well-formed.
        LimitExceeded: if the packet does not fit (JPEG: 65,502 bytes).
        UnsupportedMedia: for a type without a carrier.
    """
    data = _all(source)
    if carrier(info.media_type) == "sidecar":
        target.write(data)
        detail = f"{info.media_type} has no place for metadata; the label belongs in a sidecar file."
        return (Finding(id="meta.sidecar", severity="info", detail=detail),)
    slot = CARRIERS[info.media_type]
    slots = slot.read(data)
    broken = _parse(slots.packets[1:])[1]
    findings = [*_replaced(slots, label)]
    fields = aigc.fields_of(label, reserved=_reserved(slots, label))
    changes = [
        xmp.Change(aigc.NAMESPACE, "AIGC", aigc.serialise(fields), "element"),
        *iptc.changes(
            label,
            prompt=prompt,
            prompt_writer=prompt_writer,
            create_date=not slots.has_exif,
        ),
    ]
    main = xmp.merge(slots.packets[0] if slots.packets else b"", changes, event=iptc.event(label))
    remove = [xmp.Change(aigc.NAMESPACE, "AIGC", "", "remove")]
    others = [p if p in broken else xmp.merge(p, remove) for p in slots.packets[1:]]
    result, left = slot.write(data, [main, *others])
    target.write(result)
    findings += [_second(place) for place in left]
    findings += [_second("xmp") for packet in slots.readonly if _labels_of(packet)]
    return (*aigc.check(fields), *findings)


def read(source: BinaryIO, info: MediaInfo) -> MetadataReport:
    """Read every label and the IPTC fields of an image.

    Odd labels are findings, never errors. The report is PRESENT if an Annex E label or an IPTC AI source
    type was read, CANNOT_TELL if nothing was read and a packet was unreadable.

    Args:
        source: the file, from its beginning.
        info: what the file is; only ``media_type`` is used.

    Raises:
        DamagedMedia: if the container itself cannot be walked.
        UnsupportedMedia: for a type that this layer does not know.
    """
    if carrier(info.media_type) == "sidecar":
        reason = f"{info.media_type} has no place for metadata; look for a sidecar file."
        return MetadataReport(state=State.NOT_APPLICABLE, reason=reason)
    slots = CARRIERS[info.media_type].read(_all(source))
    return _report(slots)


def _all(source: BinaryIO) -> bytes:
    if source.seekable():
        source.seek(0)
    return source.read()


def _report(slots: Slots) -> MetadataReport:
    found, findings, broken = _search(slots)
    packets, _ = _parse((*slots.packets, *slots.readonly))
    fields = iptc.read(packets)
    findings += fields.findings
    raw: dict[str, str] = {}
    label: Label | None = None
    value = ""
    place = ""
    if found:
        first = found[0]
        place = first.place
        raw = dict(first.parsed.fields)
        findings = [*first.parsed.findings, *first.findings, *aigc.check(raw), *findings]
        findings += [_second(other.place) for other in found[1:]]
        label = aigc.to_label(raw, fields.as_dict())
        value = raw.get("Label", "").strip()
        value = value if value in ("1", "2", "3") else ""
    elif fields.source_type:
        place = "xmp"
    present = bool(found) or fields.source_type in AI_SOURCE_TYPES
    if present and not found:
        detail = "there are IPTC fields but no GB 45438 Annex E label."
        findings.append(Finding(id="cn.meta.present", severity="error", detail=detail))
    state = State.PRESENT if present else State.CANNOT_TELL if broken else State.ABSENT
    return MetadataReport(
        state=state,
        carrier=place,
        fields={**raw, **fields.raw},
        findings=tuple(findings),
        label=label,
        value=value,
        source_type=fields.source_type,
        reason=broken if state is State.CANNOT_TELL else "",
    )


def _search(slots: Slots) -> tuple[list[_Found], list[Finding], str]:
    """All labels, XMP first; findings; why a packet was unreadable, or ""."""
    found: list[_Found] = []
    findings: list[Finding] = []
    broken = ""
    for data in (*slots.packets, *slots.readonly):
        try:
            packet = xmp.Packet.read(data)
        except XmlError as error:
            broken = f"an XMP packet is not readable: {error}."
            findings.append(Finding(id="xmp.malformed", severity="warn", detail=broken))
            parsed = aigc.parse_label(html.unescape(data.decode("utf-8", "replace"))[: aigc.MAX_LABEL])
            if parsed is not None:
                found.append(_Found("xmp", parsed, (_misplaced("a damaged XMP packet"),)))
            continue
        here, odd = _in_packet(packet)
        found += here
        findings += odd
    for text in slots.texts:
        parsed = aigc.parse_label(text.text)
        if parsed is not None:
            found.append(_Found(text.place, parsed, (_misplaced(text.place),)))
        elif text.named:
            findings.append(_no_label(text.place))
    return found, findings, broken


def _in_packet(packet: xmp.Packet) -> tuple[list[_Found], list[Finding]]:
    found: list[_Found] = []
    findings: list[Finding] = []
    for item in packet.properties():
        if item.local != "AIGC":
            continue
        parsed = aigc.parse_label(item.text)
        if parsed is None and item.fields:
            parsed = aigc.parse_label(aigc.serialise(item.fields))
        if parsed is None:
            findings.append(_no_label("xmp"))
            continue
        notes: list[Finding] = []
        if item.namespace != aigc.NAMESPACE:
            notes.append(_misplaced(f"the XMP namespace {item.namespace[:80]!r}"))
        elif not item.element or item.structured:
            form = "a structure" if item.structured else "an attribute"
            detail = f"the label is {form} in XMP, not an element with JSON text."
            notes.append(Finding(id="cn.meta.placement", severity="info", detail=detail))
        found.append(_Found("xmp", parsed, tuple(notes)))
    return found, findings


def _parse(packets: Sequence[bytes]) -> tuple[list[xmp.Packet], list[bytes]]:
    """The readable packets parsed, and the others as they are."""
    good: list[xmp.Packet] = []
    bad: list[bytes] = []
    for data in packets:
        try:
            good.append(xmp.Packet.read(data))
        except XmlError:
            bad.append(data)
    return good, bad


def _labels_of(data: bytes) -> list[_Found]:
    packets, _ = _parse([data])
    return [found for packet in packets for found in _in_packet(packet)[0]]


def _reserved(slots: Slots, label: Label) -> tuple[str, str]:
    """Reserved codes of the old label that still fit the new one."""
    found = _search(slots)[0]
    old: Mapping[str, str] = found[0].parsed.fields if found else {}
    new = aigc.fields_of(label)

    def same(*names: str) -> bool:
        return all(old.get(name) == new[name] for name in names)

    if not same("Label", "ContentProducer", "ProduceID"):
        return "", ""
    second = old.get("ReservedCode2", "") if same("ContentPropagator", "PropagateID") else ""
    return old.get("ReservedCode1", ""), second


def _replaced(slots: Slots, label: Label) -> list[Finding]:
    """What the file said before that the new label changes, or keeps against it."""
    findings: list[Finding] = []
    for old in _search(slots)[0]:
        fields = old.parsed.fields
        if fields.get("ProduceID") != label.produce_id or fields.get("ContentProducer") != label.producer:
            detail = f"a label of {fields.get('ContentProducer', '')[:60]!r} stood in {old.place}; it was replaced."
            findings.append(Finding(id="meta.label_replaced", severity="info", detail=detail))
    before = iptc.read(_parse(slots.packets)[0])
    if before.source_type and before.source_type != label.source_type:
        detail = f"the digital source type was {before.source_type[:60]!r} and is now {label.source_type!r}."
        findings.append(Finding(id="meta.source_type_replaced", severity="warn", detail=detail))
    if label.rights and before.rights and before.rights != label.rights:
        detail = "the file has another rights statement; it was kept and ours was not written."
        findings.append(Finding(id="meta.rights_kept", severity="warn", detail=detail))
    return findings


def _misplaced(place: str) -> Finding:
    detail = f"the label stands in {place}, not in XMP TC260:AIGC (TC260-PG-20259A)."
    return Finding(id="cn.meta.placement", severity="warn", detail=detail)


def _no_label(place: str) -> Finding:
    detail = f"a field named AIGC in {place} holds no Annex E label."
    return Finding(id="cn.meta.present", severity="warn", detail=detail)


def _second(place: str) -> Finding:
    detail = f"another label stands in {place}; a file keeps only one (GB 45438 6.1 c)."
    return Finding(id="cn.meta.single", severity="error", detail=detail)
