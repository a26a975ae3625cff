"""Texts and documents through the same two functions as pictures."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

import labeler
from labeler import Layer, State, Verdict
from labeler.errors import UnsupportedMedia

PLAIN = {
    "a.txt": "One paragraph.\n\nAnother one, with Chinese: 这是模型写的。\n",
    "a.md": "---\ntitle: x\nid: 007\n---\n\n# Head\n\nText.\n",
    "a.html": "<!doctype html><html><head><title>t</title></head><body><p>Hello.</p></body></html>",
    "a.json": '{"text": "Hello.", "n": 1}\n',
    "a.srt": "1\n00:00:01,000 --> 00:00:02,000\nHello.\n",
}
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
DOCX = {
    "[Content_Types].xml": '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/'
    'content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    'wordprocessingml.document.main+xml"/></Types>',
    "_rels/.rels": '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
    'relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
    'officeDocument" Target="word/document.xml"/></Relationships>',
    "word/document.xml": f'<?xml version="1.0"?><w:document xmlns:w="{W}"><w:body><w:p><w:r><w:t>Hello.</w:t></w:r>'
    "</w:p></w:body></w:document>",
}


@pytest.mark.parametrize("name", [*PLAIN, "a.docx"])
def test_texts_are_labelled_and_found_again(name: str, tmp_path: Path, home: Path) -> None:
    source = tmp_path / name
    if name in PLAIN:
        source.write_text(PLAIN[name], encoding="utf-8")
    else:
        with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as package:
            for member, text in DOCX.items():
                package.writestr(member, text)
    output = tmp_path / "out" / name
    result = labeler.label_file(source, output, producer="acme", home=home)
    assert {Layer.METADATA, Layer.CREDENTIALS} <= set(result.layers)
    report = labeler.verify_file(output, home=home)
    assert report.verdict is Verdict.AI_CONFIRMED
    assert report.label is not None and result.label is not None
    assert report.label.mark_id == result.label.mark_id
    assert report.layers.credentials.content == "intact"
    assert report.layers.watermark.state is State.CANNOT_TELL, "a statistical mark cannot be checked here"
    untouched = labeler.verify_file(source, home=home)
    assert untouched.verdict in (Verdict.NO_LABEL_FOUND, Verdict.CANNOT_TELL)


def test_a_changed_word_after_signing_is_altered(tmp_path: Path, home: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text(PLAIN["a.txt"], encoding="utf-8")
    output = tmp_path / "out" / "a.txt"
    labeler.label_file(source, output, producer="acme", home=home)
    output.write_text(output.read_text(encoding="utf-8").replace("Another", "A different"), encoding="utf-8")
    report = labeler.verify_file(output, home=home)
    assert report.layers.credentials.content == "altered"
    assert report.verdict is Verdict.AI_CONFIRMED


def test_a_text_that_claims_to_be_a_picture_is_refused(tmp_path: Path, home: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_text("no picture", encoding="utf-8")
    with pytest.raises(UnsupportedMedia):
        labeler.label_file(path, tmp_path / "b.jpg", producer="acme", home=home)
