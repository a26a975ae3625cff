r"""Labels for plain strings: the answer of a model on its way to a person, before there is any file.

>>> label_text("The river rose in the night.", lang="en")
'[AI-generated]\nThe river rose in the night.\n(This content is AI-generated)'
>>> verify_text(label_text("夜里河水上涨。", lang="zh")).verdict
<Verdict.AI_SUSPECTED: 'ai-suspected'>
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from labeler import profiles
from labeler.core.keys import PUBLIC_KEY, WatermarkKey
from labeler.core.payload import Payload
from labeler.core.threads import one_thread
from labeler.errors import UsageError
from labeler.media.text.formats import format_of
from labeler.metadata import text as metadata
from labeler.metadata.textslots import MarkdownSlot
from labeler.pipeline import reconcile
from labeler.pipeline.label import new_label, watermark_key
from labeler.pipeline.options import LabelOptions
from labeler.pipeline.text import look, mark_lines, with_generation
from labeler.pipeline.text import tag as write_tag
from labeler.profiles import checks
from labeler.types import CredentialsReport, Label, Layer, Layers, MediaInfo, Modality, Report, State
from labeler.visible.wording import wording
from labeler.watermark import texttag

if TYPE_CHECKING:
    from labeler.credentials.trust import Trust

__all__ = ["label_text", "verify_text"]

_LOG = logging.getLogger(__name__)
_TYPES = {"text": "text/plain", "markdown": "text/markdown", "html": "text/html"}
_PLACES = ("both", "start", "end")


def label_text(
    text: str,
    *,
    place: str = "both",
    kind: str = "text",
    label: Label | None = None,
    tag: str = "",
    key: WatermarkKey | str = PUBLIC_KEY,
    **options: Any,
) -> str:
    """Put the visible lines around a text, and if asked for the invisible tag and metadata into it.

    Labelling twice with the same label changes nothing. Lines of an earlier label in another language than ``lang``
    stay, which is logged as a warning; with ``relabel`` they are replaced.

    Args:
        text: what a model wrote.
        place: ``both``, ``start`` or ``end``.
        kind: ``text``, ``markdown`` or ``html``: how the lines are written.
        label: whose content it is; default one of ``producer``, ``produce_id`` and the other fields in ``options``.
            The tag needs it, and Markdown has it in its front matter.
        tag: ``sentence``, ``paragraph`` or ``end`` for the invisible tag; "" for none, unless ``layers`` names the
            watermark: then ``tag_every`` of ``options``.
        key: watermark key of the tag, or its id.
        **options: fields of ``LabelOptions``: of the label, ``layers`` (visible, watermark; of Markdown and HTML
            metadata too), ``profile``, ``lang`` (English alone does not satisfy the letter of GB 45438), ``tag_every``,
            ``every_paragraph`` (as 〔AI生成〕 behind each, for texts that are taken apart; not HTML), ``home``.

    Returns:
        The labelled text. Lone surrogates come back as they were.

    Raises:
        UsageError: an unknown option, a layer that the string cannot carry, or one that needs a label without
            a producer.
        CannotTag: the text has no safe place for a tag.
    """
    if place not in _PLACES or kind not in _TYPES:
        raise UsageError(f"place must be one of {', '.join(_PLACES)}, kind one of {', '.join(_TYPES)}.")
    settings = LabelOptions.of(**options)
    layers = _layers(settings, kind)
    if Layer.WATERMARK in layers and not tag:
        tag = settings.tag_every
    if label is None and (settings.producer or tag or Layer.METADATA in (settings.layers or ())):
        label = new_label(settings)
    data = _encode(text)
    if tag and label is not None:
        if isinstance(key, str):
            key = watermark_key(dataclasses.replace(settings, key=key))
        data = write_tag(data, _TYPES[kind], bytes(Payload.of(label)), key, every=tag)
    if Layer.VISIBLE in layers:
        data = _lines(data, kind, place, settings)
    if Layer.METADATA in layers and label is not None:
        target = io.BytesIO()
        info = MediaInfo(media_type=_TYPES[kind], modality=Modality.TEXT, size=len(data))
        metadata.write(io.BytesIO(data), target, info, label)
        data = target.getvalue()
    return _decode(data)


def _layers(settings: LabelOptions, kind: str) -> tuple[Layer, ...]:
    """The layers to write into a string; by default the lines, and the front matter of Markdown.

    Raises:
        UsageError: one of those asked for has no place in it.
    """
    if settings.layers is None:
        return (Layer.VISIBLE, Layer.METADATA) if kind == "markdown" else (Layer.VISIBLE,)
    no_place = {Layer.CREDENTIALS, *((Layer.METADATA,) if kind == "text" else ())}
    if refused := no_place.intersection(settings.layers):
        raise UsageError(
            f"a string of kind {kind} has no place for {' and '.join(sorted(refused))}.",
            remedy="Use label_file, for a manifest with in_text=True.",
        )
    return settings.layers


def _lines(data: bytes, kind: str, place: str, settings: LabelOptions) -> bytes:
    """Put the visible lines around a text, and the mark behind each paragraph if that is asked for."""
    lang = settings.lang or profiles.load(settings.profile).visible.lang
    settings = dataclasses.replace(settings, every_paragraph=settings.every_paragraph and kind != "html")
    data, shown = mark_lines(data, _TYPES[kind], lang, settings, place=place)
    if settings.lang and shown != wording(lang).text:
        _LOG.warning("the text has visible lines already, %r; relabel=True puts them into %r", shown, lang)
    return data


def _encode(text: str) -> bytes:
    if not isinstance(text, str):
        raise UsageError(
            f"a text is a str, not {type(text).__name__}.",
            remedy="Decode it first, or use label_file or verify_file.",
        )
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
