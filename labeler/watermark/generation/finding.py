"""Token ids to a report: every scheme under every key, as the rest of labeler tells findings."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from labeler.core.keys import WatermarkKey
from labeler.errors import UsageError
from labeler.types import State, WatermarkReport
from labeler.watermark.generation.contexts import as_tokens
from labeler.watermark.generation.detectors import (
    Detector,
    GreenListDetector,
    GumbelDetector,
    TextVerdict,
    TournamentDetector,
    detect_any,
)
from labeler.watermark.generation.multibit import MultibitGumbelDetector
from labeler.watermark.generation.philox import generation_key

__all__ = ["KIND", "detect_tokens", "read_tokens"]

KIND = "generation"
"""``geometry["kind"]`` of what this module reports."""

_FIELDS = ("token_ids", "tokens", "input_ids", "ids")
_REMEDY = 'Give a JSON list of integers, or an object with such a list as "token_ids".'


def read_tokens(data: bytes) -> npt.NDArray[np.int64]:
    """Token ids of a JSON file: a list, or an object with a list named ``token_ids``, ``tokens`` or ``input_ids``.

    Raises:
        UsageError: it is something else.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError("the token ids are no JSON.", remedy=_REMEDY) from error
    if isinstance(content, dict):
        content = next((content[name] for name in _FIELDS if name in content), None)
    if not isinstance(content, list) or not all(
        type(each) is int and 0 <= each < 1 << 31 for each in content
    ):
        raise UsageError("the token ids are no list of integers from 0 to 2^31 - 1.", remedy=_REMEDY)
    return np.array(content, np.int64)


def detect_tokens(tokens: npt.ArrayLike, keys: Sequence[WatermarkKey]) -> WatermarkReport:
    """Look for a mark of the generation, with all schemes and keys, and correct for their number.

    Args:
        tokens: ids of the text, shape (N,), from the tokenizer of the model that wrote it.
        keys: watermark keys, of which the keys of the generation are derived.

    Returns:
        PRESENT with the first 24 bits of the mark_id (6 hex digits) if they were read; ABSENT if nothing
        is detected; CANNOT_TELL if the text is too short.
    """
    kinds = (MultibitGumbelDetector, GumbelDetector, TournamentDetector, GreenListDetector)
    detectors: list[Detector] = [kind(key=generation_key(key)) for key in keys for kind in kinds]
    ids = as_tokens(tokens)
    index, found = detect_any(ids, detectors)
    geometry = {"kind": KIND, "scheme": found.scheme, "tokens": found.tokens, "scored": found.scored}
    if found.verdict is TextVerdict.MARKED:
        return WatermarkReport(
            state=State.PRESENT,
            mark_id=found.mark_prefix,
            key_id=keys[index // len(kinds)].key_id,
            log10_p=round(found.log10_p, 1),
            geometry=geometry,
        )
    if found.verdict is TextVerdict.TOO_SHORT:
        reason = f"{found.scored} tokens are too few to tell whether a mark of the generation is there"
        return WatermarkReport(state=State.CANNOT_TELL, geometry=geometry, reason=reason)
    return WatermarkReport(state=State.ABSENT, geometry=geometry)
