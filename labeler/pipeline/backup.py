"""Keeping the original where an output takes its place."""

from __future__ import annotations

import contextlib
import filecmp
import os
import shutil
from pathlib import Path

from labeler.core.atomic import publish

__all__ = ["SUFFIX", "back_up", "is_same"]

SUFFIX = ".orig"
"""What is appended to the name of the untouched original."""


def is_same(one: Path, other: Path) -> bool:
    """Whether the output would replace the input, under whatever name."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def back_up(path: Path, *, relabel: bool) -> None:
    """Keep the original beside itself, under a name that is free.

    When a label is replaced, a backup that is there already is the original itself and stays alone. Otherwise
    the file is a new original under an old name, and gets a backup with a number.
    """
    backup = path.with_name(path.name + SUFFIX)
    number = 0
    while os.path.lexists(backup):
        if relabel or _is_equal(path, backup):
            return
        number += 1
        backup = path.with_name(f"{path.name}.{number}{SUFFIX}")
    with contextlib.suppress(OSError):
        os.link(path, backup)
        return
    with publish(backup) as copy, path.open("rb") as original:
        shutil.copyfileobj(original, copy)


def _is_equal(one: Path, other: Path) -> bool:
    try:
        return other.is_file() and filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False
