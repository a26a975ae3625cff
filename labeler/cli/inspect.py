"""``labeler inspect``."""

from __future__ import annotations

from pathlib import Path

import click

from labeler.cli.common import PATH, limits_of, option, write_data
from labeler.errors import ExitCode

__all__ = ["command"]


@click.command("inspect")
@click.argument("input", type=PATH)
@option("--trust", type=PATH, metavar="PEM", help="Certificates whose signatures are to be trusted.")
@option("--max-megapixels", type=float, default=100.0, show_default=True, help="Refuse larger pictures.")
def command(input: Path, trust: Path | None, max_megapixels: float) -> int:
    """Everything found in one file, raw, as JSON: for a person who investigates."""
    from labeler.pipeline.options import VerifyOptions
    from labeler.pipeline.verify import inspect_one
    from labeler.report.jsonl import to_json

    found = inspect_one(input, VerifyOptions(trust=trust, limits=limits_of(max_megapixels)))
    write_data(to_json(found, indent=2) + b"\n")
    return ExitCode.OK
