"""Audible marks: a spoken label or the rhythm label of GB 45438-2025 5.3, laid into sound and found again.

>>> mark = prepare(16000, 1, kind="rhythm")
>>> mark.text, round(mark.seconds, 2)
('短长 短短 (Morse: AI)', 3.26)
>>> wording("both")
'本音频由人工智能生成 · This audio is AI-generated'
"""

from __future__ import annotations

import numpy as np

from labeler.errors import UsageError
from labeler.visible.sound import loudness as level
from labeler.visible.sound import rhythm, speech
from labeler.visible.sound.loudness import Floats, front
from labeler.visible.sound.placing import AudibleMark, Marker, rooms
from labeler.visible.sound.seeking import Seeker, detect
from labeler.visible.wording import SEPARATOR

__all__ = [
    "KINDS",
    "AudibleMark",
    "Marker",
    "Seeker",
    "apply",
    "detect",
    "prepare",
    "rooms",
    "seconds_of",
    "wording",
]

KINDS = ("speech", "rhythm", "both")
"""Spoken, Morse rhythm, or the rhythm followed by the speech."""

SPEECH_LEVEL = 0.0
"""LU: loudness of a spoken mark over the programme's."""
RHYTHM_LEVEL = -2.0
"""LU: loudness of the rhythm's tone, while it sounds, over the programme's."""
LONGEST_PROMPT = 30.0
"""Seconds of a user's own prompt at the most."""

_OWN_TEXT = "own prompt"
_FADE = 0.01
_PAUSE = 0.4


def wording(lang: str, *, short: bool = False) -> str:
    """What a spoken mark says, as it is reported.

    Both elements of GB 45438-2025 5.3 are in it for ``zh`` and ``both``; English alone has them not by the letter.

    Raises:
        UsageError: unknown language.
    """
    return SEPARATOR.join(speech.PROMPTS[name] for name in speech.names(lang, short=short))


def prepare(
    rate: int,
    channels: int,
    *,
    kind: str = "speech",
    lang: str = "both",
    place: str = "start",
    mode: str = "mix",
    short: bool = False,
    prompt: Floats | None = None,
    duration: float | None = None,
    loudness: float | None = None,
) -> AudibleMark:
    """Make a mark ready for programmes of one rate and channel count.

    Args:
        rate: Hz.
        channels: of the programme; the mark goes to the front pair, or the only one.
        kind: ``speech``, ``rhythm`` or ``both`` (the rhythm, then the speech).
        lang: ``zh``, ``en`` or ``both``: of the spoken mark.
        place: ``start``, ``end``, ``both``, or seconds into the programme.
        mode: ``mix``: the programme steps back under the mark. ``insert``: it makes room. A programme that is too
            short to be mixed with gets the mark inserted.
        short: say AI生成 instead of the whole sentence.
        prompt: a user's own spoken mark, float32 (n,), at ``rate``; in place of ours.
        duration: seconds of the programme where they are known; only to refuse a place beyond.
        loudness: LUFS of the programme; None to measure it around the place.

    Raises:
        UsageError: a value that is none of these.
    """
    if rate < 4000 or channels < 1:
        raise UsageError(f"sound of {rate} Hz and {channels} channels cannot carry an audible mark.")
    if kind not in KINDS:
        raise UsageError(f"unknown kind of audible mark {kind!r}.", remedy=f"Use one of: {', '.join(KINDS)}.")
    if mode not in ("mix", "insert"):
        raise UsageError(f"unknown way {mode!r} to lay a mark.", remedy="Use mix or insert.")
    if loudness is not None and not np.isfinite(loudness):
        raise UsageError(f"{loudness} LUFS is no loudness.", remedy="Leave it out: it is measured.")
    at = seconds_of(place, duration)
    pieces: list[Floats] = []
    texts: list[str] = []
    if kind != "speech":
        pieces.append(_rhythm(rate, channels))
        texts.append(rhythm.TEXT)
    if kind != "rhythm":
        if pieces:
            pieces.append(np.zeros(round(_PAUSE * rate), np.float32))
        spoken = _own(prompt, rate) if prompt is not None else _spoken(rate, lang, short)
        pieces.append(_levelled(spoken, spoken, rate, channels, SPEECH_LEVEL))
        texts.append(_OWN_TEXT if prompt is not None else wording(lang, short=short))
    signal = np.concatenate(pieces)
    signal.flags.writeable = False
    return AudibleMark(
        rate=rate,
        channels=channels,
        signal=signal,
        start=place in ("start", "both"),
        end=place in ("end", "both"),
        at=at,
        insert=mode == "insert",
        loudness=loudness,
        text=SEPARATOR.join(texts),
    )


def apply(samples: Floats, mark: AudibleMark) -> Floats:
    """A whole programme (n, channels), float32, full scale 1, with its mark; longer only where it is inserted."""
    marker = Marker(mark)
    return np.concatenate([marker.push(samples), marker.flush()])


def seconds_of(place: str, duration: float | None = None) -> float | None:
    """Seconds from the beginning that a place names, or None for ``start``, ``end`` and ``both``.

    Raises:
        UsageError: it is none of these, or beyond ``duration``.
    """
    if place in ("start", "end", "both"):
        return None
    try:
        at = float(place)
    except ValueError:
        at = -1.0
    if not 0 <= at < float("inf") or (duration is not None and at > duration):
        known = "" if duration is None else f" of {duration:.1f} s"
        raise UsageError(
            f"{place!r} is no place in a programme{known}.",
            remedy="Use start, end, both, or seconds from the beginning.",
        )
    return at


def _levelled(piece: Floats, measured: Floats, rate: int, channels: int, target: float) -> Floats:
    """A mono piece scaled so that, played on the front pair, it has a loudness of ``target`` LUFS."""
    played = np.repeat(measured[:, None], front(channels), axis=1)
    return (piece * 10 ** ((target - level.loudness(played, rate)) / 20)).astype(np.float32)


def _rhythm(rate: int, channels: int) -> Floats:
    shape = rhythm.envelope(rate, margin=rhythm.SOFT / 2 / rhythm.UNIT)  # it begins and ends silent
    steady = rhythm.tone(rate, rate)
    return _levelled(rhythm.tone(rate, len(shape)) * shape, steady, rate, channels, RHYTHM_LEVEL)


def _spoken(rate: int, lang: str, short: bool) -> Floats:
    pause = np.zeros(round(speech.PAUSE * rate), np.float32)
    parts: list[Floats] = []
    for name in speech.names(lang, short=short):
        own = speech.prompt(name, rate)
        parts += [pause, own] if parts else [own]
    return np.concatenate(parts)


def _own(prompt: Floats, rate: int) -> Floats:
    """A user's prompt, checked, with soft ends."""
    if prompt.ndim != 1 or not len(prompt) or not np.isfinite(prompt).all() or not prompt.any():
        raise UsageError(
            "the prompt holds no sound.",
            remedy="Give a mono recording of a spoken label, at the programme's rate.",
        )
    if len(prompt) > LONGEST_PROMPT * rate:
        raise UsageError(
            f"the prompt lasts {len(prompt) / rate:.0f} s, at most {LONGEST_PROMPT:.0f} s are laid into a programme.",
            remedy="Cut it.",
        )
    count = min(round(_FADE * rate), len(prompt) // 2)
    ramp = np.sin(np.linspace(0, np.pi / 2, count, dtype=np.float32)) ** 2
    out = prompt.astype(np.float32)
    out[:count] *= ramp
    out[len(out) - count :] *= ramp[::-1]
    return out
