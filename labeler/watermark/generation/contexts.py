"""Token contexts: the last W tokens before a token, and which of them were there before.

A repeated context gives the same keyed numbers again. Choosing by them twice makes a text repeat itself, and
counting them twice is no independent evidence: without de-duplication, unmarked documents full of tables and
separators look marked. So a sampler does not mark at a repeated context, and a detector scores its first
occurrence only (as vLLM does by default).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labeler.errors import UsageError
from labeler.watermark.generation.philox import Ints, State

__all__ = [
    "MAX_HISTORY",
    "all_contexts",
    "as_tokens",
    "check_width",
    "first_seen",
    "last_context",
    "repeated",
]

MAX_HISTORY = 8192
"""Positions searched for a repeated context while generating; vLLM's default."""
_MAX_WIDTH = 16


def check_width(width: int) -> None:
    """Refuse a context width that is not 1 to 16.

    Raises:
        UsageError: it is not.
    """
    if not 1 <= width <= _MAX_WIDTH:
        raise UsageError(f"a context has 1 to {_MAX_WIDTH} tokens, not {width}.")


def as_tokens(tokens: npt.ArrayLike) -> Ints:
    """Token ids as int64, shape (N,).

    Raises:
        UsageError: they are no flat sequence of whole numbers from 0 to 2^32 - 1.
    """
    array = np.asarray(tokens)
    if array.size == 0 and array.ndim == 1:
        return np.empty(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise UsageError(
            "token ids are one flat sequence of whole numbers.",
            remedy="Pass the ids of the tokenizer that the model used, not text.",
        )
    if int(array.min()) < 0 or int(array.max()) >= 1 << 32:
        raise UsageError("a token id lies between 0 and 2^32 - 1.")
    return array.astype(np.int64)


def _padded(tokens: Ints, width: int) -> Ints:
    return np.concatenate([np.full((*tokens.shape[:-1], width), -1, np.int64), tokens], axis=-1)


def all_contexts(tokens: Ints, width: int) -> Ints:
    """The context of every token.

    Args:
        tokens: shape (..., N).
        width: W.

    Returns:
        Shape (..., N, W), oldest token first, -1 before the beginning; a view.
    """
    windows = np.lib.stride_tricks.sliding_window_view(_padded(tokens, width), width, axis=-1)
    return windows[..., : tokens.shape[-1], :]


def last_context(generated: Ints, width: int) -> Ints:
    """The context of the token that comes next: shape (B, N) gives (B, W)."""
    return _padded(generated[:, max(0, generated.shape[1] - width) :], width)[:, -width:]


def repeated(generated: Ints, width: int, *, max_history: int = MAX_HISTORY) -> npt.NDArray[np.bool_]:
    """Whether the context of the next token was the context of an earlier one.

    Args:
        generated: the tokens generated so far (without the prompt), shape (B, N).
        width: W.
        max_history: how many positions back to look.

    Returns:
        Shape (B,).
    """
    count = generated.shape[1]
    start = max(0, count - max_history)
    padded = _padded(generated, width)
    equal = np.ones((generated.shape[0], count - start), np.bool_)
    for place in range(width):
        earlier, latest = padded[:, start + place : count + place], padded[:, count + place]
        equal &= np.equal(earlier, latest[:, None])
    found: npt.NDArray[np.bool_] = np.any(equal, axis=1)
    return found


def first_seen(state: State) -> npt.NDArray[np.intp]:
    """Where contexts occur for the first time, in order.

    Two contexts count as the same when 64 bits of their keyed states agree; the chance that two different
    contexts of a text of a million tokens do is 3e-8, and would only leave one token unscored.

    Args:
        state: four arrays of shape (N,).

    Returns:
        Ascending indices.
    """
    name = state[0] | state[1] << np.uint64(32)
    _, first = np.unique(name, return_index=True)
    return np.sort(first)
