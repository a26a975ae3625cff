"""The only place that starts ffmpeg: the command from ffmpeg-python, the process from here.

ffmpeg is a separate program: ``$LABELER_FFMPEG``, else the one that ``imageio-ffmpeg`` bundles, else the one on the
PATH. Every input gets a forced demuxer, the ``file:`` prefix and a protocol whitelist, so that no content can
make it open another file or a network address (a whitelist of protocols alone does not stop playlists). Every
process has a group of its own, which is killed when nothing moves for ``timeout`` seconds, on every error and at
the end. What it says goes to a temporary file, so that a full pipe cannot block it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from labeler.errors import DamagedMedia, DependencyMissing, LimitExceeded

__all__ = ["DEMUXERS", "Reader", "Writer", "executable", "run", "source", "version"]

TIMEOUT = 60.0
"""Seconds without a byte moving after which a process counts as hung."""

DEMUXERS: Mapping[str, str] = {
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/mpeg": "mp3",
    "audio/aac": "aac",
    "audio/mp4": "mov",
    "audio/ogg": "ogg",
    "audio/aiff": "aiff",
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "video/x-m4v": "mov",
    "video/x-matroska": "matroska",
    "video/webm": "matroska",
    "video/x-msvideo": "avi",
    "video/mp2t": "mpegts",
    "video/x-flv": "flv",
}
"""The demuxer that a media type, known by its content, is opened with."""

_PATIENCE = 20
"""How many times ``timeout`` a process that still computes may take to end."""

_MESSAGE = 300
_STDERR = 1 << 16


@functools.cache
def executable() -> Path:
    """The ffmpeg program.

    Raises:
        DependencyMissing: there is none.
    """
    named = os.environ.get("LABELER_FFMPEG")
    if named:
        found = shutil.which(named)
        if found is None:
            raise DependencyMissing(
                f"LABELER_FFMPEG names {named}, which is no program.",
                remedy="Correct or unset the variable.",
            )
        return Path(found)
    with contextlib.suppress(ImportError, RuntimeError):
        import imageio_ffmpeg

        return Path(imageio_ffmpeg.get_ffmpeg_exe())
    found = shutil.which("ffmpeg")
    if found is None:
        raise DependencyMissing(
            "there is no ffmpeg.", remedy="Install the package imageio-ffmpeg, or set LABELER_FFMPEG."
        )
    return Path(found)


@functools.cache
def version() -> str:
    """The version that ffmpeg gives itself, for example ``n9.0.2``."""
    result = subprocess.run(
        [executable(), "-version"],
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    words = result.stdout.decode("utf-8", "replace").split()
    return words[2] if len(words) > 2 else "unknown"


def source(path: Path, demuxer: str, **options: Any) -> Any:
    """An ffmpeg-python input that opens this one file, as this one format, and nothing else.

    Args:
        path: the file; a relative path gets no chance to look like an option or a protocol.
        demuxer: name of the demuxer, from ``DEMUXERS`` or ``rawvideo``, ``f32le``, ...
        **options: further input options, as ffmpeg-python takes them.
    """
    import ffmpeg

    return ffmpeg.input(f"file:{path}", f=demuxer, protocol_whitelist="file,pipe", **options)


def _command(stream: Any) -> list[str]:
    """Argument list of an ffmpeg-python output node."""
    words: list[str] = stream.compile(cmd=str(executable()))
    return [words[0], "-hide_banner", "-nostdin", "-loglevel", "error", *words[1:]]


class _Process:
    """A running ffmpeg with its own process group; leaving the context ends it."""

    def __init__(
        self, stream: Any, *, timeout: float, path: object, stdin: int, stdout: int, what: str
    ) -> None:
        self._timeout = timeout
        self._path = path
        self._what = what
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        try:
            self._process = subprocess.Popen(
                _command(stream),
                stdin=stdin,
                stdout=stdout,
                stderr=self._said,
                bufsize=0,
                start_new_session=True,
            )
        except BaseException:
            self._said.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()
        self._said.close()

    def kill(self) -> None:
        """End the whole process group at once, if it still runs."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def messages(self) -> str:
        """What ffmpeg said on stderr, its first 64 kB."""
        self._said.seek(0)
        return self._said.read(_STDERR).decode("utf-8", "replace")

    def finish(self) -> str:
        """Wait for the end and check the exit code.

        Returns:
            What ffmpeg said on stderr.

        Raises:
            DamagedMedia: it failed.
            LimitExceeded: it did not end in time.
        """
        spent = -1
        for _ in range(_PATIENCE):
            try:
                code = self._process.wait(self._timeout)
            except subprocess.TimeoutExpired:
                before, spent = spent, self._computed()
                if spent <= before:
                    break
                continue
            if code != 0:
                raise self._failed(code)
            return self.messages()
        raise self._hung()

    def _computed(self) -> int:
        """Clock ticks of CPU time used so far: an encoder that works off its queue is not hung; -1 if not known."""
        try:
            fields = (
                Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            )
            return int(fields[11]) + int(fields[12])
        except (OSError, ValueError, IndexError):
            return -1

    def _failed(self, code: int) -> DamagedMedia:
        said = re.sub(r" @ 0x[0-9a-f]+", "", self.messages())
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        said = "; ".join(lines)[:_MESSAGE] or f"exit code {code}"
        return DamagedMedia(
            f"ffmpeg cannot {self._what or 'work on'} it: {said}.",
            remedy="Check that it plays, or convert it afresh.",
            path=self._path,
        )

    def _hung(self) -> LimitExceeded:
        self.kill()
        return LimitExceeded(
            f"ffmpeg did nothing for {self._timeout:.0f} s and was ended.",
            remedy="The file may be damaged; check that it plays.",
            path=self._path,
        )

    def _wait_for(self, pipe: IO[bytes], event: int) -> None:
        poll = select.poll()
        poll.register(pipe, event)
        if not poll.poll(self._timeout * 1000):
            raise self._hung()


class Reader(_Process):
    """An ffmpeg whose stdout is read."""

    def __init__(
        self, stream: Any, *, timeout: float = TIMEOUT, path: object = None, what: str = "read"
    ) -> None:
        super().__init__(
            stream, timeout=timeout, path=path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, what=what
        )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout

    def readinto(self, buffer: bytearray | memoryview | Any) -> int:
        """Fill a writable buffer; fewer bytes than it holds only at the end of the stream.

        Raises:
            LimitExceeded: nothing came for ``timeout`` seconds.
        """
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view):
            self._wait_for(self._pipe, select.POLLIN)
            count = self._pipe.readinto(view[done:])  # type: ignore[attr-defined]
            if not count:
                break
            done += count
        return done

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; fewer only at the end of the stream."""
        buffer = bytearray(size)
        count = self.readinto(buffer)
        return bytes(buffer[:count])


class Writer(_Process):
    """An ffmpeg whose stdin is written."""

    def __init__(
        self, stream: Any, *, timeout: float = TIMEOUT, path: object = None, what: str = "write"
    ) -> None:
        super().__init__(
            stream, timeout=timeout, path=path, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, what=what
        )
        assert self._process.stdin is not None
        self._pipe = self._process.stdin
        os.set_blocking(self._pipe.fileno(), False)

    def write(self, buffer: bytes | bytearray | memoryview | Any) -> None:
        """Write all of a contiguous buffer.

        Raises:
            DamagedMedia: ffmpeg ended before it had read everything.
            LimitExceeded: nothing moved for ``timeout`` seconds.
        """
        if not memoryview(buffer).nbytes:
            return
        view = memoryview(buffer).cast("B")
        descriptor = self._pipe.fileno()
        done = 0
        while done < len(view):
            self._wait_for(self._pipe, select.POLLOUT)
            try:
                done += os.write(descriptor, view[done:])
            except BlockingIOError:
                continue
            except BrokenPipeError:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(self._timeout)
                raise self._failed(self._process.returncode or 0) from None

    def finish(self) -> str:
        """Close stdin, wait for the end and check the exit code."""
        self._pipe.close()
        return super().finish()


def run(
    stream: Any, *, timeout: float = TIMEOUT, path: object = None, what: str = "read", limit: int = 1 << 26
) -> bytes:
    """Run to the end and return stdout.

    Args:
        stream: an ffmpeg-python output node; ``pipe:`` for what is to be returned.
        timeout: seconds without a byte on stdout; a job that writes a file moves none, and needs as much as it takes.
        path: the file concerned, for errors.
        what: a verb for errors.
        limit: bytes of stdout at the most.

    Raises:
        DamagedMedia: ffmpeg failed.
        LimitExceeded: it hung, or wrote more than ``limit``.
    """
    with Reader(stream, timeout=timeout, path=path, what=what) as reader:
        parts = []
        size = 0
        while chunk := reader.read(min(1 << 20, limit + 1 - size)):
            parts.append(chunk)
            size += len(chunk)
            if size > limit:
                raise LimitExceeded(f"ffmpeg wrote more than {limit} bytes.", path=path)
        reader.finish()
    return b"".join(parts)
