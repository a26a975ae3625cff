"""Every error of labeler, with its exit code and a remedy.

::

    LabelerError                 1   something went wrong (never raised itself)
    ├── UsageError               2   the call is wrong: option, profile, field
    ├── DependencyMissing        4   a font, a codec, a package or the key ring is not there
    ├── OutputError              5   cannot write, or may not
    │   ├── OutputExists         5   would overwrite; --force allows it
    │   ├── InsecureKeyFile      5   a key file that others can read
    │   └── LabelLost            5   the label did not survive the writing; nothing was published
    ├── AlreadyLabelled          6   nothing to do; --relabel replaces the label
    └── InputError               7   the input is unreadable or refused
        ├── NotARegularFile      7   a folder, FIFO, device or socket
        ├── UnsupportedMedia     7   a type that labeler does not handle
        ├── DamagedMedia         7   truncated, corrupt, or decodes only in part
        ├── LimitExceeded        7   too many pixels, frames or bytes
        └── InputChanged         7   the file changed while it was read

The exit codes are the contract of the command line; ``code`` is the same thing for programs that
read ``--json``.
"""

from __future__ import annotations

import enum
import re

__all__ = [
    "AlreadyLabelled",
    "DamagedMedia",
    "DependencyMissing",
    "ExitCode",
    "InputChanged",
    "InputError",
    "InsecureKeyFile",
    "LabelLost",
    "LabelerError",
    "LimitExceeded",
    "NotARegularFile",
    "OutputError",
    "OutputExists",
    "UnsupportedMedia",
    "UsageError",
]


class ExitCode(enum.IntEnum):
    """Exit codes of the ``labeler`` command."""

    OK = 0
    NEGATIVE = 1
    USAGE = 2
    SOME_FAILED = 3
    DEPENDENCY = 4
    OUTPUT = 5
    NOTHING_TO_DO = 6
    INPUT = 7
    INTERRUPTED = 130


class LabelerError(Exception):
    """Base of all errors that labeler raises on purpose.

    Args:
        message: what was expected and what was found, in one sentence.
        remedy: what the user can do about it, in one sentence.
        path: the file concerned, if any.
    """

    exit_code = ExitCode.NEGATIVE

    def __init__(self, message: str, *, remedy: str = "", path: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.path = None if path is None else str(path)

    @property
    def code(self) -> str:
        """The error's name for programs: ``LimitExceeded`` is ``limit-exceeded``."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(self).__name__).lower()

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}{self.message}" + (f" {self.remedy}" if self.remedy else "")


class UsageError(LabelerError):
    """The call is wrong."""

    exit_code = ExitCode.USAGE


class DependencyMissing(LabelerError):
    """Something that labeler needs is not installed or not set up."""

    exit_code = ExitCode.DEPENDENCY


class OutputError(LabelerError):
    """The output cannot be written, or may not be."""

    exit_code = ExitCode.OUTPUT


class OutputExists(OutputError):
    """The output is there already."""


class InsecureKeyFile(OutputError):
    """A key file that others than its owner may read."""


class LabelLost(OutputError):
    """The output, read back, does not carry the label that was written."""


class AlreadyLabelled(LabelerError):
    """The input carries a label already."""

    exit_code = ExitCode.NOTHING_TO_DO


class InputError(LabelerError):
    """The input cannot be read, or is refused."""

    exit_code = ExitCode.INPUT


class NotARegularFile(InputError):
    """A folder, FIFO, device or socket."""


class UnsupportedMedia(InputError):
    """A type that labeler does not handle."""


class DamagedMedia(InputError):
    """Truncated or corrupt; never labelled, never called unlabelled."""


class LimitExceeded(InputError):
    """Over the limit of pixels, frames, bytes or seconds."""


class InputChanged(InputError):
    """The file changed while it was read."""
