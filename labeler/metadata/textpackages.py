"""Where a label stands in packages: custom properties of OOXML, user-defined metadata of ODF, the OPF of EPUB.

Sources: ECMA-376 part 1, 22.3 (custom properties; the property ``AIGC`` as ``vt:lpwstr`` is the placement of
TC260-PG-20258A), OpenDocument 1.3 part 3, 4.3.3 (meta:user-defined), EPUB 3.3, D.2 (OPF 2 meta element).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from labeler.errors import DamagedMedia, UnsupportedMedia
from labeler.media.containers.splice import Edit, splice
from labeler.media.text.odf import opf_name
from labeler.media.text.package import Package
from labeler.metadata import aigc
from labeler.metadata.textslots import PROPERTIES, Contents, SlotLabel
from labeler.metadata.xmltree import Node, XmlError, escape, escape_attribute, parse

__all__ = ["EpubSlot", "OdtSlot", "OoxmlSlot"]

_CUSTOM = "docProps/custom.xml"
_CUSTOM_NS = "http://schemas.openxmlformats.org/officeDocument/2006/custom-properties"
_TYPES_NS = "http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes"
_CUSTOM_TYPE = "application/vnd.openxmlformats-officedocument.custom-properties+xml"
_CUSTOM_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/custom-properties"
_FMTID = "{D5CDD505-2E9C-101B-9397-08002B2CF9AE}"
_META_NS = "urn:oasis:names:tc:opendocument:xmlns:meta:1.0"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def _tree(data: bytes, part: str) -> Node:
    try:
        return parse(data.removeprefix(b"\xef\xbb\xbf"))
    except XmlError as error:
        raise DamagedMedia(f"{part} cannot be read: {error}.") from error


def _contents(place: str, properties: Iterable[tuple[str, str]]) -> Contents:
    labels, empty = [], []
    extra: dict[str, str] = {}
    for name, text in properties:
        if "aigc" in name.lower():
            parsed = aigc.parse_label(text)
            if parsed is None:
                empty.append(place)
            else:
                labels.append(SlotLabel(place, parsed))
        elif name in PROPERTIES:
            extra.setdefault(name, text)
    return Contents(tuple(labels), extra, tuple(empty))


def _write(
    data: bytes,
    container: Node,
    old: Iterable[tuple[Node, str, str]],
    values: Mapping[str, str],
    make: Callable[[str, str], str],
) -> bytes:
    """Set named elements below a container; those that say the same already stay as they are."""
    edits: list[Edit] = []
    left = dict(values)
    for node, name, text in old:
        is_label = "aigc" in name.lower() and aigc.parse_label(text) is not None
        key = "AIGC" if is_label else name
        if key in left:
            if name != key or text != left[key]:
                edits.append(Edit(node.start, node.end, make(key, left[key]).encode()))
            del left[key]
        elif is_label or name in values:
            edits.append(Edit(node.start, node.end, b""))
    new = "".join(make(name, text) for name, text in left.items())
    if new and container.empty:
        slash = data.rindex(b"/", container.start, container.open_end)
        edits.append(Edit(slash, container.open_end, f">{new}</{container.name}>".encode()))
    elif new:
        edits.append(Edit(container.close_start, container.close_start, new.encode()))
    return splice(data, edits)


class OoxmlSlot:
    """Property ``AIGC`` in docProps/custom.xml."""

    name = "ooxml-custom"
    keeps_properties = True

    def _part(self, package: Package) -> str:
        if "_rels/.rels" not in package:
            return _CUSTOM
        for link in _tree(package.read("_rels/.rels"), "_rels/.rels").children:
            kind, target = link.attribute("", "Type"), link.attribute("", "Target")
            if kind and target and kind.value.endswith("/custom-properties"):
                return target.value.lstrip("/")
        return _CUSTOM

    def _properties(self, root: Node) -> list[tuple[Node, str, str]]:
        found = []
        for node in root.children:
            name = node.attribute("", "name")
            if node.local == "property" and name is not None:
                found.append((node, name.value, node.children[0].text if node.children else node.text))
        return found

    def read(self, data: bytes) -> Contents:
        """Custom properties."""
        package = Package(data)
        part = self._part(package)
        if part not in package:
            return Contents()
        root = _tree(package.read(part), part)
        return _contents(self.name, ((name, text) for _, name, text in self._properties(root)))

    def write(self, data: bytes, fields: Mapping[str, str], extra: Mapping[str, str]) -> bytes:
        """Set the properties; the part, its type and its relationship are made if they are not there."""
        package = Package(data)
        part = self._part(package)
        parts: dict[str, bytes] = {}
        if part in package:
            xml = package.read(part)
        else:
            xml = f'{_HEAD}<Properties xmlns="{_CUSTOM_NS}" xmlns:vt="{_TYPES_NS}"></Properties>'.encode()
            parts |= self._announce(package, part)
        xml = xml.removeprefix(b"\xef\xbb\xbf")
        root = _tree(xml, part)
        properties = self._properties(root)
        pid = {name: a.value for node, name, _ in properties if (a := node.attribute("", "pid"))}
        highest = max((int(p) for p in pid.values() if p.isdigit()), default=1)
        prefix = root.name.rpartition(":")[0]
        tag = f"{prefix}:property" if prefix else "property"

        def make(name: str, text: str) -> str:
            nonlocal highest
            number = pid.get(name, "")
            if not number:
                highest += 1
                number = str(highest)
            value = f'<vt:lpwstr xmlns:vt="{_TYPES_NS}">{escape(text)}</vt:lpwstr>'
            return f'<{tag} fmtid="{_FMTID}" pid="{number}" name="{escape_attribute(name)}">{value}</{tag}>'

        parts[part] = _write(xml, root, properties, {"AIGC": aigc.serialise(fields), **extra}, make)
        return package.replace(parts)

    def _announce(self, package: Package, part: str) -> dict[str, bytes]:
        types = package.read("[Content_Types].xml")
        root = _tree(types, "[Content_Types].xml")
        links = package.read("_rels/.rels") if "_rels/.rels" in package else b""
        if not links or root.empty:
            raise DamagedMedia("the package has no relationships.")
        top = _tree(links, "_rels/.rels")
        ids = {a.value for node in top.children if (a := node.attribute("", "Id"))}
        number = next(f"rIdAigc{n}" for n in range(1, 9999) if f"rIdAigc{n}" not in ids)

        def tag(node: Node, name: str) -> str:
            prefix = node.name.rpartition(":")[0]
            return f"{prefix}:{name}" if prefix else name

        override = f'<{tag(root, "Override")} PartName="/{part}" ContentType="{_CUSTOM_TYPE}"/>'
        link = f'<{tag(top, "Relationship")} Id="{number}" Type="{_CUSTOM_REL}" Target="{part}"/>'
        return {
            "[Content_Types].xml": splice(
                types, [Edit(root.close_start, root.close_start, override.encode())]
            ),
            "_rels/.rels": splice(links, [Edit(top.close_start, top.close_start, link.encode())]),
        }


class OdtSlot:
    """``meta:user-defined`` with the name ``AIGC`` in meta.xml."""

    name = "odf-meta"
    keeps_properties = True
    part = "meta.xml"

    def _open(self, package: Package) -> tuple[bytes, Node]:
        xml = package.read(self.part)
        root = _tree(xml, self.part)
        container = next((node for node in root.children if node.local == "meta"), None)
        if container is None:
            raise DamagedMedia("meta.xml has no office:meta.")
        return xml, container

    def _properties(self, container: Node) -> list[tuple[Node, str, str]]:
        found = []
        for node in container.children:
            name = node.attribute(_META_NS, "name")
            if node.local == "user-defined" and name is not None:
                found.append((node, name.value, node.text))
        return found

    def read(self, data: bytes) -> Contents:
        """User-defined metadata."""
        package = Package(data)
        if self.part not in package:
            return Contents()
        properties = self._properties(self._open(package)[1])
        return _contents(self.name, ((name, text) for _, name, text in properties))

    def write(self, data: bytes, fields: Mapping[str, str], extra: Mapping[str, str]) -> bytes:
        """Set the user-defined fields."""
        package = Package(data)
        if self.part not in package:
            raise UnsupportedMedia(
                "the document has no meta.xml.", remedy="Save it with an office program once."
            )
        xml, container = self._open(package)

        def make(name: str, text: str) -> str:
            return (
                f'<meta:user-defined xmlns:meta="{_META_NS}" meta:name="{escape_attribute(name)}" '
                f'meta:value-type="string">{escape(text)}</meta:user-defined>'
            )

        values = {"AIGC": aigc.serialise(fields), **extra}
        return package.replace({self.part: _write(xml, container, self._properties(container), values, make)})


class EpubSlot:
    """``<meta name="AIGC" content="{...}"/>`` in the package document."""

    name = "opf-meta"
    keeps_properties = True

    def _open(self, package: Package) -> tuple[str, bytes, Node]:
        part = opf_name(package)
        xml = package.read(part).removeprefix(b"\xef\xbb\xbf")
        container = next((n for n in _tree(xml, part).children if n.local == "metadata"), None)
        if container is None:
            raise DamagedMedia(f"{part} has no metadata.")
        return part, xml, container

    def _properties(self, container: Node) -> list[tuple[Node, str, str]]:
        found = []
        for node in container.walk():
            name = node.attribute("", "name") or node.attribute("", "property")
            content = node.attribute("", "content")
            if node.local == "meta" and name is not None:
                found.append((node, name.value, content.value if content else node.text))
        return found

    def read(self, data: bytes) -> Contents:
        """Meta elements of the package document."""
        properties = self._properties(self._open(Package(data))[2])
        return _contents(self.name, ((name, text) for _, name, text in properties))

    def write(self, data: bytes, fields: Mapping[str, str], extra: Mapping[str, str]) -> bytes:
        """Set the meta elements."""
        package = Package(data)
        part, xml, container = self._open(package)
        prefix = container.name.rpartition(":")[0]
        tag = f"{prefix}:meta" if prefix else "meta"

        def make(name: str, text: str) -> str:
            return f'<{tag} name="{escape_attribute(name)}" content="{escape_attribute(text)}"/>'

        values = {"AIGC": aigc.serialise(fields), **extra}
        return package.replace({part: _write(xml, container, self._properties(container), values, make)})
