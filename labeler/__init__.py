"""Label AI-generated media, and verify the labels.

``label_file`` and ``verify_file`` work on files; ``label_image``, ``label_audio``, ``label_frames`` and their
``verify_`` partners on arrays; ``label_text`` and ``verify_text`` on strings. Nothing heavy is imported before one
of them is called.
"""

from labeler._version import __version__
from labeler.api import (
    label_audio,
    label_file,
    label_frames,
    label_image,
    label_text,
    verify_audio,
    verify_file,
    verify_frames,
    verify_image,
    verify_text,
)
from labeler.errors import LabelerError
from labeler.pipeline.options import LabelOptions, VerifyOptions
from labeler.types import Label, LabelResult, Layer, Report, State, Verdict

__all__ = [
    "Label",
    "LabelOptions",
    "LabelResult",
    "LabelerError",
    "Layer",
    "Report",
    "State",
    "Verdict",
    "VerifyOptions",
    "__version__",
    "label_audio",
    "label_file",
    "label_frames",
    "label_image",
    "label_text",
    "verify_audio",
    "verify_file",
    "verify_frames",
    "verify_image",
    "verify_text",
]
