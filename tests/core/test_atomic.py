"""A file appears whole or not at all, whatever happens to the process that writes it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labeler.core.atomic import create_private, publish, publish_all, scratch, sweep_stale
from labeler.errors import ExitCode, OutputError, OutputExists

KILLS = int(os.environ.get("LABELER_TEST_KILLS", "40"))
"""How often a publishing process is killed; the long run sets 200."""


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".labeler-")]


def child(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_new_file_appears_with_its_bytes_and_the_umasks_mode(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with publish(tmp_path / "deep" / "er" / "a.bin") as file:
            file.write(b"abc")
            assert not (tmp_path / "deep" / "er" / "a.bin").exists(), "nothing appears before the block ends"
    finally:
        os.umask(before)
    target = tmp_path / "deep" / "er" / "a.bin"
    assert target.read_bytes() == b"abc"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert leftovers(target.parent) == []


def test_replacing_keeps_the_mode_of_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    target.chmod(0o604)
    with publish(target, overwrite=True) as file:
        file.write(b"new")
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o604


@pytest.mark.parametrize(
    "error", [RuntimeError("no"), KeyboardInterrupt(), OSError(28, "No space"), SystemExit(1)]
)
def test_when_the_block_raises_the_old_file_stays_and_nothing_is_left(
    tmp_path: Path, error: BaseException
) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    inode = target.stat().st_ino
    expected = OutputError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected), publish(target, overwrite=True) as file:
        file.write(b"half of it")
        raise error
    assert target.read_bytes() == b"old" and target.stat().st_ino == inode
    assert leftovers(tmp_path) == []


def test_an_existing_file_is_not_replaced_unasked(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    with pytest.raises(OutputExists) as caught, publish(target) as file:
        file.write(b"new")
    assert target.read_bytes() == b"old" and leftovers(tmp_path) == []
    assert caught.value.exit_code == ExitCode.OUTPUT and "--force" in caught.value.remedy


def test_a_dangling_link_counts_as_existing_and_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "a").symlink_to(elsewhere)
    with pytest.raises(OutputExists), publish(tmp_path / "a") as file:
        file.write(b"new")
    assert not elsewhere.exists()


def test_replacing_a_link_replaces_the_link_and_not_its_target(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"outside")
    (tmp_path / "a").symlink_to(elsewhere)
    with publish(tmp_path / "a", overwrite=True) as file:
        file.write(b"new")
    assert elsewhere.read_bytes() == b"outside"
    assert not (tmp_path / "a").is_symlink() and (tmp_path / "a").read_bytes() == b"new"


def test_a_file_that_appears_while_the_block_runs_wins(tmp_path: Path) -> None:
    target = tmp_path / "a"
    with pytest.raises(OutputExists), publish(target) as file:
        file.write(b"ours")
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs" and leftovers(tmp_path) == []


def test_of_many_who_publish_the_same_new_file_exactly_one_succeeds(tmp_path: Path) -> None:
    target, count = tmp_path / "a", 8
    barrier = threading.Barrier(count)
    outcomes: list[str] = []

    def one(name: str) -> None:
        try:
            with publish(target) as file:
                file.write(name.encode() * 1000)
                barrier.wait(30)
        except OutputExists:
            outcomes.append("exists")
        else:
            outcomes.append(name)

    threads = [threading.Thread(target=one, args=(str(index),)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    winners = [name for name in outcomes if name != "exists"]
    assert len(outcomes) == count and len(winners) == 1
    assert target.read_bytes() == winners[0].encode() * 1000
    assert leftovers(tmp_path) == []


def test_a_folder_as_target_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(OutputError), publish(tmp_path / "a", overwrite=True) as file:
        file.write(b"x")
    assert (tmp_path / "a").is_dir() and leftovers(tmp_path) == []


def test_a_file_in_place_of_the_folder_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"file")
    with pytest.raises(OutputError), publish(tmp_path / "a" / "b") as file:
        file.write(b"x")
    assert (tmp_path / "a").read_bytes() == b"file"


@pytest.mark.parametrize("length", [200, 240, 255])
def test_the_longest_file_names_can_be_published(tmp_path: Path, length: int) -> None:
    target = tmp_path / ("n" * length)
    with publish(target) as file:
        file.write(b"x")
    assert target.read_bytes() == b"x"


def test_a_name_that_is_too_long_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError), publish(tmp_path / ("n" * 256)) as file:
        file.write(b"x")
    assert leftovers(tmp_path) == []


def test_a_full_disk_leaves_the_old_bytes_and_no_leftover(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old" * 1000)
    process = child(
        """
        import resource, signal, sys
        from pathlib import Path
        from labeler.core.atomic import publish
        from labeler.errors import OutputError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            with publish(Path(sys.argv[1]), overwrite=True) as file:
                for _ in range(100):
                    file.write(bytes(50_000))
        except OutputError as error:
            sys.stderr.write(str(error))
            sys.exit(error.exit_code)
        """,
        target,
    )
    _, errors = process.communicate(timeout=60)
    assert process.returncode == ExitCode.OUTPUT, errors
    assert b"Traceback" not in errors and b"space" in errors
    assert target.read_bytes() == b"old" * 1000
    assert leftovers(tmp_path) == []


def test_a_full_tmpfs_leaves_the_old_bytes_and_no_leftover(tmp_path: Path) -> None:
    if os.geteuid() or not shutil.which("unshare"):
        pytest.skip("needs root and unshare")
    script = f"""
    mount -t tmpfs -o size=600k none {tmp_path} || exit 99
    head -c 100000 /dev/zero > {tmp_path}/a
    {sys.executable} - <<'END'
import sys
from pathlib import Path
from labeler.core.atomic import publish
from labeler.errors import OutputError
try:
    with publish(Path("{tmp_path}/a"), overwrite=True) as file:
        file.write(b"x" * 2_000_000)
except OutputError as error:
    old = Path("{tmp_path}/a").read_bytes() == bytes(100000)
    clean = [p.name for p in Path("{tmp_path}").iterdir()] == ["a"]
    sys.exit(error.exit_code if old and clean else 98)
END
    """
    process = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, timeout=60)
    if b"denied" in process.stderr or b"permitted" in process.stderr:
        pytest.skip("this container may not mount")
    assert process.returncode == ExitCode.OUTPUT, process.stderr


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_read_only_folder_is_a_typed_error_and_stays_empty(open_folder: Path) -> None:
    folder = open_folder / "closed"
    folder.mkdir()
    folder.chmod(0o555)
    process = child(
        """
        import os, sys
        from pathlib import Path
        from labeler.core.atomic import publish, sweep_stale
        from labeler.errors import OutputError
        if os.geteuid() == 0:
            os.setgroups([])
            os.setuid(65534)
        sweep_stale(Path(sys.argv[1]))
        try:
            with publish(Path(sys.argv[1]) / "a") as file:
                file.write(b"x")
        except OutputError as error:
            sys.exit(error.exit_code)
        """,
        folder,
    )
    _, errors = process.communicate(timeout=60)
    assert process.returncode == ExitCode.OUTPUT, errors
    assert list(folder.iterdir()) == []


WRITER = """
import sys
from pathlib import Path
from labeler.core.atomic import publish
target = Path(sys.argv[1])
number = 0
sys.stdout.write("ready\\n")
sys.stdout.flush()
while True:
    number += 1
    body = str(number % 10).encode() * (200_000 + number % 7)
    with publish(target, overwrite=True) as file:
        file.write(len(body).to_bytes(8, "big"))
        for start in range(0, len(body), 10_000):
            file.write(body[start : start + 10_000])
"""


def whole(data: bytes) -> bool:
    body = data[8:]
    return len(body) == int.from_bytes(data[:8], "big") and len(set(body)) == 1


def test_a_killed_process_never_leaves_a_torn_file(tmp_path: Path) -> None:
    rng = random.Random(20261123)
    target = tmp_path / "a"
    target.write_bytes((5).to_bytes(8, "big") + b"aaaaa")
    torn = changed = 0
    for _ in range(KILLS):
        before = target.read_bytes()
        process = child(WRITER, target)
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        end = time.monotonic() + rng.random() * 0.02
        while time.monotonic() < end:
            pass
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        after = target.read_bytes()
        torn += not whole(after)
        changed += after != before
    assert torn == 0
    assert changed > KILLS / 10, "the kills came before anything was written"
    parts = leftovers(tmp_path)
    assert sweep_stale(tmp_path) == 0, "another process may still be writing a young file"
    for name in parts:
        os.utime(tmp_path / name, (time.time() - 4000,) * 2)
    assert sweep_stale(tmp_path) == len(parts)
    assert leftovers(tmp_path) == [] and whole(target.read_bytes())


def test_the_sweep_leaves_everything_else_alone(tmp_path: Path) -> None:
    old = time.time() - 10_000
    names = [".labeler-1-ab.part", ".labeler-notes", "labeler-1.part", ".labeler-1.part.jpg", "x.part"]
    for name in names:
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (old, old))
    folder = tmp_path / ".labeler-folder.part"
    folder.mkdir()
    os.utime(folder, (old, old))
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.write_bytes(b"keep")
    (tmp_path / ".labeler-link.part").symlink_to(outside)
    os.utime(tmp_path / ".labeler-link.part", (old, old), follow_symlinks=False)
    assert sweep_stale(tmp_path) == 2
    assert outside.read_bytes() == b"keep"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*names[1:], folder.name])


def test_sweeping_a_folder_that_cannot_be_listed_is_no_error(open_folder: Path) -> None:
    folder = open_folder / "closed"
    folder.mkdir(mode=0o300)
    process = child(
        """
        import os, sys
        from pathlib import Path
        from labeler.core.atomic import sweep_stale
        if os.geteuid() == 0:
            os.setgroups([])
            os.setuid(65534)
        sys.exit(sweep_stale(Path(sys.argv[1])))
        """,
        folder,
    )
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors


def test_sweeping_a_folder_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    assert sweep_stale(tmp_path / "nowhere") == 0


@pytest.mark.parametrize("folder", ["file", "file/below", "/proc/nowhere"])
def test_a_secret_in_a_folder_that_cannot_be_is_a_typed_error(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(OutputError):
        create_private(tmp_path / folder / "k", b"one")


def test_a_secret_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "k"
    create_private(path, b"one")
    with pytest.raises(OutputExists):
        create_private(path, b"two")
    assert path.read_bytes() == b"one"
    assert leftovers(path.parent) == []


def test_finished_temporary_files_get_their_names_together(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with scratch(out) as new:
        part, unused = new(), new()
        part.write_bytes(b"film")
        publish_all({out / "a.mp4": part, out / "a.mp4.c2pa": b"manifest"})
        assert not part.exists() and unused.exists()
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        "a.mp4": b"film",
        "a.mp4.c2pa": b"manifest",
    }
    with scratch(out) as new:
        part = new()
        with pytest.raises(OutputExists):
            publish_all({out / "b.mp4": part, out / "a.mp4": b"other"})
    assert sorted(path.name for path in out.iterdir()) == ["a.mp4", "a.mp4.c2pa"]
    with scratch(out) as new:
        part = new()
        part.write_bytes(b"again")
        publish_all({out / "a.mp4": part}, overwrite=True)
    assert (out / "a.mp4").read_bytes() == b"again"
