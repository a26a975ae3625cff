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

from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeler.pipeline.options import LabelOptions, VerifyOptions
from labeler.types import LabelResult, Report

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.uint8 | np.uint16]

__all__ = ["label_file", "label_image", "label_text", "verify_file", "verify_image", "verify_text"]


def label_file(
    path: str | Path, output: str | Path, *, overwrite: bool = False, **options: Any
) -> LabelResult:
    """Label one file with every layer of the profile, read it back, and publish it whole.

    Args:
        path: a regular file.
        output: where the labelled file goes; its folder is made if missing.
        overwrite: replace an existing output.
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
    from labeler.pipeline.label import label_one

    return label_one(Path(path), Path(output), LabelOptions.of(**options), overwrite=overwrite)


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

    return verify_one(Path(path), VerifyOptions.of(**options))


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
    """Put the visible lines around a text that a model wrote, and if asked for the invisible tag into it.

    Args:
        text: what a model wrote; labelling twice changes nothing.
        **options: ``lang``, ``place``, ``kind`` (text, markdown, html), ``every_paragraph``, ``label``, ``tag``,
            ``key``, as ``labeler.pipeline.strings.label_text`` documents them.

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
