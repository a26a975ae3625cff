"""``labeler bench``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from labeler.cli.common import PATH, write_data
from labeler.errors import ExitCode

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
@click.option("--modality", type=click.Choice(["image"]), default="image", show_default=True)
@click.option(
    "--images", type=PATH, required=True, metavar="DIR", help="Folder of pictures to mark and attack."
)
@click.option("--names", default="", metavar="A,B", help="Only pictures of these names, without extension.")
@click.option("--grid", type=PATH, metavar="TOML", help="Attacks; default the grid that comes with labeler.")
@click.option("--repeats", type=click.IntRange(1), default=1, show_default=True, help="Runs of every attack.")
@click.option("--json", "json_file", type=PATH, metavar="FILE", help="Write all counts here.")
def robustness(
    modality: str, images: Path, names: str, grid: Path | None, repeats: int, json_file: Path | None
) -> int:
    """Mark pictures, attack them, and count how many payloads are read exactly, as a Markdown table."""
    from labeler.bench import robustness as bench
    from labeler.core.atomic import publish
    from labeler.report.jsonl import to_json

    result = bench.run(
        images,
        grid=grid,
        names=[name for name in names.split(",") if name],
        repeats=repeats,
        progress=lambda name: click.echo(name, err=True),
    )
    if json_file is not None:
        with publish(json_file, overwrite=True) as file:
            file.write(to_json(result.to_dict(), indent=1))
    click.echo(bench.markdown([result]))
    return ExitCode.OK
