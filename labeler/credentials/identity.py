"""The certificate and key that sign manifests, and the bridge from them to c2pa.

The key is opened with ``cryptography``, because c2pa-python 0.38.1 itself takes unencrypted PKCS#8
only; so encrypted PKCS#8, SEC1 and PKCS#1 work too. A key that never leaves its module (PKCS#11, KMS)
signs through a function: `SigningIdentity.with_external_key`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from labeler.core.home import labeler_home
from labeler.core.keys import read_private
from labeler.credentials import certs, profile
from labeler.errors import DependencyMissing, InputError, LabelerError, UsageError
from labeler.media.files import read_source

__all__ = ["SigningIdentity", "load"]

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_ALGORITHMS = ("es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519")
_INIT = "`labeler keys init` makes a development identity; a real one goes into the same folder."


@dataclass(frozen=True, slots=True)
class SigningIdentity:
    """A certificate chain and the private key of its first certificate.

    Attributes:
        chain_pem: PEM certificates, the signer's first.
        algorithm: COSE name of the signature: es256, es384, es512, ps256, ps384, ps512 or ed25519.
        name: common name and organisation of the signer.
        not_before: start of validity.
        not_after: end of validity.
        is_development: whether the certificate says that it is for development or tests only.
        key: the private key, never printed; None if ``external`` is set.
        external: signs bytes with a key that is not here.
    """

    chain_pem: bytes = field(repr=False)
    algorithm: str
    name: str
    not_before: dt.datetime
    not_after: dt.datetime
    is_development: bool
    key: PrivateKey | None = field(default=None, repr=False, compare=False)
    external: Callable[[bytes], bytes] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def with_external_key(
        cls, chain_pem: bytes, algorithm: str, sign: Callable[[bytes], bytes]
    ) -> SigningIdentity:
        """An identity whose key signs elsewhere: PKCS#11, a KMS, another process.

        Args:
            chain_pem: PEM certificates, the signer's first.
            algorithm: es256, es384, es512, ps256, ps384, ps512 or ed25519.
            sign: takes the bytes to sign (not their hash), returns a COSE signature (RFC 9053): for
                ECDSA r and s side by side. What it raises reaches the caller of ``sign``.

        Raises:
            UsageError: the chain cannot be parsed, or the algorithm is unknown.
        """
        if algorithm not in _ALGORITHMS:
            raise UsageError(f"unknown signature algorithm {algorithm!r}.", remedy=f"Use {_ALGORITHMS}.")
        return cls._of(profile.load_chain(chain_pem), algorithm, external=sign)

    @classmethod
    def _of(
        cls,
        chain: list[x509.Certificate],
        algorithm: str,
        *,
        key: PrivateKey | None = None,
        external: Callable[[bytes], bytes] | None = None,
    ) -> SigningIdentity:
        leaf = chain[0]
        return cls(
            chain_pem=b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain),
            algorithm=algorithm,
            name=_name(leaf),
            not_before=leaf.not_valid_before_utc,
            not_after=leaf.not_valid_after_utc,
            is_development=profile.is_development(leaf),
            key=key,
            external=external,
        )

    def key_pem(self) -> bytes:
        """The private key as unencrypted PKCS#8, for c2pa; it is never written anywhere."""
        if self.key is None:
            raise UsageError("the key of this identity is kept elsewhere.")
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def check_validity(self) -> None:
        """Refuse a certificate that is not valid now; c2pa would, with less to say.

        Raises:
            DependencyMissing: expired, or not valid yet.
        """
        now = dt.datetime.now(dt.UTC)
        if now > self.not_after:
            raise DependencyMissing(
                f"the signing certificate ({self.name}) expired on {self.not_after.date()}.",
                remedy="Renew it, or move it away and run `labeler keys init` for a development one.",
            )
        if now < self.not_before:
            raise DependencyMissing(
                f"the signing certificate ({self.name}) is not valid before {self.not_before.isoformat()}.",
                remedy="Check this machine's clock.",
            )


class NativeSigner:
    """A c2pa signer for one identity, and the exception that c2pa swallows.

    A key in memory is handed over as PKCS#8 (``Signer.from_info``): c2pa then reserves 1.6 kB for the
    signature, against 10 kB of padding in every file for a callback. A key that lives elsewhere signs
    through ``SigningIdentity.external``. c2pa-python 0.38.1 catches what a callback raises, writes its
    text to its log and reports "COSE signature invalid"; so nothing is raised into it here: the
    exception is kept in ``failure``, and an empty signature tells c2pa to stop.

    Made for one signature (0.3 ms), so that ``failure`` belongs to it and nothing crosses a fork.
    """

    def __init__(self, identity: SigningIdentity) -> None:
        import c2pa

        self.failure: BaseException | None = None
        self._identity = identity
        if identity.external is None:
            info = c2pa.C2paSignerInfo(
                identity.algorithm.encode("ascii"), identity.chain_pem, identity.key_pem(), None
            )
            self.native: Any = c2pa.Signer.from_info(info)
        else:
            algorithm = c2pa.C2paSigningAlg[identity.algorithm.upper()]
            self.native = c2pa.Signer.from_callback(self._sign, algorithm, identity.chain_pem.decode("ascii"))

    def _sign(self, data: bytes) -> bytes:
        try:
            assert self._identity.external is not None
            return self._identity.external(data)
        except BaseException as error:
            self.failure = error
            return b""

    def __enter__(self) -> NativeSigner:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.native.close()


def load(
    home: Path | str | None = None,
    *,
    certificate: Path | None = None,
    key: Path | None = None,
    passphrase: bytes | None = None,
) -> SigningIdentity:
    """The signing identity from ``$LABELER_HOME/credentials``, or from two files.

    Args:
        home: replaces ``$LABELER_HOME``.
        certificate: PEM chain, the signer's first; needs ``key``.
        key: PEM private key, PKCS#8 (also encrypted) or SEC1/PKCS#1, mode 0600; needs ``certificate``.
        passphrase: of an encrypted key; it never appears in an error.

    Raises:
        DependencyMissing: there is no identity, or its files cannot be used.
        InsecureKeyFile: others may read the key file.
        UsageError: only one of the two files was given, or the passphrase is missing or wrong.
    """
    if (certificate is None) != (key is None):
        raise UsageError("a signing certificate and its key must be given together.")
    if certificate is None or key is None:
        files = certs.identity_files(labeler_home(home) / "credentials")
        certificate, key = files.chain, files.key
    chain_pem = _read(certificate, private=False)
    private_key = _open_key(_read(key, private=True), passphrase, key)
    try:
        chain = profile.load_chain(chain_pem)
    except UsageError as error:
        raise DependencyMissing(error.message, remedy=error.remedy, path=certificate) from None
    _check_match(chain[0], private_key, certificate, key)
    return SigningIdentity._of(chain, _algorithm(private_key, key), key=private_key)


def _read(path: Path, *, private: bool) -> bytes:
    try:
        if private:
            return read_private(path)
        if not path.exists():
            raise FileNotFoundError
        return read_source(path, limits=profile.PEM_LIMITS).data
    except FileNotFoundError:
        what = "key" if private else "certificate"
        raise DependencyMissing(f"there is no signing {what}.", remedy=_INIT, path=path) from None
    except (InputError, OSError) as error:
        reason = error.message if isinstance(error, InputError) else f"{error.strerror or error}."
        raise DependencyMissing(f"cannot be read: {reason}", remedy="Check the file.", path=path) from None


def _open_key(pem: bytes, passphrase: bytes | None, path: Path) -> PrivateKey:
    """Parse a private key; errors of ``cryptography`` are not chained, so no key text can leak."""
    problem: LabelerError
    try:
        key = serialization.load_pem_private_key(pem, passphrase)
    except TypeError:
        if passphrase is not None:
            return _open_key(pem, None, path)  # a passphrase that is not needed does no harm
        problem = UsageError(
            "the signing key is encrypted and no passphrase was given.",
            remedy="Give it through the environment or a prompt, never on the command line.",
            path=path,
        )
    except (ValueError, UnsupportedAlgorithm):
        if b"ENCRYPTED" in pem:
            problem = UsageError("the passphrase does not open the signing key.", path=path)
        else:
            problem = DependencyMissing(
                "this is not a PEM private key.", remedy="PKCS#8, SEC1 or PKCS#1 was expected.", path=path
            )
    else:
        if isinstance(key, PrivateKey):
            return key
        problem = DependencyMissing(
            f"{type(key).__name__} cannot sign a manifest.", remedy="Use P-256, RSA or Ed25519.", path=path
        )
    raise problem from None


def _check_match(leaf: x509.Certificate, key: PrivateKey, certificate_path: Path, key_path: Path) -> None:
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    own = key.public_key().public_bytes(serialization.Encoding.DER, spki)
    try:
        certified = leaf.public_key().public_bytes(serialization.Encoding.DER, spki)
    except (ValueError, UnsupportedAlgorithm):
        certified = b""
    if own != certified:
        raise DependencyMissing(
            f"the key {key_path.name} does not belong to the first certificate of {certificate_path.name}.",
            remedy="Put the signer's certificate first, or give the key that it was issued for.",
            path=key_path,
        )


def _algorithm(key: PrivateKey, path: Path) -> str:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    if key.curve.name not in _CURVES:
        raise DependencyMissing(
            f"the curve {key.curve.name} is not allowed in C2PA.",
            remedy="Use P-256, P-384 or P-521.",
            path=path,
        )
    return _CURVES[key.curve.name]


def _name(leaf: x509.Certificate) -> str:
    parts = []
    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        parts += [str(each.value) for each in leaf.subject.get_attributes_for_oid(oid)[:1]]
    return " / ".join(dict.fromkeys(parts))
