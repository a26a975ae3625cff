"""A.7: a manifest in an HTML document, as the content of a script element that no browser runs.

    <script type="application/c2pa">base64</script>

in the head. The hash is over the document's bytes as they are, without the element from its first to its
last character. A document may instead link to a manifest elsewhere; it is reported, and never fetched.
"""

from __future__ import annotations

import base64
import re

from labeler.credentials.intext.model import REMOTE, Damage, Found, Place, store_or_damage
from labeler.media.text.html import Tag, places, tags

__all__ = ["MULTIPLE", "Script"]

MULTIPLE = "manifest.html.multipleManifests"
_CORRUPTED = "io.github.labeler.html.corruptedManifest"  # the specification names no code for it
_TYPE = b"application/c2pa"
_HINT = re.compile(rb"application/c2pa|c2pa-manifest", re.IGNORECASE)
_OPENING = re.compile(rb"<script\s+type\s*=\s*([\"']?)application/c2pa\1\s*>", re.IGNORECASE)
_CLOSING = re.compile(rb"</script\s*>", re.IGNORECASE)
_WHAT = "the C2PA script element"


class Script:
    """The form A.7."""

    name = "A.7"
    normalised = False

    def place(self, data: bytes) -> Place:
        """At the end of the head."""
        bom = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        at = bom + places(data[bom:]).head
        return Place(data[:at], data[at:])

    def wrap(self, manifest: bytes, place: Place) -> bytes:
        """The element."""
        return b'<script type="' + _TYPE + b'">' + base64.b64encode(manifest) + b"</script>"

    def find(self, data: bytes) -> Found | Damage | None:
        """The one element, wherever in the document it stands; comments are passed over, as browsers do."""
        if not _HINT.search(data):
            return None
        carriers = [tag for tag in tags(data) if not tag.closing and _carries(tag)]
        if not carriers:
            return None
        if len(carriers) > 1:
            return Damage(
                MULTIPLE, "several C2PA manifests belong to the document: which is meant is not known."
            )
        tag = carriers[0]
        if tag.name == b"link":
            url = (tag.get("href") or "")[:200]
            return Damage(REMOTE, f"the manifest is linked to and was not fetched: {url}")
        closing = _CLOSING.match(data, tag.content_end)
        if closing is None:
            return Damage(_CORRUPTED, f"{_WHAT} is truncated: its end tag is lost.")
        text = data[tag.end : tag.content_end].strip(b" \t\r\n\f")
        store = store_or_damage(text, _CORRUPTED, _WHAT)
        if isinstance(store, Damage):
            return store
        clean = _OPENING.fullmatch(data, tag.start, tag.end)
        return Found(
            form=self.name,
            manifest=store,
            data=data,
            start=tag.start,
            end=closing.end(),
            odd="" if clean else "its script element has attributes of its own",
        )


def _carries(tag: Tag) -> bool:
    if tag.name == b"script":
        return (tag.get("type") or "").strip().lower() == _TYPE.decode()
    return tag.name == b"link" and "c2pa-manifest" in (tag.get("rel") or "").lower().split()
