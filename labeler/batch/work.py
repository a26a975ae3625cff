"""What a worker does with one file: label it, or verify it, and never raise for one bad file."""

from __future__ import annotations

import contextlib
import filecmp
import functools
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from labeler.batch.plan import BACKUP_SUFFIX, Job
from labeler.core.atomic import publish
from labeler.errors import LabelerError, UsageError
from labeler.pipeline.options import LabelOptions, VerifyOptions
from labeler.types import ErrorInfo, LabelResult, Report

__all__ = ["LabelTask", "VerifyTask", "label", "label_failed", "verify", "verify_failed"]


@dataclass(frozen=True, slots=True)
class LabelTask:
    """One file to label."""

    job: Job
    options: LabelOptions
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class VerifyTask:
    """One file to verify."""

    job: Job
    options: VerifyOptions


def label(task: LabelTask) -> LabelResult:
    """Label one file; expected errors come back in the result."""
    from labeler.pipeline.label import label_one

    job = task.job
    assert job.output is not None
    back_up = functools.partial(_back_up, relabel=task.options.relabel)
    try:
        return label_one(
            job.input,
            job.output,
            task.options,
            overwrite=task.overwrite or job.in_place,
            before_publish=back_up if _is_same(job.input, job.output) else None,
        )
    except LabelerError as error:
        return label_failed(task, error)


def _is_same(one: Path, other: Path) -> bool:
    """Whether the output would replace the input, under whatever name."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def _back_up(path: Path, *, relabel: bool) -> None:
    """Keep the original beside itself, under a name that is free.

    When a label is replaced, a backup that is there already is the original itself and stays alone. Otherwise
    the file is a new original under an old name, and gets a backup with a number.
    """
    backup = path.with_name(path.name + BACKUP_SUFFIX)
    number = 0
    while os.path.lexists(backup):
        if relabel or _is_equal(path, backup):
            return
        number += 1
        backup = path.with_name(f"{path.name}.{number}{BACKUP_SUFFIX}")
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


def label_failed(task: LabelTask, error: Exception) -> LabelResult:
    """The result of a file that could not be labelled."""
    return LabelResult(input=str(task.job.input), error=ErrorInfo.of(error))


def verify(task: VerifyTask) -> Report:
    """Verify one file."""
    from labeler.pipeline.verify import verify_one

    return verify_one(task.job.input, task.options)


def verify_failed(task: VerifyTask, error: Exception) -> Report:
    """The report of a file on which a worker failed: cannot tell, never "no label"."""
    if isinstance(error, UsageError):
        raise error
    from labeler.pipeline.verify import error_report

    return error_report(task.job.input, error)
