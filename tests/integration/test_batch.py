"""Many files at once: plans that surprise nobody, and a pool that outlives its workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile_support import LABELER, save, scene, select_briefly, watched
from PIL import Image

from labeler.batch import plan, pool, work
from labeler.errors import ExitCode, NotARegularFile, OutputError, UsageError
from labeler.pipeline.options import LabelOptions
from labeler.types import LabelResult, Layer


def double(task: int) -> int:
    """A worker: 3 dies, 4 raises, 5 leaves, the rest are doubled."""
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if task == 4:
        raise ValueError("four")
    if task == 5:
        os._exit(9)
    return 2 * task


def failed(task: int, error: Exception) -> int:
    return -task


def test_one_job_runs_here_and_failures_become_results() -> None:
    tasks = [task for task in range(8) if task not in (3, 5)]
    assert list(pool.run(double, tasks, jobs=1, failed=failed)) == [0, 2, 4, -4, 12, 14]


def test_a_worker_that_dies_takes_only_its_own_task_with_it() -> None:
    results = list(pool.run(double, iter(range(12)), jobs=2, failed=failed))
    assert sorted(results) == sorted([0, 2, 4, -3, -4, -5, *(2 * task for task in range(6, 12))])


def test_the_pool_takes_tasks_as_it_needs_them() -> None:
    taken: list[int] = []

    def tasks() -> object:
        for task in range(6, 60):
            taken.append(task)
            yield task

    results = pool.run(double, tasks(), jobs=2, failed=failed)  # type: ignore[arg-type]
    next(results)
    assert len(taken) < 20
    results.close()  # type: ignore[attr-defined]


def files(folder: Path, *names: str) -> None:
    data = save(Image.fromarray(scene(160, 120)), "PNG")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def test_the_plan_keeps_the_tree_and_leaves_the_rest_alone(tmp_path: Path) -> None:
    files(
        tmp_path,
        "in/b.png",
        "in/sub/a.png",
        "in/.hidden.png",
        "in/.git/c.png",
        "in/d.png.orig",
        "in/UPPER.PNG",
    )
    (tmp_path / "in" / "notes.txt").write_text("notes")
    (tmp_path / "in" / "empty.png").write_bytes(b"")
    os.mkfifo(tmp_path / "in" / "pipe.png")
    todo = plan.plan([tmp_path / "in"], recursive=True, output=tmp_path / "out")
    assert [(job.input.name, str(job.output and job.output.relative_to(tmp_path))) for job in todo.jobs] == [
        ("UPPER.PNG", "out/UPPER.PNG"),
        ("b.png", "out/b.png"),
        ("empty.png", "out/empty.png"),  # its name claims a picture: the run will say that it is none
        ("notes.txt", "out/notes.txt"),
        ("a.png", "out/sub/a.png"),
    ]
    assert (todo.left_alone, todo.beside) == (1, 1)  # the FIFO, the backup


def test_what_labeler_laid_beside_a_file_is_no_input(tmp_path: Path) -> None:
    own = ("a.png.c2pa", "a.png.aigc.json", "a.png.orig", "a.png.1.orig")
    files(tmp_path, "a.png", "alone.orig", "alone.c2pa", *own)

    def taken(*names: str) -> list[str]:
        todo = plan.plan([tmp_path / name for name in names], recursive=False)
        assert todo.beside == len(names) - len(todo.jobs)
        return [job.input.name for job in todo.jobs]

    assert taken("a.png", *own, "alone.orig", "alone.c2pa") == ["a.png", "alone.orig", "alone.c2pa"]
    assert taken("a.png.orig", "a.png.1.orig", "a.png.c2pa") == ["a.png.orig", "a.png.1.orig"]
    assert plan.plan([tmp_path], recursive=True).beside == 6


def test_the_plan_refuses_what_cannot_be_meant(tmp_path: Path) -> None:
    files(tmp_path, "one/a.png", "two/a.png")
    with pytest.raises(UsageError, match="both become"):
        plan.plan(
            [tmp_path / "one" / "a.png", tmp_path / "two" / "a.png"], recursive=False, output=tmp_path / "out"
        )
    with pytest.raises(NotARegularFile):
        plan.plan([tmp_path / "one"], recursive=False, output=tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").symlink_to(tmp_path / "two")
    files(tmp_path, "one/sub/b.png")
    with pytest.raises(OutputError, match="link"):
        plan.plan([tmp_path / "one"], recursive=True, output=tmp_path / "out")


def test_names_of_no_file_are_jobs_that_fail(tmp_path: Path) -> None:
    paths = [tmp_path / "missing", tmp_path / ("n" * 300), Path("d/" * 3000), tmp_path / "nul\0byte"]
    for path in paths:
        (job,) = plan.plan([path], recursive=True, output=tmp_path / "out").jobs
        result = work.label(work.LabelTask(job, LabelOptions(producer="p")))
        assert result.error and result.error.code == "input-error", result


def test_a_loop_of_links_as_output_is_a_typed_error(tmp_path: Path) -> None:
    files(tmp_path, "a.png", "in/a.png")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for inputs in (["a.png"], ["-r", "in"]):
        command = [*LABELER, "label", "--producer", "p", "--layers", "metadata", *inputs, "-o", "loop"]
        outcome = watched(command, tmp_path, cwd=tmp_path)
        assert outcome.code == ExitCode.OUTPUT and b"Traceback" not in outcome.err, outcome.err


def test_a_folder_that_cannot_be_listed_is_reported_and_not_passed_over() -> None:
    script = """
import os, sys
from pathlib import Path
from labeler.batch import plan, work
from labeler.pipeline.options import LabelOptions
import labeler.pipeline.label
from labeler.media.formats import extensions
extensions()  # what it imports may be readable for root only
if os.geteuid() == 0:
    os.setgroups([])
    os.setuid(65534)
root = Path(sys.argv[1])
jobs = plan.plan([root / "in"], recursive=True, output=root / "out").jobs
assert [job.input.name for job in jobs] == ["a.png", "closed"], jobs
result = work.label(work.LabelTask(jobs[1], LabelOptions(producer="p")))
assert result.error and result.error.code == "input-error" and "ermission" in result.error.message, result
"""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        files(root, "in/a.png", "in/closed/b.png")
        root.chmod(0o755)
        (root / "in" / "closed").chmod(0)
        run = subprocess.run([sys.executable, "-c", script, name], capture_output=True, timeout=60)
        (root / "in" / "closed").chmod(0o755)
    assert run.returncode == 0, run.stderr


def test_the_same_input_twice_is_one_job_or_refused_and_never_a_race(tmp_path: Path) -> None:
    files(tmp_path, "in/a.png")
    path = tmp_path / "in" / "a.png"
    for inputs in ([path, path], [path, tmp_path / "in"], [tmp_path / "in", tmp_path / "in"]):
        for in_place in (False, True):
            try:
                todo = plan.plan(
                    inputs, recursive=True, output=None if in_place else tmp_path / "out", in_place=in_place
                )
            except UsageError:
                continue
            assert len(todo.jobs) == 1


def test_an_output_that_is_another_input_is_refused_or_left(tmp_path: Path) -> None:
    """label x/a.png a.png -o . would read a.png while it is replaced."""
    files(tmp_path, "x/a.png", "a.png")
    command = [
        *LABELER,
        "label",
        "--producer",
        "p",
        "--layers",
        "visible,metadata",
        "x/a.png",
        "a.png",
        "-o",
        ".",
        "--force",
    ]
    before = (tmp_path / "a.png").read_bytes()
    outcome = watched(command, tmp_path, cwd=tmp_path)
    assert outcome.code == ExitCode.USAGE and (tmp_path / "a.png").read_bytes() == before


def test_every_original_has_a_backup_and_no_backup_is_ever_replaced(tmp_path: Path) -> None:
    def in_place(**options: Any) -> LabelResult:
        settings = {"producer": "p", "layers": (Layer.METADATA,)} | options
        return work.label(work.LabelTask(plan.Job(path, path, in_place=True), LabelOptions(**settings)))

    path = tmp_path / "a.png"
    originals = [save(Image.fromarray(scene(80, 60, seed=seed)), "PNG") for seed in range(3)]
    for number, data in enumerate(originals):
        path.write_bytes(data)
        path.chmod(0o640)
        assert in_place().error is None
        assert path.stat().st_mode & 0o777 == 0o640
        kept = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.name.endswith(".orig")}
        assert sorted(kept.values()) == sorted(originals[: number + 1])
    assert in_place(relabel=True, author="A").error is None
    assert len(list(tmp_path.iterdir())) == 4, "replacing a label needs no further backup"
    path.write_bytes(originals[0])
    assert in_place().error is None
    assert len(list(tmp_path.iterdir())) == 4, "this original is kept already"


def test_one_bad_file_of_several_fails_alone_with_exit_code_3(tmp_path: Path) -> None:
    files(tmp_path, "in/a.png", "in/c.png")
    (tmp_path / "in" / "b.png").write_bytes((tmp_path / "in" / "a.png").read_bytes()[:3000])
    for jobs in ("1", "2"):
        out = tmp_path / f"out{jobs}"
        command = [
            *LABELER,
            "label",
            "--producer",
            "p",
            "--layers",
            "visible,metadata",
            "-r",
            "-j",
            jobs,
            tmp_path / "in",
            "-o",
            out,
        ]
        outcome = watched(command, tmp_path, address_space=8 << 30)
        assert outcome.code == ExitCode.SOME_FAILED, outcome.err
        assert sorted(p.name for p in out.iterdir()) == ["a.png", "c.png"]
        assert outcome.err.count(b"b.png") == 1 and b"Traceback" not in outcome.err


@pytest.fixture
def heeds_interrupts() -> Iterator[None]:
    """A shell starts its background jobs with SIGINT ignored, and children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_says_so_and_leaves_whole_files_only(
    kind: signal.Signals, tmp_path: Path, heeds_interrupts: None
) -> None:
    files(tmp_path, *(f"in/{number:02}.png" for number in range(40)))
    out = tmp_path / "out"
    for jobs in ("1", "2"):
        command = [
            *LABELER,
            "label",
            "--producer",
            "p",
            "--layers",
            "visible,metadata",
            "--force",
            "-r",
            "-j",
            jobs,
        ]
        process = subprocess.Popen(
            [*command, tmp_path / "in", "-o", out / jobs],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        deadline = time.monotonic() + 60
        while not list((out / jobs).glob("*.png")) and time.monotonic() < deadline:
            select_briefly()
        if (
            kind is signal.SIGINT
        ):  # a terminal sends it to all of the group, `docker stop` to the first process
            os.killpg(process.pid, kind)
        else:
            process.send_signal(kind)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == ExitCode.INTERRUPTED, errors
        assert b"Traceback" not in errors
        done = sorted((out / jobs).iterdir())
        assert 0 < len(done) < 40
        for path in done:
            assert not path.name.startswith(".labeler-")
            with Image.open(path) as image:
                image.load()


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    files(tmp_path, *(f"in/{number}.png" for number in range(4)))
    for command in (
        "verify --quick --layers metadata --json -r in",
        "verify --layers metadata -r in",
        "--help",
    ):
        script = f"{sys.executable} -m labeler {command} | true; exit ${{PIPESTATUS[0]}}"
        run = subprocess.run(["bash", "-c", script], capture_output=True, timeout=60, cwd=tmp_path)
        assert b"Traceback" not in run.stderr and b"Exception ignored" not in run.stderr, (
            command,
            run.stderr,
        )
    closed = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m labeler verify --layers metadata in/0.png >&-"],
        capture_output=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert b"Traceback" not in closed.stderr, closed.stderr


def test_pipes_carry_the_file_and_nothing_else(tmp_path: Path) -> None:
    data = save(Image.fromarray(scene(160, 120)), "PNG")
    options = ["--producer", "p", "--layers", "visible,metadata"]
    run = subprocess.run(
        [*LABELER, "label", *options, "-", "-o", "-"], input=data, capture_output=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    with Image.open(__import__("io").BytesIO(run.stdout)) as image:
        assert image.format == "PNG"
    check = subprocess.run(
        [*LABELER, "verify", "--layers", "metadata", "-"], input=run.stdout, capture_output=True, timeout=60
    )
    assert check.returncode == 0, check.stderr
    for broken in (b"", b"\0\1\2 nonsense", data[:2000]):
        run = subprocess.run(
            [*LABELER, "label", *options, "-", "-o", "-"], input=broken, capture_output=True, timeout=60
        )
        assert run.returncode == ExitCode.INPUT and run.stdout == b"" and b"Traceback" not in run.stderr
        run = subprocess.run(
            [*LABELER, "verify", "--layers", "metadata,visible", "-"],
            input=broken,
            capture_output=True,
            timeout=60,
        )
        assert run.returncode == ExitCode.INPUT and b"Traceback" not in run.stderr
    wrong = subprocess.run(
        [*LABELER, "label", *options, "--format", "jpg", "-", "-o", "-"],
        input=data,
        capture_output=True,
        timeout=60,
    )
    assert wrong.returncode == ExitCode.USAGE and wrong.stdout == b""
