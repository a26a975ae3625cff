"""Read a manifest and say what it proves, offline.

Nothing here touches the network: a manifest that is only pointed to (a remote manifest) is reported as
such and never fetched. Whatever a hostile file does, the answer is a `CredentialsReport`; a manifest
that cannot be read is ``cannot-tell``, never ``absent``.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, BinaryIO

from labeler.credentials import guard, intext, manifest, trust
from labeler.credentials.codes import Verdicts, judge
from labeler.credentials.formats import UNKNOWN_FORMS, c2pa_format
from labeler.credentials.messages import clause, is_time, plain
from labeler.credentials.trust import Trust
from labeler.types import CredentialsReport, MediaInfo, State

__all__ = ["raw", "read"]

_PAYLOAD = re.compile(r"[0-9a-f]{16}", re.ASCII)
_MAX_CHAIN = 64
_IN_TEXT = "in-text"
_LARGE = 32 << 20
"""Bytes from which on a file is handed to c2pa only if it must be: it holds all of a WAVE file, twice over."""


def read(
    source: BinaryIO, info: MediaInfo, *, sidecar: bytes | None = None, trust: Trust | None = None
) -> CredentialsReport:
    """Read and judge the manifest of a file.

    A manifest inside the file goes before a sidecar (C2PA 2.2, 11.4): a stray ``.c2pa`` beside a signed
    file must not hide what is signed. The sidecar is used if the one inside is remote or unreadable, or
    if it stands in a text that was changed since and the sidecar signs the text as it is now.

    Args:
        source: the media, seekable.
        info: its type, by content.
        sidecar: bytes of the ``.c2pa`` file beside it, if there is one.
        trust: whom to trust; default nobody.

    Returns:
        The report. ``absent`` only if there is neither a manifest in the file nor a sidecar.
    """
    store, carrier, report = _load(source, info, sidecar, trust)
    if report is not None:
        return report
    trusted = trust or Trust()

    def judged(store: dict[str, Any], carrier: str) -> CredentialsReport:
        def again(fewer: Trust) -> Mapping[str, Any]:
            return _open(source, info, sidecar if carrier == "sidecar" else None, fewer)[0]

        try:
            return _report(store, carrier, trusted, again)
        except Exception as error:  # a manifest is what anybody may have written
            return _cannot_tell(f"the manifest cannot be interpreted ({type(error).__name__}).", carrier)

    report = judged(store, carrier)
    if carrier == _IN_TEXT and report.content != "intact" and sidecar is not None:
        store, failed = _open(source, info, sidecar, trusted)
        beside = failed or judged(store, "sidecar")
        return beside if beside.content == "intact" else report
    return report


def raw(
    source: BinaryIO, info: MediaInfo, *, sidecar: bytes | None = None, trust: Trust | None = None
) -> dict[str, Any]:
    """Everything found, for a person who investigates: ``state``, ``carrier``, ``reason``, ``store``.

    ``store`` is c2pa's JSON as it is: manifests, assertions, ingredients, validation results. All of it
    was written by whoever made the file.
    """
    store, carrier, report = _load(source, info, sidecar, trust)
    state = State.PRESENT if report is None else report.state
    return {"state": state, "carrier": carrier, "reason": report.reason if report else "", "store": store}


def _load(
    source: BinaryIO, info: MediaInfo, sidecar: bytes | None, trusted: Trust | None
) -> tuple[dict[str, Any], str, CredentialsReport | None]:
    """The manifest store and its carrier, or a finished report."""
    store, report = _open(source, info, None, trusted)
    kind = _IN_TEXT if info.media_type in intext.TYPES else "embedded"
    inside = store, kind if report is None else report.carrier, report
    if report is None or sidecar is None:
        return inside
    was_unreadable = report.state is State.CANNOT_TELL
    store, report = _open(source, info, sidecar, trusted)
    if report is not None and was_unreadable:
        return inside
    if report is not None and report.state is State.ABSENT:  # junk in a .c2pa file is no proof of absence
        report = _cannot_tell("the sidecar is no C2PA manifest.", "sidecar")
    return store, "sidecar", report


def _open(
    source: BinaryIO, info: MediaInfo, sidecar: bytes | None, trusted: Trust | None
) -> tuple[dict[str, Any], CredentialsReport | None]:
    if sidecar is None and info.media_type in intext.TYPES:
        return _open_text(source, info, trusted)
    import c2pa

    carrier = "embedded" if sidecar is None else "sidecar"
    if reason := guard.refusal(source if sidecar is None else io.BytesIO(sidecar)):
        return {}, _cannot_tell(f"{reason}: it was not opened.", carrier)
    context = trust.reading_context(trusted)
    source.seek(0)
    is_unknown = source.read(4) in UNKNOWN_FORMS
    is_large = source.seek(0, io.SEEK_END) > _LARGE
    if (is_large or is_unknown) and sidecar is None and not guard.has_traces(source, remote=True):
        return {}, CredentialsReport(state=State.ABSENT)  # c2pa would hold all of it to find nothing
    try:
        if (is_large or is_unknown) and sidecar is not None:
            with c2pa.Reader("text/plain", io.BytesIO(), sidecar, context=context) as reader:
                store, stated = (
                    json.loads(reader.json()),
                    intext.whole_hash(json.loads(reader.detailed_json())),
                )
            if stated is not None:
                intext.bind_file(store, stated, source)
                return store, None
        source.seek(0)
        with c2pa.Reader(c2pa_format(info.media_type), source, sidecar, context=context) as reader:
            store = json.loads(reader.json())
    except c2pa.C2paError.ManifestNotFound:
        if sidecar is None and guard.has_traces(source):
            return {}, _cannot_tell("remains of a manifest are there, but no whole one.", carrier)
        return {}, CredentialsReport(state=State.ABSENT)
    except c2pa.C2paError.NotSupported as error:
        if sidecar is None:  # no manifest can stand in such a file
            return {}, CredentialsReport(state=State.ABSENT)
        return {}, _cannot_tell(_reason(str(error)), carrier)
    except c2pa.C2paError as error:
        is_remote = str(error).startswith("Remote: ")
        return {}, _cannot_tell(_reason(str(error)), "" if is_remote else carrier)
    except (OSError, ValueError, RecursionError) as error:
        return {}, _cannot_tell(f"reading failed ({type(error).__name__}).", carrier)
    if not isinstance(store, dict) or not store.get("active_manifest"):
        return {}, _cannot_tell("the manifest store has no active manifest.", carrier)
    return store, None


def _open_text(
    source: BinaryIO, info: MediaInfo, trusted: Trust | None
) -> tuple[dict[str, Any], CredentialsReport | None]:
    """The manifest inside a text: c2pa reads it without the text, and the binding is checked here."""
    source.seek(0)
    found = intext.find(source.read(), info.media_type)
    if found is None:
        return {}, CredentialsReport(state=State.ABSENT)
    if isinstance(found, intext.Damage):
        is_remote = found.code == intext.REMOTE
        report = _cannot_tell(clause(found.reason), "" if is_remote else _IN_TEXT, found.code)
        return {}, report
    if reason := guard.refusal(io.BytesIO(found.manifest)):
        return {}, _cannot_tell(f"{reason}: it was not opened.", _IN_TEXT)
    import c2pa

    try:
        context = trust.reading_context(trusted)
        with c2pa.Reader("text/plain", io.BytesIO(), found.manifest, context=context) as reader:
            store, detailed = json.loads(reader.json()), json.loads(reader.detailed_json())
    except c2pa.C2paError as error:
        return {}, _cannot_tell(_reason(str(error)), _IN_TEXT, intext.CORRUPTED)
    except (OSError, ValueError, RecursionError) as error:
        return {}, _cannot_tell(f"reading failed ({type(error).__name__}).", _IN_TEXT)
    if not isinstance(store, dict) or not store.get("active_manifest"):
        return {}, _cannot_tell("the manifest store has no active manifest.", _IN_TEXT)
    intext.bind(store, detailed, found)
    return store, None


def _cannot_tell(reason: str, carrier: str, *codes: str) -> CredentialsReport:
    return CredentialsReport(state=State.CANNOT_TELL, carrier=carrier, reason=reason, codes=codes)


def _reason(text: str) -> str:
    kind, _, detail = text.partition(": ")
    detail = clause(detail or kind)
    if kind == "Remote":
        url = detail.rpartition(" ")[2]
        return f"the manifest is remote and was not fetched: {plain(url, 200)}"
    if kind == "NotSupported":
        return "c2pa does not know this kind of file."
    return f"the manifest, or the file around it, is damaged: {detail}."


def _report(
    store: dict[str, Any], carrier: str, trusted: Trust, again: Callable[[Trust], Mapping[str, Any]]
) -> CredentialsReport:
    active = _manifest(store, store["active_manifest"])
    signature = _mapping(active.get("signature_info"))
    signed_at = _text(signature.get("time")) or _action_time(active)
    verdicts = _judge(store, trusted, again, claimed_time=bool(signed_at))
    own = next((each.get("data") for each in _assertions(active, manifest.LABEL_ASSERTION)), None)
    return CredentialsReport(
        state=State.PRESENT,
        content=verdicts.content,
        signer=verdicts.signer,
        time=verdicts.time,
        chain=verdicts.chain,
        claim_generator=_claim_generator(active),
        signer_name=" / ".join(
            dict.fromkeys(filter(None, map(_text, map(signature.get, ("common_name", "issuer")))))
        ),
        signed_at=signed_at,
        codes=tuple(plain(code, 100) for code in verdicts.codes[:200]),
        source_type=_source_type(store, active),
        payload=_payload(active),
        fingerprint=_fingerprint(own),
        label=manifest.label_from(own),
        carrier=carrier,
        reason=intext.problem(store) if carrier == _IN_TEXT else "",
    )


def _fingerprint(own: Any) -> str:
    value = own.get("fingerprint") if isinstance(own, Mapping) else None
    return value if isinstance(value, str) and re.fullmatch("[0-9a-f]{8,64}", value) else ""


def _judge(
    store: Mapping[str, Any],
    trusted: Trust,
    again: Callable[[Trust], Mapping[str, Any]],
    *,
    claimed_time: bool,
) -> Verdicts:
    """Judge, and read once more with one list alone where the wrong list vouched.

    If a root stands on both lists, c2pa names either, now the one and now the other (measured).
    """
    has_signers = bool(trusted.signers or trusted.single_signers)
    verdicts = judge(store, claimed_time=claimed_time, has_signers=has_signers)
    if not (has_signers and trusted.time_stamps):
        return verdicts
    if verdicts.signer == "unknown" and "signingCredential.trusted" in verdicts.codes:
        alone = again(Trust(trusted.signers, trusted.single_signers))
        signer = judge(alone, claimed_time=False, has_signers=True).signer
        verdicts = replace(verdicts, signer="trusted" if signer == "trusted" else "unknown")
    if verdicts.time != "stamped" and "timeStamp.trusted" in verdicts.codes:
        alone = again(Trust(time_stamps=trusted.time_stamps))
        time = judge(alone, claimed_time=claimed_time, has_signers=False).time
        verdicts = replace(verdicts, time=time)
    return verdicts


def _claim_generator(active: Mapping[str, Any]) -> str:
    for info in _mappings(active.get("claim_generator_info")):
        if name := _text(info.get("name")):
            return "/".join(filter(None, (name, _text(info.get("version")))))
    return _text(active.get("claim_generator"))


def _actions(active: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for label in ("c2pa.actions", "c2pa.actions.v2"):
        for assertion in _assertions(active, label):
            yield from _mappings(_mapping(assertion.get("data")).get("actions"))


def _action_time(active: Mapping[str, Any]) -> str:
    times = (_text(action.get("when"), 64) for action in _actions(active))
    return next(filter(is_time, times), "")


def _source_type(store: Mapping[str, Any], active: Mapping[str, Any]) -> str:
    """Digital source type of the first action that states one, else of the parent, and so on up.

    A picture that an AI made and somebody cropped says only "opened, cropped" in its active manifest;
    what it is stands in the manifest of its ``parentOf`` ingredient.
    """
    seen: set[str] = set()
    for _ in range(_MAX_CHAIN):
        for action in _actions(active):
            if uri := _text(action.get("digitalSourceType"), 500):
                return uri.rstrip("/").rpartition("/")[2]
        parents = [
            _text(each.get("active_manifest"), 500)
            for each in _mappings(active.get("ingredients"))
            if each.get("relationship") == "parentOf"
        ]
        parent = next(filter(None, parents), "")
        if not parent or parent in seen:
            break
        seen.add(parent)
        active = _manifest(store, parent)
    return ""


def _payload(active: Mapping[str, Any]) -> str:
    for assertion in _assertions(active, "c2pa.soft-binding"):
        data = _mapping(assertion.get("data"))
        if not _text(data.get("alg")).startswith(manifest.SOFT_BINDING_PREFIX):
            continue
        for block in _mappings(data.get("blocks")):
            value = _text(block.get("value"))
            if _PAYLOAD.fullmatch(value):
                return value
    return ""


def _manifest(store: Mapping[str, Any], label: object) -> Mapping[str, Any]:
    return _mapping(_mapping(store.get("manifests")).get(str(label)))


def _assertions(active: Mapping[str, Any], label: str) -> Iterator[Mapping[str, Any]]:
    """Assertions with this label, also further ones of the kind (``label__1``)."""
    for assertion in _mappings(active.get("assertions")):
        if str(assertion.get("label", "")).partition("__")[0] == label:
            yield assertion


def _text(value: object, limit: int = 200) -> str:
    return plain(value, limit) if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> Iterable[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
