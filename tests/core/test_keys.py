"""Keys: HKDF by the book, ids, files that others cannot read, and a ring that never overwrites."""

from __future__ import annotations

import os
import pickle
import stat
from pathlib import Path

import pytest

from labeler.core.home import labeler_home
from labeler.core.keys import PUBLIC_KEY, KeyRing, WatermarkKey, hkdf_sha256, read_private
from labeler.errors import DependencyMissing, ExitCode, InsecureKeyFile, OutputError, OutputExists, UsageError

SECRET = bytes(range(32))

RFC5869 = [  # appendix A: hash SHA-256; IKM, salt, info, L, OKM
    (
        "0b" * 22,
        "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9",
        42,
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        bytes(range(0x00, 0x50)).hex(),
        bytes(range(0x60, 0xB0)).hex(),
        bytes(range(0xB0, 0x100)).hex(),
        82,
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
        "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ),
    (
        "0b" * 22,
        "",
        "",
        42,
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
]


@pytest.mark.parametrize(("secret", "salt", "info", "length", "expected"), RFC5869)
def test_hkdf_gives_the_vectors_of_rfc_5869(
    secret: str, salt: str, info: str, length: int, expected: str
) -> None:
    out = hkdf_sha256(
        bytes.fromhex(secret), salt=bytes.fromhex(salt), info=bytes.fromhex(info), length=length
    )
    assert out.hex() == expected


def test_hkdf_gives_8160_bytes_and_no_more() -> None:
    assert len(hkdf_sha256(SECRET, salt=b"", info=b"", length=8160)) == 8160
    with pytest.raises(ValueError, match="8160"):
        hkdf_sha256(SECRET, salt=b"", info=b"", length=8161)


def test_a_key_id_follows_from_the_secret_and_does_not_contain_it() -> None:
    key = WatermarkKey.from_secret(SECRET)
    assert key == WatermarkKey.from_secret(SECRET)
    assert key.key_id.startswith("key-") and len(key.key_id) == 12
    assert key.key_id[4:] not in SECRET.hex()
    assert key.key_id != WatermarkKey.from_secret(SECRET[::-1]).key_id
    assert not key.public


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_secret_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(UsageError):
        WatermarkKey.from_secret(bytes(length))


def test_generated_keys_differ() -> None:
    assert len({WatermarkKey.generate().secret for _ in range(50)}) == 50


def test_derived_keys_differ_by_purpose_and_by_key_and_are_repeatable() -> None:
    one, other = WatermarkKey.from_secret(SECRET), PUBLIC_KEY
    assert one.derive("watermark/image/1") == one.derive("watermark/image/1")
    purposes = ["watermark/image/1", "watermark/audio/1", "watermark/image/2"]
    assert len({key.derive(purpose) for key in (one, other) for purpose in purposes}) == 6
    assert len(one.derive("x", 100)) == 100
    assert one.derive("x", 100)[:32] == one.derive("x")
    assert SECRET not in one.derive("x", 100)


def test_the_public_key_is_the_published_constant() -> None:
    import hashlib

    assert PUBLIC_KEY.key_id == "public-1" and PUBLIC_KEY.public
    assert PUBLIC_KEY.secret == hashlib.sha256(b"labeler public watermark key 1").digest()


def test_a_secret_is_never_printed() -> None:
    key = WatermarkKey.from_secret(SECRET)
    for text in (repr(key), str(key), f"{key}", repr([key]), repr({"key": key})):
        assert SECRET.hex() not in text
        assert repr(SECRET)[2:-1] not in text
    assert pickle.loads(pickle.dumps(key)) == key, "workers get it whole"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o601, 0o610, 0o777])
def test_a_key_file_that_others_may_use_is_refused_with_the_command_that_helps(
    tmp_path: Path, mode: int
) -> None:
    ring = KeyRing(tmp_path)
    path = ring.add(WatermarkKey.from_secret(SECRET))
    path.chmod(mode)
    with pytest.raises(InsecureKeyFile) as caught:
        ring.private_keys()
    assert "chmod 600" in caught.value.remedy and str(path) in caught.value.remedy
    assert caught.value.exit_code == ExitCode.OUTPUT
    assert SECRET.hex() not in str(caught.value) + repr(caught.value)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_key_file_of_the_owner_alone_is_read(tmp_path: Path, mode: int) -> None:
    ring = KeyRing(tmp_path)
    ring.add(WatermarkKey.from_secret(SECRET)).chmod(mode)
    assert ring.private_keys() == [WatermarkKey.from_secret(SECRET)]


def test_a_new_key_file_has_mode_0600_in_a_folder_of_mode_0700_under_any_umask(tmp_path: Path) -> None:
    for umask in (0o000, 0o022, 0o077):
        before = os.umask(umask)
        try:
            path = KeyRing(tmp_path / f"{umask:o}").add(WatermarkKey.from_secret(SECRET))
        finally:
            os.umask(before)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_linked_key_file_is_refused(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "a")
    real = KeyRing(tmp_path / "b").add(WatermarkKey.from_secret(SECRET))
    ring.folder.mkdir(parents=True)
    (ring.folder / real.name).symlink_to(real)
    with pytest.raises(OutputError):
        ring.private_keys()


def test_a_fifo_in_place_of_a_key_file_does_not_block(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    ring.folder.mkdir()
    os.mkfifo(ring.folder / "watermark-00000000.key", 0o600)
    with pytest.raises(OutputError):
        ring.private_keys()


def test_a_folder_in_place_of_a_key_file_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        read_private(tmp_path)


def test_the_ring_lists_the_public_key_then_private_ones_newest_first(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    assert ring.all_keys() == [PUBLIC_KEY]
    keys = [WatermarkKey.from_secret(bytes([index]) * 32) for index in range(3)]
    for index, key in enumerate(keys):
        path = ring.add(key)
        os.utime(path, ns=(10**18 + index, 10**18 + index))
    assert ring.all_keys() == [PUBLIC_KEY, keys[2], keys[1], keys[0]]
    assert ring.get("private") == keys[2]
    assert ring.get("public-1") == PUBLIC_KEY
    assert ring.get(keys[0].key_id) == keys[0], "a retired key stays readable"


@pytest.mark.parametrize("name", ["private", "key-00000000", "", "../x"])
def test_a_key_that_is_not_there_is_named_with_a_remedy(tmp_path: Path, name: str) -> None:
    with pytest.raises(DependencyMissing) as caught:
        KeyRing(tmp_path).get(name)
    assert "keys init" in caught.value.remedy
    assert caught.value.exit_code == ExitCode.DEPENDENCY


def test_adding_a_key_twice_leaves_the_first_file_as_it_was(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    key = WatermarkKey.from_secret(SECRET)
    path = ring.add(key)
    before = (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
    with pytest.raises(OutputExists):
        ring.add(key)
    assert (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) == before


@pytest.mark.parametrize(
    "content", [b"", b"zz" * 32, SECRET.hex().encode()[:-2], SECRET, b"\xff" * 64, SECRET.hex().encode() * 2]
)
def test_a_damaged_key_file_is_named_and_its_content_is_not_shown(tmp_path: Path, content: bytes) -> None:
    ring = KeyRing(tmp_path)
    path = ring.add(WatermarkKey.from_secret(SECRET))
    path.write_bytes(content)
    with pytest.raises(DependencyMissing) as caught:
        ring.private_keys()
    assert caught.value.path == str(path)
    shown = str(caught.value) + repr(caught.value) + repr(caught.value.__cause__)
    assert not content or content.decode("latin-1")[:20] not in shown
    assert SECRET.hex()[:20] not in shown


def test_home_is_the_argument_then_the_environment_then_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABELER_HOME", str(tmp_path / "env"))
    assert labeler_home(tmp_path / "arg") == tmp_path / "arg"
    assert labeler_home() == tmp_path / "env"
    monkeypatch.delenv("LABELER_HOME")
    assert labeler_home().name == "labeler"
