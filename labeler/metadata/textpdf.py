"""The label of a PDF: ``/AIGC`` in the document information dictionary, and ``TC260:AIGC`` in its XMP.

Source: the placement of TC260-PG-20258A as transcribed (document information ``/AIGC``); ISO 32000-2, 14.3.2
and 14.3.3. XMP carries the label and the IPTC fields as in images, since tools that rewrite a PDF more often
keep its XMP. Both say the same; a difference between them is a second label.
"""

from __future__ import annotations

from collections.abc import Mapping

from labeler.media.text import pdf
from labeler.metadata import aigc, iptc, xmp
from labeler.metadata.textslots import Contents, SlotLabel
from labeler.metadata.xmltree import XmlError
from labeler.types import IPTC_SOURCE_TYPE_URI, Label

__all__ = ["PdfSlot"]


class PdfSlot:
    """Document information and XMP."""

    name = "pdf-info"
    keeps_properties = True

    def read(self, data: bytes) -> Contents:
        """The label of the information dictionary first, then that of XMP where it differs."""
        labels: list[SlotLabel] = []
        empty: list[str] = []
        properties: dict[str, str] = {}
        with pdf.open_pdf(data) as document:
            info = pdf.info_text(document, "AIGC")
            packet = pdf.xmp_packet(document)
        if info is not None:
            parsed = aigc.parse_label(info)
            if parsed is None:
                empty.append("pdf-info")
            else:
                labels.append(SlotLabel("pdf-info", parsed))
        if packet:
            try:
                found = xmp.Packet.read(packet)
            except XmlError:
                return Contents(tuple(labels), properties, (*empty, "pdf-xmp"))
            for item in found.properties:
                if item.local != "AIGC":
                    continue
                parsed = aigc.parse_label(item.text)
                if parsed is not None and not any(same.parsed.fields == parsed.fields for same in labels):
                    odd = "" if labels else "XMP alone, without the information dictionary"
                    labels.append(SlotLabel("pdf-xmp", parsed, odd))
            fields = iptc.read([found])
            properties = {
                "DigitalSourceType": fields.raw.get("DigitalSourceType", ""),
                "AISystemUsed": fields.generator,
                "DC.created": fields.raw.get("History.when", ""),
                "DC.creator": fields.author,
                "DC.rights": fields.rights,
            }
        return Contents(tuple(labels), {k: v for k, v in properties.items() if v}, tuple(empty))

    def write(self, data: bytes, fields: Mapping[str, str], extra: Mapping[str, str]) -> bytes:
        """Set both."""
        label = Label(
            value=fields["Label"],
            producer=fields["ContentProducer"],
            produce_id=fields["ProduceID"],
            source_type=extra["DigitalSourceType"].removeprefix(IPTC_SOURCE_TYPE_URI),
            generator=extra.get("AISystemUsed", ""),
            created=extra.get("DC.created", ""),
            author=extra.get("DC.creator", ""),
            rights=extra.get("DC.rights", ""),
        )
        text = aigc.serialise(fields)
        changes = [xmp.Change(aigc.NAMESPACE, "AIGC", text, "element"), *iptc.changes(label)]
        with pdf.open_pdf(data) as document:
            old = pdf.xmp_packet(document)
            packet = xmp.merge(old, changes, event=iptc.event(label))
            if packet == old and pdf.info_text(document, "AIGC") == text:
                return data
            pdf.set_info(document, "AIGC", text)
            pdf.set_xmp(document, packet)
            return pdf.save(document)
