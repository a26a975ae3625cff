"""``labeler doctor``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import click

from labeler.cli.common import style
from labeler.errors import ExitCode, LabelerError

__all__ = ["command"]


@click.command("doctor")
def command() -> int:
    """Check that everything labeler needs is here: codecs, ffmpeg, font, keys, certificate."""
    worst = ExitCode.OK
    for name, check in _checks():
        try:
            level, detail = check()
        except (LabelerError, ImportError, OSError) as error:
            level, detail = "bad", str(error)
        if level == "bad":
            worst = ExitCode.DEPENDENCY
        word = {"good": "ok", "warn": "note", "bad": "missing"}[level]
        click.echo(f"{style(f'{word:<8}', level)}{name:<12}{detail}")
    return worst


def _checks() -> Iterator[tuple[str, Callable[[], tuple[str, str]]]]:
    yield "python", _python
    yield "codecs", _codecs
    yield "heic", _heic
    yield "opencv", _opencv
    yield "ffmpeg", _ffmpeg
    yield "c2pa", _c2pa
    yield "font", _font
    yield "home", _home
    yield "watermark", _keys
    yield "signing", _signing
    yield "trust", _trust


def _python() -> tuple[str, str]:
    import platform

    return "good", f"{platform.python_version()}, labeler {_version()}"


def _version() -> str:
    from labeler._version import __version__

    return __version__


def _codecs() -> tuple[str, str]:
    from PIL import __version__, features

    missing = [name for name in ("jpg", "zlib", "webp", "avif", "libtiff") if not features.check(name)]
    if missing:
        return "bad", f"Pillow {__version__} was built without {', '.join(missing)}: use the wheel from PyPI"
    return "good", f"Pillow {__version__}: JPEG, PNG, WebP, AVIF, TIFF, GIF, BMP"


def _heic() -> tuple[str, str]:
    try:
        import pillow_heif
    except ImportError:
        return "warn", "not installed; for HEIC: pip install 'labeler[heic]'"
    return "good", f"pillow-heif {pillow_heif.__version__}"


def _opencv() -> tuple[str, str]:
    import cv2

    return "good", f"OpenCV {cv2.__version__}"


def _ffmpeg() -> tuple[str, str]:
    import imageio_ffmpeg

    return "good", f"ffmpeg {imageio_ffmpeg.get_ffmpeg_version()} (bundled; for audio and video)"


def _c2pa() -> tuple[str, str]:
    from importlib.metadata import version

    import c2pa

    return "good", f"c2pa-python {version('c2pa-python')}, c2pa-rs {c2pa.sdk_version()}"


def _font() -> tuple[str, str]:
    from labeler.visible.fonts import find_face
    from labeler.visible.wording import wording

    face = find_face(wording("both").text)
    return "good", f"{face.path.name} (face {face.index})"


def _home() -> tuple[str, str]:
    from labeler.core.home import labeler_home

    home = labeler_home()
    return ("good", str(home)) if home.is_dir() else ("warn", f"{home} is not there yet: labeler keys init")


def _keys() -> tuple[str, str]:
    from labeler.core.keys import KeyRing

    return "good", ", ".join(key.key_id for key in KeyRing().all_keys())


def _trust() -> tuple[str, str]:
    import os
    import time
    from pathlib import Path

    from labeler.credentials.trust import Trust

    name = os.environ.get("LABELER_TRUST")
    if not name:
        return "warn", "no list: every signer is unknown; give verify --trust PEM, or set LABELER_TRUST"
    Trust.from_files([Path(name)])
    days = (time.time() - Path(name).stat().st_mtime) / 86400
    return "warn" if days > 90 else "good", f"{name}, {days:.0f} days old"


def _signing() -> tuple[str, str]:
    from labeler.credentials import identity
    from labeler.errors import DependencyMissing

    try:
        signer = identity.load()
    except DependencyMissing as error:
        return "warn", f"{error.message} {error.remedy}"
    signer.check_validity()
    return ("warn", f"{signer.name}: on no trust list") if signer.is_development else ("good", signer.name)
