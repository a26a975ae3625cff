"""Which text takes which form, and what is looked for in it."""

from __future__ import annotations

from labeler.credentials.intext.armour import MULTIPLE, Armour, Note
from labeler.credentials.intext.model import Damage, Form, Found
from labeler.credentials.intext.script import Script
from labeler.credentials.intext.selectors import Selectors
from labeler.errors import DamagedMedia
from labeler.media.text.encoding import decode

__all__ = ["TYPES", "find", "form_for"]

_SELECTORS: Form = Selectors()
_FORMS: dict[str, Form] = {
    "text/plain": _SELECTORS,
    "text/html": Script(),
    "text/markdown": Armour(),
    "text/vtt": Note(),
}
TYPES = frozenset({*_FORMS, "application/json", "application/jsonl", "application/x-subrip"})
"""Types that are looked through; those without a form of their own may hold pasted text."""


def form_for(media_type: str) -> Form | None:
    """The form that labeler signs a type with; None for types without a place (JSON, SubRip, packages)."""
    return _FORMS.get(media_type)


def find(data: bytes, media_type: str) -> Found | Damage | None:
    """What a text holds of a manifest.

    Args:
        data: the file.
        media_type: by content.

    Returns:
        The one manifest; what is wrong; or None, which is the only answer that means "no manifest".
    """
    if media_type not in TYPES:
        return None
    data = _as_utf8(data)
    own = _FORMS.get(media_type, _SELECTORS)
    forms = (_SELECTORS, Armour()) if own is _SELECTORS else (own, _SELECTORS)
    answers = [answer for form in forms if (answer := form.find(data)) is not None]
    whole = [answer for answer in answers if isinstance(answer, Found)]
    if len(whole) > 1:
        return Damage(MULTIPLE, "several C2PA manifests of different forms stand in the text.")
    return (whole or answers or [None])[0]


def _as_utf8(data: bytes) -> bytes:
    """UTF-16 and UTF-32 converted; all else as it is, since hashes are over bytes."""
    if not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        return data
    try:
        return decode(data).body
    except DamagedMedia:
        return data
