"""Pictures of our own making, and what happens to pictures on their way."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from labeler.visible.fonts import find_face

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "images"
SHARED_NAMES = sorted(p.name for p in SHARED.iterdir()) if SHARED.is_dir() else []


def shared_picture(name: str) -> np.ndarray:
    """A picture of the shared set, halved if it is large."""
    with Image.open(SHARED / name) as image:
        picture = np.array(image.convert("RGB"))
    return scaled(picture, 0.5) if max(picture.shape) > 2000 else picture


def picture(name: str, width: int, height: int) -> np.ndarray:
    """A synthetic picture, uint8 (h, w, 3): one of `NAMES`."""
    rng = np.random.default_rng(len(name) * 1000 + width)
    y, x = np.mgrid[0:height, 0:width]
    if name == "page":
        image = Image.new("RGB", (width, height), "white")
        draw = ImageDraw.Draw(image)
        font = ImageFont.truetype(find_face("a").path, size=max(10, height // 40))
        for row in range(0, height, max(14, height // 28)):
            draw.text((width // 20, row), "Lorem ipsum dolor sit amet, consectetur " * 3, fill=30, font=font)
        return np.array(image)
    if name == "texture":
        small = rng.normal(size=(height // 6 + 1, width // 6 + 1, 3)).astype(np.float32)
        grown = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
        return np.clip(125 + 60 * grown + rng.normal(0, 8, grown.shape), 0, 255).astype(np.uint8)
    grey = {
        "black": np.zeros((height, width)),
        "white": np.full((height, width), 255),
        "dark": rng.normal(9, 4, (height, width)),
        "bright": rng.normal(245, 6, (height, width)),
        "noise": rng.integers(0, 256, (height, width)),
        "checks": ((x // 9 + y // 9) % 2) * 255,
        "stripes": (np.sin((x + 2 * y) / 5) + 1) * 127,
        "gradient": (x * 255 // width + y * 255 // height) // 2,
    }[name]
    return np.dstack([np.clip(grey, 0, 255).astype(np.uint8)] * 3)


NAMES = ("black", "white", "dark", "bright", "noise", "checks", "stripes", "gradient", "texture", "page")


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer).convert("RGB"))


def scaled(pixels: np.ndarray, factor: float) -> np.ndarray:
    size = round(pixels.shape[1] * factor), round(pixels.shape[0] * factor)
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def screenshot(factor: float, offset: tuple[int, int], ground: int) -> Callable[[np.ndarray], np.ndarray]:
    """Scaled, on a larger canvas, as JPEG 75."""

    def taken(pixels: np.ndarray) -> np.ndarray:
        part = scaled(pixels, factor)
        h, w = part.shape[:2]
        canvas = np.full((h + offset[1] + 60, w + offset[0] + 90, 3), ground, np.uint8)
        canvas[offset[1] : offset[1] + h, offset[0] : offset[0] + w] = part
        return jpeg(canvas, 75)

    return taken


def grey(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.cvtColor(jpeg(pixels, 50), cv2.COLOR_RGB2GRAY))


CHAINS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float, tuple[int, int]]] = {
    "jpeg-50": (lambda p: jpeg(p, 50), 1.0, (0, 0)),
    "half": (lambda p: scaled(p, 0.5), 0.5, (0, 0)),
    "half, jpeg-50": (lambda p: jpeg(scaled(p, 0.5), 50), 0.5, (0, 0)),
    "grey, jpeg-50": (grey, 1.0, (0, 0)),
    "screenshot 0.7": (screenshot(0.7, (137, 93), 255), 0.7, (137, 93)),
    "screenshot 0.93": (screenshot(0.93, (301, 33), 32), 0.93, (301, 33)),
    "screenshot 1.3": (screenshot(1.3, (51, 214), 200), 1.3, (51, 214)),
}
"""Name: what happens, the factor by which it scales, where the picture's corner goes."""


def iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes x, y, w, h."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = max(0.0, w) * max(0.0, h)
    return common / (a[2] * a[3] + b[2] * b[3] - common)


def luminance(srgb: np.ndarray) -> np.ndarray:
    """Relative luminance of sRGB uint8 (..., 3), WCAG 2.2."""
    c = srgb.astype(np.float64) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ (0.2126, 0.7152, 0.0722))
