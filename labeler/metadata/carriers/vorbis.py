"""Vorbis comments as a place for labels: what FLAC and Ogg have in common."""

from __future__ import annotations

from labeler.media.containers.comments import Comments, build, parse
from labeler.metadata.carriers.base import New, Text, is_label, whole_label

__all__ = ["PLACE", "changed", "properties", "texts"]

PLACE = "vorbis-comment"
"""The guide's place (TC260-PG-202510A): a comment ``AIGC=``."""

_MAX_TEXT = 1 << 14
_SPELLED = {"ARTIST": "CREATOR"}
"""The label's author goes beside ARTIST, which names the performers of the music and stays as it is."""

_READ = {ours: name for name, ours in _SPELLED.items()}


def texts(data: bytes) -> list[Text]:
    """Labels in a comment list: the one named AIGC, and others that hold one.

    Raises:
        DamagedMedia: if the list is cut off.
    """
    found: list[Text] = []
    for name, value in parse(data).pairs():
        if name == "AIGC":
            found.append(Text(PLACE, value, True))
        elif "AIGC" in name or is_label(value):
            found.append(Text("vorbis-other", value, "AIGC" in name))
    return found


def properties(data: bytes) -> list[tuple[str, str]]:
    """Short comments by name.

    Raises:
        DamagedMedia: if the list is cut off.
    """
    pairs = [(name, value) for name, value in parse(data).pairs() if len(value) <= _MAX_TEXT]
    return [(_READ.get(name, name), value) for name, value in pairs if name not in _SPELLED]


def changed(data: bytes, new: New | None) -> bytes:
    """A comment list with the label and its properties; None takes labels out only.

    What is replaced keeps its place; comments that are not ours stay byte for byte.

    Raises:
        DamagedMedia: if the list is cut off.
    """
    old = parse(data)
    wanted: dict[str, str] = {}
    if new is not None:
        named = [("AIGC", new.text), *new.properties]
        wanted = {_SPELLED.get(name, name.upper()): text for name, text in named}
    replaced = set(wanted)
    items: list[bytes] = []
    for item in old.items:
        name, _, value = item.partition(b"=")
        key = name.decode("ascii", "replace").upper()
        if key in wanted:
            text = wanted.pop(key)
            same = value.decode("utf-8", "replace") == text
            items.append(item if same else name + b"=" + text.encode("utf-8", "backslashreplace"))
        elif key in replaced or key == "AIGC" or whole_label(value.decode("utf-8", "replace")):
            continue
        else:
            items.append(item)
    items += [f"{key}={text}".encode("utf-8", "backslashreplace") for key, text in wanted.items()]
    return build(Comments(old.vendor, tuple(items), old.rest))
