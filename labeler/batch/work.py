"""What a worker does with one file: label it, or verify it, and never raise for one bad file."""

from __future__ import annotations

from dataclasses import dataclass

from labeler.batch.plan import Job
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
    try:
        return label_one(job.input, job.output, task.options, overwrite=task.overwrite or job.in_place)
    except LabelerError as error:
        return label_failed(task, error)


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
