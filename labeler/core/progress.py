"""How far a long file is: those who work tell, whoever wants to know listens.

A listener holds for the thread (and task) that sets it; without one, telling costs nothing.

>>> heard = []
>>> with listening(lambda what, share: heard.append((what, share))):
...     tell("marked", 0.5)
>>> tell("marked", 1.0)
>>> heard
[('marked', 0.5)]
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

__all__ = ["Listener", "listening", "tell"]

Listener = Callable[[str, float], None]
"""Is told what is being done, and which share of it is done, 0 to 1."""

_listener: ContextVar[Listener | None] = ContextVar("labeler_progress", default=None)


def tell(what: str, share: float) -> None:
    """Say how far something is."""
    listener = _listener.get()
    if listener is not None:
        listener(what, min(max(share, 0.0), 1.0))


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hear what is told inside the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
