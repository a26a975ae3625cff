"""One label in a text field of a sound or video file: what is common to all such containers.

A carrier says where the guide puts the label, reads every slot of a file, and writes. The IPTC fields go
into an XMP packet where the container has a place for one (XMP specification part 3), else into named
texts beside the label.

======================  =======================  ========================
IPTC, Dublin Core, XMP  named text               field of the label
======================  =======================  ========================
DigitalSourceType       DigitalSourceType (URI)  source_type
AISystemUsed            AISystemUsed             generator, before "/"
AISystemVersionUsed     AISystemVersionUsed      generator, behind "/"
dc:creator              ARTIST                   author
dc:rights               COPYRIGHT                rights
history event           DATE_TAGGED              created
======================  =======================  ========================
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import unquote

from labeler.metadata import aigc, iptc, relabel, securitydata, xmp
from labeler.metadata.carriers.base import New, Slots
from labeler.metadata.xmltree import XmlError
from labeler.types import (
    AI_SOURCE_TYPES,
    IPTC_SOURCE_TYPE_URI,
    NON_AI_SOURCE_TYPES,
    Finding,
    Label,
    MetadataReport,
    State,
)

__all__ = ["PROPERTIES", "Tagged", "read", "write"]

PROPERTIES = (
    "DigitalSourceType",
    "AISystemUsed",
    "AISystemVersionUsed",
    "ARTIST",
    "COPYRIGHT",
    "DATE_TAGGED",
)
"""Named texts that carriers without XMP read and write."""

_MAX_FINDINGS = 100
_MAX_TEXTS = 100
_SEPARATOR = "; "


@dataclass(frozen=True, slots=True)
class Tagged:
    """A carrier.

    Attributes:
        place: what the guide's place is called; texts in other places are misplaced. ``xmp`` for formats whose
            label stands in XMP (TC260-PG-202510A, "other formats").
        where: that place in words, for findings.
        read: the slots of a file.
        write: the file with a new label; gives the places whose label could not be taken out.
        xmp: true if the container has a place for XMP.
    """

    place: str
    where: str
    read: Callable[[BinaryIO], Slots]
    write: Callable[[BinaryIO, BinaryIO, New], tuple[str, ...]]
    xmp: bool = True


@dataclass(frozen=True, slots=True)
class _Found:
    place: str
    parsed: aigc.Parsed
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class _Contents:
    """What stands in a file's slots: labels (those in the guide's place first), IPTC fields, deviations.

    ``packets`` are the parsed XMP packets in the order of the slots, None for one that cannot be read;
    ``broken`` says why one is, or is "".
    """

    packets: tuple[xmp.Packet | None, ...]
    labels: tuple[_Found, ...]
    iptc: iptc.Fields
    findings: tuple[Finding, ...]
    broken: str


def write(
    carrier: Tagged,
    source: BinaryIO,
    target: BinaryIO,
    label: Label,
    *,
    prompt: str = "",
    prompt_writer: str = "",
) -> tuple[Finding, ...]:
    """Write the label; afterwards the file carries exactly this one.

    Labels that were there before are taken out (deciding whether they may be is the caller's part). The
    producer's ``ReservedCode1`` stays if label value, producer and id stay, ``ReservedCode2`` if all five do.

    Args:
        carrier: the container's.
        source: the file to read, seekable.
        target: where the result goes; written from its beginning to its end, in pieces.
        label: what to say.
        prompt: text for the IPTC field AIPromptInformation; off by default, prompts can be personal.
        prompt_writer: name for AIPromptWriterName; likewise.

    Returns:
        Findings about the label and about what was replaced or could not be.

    Raises:
        DamagedMedia: if the container cannot be walked, or its XMP packet is not well-formed.
        LimitExceeded: if a size or offset would not fit any more.
        UnsupportedMedia: if the container is one that cannot be changed safely.
    """
    slots = carrier.read(source)
    contents = _open(carrier, slots)
    fields = aigc.fields_of(label, reserved=relabel.reserved(contents.labels, label))
    packets: tuple[bytes, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    if carrier.xmp:
        first = _first_change(carrier, fields)
        packets = _packets(slots, contents, label, prompt, prompt_writer, first)
    else:
        properties = _properties(slots, label, prompt, prompt_writer)
    new = New(text=aigc.serialise(fields), packets=packets, properties=properties)
    left = carrier.write(source, target, new)
    findings = [
        *relabel.replaced(contents.labels, label),
        *relabel.changed(contents.iptc, label),
        *(relabel.second(place) for place in left),
    ]
    return (*aigc.check(fields), *findings)


def read(carrier: Tagged, source: BinaryIO) -> MetadataReport:
    """Read every label and the IPTC fields of a file; odd labels are findings, never errors.

    The report is PRESENT if an Annex E label or an IPTC AI source type was read, CANNOT_TELL if nothing was
    read and an XMP packet was unreadable.

    Raises:
        DamagedMedia: if the container itself cannot be walked.
        LimitExceeded: if a header is absurdly large.
        UnsupportedMedia: if the container is one that cannot be read.
    """
    contents = _open(carrier, carrier.read(source))
    fields = contents.iptc
    findings = list(contents.findings)
    raw: dict[str, str] = {}
    place = "xmp" if carrier.xmp else carrier.place
    place = place if fields.source_type else ""
    if contents.labels:
        first = contents.labels[0]
        place = first.place
        raw = dict(first.parsed.fields)
        about = (*first.parsed.findings, *first.findings, *aigc.check(raw), *securitydata.check(raw))
        findings = [*about, *findings]
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


# ------------------------------------------------------------------------------------------ reading


def _open(carrier: Tagged, slots: Slots) -> _Contents:
    labels: list[_Found] = []
    findings: list[Finding] = []
    for text in slots.texts[:_MAX_TEXTS]:
        parsed = aigc.parse_label(text.text)
        if parsed is not None:
            odd = () if text.place == carrier.place else (_misplaced(carrier, text.place),)
            labels.append(_Found(text.place, parsed, odd))
        elif text.named:
            findings.append(relabel.no_label(text.place))
    labels.sort(key=lambda found: found.place != carrier.place)
    packets: list[xmp.Packet | None] = []
    broken = ""
    for data in (*slots.packets, *slots.readonly):
        try:
            packet = xmp.Packet.read(data)
        except XmlError as error:
            packets.append(None)
            broken = f"an XMP packet is not readable: {error}."
            findings.append(Finding(id="xmp.malformed", severity="warn", detail=broken))
            parsed = aigc.parse_label(html.unescape(data[: aigc.MAX_LABEL].decode("utf-8", "replace")))
            if parsed is not None:
                labels.append(_Found("xmp", parsed, (_misplaced(carrier, "a damaged XMP packet"),)))
            continue
        packets.append(packet)
        for item in packet.properties:
            if item.local != "AIGC":
                continue
            parsed = aigc.parse_label(item.text or (aigc.serialise(item.fields) if item.fields else ""))
            if parsed is None:
                findings.append(relabel.no_label("xmp"))
            else:
                odd = () if carrier.place == "xmp" else (_misplaced(carrier, "XMP"),)
                labels.append(_Found("xmp", parsed, odd))
    readable = [packet for packet in packets if packet is not None]
    fields = iptc.read(readable) if carrier.xmp else _fields(slots.properties)
    return _Contents(tuple(packets), tuple(labels), fields, (*findings, *fields.findings), broken)


def _fields(properties: Iterable[tuple[str, str]]) -> iptc.Fields:
    """IPTC fields of named texts; names are compared without case, as Matroska and Vorbis comments are."""
    raw: dict[str, str] = {}
    for wanted in (*PROPERTIES, "AIPromptInformation", "AIPromptWriterName"):
        texts = [text.strip() for name, text in properties if name.upper() == wanted.upper() and text.strip()]
        if texts:
            raw[wanted] = _SEPARATOR.join(dict.fromkeys(texts)) if wanted == "ARTIST" else texts[0]
    uri = raw.get("DigitalSourceType", "")
    source_type = unquote(uri.rstrip("/")).replace(":", "/").rpartition("/")[2]
    findings: tuple[Finding, ...] = ()
    if uri and source_type not in AI_SOURCE_TYPES | NON_AI_SOURCE_TYPES:
        detail = f"{uri[:120]!r} is no IPTC digital source type."
        findings = (Finding(id="iptc.dst.value", severity="error", detail=detail),)
    name, version = raw.get("AISystemUsed", ""), raw.get("AISystemVersionUsed", "")
    return iptc.Fields(
        source_type=source_type,
        generator=f"{name}/{version}" if name and version else name,
        created=raw.get("DATE_TAGGED", ""),
        author=raw.get("ARTIST", ""),
        rights=raw.get("COPYRIGHT", ""),
        raw=raw,
        findings=findings,
    )


# ------------------------------------------------------------------------------------------ writing


def _first_change(carrier: Tagged, fields: Mapping[str, str]) -> xmp.Change:
    """What becomes of the label property in the first packet."""
    if carrier.place != "xmp":
        return xmp.Change(aigc.NAMESPACE, "AIGC", "", "remove")
    return xmp.Change(aigc.NAMESPACE, "AIGC", aigc.serialise(fields), "element")


def _packets(
    slots: Slots, contents: _Contents, label: Label, prompt: str, prompt_writer: str, first: xmp.Change
) -> tuple[bytes, ...]:
    """The file's XMP packets with the IPTC fields in the first one, and no label in any other."""
    remove = xmp.Change(aigc.NAMESPACE, "AIGC", "", "remove")
    changes = [first, *iptc.changes(label, prompt=prompt, prompt_writer=prompt_writer)]
    main = xmp.merge(slots.packets[0] if slots.packets else b"", changes, event=iptc.event(label))
    packets = [main]
    for index, extra in enumerate(slots.packets[1:], 1):
        readable = contents.packets[index] is not None
        packets.append(xmp.merge(extra, [remove]) if readable else extra)
    return tuple(packets)


def _properties(slots: Slots, label: Label, prompt: str, prompt_writer: str) -> tuple[tuple[str, str], ...]:
    """The named texts; as in XMP, another rights statement is kept, and creators are added to those there."""
    old = _fields(slots.properties)
    name, _, version = (
        label.generator.rpartition("/") if "/" in label.generator else (label.generator, "", "")
    )
    authors = [part.strip() for part in f"{old.author};{label.author}".split(";") if part.strip()]
    texts = {
        "DigitalSourceType": IPTC_SOURCE_TYPE_URI + label.source_type,
        "AISystemUsed": name,
        "AISystemVersionUsed": version,
        "AIPromptInformation": prompt,
        "AIPromptWriterName": prompt_writer,
        "ARTIST": _SEPARATOR.join(dict.fromkeys(authors)) if label.author else "",
        "COPYRIGHT": label.rights if old.rights in ("", label.rights) else "",
        "DATE_TAGGED": label.created,
    }
    return tuple((name, text) for name, text in texts.items() if text)


def _misplaced(carrier: Tagged, place: str) -> Finding:
    detail = f"the label stands in {place}, not in {carrier.where}."
    return Finding(id="cn.meta.placement", severity="warn", detail=detail)
