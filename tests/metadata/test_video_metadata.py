"""Labels in video files: one label in the guide's place, media untouched, other people's labels read."""

from __future__ import annotations

import io
import json
import struct
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from video_containers import AVI, FILES, FLV, M4A, MKV, MOV, MP4, WEBM, frames, packets, tags, video

from labeler.credentials import identity, sign
from labeler.credentials import read as credentials_read
from labeler.errors import DamagedMedia, LabelerError, LimitExceeded, UnsupportedMedia
from labeler.media.containers import avi, flv, isobmff, matroska, mp4
from labeler.media.containers.splice import Edit
from labeler.metadata import aigc, xmp
from labeler.metadata import video as layer
from labeler.types import Label, MediaInfo, MetadataReport, Modality, State

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
LABEL = Label(
    producer="001191110102MAD55U9H0F10002",
    produce_id="98ae6b12-23e2-49af-b98a-780706f8e584",
    generator="example-model/2.1",
    author="Ada Example 示例",
    rights="© 2026 Example",
    created="2026-11-23T12:00:00Z",
)
OTHER = {"Label": "1", "ContentProducer": "someone", "ProduceID": "before", "ReservedCode1": "seal"}
PLACES = {
    MP4: "mp4-keys", MOV: "mp4-keys", M4A: "mp4-keys", "video/x-m4v": "mp4-keys",
    MKV: "matroska-tag", WEBM: "matroska-tag", AVI: "avi-info", FLV: "flv-onmetadata", "video/mp2t": "sidecar",
}  # fmt: skip


def info(media_type: str) -> MediaInfo:
    return MediaInfo(media_type=media_type, modality=Modality.VIDEO)


def written(data: bytes, media_type: str, label: Label = LABEL, **options: str) -> bytes:
    out = io.BytesIO()
    layer.write(io.BytesIO(data), out, info(media_type), label, **options)
    return out.getvalue()


def read(data: bytes, media_type: str) -> MetadataReport:
    return layer.read(io.BytesIO(data), info(media_type))


def ids(report: MetadataReport) -> list[str]:
    return [finding.id for finding in report.findings]


# ------------------------------------------------------------------------------------------ every container


def test_each_type_says_where_its_label_goes() -> None:
    assert {media_type: layer.carrier(media_type) for media_type in PLACES} == PLACES
    with pytest.raises(UnsupportedMedia):
        layer.carrier("image/png")


@pytest.mark.parametrize("name", FILES)
def test_a_label_comes_back_and_the_media_is_untouched(name: str) -> None:
    media_type = FILES[name][0]
    data = video(name)
    assert read(data, media_type).state is State.ABSENT
    result = written(data, media_type)
    report = read(result, media_type)
    assert report.state is State.PRESENT
    assert report.label == LABEL
    assert report.carrier == PLACES[media_type]
    assert report.findings == ()
    assert packets(result, media_type) == packets(data, media_type)
    assert written(result, media_type) == result, "labelling twice changes nothing"


@pytest.mark.parametrize(
    "name", ["fragmented.mp4", "old-fragments.mp4", "cues-first.mkv", "plain.avi", "indexed.flv"]
)
def test_seeking_still_lands_on_the_same_frames(name: str) -> None:
    media_type = FILES[name][0]
    data = video(name)
    result = written(data, media_type)
    assert frames(result, media_type, start=0.9) == frames(data, media_type, start=0.9)


@pytest.mark.parametrize(
    "name", ["plain.mp4", "tagged.mov", "plain.mkv", "live.webm", "plain.avi", "bare.flv", "sound.m4a"]
)
def test_ffmpeg_shows_the_label_as_tag_aigc_and_keeps_the_other_tags(name: str) -> None:
    media_type = FILES[name][0]
    before = tags(video(name), media_type).splitlines()
    after = tags(written(video(name), media_type), media_type).replace("\\", "")
    text = aigc.serialise(aigc.fields_of(LABEL))
    assert f"AIGC={text}" in after
    assert [line for line in before if line not in after.splitlines()] == []


@pytest.mark.parametrize("name", ["plain.mp4", "tagged.mov", "plain.mkv", "plain.avi", "indexed.flv"])
def test_a_second_label_replaces_the_first_and_says_so(name: str) -> None:
    media_type = FILES[name][0]
    first = written(video(name), media_type, Label(producer="someone", produce_id="before", rights="mine"))
    out = io.BytesIO()
    findings = layer.write(io.BytesIO(first), out, info(media_type), LABEL)
    assert [f.id for f in findings if f.id.startswith("meta.")] == ["meta.label_replaced", "meta.rights_kept"]
    report = read(out.getvalue(), media_type)
    assert report.label is not None
    assert (report.label.produce_id, report.label.rights) == (LABEL.produce_id, "mine")
    assert "cn.meta.single" not in ids(report)
    assert b"before" not in out.getvalue()


def test_source_type_prompt_and_reserved_codes() -> None:
    edited = Label(producer="someone", produce_id="1", source_type="compositeWithTrainedAlgorithmicMedia")
    for name in ("plain.mp4", "plain.mkv", "plain.avi", "bare.flv"):
        media_type = FILES[name][0]
        report = read(
            written(video(name), media_type, edited, prompt="a cat", prompt_writer="Ada"), media_type
        )
        assert report.source_type == "compositeWithTrainedAlgorithmicMedia"
        assert report.fields["AIPromptInformation"] == "a cat"
        assert report.fields["AIPromptWriterName"] == "Ada"
    sealed = json.dumps({**OTHER, "ContentProducer": "someone", "ProduceID": "1"})
    data = with_keys(video("plain.mp4"), [("AIGC", sealed)])
    assert read(written(data, MP4, edited), MP4).fields["ReservedCode1"] == "seal"
    assert read(written(data, MP4), MP4).fields["ReservedCode1"] == ""


def test_mpeg_ts_has_no_place_and_is_passed_through() -> None:
    out = io.BytesIO()
    findings = layer.write(io.BytesIO(b"G" * 188), out, info("video/mp2t"), LABEL)
    assert out.getvalue() == b"G" * 188
    assert [f.id for f in findings] == ["meta.sidecar"]
    assert layer.read(io.BytesIO(b"G" * 188), info("video/mp2t")).state is State.NOT_APPLICABLE


@pytest.mark.parametrize("name", ["faststart.mp4", "fragmented.mp4", "plain.mov", "plain.avi", "sound.m4a"])
def test_credentials_sign_a_labelled_file_and_find_it_intact(name: str, home: Path) -> None:
    media_type = FILES[name][0]
    data = written(video(name), media_type)
    target = io.BytesIO()
    sign.sign(io.BytesIO(data), target, info(media_type), LABEL, identity.load(home))
    signed = target.getvalue()
    report = credentials_read.read(io.BytesIO(signed), info(media_type))
    assert (report.state, report.content) == (State.PRESENT, "intact")
    assert read(signed, media_type).label == LABEL
    assert packets(signed, media_type) == packets(data, media_type)
    assert read(written(signed, media_type), media_type).label == LABEL, "and it can be labelled again"


# --------------------------------------------------------------------------------------- places in MP4, MOV


def with_keys(
    data: bytes, pairs: list[tuple[str, str]], *, quicktime: bool = False, keyless: bool = False
) -> bytes:
    """The file with a metadata list: in ``moov.udta.meta``, or as QuickTime has it in ``moov.meta``."""
    entries, keys = b"", b""
    for index, (key, text) in enumerate(pairs, 1):
        value = isobmff.box(b"data", struct.pack(">II", 1, 0) + text.encode())
        entries += isobmff.box(key.encode()[:4] if keyless else struct.pack(">I", index), value)
        keys += struct.pack(">I", 8 + len(key)) + b"mdta" + key.encode()
    handler = isobmff.full_box(b"hdlr", 0, 0, struct.pack(">I4s12xB", 0, b"mdir" if keyless else b"mdta", 0))
    table = b"" if keyless else isobmff.full_box(b"keys", 0, 0, struct.pack(">I", len(pairs)) + keys)
    body = handler + table + isobmff.box(b"ilst", entries)
    box = (
        isobmff.box(b"meta", body)
        if quicktime
        else isobmff.box(b"udta", isobmff.full_box(b"meta", 0, 0, body))
    )
    return with_box(data, box)


def with_box(data: bytes, box: bytes) -> bytes:
    source, out = io.BytesIO(data), io.BytesIO()
    top = mp4.top_level(source)
    moov, place = mp4.header(source, top)
    found = isobmff.children(moov, place)
    keep = [child for child in found if child.kind != b"udta"]
    end = keep[-1].end
    mp4.rewrite(source, out, top, mp4.apply(moov, [((place,), Edit(end, place.end, box))]))
    return out.getvalue()


def example(name: str) -> dict[str, object]:
    path = SHARED / "aigc" / "examples.json"
    if not path.exists():
        pytest.skip("no collection of real labels here")
    found: dict[str, object] = next(item for item in json.loads(path.read_text()) if item["id"] == name)
    return found


def names(report: MetadataReport) -> set[str]:
    return {aigc.EXAMPLE_NAMES[f.id] for f in report.findings if f.id in aigc.EXAMPLE_NAMES}


def test_a_real_label_in_the_keys_of_an_mp4() -> None:
    real = example("E12")
    report = read(with_keys(video("plain.mp4"), [("AIGC", str(real["text"]))]), MP4)
    assert report.carrier == "mp4-keys"
    assert names(report) == set(real["findings"])  # type: ignore[call-overload]
    for key, value in real["expect"].items():  # type: ignore[attr-defined]
        assert report.fields[key] == (value or "")


def test_a_real_label_in_a_quicktime_list_without_version_field() -> None:
    real = example("E24")
    texts = [part.partition("=")[2].strip() for part in str(real["text"]).split(";")[1:]]
    pairs = [("com.apple.quicktime.artwork", texts[0]), ("AIGC", texts[1])]
    data = with_keys(video("plain.mov"), pairs, quicktime=True)
    report = read(data, MOV)
    assert names(report) == set(real["findings"])  # type: ignore[call-overload]
    assert {k: report.fields[k] for k in real["expect"]} == real["expect"]  # type: ignore[attr-defined]
    result = written(data, MOV)
    assert read(result, MOV).label == LABEL
    assert ids(read(result, MOV)) == []
    assert b"com.apple.quicktime.artwork" in result and b"doubao" in result, "the other key stays"


def test_ffmpeg_sees_both_lists_where_apple_has_one_of_its_own() -> None:
    """ffmpeg reads every list with the first table of keys, so the tables must agree."""
    pairs = [("com.apple.quicktime.make", "Example"), ("com.apple.quicktime.model", "One")]
    result = written(with_keys(video("plain.mov"), pairs, quicktime=True), MOV)
    assert written(result, MOV) == result
    seen = tags(result, MOV).splitlines()
    assert {f"{key}={text}" for key, text in pairs} < set(seen)
    assert sum(line.startswith("AIGC={") for line in seen) == 1
    assert read(result, MOV).carrier == "mp4-keys" and ids(read(result, MOV)) == []


def test_a_label_in_a_list_without_keys() -> None:
    pairs = [("vid:standard-video-id", "v0d00fg10000"), ("AIGC", json.dumps(OTHER))]
    data = with_keys(video("plain.mp4"), pairs, keyless=True)
    report = read(data, MP4)
    assert report.fields["ProduceID"] == "before"
    assert "cn.meta.placement" in ids(report)
    result = written(data, MP4)
    assert read(result, MP4).label == LABEL
    assert b"v0d00fg10000" in result and b"before" not in result


def test_labels_in_odd_places_are_found_and_leave_with_the_next_writing() -> None:
    text = json.dumps({"AIGC": OTHER})
    comment = b"Made by hand. " + text.encode()
    udta = isobmff.box(
        b"udta", isobmff.box(b"\xa9cmt", struct.pack(">HH", len(comment), 0x55C4) + comment) + bytes(4)
    )
    data = with_box(video("plain.mov"), udta)
    assert read(data, MOV).carrier == "mp4-udta"
    result = written(data, MOV)
    assert ids(read(result, MOV)) == [] and read(result, MOV).carrier == "mp4-keys"
    assert b"Made by hand." in result and b"before" not in result

    packet = xmp.merge(b"", [xmp.Change(aigc.NAMESPACE, "AIGC", text, "element")])
    boxed = video("plain.mp4") + isobmff.box(b"uuid", mp4.XMP_UUID + packet)
    report = read(boxed, MP4)
    assert report.carrier == "xmp" and "cn.meta.placement" in ids(report)
    result = written(boxed, MP4)
    assert read(result, MP4).label == LABEL and ids(read(result, MP4)) == []
    assert result.count(mp4.XMP_UUID) == 1


def test_two_labels_are_one_too_many_and_the_one_in_its_place_counts() -> None:
    data = with_keys(written(video("plain.mp4"), MP4), [("AIGC", json.dumps(OTHER))], quicktime=True)
    ours = with_keys(video("plain.mp4"), [("AIGC", aigc.serialise(aigc.fields_of(LABEL)))])
    assert "cn.meta.single" not in ids(read(data, MP4)) and "cn.meta.single" not in ids(read(ours, MP4))
    packet = xmp.merge(b"", [xmp.Change(aigc.NAMESPACE, "AIGC", json.dumps(OTHER), "element")])
    both = ours + isobmff.box(b"uuid", mp4.XMP_UUID + packet)
    report = read(both, MP4)
    assert report.fields["ProduceID"] == LABEL.produce_id
    assert ids(report).count("cn.meta.single") == 1


def test_a_field_of_that_name_without_a_label_is_no_label() -> None:
    real = example("E28")
    report = read(with_keys(video("plain.mp4"), [("AIGC", str(real["text"]))]), MP4)
    assert report.state is State.ABSENT
    assert names(report) == {"not_a_label"}


# ------------------------------------------------------------------------------- places in the other containers


def test_odd_places_in_matroska() -> None:
    def tag(*parts: bytes) -> bytes:
        return matroska.element(0x7373, b"".join(parts))

    def simple(name: str, text: str, inner: bytes = b"") -> bytes:
        fields = matroska.element(0x45A3, name.encode()) + matroska.element(0x4487, text.encode())
        return matroska.element(0x67C8, fields + inner)

    text = json.dumps(OTHER)
    track = matroska.element(0x63C0, matroska.uint(0x63C5, 7))
    whole = matroska.element(0x63C0, b"")
    for place, body in {
        "matroska-track-tag": tag(track, simple("AIGC", text), simple("LANGUAGE", "zho")),
        "matroska-other-tag": tag(whole, simple("COMMENT", f"by hand {json.dumps({'AIGC': OTHER})}")),
        "matroska-nested-tag": tag(whole, simple("TITLE", "Kept", simple("AIGC", text))),
    }.items():
        out = io.BytesIO()
        segment = matroska.walk(io.BytesIO(video("plain.mkv")))
        matroska.rewrite_tags(
            io.BytesIO(video("plain.mkv")), out, segment, matroska.element(matroska.TAGS, body)
        )
        report = read(out.getvalue(), MKV)
        assert report.carrier == place
        assert "cn.meta.placement" in ids(report)
        result = written(out.getvalue(), MKV)
        assert ids(read(result, MKV)) == []
        assert b"before" not in result
        assert any(word in result for word in (b"zho", b"by hand", b"Kept"))


def test_odd_places_in_avi() -> None:
    text = json.dumps({"AIGC": OTHER}).encode() + b"\0"
    data = video("plain.avi")
    top = avi.top_level(io.BytesIO(data))
    movi = next(item for item in top[0][1] if item.form == b"movi")
    comment = avi.chunk(b"LIST", avi.chunk(b"ICMT", b"by hand " + text), form=b"INFO")
    for place, odd in (("avi-info-text", comment), ("avi-chunk", avi.chunk(b"AIGC", text))):
        out = io.BytesIO()
        avi.rewrite(io.BytesIO(data), out, top, [Edit(movi.next, movi.next, odd)])
        report = read(out.getvalue(), AVI)
        assert report.carrier == place
        result = written(out.getvalue(), AVI)
        assert ids(read(result, AVI)) == [] and b"before" not in result
        assert packets(result, AVI) == packets(data, AVI)


def test_odd_places_in_flv() -> None:
    data = video("indexed.flv")
    member = struct.pack(">H", 4) + b"note" + flv.string(json.dumps({"AIGC": OTHER}))
    cue = flv.script(flv.string("onCuePoint") + b"\3" + member + b"\0\0\x09")
    start = flv.first_tag(io.BytesIO(data))
    odd = data[:start] + cue + data[start:]
    report = read(odd, FLV)
    assert report.carrier == "flv-script" and report.fields["ProduceID"] == "before"
    result = written(odd, FLV)
    assert ids(read(result, FLV)) == [] and b"before" not in result


def test_file_positions_in_flv_stay_true() -> None:
    for data in (video("indexed.flv"), written(video("indexed.flv"), FLV)):
        source = io.BytesIO(data)
        starts = {tag.start: tag.kind for tag in flv.tags(source)}
        script = flv.load(source, next(tag for tag in flv.tags(source) if tag.kind == flv.SCRIPT))
        numbers = {
            item.path: struct.unpack_from(">d", script, item.value + 1)[0]
            for item in flv.properties(script)[3]
            if item.kind == flv.NUMBER
        }
        keyframes = [value for path, value in numbers.items() if path[:2] == ("keyframes", "filepositions")]
        assert len(keyframes) >= 3
        assert {starts[int(value)] for value in keyframes} == {9}
        assert numbers[("filesize",)] == len(data)


# ---------------------------------------------------------------------------------------------- hostile files


def survives(data: bytes, media_type: str) -> None:
    """Reading and writing end well or in an error of labeler's, soon, and a written label is there."""
    begin = time.process_time()
    for action in (lambda: read(data, media_type), lambda: written(data, media_type)):
        try:
            result = action()
        except LabelerError as error:
            assert str(error)
        else:
            if isinstance(result, bytes):
                assert read(result, media_type).fields["ProduceID"] == LABEL.produce_id
    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    "name", ["fragmented.mp4", "tagged.mov", "plain.mkv", "live.webm", "plain.avi", "indexed.flv"]
)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_damaged_headers_never_crash(name: str, data: st.DataObject) -> None:
    media_type = FILES[name][0]
    broken = bytearray(written(video(name), media_type))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 3000) | st.integers(0, len(broken) - 1)) % len(broken)
        piece = data.draw(
            st.sampled_from([b"\xff" * 4, bytes(4), b"\0\0\0\1"]) | st.binary(min_size=1, max_size=9)
        )
        broken[at : at + data.draw(st.integers(0, 12))] = piece
    survives(bytes(broken), media_type)


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_cut_off_are_refused_or_whole(name: str) -> None:
    media_type = FILES[name][0]
    data = video(name)
    for cut in range(0, len(data), 1499):
        survives(data[:cut], media_type)
    with pytest.raises(DamagedMedia):
        read(data[: len(data) // 2 + 97], media_type)


def test_hostile_files_of_these_types() -> None:
    folder = SHARED / "hostile"
    types = {".mp4": MP4, ".m4a": M4A, ".mov": MOV, ".mkv": MKV, ".avi": AVI, ".flv": FLV}
    found = [path for path in sorted(folder.glob("*")) if path.suffix in types]
    if not found:
        pytest.skip("no hostile files here")
    for path in found:
        survives(path.read_bytes(), types[path.suffix])


def test_absurd_amounts_of_xmp_are_refused() -> None:
    big = mp4.XMP_UUID + bytes(17 << 20)
    with pytest.raises(LimitExceeded):
        read(video("plain.mp4") + isobmff.box(b"uuid", big) * 2, MP4)
    data = video("plain.avi")
    top = avi.top_level(io.BytesIO(data))
    out = io.BytesIO()
    end = top[0][0].end
    avi.rewrite(io.BytesIO(data), out, top, [Edit(end, end, avi.chunk(b"_PMX", bytes(33 << 20)))])
    with pytest.raises(LimitExceeded):
        read(out.getvalue(), AVI)
