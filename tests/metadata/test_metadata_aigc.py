"""The Annex E label: what producers really write, and what is wrong with it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metadata_pictures import LABEL, encode, info, picture

from labeler.errors import LabelerError
from labeler.media.containers import jpeg, png
from labeler.media.containers.splice import Edit, splice
from labeler.metadata import aigc, image, sidecar
from labeler.types import Finding, Label, State

EXAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "aigc" / "examples.json"


def examples() -> list[Any]:
    if not EXAMPLES.exists():
        return []
    return list(json.loads(EXAMPLES.read_text(encoding="utf-8")))


def names(findings: tuple[Finding, ...]) -> set[str]:
    return {aigc.EXAMPLE_NAMES.get(finding.id, finding.id) for finding in findings}


def report_of(example: dict[str, Any]) -> Any:
    """Put an example's text where its carrier says, and read the file."""
    text = example["text"].encode()
    if "APP9" in example["carrier"]:
        data = splice(encode(picture(), "JPEG"), [Edit(2, 2, jpeg.encode(jpeg.APP9, text))])
        return image.read(io.BytesIO(data), info("image/jpeg"))
    chunk = (
        png.encode_itxt(png.XMP_KEYWORD, text)
        if "iTXt" in example["carrier"]
        else png.encode(b"tEXt", b"AIGC\0" + text)
    )
    data = splice(encode(picture(), "PNG"), [Edit(33, 33, chunk)])
    return image.read(io.BytesIO(data), info("image/png"))


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the collection of real labels is not here")
@pytest.mark.parametrize("number", ["E15", "E17", "E19", "E28"])
def test_real_image_labels(number: str) -> None:
    example = next(e for e in examples() if e["id"] == number)
    report = report_of(example)
    assert names(report.findings) == set(example["findings"])
    if example["expect"] is None:
        assert report.state is State.ABSENT and report.label is None
        return
    assert report.state is State.PRESENT
    assert {name: report.fields[name] for name in example["expect"]} == example["expect"]
    assert report.label.producer == example["expect"]["ContentProducer"]


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the collection of real labels is not here")
def test_real_values_of_other_carriers() -> None:
    """Fields and findings of the value alone; carriers and signatures are not this module's."""
    for example in examples():
        expected = example["expect"]
        if expected is None or example["id"] in ("E24",):
            continue
        fields = {name: "" if text is None else text for name, text in expected.items()}
        parsed = aigc.parse_label(json.dumps(expected))
        assert parsed is not None and dict(parsed.fields) == fields
        foreign = {"nonstandard_placement", "signature_verifies_R1_double_hash", "signature_R2_unknown_rule"}
        want = set(example["findings"]) - foreign
        assert names((*parsed.findings, *aigc.check(parsed.fields))) - {"field_missing"} == want - {
            "field_missing"
        }


FULL = aigc.serialise(aigc.fields_of(LABEL))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (FULL, "bare"),
        (" \n" + FULL + "\0", "bare"),
        ('{"AIGC":' + FULL + "}", "wrapped"),
        ('{ "aigc" : ' + FULL + ', "other": 1}', "wrapped"),
        ("AIGC" + FULL, "glued"),
        ("AIGC=" + FULL, "glued"),
        ('"AIGC": ' + FULL, "glued"),
        ("some words AIGC:" + FULL + " more", "glued"),
        ('some words {"AIGC":' + FULL + "} more", "wrapped"),
        (FULL.replace('"', "&quot;"), "bare"),
        (json.dumps(FULL), "bare"),
        (json.dumps({"AIGC": FULL}), "wrapped"),
        (json.dumps({"AIGC": {"AIGC": json.loads(FULL)}}), "wrapped"),
    ],
)
def test_forms(text: str, form: str) -> None:
    parsed = aigc.parse_label(text)
    assert parsed is not None and parsed.form == form
    assert dict(parsed.fields) == aigc.fields_of(LABEL)
    if "words" in text:
        assert text[: parsed.start] == "some words " and text[parsed.end :] == " more"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "AIGC",
        "AIGC{",
        "[1, 2]",
        "null",
        "12",
        '"text"',
        '{"unrelated": "value"}',
        '{"AIGC": "yes"}',
        '{"AIGC": {"unrelated": 1}}',
        '{"ReservedCode1": "x"}',
        "[" * 100_000,
        '{"AIGC":' * 50_000,
        "AIGC{" * 200_000,
    ],
)
def test_no_label(text: str) -> None:
    assert aigc.parse_label(text) is None


def test_values_stay_strings() -> None:
    text = '{"Label":1,"ContentProducer":0.10e2,"ProduceID":001,"PropagateID":null}'
    assert aigc.parse_label(text) is None, "001 is no JSON"
    text = text.replace("001", "1" * 5000).replace(
        "}", ',"ReservedCode1":{"a":[1,NaN]},"ReservedCode2":true}'
    )
    parsed = aigc.parse_label(text)
    assert parsed is not None
    assert parsed.fields["Label"] == "1" and parsed.fields["ContentProducer"] == "0.10e2"
    assert parsed.fields["ProduceID"] == "1" * 5000 and parsed.fields["PropagateID"] == ""
    assert parsed.fields["ReservedCode1"] == '{"a":["1","NaN"]}'
    assert {f.id for f in parsed.findings} == {"cn.meta.types"}


def test_doubled_keys_and_other_spelling() -> None:
    parsed = aigc.parse_label('{"label":"1","ContentProducer":"a","ContentProducer":"b","produceid":"c"}')
    assert parsed is not None and parsed.fields == {"Label": "1", "ContentProducer": "b", "ProduceID": "c"}
    assert {f.id for f in parsed.findings} == {"cn.meta.syntax"}


def test_other_schema() -> None:
    parsed = aigc.parse_label('{"AIGC":{"ServiceProvider":"x","ServiceUser":"y","Time":"t","ContentId":"1"}}')
    assert parsed is not None and parsed.form == "schema"
    assert aigc.to_label(parsed.fields, {}) is None


def test_checks() -> None:
    def found(**fields: str) -> set[str]:
        return {f.id for f in aigc.check({**aigc.fields_of(LABEL), **fields})}

    assert found() == set()
    assert found(Label="AIGC") == {"cn.meta.label_enum"}
    assert found(Label="") == {"cn.meta.fields"}
    assert found(ContentPropagator="") == {"cn.meta.propagator"}
    assert found(ContentProducer="Minimax Agent AI") == {"cn.meta.charset"}
    assert found(ProduceID="a\\b") == found(ContentProducer="公司") == {"cn.meta.charset"}
    assert found(ReservedCode1='{"quotes":"are allowed"}'.replace(" ", "")) == set()
    for text in ("0" * 32, "00000000-0000-0000", "value3", "%!s(MISSING)", "${id}", "{{id}}", "xxxx"):
        assert found(ProduceID=text) == {"cn.meta.placeholder"}, text
    assert found(ContentProducer="001191110102MAD55U9H0E10002") == {"cn.meta.code"}
    assert found(ContentProducer="001191110102MAD55U9H0F90002") == {"cn.meta.code"}
    severities = {f.id: f.severity for f in aigc.check({"Label": "1"})}
    assert severities["cn.meta.fields"] in ("error", "warn")


def test_real_codes_pass() -> None:
    for code in (
        "001191110102MAD55U9H0F10002",
        "001191440300708461136T1XGW3",
        "001191110108MA01KP2T5U00000",
        "001191310104MACE0YX63918020",
        "001191110108335469089C10100",
        "00119144030008867405X210002",
    ):
        assert aigc.check_code(code) == "", code


def test_to_label() -> None:
    iptc = {
        "source_type": "algorithmicMedia",
        "generator": "a/1",
        "created": "t",
        "author": "x",
        "rights": "r",
    }
    assert aigc.to_label(aigc.fields_of(LABEL), iptc) == Label(
        producer=LABEL.producer,
        produce_id=LABEL.produce_id,
        source_type="algorithmicMedia",
        generator="a/1",
        created="t",
        author="x",
        rights="r",
    )
    assert aigc.to_label({"Label": "4", "ContentProducer": "a", "ProduceID": "b"}, {}) is None
    assert aigc.to_label({"Label": "1", "ContentProducer": "a"}, {}) is None
    odd = aigc.to_label({"Label": "3", "ContentProducer": "a", "ProduceID": "b"}, {"source_type": "nonsense"})
    assert odd is not None and odd.source_type == "trainedAlgorithmicMedia"


def test_sidecar_round_trip() -> None:
    data = sidecar.build(LABEL, sha256="ab" * 32)
    report = sidecar.read(data)
    assert report.label == LABEL and report.state is State.PRESENT and report.carrier == "sidecar"
    assert report.findings == () and report.fields["sha256"] == "ab" * 32
    odd = Label(producer="a\udc80", produce_id="b\u0000")
    assert sidecar.read(sidecar.build(odd)).label is not None
    assert sidecar.read(b"{}").state is State.ABSENT
    for junk in (b"", b"\xff", b"[1]", b"[" * 99999, b'"x"', b"1" * 6000, b" " * (2 << 20)):
        assert sidecar.read(junk).state is State.CANNOT_TELL and sidecar.read(junk).reason


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from([*aigc.FIELDS, "x"]), values, max_size=8))
def test_any_json_gives_strings(fields: dict[str, Any]) -> None:
    for text in (json.dumps(fields), json.dumps({"AIGC": fields}), "AIGC" + json.dumps(fields)):
        parsed = aigc.parse_label(text)
        if parsed is not None:
            assert all(isinstance(value, str) for value in parsed.fields.values())
            aigc.check(parsed.fields)
            aigc.to_label(parsed.fields, {})
            again = aigc.parse_label(aigc.serialise(parsed.fields))
            assert again is not None and again.fields == parsed.fields


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(alphabet='{}[]":,AIGC=&quot;\\ 1Label\0', max_size=60), st.text(max_size=5))
def test_any_text_is_harmless(text: str, extra: str) -> None:
    for candidate in (text + extra, FULL[: len(text)] + text, "AIGC" + text):
        parsed = aigc.parse_label(candidate)
        assert parsed is None or 0 <= parsed.start <= parsed.end <= len(candidate)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.text(min_size=1, max_size=30),
    st.text(min_size=1, max_size=30),
    st.text(max_size=20),
    st.text(max_size=20),
)
def test_any_label_survives_xmp(producer: str, produce_id: str, author: str, rights: str) -> None:
    label = Label(producer=producer, produce_id=produce_id, author=author, rights=rights)
    out = io.BytesIO()
    try:
        image.write(io.BytesIO(PNG), out, info("image/png"), label)
    except LabelerError:
        return
    report = image.read(io.BytesIO(out.getvalue()), info("image/png"))
    assert report.fields["ContentProducer"] == producer and report.fields["ProduceID"] == produce_id


PNG = encode(picture(), "PNG")
