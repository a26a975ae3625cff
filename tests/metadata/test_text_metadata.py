"""The Annex E label in texts and documents: real labels read, ours written, everything else kept."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path

import pytest
import text_documents as docs
from hypothesis import given, settings
from hypothesis import strategies as st

from labeler.errors import DamagedMedia, UnsupportedMedia
from labeler.media.text import pdf, probe
from labeler.media.text.package import Package
from labeler.metadata import securitydata, sm2, text, yamllabel
from labeler.metadata.aigc import EXAMPLE_NAMES, FIELDS, fields_of
from labeler.types import Label, MediaInfo, MetadataReport, Modality, State

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "aigc" / "examples.json"
CODE = "001191110102MAD55U9H0F10002"
LABEL = Label(
    producer=CODE, produce_id="98ae6b12", generator="ink/2", created="2026-01-02T03:04:05Z", author="A & B"
)
SAMPLES = {**docs.samples(), "story.pdf": docs.pdf()}
WITH_SLOT = [name for name in SAMPLES if not name.endswith((".txt", ".srt"))]


def _info(kind: str) -> MediaInfo:
    return MediaInfo(media_type=kind, modality=Modality.TEXT)


def _write(data: bytes, info: MediaInfo, label: Label = LABEL) -> bytes:
    target = io.BytesIO()
    text.write(io.BytesIO(data), target, info, label)
    return target.getvalue()


def _read(data: bytes, kind: str = "text/markdown") -> MetadataReport:
    return text.read(io.BytesIO(data), _info(kind))


@pytest.mark.parametrize("name", WITH_SLOT)
def test_one_label_is_written_read_and_replaced(name: str) -> None:
    data = SAMPLES[name]
    info = probe.probe(data, name)
    assert _read(data, info.media_type).state is State.ABSENT
    written = _write(data, info)
    assert probe.probe(written, name).media_type == info.media_type
    report = _read(written, info.media_type)
    assert report.state is State.PRESENT and report.value == "1"
    assert {name: report.fields[name] for name in FIELDS} == fields_of(LABEL)
    assert [f for f in report.findings if f.severity != "info"] == []
    assert _write(written, info) == written
    other = Label(producer=CODE, produce_id="other <'\"&> id", value="2")
    replaced = _write(written, info, other)
    report = _read(replaced, info.media_type)
    assert report.label is not None and report.label.mark_id == other.mark_id and report.value == "2"
    assert "cn.meta.single" not in {f.id for f in report.findings}


@pytest.mark.parametrize(
    "name", [n for n in WITH_SLOT if n.endswith(("docx", "pptx", "xlsx", "odt", "epub", "html", "pdf"))]
)
def test_properties_stand_beside_the_label(name: str) -> None:
    info = probe.probe(SAMPLES[name], name)
    label = _read(_write(SAMPLES[name], info), info.media_type).label
    assert label is not None
    assert (label.generator, label.author, label.created) == (LABEL.generator, LABEL.author, LABEL.created)


@pytest.mark.parametrize("name", ["story.txt", "story.srt"])
def test_formats_without_a_slot_have_a_sidecar(name: str) -> None:
    info = probe.probe(SAMPLES[name], name)
    assert text.carrier(info.media_type) == "sidecar"
    assert _write(SAMPLES[name], info) == SAMPLES[name]
    assert _read(SAMPLES[name], info.media_type).state is State.NOT_APPLICABLE
    assert text.carrier("application/json", b"[1, 2]") == "sidecar"
    with pytest.raises(UnsupportedMedia):
        text.carrier("image/png")


@pytest.mark.parametrize("name", ["story.docx", "story.pptx", "story.xlsx", "story.odt", "story.epub"])
def test_packages_change_in_their_metadata_only(name: str) -> None:
    before, after = Package(SAMPLES[name]), Package(_write(SAMPLES[name], probe.probe(SAMPLES[name], name)))
    changed = {n for n in before.members if before.read(n) != after.read(n)}
    assert changed <= {"[Content_Types].xml", "_rels/.rels", "meta.xml", "OPS/book.opf"}
    assert next(iter(after.members)) == next(iter(before.members))


def test_a_pdf_keeps_its_pages_and_says_the_same_twice() -> None:
    data = SAMPLES["story.pdf"]
    written = _write(data, _info("application/pdf"))
    with pdf.open_pdf(data) as one, pdf.open_pdf(written) as two:
        assert [pdf.page_content(p) for p in pdf.pages(one)] == [pdf.page_content(p) for p in pdf.pages(two)]
        assert "98ae6b12" in (pdf.info_text(two, "AIGC") or "")
        assert b"TC260:AIGC" in pdf.xmp_packet(two)


# ------------------------------------------------------------------------------------------ real labels


def _examples() -> list[dict[str, object]]:
    return json.loads(SHARED.read_text(encoding="utf-8")) if SHARED.is_file() else []


@pytest.mark.skipif(not SHARED.is_file(), reason="the shared data is not here")
@pytest.mark.parametrize(
    "case", [c for c in _examples() if str(c["carrier"]).startswith("md")], ids=lambda c: str(c["id"])
)
def test_labels_of_real_producers(case: dict[str, object]) -> None:
    report = _read(str(case["text"]).encode())
    assert report.state is State.PRESENT
    expected = case["expect"]
    assert isinstance(expected, dict)
    assert {name: report.fields.get(name) for name in expected} == expected
    wanted = {name for name in case["findings"] if not name.startswith("signature")}  # type: ignore[attr-defined]
    told = {EXAMPLE_NAMES.get(f.id, f.id) for f in report.findings if f.severity != "info"}
    assert told == wanted
    if case["id"] == "E10":
        details = [f.detail for f in report.findings if f.id == "cn.meta.sig"]
        assert "ReservedCode1: the SM2 signature verifies" in details[0] and "double hash" in details[0]
        assert "ReservedCode2" in details[1] and "not checked" in details[1]


@pytest.mark.skipif(not SHARED.is_file(), reason="the shared data is not here")
@pytest.mark.parametrize(
    "case", [c for c in _examples() if str(c["carrier"]).startswith("md")], ids=lambda c: str(c["id"])
)
def test_writing_merges_into_what_producers_left(case: dict[str, object]) -> None:
    data = str(case["text"]).encode()
    written = _write(data, _info("text/markdown"))
    report = _read(written)
    assert report.label is not None and report.label.mark_id == LABEL.mark_id
    assert written.count(b"AIGC:") == 1
    assert len(re.findall(rb"(?m)^---$", written)) == max(2, len(re.findall(rb"(?m)^---$", data)))
    if case["id"] == "E07":
        assert b"permalink: /tB/Packages" in written


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("001171110100", "001171110100"),
        ("0", "0"),
        ("2024-01-02", "2024-01-02"),
        ("'it''s'", "it's"),
        ('"a\\"b"', 'a"b'),
        ("1e5 # comment", "1e5"),
        ("yes", "yes"),
    ],
)
def test_scalars_stay_texts(value: str, expected: str) -> None:
    data = f"---\nAIGC:\n  Label: '1'\n  ContentProducer: acme\n  ProduceID: {value}\n---\n"
    assert _read(data.encode()).fields["ProduceID"] == expected


def test_null_and_numbers_are_findings() -> None:
    data = b"---\nAIGC:\n  Label: 1\n  ContentProducer: acme\n  ProduceID: 0017\n  ReservedCode1: null\n---\n"
    report = _read(data)
    assert report.fields["ProduceID"] == "0017" and report.fields["ReservedCode1"] == ""
    assert {"cn.meta.types", "cn.meta.syntax"} <= {f.id for f in report.findings}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_front_matter_is_merged_line_by_line(newline: str) -> None:
    lines = ["---", "title:   'x'  # odd spacing", "date: 2024-01-02", "list: [a,  b]", "---", "", "# T", ""]
    data = newline.join(lines).encode()
    written = _write(data, _info("text/markdown"))
    block = yamllabel.lines(fields_of(LABEL), newline).encode()
    assert written.replace(block, b"") == data
    toml = _write(b'+++\ntitle = "x"\n[a]\nb = 1\n+++\ntext\n', _info("text/markdown"))
    assert toml.startswith(b"+++\nAIGC = {") and _read(toml).value == "1"
    assert _write(toml, _info("text/markdown")) == toml


def test_flow_front_matter_is_not_broken() -> None:
    with pytest.raises(UnsupportedMedia):
        _write(b"---\n{title: x, a:\n 1}\nb: 1\n---\n", _info("text/markdown"))


@settings(max_examples=120, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=60))
def test_any_id_comes_back_from_front_matter(produce_id: str) -> None:
    label = Label(producer="acme", produce_id=produce_id)
    written = _write(b"# T\n", _info("text/markdown"), label)
    assert _read(written).fields["ProduceID"] == produce_id


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from(["text/markdown", "text/html", "application/json", "text/vtt", "text/plain"]),
)
def test_reading_hostile_bytes_never_fails_otherwise(data: bytes, kind: str) -> None:
    for content in (data, b"---\nAIGC:\n  Label: " + data + b"\n---\n", b'<meta name=AIGC content="' + data):
        with contextlib.suppress(DamagedMedia):
            _read(content, kind)


def test_two_labels_are_an_error() -> None:
    first, second = fields_of(LABEL), {**fields_of(LABEL), "ProduceID": "x"}
    data = f"---\n{yamllabel.lines(first, chr(10))}---\n\n{yamllabel.lines(second, chr(10))}".encode()
    assert "cn.meta.single" in {f.id for f in _read(data).findings}
    names = {"AIGC": first, "aigc": second}
    html = "".join(f"<meta name={n} content='{json.dumps(f)}'>" for n, f in names.items()).encode()
    report = _read(html, "text/html")
    assert "cn.meta.single" in {f.id for f in report.findings}
    assert _write(html, _info("text/html")).lower().count(b'<meta name="aigc"') == 1


# -------------------------------------------------------------------------------------------------- SM2

KEY = sm2.PublicKey(
    0x09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020,
    0xCCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13,
)
SIGNATURE = (
    0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3,
    0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA,
)


def test_sm3_and_sm2_agree_with_the_standards_examples() -> None:
    assert sm2.sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert sm2.sm3(b"abcd" * 16).hex() == "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
    assert sm2.verify(KEY, SIGNATURE, b"message digest")  # GB/T 32918.5-2017 Annex A
    assert not sm2.verify(KEY, SIGNATURE, b"message digesT")
    assert not sm2.verify(KEY, SIGNATURE, b"message digest", double_hash=True)
    assert not sm2.verify(KEY, (0, 1), b"")
    assert not sm2.verify(KEY, (SIGNATURE[0], sm2.N - SIGNATURE[0]), b"message digest")


def test_every_encoding_of_a_key_is_read() -> None:
    x, y = KEY.x.to_bytes(32, "big"), KEY.y.to_bytes(32, "big")
    spki = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200") + b"\x04" + x + y
    for data in (spki, b"\x04" + x + y, x + y, bytes([2 + KEY.y % 2]) + x):
        assert sm2.parse_key(data) == (KEY,)
    assert KEY in sm2.parse_key(b"\0" * 32 + x) or KEY in sm2.parse_key(b"\0" + x)
    assert KEY in sm2.parse_key(x)
    for data in (b"", b"\x04" + bytes(64), b"\xff" * 32, b"\x04" + y + x):
        assert sm2.parse_key(data) == ()


def test_opaque_values_are_called_opaque() -> None:
    for value in (
        "ac8fa693-b43a-40d6-9eaa-88107faf9991",
        "3044",
        '{"SecurityData":{"PubSD":[]}}',
        '{"SecurityData":3}',
        "{",
        "[" * 9000,
    ):
        (finding,) = securitydata.check({"ReservedCode1": value})
        assert finding.severity == "info" and "opaque" in finding.detail
    assert securitydata.check({"ReservedCode1": "", "ReservedCode2": " "}) == ()


def test_a_signature_that_does_not_fit_is_told() -> None:
    x, y = KEY.x.to_bytes(32, "big").hex(), KEY.y.to_bytes(32, "big").hex()
    signed = "".join(n.to_bytes(32, "big").hex() for n in SIGNATURE)
    items = [
        {"Type": "DS", "AlgID": "1.2.156.10197.1.501", "Signature": signed},
        {"Type": "PubKey", "KeyValue": "04" + x + y},
    ]
    value = json.dumps({"SecurityData": {"Type": "TC260PG", "PubSD": items}})
    (finding,) = securitydata.check(
        {"Label": "1", "ContentProducer": "a", "ProduceID": "b", "ReservedCode1": value}
    )
    assert finding.severity == "warn" and "does not fit" in finding.detail
