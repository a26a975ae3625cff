"""``labeler verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labeler.cli.common import (
    AS_JSON,
    FORMAT,
    JOBS,
    MEGAPIXELS,
    PATH,
    Progress,
    left_out,
    limits_of,
    option,
    read_stdin,
    split_stdin,
    style,
    tell_unused,
    write_data,
)
from labeler.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from labeler.pipeline.options import VerifyOptions
    from labeler.types import Report

__all__ = ["command"]

_ONLY_FOR = {"tokens": ["text"], "deep": ["audio", "video"], "format_": []}
"""Options that speak of some modalities only, or of standard input."""


@click.command("verify")
@click.argument("inputs", nargs=-1, required=True, type=PATH)
@option("-r", "--recursive", is_flag=True, help="Verify what is in folders too.")
@option("--profile", default="", metavar="NAME", help="Judge against a profile: cn-gb45438 or all.")
@option("--layers", default="", metavar="LIST", help="visible,watermark,metadata,credentials; default all.")
@option("--trust", type=PATH, metavar="PEM", help="Certificates whose signatures are to be trusted.")
@option(
    "--tokens", type=PATH, metavar="JSON", help="Token ids of the one text, to find a mark of its generation."
)
@option("--quick", is_flag=True, help="Look for the watermark only as embedded, flipped or turned.")
@option("--deep", is_flag=True, help="Sound: search tempo and pitch changed together too.")
@JOBS
@MEGAPIXELS
@FORMAT
@AS_JSON
def command(
    inputs: tuple[Path, ...],
    recursive: bool,
    profile: str,
    layers: str,
    trust: Path | None,
    tokens: Path | None,
    quick: bool,
    deep: bool,
    jobs: int,
    max_megapixels: float,
    format_: str | None,
    as_json: bool,
) -> int:
    """Say whether files carry a label, and whether the layers agree.

    Exit code 0: a label was found and is intact. 1: none, altered, in conflict, or a profile failed.
    7: the file cannot be read. Nothing is fetched from a network.

    \b
    labeler verify picture.jpg
    labeler verify inbox -r --json --profile cn-gb45438
    cat answer.md | labeler verify - --format md
    """
    from labeler.batch import plan, pool, work
    from labeler.core.progress import listening
    from labeler.pipeline.options import VerifyOptions, parse_layers
    from labeler.pipeline.reconcile import exit_code
    from labeler.pipeline.verify import check_options
    from labeler.report import jsonl, text

    options = VerifyOptions(
        layers=parse_layers(layers) if layers else None,
        profile=profile,
        trust=trust,
        tokens=tokens,
        quick=quick,
        deep=deep,
        limits=limits_of(max_megapixels),
    )
    check_options(options)
    if tokens is not None and len(inputs) > 1:
        raise UsageError("--tokens belong to one text.", remedy="Verify the texts one by one.")
    codes = []

    def show(report: Report) -> None:
        codes.append(exit_code(report))
        if as_json:
            write_data(jsonl.verify_line(report))
            return
        for line in text.describe_report(report, style):
            click.echo(line)

    if split_stdin(inputs):
        show(_from_stdin(options, format_))
        return codes[0]
    todo = plan.plan(inputs, recursive=recursive)
    tell_unused([job.input for job in todo.jobs], _ONLY_FOR)
    progress = Progress(len(todo.jobs), "verified")
    tasks = (work.VerifyTask(job, options) for job in todo.jobs)
    with listening(progress.part):
        for report in pool.run(work.verify, tasks, jobs=min(jobs, len(todo.jobs)), failed=work.verify_failed):
            progress.clear()
            show(report)
            progress.advance()
    progress.clear()
    left_out(todo, "checks")
    if len(codes) < 2:
        return codes[0] if codes else ExitCode.NOTHING_TO_DO
    if any(code not in (ExitCode.OK, ExitCode.NEGATIVE) for code in codes):
        return ExitCode.SOME_FAILED
    return max(codes)


def _from_stdin(options: VerifyOptions, format_: str | None) -> Report:
    import dataclasses
    import tempfile

    from labeler.core.atomic import scratch
    from labeler.errors import LabelerError
    from labeler.pipeline.verify import error_report, verify_source

    try:
        with tempfile.TemporaryDirectory() as folder, scratch(Path(folder)) as parts:
            source = read_stdin(format_, parts, options.limits)
            return dataclasses.replace(verify_source(source, options, sidecars={}), path="-")
    except UsageError:
        raise
    except LabelerError as error:
        return error_report(Path("-"), error)
