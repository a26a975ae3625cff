"""Lay an audible mark into a programme that streams by: mixed with ducking, or inserted.

Only the stretch around a place is held back: the mark's length and three seconds on each side, in which the
programme's loudness is measured. For a mark at the end, that much is held back all the time, so that the length of
the programme need not be known.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from labeler.errors import UsageError
from labeler.visible.sound.loudness import SILENCE, Floats, front, loudness

__all__ = ["DUCK", "FLOOR", "LEAD", "AudibleMark", "Marker", "rooms"]

LEAD = 0.2
"""Seconds between the mark and the beginning or the end of the programme, where it is mixed in."""
DUCK = 10.0
"""dB by which the programme steps back under the mark."""
RAMP = 0.08
"""Seconds in which it does."""
FLOOR = -40.0
"""LUFS: in a programme more silent than this the mark is measured against this instead."""
CEILING = 10 ** (-1 / 20)
"""Programme and mark together stay below -1 dBFS."""
BEFORE, AFTER = 0.1, 0.15
"""Seconds of silence around an inserted mark."""

_AROUND = 3.0
_APART = 0.5
_FADE = 0.01
_MOST_MIXED = 0.8
_MOST_DUCK = 20.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AudibleMark:
    """A mark, ready to be laid into any programme of one rate and channel count.

    Attributes:
        rate: Hz.
        channels: of the programme.
        signal: float32 (n,), the mark as it sounds at a programme loudness of 0 LUFS; it goes to the front pair.
        start: whether it stands at the beginning.
        end: whether it stands at the end.
        at: seconds into the programme where it stands besides, or None.
        insert: the programme makes room for it, instead of stepping back.
        loudness: LUFS of the programme, or None to measure it around the place.
        text: what it says, for reports.
    """

    rate: int
    channels: int
    signal: Floats
    start: bool
    end: bool
    at: float | None
    insert: bool
    loudness: float | None
    text: str

    @property
    def seconds(self) -> float:
        """How long the mark lasts."""
        return len(self.signal) / self.rate

    @property
    def count(self) -> int:
        """How many times it stands in a programme that has room for it."""
        return self.start + self.end + (self.at is not None)

    @property
    def added(self) -> float:
        """Seconds that the programme gets longer with every inserted mark; 0 where it is mixed in."""
        return self.seconds + BEFORE + AFTER if self.insert else 0.0


class Marker:
    """One programme that streams by and gets its mark.

    Attributes:
        spans: start and end of every mark laid so far, seconds in the output.
        rooms: first frame in the output and number of frames of everything that was inserted so far.
    """

    def __init__(self, mark: AudibleMark) -> None:
        self.spans: list[tuple[float, float]] = []
        self.rooms: list[tuple[int, int]] = []
        self._mark = mark
        self._held: deque[Floats] = deque()
        self._first = 0  # frame of the output where the held part begins
        self._last = 0  # and where it ends
        self._taken_until = 0  # no mark may begin before this frame
        self._around = round(_AROUND * mark.rate)
        self._lead = round(LEAD * mark.rate)
        self._tail = len(mark.signal) + self._lead + self._around if mark.end else 0
        places = [self._lead if not mark.insert else 0] if mark.start else []
        if mark.at is not None:
            places.append(round(mark.at * mark.rate))
        self._places = deque(sorted(places))

    def push(self, block: Floats) -> Floats:
        """Take frames (m, channels), float32, and return those (k, channels) that are done.

        Raises:
            UsageError: another number of channels than the mark was prepared for.
        """
        if block.ndim != 2 or block.shape[1] != self._mark.channels:
            raise UsageError(
                f"the mark was prepared for {self._mark.channels} channels, the block has shape {block.shape}.",
                remedy="Prepare a mark for this programme.",
            )
        if len(block):
            self._held.append(block)
            self._last += len(block)
        out = []
        while self._places:
            place = self._places[0]
            after = place + self._around + (0 if self._mark.insert else len(self._mark.signal))
            out.append(self._take(min(place - self._around, self._last - self._tail)))
            if self._last < after:
                break
            self._places.popleft()
            self._lay(place, after)
        else:
            out.append(self._take(self._last - self._tail))
        return self._joined(out)

    def flush(self) -> Floats:
        """The frames that are left, with the marks that are still to be laid."""
        length = len(self._mark.signal)
        while self._places:
            place = self._places.popleft()
            fits = self._mark.insert or place + length + self._lead <= self._last
            self._lay(min(place, self._last) if fits else self._close(place), self._last, insert=not fits)
        if self._mark.end:
            place = self._last if self._mark.insert else self._last - self._lead - length
            if place >= max(self._taken_until, self._first):
                self._lay(place, self._last)
            elif not self.spans:
                self._lay(self._last, self._last, insert=True)
        return self._take(self._last)

    def _close(self, place: int) -> int:
        """Where a mark is inserted that does not fit: at the nearer end of what is left."""
        return self._first if place - self._first <= self._last - place else self._last

    def _lay(self, place: int, until: int, *, insert: bool = False) -> None:
        """Lay the mark at a frame; the held part up to ``until`` is known."""
        mark = self._mark
        place = max(place, self._taken_until, self._first)
        first = self._first
        held = self._take(self._last)
        near = held[max(place - first - self._around, 0) : until - first]
        level = mark.loudness if mark.loudness is not None else loudness(near, mark.rate)
        gain = 10 ** (max(level, FLOOR, SILENCE) / 20)
        lay = _inserted if insert or mark.insert else _mixed
        new, start = lay(held, place - first, mark, gain)
        begin, end = first + start, first + start + len(mark.signal)
        self.spans.append((begin / mark.rate, end / mark.rate))
        if len(new) > len(held):
            self.rooms.append((begin - round(BEFORE * mark.rate), len(new) - len(held)))
        self._held.append(new)
        self._first, self._last = first, first + len(new)
        self._places = deque(p + len(new) - len(held) for p in self._places)
        self._taken_until = end + round(_APART * mark.rate)

    def _take(self, until: int) -> Floats:
        """Remove the held frames before a frame."""
        parts = []
        while self._held and self._first < until:
            block = self._held.popleft()
            count = min(len(block), until - self._first)
            parts.append(block[:count])
            if count < len(block):
                self._held.appendleft(block[count:])
            self._first += count
        return self._joined(parts)

    def _joined(self, parts: list[Floats]) -> Floats:
        parts = [part for part in parts if len(part)]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([np.zeros((0, self._mark.channels), np.float32), *parts])


def rooms(mark: AudibleMark, frames: int) -> tuple[tuple[int, int], ...]:
    """What ``Marker.rooms`` will be for a programme of so many frames: it depends on the length alone."""
    marker = Marker(mark)
    if not mark.insert and frames > 3 * (len(mark.signal) + 2 * marker._around):
        return ()
    silence = np.zeros((1, mark.channels), np.float32)
    step = 60 * mark.rate
    for start in range(0, frames, step):
        marker.push(np.broadcast_to(silence, (min(step, frames - start), mark.channels)))
    marker.flush()
    return tuple(marker.rooms)


def _ramp(count: int) -> Floats:
    """From 0 to 1 along half a period of a cosine."""
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(count) + 0.5) / max(count, 1))).astype(np.float32)


def _mixed(held: Floats, place: int, mark: AudibleMark, gain: float) -> tuple[Floats, int]:
    """The programme with the mark laid over it at ``place``, and that place."""
    length = len(mark.signal)
    ramp = round(RAMP * mark.rate)
    out = held.copy()
    part = out[max(place - ramp, 0) : place + length + ramp]
    under = out[place : place + length]
    loudest = float(np.max(np.abs(under), initial=0.0, where=np.isfinite(under)))
    peak = float(np.abs(mark.signal).max(initial=0.0)) * gain
    kept = min(1.0, _MOST_MIXED / peak) if peak else 1.0
    # what the mark lacks for want of headroom, the programme steps back further
    duck = 10 ** (-min(DUCK - 20 * np.log10(kept), _MOST_DUCK) / 20)
    duck = min(duck, (CEILING - peak * kept) / loudest) if loudest else duck
    curve = np.full(length + 2 * ramp, duck, np.float32)
    curve[:ramp] += (1 - duck) * _ramp(ramp)[::-1]
    curve[length + ramp :] += (1 - duck) * _ramp(ramp)
    skipped = ramp - min(ramp, place)
    part *= curve[skipped : skipped + len(part), None]
    under[:, : front(mark.channels)] += (mark.signal * np.float32(gain * kept))[: len(under), None]
    return out, place


def _inserted(held: Floats, place: int, mark: AudibleMark, gain: float) -> tuple[Floats, int]:
    """The programme with the mark set in at ``place``, and the frame where it begins."""
    before, after, fade = (round(t * mark.rate) for t in (BEFORE, AFTER, _FADE))
    head, rest = held[:place].copy(), held[place:].copy()
    ramp = _ramp(fade)
    count = min(fade, len(head))
    head[len(head) - count :] *= ramp[::-1][fade - count :, None]
    count = min(fade, len(rest))
    rest[:count] *= ramp[:count, None]
    room = np.zeros((before + len(mark.signal) + after, mark.channels), np.float32)
    peak = float(np.abs(mark.signal).max(initial=0.0)) * gain
    kept = min(1.0, CEILING / peak) if peak else 1.0
    room[before : before + len(mark.signal), : front(mark.channels)] = (
        mark.signal * np.float32(gain * kept)
    )[:, None]
    return np.concatenate([head, room, rest]), place + before
