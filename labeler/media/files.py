"""Opening inputs: regular files only, read once, and unchanged while they are read."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from labeler.errors import InputChanged, InputError, NotARegularFile
from labeler.media.limits import DEFAULT_LIMITS, Limits

__all__ = ["Source", "read_neighbour", "read_source"]

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO (named pipe)",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFSOCK: "a socket",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it was at one moment.

    Attributes:
        path: where it was read from; ``-`` for standard input.
        data: its bytes.
    """

    path: Path
    data: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes."""
        return hashlib.sha256(self.data).hexdigest()


def read_source(path: Path, *, limits: Limits = DEFAULT_LIMITS) -> Source:
    """Read a regular file whole, through one descriptor, without ever blocking on a FIFO or device.

    Raises:
        NotARegularFile: folder, FIFO, device or socket.
        LimitExceeded: larger than ``limits.file_bytes``.
        InputChanged: size, time or inode changed while it was read.
        InputError: missing or not readable.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError as error:
        raise InputError("there is no such file.", remedy="Check the path.", path=path) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        if getattr(error, "errno", None) == errno.ENXIO:  # a socket
            raise NotARegularFile("this is a socket, not a file.", path=path) from error
        raise InputError(f"cannot open: {reason}.", remedy="Check the permissions.", path=path) from error
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            kind = _KINDS.get(stat.S_IFMT(before.st_mode), "not a regular file")
            remedy = "Name a file." if stat.S_ISDIR(before.st_mode) else "Copy its content into a file first."
            raise NotARegularFile(f"this is {kind}, not a file.", remedy=remedy, path=path)
        limits.check_bytes(before.st_size, path=path)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            try:
                data = file.read(before.st_size + 1)
            except OSError as error:
                raise InputError(f"cannot read: {error.strerror}.", path=path) from error
        after = os.fstat(descriptor)
        if len(data) != before.st_size or (before.st_mtime_ns, before.st_ino) != (
            after.st_mtime_ns,
            after.st_ino,
        ):
            raise InputChanged(
                "the file changed while it was read.", remedy="Try again when it is complete.", path=path
            )
    finally:
        os.close(descriptor)
    return Source(path, data)


def read_neighbour(path: Path, suffix: str, *, limit: int = 64 << 20) -> bytes | None:
    """The bytes of ``path`` + ``suffix`` (a sidecar) if it is there, a regular file and of sane size."""
    try:
        return read_source(path.with_name(path.name + suffix), limits=Limits(file_bytes=limit)).data
    except InputError:
        return None
