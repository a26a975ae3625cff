"""The library: label and verify files, and label arrays inside a pipeline.

>>> import labeler, numpy as np
>>> generated = np.linspace(40, 200, 480 * 640 * 3).reshape(480, 640, 3).astype(np.uint8)
>>> labelled = labeler.label_image(generated, producer="demo", produce_id="42")
>>> labelled.shape == generated.shape and labelled.dtype == generated.dtype
True
>>> labeler.verify_image(labelled).verdict
<Verdict.AI_CONFIRMED: 'ai-confirmed'>

Options are those of ``labeler.LabelOptions`` and ``labeler.VerifyOptions``, as keywords.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeler.errors import UsageError
from labeler.pipeline.options import LabelOptions, VerifyOptions
from labeler.types import LabelResult, Report

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.uint8 | np.uint16]

__all__ = [
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


def label_file(
    path: str | Path, output: str | Path, *, overwrite: bool = False, **options: Any
) -> LabelResult:
    """Label one file with every layer of the profile, read it back, and publish it whole.

    Args:
        path: a regular file.
        output: where the labelled file goes; its folder is made if missing. Nothing is converted: an extension of
            another type than the input's is an error.
        overwrite: replace an existing output; an original in that place is kept as ``NAME.orig``.
        **options: fields of ``LabelOptions``, for example ``producer``, ``profile``, ``layers``.

    Returns:
        What was written, with the report of reading it back; ``notes`` says what could not be.

    Raises:
        labeler.errors.LabelerError: with message, remedy and exit code; nothing was published then.

    >>> import tempfile, PIL.Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> PIL.Image.linear_gradient("L").resize((640, 480)).save(folder / "a.png")
    >>> result = label_file(folder / "a.png", folder / "b.png", producer="demo", layers="visible,metadata")
    >>> [str(layer) for layer in result.layers]
    ['visible', 'metadata']
    """
    from labeler.pipeline.check import check_label
    from labeler.pipeline.label import label_one

    settings = LabelOptions.of(**options)
    check_label(settings)
    return label_one(_path(path), _path(output), settings, overwrite=overwrite)


def verify_file(path: str | Path, **options: Any) -> Report:
    """Verify one file; a file that cannot be read gives a report with ``error`` set, never "no label".

    Args:
        path: a regular file; sidecars beside it are found.
        **options: fields of ``VerifyOptions``, for example ``profile``, ``trust``, ``quick``.

    >>> import tempfile, PIL.Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> PIL.Image.linear_gradient("L").resize((640, 480)).save(folder / "a.png")
    >>> verify_file(folder / "a.png", quick=True).verdict
    <Verdict.NO_LABEL_FOUND: 'no-label-found'>
    """
    from labeler.pipeline.verify import verify_one

    return verify_one(_path(path), VerifyOptions.of(**options))


def _path(path: str | Path) -> Path:
    if not isinstance(path, (str, os.PathLike)):
        raise UsageError(
            f"a file is named by a str or a Path, not {type(path).__name__}.",
            remedy="For arrays and strings: label_image, label_audio, label_frames, label_text, and verify_...",
        )
    return Path(path)


def label_image(array: Array, **options: Any) -> Array:
    """Label pixels inside a pipeline: the visible mark and the watermark (a file carries the other layers).

    Args:
        array: H x W (grayscale), H x W x 3 (RGB) or H x W x 4 (RGBA), uint8 or uint16.
        **options: fields of ``LabelOptions``; ``producer`` and, to find the content again, ``produce_id``.

    Returns:
        A new array of the same shape and dtype.

    Raises:
        UsageError: another shape or dtype, or a layer that the picture cannot carry.
    """
    from labeler.pipeline.arrays import label_array

    return label_array(array, LabelOptions.of(**options))


def label_text(text: str, **options: Any) -> str:
    """Put the visible lines around a text that a model wrote, and if asked for the invisible tag and metadata into it.

    Args:
        text: what a model wrote; labelling twice with the same label changes nothing.
        **options: ``kind`` (text, markdown, html), ``place`` (both, start, end), and fields of ``LabelOptions``:
            ``producer``, ``produce_id``, ``layers``, ``lang``, ``tag_every``, ``every_paragraph``, ``key``, ...;
            ``labeler.pipeline.strings.label_text`` documents them all.

    >>> print(label_text("One sentence.", lang="en"))
    [AI-generated]
    One sentence.
    (This content is AI-generated)
    """
    from labeler.pipeline import strings

    return strings.label_text(text, **options)


def verify_text(text: str, **options: Any) -> Report:
    """Look for labels in a text: visible lines, metadata in front matter or HTML, the invisible tag.

    A statistical watermark needs the model's tokenizer, so without a tag the watermark layer says that it
    cannot tell, never that there is none.

    >>> verify_text(label_text("One sentence.")).verdict
    <Verdict.AI_SUSPECTED: 'ai-suspected'>
    """
    from labeler.pipeline import strings

    return strings.verify_text(text, **options)


def verify_image(array: Array, **options: Any) -> Report:
    """Look for the visible mark and the watermark in pixels.

    Args:
        array: as for ``label_image``.
        **options: fields of ``VerifyOptions``.
    """
    from labeler.pipeline.arrays import verify_array

    return verify_array(array, VerifyOptions.of(**options))


def label_audio(samples: npt.NDArray[Any], rate: int, **options: Any) -> npt.NDArray[Any]:
    """Label sound inside a pipeline: the audible mark and the watermark (a file carries the other layers).

    ``labeler.pipeline.streams.AudioLabeler`` does the same block by block.

    Args:
        samples: n or n x channels, float, full scale 1.
        rate: sample rate, Hz.
        **options: fields of ``LabelOptions``: ``producer``, ``produce_id``, ``audible``, ``audible_place``, ...

    Returns:
        Sound of the same form; longer only if the audible mark is inserted instead of mixed in.

    Raises:
        UsageError: another form, or a layer that the sound cannot carry.

    >>> import numpy as np
    >>> noise = np.random.default_rng(1).normal(0, 0.1, 80000).astype(np.float32)
    >>> labelled = label_audio(noise, 16000, producer="demo", layers="watermark")
    >>> labelled.shape == noise.shape
    True
    """
    from labeler.pipeline.streams import label_samples

    return label_samples(samples, rate, LabelOptions.of(**options))


def verify_audio(samples: npt.NDArray[Any], rate: int, **options: Any) -> Report:
    """Listen for the audible mark and the watermark.

    Args:
        samples: as for ``label_audio``.
        rate: sample rate, Hz.
        **options: fields of ``VerifyOptions``.
    """
    from labeler.pipeline.streams import verify_samples

    return verify_samples(samples, rate, VerifyOptions.of(**options))


def label_frames(frames: Iterable[npt.NDArray[np.uint8]], **options: Any) -> Iterator[npt.NDArray[np.uint8]]:
    """Label frames as they are made: the visible mark and the watermark; then encode them as you do.

    The file made of them gets the other layers with ``label_file(..., layers="metadata,credentials")`` and the
    same ``producer`` and ``produce_id``; its pictures stay as they are.

    Args:
        frames: H x W x 3 RGB, uint8, all of one size; the first 24 are held back to plan the mark.
        **options: fields of ``LabelOptions``.

    Returns:
        As many frames, one by one.

    Raises:
        UsageError: another shape or dtype.
    """
    from labeler.pipeline import streams

    return streams.label_frames(frames, LabelOptions.of(**options))


def verify_frames(frames: Iterable[npt.NDArray[np.uint8]], rate: float, **options: Any) -> Report:
    """Look for the visible mark and the watermark in a clip.

    Args:
        frames: as for ``label_frames``; an even spread of some sixty suffices for a short clip.
        rate: frames a second of those given.
        **options: fields of ``VerifyOptions``.
    """
    from labeler.pipeline import streams

    return streams.verify_frames(frames, rate, VerifyOptions.of(**options))
