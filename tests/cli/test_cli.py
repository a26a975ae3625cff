"""The command line as a script sees it: exit codes, stdout, stderr, files."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labeler import profiles
from labeler.media.video.settings import CODECS
from labeler.visible.video import MIN_SECONDS

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]
VERIFY_KEYS = {
    "schema", "version", "path", "sha256", "media_type", "modality", "verdict", "label", "layers", "consistency",
    "compliance", "error",
}  # fmt: skip
LAYER_KEYS = {
    "visible": {"state", "evidence"},
    "metadata": {"state", "carrier", "fields", "findings"},
    "watermark": {"state", "payload", "mark_id", "key_id", "log10_p", "geometry"},
    "credentials": {"state", "content", "signer", "time", "chain", "claim_generator", "codes"},
}


@pytest.fixture
def run(tmp_path: Path, home: Path) -> Run:
    """Run ``labeler`` in an empty folder; the home has keys, the environment names a producer."""
    work = tmp_path / "work"
    work.mkdir()

    def run(*arguments: object, stdin: bytes = b"", **env: str) -> subprocess.CompletedProcess[bytes]:
        environment = {**os.environ, "LABELER_HOME": str(home), "LABELER_PRODUCER": "acme", **env}
        command = [sys.executable, "-m", "labeler", *map(os.fspath, map(str, arguments))]
        return subprocess.run(
            command, cwd=work, env=environment, input=stdin, capture_output=True, timeout=120
        )

    return run


@pytest.fixture
def folder(photo: np.ndarray, tmp_path: Path) -> Path:
    """A tree with two pictures, a text file and a hidden file."""
    root = tmp_path / "in"
    (root / "sub").mkdir(parents=True)
    Image.fromarray(photo).save(root / "a.jpg", quality=90)
    Image.fromarray(photo[::-1]).save(root / "sub" / "b.png")
    (root / "notes.xyz").write_text("not media")
    (root / ".hidden.png").write_bytes((root / "sub" / "b.png").read_bytes())
    return root


def test_label_then_verify(run: Run, photo_png: Path) -> None:
    labelled = run("label", photo_png, "-o", "out")
    assert labelled.returncode == 0, labelled.stderr
    assert b"labelled: visible, watermark, metadata, credentials" in labelled.stdout
    verified = run("verify", "out/photo.png")
    assert verified.returncode == 0
    text = verified.stdout.decode()
    for words in (
        "AI-generated (confirmed)",
        "AI生成",
        "GB 45438 label 1",
        "public-1",
        "content intact",
        "TEST",
    ):
        assert words in text
    again = run("label", "out/photo.png", "-o", "out2")
    assert again.returncode == 6


def test_an_unlabelled_picture_exits_1_and_claims_nothing(run: Run, photo_png: Path) -> None:
    done = run("verify", photo_png)
    assert done.returncode == 1
    assert b"no proof that a person made it" in done.stdout


def test_json_follows_the_contract(run: Run, photo_png: Path) -> None:
    labelled = json.loads(run("label", photo_png, "-o", "out", "--json").stdout)
    assert labelled["schema"] == "labeler/label/1"
    assert labelled["reread"]["verdict"] == "ai-confirmed"
    assert labelled["layers"] == ["visible", "watermark", "metadata", "credentials"]
    done = run("verify", "out/photo.png", "--json")
    report = json.loads(done.stdout)
    assert set(report) >= VERIFY_KEYS
    for layer, keys in LAYER_KEYS.items():
        assert set(report["layers"][layer]) >= keys
    assert report["sha256"] == labelled["output_sha256"]
    assert len(report["label"]["mark_id"]) == 14 and len(report["layers"]["watermark"]["payload"]) == 16
    assert done.stdout.count(b"\n") == 1


def test_folders_keep_their_tree_and_leave_other_files_alone(run: Run, folder: Path) -> None:
    refused = run("label", folder, "-o", "out")
    assert refused.returncode == 7 and b"-r" in refused.stderr
    done = run("label", folder, "-r", "-o", "out", "-j", "2")
    assert done.returncode == 0, done.stderr
    out = folder.parent / "work" / "out"
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()) == ["a.jpg", "sub/b.png"]
    assert b"1 other file left alone" in done.stderr
    assert run("verify", "-r", "out", "-j", "2").returncode == 0
    assert run("label", folder, "-r", "-o", "out").returncode == 6, "running again has nothing to do"
    (out / "a.jpg").write_bytes(b"something else")
    assert run("label", folder, "-r", "-o", "out").returncode == 3, "an output that is not ours"
    assert run("label", folder, "-r", "-o", "out", "--force").returncode == 0


def test_some_failed_is_3(run: Run, folder: Path) -> None:
    (folder / "broken.jpg").write_bytes((folder / "a.jpg").read_bytes()[:4000])
    done = run("label", folder, "-r", "-o", "out")
    assert done.returncode == 3
    assert b"broken.jpg" in done.stderr and b"damaged" in done.stderr
    assert not (folder.parent / "work" / "out" / "broken.jpg").exists()
    assert run("verify", "-r", folder).returncode == 3


def test_a_missing_path_is_one_failure_among_others(run: Run, photo_png: Path) -> None:
    done = run("label", photo_png, "missing.png", "-o", "out", "--json", "--layers", "metadata")
    assert done.returncode == 3
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result["error"] and result["error"]["code"] for result in results] == [None, "input-error"]
    done = run("verify", "out/photo.png", "missing.png", "--json", "--layers", "metadata")
    assert done.returncode == 3
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert [report["verdict"] for report in reports] == ["ai-confirmed", "cannot-tell"]
    assert run("label", "missing.png", "-o", "out").returncode == 7


def test_sidecars_are_no_inputs(run: Run, tmp_path: Path) -> None:
    text = tmp_path / "work" / "a.txt"
    text.write_text("One sentence.\n")
    assert run("label", text, "-o", "out").returncode == 0
    out = sorted((tmp_path / "work" / "out").iterdir())
    done = run("verify", *out)
    assert done.returncode == 0 and len(out) == 3
    assert b"2 files of labeler's own left alone" in done.stderr
    (tmp_path / "work" / "out" / "a.txt").unlink()
    assert run("verify", "out/a.txt.c2pa").returncode == 7


def test_in_place_keeps_the_original(run: Run, photo_png: Path) -> None:
    before = photo_png.read_bytes()
    assert run("label", photo_png, "--in-place").returncode == 0
    assert photo_png.with_name("photo.png.orig").read_bytes() == before
    assert run("verify", photo_png).returncode == 0


def test_pipes_carry_only_data(run: Run, photo_png: Path) -> None:
    done = run("label", "-", "-o", "-", "--format", "png", stdin=photo_png.read_bytes())
    assert done.returncode == 0 and done.stderr == b""
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert image.format == "PNG"
    assert run("verify", "-", stdin=done.stdout).returncode == 0
    assert run("label", "-", "-o", "-", "--format", "jpg", stdin=photo_png.read_bytes()).returncode == 2


def test_texts_can_be_piped(run: Run) -> None:
    text = b"# Title\n\nOne sentence.\n"
    for kind, extra in (
        ("md", ["--in-text"]),
        ("md", ["--layers", "visible,metadata"]),
        ("html", ["--in-text"]),
    ):
        page = b"<!doctype html><title>t</title><p>One.</p>" if kind == "html" else text
        done = run("label", "-", "-o", "-", "--format", kind, *extra, stdin=page)
        assert done.returncode == 0 and done.stderr == b"", done.stderr
        report = json.loads(run("verify", "-", "--format", kind, "--json", stdin=done.stdout).stdout)
        assert (report["path"], report["verdict"]) == ("-", "ai-confirmed")
        assert report["layers"]["metadata"]["state"] == "present"
    refused = run("label", "-", "-o", "-", "--format", "md", stdin=text)
    assert refused.returncode == 2 and b".c2pa" in refused.stderr and b"--in-text" in refused.stderr


def test_plain_text_in_a_pipe_has_its_label_in_the_manifest(run: Run) -> None:
    done = run("label", "-", "-o", "-", "--in-text", stdin=b"One sentence.\n")
    assert done.returncode == 0 and b".aigc.json" in done.stderr, done.stderr
    report = json.loads(run("verify", "-", "--json", stdin=done.stdout).stdout)
    assert report["layers"]["credentials"]["content"] == "intact"
    assert report["verdict"] == "ai-confirmed" and report["label"]["producer"] == "acme"
    assert run("label", "-", "-o", "-", stdin=b"One sentence.\n").returncode == 2
    assert run("label", "-", "-o", "-", "--in-text", "--layers", "metadata", stdin=b"One.\n").returncode == 2


def test_inspect_reads_a_pipe(run: Run, photo_png: Path) -> None:
    found = json.loads(run("inspect", "-", stdin=photo_png.read_bytes()).stdout)
    assert found["media"]["media_type"] == "image/png"
    found = json.loads(run("inspect", "-", "--format", "md", stdin=b"One sentence.\n").stdout)
    assert found["media"]["media_type"] == "text/markdown"


@pytest.mark.parametrize("command", ["verify", "inspect"])
def test_a_format_that_does_not_fit_is_refused(run: Run, photo_png: Path, command: str) -> None:
    for kind, words in (("jpg", b"image/png"), ("xyz", b"no type")):
        done = run(command, "-", "--format", kind, stdin=photo_png.read_bytes())
        assert done.returncode == 2 and words in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("label", "PHOTO"), 2, "-o DIR or --in-place"),
        (("label", "PHOTO", "-o", "out", "--layers", "visible,smell"), 2, "smell"),
        (("label", "PHOTO", "-o", "out", "--profile", "mars"), 2, "cn-gb45438"),
        (("label", "PHOTO", "-o", "out", "--source-type", "magic"), 2, "trainedAlgorithmicMedia"),
        (("label", "PHOTO", "-o", "out", "--key", "key-00000000"), 4, "keys"),
        (("label", "missing.png", "-o", "out"), 7, "no such file"),
        (("verify", "missing.png"), 7, "no such file"),
        (("verify", "PHOTO", "--max-megapixels", "0.1"), 7, "--max-megapixels"),
        (("label", "PHOTO", "-o", "out", "--font", "missing.ttf"), 2, "--font"),
        (("label", "PHOTO", "-o", "out", "--prompt", "missing.wav"), 2, "--prompt"),
        (("label", "PHOTO", "-o", "out", "--crf", "999"), 2, "0 to 51"),
        (("verify", "PHOTO", "--tokens", "missing.json"), 2, "--tokens"),
        (("verify", "PHOTO", "--trust", "missing.pem"), 2, "--trust"),
        (("verify", "--nonsense"), 2, "nonsense"),
        (("verify", "PHOTO", "--profile", "mars"), 2, "mars"),
    ],
)
def test_wrong_calls_say_what_to_do(
    run: Run, photo_png: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = run(*(photo_png if word == "PHOTO" else word for word in arguments))
    assert done.returncode == code, done.stderr
    assert words in (done.stderr + done.stdout).decode()
    assert b"Traceback" not in done.stderr


def test_options_without_effect_are_told(run: Run, photo_png: Path) -> None:
    out = ("-o", "out", "--layers", "metadata")
    done = run(
        "label", photo_png, *out, "--crf", "20", "--quality", "90", "--format", "png", LABELER_FAST="1"
    )
    assert done.returncode == 0
    assert done.stderr.decode().splitlines() == [
        "note  --crf has no effect here: it is for video",
        "note  --format has no effect here: it is for standard input",
    ]
    done = run("verify", photo_png, "--deep", "--quick")
    assert done.stderr == b"note  --deep has no effect here: it is for sound and video\n"
    named = photo_png.with_suffix(".unknown")
    named.write_bytes(photo_png.read_bytes())
    assert run("label", named, "-o", "out", "--layers", "metadata", "--crf", "20").stderr == b""


def test_without_a_producer_nothing_is_guessed(run: Run, photo_png: Path) -> None:
    done = run("label", photo_png, "-o", "out", LABELER_PRODUCER="")
    assert done.returncode == 2 and b"--producer" in done.stderr


def test_options_come_from_flag_then_environment_then_project_then_user(
    run: Run, photo_png: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other-home"
    other.mkdir()
    (other / "labeler.toml").write_text('producer = "user"\nlayers = "metadata"\n')

    def producer(*arguments: object, **env: str) -> str:
        done = run(
            "label", photo_png, "-o", "out", "--force", "--json", *arguments, LABELER_HOME=str(other), **env
        )
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["label"]["producer"])

    assert producer(LABELER_PRODUCER="") == "user"
    project = tmp_path / "work" / "labeler.toml"
    project.write_text('[label]\nproducer = "project"\n')
    assert producer(LABELER_PRODUCER="") == "project"
    assert producer(LABELER_PRODUCER="environment") == "environment"
    assert producer("--producer", "flag", LABELER_PRODUCER="environment") == "flag"


def test_keys_init_list_check_and_refusal_to_overwrite(run: Run, tmp_path: Path) -> None:
    home = str(tmp_path / "fresh")
    first = run("keys", "init", "--producer", 'a "b"', LABELER_HOME=home)
    assert first.returncode == 0, first.stderr
    for secret in (*Path(home).glob("keys/*"), Path(home, "credentials", "key.pem")):
        assert secret.stat().st_mode & 0o077 == 0
        assert secret.read_text().split()[0] not in first.stdout.decode()
    assert run("keys", "init", LABELER_HOME=home).returncode == 5
    listed = run("keys", "list", LABELER_HOME=home).stdout.decode()
    assert "public-1" in listed and "private" in listed and "TEST" in listed
    chain = Path(home, "credentials", "chain.pem")
    assert run("keys", "check", chain).returncode == 0
    assert run("keys", "check", Path(home, "credentials", "root.pem")).returncode == 1
    key = next(Path(home).glob("keys/*.key"))
    key.chmod(0o644)
    done = run("keys", "list", LABELER_HOME=home)
    assert done.returncode == 5 and b"chmod 600" in done.stderr


def test_a_producer_can_be_added_later_and_is_never_replaced(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "fresh"
    config = home / "labeler.toml"
    assert run("keys", "init", LABELER_HOME=str(home), LABELER_PRODUCER="").returncode == 0
    keys = sorted(home.rglob("*.key"))
    done = run("keys", "init", "--producer", 'a "b"', LABELER_HOME=str(home))
    assert done.returncode == 0 and str(config).encode() in done.stdout, done.stderr
    assert tomllib.loads(config.read_text()) == {"producer": 'a "b"'}
    assert sorted(home.rglob("*.key")) == keys
    assert run("keys", "init", "--producer", "c", LABELER_HOME=str(home)).returncode == 5
    config.write_text("[verify]\nquick = true\n")
    assert run("keys", "init", "--producer", "c", LABELER_HOME=str(home)).returncode == 0
    assert tomllib.loads(config.read_text()) == {"producer": "c", "verify": {"quick": True}}


def test_keys_init_completes_a_configuration_that_was_there_first(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "fresh"
    home.mkdir()
    (home / "labeler.toml").write_text('[label]\nlang = "zh"\n')
    assert run("keys", "init", "--producer", "c", LABELER_HOME=str(home)).returncode == 0
    assert tomllib.loads((home / "labeler.toml").read_text()) == {"producer": "c", "label": {"lang": "zh"}}


def test_trust_turns_unknown_into_trusted(run: Run, photo_png: Path, home: Path) -> None:
    run("label", photo_png, "-o", "out", "--layers", "credentials")
    signer = [
        json.loads(run("verify", "out/photo.png", "--json", *extra).stdout)["layers"]["credentials"]["signer"]
        for extra in ((), ("--trust", home / "credentials" / "root.pem"))
    ]
    assert signer == ["unknown", "trusted"]


def test_inspect_gives_everything_as_json(run: Run, photo_png: Path) -> None:
    run("label", photo_png, "-o", "out")
    found = json.loads(run("inspect", "out/photo.png").stdout)
    assert found["media"]["media_type"] == "image/png"
    assert found["report"]["verdict"] == "ai-confirmed"
    assert "c2pa.soft-binding" in json.dumps(found["c2pa"])


def test_help_says_the_defaults_of_the_profile_and_the_scales_of_the_encoders(run: Run) -> None:
    text = " ".join(run("label", "--help").stdout.decode().split())
    profile = profiles.load("cn-gb45438")
    style, sound = profile.visible, profile.audible
    for default in (style.lang, style.position, sound.kind, sound.place, sound.mode):
        assert f"the profile's ({default})" in text
    for codec in ("h264", "hevc", "vp9", "av1"):
        low, high = CODECS[codec].scale
        assert f"{low:g} to {high:g} (" in text
        assert f"{CODECS[codec].presets[0]} to {CODECS[codec].presets[-1]} (" in text
    assert f"at least {MIN_SECONDS:g};" in text


@pytest.mark.parametrize("group", ["keys", "bench"])
def test_help_of_groups_is_not_cut(run: Run, group: str) -> None:
    commands = run(group, "--help").stdout.partition(b"Commands:")[2]
    assert commands and b"..." not in commands


def test_doctor_finds_everything(run: Run) -> None:
    done = run("doctor")
    assert done.returncode == 0, done.stdout
    assert b"c2pa-python" in done.stdout


def test_the_launcher_is_the_same_program(home: Path) -> None:
    launcher = Path(__file__).parents[2] / "cli.py"
    done = subprocess.run([sys.executable, launcher, "--version"], capture_output=True, timeout=60)
    assert done.returncode == 0 and b"labeler, version" in done.stdout
