"""What the signal passes found in a file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Protocol, TypeVar

from labeler.types import SoundTrack, State, VisibleReport, WatermarkReport

__all__ = ["Seen"]


_Report = TypeVar("_Report", covariant=True)


class Finishes(Protocol[_Report]):
    """Takes samples as they stream by, and says in the end what it found."""

    def finish(self) -> _Report: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The findings of the signal layers; SKIPPED for one that was not asked for.

    Attributes:
        visible: what the visible (audible) layer found.
        watermark: what the watermark layer found.
        sound_track: of a video that has sound: what both found there, else None.
    """

    visible: VisibleReport = dataclasses.field(default_factory=lambda: VisibleReport(state=State.SKIPPED))
    watermark: WatermarkReport = dataclasses.field(
        default_factory=lambda: WatermarkReport(state=State.SKIPPED)
    )
    sound_track: SoundTrack | None = None

    @classmethod
    def by(cls, seeker: Finishes[VisibleReport] | None, detector: Finishes[WatermarkReport] | None) -> Seen:
        """What those that looked found in the end; None for a layer that was not asked for."""
        seen = cls()
        if seeker is not None:
            seen = dataclasses.replace(seen, visible=seeker.finish())
        if detector is not None:
            seen = dataclasses.replace(seen, watermark=detector.finish())
        return seen

    @classmethod
    def cannot_tell(cls, reason: str) -> Seen:
        """Samples that no signal layer can read."""
        return cls(
            visible=VisibleReport(state=State.CANNOT_TELL, reason=reason),
            watermark=WatermarkReport(state=State.CANNOT_TELL, reason=reason),
        )

    def without_keys(self, trouble: str) -> Seen:
        """No watermark found with the published key alone is no proof of absence where there are others."""
        unsure = WatermarkReport(state=State.CANNOT_TELL, reason=trouble)
        seen, heard = self, self.sound_track
        if heard is not None and heard.watermark.state is State.ABSENT:
            seen = dataclasses.replace(seen, sound_track=dataclasses.replace(heard, watermark=unsure))
        return dataclasses.replace(seen, watermark=unsure) if seen.watermark.state is State.ABSENT else seen

    def despite(self, damage: str) -> Seen:
        """Nothing found in a file that is damaged, or not read to its end, is no proof of absence."""
        unsure = Seen.cannot_tell(damage)
        if not damage:
            return self
        return dataclasses.replace(
            self,
            visible=unsure.visible if self.visible.state is State.ABSENT else self.visible,
            watermark=unsure.watermark if self.watermark.state is State.ABSENT else self.watermark,
        )
