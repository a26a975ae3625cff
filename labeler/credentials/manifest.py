"""What a manifest of labeler says: actions, soft binding, author and rights, and labeler's own assertion.

Choices, with their sources:

* the first action is ``c2pa.created``, or ``c2pa.opened`` with the incoming file as ``parentOf``
  ingredient; the digital source type stands on the action that the AI performed (C2PA 2.2, 18.15);
* author and rights stand in ``cawg.metadata``: ``stds.schema-org.CreativeWork`` is no longer part of
  the specification, and ``c2pa.metadata`` does not allow Dublin Core fields (CAWG Metadata 1.1, 2.);
* training and mining preferences stand in ``cawg.training-mining``, where they moved from C2PA 2.x;
* labeler's own assertion repeats the whole label, so that this layer can be compared with the others;
* actions, soft binding and label are *created* assertions, for which the signer answers; author,
  rights and preferences are *gathered*: repeated as the user gave them (C2PA 2.2, 10.3.2.2).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from labeler._version import __version__
from labeler.credentials.messages import is_time
from labeler.errors import UsageError
from labeler.types import IPTC_SOURCE_TYPE_URI, Label

__all__ = [
    "CREATED_LABELS",
    "LABEL_ASSERTION",
    "PARENT",
    "SOFT_BINDING_ALGORITHM",
    "SOFT_BINDING_PREFIX",
    "definition",
    "label_from",
]

LABEL_ASSERTION = "io.github.labeler.label"
"""Label of labeler's own assertion."""

SOFT_BINDING_PREFIX = "io.github.labeler."
"""Reverse DNS prefix of labeler's soft-binding algorithms; the reader looks at no others."""

SOFT_BINDING_ALGORITHM = "io.github.labeler.watermark.1"
"""Soft-binding algorithm of a watermark when the caller names none."""

PARENT = "parent"
"""Instance label by which the ``c2pa.opened`` action refers to its ingredient."""

CREATED_LABELS = ("c2pa.actions", "c2pa.actions.v2", "c2pa.soft-binding", LABEL_ASSERTION)

_TRAINING = ("cawg.ai_generative_training", "cawg.ai_inference", "cawg.ai_training", "cawg.data_mining")
_USES = ("", "allowed", "notAllowed", "constrained")
_PAYLOAD = re.compile(r"[0-9a-f]{16}", re.ASCII)
_MAX_FIELD = 4096


def definition(
    label: Label,
    *,
    media_type: str,
    has_parent: bool,
    payload: str = "",
    algorithm: str = "",
    fingerprint: str = "",
    title: str = "",
    training: str = "",
    visible_text: str = "",
) -> dict[str, Any]:
    """The manifest definition for `c2pa.Builder`.

    Args:
        label: what is said about the content.
        media_type: c2pa's name of the file's type.
        has_parent: whether an ingredient labelled `PARENT` will be added.
        payload: watermark payload, 16 hex digits, or empty.
        algorithm: soft-binding algorithm of the payload; empty for `SOFT_BINDING_ALGORITHM`.
        fingerprint: perceptual fingerprint of the content, or empty.
        title: human-readable name of the file, or empty.
        training: ``allowed``, ``notAllowed``, ``constrained``, or empty to say nothing.
        visible_text: wording of a visible mark that was added, or empty.

    Raises:
        UsageError: an option has a value that it cannot have.
    """
    algorithm = algorithm or SOFT_BINDING_ALGORITHM
    if payload and not _PAYLOAD.fullmatch(payload):
        raise UsageError("a watermark payload is 16 lower-case hex digits.")
    if not algorithm.startswith(SOFT_BINDING_PREFIX):
        raise UsageError(
            f"the soft-binding algorithm {algorithm!r} does not start with {SOFT_BINDING_PREFIX}"
        )
    if training not in _USES:
        raise UsageError(f"training use {training!r} is none of {', '.join(_USES[1:])}.")
    actions = _actions(label, has_parent=has_parent, visible_text=visible_text, marked=bool(payload))
    assertions: list[dict[str, Any]] = [{"label": "c2pa.actions.v2", "data": {"actions": actions}}]
    if payload:
        binding = {"alg": algorithm, "blocks": [{"scope": {}, "value": payload}]}
        assertions.append({"label": "c2pa.soft-binding", "data": binding})
    own = {"version": 1, **{name: text for name, text in label.to_dict().items() if text}}
    if fingerprint:
        own["fingerprint"] = fingerprint
    assertions.append({"label": LABEL_ASSERTION, "data": own})
    if label.author or label.rights:
        assertions.append({"label": "cawg.metadata", "kind": "Json", "data": _metadata(label)})
    if training:
        entries = {name: {"use": training} for name in _TRAINING}
        assertions.append({"label": "cawg.training-mining", "data": {"entries": entries}})
    return {
        "claim_version": 2,
        "claim_generator_info": [{"name": "labeler", "version": __version__}],
        "format": media_type,
        **({"title": title} if title else {}),
        "assertions": assertions,
    }


def _actions(label: Label, *, has_parent: bool, visible_text: str, marked: bool) -> list[dict[str, Any]]:
    agent = {"name": "labeler", "version": __version__}
    source = {"digitalSourceType": IPTC_SOURCE_TYPE_URI + label.source_type}
    generator = {"softwareAgent": _agent(label.generator or label.producer)}
    when = {"when": label.created} if is_time(label.created) else {}
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": [PARENT]}}
    if not has_parent:
        actions = [{"action": "c2pa.created", **source, **generator, **when}]
    elif label.edited:
        actions = [opened, {"action": "c2pa.edited", **source, **generator, **when}]
    else:
        actions = [{**opened, **source, "softwareAgent": agent, **when}]
    if visible_text:
        added = {"action": "c2pa.addedText", "softwareAgent": agent, "description": visible_text}
        actions.append(added)
    if marked:
        actions.append({"action": "c2pa.watermarked.bound", "softwareAgent": agent})
    return actions


def _agent(text: str) -> dict[str, str]:
    name, _, version = text.partition("/")
    return {"name": name, "version": version} if version else {"name": text}


def _metadata(label: Label) -> dict[str, Any]:
    data: dict[str, Any] = {"@context": {"dc": "http://purl.org/dc/elements/1.1/"}}
    if label.author:
        data["dc:creator"] = [label.author]
    if label.rights:
        data["dc:rights"] = {"x-default": label.rights}
    return data


def label_from(data: object) -> Label | None:
    """The label of labeler's own assertion, or None if it is no such thing.

    The data come from a file that anybody may have made: unknown fields are passed over, and a field
    that is not a string, or longer than 4096 characters, makes the whole label unreadable.
    """
    if not isinstance(data, Mapping):
        return None
    names = [field.name for field in dataclasses.fields(Label)]
    values = {name: data[name] for name in names if name in data}
    if not all(isinstance(value, str) and len(value) <= _MAX_FIELD for value in values.values()):
        return None
    try:
        return Label(**values)
    except (UsageError, TypeError):
        return None
