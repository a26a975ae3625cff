"""The rules of the house that a machine can check (design: who may import whom)."""

from __future__ import annotations

import ast
import inspect
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import labeler
from labeler import errors

ROOT = Path(labeler.__file__).parent
ROOMS = [
    {"errors", "_version"},
    {"types"},
    {"core"},
    {"media"},
    {"visible", "watermark", "metadata", "credentials"},
    {"store"},
    {"profiles"},
    {"pipeline"},
    {"api"},
    {"batch", "report", "bench"},
    {"serve", "integrations"},
    {"cli"},
]
RANK = {room: rank for rank, rooms in enumerate(ROOMS) for room in rooms}
FILES = sorted(ROOT.rglob("*.py"))


def _room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def _imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} imports relatively"
            if node.module == "labeler":
                rooms |= {alias.name for alias in node.names if alias.name in RANK}
            elif node.module.startswith("labeler."):
                rooms.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            rooms |= {a.name.split(".")[1] for a in node.names if a.name.startswith("labeler.")}
    return rooms


def test_every_room_has_a_place() -> None:
    assert {_room(path) for path in FILES} - {"__init__", "__main__"} <= set(RANK)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_what_stands_left_of_it(path: Path) -> None:
    room = _room(path)
    if room in ("__init__", "__main__"):
        return
    for other in _imported_rooms(path) - {room}:
        assert RANK[other] < RANK[room], f"{room} must not import {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_stay_small_and_do_not_print(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 500, "what second thing does this module do?"
    calls = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    assert "print" not in {call.func.id for call in calls if isinstance(call.func, ast.Name)}


def test_only_media_opens_pixels_and_starts_processes() -> None:
    for path in FILES:
        if _room(path) in ("media", "bench"):
            continue
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"Image\.open\(|cv2\.im(read|write)|VideoCapture|subprocess", text), path
    for path in FILES:
        assert not re.search(r"cv2\.im(read|write)\(", path.read_text(encoding="utf-8")), (
            "cv2 never gets a path"
        )


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = (
        "import sys, resource, labeler.cli\n"
        "try: labeler.cli.main(['--help'])\n"
        "except SystemExit as stop: assert stop.code == 0\n"
        "heavy = {'numpy', 'cv2', 'PIL', 'c2pa', 'cryptography', 'pebble'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, timeout=30)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3


def test_the_public_names_are_these() -> None:
    assert labeler.__all__ == [
        "Label", "LabelOptions", "LabelResult", "LabelerError", "Layer", "Report", "State", "Verdict",
        "VerifyOptions", "__version__", "label_audio", "label_file", "label_frames", "label_image", "label_text",
        "verify_audio", "verify_file", "verify_frames", "verify_image", "verify_text",
    ]  # fmt: skip
    assert all(hasattr(labeler, name) for name in labeler.__all__)


def test_the_error_tree_is_as_its_docstring_draws_it() -> None:
    drawn = dict(re.findall(r"(\w+) +(\d+)  ", inspect.getdoc(errors) or ""))
    classes = {
        name: cls
        for name, cls in vars(errors).items()
        if isinstance(cls, type) and issubclass(cls, errors.LabelerError)
    }
    assert {name: str(int(cls.exit_code)) for name, cls in classes.items()} == drawn
