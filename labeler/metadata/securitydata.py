"""What stands in ReservedCode1 and ReservedCode2: a signature that can be checked, or an opaque value.

Source: TC260-PG-202511A (object ``SecurityData``, type ``TC260PG``) as producers write it: an SM2 signature
(``DS``, algorithm 1.2.156.10197.1.501) and the public key beside it. The key travels in the label, so a
signature that fits says only that value, producer and id were not changed one without the other. The text
signed for ReservedCode1 is ``"Label":"1","ContentProducer":"...","ProduceID":"..."``; some producers hash it
once more before SM2 does, so both forms are tried. What ReservedCode2 signs is not published.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from labeler.metadata import sm2
from labeler.types import Finding

__all__ = ["check"]

_ID = "cn.meta.sig"
_SM2 = ("1.2.156.10197.1.501", "1.2.156.10197.1.301")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_MAX = 1 << 16


def check(fields: Mapping[str, str]) -> tuple[Finding, ...]:
    """Findings ``cn.meta.sig`` about the reserved codes of a label, none for empty ones."""
    found = []
    for name in ("ReservedCode1", "ReservedCode2"):
        text = fields.get(name, "").strip()
        if text:
            severity, detail = _judge(name, text, fields)
            found.append(Finding(id=_ID, severity=severity, detail=f"{name}: {detail}"))
    return tuple(found)


def _judge(name: str, text: str, fields: Mapping[str, str]) -> tuple[str, str]:
    data = _security_data(text)
    if data is None:
        if text.startswith("30") and _HEX.fullmatch(text) and sm2.parse_signature(bytes.fromhex(text)):
            return (
                "info",
                "opaque: a bare signature without a key, which nobody can check from the file alone.",
            )
        return "info", "opaque: no SecurityData; it may mean something to its producer."
    items = [item for item in _items(data) if item]
    signature = next((i for i in items if i.get("Type") == "DS"), {})
    key = next((i for i in items if i.get("Type") == "PubKey"), {})
    if signature.get("AlgID", _SM2[0]) not in _SM2:
        return "info", f"opaque: the algorithm {str(signature.get('AlgID'))[:60]!r} is not handled."
    numbers = sm2.parse_signature(_bytes(signature.get("Signature")))
    if numbers is None:
        return "info", "opaque: SecurityData without a signature that can be read."
    keys = sm2.parse_key(_bytes(key.get("KeyValue")))
    if not keys:
        return (
            "info",
            "opaque: an SM2 signature without its key, which cannot be checked from the file alone.",
        )
    if name == "ReservedCode2":
        return (
            "info",
            "an SM2 signature of the propagator; what it signs is not published, so it was not checked.",
        )
    message = ",".join(
        f'"{f}":"{fields.get(f, "")}"' for f in ("Label", "ContentProducer", "ProduceID")
    ).encode()
    for candidate in keys:
        for double in (False, True):
            if sm2.verify(candidate, numbers, message, double_hash=double):
                form = "over SM3 of the text (double hash)" if double else "in the standard form"
                return "info", (
                    f"the SM2 signature verifies, {form}, with the key in the label itself: Label, ContentProducer "
                    "and ProduceID belong together. It does not say who holds the key, nor cover the content."
                )
    return (
        "warn",
        "the SM2 signature does not fit Label, ContentProducer and ProduceID: one of them was changed.",
    )


def _security_data(text: str) -> dict[str, Any] | None:
    if len(text) > _MAX or "{" not in text:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    value = value.get("SecurityData") if isinstance(value, dict) else None
    return value if isinstance(value, dict) else None


def _items(data: dict[str, Any]) -> list[dict[str, Any]]:
    listed = data.get("PubSD")
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def _bytes(value: object) -> bytes:
    return bytes.fromhex(value) if isinstance(value, str) and _HEX.fullmatch(value) else b""
