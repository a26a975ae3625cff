"""Texts and documents through the same two functions as pictures."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

import labeler
from labeler import Layer, State, Verdict
from labeler.errors import AlreadyLabelled, UnsupportedMedia

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


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html"])
def test_the_manifest_may_stand_in_the_text(name: str, tmp_path: Path, home: Path) -> None:
    source = tmp_path / name
    source.write_text(PLAIN[name], encoding="utf-8")
    output = tmp_path / "out" / name
    result = labeler.label_file(
        source, output, producer="acme", home=home, in_text=True, layers="visible,metadata,credentials"
    )
    assert not output.with_name(name + ".c2pa").exists()
    report = labeler.verify_file(output, home=home)
    assert report.layers.credentials.carrier == "in-text"
    assert report.layers.credentials.content == "intact"
    assert report.layers.visible.state is State.PRESENT, "the manifest does not hide the last line"
    assert [e.text for e in report.layers.visible.evidence] == [
        "AI生成 · AI-generated",
        "本内容由人工智能生成 · This content is AI-generated",
    ]
    with pytest.raises(AlreadyLabelled):
        labeler.label_file(output, tmp_path / "again" / name, producer="acme", home=home)
    relabelled = labeler.label_file(
        output, tmp_path / "again" / name, producer="acme", home=home, relabel=True, in_text=True
    )
    assert relabelled.label is not None and result.label is not None
    assert relabelled.label.mark_id == result.label.mark_id
    text = output.read_text(encoding="utf-8")
    output.write_text(text.replace("Text", "Next").replace("Hello", "Hallo").replace("One", "Two"), "utf-8")
    report = labeler.verify_file(output, home=home)
    assert report.layers.credentials.content == "altered"
    assert report.layers.credentials.reason


def test_a_text_without_a_place_keeps_its_sidecar_and_says_so(tmp_path: Path, home: Path) -> None:
    source = tmp_path / "a.srt"
    source.write_text(PLAIN["a.srt"], encoding="utf-8")
    result = labeler.label_file(source, tmp_path / "out" / "a.srt", producer="acme", home=home, in_text=True)
    assert "credentials.beside" in [note.id for note in result.notes]
    assert (tmp_path / "out" / "a.srt.c2pa").exists()


def test_a_sidecar_that_fits_goes_before_a_manifest_in_the_text_that_does_not(
    tmp_path: Path, home: Path
) -> None:
    source = tmp_path / "a.txt"
    source.write_text(PLAIN["a.txt"], encoding="utf-8")
    first = tmp_path / "one" / "a.txt"
    labeler.label_file(source, first, producer="acme", home=home, in_text=True, layers="credentials")
    second = tmp_path / "two" / "a.txt"
    labeler.label_file(first, second, producer="acme", home=home, relabel=True)
    report = labeler.verify_file(second, home=home)
    assert (report.layers.credentials.carrier, report.layers.credentials.content) == ("sidecar", "intact")
    second.with_name("a.txt.c2pa").unlink()
    report = labeler.verify_file(second, home=home)
    assert (report.layers.credentials.carrier, report.layers.credentials.content) == ("in-text", "altered")


def test_paragraphs_marked_one_by_one(tmp_path: Path, home: Path) -> None:
    source = tmp_path / "a.md"
    source.write_text(PLAIN["a.md"], encoding="utf-8")
    output = tmp_path / "out" / "a.md"
    options = {"producer": "acme", "home": home, "every_paragraph": True, "lang": "zh"}
    labeler.label_file(source, output, **options)
    text = output.read_text(encoding="utf-8")
    assert "\nText.〔AI生成〕\n" in text
    assert "\n# Head\n" in text
    again = tmp_path / "again" / "a.md"
    labeler.label_file(output, again, relabel=True, **options)
    assert again.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("every", ["sentence", "paragraph", "end"])
def test_where_the_tag_goes(every: str, tmp_path: Path, home: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text("One. Two.\n\nThree. Four.\n", encoding="utf-8")
    output = tmp_path / "out" / "a.txt"
    labeler.label_file(source, output, producer="acme", home=home, layers="watermark", tag_every=every)
    report = labeler.verify_file(output, home=home)
    frames = {"sentence": 4, "paragraph": 2, "end": 1}[every]
    assert report.layers.watermark.geometry["frames"] == frames


def test_no_label_is_written_beside_the_tag_of_another_content(tmp_path: Path, home: Path) -> None:
    source, tagged, output = (tmp_path / name for name in ("a.txt", "tagged.txt", "out.txt"))
    source.write_text("One. Two.\n", encoding="utf-8")
    labeler.label_file(source, tagged, producer="acme", produce_id="1", home=home, layers="watermark")
    with pytest.raises(AlreadyLabelled, match="watermark of another content"):
        labeler.label_file(tagged, output, producer="acme", home=home)
    labeler.label_file(tagged, output, producer="acme", produce_id="1", home=home)
    assert labeler.verify_file(output, home=home).verdict is Verdict.AI_CONFIRMED


def test_a_tagged_text_in_gb18030_comes_back_in_gb18030(tmp_path: Path, home: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text("夜里河水上涨。没有人预料到这一点。\n", encoding="gb18030")
    output = tmp_path / "out" / "a.txt"
    labeler.label_file(source, output, producer="acme", home=home, layers="visible,watermark,metadata")
    assert "夜里河水上涨。" in output.read_text(encoding="gb18030")
    report = labeler.verify_file(output, home=home)
    assert report.layers.watermark.state is State.PRESENT
    assert report.layers.visible.state is State.PRESENT


def test_a_string_with_a_manifest_in_it(tmp_path: Path, home: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text("A copied text.", encoding="utf-8")
    labeler.label_file(source, tmp_path / "b" / "a.txt", producer="acme", home=home, in_text=True)
    copied = (tmp_path / "b" / "a.txt").read_text(encoding="utf-8")
    assert labeler.verify_text(copied).layers.credentials.content == "intact"
    assert labeler.verify_text(copied.replace("copied", "edited")).layers.credentials.content == "altered"
    assert labeler.verify_text("nothing").layers.credentials.state is State.NOT_APPLICABLE


@pytest.mark.parametrize("data", [b'[{"a": 1}, 2]\n', b'"a string"\n'])
def test_json_without_an_object_keeps_its_label_beside_it(data: bytes, tmp_path: Path, home: Path) -> None:
    source = tmp_path / "a.json"
    source.write_bytes(data)
    output = tmp_path / "out" / "a.json"
    labeler.label_file(source, output, producer="acme", home=home, layers="metadata,credentials")
    assert output.read_bytes() == data
    report = labeler.verify_file(output, home=home)
    assert report.layers.metadata.carrier == "sidecar"
    assert report.verdict is Verdict.AI_CONFIRMED
    with pytest.raises(UnsupportedMedia, match="visible layer cannot be written"):
        labeler.label_file(source, tmp_path / "b.json", producer="acme", home=home)


def test_a_page_that_ends_in_a_script_is_refused(tmp_path: Path, home: Path) -> None:
    source = tmp_path / "a.html"
    source.write_bytes(b"<!doctype html><html><head><script>var x = 1;")
    with pytest.raises(UnsupportedMedia, match="within a script"):
        labeler.label_file(source, tmp_path / "out" / "a.html", producer="acme", home=home)
