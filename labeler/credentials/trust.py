"""Whom to trust, and the settings that c2pa gets.

Traps of c2pa-python 0.38.1 that this module fences (all measured):

* settings with unknown keys are accepted silently: they are written in one place, here, and tests see
  their effect;
* the reader fetches remote manifests by default: both switches that stop it are set;
* there are no built-in roots, and kinds of trust anchors are not isolated (a root listed for time
  stamps makes signers trusted): every list gets a URI, and the reader checks which one vouched;
* a ``Context`` does not survive a fork: they are kept per process.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from labeler.credentials.profile import PEM_LIMITS, SIGNER_EKU_OIDS, load_chain
from labeler.errors import UsageError
from labeler.media.files import read_source

__all__ = ["SIGNER_LIST", "TIME_LIST", "Trust", "probing_context", "reading_context", "signing_context"]

SIGNER_LIST = "urn:labeler:trust:signers"
TIME_LIST = "urn:labeler:trust:time-stamps"

_NO_NETWORK: dict[str, Any] = {
    "version": 1,
    "core": {
        "allowed_network_hosts": [],
        "max_decompressed_manifest_size_in_mb": 32,
        "backing_store_memory_threshold_in_mb": 64,
    },
}


@dataclass(frozen=True, slots=True)
class Trust:
    """Roots that a reader trusts. Without any, every signer is unknown.

    The development root of this installation is not among them unless the user names it.

    Attributes:
        signers: PEM of authorities whose signers are trusted.
        single_signers: PEM of end-entity certificates that are trusted themselves.
        time_stamps: PEM of authorities whose time stamps are trusted.
    """

    signers: str = ""
    single_signers: str = ""
    time_stamps: str = ""

    @classmethod
    def from_files(cls, signers: Iterable[Path] = (), *, time_stamps: Iterable[Path] = ()) -> Trust:
        """Read PEM files; certificates of authorities and of single signers are told apart.

        Raises:
            InputError: a file cannot be read.
            UsageError: a file holds no certificate, or a time-stamp list one that is no authority.
        """
        pem = _split(_load(signers))
        times = _split(_load(time_stamps))
        if times[1]:
            raise UsageError(
                "a list of time-stamp authorities holds a certificate that is no authority.",
                remedy="Give root or issuing certificates (basicConstraints CA:TRUE).",
            )
        return cls(pem[0], pem[1], times[0])


def _load(paths: Iterable[Path]) -> list[x509.Certificate]:
    found: list[x509.Certificate] = []
    for path in paths:
        data = read_source(path, limits=PEM_LIMITS).data
        try:
            found += load_chain(data)
        except UsageError as error:
            raise UsageError(error.message, remedy=error.remedy, path=path) from None
    return found


def _split(certificates: list[x509.Certificate]) -> tuple[str, str]:
    authorities, others = "", ""
    for certificate in certificates:
        pem = certificate.public_bytes(Encoding.PEM).decode("ascii")
        if _is_authority(certificate):
            authorities += pem
        else:
            others += pem
    return authorities, others


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError, x509.DuplicateExtension):
        return certificate.version is x509.Version.v1 and certificate.issuer == certificate.subject


def reading_context(trust: Trust | None = None) -> Any:
    """The c2pa ``Context`` for reading: no network, the six signer uses of C2PA, the given roots."""
    return _reading_context(os.getpid(), trust or Trust())


@functools.lru_cache(maxsize=8)
def _reading_context(process: int, trust: Trust) -> Any:
    uses = "\n".join(SIGNER_EKU_OIDS)
    anchors: list[dict[str, str]] = []
    if trust.signers or trust.single_signers:
        entry = {"trust_kind": "manifest", "trust_uri": SIGNER_LIST, "trust_anchors": trust.signers}
        anchors.append({**entry, "allowed_list": trust.single_signers, "trust_config": uses})
    if trust.time_stamps:
        entry = {"trust_kind": "tsa", "trust_uri": TIME_LIST, "trust_anchors": trust.time_stamps}
        anchors.append(entry)
    settings = {
        **_NO_NETWORK,
        "verify": {
            "verify_after_reading": True,
            "verify_trust": True,
            "verify_timestamp_trust": True,
            "ocsp_fetch": False,
            "remote_manifest_fetch": False,
        },
        "trust": {"trust_config": uses, "anchors": anchors},
    }
    return _context(settings)


def probing_context() -> Any:
    """The c2pa ``Context`` for finding a manifest without validating it."""
    return _probing_context(os.getpid())


@functools.lru_cache(maxsize=2)
def _probing_context(process: int) -> Any:
    verify = {"verify_after_reading": False, "ocsp_fetch": False, "remote_manifest_fetch": False}
    return _context({**_NO_NETWORK, "verify": verify})


def signing_context(created_labels: tuple[str, ...]) -> Any:
    """The c2pa ``Context`` for signing: no network, no thumbnails, no second read of the output.

    Args:
        created_labels: assertions that the signer itself answers for; others are "gathered", that is
            repeated as told (C2PA 2.2, 10.3.2.2).
    """
    return _signing_context(os.getpid(), created_labels)


@functools.lru_cache(maxsize=8)
def _signing_context(process: int, created_labels: tuple[str, ...]) -> Any:
    settings = {
        **_NO_NETWORK,
        "verify": {"verify_after_sign": False, "ocsp_fetch": False, "remote_manifest_fetch": False},
        "trust": {"trust_config": "\n".join(SIGNER_EKU_OIDS)},
        "builder": {
            "thumbnail": {"enabled": False},
            "created_assertion_labels": list(created_labels),
        },
    }
    return _context(settings)


def _context(settings: dict[str, Any]) -> Any:
    import c2pa

    return c2pa.Context.from_dict(settings)
