"""The metadata layer for images: write one label, read whatever labels there are.

A label is written as XMP property ``TC260:AIGC`` (GB 45438-2025 Annex E; TC260-PG-20259A) together with
the IPTC 2025.1 fields, by container surgery alone: coded picture data and every other metadata byte
stay as they are.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import BinaryIO

from labeler.errors import UnsupportedMedia
from labeler.metadata import aigc, iptc, relabel, securitydata, xmp
from labeler.metadata.carriers import CARRIERS
from labeler.metadata.carriers.base import Slots
from labeler.metadata.xmltree import XmlError
from labeler.types import AI_SOURCE_TYPES, Finding, Label, MediaInfo, MetadataReport, State

__all__ = ["carrier", "read", "write"]

_MAX_FINDINGS = 100
_MAX_TEXTS = 100
_SIDECAR_TYPES = frozenset({"image/bmp", "image/x-ms-bmp"})


@dataclass(frozen=True, slots=True)
class _Found:
    """A label and where it stood."""

    place: str
    parsed: aigc.Parsed
    findings: tuple[Finding, ...] = ()
    readonly: bool = False


@dataclass(frozen=True, slots=True)
class _Contents:
    """What stands in a file's slots.

    Attributes:
        packets: parsed packets in the order of the slots, None for one that cannot be read.
        labels: all labels, XMP first.
        iptc: fields of all packets.
        findings: about fields that hold no label, and about the IPTC fields.
        broken: why a packet was unreadable, or "".
    """

    packets: tuple[xmp.Packet | None, ...]
    labels: tuple[_Found, ...]
    iptc: iptc.Fields
    findings: tuple[Finding, ...]
    broken: str


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
    contents = _open(slots)
    fields = aigc.fields_of(label, reserved=relabel.reserved(contents.labels, label))
    changes = [
        xmp.Change(aigc.NAMESPACE, "AIGC", aigc.serialise(fields), "element"),
        *iptc.changes(label, prompt=prompt, prompt_writer=prompt_writer, create_date=not slots.has_exif),
    ]
    packets = [xmp.merge(slots.packets[0] if slots.packets else b"", changes, event=iptc.event(label))]
    remove = [xmp.Change(aigc.NAMESPACE, "AIGC", "", "remove")]
    for index, extra in enumerate(slots.packets[1:], 1):
        readable = contents.packets[index] is not None
        packets.append(xmp.merge(extra, remove) if readable else extra)
    result, left = slot.write(data, packets)
    target.write(result)
    findings = [*relabel.replaced(contents.labels, label), *relabel.changed(contents.iptc, label)]
    findings += [relabel.second(place) for place in left]
    findings += [relabel.second(found.place) for found in contents.labels if found.readonly]
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
    return _report(_open(CARRIERS[info.media_type].read(_all(source))))


def _all(source: BinaryIO) -> bytes:
    if source.seekable():
        source.seek(0)
    return source.read()


# ------------------------------------------------------------------------------------------ reading


def _open(slots: Slots) -> _Contents:
    """Read everything in the slots, XMP first."""
    packets: list[xmp.Packet | None] = []
    labels: list[_Found] = []
    findings: list[Finding] = []
    broken = ""
    for index, data in enumerate((*slots.packets, *slots.readonly)):
        readonly = index >= len(slots.packets)
        try:
            packet = xmp.Packet.read(data)
        except XmlError as error:
            packets.append(None)
            broken = f"an XMP packet is not readable: {error}."
            findings.append(Finding(id="xmp.malformed", severity="warn", detail=broken))
            parsed = aigc.parse_label(html.unescape(data[: aigc.MAX_LABEL].decode("utf-8", "replace")))
            if parsed is not None:
                labels.append(_Found("xmp", parsed, (_misplaced("a damaged XMP packet"),), True))
            continue
        packets.append(packet)
        here, odd = _in_packet(packet, readonly)
        labels += here
        findings += odd
    for text in slots.texts[:_MAX_TEXTS]:
        parsed = aigc.parse_label(text.text)
        if parsed is not None:
            labels.append(_Found(text.place, parsed, (_misplaced(text.place),)))
        elif text.named:
            findings.append(relabel.no_label(text.place))
    fields = iptc.read([packet for packet in packets if packet is not None])
    return _Contents(tuple(packets), tuple(labels), fields, (*findings, *fields.findings), broken)


def _in_packet(packet: xmp.Packet, readonly: bool) -> tuple[list[_Found], list[Finding]]:
    labels: list[_Found] = []
    findings: list[Finding] = []
    for item in packet.properties:
        if item.local != "AIGC":
            continue
        parsed = aigc.parse_label(item.text)
        if parsed is None and item.fields:
            parsed = aigc.parse_label(aigc.serialise(item.fields))
        if parsed is None:
            findings.append(relabel.no_label("xmp"))
            continue
        notes: list[Finding] = []
        if item.namespace != aigc.NAMESPACE:
            notes.append(_misplaced(f"the XMP namespace {item.namespace[:80]!r}"))
        elif not item.element or item.structured:
            form = "a structure" if item.structured else "an attribute"
            detail = f"the label is {form} in XMP, not an element with JSON text."
            notes.append(Finding(id="cn.meta.placement", severity="info", detail=detail))
        labels.append(_Found("xmp", parsed, tuple(notes), readonly))
    return labels, findings


def _report(contents: _Contents) -> MetadataReport:
    fields = contents.iptc
    findings = list(contents.findings)
    raw: dict[str, str] = {}
    place = "xmp" if fields.source_type else ""
    if contents.labels:
        first = contents.labels[0]
        place = first.place
        raw = dict(first.parsed.fields)
        findings = [
            *first.parsed.findings,
            *first.findings,
            *aigc.check(raw),
            *securitydata.check(raw),
            *findings,
        ]
        findings += [relabel.second(other.place) for other in contents.labels[1:]]
    present = bool(contents.labels) or fields.source_type in AI_SOURCE_TYPES
    if present and not contents.labels:
        detail = "there are IPTC fields but no GB 45438 Annex E label."
        findings.append(Finding(id="cn.meta.present", severity="error", detail=detail))
    state = State.PRESENT if present else State.CANNOT_TELL if contents.broken else State.ABSENT
    value = raw.get("Label", "").strip()
    return MetadataReport(
        state=state,
        carrier=place,
        fields={**raw, **fields.raw},
        findings=tuple(findings[:_MAX_FINDINGS]),
        label=aigc.to_label(raw, fields.as_dict()),
        value=value if value in ("1", "2", "3") else "",
        source_type=fields.source_type,
        reason=contents.broken if state is State.CANNOT_TELL else "",
    )


# ------------------------------------------------------------------------------------------ writing


def _misplaced(place: str) -> Finding:
    detail = f"the label stands in {place}, not in XMP TC260:AIGC (TC260-PG-20259A)."
    return Finding(id="cn.meta.placement", severity="warn", detail=detail)
