"""One module per container family: where a label stands in a file of that kind.

Each module has ``read(data) -> Slots`` and ``write(data, packets) -> (bytes, places left)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labeler.metadata.carriers import gif, heif, jpeg, png, tiff, webp
from labeler.metadata.carriers.base import Slots

__all__ = ["CARRIERS", "Carrier"]


@dataclass(frozen=True, slots=True)
class Carrier:
    """The two functions of a carrier module."""

    read: Callable[[bytes], Slots]
    write: Callable[[bytes, Sequence[bytes]], tuple[bytes, tuple[str, ...]]]


CARRIERS: dict[str, Carrier] = {
    "image/jpeg": Carrier(jpeg.read, jpeg.write),
    "image/png": Carrier(png.read, png.write),
    "image/apng": Carrier(png.read, png.write),
    "image/gif": Carrier(gif.read, gif.write),
    "image/tiff": Carrier(tiff.read, tiff.write),
    "image/avif": Carrier(heif.read, heif.write),
    "image/avif-sequence": Carrier(heif.read, heif.write),
    "image/heic": Carrier(heif.read, heif.write),
    "image/heic-sequence": Carrier(heif.read, heif.write),
    "image/heif": Carrier(heif.read, heif.write),
    "image/heif-sequence": Carrier(heif.read, heif.write),
    "image/webp": Carrier(webp.read, webp.write),
}
"""Media type -> carrier; a type that is missing has no slot of its own."""
