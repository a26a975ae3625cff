"""Watermark keys: a 256-bit master secret each, a key ring on disk, HKDF per purpose.

A key's id names it in reports. The id of a private key is computed from its secret, so it cannot be
confused with another. ``public-1`` is not a secret at all: its master secret is the published constant
``SHA-256("labeler public watermark key 1")``. Whoever installs labeler reads marks made with it, and
could also make them: it says "labelled", never "labelled by". Marks made with a private key are read
(and made) only by those who hold it.

Layers never use a master secret: they derive a key per purpose, for example
``key.derive("watermark/image/1")``, by HKDF-SHA256 (RFC 5869) with the key id as salt.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import secrets
import shlex
import stat
from dataclasses import dataclass, field
from pathlib import Path

from labeler.core.atomic import create_private
from labeler.core.home import labeler_home
from labeler.errors import DependencyMissing, InsecureKeyFile, OutputError, OutputExists, UsageError

__all__ = ["PUBLIC_KEY", "KeyRing", "WatermarkKey", "hkdf_sha256", "read_private"]


def hkdf_sha256(secret: bytes, *, salt: bytes, info: bytes, length: int = 32) -> bytes:
    """HKDF-SHA256 of RFC 5869: extract, then expand to ``length`` bytes (at most 8160)."""
    if length > 255 * 32:
        raise ValueError("HKDF-SHA256 gives at most 8160 bytes")
    prk = hmac.digest(salt or bytes(32), secret, "sha256")
    block, out = b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(prk, block + info + bytes([counter]), "sha256")
        out += block
    return out[:length]


@dataclass(frozen=True, slots=True)
class WatermarkKey:
    """A watermark key.

    Attributes:
        key_id: ``public-N``, or ``key-`` and 8 hex digits computed from the secret.
        secret: 32 bytes; never printed.
        public: whether the secret is published.
    """

    key_id: str
    secret: bytes = field(repr=False)
    public: bool = False

    @classmethod
    def from_secret(cls, secret: bytes) -> WatermarkKey:
        """A private key; its id is derived from the secret and does not reveal it."""
        if len(secret) != 32:
            raise UsageError(f"a watermark key has 32 bytes, not {len(secret)}.")
        key_id = hkdf_sha256(secret, salt=b"", info=b"labeler/key-id/1", length=4).hex()
        return cls(f"key-{key_id}", secret)

    @classmethod
    def generate(cls) -> WatermarkKey:
        """A new private key from the system's random source."""
        return cls.from_secret(secrets.token_bytes(32))

    def derive(self, purpose: str, length: int = 32) -> bytes:
        """Key bytes for one purpose and modality, for example ``watermark/image/1``."""
        info = f"labeler/{purpose}".encode()
        return hkdf_sha256(self.secret, salt=self.key_id.encode(), info=info, length=length)


PUBLIC_KEY = WatermarkKey("public-1", hashlib.sha256(b"labeler public watermark key 1").digest(), public=True)
"""The published key that every installation knows."""


_REMEDY = "Put the key file itself there, with mode 0600."
_MAX_BYTES = 1 << 20


def read_private(path: Path) -> bytes:
    """Read a secret file; refuse it if anybody but the owner may read it.

    Raises:
        InsecureKeyFile: the file has group or other permission bits, or is no regular file.
        OutputError: it cannot be opened.
        FileNotFoundError: it is not there.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise InsecureKeyFile("the key file is not a regular file.", remedy=_REMEDY, path=path)
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise InsecureKeyFile(
                    f"the key file has mode {stat.S_IMODE(mode):04o}: others than its owner may use it.",
                    remedy=f"Run: chmod 600 {shlex.quote(str(path))}",
                    path=path,
                )
            return file.read(_MAX_BYTES)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InsecureKeyFile("the key file is a symbolic link.", remedy=_REMEDY, path=path) from error
        if error.errno == errno.EISDIR:
            raise InsecureKeyFile("the key file is not a regular file.", remedy=_REMEDY, path=path) from error
        raise OutputError(
            f"cannot read the key file: {error.strerror}.", remedy="Check its permissions.", path=path
        ) from error


class KeyRing:
    """The keys of this installation: the public one, and private ones in ``$LABELER_HOME/keys``.

    Every file ``watermark-*.key`` holds one secret as 64 hex digits. The newest is used to mark when a
    private key is asked for; all are tried when verifying, so retired keys stay readable.
    """

    def __init__(self, home: Path | str | None = None) -> None:
        self.folder = labeler_home(home) / "keys"

    def private_keys(self) -> list[WatermarkKey]:
        """Private keys, newest first."""
        if not self.folder.is_dir():
            return []
        files = sorted(self.folder.glob("watermark-*.key"), key=lambda p: (-p.stat().st_mtime_ns, p.name))
        return [self._read(path) for path in files]

    def all_keys(self) -> list[WatermarkKey]:
        """The public key, then private keys, newest first."""
        return [PUBLIC_KEY, *self.private_keys()]

    def get(self, name: str) -> WatermarkKey:
        """The key with that id; ``private`` stands for the newest private key.

        Raises:
            DependencyMissing: there is no such key.
        """
        keys = self.all_keys()
        for key in keys[1:2] if name == "private" else keys:
            if name in (key.key_id, "private"):
                return key
        raise DependencyMissing(
            f"there is no watermark key {name!r} in {self.folder}.",
            remedy="`labeler keys init` makes a private key; `labeler keys list` shows what there is.",
        )

    def add(self, key: WatermarkKey) -> Path:
        """Write a private key to the ring, mode 0600; never overwrites.

        Raises:
            OutputExists: the key is there already.
        """
        path = self.folder / f"watermark-{key.key_id.removeprefix('key-')}.key"
        if path.exists():
            raise OutputExists("the key is in the ring already.", path=path)
        create_private(path, key.secret.hex().encode() + b"\n")
        return path

    @staticmethod
    def _read(path: Path) -> WatermarkKey:
        try:
            return WatermarkKey.from_secret(bytes.fromhex(read_private(path).decode("ascii").strip()))
        except (ValueError, UsageError) as error:
            raise DependencyMissing(
                "this is not a watermark key: 64 hex digits were expected.",
                remedy="Restore the file from a backup, or move it out of the folder.",
                path=path,
            ) from error
