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


@command.command("speed", short_help="CPU time of label and verify over the bare codec.")
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


@command.command("robustness", short_help="What of the layers survives what happens to media.")
@click.option(
    "--modality",
    type=click.Choice(["image", "text", "audio", "video"]),
    default="image",
    show_default=True,
)
@click.option(
    "--images", "--media", "folder", type=PATH, metavar="DIR", help="Folder of media to mark and attack."
)
@click.option("--texts", type=click.IntRange(1), default=10, show_default=True, help="Texts per language.")
@click.option("--names", default="", metavar="A,B", help="Only files of these names, without extension.")
@click.option("--grid", type=PATH, metavar="TOML", help="Attacks; default the grid that comes with labeler.")
@click.option("--repeats", type=click.IntRange(1), default=1, show_default=True, help="Runs of every attack.")
@click.option(
    "--strength", type=click.Choice(["gentle", "default", "strong"]), default="default", show_default=True,
    help="Of the marks in sound and video.",
)  # fmt: skip
@click.option("--clips", type=click.IntRange(0), default=0, help="Video: stop after so many clips.")
@click.option(
    "--log", type=PATH, metavar="FILE", help="Video: clips done, so that a run can be taken up again."
)
@click.option("--json", "json_file", type=PATH, metavar="FILE", help="Write all counts here.")
def robustness(
    modality: str,
    folder: Path | None,
    texts: int,
    names: str,
    grid: Path | None,
    repeats: int,
    strength: str,
    clips: int,
    log: Path | None,
    json_file: Path | None,
) -> int:
    """Mark media, do to them what happens to media, read them again, and print a Markdown table.

    Pictures, sound, video: how many payloads are read exactly. Texts: what of every layer survives each transform.
    """
    if modality == "text":
        return _texts(texts, json_file)
    if folder is None:
        raise UsageError("which files? Give --media DIR.")
    chosen = [name for name in names.split(",") if name]
    if modality == "audio":
        return _sounds(folder, chosen, grid, strength, repeats, json_file)
    if modality == "video":
        return _videos(folder, strength, clips, log, json_file)
    from labeler.bench import robustness as bench

    result = bench.run(folder, grid=grid, names=chosen, repeats=repeats, progress=_say)
    _keep(result.to_dict(), json_file)
    click.echo(bench.markdown([result]))
    return ExitCode.OK


def _say(name: str) -> None:
    click.echo(name, err=True)


def _sounds(
    folder: Path, names: list[str], grid: Path | None, strength: str, repeats: int, json_file: Path | None
) -> int:
    import dataclasses

    from labeler.bench import audio as bench
    from labeler.bench.audio_attacks import load_grid

    result = bench.run(
        folder,
        names=names or None,
        attacks=load_grid(grid),
        strength=strength,
        repeats=repeats,
        progress=_say,
    )
    _keep(dataclasses.asdict(result), json_file)
    click.echo(bench.markdown(result))
    return ExitCode.OK


def _videos(folder: Path, strength: str, clips: int, log: Path | None, json_file: Path | None) -> int:
    from labeler.bench import video as bench

    with tempfile.TemporaryDirectory() as temporary:
        arguments = ["--videos", folder, "--strength", strength, "--clips", clips]
        arguments += ["--log", log or Path(temporary) / "log.jsonl"]
        arguments += ["--json", json_file] if json_file else []
        return bench.main([str(argument) for argument in arguments])


def _texts(texts: int, json_file: Path | None) -> int:
    from labeler.bench import text_survival as bench

    result = bench.run(texts=texts, progress=_say)
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
