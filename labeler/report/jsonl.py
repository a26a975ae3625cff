"""One JSON object a line, one line a file (contract.md)."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from labeler._version import __version__
from labeler.types import Label, LabelResult, Report

__all__ = ["label_line", "to_json", "verify_line"]


def to_json(value: Any, *, indent: int | None = None) -> bytes:
    r"""JSON as UTF-8; bytes of file names that are not UTF-8 come out as ``\udcXX`` escapes.

    >>> to_json({"path": "caf\udce9"})
    b'{"path": "caf\\udce9"}'
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)
    return text.encode("utf-8", "backslashreplace")


def _plain(value: Any) -> Any:
    if isinstance(value, Label):
        return value.to_dict()
    if isinstance(value, Report):
        return _report(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"no JSON form for {type(value).__name__}")


def _report(report: Report) -> dict[str, Any]:
    head = {"schema": "labeler/verify/1", "version": __version__}
    return head | {field.name: getattr(report, field.name) for field in dataclasses.fields(report)}


def verify_line(report: Report) -> bytes:
    """The line of ``verify --json``."""
    return to_json(report) + b"\n"


def label_line(result: LabelResult) -> bytes:
    """The line of ``label --json``."""
    head = {"schema": "labeler/label/1", "version": __version__}
    return to_json(head | {f.name: getattr(result, f.name) for f in dataclasses.fields(result)}) + b"\n"
