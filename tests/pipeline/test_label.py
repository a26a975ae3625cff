"""Labelling and verifying files of every image format, all layers, through the library."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import labeler
from labeler import Layer, State, Verdict
from labeler.credentials.sign import embeds
from labeler.errors import (
    AlreadyLabelled,
    DamagedMedia,
    DependencyMissing,
    LabelLost,
    OutputExists,
    UnsupportedMedia,
    UsageError,
)
from labeler.pipeline import label as pipeline_label


def _save(photo: np.ndarray, path: Path, **options: Any) -> Path:
    Image.fromarray(photo).save(path, **options)
    return path


def _animation(photo: np.ndarray, path: Path, **options: Any) -> Path:
    frames = [Image.fromarray(np.roll(photo, 24 * i, axis=1)) for i in range(4)]
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=[80, 120, 160, 200], loop=0, **options
    )
    return path


def _rgba(photo: np.ndarray) -> np.ndarray:
    alpha = np.full(photo.shape[:2], 255, np.uint8)
    alpha[:100, :100] = 0
    return np.dstack([photo, alpha])


def _deep(photo: np.ndarray, path: Path) -> Path:
    import cv2

    rng = np.random.default_rng(3)
    deep = photo[..., ::-1].astype(np.uint16) * 257 + rng.integers(0, 200, photo.shape).astype(np.uint16)
    path.write_bytes(cv2.imencode(path.suffix, np.minimum(deep, 65535))[1].tobytes())
    return path


FORMATS: dict[str, Callable[[np.ndarray, Path], Path]] = {
    "jpeg": lambda a, d: _save(a, d / "a.jpg", quality=88),
    "jpeg-progressive": lambda a, d: _save(a, d / "a.jpg", quality=88, progressive=True),
    "jpeg-gray": lambda a, d: _save(a[..., 1], d / "a.jpg", quality=90),
    "png": lambda a, d: _save(a, d / "a.png"),
    "png-alpha": lambda a, d: _save(_rgba(a), d / "a.png"),
    "png-16": lambda a, d: _deep(a, d / "a.png"),
    "apng": lambda a, d: _animation(a, d / "a.png"),
    "webp": lambda a, d: _save(a, d / "a.webp", quality=88),
    "webp-lossless": lambda a, d: _save(_rgba(a), d / "a.webp", lossless=True),
    "webp-animated": lambda a, d: _animation(a, d / "a.webp", quality=88),
    "avif": lambda a, d: _save(a, d / "a.avif", quality=85),
    "tiff": lambda a, d: _save(a, d / "a.tif", compression="tiff_lzw"),
    "tiff-16": lambda a, d: _deep(a, d / "a.tiff"),
    "bmp": lambda a, d: _save(a, d / "a.bmp"),
    "gif": lambda a, d: _save(a, d / "a.gif"),
    "gif-animated": lambda a, d: _animation(a, d / "a.gif"),
    "heic": lambda a, d: _save_heic(a, d / "a.heic"),
}


def _save_heic(photo: np.ndarray, path: Path) -> Path:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(Image.fromarray(photo)).save(path, quality=90)
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_all_four_layers_are_written_and_found_again(
    name: str, photo: np.ndarray, tmp_path: Path, home: Path
) -> None:
    source = FORMATS[name](photo, tmp_path)
    before = source.read_bytes()
    output = tmp_path / "out" / source.name
    result = labeler.label_file(
        source, output, producer="acme", profile="all", home=home, author="A. Author", generator="painter/2"
    )
    assert result.layers == tuple(Layer)
    assert source.read_bytes() == before
    report = labeler.verify_file(output, home=home, profile="all")
    assert report.verdict is Verdict.AI_CONFIRMED, report
    assert report.label == result.label
    assert report.layers.watermark.payload == "14" + result.label.mark_id
    assert report.layers.credentials.content == "intact"
    assert [pair.result for pair in report.consistency] == ["agree"] * 4
    assert report.compliance is not None and report.compliance.result == "pass", report.compliance
    carrier = "embedded" if embeds(report.media_type) else "sidecar"
    assert report.layers.credentials.carrier == carrier


@pytest.mark.parametrize("name", FORMATS)
def test_container_layers_leave_the_pixels_bit_identical(
    name: str, photo: np.ndarray, tmp_path: Path, home: Path
) -> None:
    source = FORMATS[name](photo, tmp_path)
    output = tmp_path / "out" / source.name
    labeler.label_file(source, output, producer="acme", layers="metadata,credentials", home=home)
    with Image.open(source) as one, Image.open(output) as other:
        assert (one.mode, one.size, getattr(one, "n_frames", 1)) == (
            other.mode,
            other.size,
            getattr(other, "n_frames", 1),
        )
        for frame in range(getattr(one, "n_frames", 1)):
            one.seek(frame)
            other.seek(frame)
            assert one.tobytes() == other.tobytes()


def test_the_private_key_reads_its_marks_and_others_do_not(
    photo_png: Path, tmp_path: Path, home: Path
) -> None:
    output = tmp_path / "out.png"
    labeler.label_file(photo_png, output, producer="acme", layers="watermark", key="private", home=home)
    mine = labeler.verify_file(output, home=home, quick=True).layers.watermark
    assert mine.state is State.PRESENT and mine.key_id.startswith("key-")
    theirs = labeler.verify_file(output, home=tmp_path / "elsewhere", quick=True).layers.watermark
    assert theirs.state is State.ABSENT


def test_a_label_copied_from_another_file_is_a_conflict(
    photo: np.ndarray, tmp_path: Path, home: Path
) -> None:
    from labeler.metadata import image as metadata
    from labeler.types import Label, MediaInfo, Modality

    source = _save(photo, tmp_path / "a.png")
    output = tmp_path / "b.png"
    labeler.label_file(source, output, producer="acme", layers="watermark", home=home)
    copied = io.BytesIO()
    info = MediaInfo(media_type="image/png", modality=Modality.IMAGE)
    metadata.write(
        io.BytesIO(output.read_bytes()), copied, info, Label(producer="acme", produce_id="another")
    )
    output.write_bytes(copied.getvalue())
    report = labeler.verify_file(output, home=home, quick=True)
    assert report.verdict is Verdict.CONFLICT


def test_a_changed_pixel_after_signing_is_altered_but_still_labelled(
    photo: np.ndarray, tmp_path: Path, home: Path
) -> None:
    source = _save(photo, tmp_path / "a.bmp")
    output = tmp_path / "out" / "a.bmp"
    labeler.label_file(source, output, producer="acme", home=home)
    data = bytearray(output.read_bytes())
    data[-1000] ^= 1
    output.write_bytes(bytes(data))
    report = labeler.verify_file(output, home=home, quick=True)
    assert report.verdict is Verdict.AI_CONFIRMED
    assert report.layers.credentials.content == "altered"


def test_labelled_input_is_left_alone_and_relabelled_on_demand(
    photo_png: Path, tmp_path: Path, home: Path
) -> None:
    first = labeler.label_file(photo_png, tmp_path / "b.png", producer="acme", home=home)
    with pytest.raises(AlreadyLabelled):
        labeler.label_file(tmp_path / "b.png", tmp_path / "c.png", producer="acme", home=home)
    again = labeler.label_file(
        tmp_path / "b.png", tmp_path / "c.png", producer="acme", home=home, relabel=True, author="N"
    )
    assert again.label is not None and first.label is not None
    assert again.label.produce_id == first.label.produce_id
    report = labeler.verify_file(tmp_path / "c.png", home=home, quick=True)
    assert report.label is not None and report.label.author == "N"
    assert len(report.layers.visible.evidence) == 1, "the mark is not drawn twice"


def test_nobody_replaces_the_label_of_another_producer(photo_png: Path, tmp_path: Path, home: Path) -> None:
    labeler.label_file(photo_png, tmp_path / "b.png", producer="acme", home=home, layers="metadata")
    with pytest.raises(UsageError, match="another producer"):
        labeler.label_file(tmp_path / "b.png", tmp_path / "c.png", producer="other", home=home, relabel=True)


def test_an_existing_output_is_never_overwritten_silently(
    photo_png: Path, tmp_path: Path, home: Path
) -> None:
    target = tmp_path / "b.png"
    target.write_bytes(b"precious")
    with pytest.raises(OutputExists):
        labeler.label_file(photo_png, target, producer="acme", home=home, layers="metadata")
    assert target.read_bytes() == b"precious"


def test_without_an_identity_the_default_profile_goes_on_and_says_so(photo_png: Path, tmp_path: Path) -> None:
    result = labeler.label_file(photo_png, tmp_path / "b.png", producer="acme", home=tmp_path / "empty")
    assert Layer.CREDENTIALS not in result.layers
    assert "credentials.impossible" in {note.id for note in result.notes}
    with pytest.raises(DependencyMissing, match="keys init"):
        labeler.label_file(
            photo_png, tmp_path / "c.png", producer="acme", home=tmp_path / "empty", profile="all"
        )


def test_a_label_needs_a_producer(photo_png: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="who labels"):
        labeler.label_file(photo_png, tmp_path / "b.png")


def test_a_layer_that_did_not_survive_publishes_nothing(
    photo_png: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A metadata writer that forgets the label: the way ffmpeg and careless encoders lose it."""
    from labeler.metadata import image as metadata

    def forgetful(source: io.BytesIO, target: io.BytesIO, info: Any, label: Any) -> tuple[()]:
        target.write(source.read())
        return ()

    monkeypatch.setattr(metadata, "write", forgetful)
    with pytest.raises(LabelLost):
        labeler.label_file(photo_png, tmp_path / "b.png", producer="acme", home=home)
    assert not (tmp_path / "b.png").exists()


def test_a_picture_that_cannot_carry_a_watermark_is_labelled_without_it(tmp_path: Path, home: Path) -> None:
    source = tmp_path / "flat.png"
    Image.new("RGB", (400, 300), "white").save(source)
    result = labeler.label_file(source, tmp_path / "b.png", producer="acme", home=home, layers=None)
    assert result.reread is not None and result.reread.verdict is Verdict.AI_CONFIRMED
    with pytest.raises(UnsupportedMedia, match="watermark"):
        Image.new("RGB", (90, 90), "gray").save(source)
        labeler.label_file(source, tmp_path / "c.png", producer="acme", home=home, profile="all")


def test_damaged_and_foreign_files_are_refused(photo: np.ndarray, tmp_path: Path, home: Path) -> None:
    path = _save(photo, tmp_path / "a.jpg")
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(DamagedMedia):
        labeler.label_file(path, tmp_path / "b.jpg", producer="acme", home=home)
    assert labeler.verify_file(path).verdict is Verdict.CANNOT_TELL
    (tmp_path / "c.jpg").write_bytes(b"8BPS" + bytes(60))
    with pytest.raises(UnsupportedMedia, match="photoshop"):
        labeler.label_file(tmp_path / "c.jpg", tmp_path / "d.jpg", producer="acme", home=home)


def test_the_true_type_decides_and_a_wrong_extension_is_reported(
    photo: np.ndarray, tmp_path: Path, home: Path
) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(photo).save(path, "PNG")
    result = labeler.label_file(path, tmp_path / "b.jpg", producer="acme", home=home)
    assert "media.extension" in {note.id for note in result.notes}
    report = labeler.verify_file(tmp_path / "b.jpg", quick=True)
    assert report.media_type == "image/png" and report.verdict is Verdict.AI_CONFIRMED
    assert [finding.id for finding in report.findings] == ["media.extension"]


def test_an_incoming_manifest_is_kept_as_parent(photo_png: Path, tmp_path: Path, home: Path) -> None:
    labeler.label_file(photo_png, tmp_path / "b.png", producer="acme", layers="credentials", home=home)
    labeler.label_file(
        tmp_path / "b.png", tmp_path / "c.png", producer="acme", layers="credentials", home=home, relabel=True
    )
    report = labeler.verify_file(tmp_path / "c.png", layers="credentials", home=home)
    assert report.layers.credentials.chain == "intact"


def test_bmp_is_labelled_by_files_beside_it(photo: np.ndarray, tmp_path: Path, home: Path) -> None:
    source = _save(photo, tmp_path / "a.bmp")
    labeler.label_file(source, tmp_path / "out" / "a.bmp", producer="acme", home=home)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["a.bmp", "a.bmp.aigc.json", "a.bmp.c2pa"]
    assert "acme" in json.loads((tmp_path / "out" / "a.bmp.aigc.json").read_text()).__str__()


def test_label_image_keeps_shape_dtype_and_transparent_pixels(photo: np.ndarray) -> None:
    rgba = _rgba(photo)
    labelled = labeler.label_image(rgba, producer="acme", position="bottom-right")
    assert labelled.shape == rgba.shape and labelled.dtype == rgba.dtype
    assert np.array_equal(labelled[:100, :100], rgba[:100, :100])
    assert labeler.verify_image(labelled, quick=True).verdict is Verdict.AI_CONFIRMED
    with pytest.raises(UsageError, match="uint8 or uint16"):
        labeler.label_image(photo / 255.0, producer="acme")


def test_options_that_do_not_exist_are_named(photo: np.ndarray) -> None:
    with pytest.raises(UsageError, match="colour"):
        labeler.label_image(photo, producer="acme", colour="red")


def test_nothing_is_written_twice_when_the_optional_watermark_is_lost(
    photo_png: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest of a file whose watermark did not survive must not claim one."""
    from labeler.pipeline import image
    from labeler.types import WatermarkReport

    found = image.detect_frame

    def deaf(*args: Any, **kwargs: Any) -> Any:
        return found(*args, **kwargs)[0], WatermarkReport(state=State.ABSENT)

    monkeypatch.setattr(image, "detect_frame", deaf)
    result = labeler.label_file(photo_png, tmp_path / "b.png", producer="acme", home=home)
    assert Layer.WATERMARK not in result.layers
    assert "watermark.lost" in {note.id for note in result.notes}
    report = pipeline_label.verify_source(
        pipeline_label.open_source(tmp_path / "b.png"), labeler.VerifyOptions(layers=(Layer.CREDENTIALS,))
    )
    assert report.layers.credentials.payload == ""


def test_a_mark_that_a_quick_look_misses_is_searched_for(
    photo_png: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labeler.pipeline import image
    from labeler.types import WatermarkReport

    found = image.detect_frame
    looks = []

    def hasty(*args: Any, quick: bool, **kwargs: Any) -> Any:
        looks.append(quick)
        visible, watermark = found(*args, quick=quick, **kwargs)
        return visible, WatermarkReport(state=State.ABSENT) if quick else watermark

    monkeypatch.setattr(image, "detect_frame", hasty)
    result = labeler.label_file(photo_png, tmp_path / "b.png", producer="acme", home=home)
    assert Layer.WATERMARK in result.layers
    assert "watermark.lost" not in {note.id for note in result.notes}
    assert looks == [True, False]


def test_a_mark_and_manifest_moved_to_another_picture_are_noticed(
    photo: np.ndarray, tmp_path: Path, home: Path
) -> None:
    """The manifest carries a fingerprint; a picture that shows something else contradicts it."""
    from labeler.pipeline import reconcile

    source = _save(photo, tmp_path / "a.bmp")
    labeler.label_file(source, tmp_path / "one" / "a.bmp", producer="acme", produce_id="7", home=home)
    other = _save(photo[::-1, ::-1], tmp_path / "b.bmp")
    labeler.label_file(other, tmp_path / "two" / "a.bmp", producer="acme", produce_id="7", home=home)
    (tmp_path / "two" / "a.bmp.c2pa").write_bytes((tmp_path / "one" / "a.bmp.c2pa").read_bytes())
    honest = labeler.verify_file(tmp_path / "one" / "a.bmp", home=home, quick=True)
    assert ("content.fingerprint", "agree") in {(p.id, p.result) for p in honest.consistency}
    moved = labeler.verify_file(tmp_path / "two" / "a.bmp", home=home, quick=True)
    assert ("content.fingerprint", "disagree") in {(p.id, p.result) for p in moved.consistency}
    assert moved.verdict is Verdict.CONFLICT and reconcile.exit_code(moved) == 1


@pytest.mark.parametrize("author", ["x" * 1001, "two\nlines", "caf\udce9"])
def test_text_that_no_metadata_should_carry_is_refused(author: str, photo_png: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="author"):
        labeler.label_file(photo_png, tmp_path / "b.png", producer="acme", author=author)


def test_a_labelled_picture_that_lost_its_metadata_is_not_labelled_twice(
    photo_png: Path, tmp_path: Path, home: Path
) -> None:
    labeler.label_file(photo_png, tmp_path / "b.png", producer="acme", home=home)
    with Image.open(tmp_path / "b.png") as image:
        image.convert("RGB").save(tmp_path / "c.jpg", quality=85)
    with pytest.raises(AlreadyLabelled, match="watermark of another content"):
        labeler.label_file(tmp_path / "c.jpg", tmp_path / "d.jpg", producer="acme", home=home)
    result = labeler.label_file(
        tmp_path / "c.jpg", tmp_path / "d.jpg", producer="acme", home=home, layers="visible"
    )
    assert "visible.there" in {note.id for note in result.notes}
    report = labeler.verify_file(tmp_path / "d.jpg", layers="visible")
    assert len(report.layers.visible.evidence) == 1


@pytest.mark.parametrize("layers", ["metadata", "metadata,credentials", "visible,metadata"])
def test_no_label_is_written_beside_the_watermark_of_another_content(
    layers: str, photo_png: Path, tmp_path: Path, home: Path
) -> None:
    marked = tmp_path / "marked.jpg"
    pixels = labeler.label_image(
        np.asarray(Image.open(photo_png)), producer="acme", produce_id="1", key="private", home=home
    )
    Image.fromarray(pixels).save(marked, quality=90)
    options: dict[str, Any] = {"producer": "acme", "layers": layers, "home": home}
    out = tmp_path / "out" / "marked.jpg"
    with pytest.raises(AlreadyLabelled, match="watermark of another content"):
        labeler.label_file(marked, out, **options)
    labeler.label_file(marked, out, **options, produce_id="1")
    again = tmp_path / "again.jpg"
    with pytest.raises(UsageError, match="watermark of another content"):
        labeler.label_file(out, again, **options, produce_id="2", relabel=True)
    assert labeler.label_file(out, again, **options, relabel=True).label.produce_id == "1"
    report = labeler.verify_file(again, home=home)
    assert report.verdict is Verdict.AI_CONFIRMED
    assert {pair.result for pair in report.consistency} <= {"agree", "unknown"}


def test_samples_that_cannot_be_seen_are_labelled_with_a_note(photo: np.ndarray, tmp_path: Path) -> None:
    data = bytearray(_save(photo, tmp_path / "a.png").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)  # inside the compressed samples
    (tmp_path / "a.png").write_bytes(data)
    result = labeler.label_file(tmp_path / "a.png", tmp_path / "b.png", producer="acme", layers="metadata")
    assert "watermark.unseen" in {note.id for note in result.notes}


def test_a_key_ring_that_cannot_be_read_spoils_only_the_watermark(photo_png: Path, tmp_path: Path) -> None:
    (tmp_path / "h" / "keys").mkdir(parents=True)
    (tmp_path / "h" / "keys" / "watermark-00000000.key").write_text("garbage")
    (tmp_path / "h" / "keys" / "watermark-00000000.key").chmod(0o600)
    report = labeler.verify_file(photo_png, home=tmp_path / "h", quick=True)
    assert report.error is None
    assert report.layers.watermark.state is State.CANNOT_TELL
    assert "watermark-00000000.key" in report.layers.watermark.reason
    assert report.layers.metadata.state is State.ABSENT


def test_a_raw_file_is_refused(photo: np.ndarray, tmp_path: Path, home: Path) -> None:
    from PIL import TiffImagePlugin

    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[50706] = b"\x01\x04\x00\x00"
    Image.fromarray(photo).save(tmp_path / "a.tif", tiffinfo=tags)
    with pytest.raises(UnsupportedMedia, match="raw"):
        labeler.label_file(tmp_path / "a.tif", tmp_path / "b.tif", producer="acme", home=home)


def test_the_place_of_the_mark_is_told_as_displayed(photo: np.ndarray, tmp_path: Path, home: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photo).save(tmp_path / "a.jpg", quality=92, exif=exif)
    labeler.label_file(
        tmp_path / "a.jpg", tmp_path / "b.jpg", producer="acme", home=home, position="bottom-right"
    )
    found = labeler.verify_file(tmp_path / "b.jpg", quick=True).layers.visible.evidence[0]
    assert found.frame == (480, 640) and found.box is not None
    assert found.box[0] > 240 and found.box[1] > 320


def test_an_original_that_is_replaced_is_kept_beside_the_output(
    photo_png: Path, tmp_path: Path, home: Path
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(photo_png.read_bytes())
    labeler.label_file(path, path, producer="acme", home=home, overwrite=True)
    assert (tmp_path / "a.png.orig").read_bytes() == photo_png.read_bytes() != path.read_bytes()


def test_an_output_made_from_another_input_is_told_from_one_that_is_done(
    photo: np.ndarray, tmp_path: Path, home: Path
) -> None:
    source, out = _save(photo, tmp_path / "a.png"), tmp_path / "out.png"
    options: dict[str, Any] = {"producer": "acme", "home": home, "layers": "metadata"}
    first = labeler.label_file(source, out, **options)
    with pytest.raises(AlreadyLabelled, match=r"out\.png is there already"):
        labeler.label_file(source, out, **options)
    again = labeler.label_file(source, out, relabel=True, author="someone", **options)
    assert first.label and again.label and again.label.produce_id == first.label.produce_id
    assert again.reread and again.reread.label and again.reread.label.author == "someone"
    os.utime(source, (out.stat().st_mtime + 5,) * 2)
    with pytest.raises(OutputExists, match="older than the input"):
        labeler.label_file(source, out, relabel=True, **options)
    _save(photo[:100], source)
    os.utime(source, (0, 0))
    with pytest.raises(OutputExists, match="another file"):
        labeler.label_file(source, out, **options)


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"lang": "en"}, "no mark with both elements"), ({"layers": "metadata,credentials"}, "no visible mark")],
)
def test_a_label_that_does_not_meet_its_profile_says_so(
    options: dict[str, Any], reason: str, photo_png: Path, tmp_path: Path, home: Path
) -> None:
    result = labeler.label_file(photo_png, tmp_path / "out.png", producer="acme", home=home, **options)
    (note,) = [note for note in result.notes if note.id == "profile.unmet"]
    assert "cn-gb45438" in note.detail and reason in note.detail and "GB 45438-2025 5" in note.detail
    judged = labeler.verify_file(tmp_path / "out.png", profile="cn-gb45438", home=home)
    assert judged.compliance is not None and judged.compliance.result == "fail"


def test_an_output_name_promises_no_other_type(photo: np.ndarray, tmp_path: Path) -> None:
    options: dict[str, Any] = {"producer": "acme", "layers": "metadata"}
    source, odd = _save(photo, tmp_path / "a.png"), tmp_path / "odd.jpg"
    odd.write_bytes(source.read_bytes())
    for name in ("b.jpg", "b.mp4", "b.txt"):
        with pytest.raises(UsageError, match=r"does not convert\. Give a name that ends in \.png"):
            labeler.label_file(source, tmp_path / name, **options)
        assert not (tmp_path / name).exists()
    for path, name in (
        (source, "b.PNG"),
        (source, "b.apng"),
        (source, "b"),
        (source, "b.xyz"),
        (odd, "c.jpg"),
    ):
        labeler.label_file(path, tmp_path / name, **options)


def test_reasons_end_as_sentences_do(tmp_path: Path, home: Path) -> None:
    Image.new("RGB", (300, 16)).save(tmp_path / "a.png")
    with pytest.raises(UnsupportedMedia) as caught:
        labeler.label_file(tmp_path / "a.png", tmp_path / "b.png", producer="p", profile="all", home=home)
    assert caught.value.message.endswith("at least 128.")
    with pytest.raises(UsageError) as refused:
        labeler.label_image(np.zeros((10, 12, 3), np.uint8), producer="p")
    assert ".;" not in refused.value.message and ".." not in refused.value.message
    assert "px; " in refused.value.message


def test_a_mark_in_another_language_stays_and_is_told(photo_png: Path, tmp_path: Path, home: Path) -> None:
    options: dict[str, Any] = {"producer": "acme", "home": home}
    labeler.label_file(photo_png, tmp_path / "en.png", lang="en", **options)
    again = labeler.label_file(tmp_path / "en.png", tmp_path / "zh.png", relabel=True, lang="zh", **options)
    assert Layer.VISIBLE in again.layers
    assert {"visible.there", "profile.unmet"} <= {note.id for note in again.notes}
