"""Streams for c2pa: it drops the exceptions that they raise, so they are kept here."""

from __future__ import annotations

import os
from typing import Any, BinaryIO

__all__ = ["Sink", "Tap", "empty", "is_same_file"]


def empty(target: BinaryIO | Tap) -> None:
    """Leave nothing in a stream."""
    try:
        target.seek(0)
        target.truncate(0)
    except (OSError, ValueError):  # closed, or a broken disk: the caller discards it anyway
        return


def is_same_file(one: BinaryIO, other: BinaryIO) -> bool:
    """Whether two streams are one, or are open on one file."""
    if one is other:
        return True
    try:
        return os.path.sameopenfile(one.fileno(), other.fileno())
    except (OSError, ValueError, AttributeError):  # not both are files
        return False


class Tap:
    """A stream for c2pa that keeps the first exception, because c2pa drops it."""

    def __init__(self, stream: BinaryIO) -> None:
        self.failure: Exception | None = None
        self._stream = stream

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; how many bytes were there."""
        try:
            return int(self._stream.readinto(buffer))  # type: ignore[attr-defined]
        except Exception as error:
            self.failure = self.failure or error
            raise

    def read(self, size: int = -1) -> bytes:
        """Read bytes."""
        return self._stream.read(size)

    def write(self, data: bytes) -> int:
        """Write bytes."""
        try:
            return self._stream.write(data)
        except Exception as error:
            self.failure = self.failure or error
            raise

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move; the new position."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """The position."""
        return self._stream.tell()

    def truncate(self, size: int) -> int:
        """Cut."""
        return self._stream.truncate(size)

    def flush(self) -> None:
        """Hand over what is buffered."""
        try:
            self._stream.flush()
        except Exception as error:
            self.failure = self.failure or error
            raise


class Sink:
    """Where the copy of the media goes that c2pa writes even for a sidecar."""

    def __init__(self) -> None:
        self._position = self._size = 0

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; how many bytes were there."""
        return 0

    def read(self, size: int = -1) -> bytes:
        """Read bytes."""
        return b""

    def write(self, data: bytes) -> int:
        """Write bytes."""
        self._position += len(data)
        self._size = max(self._size, self._position)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move; the new position."""
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def truncate(self, size: int) -> int:
        """Cut."""
        self._size = size
        return size

    def flush(self) -> None:
        """Hand over what is buffered."""
        return None
