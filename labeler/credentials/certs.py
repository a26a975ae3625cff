"""Development certificates that c2pa accepts: a root that signs one leaf and is then thrown away.

The profile that they follow, and the check of any other certificate, are in `profile`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from labeler.core.atomic import create_private, publish
from labeler.credentials.profile import C2PA_KP, DEVELOPMENT_ORGANISATION, check_certificate
from labeler.errors import OutputExists, UsageError

__all__ = [
    "DEVELOPMENT_ORGANISATION",
    "DevelopmentIdentity",
    "check_certificate",
    "create_development_identity",
    "identity_files",
]


@dataclass(frozen=True, slots=True)
class DevelopmentIdentity:
    """Where a signing identity lives.

    Attributes:
        chain: PEM certificates, signer first.
        key: private key, PKCS#8 PEM, mode 0600.
        root: PEM certificate to give to ``--trust``.
    """

    chain: Path
    key: Path
    root: Path


def identity_files(folder: Path) -> DevelopmentIdentity:
    """The paths of an identity kept in ``folder`` (usually ``$LABELER_HOME/credentials``)."""
    return DevelopmentIdentity(folder / "chain.pem", folder / "key.pem", folder / "root.pem")


def create_development_identity(folder: Path, *, days: int = 365) -> DevelopmentIdentity:
    """Make a development root and a signing certificate that c2pa accepts, for tests and trials.

    Nobody trusts the root, which is what "development" means: readers report the signer as unknown,
    unless they are given ``root.pem``. The root's private key exists only inside this call and is never
    written: nothing needs it later (a new identity is one command), and with it on the disk whoever
    copied it could issue certificates to everyone who trusts ``root.pem``.

    The leaf: X.509 v3, P-256, SHA-256, critical keyUsage digitalSignature, extKeyUsage emailProtection
    and c2pa-kp, authority key identifier, basicConstraints CA false. Validity starts one hour early,
    for clocks that differ.

    Args:
        folder: receives ``chain.pem``, ``key.pem`` (mode 0600) and ``root.pem``.
        days: days of validity, 1 to 3650.

    Raises:
        OutputExists: one of the three files is there already; nothing was written.
        UsageError: ``days`` is out of range.
    """
    if not 1 <= days <= 3650:
        raise UsageError(f"a development certificate is valid for 1 to 3650 days, not {days}.")
    files = identity_files(folder)
    for path in (files.key, files.chain, files.root):
        if os.path.lexists(path):
            raise OutputExists(
                "a signing identity is there already.",
                remedy="Move it away first: nothing can bring a lost key back.",
                path=path,
            )
    root, leaf, key = _issue(dt.timedelta(days=days))
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    written: list[Path] = []
    try:
        create_private(files.key, secret)
        written.append(files.key)
        for path, certificate in ((files.chain, leaf), (files.root, root)):
            with publish(path, mode=0o644) as file:
                file.write(certificate.public_bytes(pem))
            written.append(path)
    except BaseException:
        for path in written:
            with contextlib.suppress(OSError):
                path.unlink()
        raise
    return files


def _issue(validity: dt.timedelta) -> tuple[x509.Certificate, x509.Certificate, ec.EllipticCurvePrivateKey]:
    start = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(hours=1)
    end = start + validity + dt.timedelta(hours=1)
    root_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    root_name, leaf_name = _name("labeler development root, TEST"), _name(DEVELOPMENT_ORGANISATION)
    root_id = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    root = (
        _builder(root_name, root_name, root_key.public_key(), start, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(sign=False), critical=True)
        .add_extension(root_id, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    uses = [ExtendedKeyUsageOID.EMAIL_PROTECTION, C2PA_KP]
    leaf = (
        _builder(leaf_name, root_name, key.public_key(), start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(sign=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(root_id), critical=False
        )
        .sign(root_key, hashes.SHA256())
    )
    return root, leaf, key


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, DEVELOPMENT_ORGANISATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    start: dt.datetime,
    end: dt.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _key_usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not sign,
        crl_sign=not sign,
        encipher_only=False,
        decipher_only=False,
    )
