from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from credentials_support import Signed, media

from labeler.credentials import certs, identity
from labeler.credentials.identity import SigningIdentity
from labeler.types import Label


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    certs.create_development_identity(folder / "credentials")
    return folder


@pytest.fixture(scope="session")
def signer(home: Path) -> SigningIdentity:
    return identity.load(home)


@pytest.fixture(scope="session")
def root(home: Path) -> Path:
    return home / "credentials" / "root.pem"


@pytest.fixture(scope="session")
def label() -> Label:
    return Label(
        producer="00110102MA00000000",
        produce_id="0123456789abcdef",
        generator="example-model/2.1",
        author="Ada Example 示例",
        rights="© 2026 Example",
        created="2026-11-23T12:00:00Z",
    )


@pytest.fixture(scope="session")
def signed(signer: SigningIdentity, label: Label) -> Callable[..., Signed]:
    from labeler.credentials import sign

    def run(data: bytes, media_type: str = "image/jpeg", **options: object) -> Signed:
        target = io.BytesIO()
        return Signed(
            manifest=sign.sign(io.BytesIO(data), target, media(media_type), label, signer, **options),
            data=target.getvalue(),
        )

    return run
