"""Files that appear whole or not at all.

A new file is written under a temporary name in the target's own folder, flushed to the disk, renamed
over the target, and the folder is flushed too. Temporary names carry ``.labeler-`` and the process id;
those that a killed process left behind are swept when they are over an hour old.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from labeler.errors import OutputError, OutputExists

__all__ = ["create_private", "publish", "publish_all", "scratch", "sweep_stale"]

_STALE_SECONDS = 3600.0
_PREFIX = ".labeler-"
_SUFFIX = ".part"


@contextlib.contextmanager
def publish(target: Path, *, overwrite: bool = False, mode: int | None = None) -> Iterator[BinaryIO]:
    """Write ``target`` atomically: the block writes to the file object, then it appears whole.

    If the block raises, the temporary file is removed and an existing target stays as it was.

    Args:
        target: the path to appear; its folder is made if missing.
        overwrite: replace an existing file.
        mode: permission bits; default: those of the file replaced, else the umask's.

    Raises:
        OutputExists: the target is there and ``overwrite`` is false.
        OutputError: the folder cannot be written, or the disk is full.
    """
    try:
        with _part(target, mode if mode is not None else _mode_for(target)) as (part, file):
            if not overwrite and os.path.lexists(target):
                raise _exists(target)
            yield file
            file.flush()
            os.fsync(file.fileno())
            _give_name(part, target, overwrite=overwrite)
    except OSError as error:
        raise _cannot_write(error, target) from error


def publish_all(files: Mapping[Path, bytes | Path], *, overwrite: bool = False) -> None:
    """Let several files that belong together appear: all are complete on the disk before the first one does.

    Args:
        files: by target, the bytes, or a file of ``scratch`` in the target's folder, which becomes the target.
        overwrite: replace existing files.

    Raises:
        OutputExists: a target is there and ``overwrite`` is false; nothing was published.
        OutputError: a folder cannot be written, or the disk is full; nothing was published.
    """
    with contextlib.ExitStack() as stack:
        for target, content in files.items():
            if isinstance(content, Path):
                stack.enter_context(_adopted(content, target, overwrite=overwrite))
                continue
            file = stack.enter_context(publish(target, overwrite=overwrite))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


@contextlib.contextmanager
def _adopted(part: Path, target: Path, *, overwrite: bool) -> Iterator[None]:
    """Flush a finished temporary file now, and give it its name when the block ends well."""
    try:
        if not overwrite and os.path.lexists(target):
            raise _exists(target)
        with part.open("rb+") as file:
            os.fchmod(file.fileno(), _mode_for(target))
            os.fsync(file.fileno())
        yield
        _give_name(part, target, overwrite=overwrite)
        part.unlink(missing_ok=True)
    except OSError as error:
        raise _cannot_write(error, target) from error


@contextlib.contextmanager
def scratch(folder: Path) -> Iterator[Callable[[], Path]]:
    """A maker of empty temporary files in a folder; what is left of them at the end is removed.

    Args:
        folder: where the output will stand, so that a finished file only needs a name; made if missing.

    Raises:
        OutputError: the folder cannot be written.
    """
    parts: list[Path] = []

    def new() -> Path:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            part, descriptor = _new_part(folder)
        except OSError as error:
            raise _cannot_write(error, folder) from error
        os.close(descriptor)
        parts.append(part)
        return part

    try:
        yield new
    finally:
        for part in parts:
            with contextlib.suppress(OSError):
                part.unlink()


@contextlib.contextmanager
def _part(target: Path, mode: int) -> Iterator[tuple[Path, BinaryIO]]:
    target.parent.mkdir(parents=True, exist_ok=True)
    part, descriptor = _new_part(target.parent)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            os.fchmod(descriptor, mode)
            yield part, file
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()


def _new_part(folder: Path) -> tuple[Path, int]:
    part = folder / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(6)}{_SUFFIX}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return part, os.open(part, flags, 0o600)


def _cannot_write(error: OSError, target: Path) -> OutputError:
    return OutputError(
        f"cannot write: {error.strerror or error}.",
        remedy="Check the folder's permissions and the space left on the disk.",
        path=target,
    )


def _give_name(part: Path, target: Path, *, overwrite: bool) -> None:
    """Let a finished file appear under its name, and make that last."""
    if overwrite:
        part.replace(target)
    else:
        _publish_new(part, target)
    _sync_folder(target.parent)


def _publish_new(part: Path, target: Path) -> None:
    """Give ``part`` its name without ever replacing a file that appeared meanwhile."""
    try:
        os.link(part, target, follow_symlinks=False)
    except FileExistsError:
        raise _exists(target) from None
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise _exists(target) from None
        part.replace(target)


def _exists(target: Path) -> OutputExists:
    return OutputExists("the output exists already.", remedy="Use --force to replace it.", path=target)


def _mode_for(target: Path) -> int:
    try:
        return target.stat().st_mode & 0o777
    except OSError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # some file systems cannot
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create_private(path: Path, data: bytes) -> None:
    """Write a secret: mode 0600, its folder 0700, never over an existing file.

    Raises:
        OutputExists: the file is there already.
        OutputError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder: {error.strerror or error}.", remedy="Check the path.", path=path.parent
        ) from error
    with publish(path, mode=0o600) as file:
        file.write(data)


def sweep_stale(folder: Path) -> int:
    """Remove temporary files of ours that are older than an hour; return how many."""
    removed = 0
    limit = time.time() - _STALE_SECONDS
    with (
        contextlib.suppress(OSError),
        os.scandir(folder) as entries,
    ):  # a folder that cannot be listed is not ours
        for entry in entries:
            if not (entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX)):
                continue
            with contextlib.suppress(OSError):
                if entry.stat(follow_symlinks=False).st_mtime < limit:
                    Path(entry.path).unlink()
                    removed += 1
    return removed
