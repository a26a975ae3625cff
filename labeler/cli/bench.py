"""``labeler bench``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from labeler.cli.common import PATH, write_data
from labeler.errors import ExitCode, UsageError

__all__ = ["command"]


@click.group("bench")
def command() -> None:
    """Measure speed and robustness on this machine."""


@command.command("speed")
@click.argument("files", nargs=-1, type=PATH)
@click.option(
    "--rounds", type=click.IntRange(1), default=5, show_default=True, help="The fastest of so many counts."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
def speed(files: tuple[Path, ...], rounds: int, as_json: bool) -> int:
    """CPU time of label and verify over the bare Pillow decode and encode of the same files.

    Without FILES a synthetic 12-megapixel JPEG is measured. Keys are made for the run and thrown away.
    """
    from labeler.bench import speed as bench
    from labeler.credentials.certs import create_development_identity
    from labeler.pipeline.options import LabelOptions
    from labeler.report.jsonl import to_json

    with tempfile.TemporaryDirectory() as home:
        create_development_identity(Path(home) / "credentials")
        options = LabelOptions(producer="bench", profile="all", home=Path(home))
        sources = bench.load(files, options)
        timings = list(
            bench.measure(sources, options, rounds=rounds, progress=lambda text: click.echo(text, err=True))
        )
    if as_json:
        for timing in timings:
            write_data(to_json(timing) + b"\n")
    else:
        click.echo(bench.table(timings))
    return ExitCode.OK


@command.command("robustness")
@click.option("--modality", type=click.Choice(["image", "text"]), default="image", show_default=True)
@click.option("--images", type=PATH, metavar="DIR", help="Folder of pictures to mark and attack.")
@click.option("--texts", type=click.IntRange(1), default=10, show_default=True, help="Texts per language.")
@click.option("--names", default="", metavar="A,B", help="Only pictures of these names, without extension.")
@click.option("--grid", type=PATH, metavar="TOML", help="Attacks; default the grid that comes with labeler.")
@click.option("--repeats", type=click.IntRange(1), default=1, show_default=True, help="Runs of every attack.")
@click.option("--json", "json_file", type=PATH, metavar="FILE", help="Write all counts here.")
def robustness(
    modality: str,
    images: Path | None,
    texts: int,
    names: str,
    grid: Path | None,
    repeats: int,
    json_file: Path | None,
) -> int:
    """Mark media, do to them what happens to media, read them again, and print a Markdown table.

    Pictures: how many payloads are read exactly. Texts: what of every layer survives each transform.
    """
    if modality == "text":
        return _texts(texts, json_file)
    if images is None:
        raise UsageError("which pictures? Give --images DIR.")
    from labeler.bench import robustness as bench

    result = bench.run(
        images,
        grid=grid,
        names=[name for name in names.split(",") if name],
        repeats=repeats,
        progress=lambda name: click.echo(name, err=True),
    )
    _keep(result.to_dict(), json_file)
    click.echo(bench.markdown([result]))
    return ExitCode.OK


def _texts(texts: int, json_file: Path | None) -> int:
    from labeler.bench import text_survival as bench

    result = bench.run(texts=texts, progress=lambda name: click.echo(name, err=True))
    _keep(result.to_dict(), json_file)
    click.echo(bench.markdown(result))
    return ExitCode.NEGATIVE if result.worse else ExitCode.OK


def _keep(result: dict[str, Any], json_file: Path | None) -> None:
    """Write all counts of a run to a file."""
    from labeler.core.atomic import publish
    from labeler.report.jsonl import to_json

    if json_file is not None:
        with publish(json_file, overwrite=True) as file:
            file.write(to_json(result, indent=1))
