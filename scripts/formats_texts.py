"""Label and verify every format of texts and documents: rows for docs/formats.md."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import text_documents as documents  # noqa: E402

import labeler  # noqa: E402

HEAD = """
## Texts and documents

A short text in each format, labelled with the visible lines, metadata and credentials; the invisible tag is opt-in and
was asked for apart. "Rest kept" says whether labelling with metadata and credentials only left everything outside the
label byte for byte as it was: the characters, the other members of a package, the pages of a PDF.

| format | visible mark | metadata | credentials | with `--in-text` | tag | rest kept |
|---|---|---|---|---|---|---|
"""

PLACES = {
    "story.txt": ("Plain text", "first and last line"),
    "story.md": ("Markdown", "quotes behind the front matter and at the end"),
    "story.html": ("HTML, XHTML", "first and last block of the body"),
    "story.json": ("JSON", "member `AIGC-Notice` of the object"),
    "story.jsonl": ("JSON Lines", "member `AIGC-Notice` of the first and last object"),
    "story.srt": ("SubRip", "cues before and behind the others"),
    "story.vtt": ("WebVTT", "cues before and behind the others"),
    "story.docx": ("DOCX", "first and last paragraph"),
    "story.pptx": ("PPTX", "box on the first and the last slide"),
    "story.xlsx": ("XLSX", "a sheet of its own, behind the others"),
    "story.odt": ("ODT", "first and last paragraph"),
    "story.epub": ("EPUB", "first and last block of the book"),
    "story.pdf": ("PDF", "stamp on the first and the last page"),
}


def rows(folder: Path, home: Path) -> str:
    """The table."""
    samples = {**documents.samples(), "story.pdf": documents.pdf()}
    return HEAD + "".join(_row(name, samples[name], folder, home) for name in PLACES)


def _row(name: str, data: bytes, folder: Path, home: Path) -> str:
    source = folder / name
    source.write_bytes(data)

    def label(kind: str, **options: object) -> labeler.Report:
        output = folder / kind / name
        labeler.label_file(source, output, producer="demo", home=home, **options)
        return labeler.verify_file(output, home=home)

    full = label("full").layers
    inside = label("inside", in_text=True).layers.credentials
    label("quiet", layers="metadata,credentials")
    try:
        tag = label("tag", layers="watermark").layers.watermark.state is labeler.State.PRESENT
    except labeler.errors.LabelerError:
        tag = False
    found = full.visible.state is labeler.State.PRESENT
    title, place = PLACES[name]
    cells = (
        title,
        place if found else "**not found**",
        full.metadata.carrier,
        full.credentials.carrier if full.credentials.content == "intact" else "**broken**",
        inside.carrier if inside.content == "intact" else "**broken**",
        "yes" if tag else "no place",
        "yes" if _kept(name, data, (folder / "quiet" / name).read_bytes()) else "**no**",
    )
    return "| " + " | ".join(cells) + " |\n"


def _kept(name: str, before: bytes, after: bytes) -> bool:
    """Whether all but the label is as it was."""
    kinds: dict[str, Callable[[bytes, bytes], bool]] = {
        ".pdf": _same_pages,
        ".json": _same_json,
        ".jsonl": _same_json,
    }
    suffix = Path(name).suffix
    if before.startswith(b"PK"):
        return _same_members(before, after)
    return kinds.get(suffix, _only_added)(before, after)


def _only_added(before: bytes, after: bytes) -> bool:
    """Whether the old bytes stand in the new ones, in order, with additions between them at most."""
    position = 0
    for line in before.splitlines(keepends=True):
        found = after.find(line, position)
        if found < 0:
            return False
        position = found + len(line)
    return True


def _same_json(before: bytes, after: bytes) -> bool:
    def plain(line: bytes) -> object:
        value = json.loads(line, parse_float=str)
        if isinstance(value, dict):
            value.pop("AIGC", None)
        return value

    one, other = ([before], [after]) if b"\n{" not in before else (before.splitlines(), after.splitlines())
    return [plain(line) for line in one] == [plain(line) for line in other]


def _same_members(before: bytes, after: bytes) -> bool:
    """Whether every member but those that hold metadata is the same."""
    with zipfile.ZipFile(io.BytesIO(before)) as one, zipfile.ZipFile(io.BytesIO(after)) as other:
        ours = ("[Content_Types].xml", "_rels/.rels", "meta.xml", "META-INF/manifest.xml")
        names = [n for n in one.namelist() if n not in ours and not n.endswith(".opf")]
        return all(one.read(name) == other.read(name) for name in names)


def _same_pages(before: bytes, after: bytes) -> bool:
    import pikepdf

    with pikepdf.open(io.BytesIO(before)) as one, pikepdf.open(io.BytesIO(after)) as other:
        return [p.Contents.read_bytes() for p in one.pages] == [p.Contents.read_bytes() for p in other.pages]


TAIL = """\
| plain text | `NAME.aigc.json` beside the file | `NAME.c2pa` beside the file, or variation selectors (C2PA 2.4, A.8) |
| SubRip; JSON whose root is no object | `NAME.aigc.json` beside the file | `NAME.c2pa` beside the file |
| Markdown | front matter, mapping `AIGC` | `NAME.c2pa` beside the file, or a comment (A.9) |
| HTML | `<meta name="AIGC">` | `NAME.c2pa` beside the file, or a script element (A.7) |
| JSON, JSON Lines | member `AIGC` of the object; of every line | `NAME.c2pa` beside the file |
| WebVTT | `NOTE AIGC {...}` | `NAME.c2pa` beside the file, or a `NOTE` (A.9) |
| DOCX, PPTX, XLSX | docProps/custom.xml, property `AIGC` | `NAME.c2pa` beside the file |
| ODT | meta.xml, `meta:user-defined` `AIGC` | `NAME.c2pa` beside the file |
| EPUB | package document, `<meta name="AIGC">` | `NAME.c2pa` beside the file |
| PDF | document information `/AIGC`, XMP | embedded file |
"""
"""Lines for the table of places."""


def main() -> None:
    """Print the table."""
    import tempfile

    from labeler.credentials.certs import create_development_identity

    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary) / "home"
        create_development_identity(home / "credentials")
        sys.stdout.write(rows(Path(temporary), home))


if __name__ == "__main__":
    main()
