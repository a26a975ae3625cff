"""One BLAS thread while the codecs work, and what was set before afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys

_SCRIPT = """
import json, threading, numpy
from threadpoolctl import ThreadpoolController
from labeler.core.threads import one_thread

def threads():
    return max(each["num_threads"] for each in ThreadpoolController().select(internal_api="openblas").info())

seen = {"before": threads()}
with one_thread():
    seen["inside"] = threads()
    with one_thread():
        pass
    seen["after an inner one"] = threads()
seen["after"] = threads()
try:
    with one_thread():
        raise KeyError
except KeyError:
    seen["after an error"] = threads()

@one_thread()
def other():
    seen["in another thread"] = threads()

worker = threading.Thread(target=other)
worker.start()
worker.join()
seen["in the end"] = threads()
print(json.dumps(seen))
"""


def test_one_thread_inside_and_what_was_set_afterwards() -> None:
    """In a process of its own, as the tests themselves run with one thread."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", _SCRIPT], env=environment, capture_output=True, check=True)
    assert json.loads(done.stdout) == {
        "before": 2,
        "inside": 1,
        "after an inner one": 1,
        "after": 2,
        "after an error": 2,
        "in another thread": 1,
        "in the end": 2,
    }
