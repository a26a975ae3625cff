"""Put a signed manifest into a text, and read one from a text that is no file."""

from __future__ import annotations

import io
import unicodedata
from typing import TYPE_CHECKING, Any

from labeler.credentials.intext import binding
from labeler.credentials.intext.forms import find, form_for
from labeler.credentials.intext.model import Found
from labeler.errors import OutputError, UnsupportedMedia
from labeler.media.text.encoding import decode
from labeler.types import CredentialsReport, Label, MediaInfo, Modality, State

if TYPE_CHECKING:
    from labeler.credentials.identity import SigningIdentity
    from labeler.credentials.trust import Trust

__all__ = ["read_in_text", "sign_in_text", "without"]

_FIRST_GUESS = 4096
_MAX_ROUNDS = 6
_SIDECAR = "Leave it out: the manifest then stands in a .c2pa file beside the text."


def sign_in_text(
    data: bytes,
    media_type: str,
    label: Label,
    identity: SigningIdentity,
    *,
    payload: str = "",
    algorithm: str = "",
    title: str = "",
    training: str = "",
    visible_text: str = "",
) -> bytes:
    """Sign a text and put the manifest into it; every other byte stays as it is.

    A manifest that stands in the text already is replaced.

    Args:
        data: the file.
        media_type: ``text/plain`` (A.8), ``text/markdown``, ``text/vtt`` (A.9) or ``text/html`` (A.7).
        label: what the manifest says.
        identity: who signs.
        payload: of the invisible tag that the text carries, 16 hex digits, or "".
        algorithm: its soft-binding algorithm.
        title: name of the file.
        training: preference on training and mining.
        visible_text: wording of a visible mark that was added.

    Raises:
        UnsupportedMedia: the type or this text takes no manifest (not UTF-8; for A.8 not in NFC, since
            readers hash the NFC form and others than labeler refuse any other).
        OutputError: signing failed.
    """
    from labeler.credentials import manifest, sign
    from labeler.credentials.identity import NativeSigner

    form = form_for(media_type)
    if form is None:
        raise UnsupportedMedia(f"a manifest cannot stand inside {media_type}.", remedy=_SIDECAR)
    _check_encoding(data, normalised=form.normalised)
    data = without(data, media_type)
    identity.check_validity()
    place = form.place(data)
    value, start = binding.digest("sha256", place.before, place.after, normalised=form.normalised)
    definition = manifest.definition(
        label,
        media_type=media_type,
        has_parent=False,
        payload=payload,
        algorithm=algorithm,
        title=title,
        training=training,
        visible_text=visible_text,
    )
    length = _FIRST_GUESS
    with NativeSigner(identity) as signer:
        for _ in range(_MAX_ROUNDS):  # the manifest names its own length
            stated: dict[str, Any] = {
                "exclusions": [{"start": start, "length": length}],
                "name": "C2PA manifest",
                "alg": "sha256",
                "hash": list(value),
                "pad": [],
            }
            wrapper = form.wrap(sign.detached(definition, signer, stated), place)
            if len(wrapper) == length:
                return b"".join((place.before, wrapper, place.after))
            length = len(wrapper)
    raise OutputError("the manifest's length does not settle.")


def without(data: bytes, media_type: str) -> bytes:
    """The text without the one whole manifest that it carries; as it is if there is none."""
    found = find(data, media_type)
    if not isinstance(found, Found) or len(found.data) != len(data):
        return data
    return data[: found.start] + data[found.end :]


def _check_encoding(data: bytes, *, normalised: bool) -> None:
    text = decode(data)
    if text.codec != "utf-8":
        detail = f"a manifest inside a text needs UTF-8, and this one is {text.codec}."
        raise UnsupportedMedia(detail, remedy=_SIDECAR)
    if normalised and not data.isascii() and b"".join(binding.pieces(data, True)) != data:
        detail = f"the text is not in Unicode's composed form (NFC, {unicodedata.unidata_version})"
        raise UnsupportedMedia(f"{detail}, over which its hash would be.", remedy=_SIDECAR)


def read_in_text(data: bytes, media_type: str, trust: Trust | None = None) -> CredentialsReport | None:
    """Read and judge the manifest in a text.

    Returns:
        None if the text holds nothing of a manifest; else a report whose state is PRESENT, or CANNOT_TELL
        with ``reason`` and ``codes`` for what is damaged, doubled or remote.
    """
    from labeler.credentials import read

    info = MediaInfo(media_type=media_type, modality=Modality.TEXT)
    report = read.read(io.BytesIO(data), info, trust=trust)
    return None if report.state is State.ABSENT else report
