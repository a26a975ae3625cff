"""Opening inputs: regular files only, and unchanged while they are read.

Pictures and texts are read whole into memory. Sound and video stay on the disk and are streamed.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from labeler.errors import InputChanged, InputError, NotARegularFile
from labeler.media.limits import DEFAULT_LIMITS, Limits
from labeler.media.sniff import modality_of, sniff
from labeler.types import Modality

__all__ = ["Scratch", "Source", "open_source", "read_neighbour", "read_source", "spool"]

Scratch = Callable[[], Path]
"""Gives the path of a new, empty, temporary file beside the output."""

_Result = TypeVar("_Result")

_HEAD = 4096
_CHUNK = 1 << 20
_STREAMED = frozenset({Modality.AUDIO, Modality.VIDEO})
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO (named pipe)",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFSOCK: "a socket",
}


class Source:
    """A file as it was at one moment, in memory or on the disk.

    Attributes:
        path: its name, for errors and reports; ``-`` for standard input.
        file: where it is on the disk, or None if it is in memory.
        size: bytes.
        known: what a probe found in it, so that it is not probed again.
    """

    __slots__ = ("_data", "_sha256", "_stamp", "file", "known", "path", "size")

    def __init__(self, path: Path, data: bytes) -> None:
        self.path = path
        self.file: Path | None = None
        self.size = len(data)
        self._data: bytes | None = data
        self._stamp: tuple[int, int, int] | None = None
        self._sha256 = ""
        self.known: Any = None

    @classmethod
    def on_disk(cls, path: Path, file: Path) -> Source:
        """A regular file that stays where it is.

        Args:
            path: its name, for errors and reports.
            file: where it is.
        """
        descriptor, status = _open_regular(file, path)
        os.close(descriptor)
        source = cls(path, b"")
        source.file, source.size, source._data = file, status.st_size, None
        source._stamp = _stamp(status)
        return source

    @property
    def data(self) -> bytes:
        """All bytes."""
        if self._data is None:
            with self.open() as file:
                return file.read()
        return self._data

    @property
    def head(self) -> bytes:
        """The first bytes, enough to tell what it is."""
        with self.open() as file:
            return file.read(_HEAD)

    def open(self) -> BinaryIO:
        """A seekable reader, at the beginning.

        Raises:
            InputChanged: the file on the disk is not the same any more.
        """
        if self._data is not None:
            return io.BytesIO(self._data)
        assert self.file is not None
        descriptor, status = _open_regular(self.file, self.path)
        if _stamp(status) != self._stamp:
            os.close(descriptor)
            raise _changed(self.path)
        return os.fdopen(descriptor, "rb")

    def check_unchanged(self) -> None:
        """Raise InputChanged if the file on the disk is not the same any more."""
        self.open().close()

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes."""
        if not self._sha256:
            digest = hashlib.sha256()
            with self.open() as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
            self._sha256 = digest.hexdigest()
        return self._sha256

    def rewritten(
        self, write: Callable[[BinaryIO, BinaryIO], _Result], scratch: Scratch | None
    ) -> tuple[Source, _Result]:
        """What ``write(source, target)`` makes of it: in memory if this is, else in a new temporary file."""
        with self.open() as source:
            if self.file is None:
                target = io.BytesIO()
                result = write(source, target)
                return Source(self.path, target.getvalue()), result
            assert scratch is not None, "a file on the disk needs a place for what is made of it"
            part = scratch()
            with part.open("w+b") as file:
                result = write(source, file)
        return Source.on_disk(self.path, part), result


def _open_regular(path: Path, name: Path) -> tuple[int, os.stat_result]:
    """A descriptor of a regular file and its status; never blocks on a FIFO or device."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError as error:
        raise InputError("there is no such file.", remedy="Check the path.", path=name) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        if getattr(error, "errno", None) == errno.ENXIO:  # a socket
            raise NotARegularFile("this is a socket, not a file.", path=name) from error
        raise InputError(f"cannot open: {reason}.", remedy="Check the permissions.", path=name) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "not a regular file")
        remedy = "Name a file." if stat.S_ISDIR(status.st_mode) else "Copy its content into a file first."
        raise NotARegularFile(f"this is {kind}, not a file.", remedy=remedy, path=name)
    return descriptor, status


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _changed(path: Path) -> InputChanged:
    return InputChanged(
        "the file changed while it was read.", remedy="Try again when it is complete.", path=path
    )


def read_source(path: Path, *, limits: Limits = DEFAULT_LIMITS) -> Source:
    """Read a regular file whole, through one descriptor, without ever blocking on a FIFO or device.

    Raises:
        NotARegularFile: folder, FIFO, device or socket.
        LimitExceeded: larger than ``limits.file_bytes``.
        InputChanged: size, time or inode changed while it was read.
        InputError: missing or not readable.
    """
    descriptor, before = _open_regular(path, path)
    try:
        limits.check_bytes(before.st_size, path=path)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            try:
                data = file.read(before.st_size + 1)
            except OSError as error:
                raise InputError(f"cannot read: {error.strerror}.", path=path) from error
        after = os.fstat(descriptor)
        if len(data) != before.st_size or _stamp(before) != _stamp(after):
            raise _changed(path)
    finally:
        os.close(descriptor)
    return Source(path, data)


def open_source(path: Path, *, limits: Limits = DEFAULT_LIMITS) -> Source:
    """Open what is to be labelled or verified: sound and video on the disk, everything else in memory.

    Raises:
        NotARegularFile, InputChanged, InputError: as ``read_source``.
        LimitExceeded: larger than ``limits.stream_bytes``, or ``limits.file_bytes`` for what is read whole.
    """
    source = Source.on_disk(path, path)
    if modality_of(sniff(source.head)) not in _STREAMED:
        return read_source(path, limits=limits)
    limits.check_stream(source.size, path=path)
    return source


def spool(stream: BinaryIO, name: Path, scratch: Scratch, *, limits: Limits = DEFAULT_LIMITS) -> Source:
    """What comes from a pipe: sound and video into a temporary file, everything else into memory.

    Raises:
        LimitExceeded: more bytes than the limits allow.
    """
    head = stream.read(_HEAD)
    if modality_of(sniff(head)) not in _STREAMED:
        data = head + stream.read(limits.file_bytes + 1 - len(head))
        limits.check_bytes(len(data), path=name)
        return Source(name, data)
    part = scratch()
    size = 0
    with part.open("wb") as file:
        chunk = head
        while chunk:
            size += len(chunk)
            limits.check_stream(size, path=name)
            file.write(chunk)
            chunk = stream.read(_CHUNK)
    return Source.on_disk(name, part)


def read_neighbour(path: Path, suffix: str, *, limit: int = 64 << 20) -> bytes | None:
    """The bytes of ``path`` + ``suffix`` (a sidecar) if it is there, a regular file and of sane size."""
    try:
        return read_source(path.with_name(path.name + suffix), limits=Limits(file_bytes=limit)).data
    except InputError:
        return None
