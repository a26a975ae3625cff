"""Whether a manifest belongs to the text around it: the hard binding, checked here because c2pa cannot.

C2PA 2.4, 15.12 (validating a data hash) and A.7 to A.9: exactly one ``c2pa.hash.data`` assertion, exactly one
excluded range, that range is the wrapper and nothing but the wrapper, and the hash of the rest fits.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

from labeler.credentials.intext.model import Found

__all__ = ["MATCH", "MISMATCH", "bind", "bind_file", "check", "digest", "pieces", "problem", "whole_hash"]

MATCH = "assertion.dataHash.match"
MISMATCH = "assertion.dataHash.mismatch"
_HASH = "c2pa.hash.data"
_BINDINGS = ("c2pa.hash.",)
_ALGORITHMS = ("sha256", "sha384", "sha512")
_PIECE = 1 << 20


def pieces(data: bytes, normalised: bool) -> Iterator[bytes]:
    """A file's bytes for hashing, in pieces; in NFC if asked for.

    Pieces end behind line feeds, across which nothing composes. What is not UTF-8 is left as it is.
    """
    view = memoryview(data)
    if not normalised or data.isascii():
        for start in range(0, len(data), _PIECE):
            yield bytes(view[start : start + _PIECE])
        return
    start = 0
    while start < len(data):
        end = data.find(b"\n", start + _PIECE) + 1 or len(data)
        piece = bytes(view[start:end])
        start = end
        try:
            text = piece.decode()
        except UnicodeDecodeError:
            yield piece
            continue
        yield piece if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text).encode()


def digest(algorithm: str, before: bytes, after: bytes, *, normalised: bool) -> tuple[bytes, int]:
    """The hash of a text without its wrapper, and where the wrapper begins in the hashed form."""
    hashed = hashlib.new(algorithm)
    start = 0
    for piece in pieces(before, normalised):
        hashed.update(piece)
        start += len(piece)
    for piece in pieces(after, normalised):
        hashed.update(piece)
    return hashed.digest(), start


def check(detailed: Mapping[str, Any], found: Found) -> str:
    """What is wrong with the binding; "" if it fits.

    Args:
        detailed: the store as ``c2pa.Reader.detailed_json`` gives it, with assertions in full.
        found: the manifest in its text.
    """
    active = _mapping(_mapping(detailed.get("manifests")).get(str(detailed.get("active_manifest"))))
    assertions = _mapping(active.get("assertion_store"))
    bindings = [name for name in assertions if name.startswith(_BINDINGS)]
    if bindings != [_HASH]:
        return "the manifest has no data hash, or more than one binding"
    stated = _mapping(assertions[_HASH])
    algorithm = str(stated.get("alg") or _mapping(active.get("claim")).get("alg") or "")
    if algorithm not in _ALGORITHMS:
        return f"the data hash uses {algorithm[:20]!r}, which is not allowed"
    left_out = _range(stated.get("exclusions"))
    if left_out is None:
        return "the data hash does not leave out exactly one range"
    if found.odd:
        return found.odd
    start, end = found.start, found.end
    fits = found.allows(*left_out) and not found.normalised
    if fits:
        start, end = left_out[0], sum(left_out)
    value, place = digest(algorithm, found.data[:start], found.data[end:], normalised=found.normalised)
    if _bytes(stated.get("hash")) != value:
        return "the text was changed after signing"
    if not fits and left_out[0] != place:
        return f"the manifest was moved from byte {left_out[0]} to {place}"
    if not fits and left_out[1] != end - start:
        return "the range left out of the hash is not the manifest's"
    return ""


def _range(ranges: object) -> tuple[int, int] | None:
    if not isinstance(ranges, list) or len(ranges) != 1:
        return None
    start, length = (_mapping(ranges[0]).get(name) for name in ("start", "length"))
    return (start, length) if isinstance(start, int) and isinstance(length, int) else None


def bind(store: dict[str, Any], detailed: Mapping[str, Any], found: Found) -> None:
    """Put our answer about the binding into c2pa's results, in the place of its own.

    Args:
        store: as ``c2pa.Reader.json`` gives it; changed in place.
        detailed: as for `check`.
        found: as for `check`.
    """
    _answer(store, f"self#{found.form}", lambda: check(detailed, found))


def whole_hash(detailed: Mapping[str, Any]) -> tuple[str, bytes] | None:
    """Algorithm and value of a data hash over every byte of a file; None for any other binding.

    Args:
        detailed: as for `check`.
    """
    active = _mapping(_mapping(detailed.get("manifests")).get(str(detailed.get("active_manifest"))))
    assertions = _mapping(active.get("assertion_store"))
    if [name for name in assertions if name.startswith(_BINDINGS)] != [_HASH]:
        return None
    stated = _mapping(assertions[_HASH])
    algorithm = str(stated.get("alg") or _mapping(active.get("claim")).get("alg") or "")
    value = _bytes(stated.get("hash"))
    return (algorithm, value) if algorithm in _ALGORITHMS and value and not stated.get("exclusions") else None


def bind_file(store: dict[str, Any], stated: tuple[str, bytes], source: BinaryIO) -> None:
    """The same for a file that a sidecar names, which is hashed piece by piece.

    Args:
        store: as for `bind`; changed in place.
        stated: of `whole_hash`.
        source: the file.
    """

    def check_file() -> str:
        hashed = hashlib.new(stated[0])
        source.seek(0)
        while piece := source.read(_PIECE):
            hashed.update(piece)
        return "" if hashed.digest() == stated[1] else "the file was changed after signing"

    _answer(store, "self#file", check_file)


def _answer(store: dict[str, Any], url: str, check: Callable[[], str]) -> None:
    results = store.setdefault("validation_results", {}).setdefault("activeManifest", {})
    for kind in ("success", "informational", "failure"):
        statuses = [s for s in results.get(kind) or [] if not _about_binding(s)]
        results[kind] = statuses
    covered = any(
        s.get("code") == "assertion.hashedURI.match" and str(s.get("url", "")).endswith(f"/{_HASH}")
        for s in results["success"]
        if isinstance(s, Mapping)
    )
    problem = check() if covered else "the data hash is not part of what was signed"
    status = {"code": MISMATCH if problem else MATCH, "url": url, "explanation": problem}
    results["failure" if problem else "success"].append(status)


def problem(store: Mapping[str, Any]) -> str:
    """What `bind` found wrong; "" if the binding holds."""
    results = _mapping(_mapping(store.get("validation_results")).get("activeManifest"))
    for status in results.get("failure") or []:
        if _about_binding(status):
            return str(status.get("explanation", ""))
    return ""


def _about_binding(status: object) -> bool:
    return isinstance(status, Mapping) and str(status.get("code", "")).startswith("assertion.dataHash.")


def _bytes(value: object) -> bytes:
    """A hash as c2pa's JSON spells it: base64, or a list of numbers."""
    try:
        return bytes(value) if isinstance(value, list) else base64.b64decode(str(value), validate=True)
    except (ValueError, TypeError, binascii.Error):
        return b""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
