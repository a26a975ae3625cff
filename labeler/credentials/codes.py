"""From C2PA validation codes to four plain answers: content, signer, time, chain.

Sources: C2PA Technical Specification 2.2, 15.2 (validation status codes); codes of c2pa-rs 0.91.3 as
measured. The state that c2pa gives ("Valid", "Invalid", "Trusted") is never used: it calls a file
invalid because a certificate expired, and trusted although an ingredient was tampered with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labeler.credentials.trust import SIGNER_LIST, TIME_LIST

__all__ = ["Verdicts", "judge"]

_HARD_BINDINGS = ("dataHash", "bmffHash", "boxesHash", "collectionHash", "multiAssetHash")
_BOUND = frozenset(f"assertion.{name}.match" for name in _HARD_BINDINGS)

_ALTERED = frozenset(
    {
        *(f"assertion.{name}.mismatch" for name in _HARD_BINDINGS),
        "assertion.boxesHash.unknownBox",
        "assertion.collectionHash.incorrectItemCount",
        "assertion.collectionHash.incorrectFileCount",
        "assertion.hashedURI.mismatch",
        "assertion.missing",
        "claim.missing",
        "claimSignature.mismatch",
        "hashedURI.mismatch",
        "hashedURI.missing",
    }
)
"""What was signed is not what is there: the media, an assertion or the claim changed after signing."""

_EXPIRED = frozenset({"signingCredential.expired", "claimSignature.outsideValidity"})
_INVALID = frozenset(
    {
        "claimSignature.mismatch",
        "claimSignature.missing",
        "signingCredential.invalid",
        "signingCredential.revoked",
        "signingCredential.ocsp.revoked",
    }
)
_OUT_OF_REACH = frozenset({"manifest.inaccessible", "ingredient.unknownProvenance"})
_ABOUT_CREDENTIALS = ("signingCredential.", "timeStamp.", "timeOfSigning.", "cawg.")
"""Prefixes of codes that speak of who signed and when, not of what was signed."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The four answers of the contract, and the codes behind them, failures first.

    Codes of ingredients stand as ``ingredient/CODE``, so that a tampered parent is not taken for a
    tampered file.
    """

    content: str
    signer: str
    time: str
    chain: str
    codes: tuple[str, ...]


def judge(store: Mapping[str, Any], *, claimed_time: bool, has_signers: bool) -> Verdicts:
    """Decide from a manifest store, as ``c2pa.Reader.json`` gives it.

    Args:
        store: the parsed JSON.
        claimed_time: whether the manifest states a time without proof.
        has_signers: whether the reader was given signers to trust.
    """
    results = _mapping(store.get("validation_results"))
    active = _mapping(results.get("activeManifest"))
    failures = list(_statuses(active, "failure"))
    notes = list(_statuses(active, "informational"))
    successes = list(_statuses(active, "success"))
    failed = [code for code, _ in failures]
    passed = {code for code, _ in successes}
    ingredients, ingredient_failures = _ingredients(store, results)
    own = [code for code in failed if not code.startswith("ingredient.")]
    chain_failures = [code for code in failed if code.startswith("ingredient.")] + ingredient_failures
    codes = [
        *failed,
        *(f"ingredient/{code}" for code in ingredient_failures),
        *(code for code, _ in notes),
        *(code for code, _ in successes),
    ]
    return Verdicts(
        content=_content(own, passed),
        signer=_signer(own, successes, has_signers=has_signers),
        time=_time(successes, claimed=claimed_time),
        chain=_chain(chain_failures) if ingredients else "none",
        codes=tuple(dict.fromkeys(codes)),
    )


def _content(failed: list[str], passed: set[str]) -> str:
    if any(code in _ALTERED for code in failed):
        return "altered"
    if any(_breaks(code) for code in failed):
        return "unknown"
    return "intact" if passed & _BOUND and "claimSignature.validated" in passed else "unknown"


def _chain(failed: list[str]) -> str:
    """``broken`` if an ingredient fails; ``none`` if one cannot be looked at (a remote manifest)."""
    breaking = [code for code in failed if _breaks(code)]
    if all(code in _OUT_OF_REACH for code in breaking):
        return "none" if breaking else "intact"
    return "broken"


def _breaks(code: str) -> bool:
    return not code.startswith(_ABOUT_CREDENTIALS) and code not in _EXPIRED


def _signer(failed: list[str], successes: list[tuple[str, str]], *, has_signers: bool) -> str:
    if any(code in _INVALID for code in failed):
        return "invalid"
    if any(code in _EXPIRED for code in failed):
        return "expired"
    if "signingCredential.untrusted" in failed or not has_signers:
        return "unknown"
    for code, explanation in successes:
        # kinds of anchors are not isolated: a root on the time-stamp list "trusts" signers as well;
        # for a single trusted certificate c2pa names no list
        if code == "signingCredential.trusted" and TIME_LIST not in explanation:
            return "trusted"
    return "unknown"


def _time(successes: list[tuple[str, str]], *, claimed: bool) -> str:
    """``stamped`` needs a trusted authority: in claims of version 1 c2pa trusts any ("legacy")."""
    for code, explanation in successes:
        if code != "timeStamp.trusted":
            continue
        if "legacy" not in explanation and SIGNER_LIST not in explanation:
            return "stamped"
        claimed = True
    return "claimed" if claimed or any(code == "timeStamp.validated" for code, _ in successes) else "none"


def _ingredients(store: Mapping[str, Any], results: Mapping[str, Any]) -> tuple[bool, list[str]]:
    """Whether the active manifest has ingredients, and every failure found below it.

    Failures stand in three places: the deltas of this validation, what each ingredient recorded when
    it was added (2.x), and its older form ``validation_status``.
    """
    manifests = _mapping(store.get("manifests"))
    active = _mapping(manifests.get(str(store.get("active_manifest"))))
    failed: list[str] = []
    for delta in _mappings(results.get("ingredientDeltas")):
        failed += [code for code, _ in _statuses(_mapping(delta.get("validationDeltas")), "failure")]
    for manifest in map(_mapping, manifests.values()):
        for ingredient in _mappings(manifest.get("ingredients")):
            recorded = _mapping(ingredient.get("validation_results"))
            failed += [code for code, _ in _statuses(_mapping(recorded.get("activeManifest")), "failure")]
            for delta in _mappings(recorded.get("ingredientDeltas")):
                failed += [code for code, _ in _statuses(_mapping(delta.get("validationDeltas")), "failure")]
            for status in _mappings(ingredient.get("validation_status")):
                if not recorded and status.get("success") is not True:
                    failed.append(str(status.get("code", "")))
    return bool(active.get("ingredients")), list(dict.fromkeys(failed))


def _statuses(results: Mapping[str, Any], kind: str) -> Iterator[tuple[str, str]]:
    for status in _mappings(results.get(kind)):
        yield str(status.get("code", "")), str(status.get("explanation", ""))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> Iterable[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
