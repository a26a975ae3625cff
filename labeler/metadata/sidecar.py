"""The label in a file of its own, ``<name>.aigc.json``, for media without a place for metadata.

GB 45438 knows no sidecar; this one is Annex E's wrapped object with the IPTC fields beside it, so that any
reader of the wrapped form finds the label.
"""

from __future__ import annotations

import json
from typing import Any

from labeler.metadata import aigc
from labeler.types import AI_SOURCE_TYPES, IPTC_SOURCE_TYPE_URI, Finding, Label, MetadataReport, State

__all__ = ["SUFFIX", "build", "read"]

SUFFIX = ".aigc.json"
"""Appended to the whole file name: ``chart.bmp`` has ``chart.bmp.aigc.json``."""

_SCHEMA = "labeler/sidecar/1"
_MAX = 1 << 20


def build(label: Label, *, sha256: str = "") -> bytes:
    """The sidecar file.

    Args:
        label: what to say.
        sha256: hex digest of the media file, so that the sidecar can be told to belong to it.
    """
    content: dict[str, Any] = {"AIGC": aigc.fields_of(label), "schema": _SCHEMA}
    content["DigitalSourceType"] = IPTC_SOURCE_TYPE_URI + label.source_type
    extra = {
        "generator": label.generator,
        "created": label.created,
        "author": label.author,
        "rights": label.rights,
        "sha256": sha256,
    }
    content.update({name: text for name, text in extra.items() if text})
    return json.dumps(content, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace") + b"\n"


def read(data: bytes) -> MetadataReport:
    """Read a sidecar; anything odd is a finding.

    Returns:
        ABSENT if the JSON holds no label, CANNOT_TELL if it is no JSON.
    """
    reason = ""
    content: Any = None
    if len(data) > _MAX:
        reason = f"the sidecar is larger than {_MAX} bytes."
    else:
        try:
            content = json.loads(data.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            reason = f"the sidecar is not readable: {str(error)[:120]}."
    if not isinstance(content, dict):
        reason = reason or "the sidecar holds no JSON object."
        return MetadataReport(state=State.CANNOT_TELL, carrier="sidecar", reason=reason)
    parsed = aigc.parse_label(data.decode("utf-8-sig"))
    texts = {k: v for k, v in content.items() if isinstance(v, str) and k != "schema"}
    source_type = texts.get("DigitalSourceType", "").rstrip("/").rpartition("/")[2]
    findings: tuple[Finding, ...] = ()
    raw: dict[str, str] = {}
    if parsed is not None:
        raw = dict(parsed.fields)
        findings = (*parsed.findings, *aigc.check(raw))
    value = raw.get("Label", "").strip()
    present = parsed is not None or source_type in AI_SOURCE_TYPES
    return MetadataReport(
        state=State.PRESENT if present else State.ABSENT,
        carrier="sidecar",
        fields={**raw, **{k: v for k, v in texts.items() if k not in raw}},
        findings=findings,
        label=aigc.to_label(raw, {**texts, "source_type": source_type}),
        value=value if value in ("1", "2", "3") else "",
        source_type=source_type,
    )
