"""Labels in sound files: written where the guide says, read back, alone, and without a changed bit of sound."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import time
import tracemalloc
from pathlib import Path

import pytest
from audio_clips import LABEL, TYPES, decoded, encoded, info, labelled, tone, wav
from hypothesis import given, settings
from hypothesis import strategies as st

from labeler.errors import LabelerError, UnsupportedMedia
from labeler.media.containers import aiff, comments, flac, id3, iff, ogg, wave
from labeler.media.containers.comments import Comments
from labeler.metadata import audio
from labeler.types import MetadataReport, State

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
FORMS = [
    ("wav", (), "wav-chunk"),
    ("wav", ("-rf64", "always"), "wav-chunk"),
    ("flac", (), "vorbis-comment"),
    ("mp3", (), "id3-txxx"),
    ("mp3", ("-id3v2_version", "3"), "id3-txxx"),
    ("mp3", ("-id3v2_version", "0"), "id3-txxx"),
    ("ogg", ("-c:a", "libvorbis"), "vorbis-comment"),
    ("opus", ("-c:a", "libopus"), "vorbis-comment"),
    ("ogg", ("-c:a", "flac"), "vorbis-comment"),
    ("m4a", ("-c:a", "aac"), "mp4-keys"),
    ("m4a", ("-c:a", "alac"), "mp4-keys"),
    ("aiff", (), "xmp"),
    ("aac", (), "xmp"),
]
IDS = [f"{name} {' '.join(options)}".strip() for name, options, _ in FORMS]


def read(data: bytes, name: str) -> MetadataReport:
    return audio.read(io.BytesIO(data), info(TYPES[name]))


def ids(report: MetadataReport) -> list[str]:
    return [finding.id for finding in report.findings]


@pytest.mark.parametrize(("name", "options", "place"), FORMS, ids=IDS)
def test_round_trip(name: str, options: tuple[str, ...], place: str) -> None:
    data = encoded(name, *options, seconds=0.5)
    assert read(data, name).state is State.ABSENT
    assert audio.carrier(TYPES[name]) == place
    once = labelled(data, TYPES[name])
    report = read(once, name)
    assert (report.state, report.carrier, report.label, report.findings) == (State.PRESENT, place, LABEL, ())
    assert labelled(once, TYPES[name]) == once
    assert decoded(once, name, codec="copy") == decoded(data, name, codec="copy")
    assert len(once) - len(data) < 2500


@pytest.mark.parametrize(("name", "options", "place"), FORMS, ids=IDS)
def test_a_new_label_replaces_the_old_one(name: str, options: tuple[str, ...], place: str) -> None:
    other = dataclasses.replace(LABEL, produce_id="another", propagate_id="another")
    once = labelled(encoded(name, *options, seconds=0.5), TYPES[name])
    target = io.BytesIO()
    findings = audio.write(io.BytesIO(once), target, info(TYPES[name]), other)
    assert [f.id for f in findings] == ["meta.label_replaced"]
    report = read(target.getvalue(), name)
    assert report.label == other and not report.findings
    assert LABEL.produce_id.encode() not in target.getvalue()


def test_the_label_is_plain_json_in_the_places_of_the_guide() -> None:
    out = labelled(encoded("wav"), "audio/wav")
    chunk = wave.walk(io.BytesIO(out)).find(b"AIGC")
    assert chunk is not None
    fields = json.loads(iff.payload(io.BytesIO(out), chunk))
    assert fields["Label"] == "1" and fields["ProduceID"] == LABEL.produce_id and len(fields) == 7
    tag = id3.find(io.BytesIO(labelled(encoded("mp3"), "audio/mpeg")))
    assert tag is not None
    assert [json.loads(t[1]) for f in tag.frames if (t := id3.texts(f)) and t[0] == "AIGC"] == [fields]
    out = labelled(encoded("flac"), "audio/flac")
    block = next(b for b in flac.walk(io.BytesIO(out)).blocks if b.kind == flac.COMMENT)
    pairs = dict(comments.parse(flac.payload(io.BytesIO(out), block)).pairs())
    assert json.loads(pairs["AIGC"]) == fields
    assert pairs["ARTIST"] == "Somebody" and pairs["CREATOR"] == LABEL.author


def test_everything_else_stays_byte_for_byte() -> None:
    bext = b"bext\x06\0\0\0secret" + b"iXML\x03\0\0\0<a>\0"
    out = labelled(wav(tone(0.1), extra=bext), "audio/wav")
    assert bext in out
    source = encoded("mp3")
    old, new = id3.find(io.BytesIO(source)), id3.find(io.BytesIO(labelled(source, "audio/mpeg")))
    assert old is not None and new is not None and old.frames == new.frames[: len(old.frames)]
    data = encoded("flac")
    kept = [(b.kind, flac.payload(io.BytesIO(data), b)) for b in flac.walk(io.BytesIO(data)).blocks]
    out = labelled(data, "audio/flac")
    after = [(b.kind, flac.payload(io.BytesIO(out), b)) for b in flac.walk(io.BytesIO(out)).blocks]
    assert [b for b in kept if b[0] != flac.COMMENT] == [b for b in after if b[0] != flac.COMMENT]
    old_items = comments.parse(dict(kept)[flac.COMMENT]).items
    assert comments.parse(dict(after)[flac.COMMENT]).items[: len(old_items)] == old_items


def real_labels() -> list[dict[str, object]]:
    path = SHARED / "aigc" / "examples.json"
    if not path.exists():
        return []
    return [
        e for e in json.loads(path.read_text("utf-8")) if str(e["text"]).strip().startswith(("{", "AIGC"))
    ]


def carried(name: str, text: str) -> bytes:
    """A file of another producer: the text where the guide has it."""
    if name == "wav":
        raw = text.encode()
        return wav(tone(0.1), extra=b"AIGC" + len(raw).to_bytes(4, "little") + raw + b"\0" * (len(raw) & 1))
    if name == "mp3":
        return id3.build(3, [id3.user_text(3, "AIGC", text)]) + encoded("mp3", "-id3v2_version", "0")
    new = [(flac.COMMENT, comments.build(Comments(b"other", (b"aigc=" + text.encode(),))))]
    target, source = io.BytesIO(), io.BytesIO(encoded("flac"))
    file = flac.walk(source)
    flac.rewrite(source, target, file, lambda b: None if b.kind == flac.COMMENT else b, new)
    return target.getvalue()


@pytest.mark.parametrize("name", ["wav", "mp3", "flac"])
def test_labels_as_producers_wrote_them_are_read_and_replaced(name: str) -> None:
    """The collection has no sound files; its JSON labels, in the places that sound has."""
    examples = real_labels()
    if not examples:
        pytest.skip("the collection of real labels is not here")
    seen = 0
    for example in examples:
        data = carried(name, str(example["text"]))
        report = read(data, name)
        if example["kind"] == "negative":
            assert report.state is State.ABSENT and ids(report) == ["cn.meta.present"]
            continue
        seen += 1
        expected = example["expect"]
        assert isinstance(expected, dict)
        assert report.state is State.PRESENT
        for key in {"Label", "ContentProducer", "ProduceID"} & expected.keys():
            assert report.fields[key] == str(expected[key] or ""), example["id"]
        after = read(labelled(data, TYPES[name]), name)
        assert after.label == LABEL and "cn.meta.single" not in ids(after)
    assert seen >= 3


def test_misplaced_and_doubled_labels_are_told_and_taken_out() -> None:
    text = json.dumps({"Label": "2", "ContentProducer": "other", "ProduceID": "x"})
    raw = text.encode()
    item = b"INFOAIGC" + len(raw).to_bytes(4, "little") + raw + b"\0" * (len(raw) & 1)
    extra = b"LIST" + len(item).to_bytes(4, "little") + item
    tag = id3.build(3, [id3.user_text(3, "AIGC", text), id3.user_text(3, "mood", "calm")])
    extra += b"id3 " + len(tag).to_bytes(4, "little") + tag + b"\0" * (len(tag) & 1)
    report = read(wav(tone(0.1), extra=extra), "wav")
    assert report.value == "2" and {"cn.meta.placement", "cn.meta.single"} <= set(ids(report))
    out = labelled(wav(tone(0.1), extra=extra), "audio/wav")
    assert read(out, "wav").findings == () and b"mood" in out and b"other" not in out
    front = id3.build(4, [id3.user_text(4, "AIGC", text)])
    both = front + front + encoded("mp3", "-id3v2_version", "0")
    assert "cn.meta.single" in ids(read(both, "mp3"))
    assert read(labelled(both, "audio/mpeg"), "mp3").findings == ()
    aac = id3.build(4, [id3.user_text(4, "AIGC", text)]) + encoded("aac")
    assert "cn.meta.placement" in ids(read(aac, "aac"))
    assert read(labelled(aac, "audio/aac"), "aac").findings == ()
    chunk = b"AIGC" + len(raw).to_bytes(4, "big") + raw + b"\0" * (len(raw) & 1)
    plain, target = encoded("aiff"), io.BytesIO()
    aiff.rewrite(io.BytesIO(plain), target, aiff.walk(io.BytesIO(plain)), lambda c: c, [(b"AIGC", chunk[8:])])
    assert "cn.meta.placement" in ids(read(target.getvalue(), "aiff"))
    assert read(labelled(target.getvalue(), "audio/aiff"), "aiff").findings == ()


def test_an_old_id3_2_2_tag_stays_one() -> None:
    tag = id3.build(2, [id3.user_text(2, "mood", "calm")])
    out = labelled(tag + encoded("mp3", "-id3v2_version", "0"), "audio/mpeg")
    found = id3.find(io.BytesIO(out))
    assert found is not None and found.version == 2
    assert [f.kind for f in found.frames] == ["TXX", "TXX", "GEO"]
    assert read(out, "mp3").label == LABEL


def test_chained_ogg_keeps_one_label() -> None:
    part = encoded("opus", "-c:a", "libopus", seconds=0.3)
    text = labelled(part, "audio/ogg")
    chained = text + text
    assert "cn.meta.single" in ids(read(chained, "ogg"))
    out = labelled(chained, "audio/ogg")
    assert read(out, "ogg").findings == () and out.count(b"AIGC=") == 1
    ogg.check(io.BytesIO(out))


def test_unknown_types_are_refused() -> None:
    with pytest.raises(UnsupportedMedia):
        audio.carrier("audio/midi")


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "m4a"])
def test_the_label_survives_c2pa_and_c2pa_survives_its_reading(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from labeler.credentials import certs, identity, sign
    from labeler.credentials import read as credentials

    home = tmp_path_factory.mktemp("home")
    certs.create_development_identity(home / "credentials")
    media, signed = info(TYPES[name]), io.BytesIO()
    data = encoded(name)
    sign.sign(io.BytesIO(labelled(data, TYPES[name])), signed, media, LABEL, identity.load(home))
    out = signed.getvalue()
    assert read(out, name).label == LABEL and read(out, name).findings == ()
    assert credentials.read(io.BytesIO(out), media).content == "intact"
    assert decoded(out, name, codec="copy") == decoded(data, name, codec="copy")


def test_a_long_file_needs_little_memory(tmp_path: Path) -> None:
    path, out = tmp_path / "long.wav", tmp_path / "out.wav"
    size = 1 << 28
    head = wav(tone(0.001))[:44]
    with path.open("wb") as file:
        file.write(head[:4] + (36 + size).to_bytes(4, "little") + head[8:40] + size.to_bytes(4, "little"))
        file.truncate(44 + size)
    tracemalloc.start()
    try:
        with path.open("rb") as source, out.open("w+b") as target:
            audio.write(source, target, info("audio/wav"), LABEL)
            assert audio.read(target, info("audio/wav")).label == LABEL
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


def poke(data: bytes, media_type: str) -> None:
    with contextlib.suppress(LabelerError):
        audio.read(io.BytesIO(data), info(media_type))
    try:
        out = labelled(data, media_type)
    except LabelerError:
        return
    report = audio.read(io.BytesIO(out), info(media_type))
    assert report.label is not None and report.label.produce_id == LABEL.produce_id
    assert labelled(out, media_type) == out


@pytest.mark.parametrize("name", TYPES)
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_mutated_files_are_labelled_or_refused(name: str, data: st.DataObject) -> None:
    whole = bytearray(labelled(encoded(name, seconds=0.2), TYPES[name])[:9000])
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, min(len(whole) - 1, 2500)))] = data.draw(st.integers(0, 255))
    poke(bytes(whole[: data.draw(st.integers(0, len(whole)))]), TYPES[name])


@pytest.mark.skipif(not (SHARED / "hostile").exists(), reason="the collection of hostile files is not here")
def test_hostile_files() -> None:
    worst = 0.0
    for path in sorted((SHARED / "hostile").iterdir()):
        if path.suffix[1:] in TYPES:
            start = time.process_time()
            poke(path.read_bytes(), TYPES[path.suffix[1:]])
            worst = max(worst, time.process_time() - start)
    assert worst < 2.0
