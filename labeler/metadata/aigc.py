r"""The GB 45438-2025 Annex E label: read what producers write, check it, serialise it.

The value is a JSON object of strings. Annex E prints it wrapped, ``{"AIGC": {...}}``; the placement
guides (TC260-PG-20257A to 202510A) put the inner object into a field already named ``AIGC``. Both
are read, as are the deviations seen in files (``AIGC{...}`` glued together, HTML-escaped quotes, JSON
in a JSON string); labeler writes the inner object.

Deviations are findings with the check ids of the regimes, never failures:

====================  ========  =====================================================  =====================
id                    severity  meaning                                                examples.json
====================  ========  =====================================================  =====================
cn.meta.present       error     no Annex E label (told where only IPTC fields stood)   not_a_label
cn.meta.single        error     more than one label in the file (6.1 c)
cn.meta.fields        error     a required field is missing or empty (6.1); for the    field_missing
                      or warn   propagator fields a warning
cn.meta.propagator    warn      propagator fields are there but empty (Annex E note 1) propagator_empty
cn.meta.types         warn      a value is no string: null, number, object             type_not_string
cn.meta.label_enum    error     Label is not 1, 2 or 3 (Annex E c)                     label_enum
cn.meta.charset       warn      characters outside Annex E j)                          charset
cn.meta.placement     warn      not where the guide for this format puts it            nonstandard_placement
cn.meta.code          warn      a provider code breaks TC260-PG-20252A
cn.meta.placeholder   error     an id of zeros, or a template that was never filled    null_id
cn.meta.schema        warn      another schema under the name AIGC
cn.meta.syntax        warn      escaped, doubled or otherwise odd JSON, still readable
====================  ========  =====================================================  =====================
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from labeler.types import AI_SOURCE_TYPES, NON_AI_SOURCE_TYPES, Finding, Label

__all__ = [
    "EXAMPLE_NAMES",
    "FIELDS",
    "MAX_LABEL",
    "NAMESPACE",
    "Parsed",
    "check",
    "check_code",
    "fields_of",
    "is_uscc",
    "parse_label",
    "serialise",
    "to_label",
]

NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"
"""XMP namespace of ``TC260:AIGC`` (TC260-PG-20259A)."""

FIELDS = (
    "Label",
    "ContentProducer",
    "ProduceID",
    "ReservedCode1",
    "ContentPropagator",
    "PropagateID",
    "ReservedCode2",
)
"""Fields in the order in which Annex E prints them."""

MAX_LABEL = 1 << 20
"""Characters; a longer text is not looked at. Real labels have 150 to 2,000."""

EXAMPLE_NAMES = {
    "cn.meta.placement": "nonstandard_placement",
    "cn.meta.label_enum": "label_enum",
    "cn.meta.charset": "charset",
    "cn.meta.placeholder": "null_id",
    "cn.meta.types": "type_not_string",
    "cn.meta.propagator": "propagator_empty",
    "cn.meta.fields": "field_missing",
    "cn.meta.present": "not_a_label",
}
"""Finding id -> name used in the collection of real labels."""

_BY_FOLDED = {name.lower(): name for name in FIELDS}
_OTHER_SCHEMA = frozenset({"ServiceProvider", "ServiceUser", "Time", "ContentId", "ContentID"})
_IDS = ("ProduceID", "PropagateID")
_PARTIES = ("ContentProducer", "ContentPropagator")
_ALLOWED = re.compile(r"[\x21-\x5b\x5d-\x7e]*")
_PLACEHOLDER = re.compile(
    r"value[1-9]|%!?[a-z]?\(MISSING\)|%!s\(.*\)|\{\{.*\}\}|\$\{.*\}|<[^<>]*>|x{3,}|todo|tbd|null|none|undefined|n/a",
    re.IGNORECASE,
)
_CODE_LIKE = re.compile(r"00[0-9][0-9A-Za-z]{17,}")
_GLUED = re.compile(r"""["']?AIGC["']?\s{0,8}[:=>]?\s{0,8}["']?(?=\{)""")
_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A label as it stood in the file.

    Attributes:
        fields: field name -> text, only fields that were there, in file order.
        findings: deviations of the value itself; placement is the carrier's to judge.
        form: ``bare``, ``wrapped``, ``glued`` or ``schema`` (another schema under the same name).
        start: first character of the label in the text given.
        end: character behind it.
    """

    fields: Mapping[str, str]
    findings: tuple[Finding, ...] = ()
    form: str = "bare"
    start: int = 0
    end: int = 0


@dataclass(slots=True)
class _Notes:
    """What the JSON decoder met on its way."""

    findings: list[Finding] = field(default_factory=list)

    def add(self, finding_id: str, detail: str, severity: str = "warn") -> None:
        self.findings.append(Finding(id=finding_id, severity=severity, detail=detail))


class _Number(str):
    """The literal text of a JSON number; an id like 00112 or 1e5 must never be calculated with."""

    __slots__ = ()


def parse_label(text: str) -> Parsed | None:
    """Read a label in any of the forms seen in files.

    Args:
        text: the value of a field, or a text that begins with or contains a wrapped label.

    Returns:
        None if there is no label in the text: no JSON object, or one with none of Annex E's fields.

    >>> parse_label('AIGC{"Label":"1","ContentProducer":"acme","ProduceID":"7"}').fields["ProduceID"]
    '7'
    >>> parse_label('{"unrelated": "value"}') is None
    True
    """
    if len(text) > MAX_LABEL:
        return None
    parsed = _parse_at(text, 0)
    if parsed is None and "&quot;" in text:
        parsed = _parse_at(html.unescape(text), 0)
        if parsed is not None:
            odd = Finding(id="cn.meta.syntax", severity="warn", detail="quotes are HTML-escaped twice.")
            parsed = Parsed(
                fields=parsed.fields,
                findings=(*parsed.findings, odd),
                form=parsed.form,
                start=0,
                end=len(text),
            )
    return parsed


def _parse_at(text: str, depth: int) -> Parsed | None:
    for match in _starts(text):
        start, brace, glued = match
        notes = _Notes()
        decoder = json.JSONDecoder(
            object_pairs_hook=partial(_object, notes=notes),
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_Number,
            strict=False,
        )
        try:
            value, end = decoder.raw_decode(text, brace)
        except (ValueError, RecursionError):
            continue
        parsed = _from_value(value, notes, depth)
        if parsed is not None:
            form = "glued" if glued and parsed.form == "bare" else parsed.form
            return Parsed(fields=parsed.fields, findings=parsed.findings, form=form, start=start, end=end)
    return None


def _starts(text: str) -> Iterable[tuple[int, int, bool]]:
    """Candidate positions: start of the label, start of its JSON value, whether ``AIGC`` is glued on.

    At most a handful, so that hostile text cannot make the search quadratic.
    """
    lead = len(text) - len(text.lstrip("\ufeff\0 \t\r\n"))
    if text[lead : lead + 1] in ("{", '"'):
        yield lead, lead, False
    position = 0
    for _ in range(8):
        position = text.find("AIGC", position)
        if position < 0:
            return
        quoted = position > 0 and text[position - 1] in "\"'"
        glued = _GLUED.match(text, position - 1 if quoted else position)
        if glued:
            wrapped = text.rfind("{", max(0, position - 16), position)
            if quoted and wrapped >= 0 and text[wrapped + 1 : position - 1].strip() == "":
                if wrapped != lead:
                    yield wrapped, wrapped, False
            else:
                yield glued.start(), glued.end(), True
        position += 4


def _object(pairs: list[tuple[str, Any]], notes: _Notes) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            notes.add("cn.meta.syntax", f"the key {key[:40]!r} stands twice; the last one is taken.")
        result[key] = value
    return result


def _from_value(value: Any, notes: _Notes, depth: int) -> Parsed | None:
    if isinstance(value, str) and not isinstance(value, _Number):
        inner = _parse_at(value, depth + 1) if depth < 2 and "{" in value else None
        if inner is None:
            return None
        notes.add("cn.meta.syntax", "the JSON object stands inside a JSON string.")
        return Parsed(fields=inner.fields, findings=(*inner.findings, *notes.findings), form=inner.form)
    if not isinstance(value, dict):
        return None
    wrapper = next((key for key in value if key.lower() == "aigc"), None)
    if wrapper is not None:
        content = value[wrapper]
        inner = _from_value(content, notes, depth + 1) if depth < 4 else None
        if inner is not None:
            form = "wrapped" if inner.form == "bare" else inner.form
            return Parsed(fields=inner.fields, findings=inner.findings, form=form)
        if not any(key.lower() in _BY_FOLDED for key in value):
            return None
    return _from_fields(value, notes)


def _from_fields(value: dict[str, Any], notes: _Notes) -> Parsed | None:
    fields: dict[str, str] = {}
    form = "bare"
    for key, item in value.items():
        name = _BY_FOLDED.get(key.strip().lower())
        if name is None:
            continue
        if name != key:
            notes.add("cn.meta.syntax", f"the field {name} is spelled {key[:40]!r}.")
        fields[name] = _string(name, item, notes)
    if not fields:
        if len(_OTHER_SCHEMA & value.keys()) < 2:
            return None
        form = "schema"
        notes.add("cn.meta.schema", "another schema than Annex E stands under the name AIGC.")
        fields = {key: _string(key, item, notes) for key, item in value.items() if key in _OTHER_SCHEMA}
    elif "Label" not in fields and not {"ContentProducer", "ProduceID"} & fields.keys():
        return None
    return Parsed(fields=fields, findings=tuple(notes.findings), form=form)


def _string(name: str, value: Any, notes: _Notes) -> str:
    if isinstance(value, _Number):
        notes.add("cn.meta.types", f"{name} is a JSON number, not a string.")
        return str(value)
    if isinstance(value, str):
        return value
    if value is None:
        notes.add("cn.meta.types", f"{name} is null, not a string.")
        return ""
    kind = "true or false" if isinstance(value, bool) else "an object or a list"
    notes.add("cn.meta.types", f"{name} is {kind}, not a string.")
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return ""


# ------------------------------------------------------------------------------------------- checks


def check(fields: Mapping[str, str]) -> tuple[Finding, ...]:
    """Findings about the values: required fields, enumeration, characters, codes, placeholders.

    Args:
        fields: field name -> text, as parsed or about to be written.
    """
    notes = _Notes()
    _check_fields(fields, notes)
    value = fields.get("Label", "")
    if value and value not in ("1", "2", "3"):
        notes.add("cn.meta.label_enum", f"Label is {value[:40]!r}, not 1, 2 or 3 (Annex E c).", "error")
    for name in FIELDS:
        text = fields.get(name, "")
        good = _ALLOWED.match(text)
        if good is not None and good.end() != len(text):
            odd = text[good.end()]
            notes.add("cn.meta.charset", f"{name} holds {odd!r}, outside the characters of Annex E j).")
    for name in (*_IDS, *_PARTIES):
        text = fields.get(name, "").strip()
        if text and (set(text) <= set("0-") or _PLACEHOLDER.fullmatch(text)):
            notes.add(
                "cn.meta.placeholder", f"{name} is {text[:40]!r}: zeros or an unfilled template.", "error"
            )
    for name in _PARTIES:
        if fault := check_code(fields.get(name, "")):
            notes.add("cn.meta.code", f"{name}: {fault}")
    return tuple(notes.findings)


def _check_fields(fields: Mapping[str, str], notes: _Notes) -> None:
    for name in ("Label", "ContentProducer", "ProduceID"):
        if not fields.get(name, "").strip():
            state = "empty" if name in fields else "missing"
            notes.add("cn.meta.fields", f"{name} is {state} (GB 45438 6.1).", "error")
    for name in ("ContentPropagator", "PropagateID"):
        if name not in fields:
            notes.add("cn.meta.fields", f"{name} is missing (GB 45438 6.1).")
        elif not fields[name].strip():
            notes.add("cn.meta.propagator", f"{name} is empty; at first writing it equals the producer's.")


def check_code(text: str) -> str:
    """What is wrong with a provider code (TC260-PG-20252A), or "".

    A value that does not look like a code is a name, which Annex E d) and g) allow.

    >>> check_code("001191110102MAD55U9H0F10002")
    ''
    >>> check_code("001191110102MAD55U9H0F1000")
    'the provider code has 26 characters, not 27.'
    """
    if not _CODE_LIKE.fullmatch(text):
        return ""
    if len(text) != 27:
        return f"the provider code has {len(text)} characters, not 27."
    if text != text.upper():
        return "the provider code holds lower-case letters."
    if text[2:4] != "11":
        return ""  # subject and binding types other than organisation by USCC are not published
    if not is_uscc(text[4:22]):
        return f"the unified social credit code {text[4:22]} fails its check digit (GB 32100)."
    if text[22] not in "012":
        return f"the service digit is {text[22]!r}, not 0, 1 or 2."
    return ""


def is_uscc(code: str) -> bool:
    """True for a unified social credit code with a right check character (GB 32100-2015, mod 31).

    >>> is_uscc("91110102MAD55U9H0F"), is_uscc("91110102MAD55U9H0E")
    (True, False)
    """
    if len(code) != 18 or any(letter not in _USCC for letter in code):
        return False
    total = sum(_USCC.index(letter) * pow(3, place, 31) for place, letter in enumerate(code[:17]))
    return _USCC[-total % 31] == code[17]


# -------------------------------------------------------------------------------------- Label <-> JSON


def fields_of(label: Label, *, reserved: tuple[str, str] = ("", "")) -> dict[str, str]:
    """The seven fields of Annex E, in its order."""
    return {
        "Label": label.value,
        "ContentProducer": label.producer,
        "ProduceID": label.produce_id,
        "ReservedCode1": reserved[0],
        "ContentPropagator": label.propagator,
        "PropagateID": label.propagate_id,
        "ReservedCode2": reserved[1],
    }


def serialise(fields: Mapping[str, str], *, wrapped: bool = False) -> str:
    """The JSON text without spaces; other fields than Annex E's follow the seven.

    >>> serialise({"ProduceID": "7", "Label": "1"})
    '{"Label":"1","ProduceID":"7"}'
    """
    ordered = {name: fields[name] for name in FIELDS if name in fields}
    ordered.update(fields)
    value: Any = {"AIGC": ordered} if wrapped else ordered
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if any("\ud800" <= letter <= "\udfff" or letter in "\ufffe\uffff" for letter in text):
        text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text


def to_label(fields: Mapping[str, str], iptc: Mapping[str, str]) -> Label | None:
    """The label in labeler's terms.

    Args:
        fields: Annex E fields.
        iptc: what the IPTC fields say, keys ``source_type``, ``generator``, ``created``, ``author``
            and ``rights``, all optional.

    Returns:
        None if value, producer or id cannot be read.
    """
    value, producer = fields.get("Label", "").strip(), fields.get("ContentProducer", "")
    produce_id = fields.get("ProduceID", "")
    if value not in ("1", "2", "3") or not producer or not produce_id:
        return None
    source_type = iptc.get("source_type", "")
    known = source_type in AI_SOURCE_TYPES | NON_AI_SOURCE_TYPES
    extra = {"source_type": source_type} if known else {}
    return Label(
        value=value,
        producer=producer,
        produce_id=produce_id,
        propagator=fields.get("ContentPropagator", ""),
        propagate_id=fields.get("PropagateID", ""),
        generator=iptc.get("generator", ""),
        created=iptc.get("created", ""),
        author=iptc.get("author", ""),
        rights=iptc.get("rights", ""),
        **extra,
    )
