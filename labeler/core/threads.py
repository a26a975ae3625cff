"""One BLAS thread for the codecs, whose many small products only lose time to threads that wait for one another.

Measured on two busy cores with numpy's OpenBLAS: 4 to 6 times faster than with a thread for each core. A process that
calls the library from several threads at once does better with ``OPENBLAS_NUM_THREADS=1`` in its environment, as the
setting is one for the whole process: of calls that overlap in time the first one makes it and takes it back.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
from collections.abc import Iterator
from typing import Any

__all__ = ["one_thread"]


@functools.cache
def _blas() -> Any:
    """The BLAS that numpy brought; other libraries' keep their threads."""
    from threadpoolctl import ThreadpoolController

    importlib.import_module("numpy")  # what is not loaded cannot be found
    return ThreadpoolController().select(internal_api="openblas")


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let numpy's BLAS work in one thread meanwhile; also a decorator."""
    if os.environ.get("OPENBLAS_NUM_THREADS") == "1":
        yield
        return
    with _blas().limit(limits=1):
        yield
