"""XMP packets: read properties, and change a few of them where they stand.

Sources: ISO 16684-1 (XMP data model and serialisation, clause 7), Adobe XMP Specification Part 3
(packet wrapper). Properties are looked for as elements and as attributes of every top-level
``rdf:Description``. A changed property stays where it was; new ones go into one more
``rdf:Description`` at the end that declares its own prefixes, which ISO 16684-1 7.4 allows and which
cannot clash with prefixes of the packet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from labeler.errors import DamagedMedia
from labeler.media.containers.splice import Edit, splice
from labeler.metadata.xmltree import Attribute, Node, XmlError, escape, escape_attribute, parse

__all__ = [
    "DC",
    "HISTORY_MARK",
    "IPTC_EXT",
    "RDF",
    "XMP",
    "XMP_MM",
    "Change",
    "Event",
    "Packet",
    "Property",
    "merge",
    "new_packet",
    "normalise",
    "shrink",
]

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
XMP = "http://ns.adobe.com/xap/1.0/"
XMP_MM = "http://ns.adobe.com/xap/1.0/mm/"
ST_EVT = "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"
IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
AIGC = "http://www.tc260.org.cn/ns/AIGC/1.0/"

HISTORY_MARK = "TC260:AIGC"
"""``stEvt:parameters`` of the history event that tells when the label was made."""

_PREFIXES = {
    DC: "dc",
    XMP: "xmp",
    XMP_MM: "xmpMM",
    ST_EVT: "stEvt",
    IPTC_EXT: "Iptc4xmpExt",
    AIGC: "TC260",
    RDF: "rdf",
}
_EMPTY = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


@dataclass(frozen=True, slots=True)
class Property:
    """One occurrence of a property.

    Attributes:
        namespace: URI, empty for an unbound prefix.
        local: name without prefix.
        values: the text, or the items of an array.
        element: true for an element, false for an attribute.
        structured: true if it is an array or a structure, not a plain text.
        fields: local name -> text of the fields of a structure.
        node: the element that is it, or that carries it.
        attribute: the attribute, if it is one.
    """

    namespace: str
    local: str
    values: tuple[str, ...]
    element: bool
    structured: bool
    fields: dict[str, str]
    node: Node
    attribute: Attribute | None = None

    @property
    def text(self) -> str:
        """The first value, or ""."""
        return self.values[0] if self.values else ""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be true of one property afterwards.

    Attributes:
        namespace: URI.
        local: name without prefix.
        value: its text; for arrays the items that must be in it.
        kind: ``text`` (one value, replaced), ``element`` (the same, but never an attribute, and the only
            one of its name), ``absent`` (set only if there is none), ``seq`` (items added),
            ``lang`` (x-default item of a language alternative, set only if there is none),
            ``remove`` (none is to be left).
    """

    namespace: str
    local: str
    value: str | tuple[str, ...]
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Event:
    """A ``xmpMM:History`` event (XMP part 2, ResourceEvent), one per file with our mark."""

    action: str
    when: str
    agent: str


@dataclass(frozen=True, slots=True)
class Packet:
    """A parsed packet.

    Attributes:
        data: its bytes, as UTF-8.
        rdf: the ``rdf:RDF`` element.
        descriptions: the top-level ``rdf:Description`` elements.
        properties: all properties of the top level, in document order.
    """

    data: bytes
    rdf: Node
    descriptions: tuple[Node, ...]
    properties: tuple[Property, ...]

    @classmethod
    def read(cls, data: bytes) -> Packet:
        """Parse a packet.

        Raises:
            XmlError: if it is not well-formed or holds no ``rdf:RDF``.
        """
        data = normalise(data)
        root = parse(data)
        rdf = next((node for node in root.walk() if node.local == "RDF" and node.namespace == RDF), None)
        if rdf is None:
            raise XmlError("the packet holds no rdf:RDF element")
        found = tuple(n for n in rdf.children if n.local == "Description" and n.namespace == RDF)
        return cls(data, rdf, found, tuple(_properties(found)))

    def find(self, namespace: str, local: str) -> list[Property]:
        """Every occurrence of one property."""
        return [p for p in self.properties if p.local == local and p.namespace == namespace]

    def text(self, namespace: str, local: str) -> str:
        """The first value of a property, or ""."""
        return next((p.text for p in self.find(namespace, local) if p.values), "")

    def events(self) -> Iterator[tuple[Node, dict[str, str]]]:
        """The events of ``xmpMM:History``: list item, and field name -> text."""
        for found in self.find(XMP_MM, "History"):
            for array in found.node.children:
                for item in array.children:
                    yield item, _fields(item)


def normalise(data: bytes) -> bytes:
    """UTF-16 and UTF-32 packets as UTF-8 (XMP part 1 allows them in some formats)."""
    head = data[:4]
    codec = None
    if head[:4] in (b"\xff\xfe\0\0", b"<\0\0\0"):
        codec = "utf-32-le"
    elif head[:4] in (b"\0\0\xfe\xff", b"\0\0\0<"):
        codec = "utf-32-be"
    elif head[:2] == b"\xff\xfe" or head[:4] == b"<\0?\0" or head[:2] == b"<\0":
        codec = "utf-16-le"
    elif head[:2] == b"\xfe\xff" or head[:2] == b"\0<":
        codec = "utf-16-be"
    if codec is None:
        return data
    try:
        return data[: len(data) // 4 * 4 if "32" in codec else len(data) // 2 * 2].decode(codec).encode()
    except UnicodeError:
        return data


def new_packet() -> bytes:
    """A packet without properties."""
    return _EMPTY


def merge(data: bytes, changes: Iterable[Change], *, event: Event | None = None) -> bytes:
    """The packet with the changes made and everything else as it was, byte by byte.

    Making the same changes twice gives the same bytes as making them once.

    Args:
        data: a packet, or empty bytes for a new one.
        changes: what is to be true afterwards.
        event: history event to add or, if ours is there already, to bring up to date.

    Raises:
        DamagedMedia: if the packet is not well-formed; it is not touched then.
    """
    try:
        packet = Packet.read(data or _EMPTY)
    except XmlError as error:
        raise DamagedMedia(
            f"the file's XMP packet cannot be read ({error}), and it is not ours to destroy.",
            remedy="Repair or remove the XMP metadata with the tool that wrote it, then label again.",
        ) from error
    edits: list[Edit] = []
    fresh: list[tuple[str, str]] = []
    for change in changes:
        fresh += _apply(packet, change, edits)
    if event is not None:
        fresh += _apply_event(packet, event, edits)
    if fresh:
        edits.append(_description(packet, fresh))
    return splice(packet.data, edits)


# ------------------------------------------------------------------------------------------ reading


def _properties(descriptions: Iterable[Node]) -> Iterator[Property]:
    for description in descriptions:
        for attribute in description.attributes:
            if attribute.namespace == RDF or attribute.name.startswith(("xmlns", "xml:")):
                continue
            if attribute.name in ("about", "ID"):
                continue
            yield Property(
                attribute.namespace,
                attribute.local,
                (attribute.value,),
                False,
                False,
                {},
                description,
                attribute,
            )
        for node in description.children:
            yield _property(node)


def _property(node: Node) -> Property:
    resource = node.attribute(RDF, "resource")
    array = next((n for n in node.children if n.namespace == RDF and n.local in ("Seq", "Bag", "Alt")), None)
    fields: dict[str, str] = {}
    values: tuple[str, ...]
    if array is not None:
        values = tuple(_item_text(n) for n in array.children if n.local == "li")
    elif node.children:
        fields = _fields(node)
        inner = next((n for n in node.walk() if n.namespace == RDF and n.local == "value"), None)
        values = (inner.text,) if inner is not None else ()
    elif resource is not None:
        values = (resource.value,)
    else:
        values = (node.text,)
    return Property(node.namespace, node.local, values, True, bool(node.children), fields, node)


def _item_text(node: Node) -> str:
    resource = node.attribute(RDF, "resource")
    return resource.value if resource is not None else node.text


def _fields(node: Node) -> dict[str, str]:
    """Fields of a structure, whichever of RDF's three spellings it has."""
    inner = node.child(RDF, "Description") or node
    found = {a.local: a.value for a in inner.attributes if a.namespace not in (RDF, "")}
    found.update({child.local: child.text for child in inner.children})
    return found


# ------------------------------------------------------------------------------------------ writing


def _apply(packet: Packet, change: Change, edits: list[Edit]) -> list[tuple[str, str]]:
    found = packet.find(change.namespace, change.local)
    if change.kind == "absent" and any(p.text or p.structured for p in found):
        return []
    if change.kind == "seq":
        return _apply_seq(packet, change, found, edits)
    if change.kind == "lang":
        if any(any(v.strip() for v in p.values) for p in found):
            return []
        edits += [_removal(packet, p) for p in found]
        return [(change.namespace, _element(change, _lang(str(change.value))))]
    if change.kind == "remove":
        edits += [_removal(packet, p) for p in (*found, *_odd(packet, change))]
        return []
    value = str(change.value)
    if change.kind == "element":
        found = found + _odd(packet, change)
    keep = next((p for p in found if not p.structured and (p.element or change.kind != "element")), None)
    for occurrence in found:
        if occurrence is not keep:
            edits.append(_removal(packet, occurrence))
    if keep is None:
        return [(change.namespace, _element(change, escape(value)))]
    if keep.text != value or keep.namespace != change.namespace:
        edits.append(_replacement(keep, change.namespace, value))
    return []


def _odd(packet: Packet, change: Change) -> list[Property]:
    """The same property under a misspelt namespace or a prefix that is not bound."""
    stem = change.namespace.partition("://")[2].rstrip("/").lower()
    stem = stem.rpartition("/")[0] if stem[-1:].isdigit() else stem
    return [
        p
        for p in packet.properties
        if p.local == change.local
        and p.namespace != change.namespace
        and (p.namespace == "" or stem in p.namespace.lower())
    ]


def _removal(packet: Packet, found: Property) -> Edit:
    if found.attribute is not None:
        return Edit(found.attribute.start, found.attribute.end, b"")
    start = found.node.start
    while start > 0 and packet.data[start - 1 : start] in (b" ", b"\t", b"\r", b"\n"):
        start -= 1
    return Edit(start, found.node.end, b"")


def _replacement(found: Property, namespace: str, value: str) -> Edit:
    if found.attribute is not None:
        return Edit(found.attribute.inner, found.attribute.end - 1, escape_attribute(value).encode())
    node = found.node
    if found.namespace == namespace and not node.empty:
        return Edit(node.open_end, node.close_start, escape(value).encode())
    prefix = _PREFIXES[namespace]
    name = f"{prefix}:{node.local}"
    declared = f' xmlns:{prefix}="{namespace}"'
    return Edit(node.start, node.end, f"<{name}{declared}>{escape(value)}</{name}>".encode())


def _element(change: Change, content: str) -> str:
    name = f"{_PREFIXES[change.namespace]}:{change.local}"
    return f"<{name}>{content}</{name}>"


def _lang(text: str) -> str:
    return f'<rdf:Alt><rdf:li xml:lang="x-default">{escape(text)}</rdf:li></rdf:Alt>'


def _apply_seq(
    packet: Packet, change: Change, found: Sequence[Property], edits: list[Edit]
) -> list[tuple[str, str]]:
    wanted = list(change.value)
    present = [value.strip() for p in found for value in p.values]
    missing = [item for item in wanted if item.strip() not in present]
    if not missing:
        return []
    for occurrence in found:
        array = next((n for n in occurrence.node.children if n.namespace == RDF and not n.empty), None)
        if occurrence.element and array is not None and array.local in ("Seq", "Bag", "Alt"):
            prefix = array.name.rpartition(":")[0]
            tag = f"{prefix}:li" if prefix else "li"
            added = "".join(f"<{tag}>{escape(item)}</{tag}>" for item in missing)
            edits.append(_behind_last(array, added))
            return []
    edits += [_removal(packet, p) for p in found]
    items = "".join(f"<rdf:li>{escape(item)}</rdf:li>" for item in [*(p for p in present if p), *missing])
    return [(change.namespace, _element(change, f"<rdf:Seq>{items}</rdf:Seq>"))]


def _behind_last(array: Node, added: str) -> Edit:
    at = array.children[-1].end if array.children else array.open_end
    return Edit(at, at, added.encode())


def _apply_event(packet: Packet, event: Event, edits: list[Edit]) -> list[tuple[str, str]]:
    wanted = {
        "action": event.action,
        "when": event.when,
        "parameters": HISTORY_MARK,
        "softwareAgent": event.agent,
    }
    wanted = {name: text for name, text in wanted.items() if text}
    body = "".join(f' stEvt:{name}="{escape_attribute(text)}"' for name, text in wanted.items())
    array: Node | None = None
    for found in packet.find(XMP_MM, "History"):
        for candidate in found.node.children:
            if candidate.namespace == RDF and candidate.local in ("Seq", "Bag"):
                array = candidate
    local = f'<rdf:li xmlns:rdf="{RDF}" xmlns:stEvt="{ST_EVT}"{body}/>'
    for item, fields in packet.events():
        if fields.get("parameters") == HISTORY_MARK:
            if fields != wanted:
                edits.append(Edit(item.start, item.end, local.encode()))
            return []
    if array is not None and not array.empty:
        edits.append(_behind_last(array, local))
        return []
    edits += [_removal(packet, found) for found in packet.find(XMP_MM, "History")]
    entry = f'<rdf:li xmlns:stEvt="{ST_EVT}"{body}/>'
    return [(XMP_MM, f"<xmpMM:History><rdf:Seq>{entry}</rdf:Seq></xmpMM:History>")]


def _description(packet: Packet, fresh: Sequence[tuple[str, str]]) -> Edit:
    """One more ``rdf:Description`` at the end of ``rdf:RDF`` with the new properties."""
    about = ""
    for node in packet.descriptions:
        found = node.attribute(RDF, "about") or node.attribute("", "about")
        if found is not None:
            about = found.value
            break
    spaces = {namespace: _PREFIXES[namespace] for namespace, _ in fresh}
    declared = "".join(f'\n    xmlns:{prefix}="{uri}"' for uri, prefix in spaces.items())
    rdf = "" if packet.rdf.prefixes.get("rdf") == RDF else f' xmlns:rdf="{RDF}"'
    lines = "".join(f"\n   {element}" for _, element in fresh)
    block = (
        f'<rdf:Description{rdf} rdf:about="{escape_attribute(about)}"{declared}>{lines}\n  </rdf:Description>'
    )
    root = packet.rdf
    if root.empty:
        slash = packet.data.rindex(b"/", root.start, root.open_end)
        return Edit(slash, root.open_end, f">\n  {block}\n</{root.name}>".encode())
    at = root.children[-1].end if root.children else root.open_end
    return Edit(at, at, f"\n  {block}".encode())


def shrink(data: bytes, limit: int) -> bytes:
    """The packet with as much of its padding taken away as is needed to fit in ``limit`` bytes."""
    if len(data) <= limit:
        return data
    end = data.rfind(b"<?xpacket end")
    if end < 0:
        return data.rstrip(b"\0 \t\r\n")
    head = data[:end].rstrip(b"\0 \t\r\n")
    room = max(1, limit - len(head) - (len(data) - end))
    return head + b"\n" * min(room, end - len(head)) + data[end:]
