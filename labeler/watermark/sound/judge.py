"""When a decoded message is believed, and how sure that is.

A decoding of sound without a mark passes the 24-bit tag with probability 2^-24, and shows a correlation rho with
probability at most 2^72 3.178 Q(rho) (:mod:`labeler.watermark.statistics`). The first 8 decodings of a file are
believed on the tag alone: 8 x 2^-24 = 4.8e-7. All later ones, at most 4096, must show so high a correlation
that together they add no more than 4e-7. So a file is given a false payload with probability below 1e-6,
however long it is and however many keys are tried.
"""

from __future__ import annotations

from labeler.watermark.sound.reading import Look
from labeler.watermark.statistics import accept_log10

__all__ = ["Judge"]

FREE = 8
MOST = 4096
_BUDGET_LOG10 = -6.4


class Judge:
    """Counts the decodings of a file."""

    def __init__(self) -> None:
        self.looks = 0

    @property
    def tired(self) -> bool:
        """Whether the file has had all the decodings it may have."""
        return self.looks >= MOST

    def accept(self, look: Look) -> float | None:
        """log10 of the probability that this is no mark, over the whole file; None if it is not believed."""
        self.looks += 1
        if look.payload is None or self.looks > MOST:
            return None
        if self.looks <= FREE:
            return accept_log10(look.rho, FREE)
        log10_p = accept_log10(look.rho, MOST)
        return log10_p if log10_p <= _BUDGET_LOG10 else None
