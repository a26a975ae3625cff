"""Which inputs there are, and where each one's output goes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from labeler.errors import NotARegularFile, OutputError, UsageError
from labeler.media.formats import extensions
from labeler.media.sniff import modality_of, sniff
from labeler.pipeline import backup

__all__ = ["Job", "Plan", "find_inputs", "plan"]

_SIDECARS = (".aigc.json", ".c2pa")
_NUMBER = re.compile(r"\.\d+$")
"""What a later original has before its suffix."""


@dataclass(frozen=True, slots=True)
class Job:
    """One file: where it is, and where its output goes (None for commands that write nothing).

    ``in_place`` says that replacing the input is what was asked for.
    """

    input: Path
    output: Path | None = None
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """All jobs of a run.

    ``left_alone`` counts files of folders whose type labeler does not label, ``beside`` what labeler itself laid
    beside another file: sidecars and originals.
    """

    jobs: tuple[Job, ...]
    left_alone: int = 0
    beside: int = 0


def find_inputs(
    inputs: Iterable[Path], *, recursive: bool, skip: Path | None = None
) -> Iterator[tuple[Path, Path]]:
    """Every file asked for, with its path below the output folder.

    A file is taken as it is; a folder is walked in name order without following links. Hidden files and
    folders inside it, and the folder ``skip`` (the output), are left out. A file that is not there, and a folder
    that cannot be listed, come out themselves, so that reading them fails where it is reported.

    Raises:
        NotARegularFile: a folder without ``recursive``.
    """
    skip = _resolved(skip) if skip else None
    for path in inputs:
        if not _is_folder(path):
            yield path, Path(path.name)
            continue
        if not recursive:
            raise NotARegularFile("this is a folder.", remedy="Use -r to go through folders.", path=path)
        closed: list[Path] = []
        for folder, names, files in os.walk(path, followlinks=False, onerror=_collect(closed)):
            here = Path(folder)
            names[:] = sorted(
                name for name in names if not name.startswith(".") and _resolved(here / name) != skip
            )
            for name in sorted(files):
                if not name.startswith("."):
                    yield here / name, (here / name).relative_to(path)
        for each in closed:
            yield each, each.relative_to(path)


def _collect(closed: list[Path]) -> Callable[[OSError], None]:
    """Remember folders that cannot be listed: the run reports them as failed instead of passing them over."""

    def remember(error: OSError) -> None:
        closed.append(Path(error.filename))

    return remember


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name that no file can have, or a closed folder above it
        return False


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        raise OutputError(
            "the path leads in circles or cannot be followed.", remedy="Remove the link.", path=path
        ) from error


def _is_wanted(path: Path) -> bool:
    """Regular files that are media by content, or claim to be by their name; links are not followed."""
    if path.is_symlink() or not (path.is_file() or path.is_dir()):
        return False
    suffix = path.suffix.lower()
    if any(suffix in known for known in extensions().values()):
        return True  # if the content is something else, the run says so
    try:
        with path.open("rb") as file:
            return modality_of(sniff(file.read(64))) is not None
    except OSError:
        return True  # let the run report it


def _is_beside(path: Path, named: set[Path]) -> bool:
    """Whether labeler laid it beside another file, as its name tells.

    In folders (``path`` is not among the ``named``) that is every sidecar and original. A sidecar that is named is
    one if its file is there, an original if its file is named too, so that ``out/*`` means the labelled files.
    """
    text = str(path)
    if path not in named:
        return text.endswith((*_SIDECARS, backup.SUFFIX))
    if text.endswith(backup.SUFFIX):
        owner = text.removesuffix(backup.SUFFIX)
        return not named.isdisjoint({Path(owner), Path(_NUMBER.sub("", owner))})
    return any(text.endswith(suffix) and os.path.lexists(text.removesuffix(suffix)) for suffix in _SIDECARS)


def plan(
    inputs: Iterable[Path], *, recursive: bool, output: Path | None = None, in_place: bool = False
) -> Plan:
    """Pair every input with its output: the same tree and names under ``output``, or the input itself.

    Raises:
        UsageError: two inputs would have the same output.
        OutputError: an output would lie outside the output folder.
    """
    given = list(inputs)
    named = {path for path in given if not _is_folder(path)}
    jobs: list[Job] = []
    taken: dict[Path, Path] = {}
    left_alone = beside = 0
    for file, below in find_inputs(given, recursive=recursive, skip=output):
        if _is_beside(file, named):
            beside += 1
            continue
        if file not in named and not _is_wanted(file):
            left_alone += 1
            continue
        target = file if in_place else _inside(output, below) if output else None
        if target is not None and taken.get(target) == file:
            continue  # named twice
        if target is not None and target in taken:
            raise UsageError(
                f"{taken[target]} and {file} would both become {target}.",
                remedy="Give them different output folders, in two runs.",
            )
        if target is not None:
            taken[target] = file
        jobs.append(Job(file, target, in_place))
    return Plan(tuple(jobs), left_alone, beside)


def _inside(folder: Path, below: Path) -> Path:
    target = folder / below
    if not _resolved(target.parent).is_relative_to(_resolved(folder)):
        raise OutputError("a link leads out of the output folder.", remedy="Remove the link.", path=target)
    return target
