"""Certificates and keys: what is made, what is checked, what is refused, and that no secret leaks."""

from __future__ import annotations

import datetime as dt
import io
import json
import stat
import traceback
from pathlib import Path

import pytest
from credentials_support import certificate, media, pem, picture
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from labeler.credentials import certs, identity, read, sign
from labeler.credentials.identity import SigningIdentity
from labeler.credentials.trust import Trust
from labeler.errors import DependencyMissing, InsecureKeyFile, LabelerError, OutputExists, UsageError
from labeler.types import Label

CANARY = b"correct horse battery canary"
PKCS8, SEC1 = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
NOTHING = serialization.NoEncryption()
C2PA_KP = ObjectIdentifier("1.3.6.1.4.1.62558.2.1")
DOCUMENT = ObjectIdentifier("1.3.6.1.5.5.7.3.36")


def write(
    folder: Path, chain: bytes, key: object, *, form: object = PKCS8, lock: object = NOTHING
) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "my-chain.pem", folder / "my-key.pem"
    paths[0].write_bytes(chain)
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, lock))  # type: ignore[attr-defined]
    paths[1].chmod(0o600)
    return paths


def ids(chain: bytes) -> dict[str, str]:
    return {finding.id.removeprefix("cert."): finding.severity for finding in certs.check_certificate(chain)}


def test_a_development_identity(tmp_path: Path) -> None:
    made = certs.create_development_identity(tmp_path / "new" / "credentials", days=10)
    assert {path.name for path in made.key.parent.iterdir()} == {"chain.pem", "key.pem", "root.pem"}
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.key.parent.stat().st_mode) & 0o077 == 0
    assert ids(made.chain.read_bytes()) == {"ok": "info", "development": "info"}
    loaded = identity.load(tmp_path / "new")
    assert loaded.is_development
    assert "TEST" in loaded.name
    assert loaded.algorithm == "es256"
    assert dt.timedelta(days=9) < loaded.not_after - dt.datetime.now(dt.UTC) < dt.timedelta(days=11)
    assert b"PRIVATE" not in made.chain.read_bytes() + made.root.read_bytes()
    before = {path: path.read_bytes() for path in made.key.parent.iterdir()}
    with pytest.raises(OutputExists):
        certs.create_development_identity(tmp_path / "new" / "credentials")
    made.key.unlink()
    with pytest.raises(OutputExists):
        certs.create_development_identity(tmp_path / "new" / "credentials")
    assert not made.key.exists()
    assert before[made.root] == made.root.read_bytes()


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_odd_validities(days: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        certs.create_development_identity(tmp_path, days=days)
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_when_a_file_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **options: object) -> None:
        raise OutputExists("no room")

    monkeypatch.setattr(certs, "publish", full)
    with pytest.raises(OutputExists, match="no room"):
        certs.create_development_identity(tmp_path / "c")
    assert not list((tmp_path / "c").iterdir())


def test_no_identity_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DependencyMissing, match="labeler keys init"):
        identity.load(tmp_path)
    with pytest.raises(UsageError, match="together"):
        identity.load(certificate=tmp_path / "x")


def test_a_readable_key_is_refused(tmp_path: Path) -> None:
    made = certs.create_development_identity(tmp_path / "credentials")
    made.key.chmod(0o640)
    with pytest.raises(InsecureKeyFile, match="chmod 600"):
        identity.load(tmp_path)


KEYS = {
    "es256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "es384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "es512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ps256": lambda: rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


@pytest.mark.parametrize("name", KEYS)
def test_every_kind_of_key_signs(name: str, tmp_path: Path, label: Label) -> None:
    root, root_key = certificate(authority=True)
    leaf, key = certificate(issuer=(root, root_key), key=KEYS[name]())
    chain, key_path = write(tmp_path, pem(leaf), key)
    loaded = identity.load(certificate=chain, key=key_path)
    assert loaded.algorithm == name
    assert not loaded.is_development
    root_path = tmp_path / "root.pem"
    root_path.write_bytes(pem(root))
    out = io.BytesIO()
    sign.sign(io.BytesIO(picture()), out, media("image/jpeg"), label, loaded)
    report = read.read(out, media("image/jpeg"), trust=Trust.from_files([root_path]))
    assert (report.content, report.signer, report.signer_name) == ("intact", "trusted", "signer / Example")


@pytest.mark.parametrize("name", ["sec1", "pkcs8-encrypted", "sec1-encrypted"])
def test_keys_that_c2pa_itself_does_not_take(name: str, tmp_path: Path, label: Label) -> None:
    root, root_key = certificate(authority=True)
    leaf, key = certificate(issuer=(root, root_key))
    lock = serialization.BestAvailableEncryption(CANARY) if "encrypted" in name else NOTHING
    form = SEC1 if "sec1" in name else PKCS8
    chain, key_path = write(tmp_path, pem(leaf, root), key, form=form, lock=lock)
    loaded = identity.load(certificate=chain, key=key_path, passphrase=CANARY)
    out = io.BytesIO()
    sign.sign(io.BytesIO(picture()), out, media("image/jpeg"), label, loaded)
    assert read.read(out, media("image/jpeg")).content == "intact"
    if lock is not NOTHING:
        with pytest.raises(UsageError, match="encrypted"):
            identity.load(certificate=chain, key=key_path)
        with pytest.raises(UsageError, match="does not open"):
            identity.load(certificate=chain, key=key_path, passphrase=b"wrong")


def test_an_external_key(tmp_path: Path, label: Label, signer: SigningIdentity) -> None:
    calls = []

    def module(data: bytes) -> bytes:
        calls.append(data)
        assert isinstance(signer.key, ec.EllipticCurvePrivateKey)
        r, s = decode_dss_signature(signer.key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    external = SigningIdentity.with_external_key(signer.chain_pem, "es256", module)
    assert external.key is None
    with pytest.raises(UsageError):
        external.key_pem()
    out = io.BytesIO()
    sign.sign(io.BytesIO(picture()), out, media("image/jpeg"), label, external)
    assert len(calls) == 1
    assert read.read(out, media("image/jpeg")).content == "intact"
    with pytest.raises(UsageError, match="es257"):
        SigningIdentity.with_external_key(signer.chain_pem, "es257", module)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    root, root_key = certificate(authority=True)
    leaf, _ = certificate(issuer=(root, root_key))
    chain, key_path = write(tmp_path, pem(leaf), ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(DependencyMissing, match="does not belong"):
        identity.load(certificate=chain, key=key_path)


@pytest.mark.parametrize(
    ("chain", "key"), [(b"", b"x"), (b"x", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")]
)
def test_files_that_are_no_identity(chain: bytes, key: bytes, tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_bytes(chain)
    (tmp_path / "k.pem").write_bytes(key)
    (tmp_path / "k.pem").chmod(0o600)
    with pytest.raises(DependencyMissing):
        identity.load(certificate=tmp_path / "c.pem", key=tmp_path / "k.pem")
    with pytest.raises(DependencyMissing):
        identity.load(certificate=tmp_path, key=tmp_path / "k.pem")


@pytest.mark.parametrize(("start", "days", "text"), [(-40, 30, "expired"), (2, 30, "not valid before")])
def test_a_certificate_out_of_time_is_refused_before_signing(
    start: int, days: int, text: str, tmp_path: Path, label: Label
) -> None:
    root, root_key = certificate(authority=True, start=dt.timedelta(days=-400), days=4000)
    leaf, key = certificate(issuer=(root, root_key), start=dt.timedelta(days=start), days=days)
    loaded = identity.load(**dict(zip(("certificate", "key"), write(tmp_path, pem(leaf), key), strict=True)))
    out = io.BytesIO()
    with pytest.raises(DependencyMissing, match=text):
        sign.sign(io.BytesIO(picture()), out, media("image/jpeg"), label, loaded)
    assert out.getvalue() == b""
    found = ids(pem(leaf))
    assert ("expired" if start < 0 else "not-yet-valid") in found


def test_secrets_appear_nowhere(tmp_path: Path, label: Label, caplog: pytest.LogCaptureFixture) -> None:
    root, root_key = certificate(authority=True)
    leaf, key = certificate(issuer=(root, root_key))
    lock = serialization.BestAvailableEncryption(CANARY)
    chain, key_path = write(tmp_path, pem(leaf), key, lock=lock)
    plain_pem = key.private_bytes(serialization.Encoding.PEM, PKCS8, NOTHING)
    secrets = [CANARY, key_path.read_bytes().split(b"\n")[1], plain_pem.split(b"\n")[1]]
    texts = []
    loaded = identity.load(certificate=chain, key=key_path, passphrase=CANARY)
    texts.append(repr(loaded) + str(loaded))
    damaged = tmp_path / "damaged.pem"
    damaged.write_bytes(plain_pem[:-60] + b"!!" + plain_pem[-40:])
    damaged.chmod(0o600)
    for options in (
        {"certificate": chain, "key": key_path, "passphrase": CANARY + b"wrong"},
        {"certificate": chain, "key": damaged, "passphrase": CANARY},
        {"certificate": tmp_path / "none", "key": key_path, "passphrase": CANARY},
        {"certificate": key_path, "key": key_path, "passphrase": CANARY},
    ):
        with pytest.raises(LabelerError) as caught:
            identity.load(**options)  # type: ignore[arg-type]
        texts.append("".join(traceback.format_exception(caught.value)) + repr(caught.value))
    with pytest.raises(LabelerError) as caught:
        sign.sign(io.BytesIO(b"no jpeg"), io.BytesIO(), media("image/jpeg"), label, loaded)
    texts.append("".join(traceback.format_exception(caught.value)))
    out = io.BytesIO()
    sign.sign(io.BytesIO(picture()), out, media("image/jpeg"), label, loaded)
    texts.append(json.dumps(read.raw(out, media("image/jpeg"))))
    texts += [caplog.text, out.getvalue().decode("latin-1")]
    for secret in secrets:
        assert not any(secret.decode("latin-1") in text for text in texts)


# every rule of the profile, one broken at a time: what `keys check` says, and what c2pa then does


def variants() -> dict[str, tuple[bytes, object, set[str]]]:
    root, root_key = certificate(authority=True, organisation="Root")
    issuer = (root, root_key)
    old_root, old_key = certificate(authority=True, start=dt.timedelta(days=-500), days=4000)
    p521_root, p521_key = certificate(authority=True, key=KEYS["es512"]())

    def leaf(**options: object) -> tuple[bytes, object]:
        cert, key = certificate(issuer=options.pop("by", issuer), **options)  # type: ignore[arg-type]
        return pem(cert), key

    email, code = ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.CODE_SIGNING
    stamp = ExtendedKeyUsageOID.TIME_STAMPING
    anything = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
    both = {"digital_signature": True, "key_cert_sign": True}
    good, good_key = leaf()
    alone, alone_key = certificate()
    return {
        "good": (good, good_key, set()),
        "good with root": (good + pem(root), good_key, set()),
        "kp and email": (*leaf(uses=(C2PA_KP, email)), set()),
        "kp and document": (*leaf(uses=(C2PA_KP, DOCUMENT)), set()),
        "kp": (*leaf(uses=(C2PA_KP,)), set()),
        "no aki": (*leaf(aki=False), {"aki"}),
        "no eku": (*leaf(uses=()), {"eku"}),
        "code signing": (*leaf(uses=(code,)), {"eku"}),
        "any": (*leaf(uses=(email, anything)), {"eku-any"}),
        "stamping and email": (*leaf(uses=(email, stamp)), {"eku-mixed"}),
        "no key usage": (*leaf(usage=False), {"key-usage"}),
        "encipherment": (*leaf(key_usage={"key_encipherment": True}), {"key-usage"}),
        "signing certificates": (*leaf(key_usage=both), {"key-usage-ca"}),
        "authority": (*leaf(authority=True, organisation="Sub"), {"ca"}),
        "rsa 1024": (*leaf(key=rsa.generate_private_key(65537, 1024)), {"key"}),
        "curve": (*leaf(key=ec.generate_private_key(ec.SECP256K1())), {"key"}),
        "expired": (*leaf(by=(old_root, old_key), start=dt.timedelta(days=-40)), {"expired"}),
        "future": (*leaf(start=dt.timedelta(days=3)), {"not-yet-valid"}),
        "self-signed": (pem(alone), alone_key, {"self-signed"}),
        "root first": (pem(root) + good, good_key, {"order"}),
        "wrong issuer": (good + pem(p521_root), good_key, {"order"}),
        "p521 root": (*leaf(by=(p521_root, p521_key)), set()),
        "p521 root in chain": (leaf(by=(p521_root, p521_key))[0] + pem(p521_root), None, {"issuer-p521"}),
    }


@pytest.fixture(scope="module")
def every_variant() -> dict[str, tuple[bytes, object, set[str]]]:
    return variants()


def test_each_broken_rule_is_named(every_variant: dict[str, tuple[bytes, object, set[str]]]) -> None:
    for name, (chain, _, expected) in every_variant.items():
        found = certs.check_certificate(chain)
        errors = {finding.id.removeprefix("cert.") for finding in found if finding.severity == "error"}
        assert expected <= errors, (name, found)
        if not expected:
            assert not errors, (name, found)
        assert all(finding.detail for finding in found)


def test_what_the_check_passes_c2pa_accepts_and_the_reverse(
    every_variant: dict[str, tuple[bytes, object, set[str]]], label: Label
) -> None:
    for name, (chain, key, expected) in every_variant.items():
        if key is None or (isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256k1"):
            continue
        algorithm = "ps256" if isinstance(key, rsa.RSAPrivateKey) else "es256"
        loaded = SigningIdentity._of(identity.profile.load_chain(chain), algorithm, key=key)  # type: ignore[arg-type]
        out = io.BytesIO()
        try:
            sign.sign(io.BytesIO(picture()), out, media("image/jpeg"), label, loaded)
            report = read.read(out, media("image/jpeg"))
            accepted = report.content == "intact" and report.signer == "unknown"
        except LabelerError:
            accepted = False
        if name != "wrong issuer":  # c2pa does not look at what the leaf does not need
            assert accepted == (not expected), name


@pytest.mark.parametrize(
    "junk", [b"", b"junk", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_checking_junk(junk: bytes) -> None:
    assert ids(junk) == {"unreadable": "error"}


def test_a_key_among_the_certificates_is_pointed_out(tmp_path: Path) -> None:
    made = certs.create_development_identity(tmp_path)
    assert ids(made.chain.read_bytes() + made.key.read_bytes())["private-key"] == "warn"


def test_an_expired_signer_is_expired_and_not_altered(label: Label, tmp_path: Path) -> None:
    """c2pa refuses to sign with an expired certificate, so it is put into the signature while it signs.

    Two certificates of one key and one length, one of them expired: the key signs the bytes with the
    expired one, and the same exchange is made in the file afterwards.
    """
    root, root_key = certificate(authority=True, start=dt.timedelta(days=-500), days=4000)
    good, key = certificate(issuer=(root, root_key))
    der = serialization.Encoding.DER
    while True:
        past = dt.timedelta(days=-400)
        old, _ = certificate(issuer=(root, root_key), key=key, start=past)
        if len(old.public_bytes(der)) == len(good.public_bytes(der)):
            break
    change = good.public_bytes(der), old.public_bytes(der)

    def module(data: bytes) -> bytes:
        assert data.count(change[0]) == 1
        r, s = decode_dss_signature(key.sign(data.replace(*change), ec.ECDSA(hashes.SHA256())))  # type: ignore
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    signer = SigningIdentity.with_external_key(pem(good), "es256", module)
    out = io.BytesIO()
    sign.sign(io.BytesIO(picture()), out, media("image/jpeg"), label, signer)
    data = out.getvalue().replace(*change)
    report = read.read(io.BytesIO(data), media("image/jpeg"))
    assert (report.content, report.signer, report.label) == ("intact", "expired", label)
    assert "signingCredential.expired" in report.codes
    root_path = tmp_path / "root.pem"
    root_path.write_bytes(pem(root))
    trusted_root = read.read(io.BytesIO(data), media("image/jpeg"), trust=Trust.from_files([root_path]))
    assert (trusted_root.content, trusted_root.signer) == ("intact", "expired")
    both = read.read(io.BytesIO(data[:-20] + b"~" + data[-19:]), media("image/jpeg"))
    assert (both.content, both.signer) == ("altered", "expired")
