"""The ``labeler`` command. Commands are imported when they run; ``--help`` loads no numpy."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Any

import click

from labeler._version import __version__
from labeler.cli.config import default_map
from labeler.errors import ExitCode, LabelerError, OutputError

__all__ = ["cli", "main"]

_COMMANDS = {
    "label": "Label files or folders: visible mark, watermark, metadata, C2PA.",
    "verify": "Say whether files carry a label, and whether the layers agree.",
    "inspect": "Everything found in one file, raw, as JSON.",
    "keys": "Make and look at watermark keys and signing certificates.",
    "doctor": "Check that everything labeler needs is here.",
    "bench": "Measure speed and robustness on this machine.",
}


class _Lazy(click.Group):
    """A group whose commands are imported only when one of them runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"labeler.cli.{name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every option has an environment variable LABELER_<OPTION> and a key in labeler.toml. "
    "Exit codes: 0 done, 1 negative verdict, 2 usage, 3 some files failed, 4 something is missing, "
    "5 cannot write, 6 all labelled already, 7 input refused.",
)
@click.version_option(__version__, prog_name="labeler")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Label AI-generated media, and verify the labels.

    \b
    labeler keys init --producer CODE
    labeler label picture.png -o out
    labeler verify out/picture.png
    """
    ctx.default_map = default_map(cli, ctx)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the contract's exit codes."""
    # the products are small: a second BLAS thread only waits, and `--jobs` is the better use of cores
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    signal.signal(signal.SIGTERM, _interrupted)  # systemd and docker stop: tidy up as after Ctrl-C
    try:
        result: Any = cli.main(args=arguments, prog_name="labeler", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except LabelerError as error:
        show_error(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads what is still buffered
        sys.exit(ExitCode.OUTPUT)
    except OSError as error:
        show_error(OutputError(f"{error.strerror or error}.", path=error.filename))
        sys.exit(ExitCode.OUTPUT)
    sys.exit(result if isinstance(result, int) else ExitCode.OK)


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def show_error(error: LabelerError) -> None:
    """An error in one or two lines on stderr."""
    where = f"{error.path}: " if error.path else ""
    click.secho(f"labeler: {where}{error.message}", fg="red", err=True)
    if error.remedy:
        click.echo(f"         {error.remedy}", err=True)
