"""Texts and documents: what they are, edits that leave the rest alone, and documents that attack."""

from __future__ import annotations

import io
import resource
import struct
import time
import zipfile
import zlib
from pathlib import Path

import pytest
import text_documents as docs
from hypothesis import given, settings
from hypothesis import strategies as st

from labeler.errors import DamagedMedia, InputError, LimitExceeded, UnsupportedMedia
from labeler.media.text import frontmatter, jsontext, pdf, probe
from labeler.media.text.encoding import decode
from labeler.media.text.formats import format_of
from labeler.media.text.html import places
from labeler.media.text.limits import DocumentLimits
from labeler.media.text.package import Package
from labeler.media.text.xmlscan import Scan, scan
from labeler.types import Modality

HOSTILE = Path(__file__).parents[2].parent / "shared" / "data" / "hostile"
HEAD, TAIL = "【AI生成】", "（本内容由人工智能生成）"


@pytest.mark.parametrize(("name", "data"), [*docs.samples().items(), ("story.pdf", docs.pdf())])
def test_every_format_is_recognised_by_content_and_extension(name: str, data: bytes) -> None:
    info = probe.probe(data, name)
    assert info.modality is Modality.TEXT
    assert name.endswith(probe.EXTENSIONS[info.media_type][0])
    assert info.extension_matches


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (docs.docx(), "story.txt", probe.DOCX),
        (docs.epub(), "book.zip", probe.EPUB),
        (docs.webvtt(), "x.txt", "text/vtt"),
        (docs.subrip(), "", "application/x-subrip"),
        (b"\xef\xbb\xbf<!DOCTYPE HTML><p>x", "x.txt", "text/html"),
        (b"junk before\n" + docs.pdf(), "x.pdf", "application/pdf"),
        ("只有几个字".encode("gb18030"), "x.txt", "text/plain"),
        ("wide".encode("utf-16"), "x.txt", "text/plain"),
        (b"", "x.txt", "text/plain"),
        (b"no name at all", "-", "text/plain"),
    ],
)
def test_content_decides_as_far_as_it_can(data: bytes, name: str, expected: str) -> None:
    assert probe.probe(data, name).media_type == expected


@pytest.mark.parametrize(
    ("data", "name"), [(b"\0\1\2\3" * 9, "x.txt"), (b"print(1)", "x.py"), (docs.package({"a": "b"}), "x.zip")]
)
def test_other_files_are_refused(data: bytes, name: str) -> None:
    with pytest.raises(UnsupportedMedia):
        probe.probe(data, name)


@pytest.mark.parametrize(
    "codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "gb18030", "latin-1"]
)
def test_encodings_come_back_byte_for_byte(codec: str) -> None:
    text = "déjà vu, naïve café\r\nend" if codec == "latin-1" else "河水上涨\r\nriver 🌊\r\n" * 3
    data = (b"\xfe\xff" if codec == "utf-16-be" else b"") + text.encode(codec)
    read = decode(data)
    assert read.encode(read.body) == data
    assert read.newline == b"\r\n"
    assert read.body.decode() == text


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_decoding_never_changes_bytes(data: bytes) -> None:
    try:
        read = decode(data)
    except DamagedMedia:
        return
    assert read.encode(read.body) == data


_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=120)
_ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@settings(max_examples=150, deadline=None)
@given(_TEXTS, _ENDS, st.booleans(), st.sampled_from(["text/plain", "text/markdown", "text/html"]))
def test_only_our_lines_are_added(text: str, end: str, bom: bool, kind: str) -> None:
    data = (b"\xef\xbb\xbf" if bom else b"") + text.replace("\n", end).encode()
    marked = format_of(kind).mark(data, HEAD, TAIL)
    first, last = marked.find(HEAD.encode()), marked.rfind(TAIL.encode())
    assert 0 <= first < last
    block = {"text/markdown": b"> ", "text/html": b'<p class="aigc-label">'}.get(kind, b"")
    close = b"</p>" if kind == "text/html" else b""
    before, between = (
        marked[: first - len(block)],
        marked[first + len(HEAD.encode()) + len(close) : last - len(block)],
    )
    after = marked[last + len(TAIL.encode()) + len(close) :]
    # what is left is the text, apart from the line ends that separate our lines from it
    rest = (before + between + after).replace(b"\r", b"").replace(b"\n", b"")
    assert rest == data.replace(b"\r", b"").replace(b"\n", b"")
    assert marked.endswith((b"\n", b"\r")) == data.endswith((b"\n", b"\r")) or kind == "text/html"
    read = decode(data)
    assert between.startswith((b"\n", b"\r")) or read.newline in between or not read.body


def test_plain_text_is_exactly_as_before_between_the_lines() -> None:
    for data in (b"a\r\nb\r\n", b"\xef\xbb\xbfa\nb", "河\n".encode("utf-16"), b"x"):
        read = decode(data)
        marked = decode(format_of("text/plain").mark(data, HEAD, TAIL))
        assert marked.bom == read.bom and marked.codec == read.codec
        lines = marked.body.split(read.newline)
        assert lines[0] == HEAD.encode()
        assert read.newline.join(lines[1:]).replace(TAIL.encode(), b"").rstrip(b"\r\n") == read.body.rstrip(
            b"\r\n"
        )


def test_shebang_and_front_matter_stay_first() -> None:
    assert (
        format_of("text/plain")
        .mark(b"#!/bin/sh\necho\n", HEAD, "")
        .startswith(b"#!/bin/sh\n" + HEAD.encode())
    )
    marked = format_of("text/markdown").mark(b"---\na: 1\n---\n# T\n", HEAD, TAIL)
    assert marked.startswith(b"---\na: 1\n---\n\n> " + HEAD.encode() + b"\n\n# T\n")
    toml = format_of("text/markdown").mark(b"+++\ntitle = 'x'\n+++\ntext", HEAD, "")
    assert toml.startswith(b"+++\ntitle = 'x'\n+++\n\n> ")


def test_an_eight_bit_encoding_without_chinese_is_told() -> None:
    latin = "d\u00e9j\u00e0 vu".encode("latin-1")
    with pytest.raises(UnsupportedMedia, match="no Chinese"):
        format_of("text/plain").mark(latin, HEAD, "")
    assert b"&#29983;" in format_of("text/html").mark(b"<p>" + latin, HEAD, "")


def test_html_places_are_found_behind_decoys() -> None:
    head = b"<!-- <body> --><html><head><script>'<body>'</script><title></head></title></head>"
    body = head + b"<BODY a='>'>x</BODY></html>"
    where = places(body)
    assert body[where.first : where.last] == b"x"
    assert body[where.head :].startswith(b"</head><BODY")
    fragment = places(b"<meta charset=utf-8><title>t</title>\n<p>x</p>")
    assert fragment.first == len(b"<meta charset=utf-8><title>t</title>")


def test_json_keeps_numbers_strings_and_layout() -> None:
    body = b'{"a": 1.10, "b": "\\u00e9 {", "AIGC": {"Label":"2"}}'
    root = jsontext.scan(body)
    assert [m.name for m in root.members] == ["a", "b", "AIGC"]
    changed = jsontext.set_members(body, root, {"AIGC": '{"Label":"1"}', "n": "3"})
    assert changed == b'{"n": 3, "a": 1.10, "b": "\\u00e9 {", "AIGC": {"Label":"1"}}'
    assert jsontext.set_members(b"{}", jsontext.scan(b"{}"), {"n": "1"}) == b'{"n":1}'
    for broken in (b'{"a": [1}', b'{"a": 1', b"{} {}", b'{"a": ' + b"[" * 2000 + b"]" * 2000 + b"}"):
        with pytest.raises(DamagedMedia):
            jsontext.scan(broken)


def test_front_matter_is_no_horizontal_rule() -> None:
    assert frontmatter.find_all(b"---\n\nwords\n\n---\n") == []
    assert frontmatter.find_all(b"text\n---\na: 1\n---\n") == []
    assert len(frontmatter.find_all(b"---\na: 1\n---\n\n---\nb: 2\n---\n")) == 2
    assert len(frontmatter.find_all(b"---\r\na: 1\r\n...\r\nx")) == 1


@pytest.mark.parametrize("name", ["story.docx", "story.pptx", "story.xlsx", "story.odt", "story.epub"])
def test_packages_keep_every_other_member_and_their_order(name: str) -> None:
    data = docs.samples()[name]
    marked = format_of(probe.probe(data, name).media_type).mark(data, HEAD, TAIL)
    before, after = Package(data), Package(marked)
    assert [n for n in after.members if n in before.members] == list(before.members)
    same = [n for n in before.members if before.read(n) == after.read(n)]
    for member in same:
        old, new = before.members[member], after.members[member]
        assert data[old.offset : old.end] == marked[new.offset : new.end]
    assert len(before.members) - len(same) <= 3
    docs.without(marked, name, ())  # zipfile agrees on every checksum
    assert before.replace({same[0]: before.read(same[0])}) == data


def test_subtitles_keep_their_cues() -> None:
    marked = format_of("application/x-subrip").mark(docs.subrip(), HEAD, TAIL)
    assert docs.subrip().rstrip(b"\r\n") in marked
    assert marked.startswith(b"0\r\n00:00:00,000 --> 00:00:02,000\r\n" + HEAD.encode())
    assert b"3\r\n00:00:06,000 --> 00:00:08,000\r\n" + TAIL.encode() in marked
    vtt = format_of("text/vtt").mark(docs.webvtt(), HEAD, TAIL)
    assert vtt.index(b"STYLE") < vtt.index(HEAD.encode()) < vtt.index(b"intro\n")


# ------------------------------------------------------------------------------------------ hostile documents


def _bounded(call: object, *, seconds: float = 5.0) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    with pytest.raises(InputError):
        call()  # type: ignore[operator]
    assert time.process_time() - started < seconds
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024


def _edges(data: bytes, name: str = "x.docx") -> None:
    format_of(probe.probe(data, name).media_type).edges(data)


def _document(inner: bytes) -> bytes:
    return b'<w:document xmlns:w="' + docs.W.encode() + b'"><w:body>' + inner + b"</w:body></w:document>"


def _with_body(xml: bytes, *, level: int = 9) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as file:
        file.writestr("[Content_Types].xml", "<Types/>")
        file.writestr("word/document.xml", xml)
    return buffer.getvalue()


def test_twelve_million_empty_paragraphs_are_refused() -> None:
    bomb = _with_body(_document(b"<w:p/>" * 10_000_000))
    assert len(bomb) < 200_000
    _bounded(lambda: _edges(bomb))


def test_empty_paragraphs_are_refused_at_any_ratio() -> None:
    stored = _with_body(_document(b"<w:p/>" * 10_000_000), level=0)
    _bounded(lambda: _edges(stored))
    few = _with_body(_document(b"<w:p/>" * 100), level=0)
    small = DocumentLimits(elements=50)
    with pytest.raises(LimitExceeded):
        scan(Package(few).read("word/document.xml"), Scan(), limits=small)


@pytest.mark.parametrize(
    "xml",
    [
        b'<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;&x;&x;">]>' + _document(b"<w:p>&z;</w:p>"),
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + _document(b"<w:p>&x;</w:p>"),
        _document(b"<w:p>" * 5_000 + b"</w:p>" * 5_000),
        _document(b"<w:p>")[:-9],
        b"\xff\xfe<\0w\0",
        b"",
    ],
)
def test_entities_depth_and_broken_xml_are_refused(xml: bytes) -> None:
    _bounded(lambda: _edges(_with_body(xml)))


def test_a_bomb_of_zeros_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(LimitExceeded):
        Package(_with_body(bytes(64 << 20)))


def test_sizes_that_lie_are_found() -> None:
    data = bytearray(_with_body(_document(b"<w:p/>" * 100)))
    at = data.rindex(b"PK\x01\x02")
    struct.pack_into("<L", data, at + 24, 20)  # the directory says 20 bytes
    with pytest.raises(DamagedMedia, match="do not fit"):
        _edges(bytes(data))


@pytest.mark.parametrize("name", ["../../evil.txt", "/etc/passwd", "a/../../b", "..\\b", "C:/b"])
def test_unsafe_names_are_refused(name: str) -> None:
    with pytest.raises(DamagedMedia, match="unsafe"):
        Package(docs.package({name: "x"}))


def test_overlapping_and_doubled_members_are_refused() -> None:
    data = docs.package({"a": "x" * 50, "b": "y" * 50})
    second = data.rindex(b"PK\x01\x02")
    overlapping = bytearray(data)
    struct.pack_into("<L", overlapping, second + 42, 0)
    with pytest.raises(DamagedMedia):
        Package(bytes(overlapping))
    doubled = data.replace(b"b", b"a")
    with pytest.raises(DamagedMedia, match="twice"):
        Package(doubled)


def test_encrypted_and_cut_packages_are_refused() -> None:
    data = bytearray(docs.docx())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UnsupportedMedia, match="encrypted"):
        Package(bytes(data))
    whole = docs.docx()
    for cut in range(30, len(whole), 97):
        with pytest.raises(InputError):
            _edges(whole[:cut])


def test_html_of_open_tags_is_read_in_time() -> None:
    for piece in (b"<a ", b'<a b="', b"<!--", b"<script>", b"<p>", b"</p", b"<"):
        started = time.process_time()
        format_of("text/html").edges(piece * (400_000 // len(piece)))
        assert time.process_time() - started < 3, piece


def test_a_page_of_millions_of_tags_is_refused() -> None:
    with pytest.raises(LimitExceeded, match="tags"):
        format_of("text/html").mark(b"<!doctype html><body>" + b"<b>" * 1_600_000, "a", "b")


def test_books_with_entities_are_refused() -> None:
    with zipfile.ZipFile(io.BytesIO(docs.epub())) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    page = parts["OPS/two.xhtml"]
    parts["OPS/two.xhtml"] = page.replace(b"<!DOCTYPE html>", b'<!DOCTYPE html [<!ENTITY a "b">]>')
    with pytest.raises(DamagedMedia, match="entities"):
        format_of(probe.EPUB).mark(docs.package(parts, stored=("mimetype",)), "a", "b")


def test_pdf_bombs_are_bounded() -> None:
    stream = zlib.compress(bytes(160 << 20), 9)
    objects = (
        b"%%PDF-1.5\n1 0 obj\n<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length %d>>stream\n%s\nendstream endobj\n"
        % (
            len(stream),
            stream,
        )
    )
    with pytest.raises(InputError), pdf.open_pdf(objects + b"trailer<</Root 2 0 R>>\n%%EOF") as document:
        pdf.pages(document)
    with pytest.raises(InputError), pdf.open_pdf(b"%PDF-1.4\n" + b"[" * 100_000) as document:
        pdf.pages(document)


@pytest.mark.skipif(not HOSTILE.is_dir(), reason="the shared data is not here")
def test_files_of_fuzz_corpora_are_refused_or_read() -> None:
    for path in sorted(HOSTILE.iterdir()):
        if path.suffix not in (
            ".pdf",
            ".docx",
            ".xlsx",
            ".pptx",
            ".odt",
            ".epub",
            ".zip",
            ".html",
            ".txt",
            ".md",
            ".json",
            ".svg",
        ):
            continue
        data = path.read_bytes()
        try:
            info = probe.probe(data, path.name)
            if info.media_type == "application/pdf":
                with pdf.open_pdf(data) as document:
                    pdf.pages(document)
            else:
                format_of(info.media_type).edges(data)
        except InputError:
            pass
