"""What the commands share: options with environment names, styles, progress, data on stdout."""

from __future__ import annotations

import io
import shutil
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import click
from click.core import ParameterSource

from labeler.errors import OutputError, UsageError

if TYPE_CHECKING:
    from labeler.batch.plan import Plan
    from labeler.media.files import Scratch, Source
    from labeler.media.limits import Limits

__all__ = [
    "AS_JSON",
    "FORMAT",
    "JOBS",
    "MEGAPIXELS",
    "PATH",
    "Progress",
    "left_out",
    "limits_of",
    "option",
    "read_stdin",
    "split_stdin",
    "style",
    "tell_unused",
    "write_data",
    "write_stream",
]

_F = TypeVar("_F", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)


def option(*names: str, **settings: Any) -> Callable[[_F], _F]:
    """``click.option`` with the environment variable ``LABELER_<NAME>``."""
    long = next(name for name in names if name.startswith("--"))
    name = long.split("/")[0].removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=f"LABELER_{name}", **settings)


JOBS = option(
    "-j",
    "--jobs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Worker processes.",
)
MEGAPIXELS = option(
    "--max-megapixels",
    type=float,
    default=100.0,
    show_default=True,
    metavar="N",
    help="Refuse larger pictures.",
)
FORMAT = option("--format", "format_", metavar="TYPE", help="With - as input: its type, e.g. md.")
AS_JSON = option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")


_COLOURS: dict[str, dict[str, Any]] = {
    "good": {"fg": "green"},
    "bad": {"fg": "red", "bold": True},
    "warn": {"fg": "yellow"},
    "dim": {"dim": True},
}


def style(text: str, role: str) -> str:
    """Colour on a terminal; click strips it elsewhere."""
    return click.style(text, **_COLOURS[role])


def limits_of(megapixels: float) -> Limits:
    """Limits with another number of pixels."""
    from labeler.media.limits import Limits

    if not 0 < megapixels < 1e6:
        raise UsageError(
            f"--max-megapixels {megapixels:g} is no limit.", remedy="Give a number between 0 and 1,000,000."
        )
    return Limits(pixels=int(megapixels * 1_000_000))


def split_stdin(inputs: tuple[Path, ...]) -> bool:
    """True if standard input is the only input; ``-`` beside others is an error."""
    if Path("-") not in inputs:
        return False
    if len(inputs) > 1:
        raise UsageError(
            "- (standard input) must be the only input.", remedy="Label the files in another run."
        )
    return True


def read_stdin(format_: str | None, parts: Scratch, limits: Limits) -> Source:
    """Standard input as a file named ``-``, with the suffix that a format stands for: it tells Markdown from text.

    Raises:
        UsageError: standard input is closed, the format is unknown, or the content is of another one.
        InputError: the content is of no type that labeler handles, or over a limit.
    """
    from labeler.media.files import spool
    from labeler.media.formats import extensions
    from labeler.pipeline.modalities import probe

    suffix = f".{format_.lower().lstrip('.')}" if format_ else ""
    if suffix and not any(suffix in known for known in extensions().values()):
        raise UsageError(
            f"--format {format_} is no type that labeler knows.",
            remedy="Give a file name's extension, for example png or md.",
        )
    if sys.stdin is None:
        raise UsageError("standard input is closed.", remedy="Pipe a file into it.")
    source = spool(sys.stdin.buffer, Path(f"-{suffix}"), parts, limits=limits)
    media_type = probe(source, limits).media_type
    if suffix and suffix not in extensions().get(media_type, ()):
        raise UsageError(f"--format says {format_}, but the content is {media_type}.")
    return source


def write_data(data: bytes) -> None:
    """Data on stdout, nothing else."""
    write_stream(io.BytesIO(data))


def write_stream(source: BinaryIO) -> None:
    """A stream's bytes on stdout, nothing else."""
    if sys.stdout is None:
        raise OutputError("standard output is closed.")
    shutil.copyfileobj(source, sys.stdout.buffer, 1 << 20)
    sys.stdout.buffer.flush()


def left_out(todo: Plan, verb: str) -> None:
    """Say on stderr which files of a plan are no jobs, and why."""
    if todo.beside:
        what = "file" if todo.beside == 1 else "files"
        click.echo(f"{todo.beside} {what} of labeler's own left alone: sidecars, kept originals", err=True)
    if todo.left_alone:
        what = "other file" if todo.left_alone == 1 else "other files"
        click.echo(f"{todo.left_alone} {what} left alone: not of a type that labeler {verb}", err=True)
    if not todo.jobs:
        click.echo(f"nothing to do: no file of a type that labeler {verb}", err=True)


_WORDS = {"text": "texts", "image": "pictures", "audio": "sound", "video": "video"}


def tell_unused(paths: Iterable[Path], only_for: Mapping[str, Collection[str]]) -> None:
    """Say on stderr which options of this call have no effect, as no file is of a modality that they are for.

    Args:
        paths: the files, by whose names it is judged; nothing is said if one of them tells nothing.
        only_for: by the name of a parameter, its modalities; none for what is for standard input.
    """
    from labeler.media.formats import modality_by_name

    there = {modality_by_name(path) for path in paths}
    if None in there or not there:
        return
    context = click.get_current_context()
    for param in context.command.params:
        modalities = only_for.get(param.name or "")
        given = context.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE
        if modalities is not None and given and there.isdisjoint(modalities):
            what = " and ".join(_WORDS[modality] for modality in modalities) or "standard input"
            click.echo(f"note  {param.opts[-1]} has no effect here: it is for {what}", err=True)


class Progress:
    """How far a run of many files is, on stderr: a bar on a terminal, else a line every ten seconds."""

    _EVERY = 10.0
    _BLINK = 0.2

    def __init__(self, total: int, verb: str) -> None:
        self._total, self._verb, self._done = total, verb, 0
        self._terminal = sys.stderr is not None and sys.stderr.isatty()
        self._last = self._told = self._began = time.monotonic()
        self._what, self._share, self._dirty = "", 0.0, False

    def advance(self) -> None:
        """One more file is done."""
        self._done += 1
        if self._total < 2:
            return
        now = time.monotonic()
        if self._terminal:
            click.echo(f"\r\x1b[K{self._verb} {self._done}/{self._total}", nl=False, err=True)
        elif now - self._last >= self._EVERY:
            self._last = now
            click.echo(f"{self._verb} {self._done}/{self._total}", err=True)

    def part(self, what: str, share: float) -> None:
        """How far the file at hand is, with the time that is left."""
        now = time.monotonic()
        if share < self._share or what != self._what:
            self._what, self._began = what, now
        self._share = share
        if now - self._told < (self._BLINK if self._terminal else self._EVERY) or now - self._began < 1:
            return
        self._told = self._last = now
        left = round((now - self._began) * (1 - share) / share) if share else 0
        count = f"{self._done + 1}/{self._total} " if self._total > 1 else ""
        line = f"{count}{what} {share:.0%}, {left // 60}:{left % 60:02} left"
        click.echo(f"\r\x1b[K{line}" if self._terminal else line, nl=not self._terminal, err=True)
        self._dirty = self._terminal

    def clear(self) -> None:
        """Remove the bar, so that a line can be printed."""
        if self._terminal and (self._total > 1 or self._dirty):
            click.echo("\r\x1b[K", nl=False, err=True)
