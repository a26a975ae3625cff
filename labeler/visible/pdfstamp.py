"""The visible mark on a PDF: the badge of pictures, stamped on the first and the last page.

PDF viewers draw no text of a font that is neither embedded nor on the machine, and no font is part of
labeler. The badge is therefore a small picture, with its words as replacement text (ISO 32000-2, 14.9.4
``ActualText``), so that they can be searched, copied and spoken.

The main line is a little larger than body text: 16 pt. GB 45438-2025 5.1 gives no size for texts.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from labeler.errors import DamagedMedia
from labeler.media.text import pdf
from labeler.types import Evidence, State, VisibleReport
from labeler.visible import badge
from labeler.visible.fonts import find_face
from labeler.visible.text import KIND
from labeler.visible.wording import wording

__all__ = ["detect", "mark"]

_EM_PX = 64.0
_EM_POINTS = 16.0
_DARK = 18
_OPACITY = 0.86


def _stamp(lang: str, font: Path | None) -> pdf.Stamp:
    words = wording(lang)
    face = find_face(words.main + words.sub, font=font)
    made = badge.render(face, (words.main,), words.sub, _EM_PX)
    ink = made.ink.astype(np.float32)[..., None] / 255
    rgb = np.repeat(_DARK + (255 - _DARK) * ink, 3, axis=2)
    alpha = np.maximum(made.plate * np.float32(_OPACITY), made.ink)
    width, height = made.size
    return pdf.Stamp(
        rgb=np.round(rgb).astype(np.uint8).tobytes(),
        alpha=np.round(alpha).astype(np.uint8).tobytes(),
        width=width,
        height=height,
        points=height * _EM_POINTS / _EM_PX,
        text=words.text,
    )


def mark(data: bytes, *, lang: str, font: Path | None = None) -> bytes:
    """The PDF with stamps at the top of its first and the bottom of its last page.

    A page that has one of ours already gets no other; a PDF with both comes back byte for byte.

    Args:
        data: the file.
        lang: ``zh``, ``en`` or ``both``.
        font: font file; default as for pictures.

    Raises:
        DamagedMedia: it cannot be read, or has no page.
        UnsupportedMedia: encrypted or digitally signed.
    """
    with pdf.open_pdf(data) as document:
        places = pdf.pages(document)
        ends = [(places[0], True), (places[-1], False)]
        wanted = 2 if len(places) == 1 else 1
        found = [pdf.stamps(page) for page, _ in ends]
        todo = [end for end, there in zip(ends, found, strict=True) if len(there) < wanted]
        if len(places) == 1 and len(found[0]) == 1:
            todo = todo[:1]
        if not todo:
            return data
        drawn = _stamp(lang, font)
        for page, top in todo:
            pdf.stamp(document, page, drawn, top=top)
        return pdf.save(document)


def detect(data: bytes) -> VisibleReport:
    """Our stamps on the first and the last page, then other people's words there.

    Text that a page draws is read where its fonts say which characters they draw; pages that are pictures
    of text are not read.
    """
    from labeler.media.text import pdftext
    from labeler.visible.text import detect as detect_words

    evidence: list[Evidence] = []
    try:
        with pdf.open_pdf(data) as document:
            for page in pdf.pages(document):
                for text in pdf.stamps(page):
                    found = Evidence(kind=KIND, text=text, score=1.0)
                    evidence += [] if found in evidence else [found]
            edges = pdftext.edges(document)
    except DamagedMedia as error:
        return VisibleReport(state=State.CANNOT_TELL, reason=error.message)
    evidence += [e for e in detect_words(edges).evidence if e not in evidence]
    if evidence:
        return VisibleReport(state=State.PRESENT, evidence=tuple(evidence))
    if not edges.head and not edges.tail:
        reason = "no text could be read from the pages; words within pictures are not looked for."
        return VisibleReport(state=State.CANNOT_TELL, reason=reason)
    return VisibleReport(state=State.ABSENT)
