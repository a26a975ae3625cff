"""Inputs are regular files, read once; nothing else blocks us, and nothing changes under our hands."""

from __future__ import annotations

import hashlib
import io
import os
import pty
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest
from media_pictures import save, scene
from PIL import Image

from labeler.core.atomic import scratch
from labeler.errors import ExitCode, InputChanged, InputError, LimitExceeded, NotARegularFile
from labeler.media.files import Source, read_neighbour, read_source, spool
from labeler.media.limits import Limits


@contextmanager
def odd_file(kind: str, folder: Path) -> Iterator[Path]:
    path = folder / f"{kind}.png"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "zero":
        path = Path("/dev/zero")
    elif kind == "link-to-zero":
        path.symlink_to("/dev/zero")
    elif kind == "link-to-fifo":
        os.mkfifo(folder / "f")
        path.symlink_to(folder / "f")
    elif kind == "terminal":
        leader, follower = pty.openpty()
        try:
            yield Path(os.ttyname(follower))
        finally:
            os.close(leader)
            os.close(follower)
        return
    elif kind == "socket":
        before = Path.cwd()
        os.chdir(folder)  # a socket's path is limited to 108 bytes
        try:
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(path.name)
                yield path
        finally:
            os.chdir(before)
        return
    yield path


KINDS = ["fifo", "folder", "zero", "link-to-zero", "link-to-fifo", "terminal", "socket"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_regular_file_is_refused_within_a_second(tmp_path: Path, kind: str) -> None:
    with odd_file(kind, tmp_path) as path:
        started = time.monotonic()
        with pytest.raises(NotARegularFile) as caught:
            read_source(path)
        assert time.monotonic() - started < 1.0
    assert caught.value.exit_code == ExitCode.INPUT
    assert caught.value.path == str(path)


@pytest.mark.parametrize("command", [["verify"], ["label", "--producer", "p", "-o"]])
def test_the_command_refuses_all_of_them_with_exit_code_7(tmp_path: Path, command: list[str]) -> None:
    """One interpreter for all kinds: the start of Python is not what is measured here."""
    script = """
import sys, time
from labeler.cli import main
*command, missing = sys.argv[1].split("|")
def run(path):
    started = time.monotonic()
    try:
        main([*command, path])
    except SystemExit as end:
        return end.code, time.monotonic() - started
run(missing)  # what is imported late is imported now
for path in sys.argv[2:]:
    print(*run(path), path)
"""
    with ExitStack() as stack:
        paths = []
        for kind in KINDS:
            (tmp_path / kind).mkdir()
            paths.append(str(stack.enter_context(odd_file(kind, tmp_path / kind))))
        extra = [str(tmp_path / "out")] if command[0] == "label" else []
        paths = [path if path.startswith("/") else str(tmp_path / "socket" / path) for path in paths]
        arguments = "|".join([*command, *extra, str(tmp_path / "missing")])
        run = subprocess.run(
            [sys.executable, "-c", script, arguments, *paths], capture_output=True, timeout=60, text=True
        )
    assert run.returncode == 0 and "Traceback" not in run.stderr, run.stderr
    rows = [
        line.split() for line in run.stdout.splitlines() if line[:1].isdigit() and line.endswith(tuple(paths))
    ]
    assert [row[2] for row in rows] == paths, run.stdout
    assert {row[0] for row in rows} == {str(int(ExitCode.INPUT))}
    assert max(float(row[1]) for row in rows) < 1.0
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    data = save(Image.fromarray(scene()), "PNG")
    (tmp_path / "a.png").write_bytes(data)
    source = read_source(tmp_path / "a.png")
    assert source.data == data
    assert source.sha256 == hashlib.sha256(data).hexdigest()
    assert "data" not in repr(source)


def test_a_link_to_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert read_source(tmp_path / "b").data == b"abc"


def test_a_missing_file_a_loop_and_a_nul_byte_are_typed_errors(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path / "missing", tmp_path / "loop", Path(f"{tmp_path}/a\0b"), tmp_path / ("n" * 300)):
        with pytest.raises(InputError):
            read_source(path)


def test_an_unreadable_file_is_a_typed_error_for_a_user_who_may_not_read_it(tmp_path: Path) -> None:
    path = tmp_path / "closed.png"
    path.write_bytes(b"x")
    path.chmod(0o000)
    script = """
import os, sys
from pathlib import Path
from typing import BinaryIO
from labeler.errors import InputError
from labeler.media.files import read_source
if os.geteuid() == 0:
    os.setgroups([])
    os.setuid(65534)
try:
    read_source(Path(sys.argv[1]))
except InputError as error:
    sys.stderr.write(str(error))
    sys.exit(error.exit_code)
"""
    run = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, timeout=60)
    assert run.returncode == ExitCode.INPUT and b"permission" in run.stderr.lower(), run.stderr


def test_a_file_larger_than_the_limit_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(10**12)  # sparse
    started = time.monotonic()
    with pytest.raises(LimitExceeded):
        read_source(tmp_path / "big")
    assert time.monotonic() - started < 1.0


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """Read again and again while a writer appends: whole states only, and at least one refusal."""
    path = tmp_path / "growing"
    block = os.urandom(1 << 16)
    path.write_bytes(block * 64)
    stop = threading.Event()

    def grow() -> None:
        with path.open("r+b", buffering=0) as file:
            while not stop.is_set():
                file.seek(0, os.SEEK_END)
                file.write(block)
                if file.tell() > 1 << 26:
                    file.truncate(1 << 22)

    writer = threading.Thread(target=grow)
    writer.start()
    refused = 0
    deadline = time.monotonic() + 20
    try:
        while refused < 5 and time.monotonic() < deadline:
            try:
                data = read_source(path).data
            except InputChanged as error:
                refused += 1
                assert error.exit_code == ExitCode.INPUT
            else:
                assert len(data) % len(block) == 0
    finally:
        stop.set()
        writer.join(30)
    assert refused == 5


def test_a_sidecar_is_read_if_it_is_a_regular_file_of_sane_size(tmp_path: Path) -> None:
    path = tmp_path / "a.bmp"
    assert read_neighbour(path, ".xmp") is None
    os.mkfifo(tmp_path / "a.bmp.xmp")
    assert read_neighbour(path, ".xmp") is None
    (tmp_path / "a.bmp.c2pa").write_bytes(b"x" * 100)
    assert read_neighbour(path, ".c2pa") == b"x" * 100
    assert read_neighbour(path, ".c2pa", limit=99) is None


def test_the_limits_are_checked_as_written() -> None:
    limits = Limits(pixels=100, animation_pixels=1000, frames=20, file_bytes=10)
    limits.check_frame(10, 10)
    limits.check_animation(10, 10, 10)
    limits.check_bytes(10)
    for call in (
        lambda: limits.check_frame(10, 11),
        lambda: limits.check_frame(1 << 31, 1 << 31),
        lambda: limits.check_animation(10, 10, 11),
        lambda: limits.check_animation(1, 1, 21),
        lambda: limits.check_bytes(11),
    ):
        with pytest.raises(LimitExceeded):
            call()


def test_a_file_on_the_disk_is_read_as_it_was_opened_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * 5000)
    source = Source.on_disk(Path("name"), path)
    assert (source.size, len(source.head), source.data) == (5000, 4096, b"x" * 5000)
    assert source.sha256 == Source(Path("name"), b"x" * 5000).sha256
    path.write_bytes(b"y" * 5001)
    for access in (source.open, source.check_unchanged, lambda: source.data):
        with pytest.raises(InputChanged):
            access()


def test_what_is_rewritten_stays_where_it_was(tmp_path: Path) -> None:
    def double(source: BinaryIO, target: BinaryIO) -> int:
        return target.write(source.read() * 2)

    path = tmp_path / "a.bin"
    path.write_bytes(b"ab")
    with scratch(tmp_path / "out") as parts:
        content, count = Source.on_disk(path, path).rewritten(double, parts)
        assert (content.data, content.path, count) == (b"abab", path, 4)
        assert content.file is not None and content.file.parent == tmp_path / "out"
    assert list((tmp_path / "out").iterdir()) == []
    content, _ = Source(path, b"cd").rewritten(double, None)
    assert content.file is None and content.data == b"cdcd"


def test_a_pipe_is_held_to_the_limits(tmp_path: Path) -> None:
    with scratch(tmp_path) as parts:
        source = spool(io.BytesIO(b"BM" + bytes(9000)), Path("-"), parts)
        assert source.file is None and source.size == 9002
        with pytest.raises(LimitExceeded):
            spool(io.BytesIO(b"BM" + bytes(9000)), Path("-"), parts, limits=Limits(file_bytes=9000))
