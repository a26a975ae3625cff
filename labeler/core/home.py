"""Where keys, configuration and the store live: ``$LABELER_HOME`` or the user's configuration folder."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

__all__ = ["labeler_home"]


def labeler_home(path: Path | str | None = None) -> Path:
    """The home folder: the argument, else ``$LABELER_HOME``, else the platform's configuration folder."""
    chosen = path or os.environ.get("LABELER_HOME")
    return Path(chosen or platformdirs.user_config_dir("labeler", appauthor=False))
