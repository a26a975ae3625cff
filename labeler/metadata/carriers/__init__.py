"""One module per container family: where a label stands in a file of that kind.

Each module has ``read(data) -> Slots`` and ``write(data, packets) -> (bytes, places left)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labeler.metadata.carriers import jpeg, png, webp
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
    "image/webp": Carrier(webp.read, webp.write),
}
"""Media type -> carrier; a type that is missing has no slot of its own."""
