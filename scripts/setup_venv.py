"""Make .venv and install labeler into it, with nothing but python3: no root, no pip, no python3-venv.

Debian splits ensurepip out of python3; where it is missing, the environment is made without pip, and pip
is run once from its own wheel, which the package index serves.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
READY = VENV / ".ready"
INDEX = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")


def main() -> None:
    """Make the environment if it is missing, then install the package and its development tools."""
    if sys.version_info < (3, 11):  # noqa: UP036 (the interpreter is not chosen yet)
        sys.exit(
            f"labeler needs Python 3.11 or newer; this is {sys.version.split()[0]}. Run: make PYTHON=python3.12"
        )
    if not has_pip():
        make_venv()
    run(
        PYTHON,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--editable",
        f"{ROOT}[dev,heic]",
    )
    READY.touch()


def has_pip() -> bool:
    """Whether .venv is there with a working pip."""
    command = [PYTHON, "-m", "pip", "--version"]
    return PYTHON.exists() and subprocess.run(command, capture_output=True, check=False).returncode == 0


def make_venv() -> None:
    """Make .venv, with ensurepip where there is one, else with pip's own wheel."""
    print("making .venv", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], capture_output=True, check=False)
    if made.returncode == 0 and has_pip():
        return
    run(sys.executable, "-m", "venv", "--clear", "--without-pip", VENV)
    with tempfile.TemporaryDirectory() as folder:
        wheel = download_pip(Path(folder))
        run(PYTHON, wheel / "pip", "install", "--quiet", "--disable-pip-version-check", "pip")


def download_pip(folder: Path) -> Path:
    """Fetch pip's newest wheel from the package index (PEP 691); a wheel can be run where it lies."""
    request = urllib.request.Request(
        f"{INDEX}/pip/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            files = json.load(answer)["files"]
        wheels = [
            file
            for file in files
            if file["filename"].endswith("-py3-none-any.whl")
            and not file.get("yanked")
            and is_final(file["filename"])
        ]
        url = urllib.parse.urljoin(f"{INDEX}/pip/", wheels[-1]["url"])
        target = folder / wheels[-1]["filename"]
        with urllib.request.urlopen(url, timeout=60) as answer:
            target.write_bytes(answer.read())
    except OSError as error:
        sys.exit(
            f"cannot fetch pip from {INDEX}: {error}\n"
            "Install the packages python3-venv and ca-certificates, or set PIP_INDEX_URL, and run make again."
        )
    return target


def is_final(filename: str) -> bool:
    """True for wheels of final releases."""
    return filename.split("-")[1].replace(".", "").isdigit()


def run(*command: object) -> None:
    """Run a command, or stop with its exit code."""
    done = subprocess.run([str(part) for part in command], check=False)
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
