"""Defaults from ``labeler.toml``: the project's file first, then the user's."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from labeler.core.home import labeler_home
from labeler.errors import InputError, UsageError
from labeler.media.files import read_source

__all__ = ["CONFIG_NAME", "default_map", "read_config"]

CONFIG_NAME = "labeler.toml"


def read_config(path: Path) -> dict[str, Any]:
    """The table of one configuration file; {} if there is none.

    Raises:
        UsageError: it is not TOML.
    """
    if not path.exists():
        return {}
    try:
        return tomllib.loads(read_source(path).data.decode("utf-8"))
    except InputError as error:
        raise UsageError(f"cannot read the configuration: {error.message}", path=path) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"the configuration is not TOML: {error}.", path=path) from error


def default_map(group: click.Group, ctx: click.Context) -> dict[str, Any]:
    """Click's default map: top-level keys serve every command, ``[label]`` and the like one of them.

    Raises:
        UsageError: a file is not TOML, or a key in it is no option of the command that it stands for.
    """
    merged: dict[str, Any] = {}
    for path in (labeler_home() / CONFIG_NAME, Path(CONFIG_NAME)):
        if table := read_config(path):
            merged = _merged(merged, _defaults(table, group, ctx, path))
    return merged


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both tables and the tables within them; where both have a value, the second one's."""
    both = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            both[key] = _merged(below[key], above[key])
    return both


def _defaults(
    table: dict[str, Any], group: click.Group, ctx: click.Context, path: Path, section: str = ""
) -> dict[str, Any]:
    """What the table of a group says, by command, in the names of the commands' parameters."""
    commands = {name: group.get_command(ctx, name) for name in group.list_commands(ctx)}
    options = {
        name: _options(command)
        for name, command in commands.items()
        if command is not None and not isinstance(command, click.Group)
    }
    common = {_plain(key): value for key, value in table.items() if not isinstance(value, dict)}
    for key in common.keys() - {key for each in options.values() for key in each}:
        if key in commands:
            raise UsageError(f"{key!r} is a section.", remedy=f"Write [{section}{key}].", path=path)
        raise _unknown(key, section, options, path)
    result: dict[str, Any] = {}
    for name, known in options.items():
        own = {_plain(key): value for key, value in table.get(name, {}).items()}
        for key in own.keys() - known.keys():
            raise _unknown(key, f"{section}{name}.", options, path, known)
        result[name] = {known[key]: value for key, value in (common | own).items() if key in known}
    for name in (key for key, value in table.items() if isinstance(value, dict) and key not in options):
        command = commands.get(name)
        if not isinstance(command, click.Group):
            raise _unknown(name, section, {}, path, commands)
        result[name] = _defaults(table[name], command, ctx, path, f"{section}{name}.")
    return result


def _plain(key: str) -> str:
    return key.replace("-", "_")


def _options(command: click.Command) -> dict[str, str]:
    """By the name that an option has on the command line, underscores for dashes, that of its parameter."""
    return {
        _plain(name.removeprefix("--")): param.name or ""
        for param in command.params
        if isinstance(param, click.Option)
        for name in param.opts
        if name.startswith("--")
    }


def _unknown(
    key: str,
    section: str,
    options: Mapping[str, Mapping[str, str]],
    path: Path,
    known: Mapping[str, Any] | None = None,
) -> UsageError:
    """The error for a key that nothing goes by; ``known`` are the keys of its section, else those of all."""
    where = f" in [{section.rstrip('.')}]" if section else ""
    owners = [name for name, each in options.items() if key in each]
    near = difflib.get_close_matches(key, known or {key for each in options.values() for key in each}, n=1)
    if owners:
        remedy = f"It is an option of {' and '.join(owners)}: write it under [{owners[0]}]."
    elif near:
        remedy = f"Did you mean {near[0]}?"
    else:
        remedy = "Keys are the options of the commands, without the dashes."
    return UsageError(f"unknown key {key!r}{where}.", remedy=remedy, path=path)
