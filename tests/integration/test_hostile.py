"""Hostile images through the real command and the real worker functions (security.md, T1 to T20).

Whatever comes in: a typed refusal or a labelled file; never a crash, a torn or lost file, a "no label found"
for what could not be read, or a partly decoded picture with a label on it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_support import (
    LABELER,
    frame_bombs,
    pixel_bombs,
    save,
    scene,
    select_briefly,
    text_bombs,
    watched,
)
from PIL import Image

from labeler.batch import work
from labeler.batch.plan import Job
from labeler.errors import ExitCode
from labeler.pipeline.options import LabelOptions, VerifyOptions
from labeler.types import LabelResult, Layer, Report, State, Verdict

CHEAP = (Layer.VISIBLE, Layer.METADATA)
KILLS = int(os.environ.get("LABELER_TEST_KILLS", "20"))
CORPUS_STEP = int(os.environ.get("LABELER_TEST_CORPUS_STEP", "8"))
"""Every how many files of the corpus are tried; 1 tries all of it."""
SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def label(path: Path, output: Path, *, overwrite: bool = False, **options: Any) -> LabelResult:
    options = {"producer": "p", "layers": CHEAP} | options
    return work.label(work.LabelTask(Job(path, output), LabelOptions(**options), overwrite))


def verify(path: Path, **options: Any) -> Report:
    return work.verify(work.VerifyTask(Job(path), VerifyOptions(**({"quick": True} | options))))


def error_code(result: LabelResult | Report) -> str:
    return result.error.code if result.error else ""


def assert_refused(path: Path, tmp_path: Path) -> None:
    """Neither verify nor label accepts it, both say why, and nothing is written."""
    report, result = verify(path), label(path, tmp_path / "refused" / path.name)
    for answer in (report, result):
        assert answer.error is not None, (path.name, answer)
        assert answer.error.exit_code == ExitCode.INPUT and answer.error.code != "internal-error", (
            answer.error
        )
    assert report.verdict is Verdict.CANNOT_TELL
    assert not (tmp_path / "refused" / path.name).exists()


# ----------------------------------------------------------------------------------- T1, T2, T3: bombs


@pytest.mark.parametrize("name", pixel_bombs().keys())
def test_a_pixel_bomb_is_refused_cheaply(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(pixel_bombs()[name])
    outcome = watched([*LABELER, "verify", path], tmp_path, address_space=2 << 30)
    assert outcome.code == ExitCode.INPUT, outcome.err
    assert b"Traceback" not in outcome.err
    assert outcome.megabytes < 300
    assert outcome.seconds < 2.0 or outcome.seconds < 6 * bare_start(tmp_path)
    assert_refused(path, tmp_path)


def bare_start(folder: Path) -> float:
    """How long this machine takes now to start the command at all: a loaded machine is no failure of ours."""
    return watched([*LABELER, "verify", folder / "missing"], folder).seconds


@pytest.mark.parametrize("name", ["zTXt.png", "iTXt.png", "iCCP.png"])
def test_a_text_bomb_is_refused_cheaply(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(text_bombs()[name])
    outcome = watched([*LABELER, "verify", path], tmp_path, address_space=2 << 30)
    assert outcome.code == ExitCode.INPUT and b"Traceback" not in outcome.err
    assert outcome.megabytes < 300
    assert_refused(path, tmp_path)


def test_an_animation_with_too_many_frames_is_refused(tmp_path: Path) -> None:
    for name, data in frame_bombs().items():
        (tmp_path / name).write_bytes(data)
        assert_refused(tmp_path / name, tmp_path)
        assert error_code(verify(tmp_path / name)) == "limit-exceeded", name


def test_the_limit_can_be_raised_and_lowered(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(save(Image.fromarray(scene(1200, 1000)), "PNG"))
    low = subprocess.run(
        [*LABELER, "verify", "--quick", "--max-megapixels", "1", path], capture_output=True, timeout=60
    )
    assert low.returncode == ExitCode.INPUT and b"--max-megapixels" in low.stdout + low.stderr


# --------------------------------------------------------------------------------------- T4: truncation


def originals() -> dict[str, bytes]:
    image = Image.fromarray(scene())
    files = {
        "a.jpg": save(image, "JPEG"),
        "progressive.jpg": save(image, "JPEG", progressive=True),
        "a.png": save(image, "PNG"),
        "a.webp": save(image, "WEBP"),
        "a.gif": save(image, "GIF"),
        "a.tif": save(image, "TIFF"),
        "lzw.tif": save(image, "TIFF", compression="tiff_lzw"),
        "a.bmp": save(image, "BMP"),
        "a.avif": save(image, "AVIF"),
    }
    frames = [Image.fromarray(scene(120, 90, seed=seed)) for seed in range(5)]
    for kind, name in (
        ("GIF", "moving.gif"),
        ("PNG", "moving.png"),
        ("WEBP", "moving.webp"),
        ("TIFF", "pages.tif"),
    ):
        options = {} if kind == "TIFF" else {"duration": 50}
        files[name] = save(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    try:
        import pillow_heif
    except ImportError:
        return files
    pillow_heif.register_heif_opener()
    return files | {"a.heic": save(image, "HEIF")}


@pytest.mark.parametrize("name", originals().keys())
def test_a_truncated_file_is_never_labelled_and_never_called_unlabelled(name: str, tmp_path: Path) -> None:
    data = originals()[name]
    whole = tmp_path / name
    whole.write_bytes(data)
    assert verify(whole, layers=(Layer.VISIBLE, Layer.METADATA)).error is None, "the whole file is fine"
    for percent in (10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99):
        path = tmp_path / f"{percent}-{name}"
        path.write_bytes(data[: len(data) * percent // 100])
        assert_refused(path, tmp_path)


def test_flipped_bytes_never_crash_and_never_give_a_partly_decoded_label(tmp_path: Path) -> None:
    """Whatever a broken file is taken for, what is published decodes whole and carries the label."""
    rng = np.random.default_rng(11)
    published = 0
    for name, data in originals().items():
        for number in range(3):
            broken = bytearray(data)
            for at in rng.integers(0, min(len(data), 2000), 3):
                broken[at] = rng.integers(256)
            path, output = tmp_path / f"{number}-{name}", tmp_path / "out" / f"{number}-{name}"
            path.write_bytes(broken)
            result = label(path, output)
            assert error_code(result) != "internal-error", result.error
            assert output.exists() == (result.error is None)
            if output.exists():
                published += 1
                with Image.open(output) as image:
                    for frame in range(getattr(image, "n_frames", 1)):
                        image.seek(frame)
                        image.load()
    assert published, "some damage is harmless"


# ---------------------------------------------------------------- T10: wrong extensions and polyglots


def test_the_true_type_decides_and_a_wrong_extension_is_reported(tmp_path: Path) -> None:
    for name, kind, media_type in (
        ("a.png", "JPEG", "image/jpeg"),
        ("b.jpg", "PNG", "image/png"),
        ("c.mp3", "WEBP", "image/webp"),
    ):
        path, output = tmp_path / name, tmp_path / "out" / name
        path.write_bytes(save(Image.fromarray(scene()), kind))
        report = verify(path, layers=CHEAP)
        assert report.media_type == media_type
        assert [finding.id for finding in report.findings] == ["media.extension"]
        result = label(path, output, layers=(*CHEAP, Layer.CREDENTIALS))
        assert result.error is None, result.error
        with Image.open(output) as image:
            assert image.format == kind
        assert verify(output).verdict is Verdict.AI_CONFIRMED


def test_polyglots_are_what_their_first_bytes_say(tmp_path: Path) -> None:
    jpeg, png = (save(Image.fromarray(scene()), kind) for kind in ("JPEG", "PNG"))
    page = b"<html><script>alert(1)</script></html>"
    archive = io.BytesIO()
    import zipfile

    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("../../evil.txt", "evil")
    cases = {
        "zip-behind.jpg": (jpeg + archive.getvalue(), "image/jpeg"),
        "html-behind.png": (png + page, "image/png"),
        "png-behind.jpg": (jpeg + png, "image/jpeg"),
        "html-in-comment.gif": (
            save(Image.fromarray(scene()).quantize(64), "GIF", comment=page),
            "image/gif",
        ),
        "pdf-first.jpg": (b"%PDF-1.4\n" + jpeg, "application/pdf"),
        "zip-first.png": (archive.getvalue() + png, "application/zip"),
        "script.png": (page, "text/html"),
    }
    for name, (data, media_type) in cases.items():
        path, output = tmp_path / name, tmp_path / "out" / name
        path.write_bytes(data)
        if media_type.startswith("application/"):
            assert_refused(path, tmp_path)
            continue
        assert verify(path, layers=CHEAP).media_type == media_type
        result = label(path, output)
        assert result.error is None, (name, result.error)
        assert verify(output, layers=CHEAP).verdict is Verdict.AI_CONFIRMED
        if not media_type.startswith("image/"):
            assert page in output.read_bytes()
            continue
        with Image.open(output) as image:
            image.load()
            assert f"image/{(image.format or '').lower()}" == media_type
    assert not (tmp_path.parent / "evil.txt").exists()


# ----------------------------------------------------------------------------------- T11: file names

NAMES = [
    b"-x.png", b"--help.png", b"a b.png", b"a\nb.png", b"%d.png", b"p%03d.png", b"it's.png", b'say "hi".png',
    b"C:y.png", b"http:x.png", b"a;b|c&d$(e)`f`.png", b"n" * 246 + b".png", b"caf\xe9\xff.png", "标识 🖼.png".encode(),
    b"\xe2\x80\xaegnp.png", b"~.png", b"*.png", b"a\\b.png", b"\x1b[31mred.png",
]  # fmt: skip


def test_odd_file_names_are_labelled_and_verified_and_reported_as_valid_json(tmp_path: Path) -> None:
    data = save(Image.fromarray(scene()), "PNG")
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in NAMES:
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(data)
    command = [
        *LABELER,
        "label",
        "--producer",
        "p",
        "--layers",
        "visible,metadata",
        "--json",
        "-o",
        out,
        "--",
        *NAMES,
    ]
    labelled = watched(command, tmp_path, cwd=folder, seconds=120)
    assert labelled.code == ExitCode.OK, labelled.err
    checked = watched(
        [*LABELER, "verify", "--layers", "visible,metadata", "--json", "--", *NAMES],
        tmp_path,
        cwd=out,
        seconds=120,
    )
    assert checked.code == ExitCode.OK, checked.err
    for outcome in (labelled, checked):
        lines = outcome.out.decode("utf-8").splitlines()
        assert len(lines) == len(NAMES)
        assert all(json.loads(line)["error"] is None for line in lines)
        assert b"Traceback" not in outcome.err
    assert all(json.loads(line)["verdict"] == "ai-confirmed" for line in checked.out.splitlines())
    assert sorted(os.fsencode(path.name) for path in out.iterdir()) == sorted(NAMES)
    plain = watched([*LABELER, "verify", "--layers", "metadata", "--", *NAMES], tmp_path, cwd=out)
    assert plain.code == ExitCode.OK and b"Traceback" not in plain.err, plain.err


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in NAMES
        if len(name) > 200 or name[0] > 127 or b"\n" in name or b'"' in name or b"caf" in name or b"%" in name
    ],
)
def test_odd_file_names_are_signed(name: bytes, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    path.write_bytes(save(Image.fromarray(scene(64, 64)), "PNG"))
    layers = (Layer.METADATA, Layer.CREDENTIALS)
    result = label(path, tmp_path / "out" / path.name, layers=layers)
    assert result.error is None, result.error
    assert verify(tmp_path / "out" / path.name, layers=layers).layers.credentials.content == "intact"


# -------------------------------------------------------------------- T12: links and paths in batches


def test_links_in_a_batch_lead_nowhere(tmp_path: Path) -> None:
    data = save(Image.fromarray(scene(160, 120)), "PNG")
    outside, tree, out = tmp_path / "outside", tmp_path / "tree", tmp_path / "out"
    for folder in (outside, tree / "sub", out):
        folder.mkdir(parents=True)
    for path in (outside / "secret.png", tree / "a.png", tree / "sub" / "b.png"):
        path.write_bytes(data)
    (tree / "link.png").symlink_to(outside / "secret.png")
    (tree / "linked").symlink_to(outside)
    (tree / "loop").symlink_to(tree)
    command = [*LABELER, "label", "--producer", "p", "--layers", "visible,metadata", "-r", tree, "-o", out]
    outcome = watched(command, tmp_path)
    assert outcome.code == ExitCode.OK, outcome.err
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*")) == ["a.png", "sub", "sub/b.png"]
    assert (outside / "secret.png").read_bytes() == data and len(list(outside.iterdir())) == 1

    shutil.rmtree(out)
    out.mkdir()
    (out / "sub").symlink_to(outside)  # an output folder prepared by somebody else
    outcome = watched(command, tmp_path)
    assert outcome.code == ExitCode.OUTPUT and b"link leads out" in outcome.err
    assert [p.name for p in outside.iterdir()] == ["secret.png"]

    (out / "sub").unlink()
    (out / "a.png").symlink_to(outside / "secret.png")
    outcome = watched([*command, "--force"], tmp_path)
    assert outcome.code == ExitCode.OK, outcome.err
    assert (outside / "secret.png").read_bytes() == data
    assert not (out / "a.png").is_symlink()


def test_an_output_folder_inside_the_input_is_not_labelled_again(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a.png").write_bytes(save(Image.fromarray(scene(160, 120)), "PNG"))
    command = [*LABELER, "label", "--producer", "p", "--layers", "visible,metadata", "--force", "-r", tree]
    for _ in range(2):
        outcome = watched([*command, "-o", tree / "out"], tmp_path)
        assert outcome.code == ExitCode.OK, outcome.err
        assert sorted(str(p.relative_to(tree)) for p in tree.rglob("*")) == ["a.png", "out", "out/a.png"]


def test_output_onto_the_input_itself_needs_force_and_keeps_the_original(tmp_path: Path) -> None:
    data = save(Image.fromarray(scene(160, 120)), "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(data)
    command = [*LABELER, "label", "--producer", "p", "--layers", "visible,metadata", path, "-o", tmp_path]
    outcome = watched(command, tmp_path)
    assert outcome.code == ExitCode.OUTPUT and path.read_bytes() == data
    outcome = watched([*command, "--force"], tmp_path)
    assert outcome.code == ExitCode.OK, outcome.err
    assert (tmp_path / "a.png.orig").read_bytes() == data and path.read_bytes() != data


def test_a_folder_or_a_file_in_the_way_of_the_output_is_a_typed_error(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(save(Image.fromarray(scene(160, 120)), "PNG"))
    (tmp_path / "out" / "a.png").mkdir(parents=True)
    (tmp_path / "file").write_bytes(b"in the way")
    for out, options in ((tmp_path / "out", ["--force"]), (tmp_path / "out", []), (tmp_path / "file", [])):
        command = [
            *LABELER,
            "label",
            "--producer",
            "p",
            "--layers",
            "visible,metadata",
            path,
            "-o",
            out,
            *options,
        ]
        outcome = watched(command, tmp_path)
        assert outcome.code == ExitCode.OUTPUT and b"Traceback" not in outcome.err, outcome.err
    assert (tmp_path / "file").read_bytes() == b"in the way"


# --------------------------------------------------------------------------- T15: no space on the disk


def test_when_the_output_does_not_fit_the_old_one_stays(tmp_path: Path) -> None:
    source, out = tmp_path / "a.png", tmp_path / "out"
    source.write_bytes(save(Image.fromarray(scene()), "PNG"))
    out.mkdir()
    (out / "a.png").write_bytes(b"old" * 1000)
    command = [
        *LABELER,
        "label",
        "--producer",
        "p",
        "--layers",
        "visible,metadata",
        "--force",
        source,
        "-o",
        out,
    ]
    outcome = watched(command, tmp_path, file_size=50_000)
    assert outcome.code == ExitCode.OUTPUT, outcome.err
    assert b"Traceback" not in outcome.err and b"disk" in outcome.err
    assert (out / "a.png").read_bytes() == b"old" * 1000
    assert [p.name for p in out.iterdir()] == ["a.png"]


def test_when_labelling_in_place_does_not_fit_the_original_stays(tmp_path: Path) -> None:
    source = tmp_path / "in" / "a.png"
    source.parent.mkdir()
    data = save(Image.fromarray(scene()), "PNG")
    source.write_bytes(data)
    command = [*LABELER, "label", "--producer", "p", "--layers", "visible,metadata", "--in-place", source]
    outcome = watched(command, tmp_path, file_size=50_000)
    assert outcome.code == ExitCode.OUTPUT, outcome.err
    assert source.read_bytes() == data
    for other in source.parent.iterdir():
        assert other.read_bytes() == data, "a backup at most"


# ---------------------------------------------------------------------------------- T16, T17, T20

IN_PLACE = """
import sys
from labeler.cli import main
def run(*arguments):
    try:
        main([*arguments])
    except SystemExit as end:
        return end.code
options = ["label", "--producer", "p", "--layers", "visible,metadata,credentials"]
run(*options, "-o", sys.argv[2], sys.argv[3])  # loads everything
sys.stdout.write("ready\\n")
sys.stdout.flush()
run(*options, "--in-place", sys.argv[1])
sys.stdout.write("done\\n")
sys.stdout.flush()
"""


@pytest.mark.slow
def test_a_killed_in_place_run_leaves_the_original_or_the_labelled_file(tmp_path: Path) -> None:
    rng = random.Random(16)
    data = save(Image.fromarray(scene()), "JPEG", quality=90)
    (tmp_path / "warm.jpg").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    span, outcomes = 0.5, {"original": 0, "labelled": 0}
    for number in range(-1, KILLS):
        folder = tmp_path / f"run{number}"
        folder.mkdir()
        path = folder / "a.jpg"
        path.write_bytes(data)
        process = subprocess.Popen(
            [sys.executable, "-c", IN_PLACE, path, folder / "warm", tmp_path / "warm.jpg"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        while (line := process.stdout.readline()) and line != b"ready\n":
            pass
        started = time.monotonic()
        if number < 0:  # the first run goes through, to know how long it takes
            process.communicate(timeout=60)
            span = time.monotonic() - started
            continue
        wait = rng.random() * span * 1.05
        while time.monotonic() - started < wait:
            select_briefly()
        process.kill()
        process.communicate(timeout=60)
        found = path.read_bytes()
        if hashlib.sha256(found).hexdigest() == digest:
            outcomes["original"] += 1
        else:
            outcomes["labelled"] += 1
            report = verify(path, layers=(*CHEAP, Layer.CREDENTIALS))
            assert report.verdict is Verdict.AI_CONFIRMED and report.layers.credentials.content == "intact"
            assert (folder / "a.jpg.orig").read_bytes() == data
        if (folder / "a.jpg.orig").exists():
            assert (folder / "a.jpg.orig").read_bytes() == data
        options = LabelOptions(producer="p", layers=CHEAP)
        again = work.label(work.LabelTask(Job(path, path, in_place=True), options))
        assert error_code(again) in ("", "already-labelled"), "the next run finishes the work"
    assert outcomes["original"] and sum(outcomes.values()) == KILLS, outcomes


def test_two_runs_with_the_same_output_leave_one_whole_file(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(save(Image.fromarray(scene()), "PNG"))
    for round_ in range(2):
        out = tmp_path / f"out{round_}"
        force = ["--force"] if round_ % 2 else []
        command = [
            *LABELER,
            "label",
            "--producer",
            "p",
            "--layers",
            "visible,metadata",
            *force,
            source,
            "-o",
            out,
        ]
        runs = [
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)
        ]
        errors = [run.communicate(timeout=60)[1] for run in runs]
        codes = sorted(run.returncode for run in runs)
        assert codes == [0, 0] if force else codes in ([0, 5], [0, 0]), errors
        assert not any(b"Traceback" in error for error in errors)
        assert [p.name for p in out.iterdir()] == ["a.png"]
        assert verify(out / "a.png", layers=CHEAP).verdict is Verdict.AI_CONFIRMED


def test_labelling_twice_is_nothing_to_do(tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    source.write_bytes(save(Image.fromarray(scene()), "JPEG"))
    command = [*LABELER, "label", "--producer", "p"]
    first = watched([*command, source, "-o", tmp_path / "one"], tmp_path)
    assert first.code == ExitCode.OK, first.err
    labelled = (tmp_path / "one" / "a.jpg").read_bytes()
    second = watched([*command, tmp_path / "one" / "a.jpg", "-o", tmp_path / "two"], tmp_path)
    assert second.code == ExitCode.NOTHING_TO_DO, second.err
    assert not (tmp_path / "two").exists() or not any((tmp_path / "two").iterdir())
    third = watched([*command, "--in-place", tmp_path / "one" / "a.jpg"], tmp_path)
    assert third.code == ExitCode.NOTHING_TO_DO
    assert (tmp_path / "one" / "a.jpg").read_bytes() == labelled


# ------------------------------------------------------------------------------------------- corpus

CORPUS = """
import faulthandler, json, resource, sys, time
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
faulthandler.enable()
from labeler.batch import work
from labeler.batch.plan import Job
from labeler.pipeline.options import LabelOptions, VerifyOptions
from labeler.types import Layer
what, out, *paths = sys.argv[1:]
for path in map(Path, paths):
    faulthandler.dump_traceback_later(60, exit=True)
    started = time.process_time()  # other load on the machine does not count
    if what == "verify":
        task = work.VerifyTask(Job(path), VerifyOptions(quick=True))
        run, failed = work.verify, work.verify_failed
    else:
        task = work.LabelTask(Job(path, Path(out) / path.name), LabelOptions(producer="p", layers=tuple(Layer)))
        run, failed = work.label, work.label_failed
    try:
        result = run(task)
    except Exception as error:
        result = failed(task, error)
    error = result.error
    row = {
        "name": path.name,
        "seconds": time.process_time() - started,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "code": error.code if error else "",
        "exit": error.exit_code if error else 0,
        "message": error.message if error else "",
    }
    sys.stdout.write(json.dumps(row) + "\\n")
    sys.stdout.flush()
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["verify", "label"])
def test_the_corpus_of_hostile_files_meets_its_bars(what: str, tmp_path: Path) -> None:
    folder = SHARED / "hostile"
    if not folder.is_dir():
        pytest.skip("the corpus of hostile files is not on this machine")
    paths = sorted(path for path in folder.iterdir() if path.is_file())[::CORPUS_STEP]
    before = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    (tmp_path / "out").mkdir()
    run = subprocess.run(
        [sys.executable, "-c", CORPUS, what, tmp_path / "out", *paths],
        capture_output=True,
        text=True,
        timeout=1500,
    )
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.returncode == 0, (run.returncode, rows[-1:], run.stderr[-2000:])
    assert [row["name"] for row in rows] == [path.name for path in paths]
    assert [row for row in rows if row["code"] == "internal-error"] == []
    assert {row["exit"] for row in rows} <= {int(code) for code in ExitCode}
    assert [row for row in rows if row["seconds"] > 10] == []
    assert max(row["megabytes"] for row in rows) <= 1024
    assert "Traceback" not in run.stderr
    assert {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths} == before
    for output in (tmp_path / "out").iterdir():
        assert (
            output.name.endswith((".c2pa", ".xmp"))
            or verify(output, layers=CHEAP).layers.metadata.state is State.PRESENT
        )
