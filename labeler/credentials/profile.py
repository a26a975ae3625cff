"""The C2PA certificate profile, rule by rule.

`check_certificate` says which exact rule a certificate breaks, because c2pa itself says only "the
certificate is invalid". Sources: C2PA Technical Specification 2.2, 14.5.1 (X.509 certificates); RFC
5280; and what c2pa-python 0.38.1 was measured to accept.
"""

from __future__ import annotations

import datetime as dt
import itertools

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier, SignatureAlgorithmOID

from labeler.errors import UsageError
from labeler.media.limits import Limits
from labeler.types import Finding

__all__ = [
    "C2PA_KP",
    "DEVELOPMENT_ORGANISATION",
    "PEM_LIMITS",
    "SIGNER_EKU_OIDS",
    "check_certificate",
    "is_development",
    "load_chain",
]

PEM_LIMITS = Limits(file_bytes=16 << 20)
"""Size of a file of certificates."""

DEVELOPMENT_ORGANISATION = "labeler development, TEST"
"""Organisation of every certificate that labeler makes itself."""

_TEST_MARKS = ("FOR TESTING_ONLY", "C2PA Test Signing Cert", DEVELOPMENT_ORGANISATION)

C2PA_KP = ObjectIdentifier("1.3.6.1.4.1.62558.2.1")
_DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")
_MS_DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.4.1.311.76.59.1.9")
_SIGNING_USES = {
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "emailProtection",
    C2PA_KP: "c2pa-kp",
    _DOCUMENT_SIGNING: "documentSigning",
    _MS_DOCUMENT_SIGNING: "MS documentSigning",
}
_EXCLUSIVE_USES = {
    ExtendedKeyUsageOID.TIME_STAMPING: "timeStamping",
    ExtendedKeyUsageOID.OCSP_SIGNING: "OCSPSigning",
}
SIGNER_EKU_OIDS = tuple(oid.dotted_string for oid in (*_SIGNING_USES, *_EXCLUSIVE_USES))
"""The six extended key usages that C2PA's own list (valid_eku_oids.cfg) knows."""

_SIGNATURES = {
    SignatureAlgorithmOID.RSA_WITH_SHA256,
    SignatureAlgorithmOID.RSA_WITH_SHA384,
    SignatureAlgorithmOID.RSA_WITH_SHA512,
    SignatureAlgorithmOID.RSASSA_PSS,
    SignatureAlgorithmOID.ECDSA_WITH_SHA256,
    SignatureAlgorithmOID.ECDSA_WITH_SHA384,
    SignatureAlgorithmOID.ECDSA_WITH_SHA512,
    SignatureAlgorithmOID.ED25519,
}
_CURVES = ("secp256r1", "secp384r1", "secp521r1")


def load_chain(pem: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file in their order.

    Raises:
        UsageError: there is none, or one cannot be parsed.
    """
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise UsageError(
            "no readable PEM certificate was found.",
            remedy="Give a file with -----BEGIN CERTIFICATE----- blocks, the signer's first; "
            "DER is converted by: openssl x509 -inform der -in FILE -out FILE.pem",
        ) from error


def is_development(certificate: x509.Certificate) -> bool:
    """Whether a certificate says itself that it is for development or tests only."""
    text = certificate.subject.rfc4514_string() + "\n" + certificate.issuer.rfc4514_string()
    return any(mark.replace(",", "\\,") in text for mark in _TEST_MARKS)


class _Findings(list[Finding]):
    def error(self, name: str, detail: str) -> None:
        self.append(Finding(id=f"cert.{name}", severity="error", detail=detail))

    def warn(self, name: str, detail: str) -> None:
        self.append(Finding(id=f"cert.{name}", severity="warn", detail=detail))


def check_certificate(pem: bytes, *, at: dt.datetime | None = None) -> tuple[Finding, ...]:
    """Which rules of the C2PA certificate profile a PEM chain breaks.

    Findings of severity ``error`` are what makes c2pa refuse to sign, or readers call the signature
    invalid; ``warn`` is what some readers object to. A chain without either gives one ``cert.ok``.

    Args:
        pem: certificates, the signer's first, then whoever issued it, and so on.
        at: the time for which validity is judged; default now.
    """
    found = _Findings()
    if b"PRIVATE KEY-----" in pem:
        found.warn("private-key", "the file holds a private key too: keep certificates apart from it.")
    try:
        chain = load_chain(pem)
    except UsageError as error:
        found.error("unreadable", str(error))
        return tuple(found)
    leaf = chain[0]
    _check_leaf(leaf, found)
    _check_validity(chain, at or dt.datetime.now(dt.UTC), found)
    _check_chain(chain, found)
    if is_development(leaf):
        detail = "this is a development or test certificate: readers report its signer as unknown."
        found.append(Finding(id="cert.development", severity="info", detail=detail))
    if all(finding.severity == "info" for finding in found):
        until = leaf.not_valid_after_utc.date().isoformat()
        found.insert(
            0, Finding(id="cert.ok", severity="info", detail=f"no rule is broken; valid until {until}")
        )
    return tuple(found)


def _check_leaf(leaf: x509.Certificate, found: _Findings) -> None:
    if leaf.version is not x509.Version.v3:
        found.error("version", f"X.509 {leaf.version.name}; C2PA needs v3: issue it with extensions.")
    _check_key(leaf, found)
    _check_signature_algorithm(leaf, "the signer's certificate", found)
    try:
        extensions = leaf.extensions
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        found.error("extensions", f"the extensions cannot be parsed ({type(error).__name__}): issue it anew.")
        return
    kinds = {extension.oid: extension for extension in extensions}
    constraints = kinds.get(x509.BasicConstraints.oid)
    if constraints is not None and constraints.value.ca:
        found.error("ca", "basicConstraints says CA: a signer must be an end-entity certificate (CA:FALSE).")
    if x509.AuthorityKeyIdentifier.oid not in kinds and leaf.issuer != leaf.subject:
        found.error("aki", "authorityKeyIdentifier is missing: add authorityKeyIdentifier = keyid.")
    _check_key_usage(kinds.get(x509.KeyUsage.oid), found)
    _check_extended_key_usage(kinds.get(x509.ExtendedKeyUsage.oid), found)
    if not leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME):
        found.warn("organisation", "the subject names no organisation (O): readers cannot name the signer.")


def _check_key(leaf: x509.Certificate, found: _Findings) -> None:
    try:
        key = leaf.public_key()
    except (ValueError, UnsupportedAlgorithm):
        found.error("key", "the public key is of an unknown kind: use P-256, P-384, P-521, RSA or Ed25519.")
        return
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            found.error("key", f"the curve {key.curve.name} is not allowed: use P-256, P-384 or P-521.")
    elif isinstance(key, rsa.RSAPublicKey):
        if key.key_size < 2048:
            found.error("key", f"the RSA key has {key.key_size} bits: at least 2048 are needed.")
    elif not isinstance(key, ed25519.Ed25519PublicKey):
        found.error("key", f"{type(key).__name__} is not allowed: use P-256, P-384, P-521, RSA or Ed25519.")


def _check_signature_algorithm(certificate: x509.Certificate, what: str, found: _Findings) -> None:
    if certificate.signature_algorithm_oid not in _SIGNATURES:
        name = certificate.signature_algorithm_oid._name
        found.error("signature", f"{what} was signed with {name}: SHA-256, 384 or 512, or Ed25519 is needed.")


def _check_key_usage(extension: x509.Extension[x509.ExtensionType] | None, found: _Findings) -> None:
    if extension is None:
        found.error("key-usage", "keyUsage is missing: add keyUsage = critical, digitalSignature.")
        return
    usage = extension.value
    assert isinstance(usage, x509.KeyUsage)
    if not (usage.digital_signature or usage.content_commitment):
        found.error(
            "key-usage", "keyUsage lacks digitalSignature: add it (keyUsage = critical, digitalSignature)."
        )
    elif not usage.digital_signature:
        found.warn("key-usage", "keyUsage has nonRepudiation only: C2PA 14.5.1 asks for digitalSignature.")
    if usage.key_cert_sign:
        found.error("key-usage-ca", "keyUsage has keyCertSign, which is for authorities: leave it out.")
    if not extension.critical:
        found.warn("key-usage-critical", "keyUsage is not critical: C2PA 14.5.1 recommends that it is.")


def _check_extended_key_usage(extension: x509.Extension[x509.ExtensionType] | None, found: _Findings) -> None:
    if extension is None:
        found.error("eku", "extKeyUsage is missing: add extendedKeyUsage = emailProtection.")
        return
    usage = extension.value
    assert isinstance(usage, x509.ExtendedKeyUsage)
    oids = set(usage)
    if ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in oids:
        found.error("eku-any", "extKeyUsage has anyExtendedKeyUsage, which C2PA forbids: leave it out.")
    for oid, name in _EXCLUSIVE_USES.items():
        if oid in oids and len(oids) > 1:
            found.error("eku-mixed", f"extKeyUsage has {name} beside other uses: it must stand alone.")
        elif oid in oids:
            found.warn("eku-purpose", f"extKeyUsage is {name} only: accepted, but it is no signer's use.")
    if not oids & (_SIGNING_USES.keys() | _EXCLUSIVE_USES.keys()):
        names = ", ".join(sorted(oid.dotted_string for oid in oids)) or "nothing"
        found.error("eku", f"extKeyUsage has only {names}: add emailProtection, or c2pa-kp (62558.2.1).")
    elif ExtendedKeyUsageOID.EMAIL_PROTECTION not in oids and oids & _SIGNING_USES.keys():
        names = ", ".join(_SIGNING_USES[oid] for oid in oids if oid in _SIGNING_USES)
        detail = f"extKeyUsage has {names} without emailProtection: labeler accepts it, but readers with"
        found.warn(
            "eku-configured", f"{detail} c2pa's default settings call it invalid; add emailProtection."
        )


def _check_validity(chain: list[x509.Certificate], at: dt.datetime, found: _Findings) -> None:
    for index, certificate in enumerate(chain):
        what = "the signer's certificate" if index == 0 else f"certificate {index + 1} of the chain"
        start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if at > end:
            found.error("expired", f"{what} expired on {end.isoformat()}: renew it.")
        elif at < start:
            found.error("not-yet-valid", f"{what} is valid from {start.isoformat()} on: check the clock.")


def _check_chain(chain: list[x509.Certificate], found: _Findings) -> None:
    leaf = chain[0]
    if _is_self_signed(leaf):
        if len(chain) > 1 and not _is_self_signed(chain[-1]):
            found.error("order", "the chain starts with the root: put the signer's certificate first.")
        else:
            detail = "the signer's certificate is self-signed: have it issued by an authority, if only"
            found.error("self-signed", f"{detail} one of your own (`labeler keys init`).")
        return
    for index, (certificate, issuer) in enumerate(itertools.pairwise(chain), start=1):
        what = f"certificate {index + 1} of the chain"
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            found.error("order", f"{what} did not issue the one before it: signer first, then its issuer.")
            break
        except UnsupportedAlgorithm:
            found.error("signature", f"{what} signs with an algorithm that cannot be checked.")
            break
        _check_issuer(issuer, what, found)
        _check_issuer_strength(certificate, issuer, what, found)
        if not _is_self_signed(issuer):
            _check_signature_algorithm(issuer, what, found)


def _check_issuer(issuer: x509.Certificate, what: str, found: _Findings) -> None:
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError, x509.DuplicateExtension) as error:
        found.error("issuer", f"{what} lacks basicConstraints or keyUsage ({type(error).__name__}).")
        return
    if not constraints.ca or not usage.key_cert_sign:
        found.error("issuer", f"{what} is no authority: basicConstraints CA:TRUE and keyCertSign are needed.")


def _check_issuer_strength(
    certificate: x509.Certificate, issuer: x509.Certificate, what: str, found: _Findings
) -> None:
    key = issuer.public_key()
    is_p521 = isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp521r1"
    if is_p521 and certificate.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA512:
        found.error("issuer-p521", f"{what} has a P-521 key but signs with less than SHA-512.")


def _is_self_signed(certificate: x509.Certificate) -> bool:
    if certificate.issuer != certificate.subject:
        return False
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
