"""Cost of labelling and verifying, as a multiple of the bare Pillow decode and encode of the same file.

All variants run in turn within each round, in one process, and the smallest CPU time of the rounds counts:
the machine may be shared, a ratio within one run is what can be compared.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from labeler.media.files import Source, read_source
from labeler.pipeline.label import label_source
from labeler.pipeline.options import LabelOptions, VerifyOptions
from labeler.pipeline.verify import verify_source
from labeler.types import Layer

__all__ = ["Timing", "load", "measure", "synthetic_jpeg", "table"]

_CONTAINER = (Layer.METADATA, Layer.CREDENTIALS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """CPU seconds of one variant on one file.

    Attributes:
        name: file name.
        megapixels: size of the picture.
        variant: what ran.
        seconds: smallest CPU time of the rounds.
        ratio: over the bare decode and encode of the same file.
    """

    name: str
    megapixels: float
    variant: str
    seconds: float
    ratio: float


def synthetic_jpeg(megapixels: float = 12.0, *, quality: int = 90) -> bytes:
    """A photograph-like JPEG of 4:3 format: fractal noise over a gradient, and sensor noise; seeded.

    At 12 megapixels it has about 4 MB, as a telephone's photographs do.
    """
    import cv2
    import numpy as np
    from PIL import Image

    width = round((megapixels * 1e6 * 4 / 3) ** 0.5 / 16) * 16
    height = round(width * 3 / 4)
    rng = np.random.default_rng(12)
    total = np.linspace(60, 150, height, dtype=np.float32)[:, None, None] * np.ones((1, width, 3), np.float32)
    for octave in range(9):
        cells = (max(2, (width >> 9) << octave), max(2, (height >> 9) << octave))
        if cells[0] > width:
            break
        small = rng.normal(0, 36 * 0.62**octave, (cells[1], cells[0], 3)).astype(np.float32)
        small = 0.7 * small.mean(axis=2, keepdims=True) + 0.3 * small
        total += cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    total += rng.normal(0, 5.5, (height, width, 1)).astype(np.float32)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(total, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def measure(
    sources: Iterable[Source],
    options: LabelOptions,
    *,
    rounds: int = 5,
    progress: Callable[[str], None] | None = None,
) -> Iterator[Timing]:
    """Time every variant on every source."""
    for source in sources:
        labelled = label_source(source, options).content
        verify = VerifyOptions(limits=options.limits, home=options.home)
        quick = VerifyOptions(limits=options.limits, home=options.home, quick=True)
        variants: dict[str, Callable[[], object]] = {
            "decode + encode (Pillow)": partial(_bare, source.data),
            "label, all layers": partial(label_source, source, options),
            "label, watermark only": partial(label_source, source, _only(options, Layer.WATERMARK)),
            "label, visible only": partial(label_source, source, _only(options, Layer.VISIBLE)),
            "label, containers only": partial(label_source, source, _only(options, *_CONTAINER)),
            "verify, labelled": partial(verify_source, labelled, verify, sidecars={}),
            "verify, unlabelled": partial(verify_source, source, verify, sidecars={}),
            "verify --quick, unlabelled": partial(verify_source, source, quick, sidecars={}),
        }
        best = dict.fromkeys(variants, float("inf"))
        for done in range(rounds):
            for variant, run in variants.items():
                started = time.process_time()
                run()
                best[variant] = min(best[variant], time.process_time() - started)
            if progress is not None:
                progress(f"{source.path.name}: round {done + 1} of {rounds}")
        bare = best["decode + encode (Pillow)"]
        for variant, seconds in best.items():
            yield Timing(
                name=source.path.name,
                megapixels=_megapixels(source.data),
                variant=variant,
                seconds=seconds,
                ratio=seconds / bare,
            )


def _only(options: LabelOptions, *layers: Layer) -> LabelOptions:
    import dataclasses

    return dataclasses.replace(options, layers=layers)


def _bare(data: bytes) -> bytes:
    """Decode and encode as Pillow does it, with the source's own coding."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        image.load()
        options = {"quality": "keep"} if image.format == "JPEG" else {}
        buffer = io.BytesIO()
        image.save(buffer, image.format, **options)
    return buffer.getvalue()


def _megapixels(data: bytes) -> float:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return image.width * image.height / 1e6


def table(timings: Iterable[Timing]) -> str:
    """The timings as a Markdown table."""
    rows = ["| file | MP | what | CPU s | x bare codec |", "|---|---:|---|---:|---:|"]
    for t in timings:
        rows.append(f"| {t.name} | {t.megapixels:.1f} | {t.variant} | {t.seconds:.3f} | {t.ratio:.2f} |")
    return "\n".join(rows)


def load(paths: Iterable[Path], options: LabelOptions) -> list[Source]:
    """The files to measure; without any, a synthetic 12-megapixel JPEG."""
    sources = [read_source(path, limits=options.limits) for path in paths]
    return sources or [Source(Path("synthetic-12mp.jpg"), synthetic_jpeg())]
