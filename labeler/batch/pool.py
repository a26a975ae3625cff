"""A pool of worker processes: a worker that dies takes only its own file with it."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from typing import Any, TypeVar

__all__ = ["run"]

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
_WINDOW_PER_WORKER = 4


def run(
    function: Callable[[_Task], _Result],
    tasks: Iterable[_Task],
    *,
    jobs: int,
    failed: Callable[[_Task, Exception], _Result],
) -> Iterator[_Result]:
    """Apply ``function`` to every task, results as they come; with one job in this process.

    Args:
        function: importable by name; it turns expected errors into results itself.
        tasks: may be a generator: only a small window of them is queued at a time.
        jobs: worker processes.
        failed: makes the result of a task whose worker died or raised.
    """
    if jobs <= 1:
        for task in tasks:
            try:
                result = function(task)
            except Exception as error:
                result = failed(task, error)
            yield result
        return
    yield from _run_pool(function, iter(tasks), jobs, failed)


def _run_pool(
    function: Callable[[_Task], _Result],
    tasks: Iterator[_Task],
    jobs: int,
    failed: Callable[[_Task, Exception], _Result],
) -> Iterator[_Result]:
    from pebble import ProcessPool

    # spawn: a forked child would inherit locks and native handles of c2pa and cv2
    context = multiprocessing.get_context("spawn")
    with ProcessPool(max_workers=jobs, context=context) as pool:
        pending: dict[Any, _Task] = {}
        exhausted = False
        try:
            while pending or not exhausted:
                while not exhausted and len(pending) < jobs * _WINDOW_PER_WORKER:
                    try:
                        task = next(tasks)
                    except StopIteration:
                        exhausted = True
                        break
                    pending[pool.schedule(_tidily, args=(function, task))] = task
                done, _ = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    task = pending.pop(future)
                    error = future.exception()
                    yield failed(task, _plain(error)) if error is not None else future.result()
        except BaseException:
            pool.stop()
            raise


def _tidily(function: Callable[[_Task], _Result], task: _Task) -> _Result:
    """Run a task in a worker so that being told to end leaves its ``finally`` blocks, which remove unfinished files.

    Only while the task runs: an idle worker ends at once, as the pool wants it.
    """
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        return function(task)
    finally:
        signal.signal(signal.SIGTERM, before)


def _plain(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else RuntimeError(repr(error))
