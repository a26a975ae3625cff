"""Defaults from ``labeler.toml``: the project's file first, then the user's."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from labeler.core.home import labeler_home
from labeler.errors import InputError, UsageError
from labeler.media.files import read_source

__all__ = ["CONFIG_NAME", "default_map", "read_config"]

CONFIG_NAME = "labeler.toml"
_COMMANDS = ("label", "verify", "inspect", "keys", "doctor", "bench")


def read_config(path: Path) -> dict[str, Any]:
    """The table of one configuration file, keys with underscores; {} if there is none.

    Raises:
        UsageError: it is not TOML.
    """
    if not path.exists():
        return {}
    try:
        table = tomllib.loads(read_source(path).data.decode("utf-8"))
    except InputError as error:
        raise UsageError(f"cannot read the configuration: {error.message}", path=path) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"the configuration is not TOML: {error}.", path=path) from error
    return {key.replace("-", "_"): value for key, value in table.items()}


def default_map() -> dict[str, Any]:
    """Click's default map: top-level keys serve every command, ``[label]`` and the like one of them."""
    merged = read_config(labeler_home() / CONFIG_NAME) | read_config(Path(CONFIG_NAME))
    common = {key: value for key, value in merged.items() if not isinstance(value, dict)}
    sections = {key: value for key, value in merged.items() if isinstance(value, dict)}
    return {
        command: common | {key.replace("-", "_"): value for key, value in sections.get(command, {}).items()}
        for command in _COMMANDS
    }
