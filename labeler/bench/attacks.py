"""What happens to pictures on their way: named, parameterised, seeded functions from array to array.

Every operation takes an (H, W, 3) uint8 RGB picture and returns one. An attack is a list of operations; a grid
of attacks is a TOML file (see ``robustness.toml``).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.errors import UsageError

__all__ = ["OPERATIONS", "Attack", "load_grid", "operation"]

Pixels: TypeAlias = npt.NDArray[np.uint8]
Operation: TypeAlias = Callable[..., Pixels]

OPERATIONS: dict[str, Operation] = {}
"""All operations by name."""
DEFAULT_GRID = Path(__file__).with_name("robustness.toml")


def operation(function: Operation) -> Operation:
    """Register an operation under its name, underscores as hyphens."""
    OPERATIONS[function.__name__.strip("_").replace("_", "-")] = function
    return function


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """A named chain of operations.

    Attributes:
        name: as printed.
        steps: pairs of operation name and its parameters.
        group: heading in the table.
        bar: smallest share of pictures that must be read, 0..1, or None.
        min_pixels: only for pictures of at least so many pixels.
        max_pixels: only for pictures of at most so many pixels, 0 = any.
    """

    name: str
    steps: tuple[tuple[str, Mapping[str, Any]], ...]
    group: str = ""
    bar: float | None = None
    min_pixels: int = 0
    max_pixels: int = 0

    def __call__(self, pixels: Pixels, *, seed: int = 0) -> Pixels:
        """Apply the chain; the seed decides noise, jitter and random places."""
        for number, (name, parameters) in enumerate(self.steps):
            rng = np.random.default_rng([seed, number])
            pixels = np.ascontiguousarray(OPERATIONS[name](pixels, rng, **parameters))
        return pixels

    def applies_to(self, pixels: Pixels) -> bool:
        """Whether the picture has the size that the attack is meant for."""
        count = pixels.shape[0] * pixels.shape[1]
        return count >= self.min_pixels and (not self.max_pixels or count <= self.max_pixels)


def load_grid(path: Path | str | None = None) -> list[Attack]:
    """Read a grid of attacks.

    The file holds ``[[attack]]`` tables with ``name``, ``steps`` (a list of ``{op = "...", parameter = value}``),
    and optionally ``group``, ``bar``, ``min_pixels`` and ``max_pixels``.

    Raises:
        UsageError: the file is not such a grid.
    """
    file = Path(path) if path is not None else DEFAULT_GRID
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))["attack"]
        attacks = []
        for table in tables:
            steps = [dict(step) for step in table["steps"]]
            chain = tuple((step.pop("op"), step) for step in steps)
            unknown = [name for name, _ in chain if name not in OPERATIONS]
            if unknown:
                raise UsageError(f"unknown operation {unknown[0]!r} in {file}.")
            options = {
                key: table[key] for key in ("group", "bar", "min_pixels", "max_pixels") if key in table
            }
            attacks.append(Attack(name=table["name"], steps=chain, **options))
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise UsageError(f"{file} is not a grid of attacks: {error}.") from error
    return attacks


def _codec(pixels: Pixels, extension: str, parameters: list[int]) -> Pixels:
    done, data = cv2.imencode(extension, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), parameters)
    if not done:
        raise RuntimeError(f"OpenCV cannot write {extension}")
    return _rgb(cv2.imdecode(data, cv2.IMREAD_COLOR))


def _rgb(bgr: Any) -> Pixels:
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def _round(values: Any) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


@operation
def jpeg(pixels: Pixels, rng: np.random.Generator, *, quality: int, subsampling: str = "420") -> Pixels:
    """JPEG of libjpeg quality 1..100, chroma 4:2:0 unless said otherwise ("444")."""
    sampling = (
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444 if subsampling == "444" else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420
    )
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    return _codec(pixels, ".jpg", options)


@operation
def webp(pixels: Pixels, rng: np.random.Generator, *, quality: int) -> Pixels:
    """Lossy WebP."""
    return _codec(pixels, ".webp", [cv2.IMWRITE_WEBP_QUALITY, quality])


@operation
def avif(pixels: Pixels, rng: np.random.Generator, *, quality: int) -> Pixels:
    """AVIF, speed 8."""
    return _codec(pixels, ".avif", [cv2.IMWRITE_AVIF_QUALITY, quality, cv2.IMWRITE_AVIF_SPEED, 8])


def _resize(pixels: Pixels, height: float, width: float) -> Pixels:
    size = (max(round(width), 1), max(round(height), 1))
    shrinks = size[0] < pixels.shape[1] or size[1] < pixels.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=method), np.uint8)


@operation
def resize(pixels: Pixels, rng: np.random.Generator, *, factor: float) -> Pixels:
    """Scale both sides (area mean down, cubic up)."""
    return _resize(pixels, pixels.shape[0] * factor, pixels.shape[1] * factor)


@operation
def limit(pixels: Pixels, rng: np.random.Generator, *, side: int) -> Pixels:
    """Scale down so that the longer side has at most ``side`` px."""
    factor = min(side / max(pixels.shape[:2]), 1.0)
    return _resize(pixels, pixels.shape[0] * factor, pixels.shape[1] * factor)


@operation
def stretch(pixels: Pixels, rng: np.random.Generator, *, factor: float) -> Pixels:
    """Change the aspect: width times ``factor``."""
    return _resize(pixels, pixels.shape[0], pixels.shape[1] * factor)


@operation
def crop(pixels: Pixels, rng: np.random.Generator, *, area: float, place: str = "centre") -> Pixels:
    """Keep a rectangle of the same aspect and ``area`` of the picture: in the centre, or at random."""
    height, width = round(pixels.shape[0] * area**0.5), round(pixels.shape[1] * area**0.5)
    room_y, room_x = pixels.shape[0] - height, pixels.shape[1] - width
    if place == "centre":
        top, left = room_y // 2, room_x // 2
    else:
        top, left = int(rng.integers(room_y + 1)), int(rng.integers(room_x + 1))
    return pixels[top : top + height, left : left + width]


@operation
def rotate(pixels: Pixels, rng: np.random.Generator, *, degrees: float, canvas: str = "same") -> Pixels:
    """Turn about the centre; ``canvas``: same, grown (all is kept, black corners) or inside (no corners)."""
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
    cosine, sine = abs(np.cos(np.radians(degrees))), abs(np.sin(np.radians(degrees)))
    size = (width, height)
    if canvas == "grown":
        size = (round(width * cosine + height * sine), round(width * sine + height * cosine))
        matrix[:, 2] += [(size[0] - width) / 2, (size[1] - height) / 2]
    turned = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_CUBIC)
    if canvas == "inside":
        scale = 1 / max(cosine + sine * height / width, cosine + sine * width / height)
        inner = (int(height * scale) - 2, int(width * scale) - 2)
        top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
        turned = turned[top : top + inner[0], left : left + inner[1]]
    return np.asarray(turned, np.uint8)


@operation
def turn(pixels: Pixels, rng: np.random.Generator, *, quarters: int) -> Pixels:
    """Quarter turns, counter-clockwise."""
    return np.asarray(np.rot90(pixels, quarters), np.uint8)


@operation
def mirror(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Left and right exchanged."""
    return np.asarray(np.fliplr(pixels), np.uint8)


@operation
def perspective(pixels: Pixels, rng: np.random.Generator, *, jitter: float) -> Pixels:
    """Every corner moves at random by up to ``jitter`` of the sides."""
    height, width = pixels.shape[:2]
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float32)
    moved = corners + rng.uniform(-jitter, jitter, (4, 2)) * [width, height]
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    mode = cv2.BORDER_REPLICATE
    warped = cv2.warpPerspective(pixels, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=mode)
    return np.asarray(warped, np.uint8)


@operation
def noise(pixels: Pixels, rng: np.random.Generator, *, sigma: float) -> Pixels:
    """Gaussian noise, grey levels."""
    return _round(pixels + rng.normal(0, sigma, pixels.shape))


@operation
def blur(pixels: Pixels, rng: np.random.Generator, *, sigma: float) -> Pixels:
    """Gaussian blur, px."""
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)


@operation
def median(pixels: Pixels, rng: np.random.Generator, *, size: int) -> Pixels:
    """Median filter of size x size px."""
    return np.asarray(cv2.medianBlur(pixels, size), np.uint8)


@operation
def sharpen(pixels: Pixels, rng: np.random.Generator, *, amount: float = 1.0, sigma: float = 1.5) -> Pixels:
    """Unsharp mask."""
    soft = cv2.GaussianBlur(pixels, (0, 0), sigma)
    return np.asarray(cv2.addWeighted(pixels, 1 + amount, soft, -amount, 0), np.uint8)


@operation
def brightness(pixels: Pixels, rng: np.random.Generator, *, percent: float) -> Pixels:
    """Add that share of full scale."""
    return _round(pixels + 2.55 * percent)


@operation
def contrast(pixels: Pixels, rng: np.random.Generator, *, percent: float) -> Pixels:
    """Spread values about 128."""
    return _round((pixels.astype(np.float32) - 128) * (1 + percent / 100) + 128)


@operation
def gamma(pixels: Pixels, rng: np.random.Generator, *, exponent: float) -> Pixels:
    """Tone curve v^exponent."""
    table = _round(255 * (np.arange(256) / 255) ** exponent)
    return np.asarray(cv2.LUT(pixels, table), np.uint8)


@operation
def colour(pixels: Pixels, rng: np.random.Generator, *, saturation: float = 1.0, hue: float = 0.0) -> Pixels:
    """Saturation factor and hue shift in degrees."""
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[:, :, 0] = (hsv[:, :, 0] + hue / 2) % 180
    hsv[:, :, 1] = np.clip(hsv[:, :, 1] * saturation, 0, 255)
    return np.asarray(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB), np.uint8)


@operation
def grey(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Luma only."""
    return np.asarray(cv2.merge([cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)] * 3), np.uint8)


@operation
def overlay(pixels: Pixels, rng: np.random.Generator, *, area: float) -> Pixels:
    """An opaque rectangle over that share of the area, at a random place."""
    result = pixels.copy()
    height, width = round(pixels.shape[0] * area**0.5), round(pixels.shape[1] * area**0.5)
    top = int(rng.integers(pixels.shape[0] - height + 1))
    left = int(rng.integers(pixels.shape[1] - width + 1))
    result[top : top + height, left : left + width] = rng.integers(0, 256, 3)
    return result


@operation
def canvas(
    pixels: Pixels,
    rng: np.random.Generator,
    *,
    top: float = 0.0,
    bottom: float = 0.0,
    sides: float = 0.0,
    text: str = "",
    level: int = 245,
) -> Pixels:
    """Paste on a larger plain canvas, margins as shares of the height; text in the top margin."""
    height = pixels.shape[0]
    margins = [round(share * height) for share in (top, bottom, sides)]
    result = cv2.copyMakeBorder(
        pixels, margins[0], margins[1], margins[2], margins[2], cv2.BORDER_CONSTANT, value=(level,) * 3
    )
    if text and margins[0] > 12:
        place = (margins[2] + 8, round(margins[0] * 0.7))
        cv2.putText(
            result, text, place, cv2.FONT_HERSHEY_DUPLEX, margins[0] / 45, (10, 10, 10), 2, cv2.LINE_AA
        )
    return np.asarray(result, np.uint8)
