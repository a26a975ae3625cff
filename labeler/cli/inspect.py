"""``labeler inspect``."""

from __future__ import annotations

from pathlib import Path

import click

from labeler.cli.common import FORMAT, MEGAPIXELS, PATH, limits_of, option, read_stdin, write_data
from labeler.errors import ExitCode

__all__ = ["command"]


@click.command("inspect")
@click.argument("input", type=PATH)
@option("--trust", type=PATH, metavar="PEM", help="Certificates whose signatures are to be trusted.")
@MEGAPIXELS
@FORMAT
def command(input: Path, trust: Path | None, max_megapixels: float, format_: str | None) -> int:
    """Everything found in one file, raw, as JSON: for a person who investigates. - reads standard input."""
    import tempfile

    from labeler.core.atomic import scratch
    from labeler.pipeline.options import VerifyOptions
    from labeler.pipeline.verify import inspect_one, inspect_source
    from labeler.report.jsonl import to_json

    options = VerifyOptions(trust=trust, limits=limits_of(max_megapixels))
    if input == Path("-"):
        with tempfile.TemporaryDirectory() as folder, scratch(Path(folder)) as parts:
            found = inspect_source(read_stdin(format_, parts, options.limits), options, sidecars={})
    else:
        found = inspect_one(input, options)
    write_data(to_json(found, indent=2) + b"\n")
    return ExitCode.OK
