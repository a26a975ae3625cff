"""A home with keys of its own for the integration tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def keys_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from labeler.core.keys import KeyRing, WatermarkKey
    from labeler.credentials.certs import create_development_identity

    home = tmp_path_factory.mktemp("home")
    create_development_identity(home / "credentials")
    KeyRing(home).add(WatermarkKey.from_secret(bytes(range(32))))
    return home


@pytest.fixture(autouse=True)
def use_home(keys_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELER_HOME", str(keys_home))
    for name in ("LABELER_PRODUCER", "LABELER_OUTPUT", "LABELER_LAYERS"):
        monkeypatch.delenv(name, raising=False)
