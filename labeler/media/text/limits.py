"""How large a document may be once it is unpacked and parsed."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT", "DocumentLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLimits:
    """Limits of zip packages and XML parts, checked before anything is unpacked.

    Attributes:
        members: files in a package.
        total_bytes: of all files of a package, uncompressed.
        part_bytes: of one part that is parsed, uncompressed.
        ratio: uncompressed over compressed size, of a part above 1 MB and of the whole package.
        elements: of one XML part.
        depth: of one XML part.
        tags: of an HTML page.
        pdf_objects: of a PDF.
    """

    members: int = 20_000
    total_bytes: int = 512 << 20
    part_bytes: int = 64 << 20
    ratio: int = 200
    elements: int = 1_000_000
    depth: int = 256
    tags: int = 1_500_000
    pdf_objects: int = 2_000_000


DEFAULT = DocumentLimits()
