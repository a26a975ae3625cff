r"""Labels for plain strings: the answer of a model on its way to a person, before there is any file.

>>> label_text("The river rose in the night.", lang="en")
'[AI-generated]\nThe river rose in the night.\n(This content is AI-generated)'
>>> verify_text(label_text("夜里河水上涨。", lang="zh")).verdict
<Verdict.AI_SUSPECTED: 'ai-suspected'>
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from labeler import profiles
from labeler.core.keys import PUBLIC_KEY, WatermarkKey
from labeler.core.payload import Payload
from labeler.core.threads import one_thread
from labeler.errors import UsageError
from labeler.media.text.formats import format_of
from labeler.metadata import text as metadata
from labeler.metadata.textslots import MarkdownSlot
from labeler.pipeline import reconcile
from labeler.pipeline.text import look, mark_paragraphs, with_generation
from labeler.pipeline.text import tag as write_tag
from labeler.profiles import checks
from labeler.types import CredentialsReport, Label, Layers, Modality, Report, State
from labeler.visible import text as visible
from labeler.watermark import texttag

if TYPE_CHECKING:
    from labeler.credentials.trust import Trust

__all__ = ["label_text", "verify_text"]

_TYPES = {"text": "text/plain", "markdown": "text/markdown", "html": "text/html"}
_PLACES = ("both", "start", "end")


def label_text(
    text: str,
    *,
    lang: str = "both",
    place: str = "both",
    kind: str = "text",
    every_paragraph: bool = False,
    label: Label | None = None,
    tag: str = "",
    key: WatermarkKey = PUBLIC_KEY,
) -> str:
    """Put the visible lines around a text, and if asked for the invisible tag into it.

    Labelling twice changes nothing.

    Args:
        text: what a model wrote.
        lang: ``zh``, ``en`` or ``both``; English alone does not satisfy the letter of GB 45438.
        place: ``both``, ``start`` or ``end``.
        kind: ``text``, ``markdown`` or ``html``: how the lines are written.
        every_paragraph: also mark each paragraph, as 〔AI生成〕 behind it, for texts that are taken apart
            (``kind`` text and markdown).
        label: whose content it is; needed for the tag, and for Markdown written into the front matter.
        tag: ``sentence``, ``paragraph`` or ``end`` for the invisible tag; "" for none.
        key: watermark key of the tag.

    Returns:
        The labelled text. Lone surrogates come back as they were.

    Raises:
        UsageError: an unknown option, or a tag without a label.
        CannotTag: the text has no safe place for a tag.
    """
    if place not in _PLACES or kind not in _TYPES:
        raise UsageError(f"place must be one of {', '.join(_PLACES)}, kind one of {', '.join(_TYPES)}.")
    if tag:
        if label is None:
            raise UsageError("a tag names the content, so it needs a label.", remedy="Pass label=Label(...).")
        payload = bytes(Payload.of(label))
        text = _decode(write_tag(_encode(text), _TYPES[kind], payload, key, every=tag))
    words = visible.marks(lang)
    if every_paragraph and kind != "html":
        text = _decode(mark_paragraphs(_encode(text), _TYPES[kind], words.text))
    form = format_of(_TYPES[kind])
    head, tail = visible.missing(form.edges(_encode(text)), lang)
    head = head if place in ("both", "start") else ""
    tail = tail if place in ("both", "end") else ""
    data = form.mark(_encode(text), head, tail) if head or tail else _encode(text)
    if label is not None and kind == "markdown":
        from labeler.metadata import aigc

        data = MarkdownSlot().write(data, aigc.fields_of(label), {})
    return _decode(data)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


@one_thread()
def verify_text(
    text: str,
    *,
    kind: str = "text",
    keys: Sequence[WatermarkKey] = (PUBLIC_KEY,),
    profile: str = "",
    trust: Trust | None = None,
    token_ids: Sequence[int] | None = None,
) -> Report:
    """Look at a string: visible wording at its ends, labels in it, tags, a C2PA manifest inside it.

    Args:
        text: any text.
        kind: ``text``, ``markdown`` or ``html``.
        keys: watermark keys whose tags are looked for.
        profile: judge against this profile, or "" for no judgement.
        trust: whose signatures to trust.
        token_ids: of the text, from the tokenizer of the model that wrote it; then a mark of the generation
            is looked for.

    Returns:
        A report as of a file; ``path`` is "". Without a tag the watermark layer says that a statistical
        mark cannot be checked.
    """
    if kind not in _TYPES:
        raise UsageError(f"kind must be one of {', '.join(_TYPES)}.")
    data = _encode(text)
    form = format_of(_TYPES[kind])
    from labeler.credentials import intext
    from labeler.metadata.textslots import HtmlSlot

    slot = HtmlSlot() if kind == "html" else MarkdownSlot()
    found = metadata.report(slot.read(data), sidecar=kind == "text")
    watermark = texttag.detect_bytes(form.raw_text(data), keys)
    if token_ids is not None:
        watermark = with_generation(watermark, token_ids, keys)
    layers = Layers(
        visible=look(data, _TYPES[kind]),
        metadata=found,
        watermark=watermark,
        credentials=intext.read_in_text(data, _TYPES[kind], trust)
        or CredentialsReport(state=State.NOT_APPLICABLE, reason="the string carries no manifest"),
    )
    pairs = reconcile.consistency(layers)
    return Report(
        path="",
        sha256=hashlib.sha256(data).hexdigest(),
        media_type=_TYPES[kind],
        modality=Modality.TEXT,
        verdict=reconcile.verdict(layers, pairs),
        label=reconcile.label_of(layers),
        layers=layers,
        consistency=pairs,
        compliance=checks.judge(layers, profiles.load(profile), Modality.TEXT) if profile else None,
    )
