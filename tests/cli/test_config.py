"""labeler.toml: what its keys may be, and which of two files counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from labeler.cli import cli
from labeler.cli.config import CONFIG_NAME, default_map
from labeler.errors import UsageError

Write = Callable[..., dict[str, Any]]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write labeler.toml into the current folder, and one into the home; what click makes of them."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    monkeypatch.setenv("LABELER_HOME", str(home))
    monkeypatch.chdir(work)

    def write(project: str, user: str = "") -> dict[str, Any]:
        (work / CONFIG_NAME).write_text(project)
        (home / CONFIG_NAME).write_text(user)
        return default_map(cli, click.Context(cli))

    return write


def test_without_files_nothing_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_map(cli, click.Context(cli)) == {}


def test_keys_are_the_options_of_the_commands(write: Write) -> None:
    found = write(
        'profile = "all"\njson = true\nmax-megapixels = 3\n[label]\nsource_type = "compositeSynthetic"\n'
        '[keys]\nhome = "h"\n[keys.init]\nproducer = "p"\n[bench.speed]\nrounds = 2\n'
    )
    assert found["label"] == {
        "profile": "all", "as_json": True, "max_megapixels": 3, "source_type": "compositeSynthetic"
    }  # fmt: skip
    assert found["verify"] == {"profile": "all", "as_json": True, "max_megapixels": 3}
    assert found["inspect"] == {"max_megapixels": 3}
    assert found["keys"]["init"] == {"home": "h", "producer": "p"}
    assert found["keys"]["list"] == {"home": "h"}
    assert found["bench"]["speed"] == {"rounds": 2}


def test_the_project_counts_before_the_user_key_by_key(write: Write) -> None:
    found = write(
        'producer = "project"\n[verify]\nquick = true\n',
        'jobs = 2\n[label]\nproducer = "user"\nlang = "zh"\n[verify]\ndeep = true\n',
    )
    assert found["label"] == {"producer": "project", "lang": "zh", "jobs": 2}
    assert found["verify"] == {"quick": True, "deep": True, "jobs": 2}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('producre = "x"', "unknown key 'producre'. Did you mean producer?"),
        ("[label]\nlayer = 1", r"unknown key 'layer' in \[label\]. Did you mean layers?"),
        ('[verify]\nproducer = "x"', r"in \[verify\]. It is an option of label: write it under \[label\]."),
        ("[lable]\njobs = 1", "unknown key 'lable'. Did you mean label?"),
        ("label = 1", r"'label' is a section. Write \[label\]."),
        ("[keys.inti]\nhome = 1", r"unknown key 'inti' in \[keys\]. Did you mean init?"),
        ("[bench.speed]\nround = 1", r"unknown key 'round' in \[bench.speed\]. Did you mean rounds?"),
        ("zzz = 1", "unknown key 'zzz'. Keys are the options of the commands"),
        ("as_json = true", "unknown key 'as_json'"),
        ("zzz", "not TOML"),
    ],
)
def test_what_is_no_option_is_an_error_that_names_the_nearest(write: Write, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        write(text)
    assert caught.value.path == CONFIG_NAME
