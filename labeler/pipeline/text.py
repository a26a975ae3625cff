"""The signal pass over a text or document: visible lines, the opt-in tag, and the way back.

A text has no samples to hide a watermark in. The watermark layer is the invisible tag of
`labeler.watermark.texttag`, and it is opt-in: a profile that names the watermark layer for all media does
not put one into texts; ``--layers ...,watermark`` does.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from labeler.core.keys import WatermarkKey
from labeler.errors import DamagedMedia, InputError
from labeler.media.files import Scratch, Source, read_source
from labeler.media.text.formats import format_of
from labeler.media.text.model import NoPlace
from labeler.media.text.probe import DOCX, XLSX, probe
from labeler.pipeline.marked import Marked
from labeler.pipeline.options import LabelOptions, VerifyOptions
from labeler.pipeline.seen import Seen
from labeler.profiles import Profile
from labeler.types import Finding, Layer, MediaInfo, State, VisibleReport, WatermarkReport
from labeler.visible import text as visible
from labeler.visible.wording import wording
from labeler.watermark import texttag

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["apply", "detect", "look", "mark_lines", "mark_paragraphs", "probe", "tag", "with_generation"]

_PDF = "application/pdf"
_RUNNING = frozenset({"text/plain", "text/markdown", DOCX})
_ONE_NOTICE = frozenset({"application/json", "application/jsonl", XLSX})
"""Formats in which a new notice takes the place of an old one."""


def apply(
    source: Source,
    info: MediaInfo,
    layers: Sequence[Layer],
    *,
    payload: bytes,
    key: WatermarkKey,
    profile: Profile,
    options: LabelOptions,
    scratch: Scratch | None = None,
) -> Marked:
    """Write the signal layers asked for; the tag goes into the text before the lines are put around it."""
    data = source.data
    lang = options.lang or profile.visible.lang
    written: list[Layer] = []
    notes: list[Finding] = []
    if Layer.WATERMARK in layers:
        if options.layers is None or Layer.WATERMARK not in options.layers:
            detail = "the invisible tag of texts is opt-in; name the watermark in --layers to have it written"
            notes.append(Finding(id="watermark.opt-in", severity="info", detail=detail))
        else:
            try:
                data = tag(
                    data,
                    info.media_type,
                    payload,
                    key,
                    every=options.tag_every,
                )
                written.append(Layer.WATERMARK)
            except (NoPlace, texttag.CannotTag) as error:
                notes.append(Finding(id="watermark.impossible", severity="warn", detail=error.message))
    shown = ""
    if Layer.VISIBLE in layers:
        try:
            before = data
            data, shown = _mark(data, info, lang, options)
            written.insert(0, Layer.VISIBLE)
            if data == before or shown != wording(lang).text:
                detail = f"the text has visible lines already, {shown!r}; no second ones were written"
                notes.append(Finding(id="visible.there", severity="info", detail=detail))
        except NoPlace as error:
            notes.append(Finding(id="visible.impossible", severity="warn", detail=error.message))
    return Marked(
        content=Source(source.path, data),
        written=tuple(written),
        visible_text=shown,
        algorithm=texttag.ALGORITHM if Layer.WATERMARK in written else "",
        notes=tuple(notes),
    )


def _mark(data: bytes, info: MediaInfo, lang: str, options: LabelOptions) -> tuple[bytes, str]:
    """The text with its visible mark, and what that says: as ``lang``, or as an earlier one that stays."""
    if info.media_type != _PDF:
        return mark_lines(data, info.media_type, lang, options)
    from labeler.visible import pdfstamp

    marked = pdfstamp.mark(data, lang=lang, font=options.font)
    stamps = (e.text for e in pdfstamp.detect(marked).evidence if e.kind == visible.KIND)
    return marked, next(stamps, wording(lang).text)


def mark_lines(
    data: bytes, media_type: str, lang: str, options: LabelOptions, *, place: str = "both"
) -> tuple[bytes, str]:
    """Put our lines around a text, and the mark behind each paragraph if that is asked for; never a second one.

    With ``relabel`` those of an earlier run are put into the language asked for, where the format lets them.

    Returns:
        The text, and what its lines say: as ``lang``, or as an earlier one that stays.

    Raises:
        NoPlace: the format has no place for them.
    """
    form = format_of(media_type)
    anew = options.relabel and media_type in _ONE_NOTICE
    if options.relabel:
        with contextlib.suppress(NoPlace):
            data = form.retext(data, lambda text: visible.translated(text, lang))
    if options.every_paragraph:
        data = mark_paragraphs(data, media_type, lang)
    edges = form.edges(data)
    head, tail = visible.missing(edges, lang, anew=anew)
    head = head if place in ("both", "start") else ""
    tail = tail if place in ("both", "end") else ""
    shown = "" if anew else visible.other_words(edges, lang)
    return form.mark(data, head, tail) if head or tail else data, shown or wording(lang).text


def mark_paragraphs(data: bytes, media_type: str, lang: str) -> bytes:
    """Put ``〔AI生成〕`` behind every paragraph of running text that has none, so that excerpts keep a mark.

    Raises:
        NoPlace: the format has no paragraphs that could be told from cells, items and captions.
    """
    if media_type not in _RUNNING:
        raise NoPlace(f"paragraphs of {media_type} cannot be marked one by one.")
    mark = visible.marks(lang).behind

    def add(part: str) -> str:
        heading = media_type == "text/markdown" and part.lstrip().startswith("#")
        return part if heading or texttag.remove(part).endswith(mark) else part + mark

    return format_of(media_type).retext(data, lambda text: visible.between(text, add))


def tag(data: bytes, media_type: str, payload: bytes, key: WatermarkKey, *, every: str) -> bytes:
    """Tag every paragraph of running text, or each sentence, or the last paragraph that takes a tag.

    Raises:
        CannotTag: no paragraph has a safe place.
        NoPlace: the format takes no tags.
        UsageError: unknown ``every``.
    """
    if media_type == _PDF:
        raise NoPlace("the words of a PDF are drawn glyph by glyph and take no tag; tag the text before.")
    form = format_of(media_type)
    count = last = 0

    def embed(text: str) -> str:
        nonlocal count, last
        count += 1
        try:
            result = texttag.embed(text, payload, key, every=every)
        except texttag.CannotTag:
            return text
        last = count
        return texttag.remove(text) if every == "end" else result

    result = form.retext(data, lambda text: visible.between(text, embed))
    if not last:
        raise texttag.CannotTag("no paragraph has a place that is safe for a tag.")
    if every != "end":
        return result
    count = 0

    def embed_last(text: str) -> str:
        nonlocal count
        count += 1
        return texttag.embed(text, payload, key, every="end") if count == last else text

    return form.retext(result, lambda text: visible.between(text, embed_last))


def detect(
    source: Source,
    info: MediaInfo,
    layers: Sequence[Layer],
    *,
    keys: Sequence[WatermarkKey],
    options: VerifyOptions,
) -> Seen:
    """Look for visible wording at both ends, and for the tag anywhere.

    Without a tag the watermark state is CANNOT_TELL, never ABSENT: a statistical mark of the generation
    cannot be looked for without the model's tokenizer.
    """
    data = source.data
    options.limits.check_bytes(len(data), path=source.path)
    found_visible = VisibleReport(state=State.SKIPPED)
    found_watermark = WatermarkReport(state=State.SKIPPED)
    if Layer.VISIBLE in layers:
        found_visible = look(data, info.media_type)
    if Layer.WATERMARK in layers:
        found_watermark = _seek(data, info, keys)
        if options.tokens is not None:
            from labeler.watermark.generation import read_tokens

            tokens = read_tokens(read_source(options.tokens, limits=options.limits).data)
            found_watermark = with_generation(found_watermark, tokens, keys)
    return Seen(visible=found_visible, watermark=found_watermark)


def look(data: bytes, media_type: str) -> VisibleReport:
    """Visible wording at both ends; in plain text and Markdown our own lines anywhere."""
    try:
        if media_type == _PDF:
            from labeler.visible import pdfstamp

            return pdfstamp.detect(data)
        form = format_of(media_type)
        found = visible.detect(form.edges(data))
        if found.state is State.ABSENT and media_type in ("text/plain", "text/markdown"):
            found = visible.detect_inside(form.raw_text(data))
        return found
    except NoPlace as error:
        return VisibleReport(state=State.NOT_APPLICABLE, reason=error.message)
    except DamagedMedia as error:
        return VisibleReport(state=State.CANNOT_TELL, reason=error.message)


def with_generation(
    tag: WatermarkReport, tokens: npt.ArrayLike, keys: Sequence[WatermarkKey]
) -> WatermarkReport:
    """What the tag and the token ids say together: the tag names the content, so it goes first."""
    from labeler.watermark.generation import detect_tokens

    found = detect_tokens(tokens, keys)
    if tag.state is not State.PRESENT:
        return found
    if found.state is not State.PRESENT:
        return tag
    said = {**found.geometry, "mark_id": found.mark_id, "log10_p": found.log10_p}
    return dataclasses.replace(tag, geometry={**tag.geometry, "generation": said})


def _seek(data: bytes, info: MediaInfo, keys: Sequence[WatermarkKey]) -> WatermarkReport:
    if info.media_type == _PDF:
        return WatermarkReport(state=State.CANNOT_TELL, reason=texttag.REASON)
    try:
        return texttag.detect_bytes(format_of(info.media_type).raw_text(data), keys)
    except InputError as error:
        return WatermarkReport(state=State.CANNOT_TELL, reason=error.message)
