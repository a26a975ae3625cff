"""Make the sample media: everything here is computed, nothing is a photograph or anybody's work.

Run ``make samples``. The output is deterministic.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from labeler.visible.fonts import find_face

HERE = Path(__file__).resolve().parent
F = npt.NDArray[np.float64]


def noise(height: int, width: int, cell: float, rng: np.random.Generator) -> F:
    """Smooth random values in 0..1: a random grid, enlarged bicubically."""
    grid = rng.random((int(height / cell) + 4, int(width / cell) + 4)).astype(np.float32)
    size = (round(grid.shape[1] * cell), round(grid.shape[0] * cell))
    big = np.asarray(Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC))
    return big[:height, :width].astype(np.float64)


def fractal(
    height: int, width: int, cell: float, octaves: int, rng: np.random.Generator, gain: float = 0.5
) -> F:
    """Sum of noises of halving cell and falling weight, about 0..1."""
    total, weight, norm = np.zeros((height, width)), 1.0, 0.0
    for octave in range(octaves):
        total += weight * noise(height, width, max(cell / 2**octave, 1.0), rng)
        norm += weight
        weight *= gain
    return total / norm


def picture(array: F) -> Image.Image:
    """An 8-bit picture of values in 0..1."""
    return Image.fromarray((np.clip(array, 0, 1) * 255 + 0.5).astype(np.uint8))


def mix(a: object, b: object, t: F) -> F:
    """Colours between a and b; t is H x W."""
    return np.asarray(a) * (1 - t[..., None]) + np.asarray(b) * t[..., None]


def landscape(width: int = 1200, height: int = 800) -> Image.Image:
    """Mountain ridges in evening haze over a lake: a photograph-like picture with smooth and busy parts."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:height, 0:width]
    shore = int(height * 0.72)
    image = mix((0.18, 0.30, 0.52), (0.98, 0.72, 0.50), np.clip(y / shore, 0, 1) ** 1.3)
    clouds = np.clip(fractal(height, width, 220, 6, rng) * 2.2 - 1.05, 0, 1) * np.clip(1.2 - y / shore, 0, 1)
    image = mix(image, (1.0, 0.86, 0.78), clouds * 0.65)
    sun = np.exp(-((x - width * 0.68) ** 2 + (y - height * 0.42) ** 2) / (2 * 70.0**2))
    image += sun[..., None] * np.array([0.5, 0.35, 0.15])
    for ridge in range(5):
        base = shore * (0.52 + 0.11 * ridge)
        line = base - (fractal(1, width, 260 / (1 + 0.4 * ridge), 7, rng, 0.55)[0] - 0.45) * 330 * (
            1 - 0.12 * ridge
        )
        inside = np.clip(y - line[None, :], 0, 1)
        light = fractal(height, width, 40, 6, rng, 0.65)
        depth = ridge / 4
        colour = mix((0.62, 0.52, 0.58), (0.06, 0.12, 0.10), np.full((height, width), depth))
        colour = colour * (0.72 + 0.56 * light[..., None] * (0.4 + 0.6 * depth))
        image = mix(image, 0, inside) + colour * inside[..., None]
    water = image[shore - 1 - np.arange(height - shore).clip(0, shore - 1)]
    rows = np.arange(height - shore)
    sway = (noise(height - shore, width, 9, rng) - 0.5) * (4 + rows[:, None] * 0.12)
    columns = np.clip(np.arange(width)[None, :] + sway, 0, width - 1).astype(int)
    water = water[rows[:, None], columns]
    image[shore:] = water * (0.70 - 0.0012 * rows[:, None, None]) + np.array([0.02, 0.05, 0.08])
    image += rng.normal(0, 0.012, (height, width, 1))
    return picture(image)


def spheres(width: int = 960, height: int = 720) -> Image.Image:
    """Glossy spheres on a chequered floor, by ray casting: a rendered scene."""
    y, x = np.mgrid[0:height, 0:width]
    direction = np.dstack([(x - width / 2) / height, (height / 2 - y) / height, np.full(x.shape, 1.1)])
    direction /= np.linalg.norm(direction, axis=2, keepdims=True)
    eye = np.array([0.0, 1.3, -4.2])
    light = np.array([0.55, 0.75, -0.38])
    balls = [
        ((-1.25, 0.75, 0.6), 0.75, (0.86, 0.24, 0.18)),
        ((0.55, 1.0, 1.3), 1.0, (0.20, 0.46, 0.78)),
        ((0.25, 0.38, -0.7), 0.38, (0.95, 0.76, 0.22)),
        ((1.75, 0.5, -0.1), 0.5, (0.25, 0.62, 0.36)),
    ]

    def hit(origin: F, ray: F) -> tuple[F, F]:
        nearest, index = np.full(ray.shape[:2], np.inf), np.full(ray.shape[:2], -1)
        for number, (centre, radius, _) in enumerate(balls):
            offset = origin - np.array(centre)
            b = (offset * ray).sum(-1)
            root = b * b - (offset * offset).sum(-1) + radius * radius
            t = -b - np.sqrt(np.maximum(root, 0))
            closer = (root > 0) & (t > 1e-3) & (t < nearest)
            nearest, index = np.where(closer, t, nearest), np.where(closer, number, index)
        return nearest, index

    def shade(origin: F, ray: F, bounce: int) -> F:
        t, index = hit(origin, ray)
        floor = np.where(ray[..., 1] < -1e-4, -origin[..., 1] / np.minimum(ray[..., 1], -1e-4), np.inf)
        on_floor = (floor < t) & (floor > 1e-3)
        t = np.where(on_floor, floor, t)
        sky = mix((0.80, 0.87, 0.95), (0.32, 0.50, 0.78), np.clip(ray[..., 1] * 1.4 + 0.1, 0, 1))
        point = origin + ray * np.where(np.isfinite(t), t, 0)[..., None]
        tiles = (np.floor(point[..., 0]) + np.floor(point[..., 2])) % 2
        colour = np.where(tiles[..., None] > 0, np.array([0.82, 0.80, 0.76]), np.array([0.30, 0.29, 0.31]))
        normal = np.broadcast_to(np.array([0.0, 1.0, 0.0]), ray.shape).copy()
        for number, (centre, radius, paint) in enumerate(balls):
            mine = ((index == number) & ~on_floor)[..., None]
            normal = np.where(mine, (point - np.array(centre)) / radius, normal)
            colour = np.where(mine, np.array(paint), colour)
        shadow = np.isfinite(hit(point + normal * 1e-3, np.broadcast_to(light, ray.shape))[0])
        diffuse = np.clip((normal * light).sum(-1), 0, 1) * np.where(shadow, 0.25, 1.0)
        lit = colour * (0.22 + 0.78 * diffuse[..., None])
        mirror = ray - 2 * (ray * normal).sum(-1, keepdims=True) * normal
        if bounce:
            facing = 1 - np.clip(-(ray * normal).sum(-1), 0, 1)
            share = np.where(on_floor, 0.08, 0.10 + 0.6 * facing**4)[..., None]
            lit = lit * (1 - share) + shade(point + normal * 1e-3, mirror, bounce - 1) * share
        gloss = np.where(on_floor | shadow, 0, np.clip((mirror * light).sum(-1), 0, 1) ** 60)
        lit = lit + 0.7 * gloss[..., None]
        fog = np.clip((t - 6) / 16, 0, 1)
        lit = mix(lit, 0, fog) + sky * fog[..., None]
        return np.where(np.isfinite(t)[..., None], lit, sky)

    return picture(shade(np.broadcast_to(eye, direction.shape), direction, 2) ** (1 / 1.15))


def marble(width: int = 900, height: int = 900) -> Image.Image:
    """Veined stone by domain warping: busy everywhere."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:height, 0:width]
    warp = fractal(height, width, 180, 7, rng, 0.6)
    veins = np.abs(np.sin((x * 0.6 + y) / 70 + warp * 14))
    grain = fractal(height, width, 12, 4, rng, 0.7)
    colour = mix((0.10, 0.20, 0.24), (0.86, 0.89, 0.84), veins**0.6)
    colour = mix(colour, (0.70, 0.46, 0.22), np.clip(warp * 3 - 1.7, 0, 1) * 0.8)
    return picture(colour * (0.82 + 0.3 * grain[..., None]))


def bokeh(width: int = 640, height: int = 960) -> Image.Image:
    """Out-of-focus lights at night: dark, smooth, saturated; portrait format."""
    rng = np.random.default_rng(4)
    y, x = np.mgrid[0:height, 0:width]
    image = mix((0.02, 0.03, 0.09), (0.10, 0.05, 0.12), y / height)
    colours = np.array(
        [[1.0, 0.65, 0.25], [1.0, 0.30, 0.25], [0.35, 0.65, 1.0], [0.95, 0.85, 0.65], [0.4, 0.9, 0.6]]
    )
    for _ in range(70):
        cx, cy, radius = rng.uniform(0, width), rng.normal(height * 0.5, height * 0.2), rng.uniform(14, 62)
        distance = np.hypot(x - cx, y - cy)
        disc = np.clip((radius - distance) / 2 + 0.5, 0, 1) * (
            0.72 + 0.28 * np.clip(distance / radius, 0, 1) ** 6
        )
        image += disc[..., None] * colours[rng.integers(5)] * rng.uniform(0.08, 0.42)
    image += rng.normal(0, 0.010, (height, width, 1))
    return picture(1 - np.exp(-1.5 * image))


def _font(size: int) -> ImageFont.FreeTypeFont:
    face = find_face("AI生成")
    return ImageFont.truetype(str(face.path), size, index=face.index)


def chart(width: int = 1000, height: int = 640) -> Image.Image:
    """A bar chart with a line: large flat areas, sharp edges, small text."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    draw.text((60, 28), "Labelled files per month", "#1d2733", _font(30))
    draw.text((60, 70), "four layers, thousands of files", "#6b7785", _font(18))
    left, right, top, bottom = 80, width - 40, 130, height - 80
    for step in range(6):
        level = bottom - (bottom - top) * step / 5
        draw.line((left, level, right, level), "#e3e7ec", 1)
        draw.text((left - 12, level), str(step * 20), "#6b7785", _font(15), anchor="rm")
    values = (12, 19, 27, 33, 30, 44, 52, 61, 58, 73, 82, 94)
    pitch = (right - left) / len(values)
    points = []
    for index, value in enumerate(values):
        x = left + pitch * (index + 0.18)
        level = bottom - (bottom - top) * value / 100
        draw.rectangle((x, level, x + pitch * 0.64, bottom), "#3d7ea6" if index % 2 else "#5fa0c4")
        points.append((x + pitch * 0.32, level - 18 - 12 * np.sin(index)))
        draw.text((x + pitch * 0.32, bottom + 10), "JFMAMJJASOND"[index], "#1d2733", _font(17), anchor="ma")
    draw.line(points, "#d0622c", 4, joint="curve")
    return image


_PROSE = (
    "A label says what a picture is. It is written where people look and where programs look, and it stays "
    "when the picture travels. This page was drawn by a script, so that there is a document among the samples: "
    "black strokes on white paper, nothing else. Marks hide badly here, because there is no texture to hide in. "
    "What a page can carry is little, and it is carried between the letters. "
)


def page(width: int = 850, height: int = 1100) -> Image.Image:
    """A page of text: the hardest ground for an invisible mark."""
    image = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(image)
    draw.text((90, 90), "On labels", 0, _font(44))
    font, line, y = _font(22), "", 180
    for word in (_PROSE * 5).split():
        if draw.textlength(f"{line} {word}", font) > width - 180:
            draw.text((90, y), line, 20, font)
            line, y = "", y + 34
            if y > height - 160:
                break
        line = f"{line} {word}".strip()
    draw.text((90, height - 110), "1", 20, font)
    return image


def icon(size: int = 256) -> Image.Image:
    """A rounded badge with transparent corners."""
    scale = 4
    image = Image.new("RGBA", (size * scale, size * scale), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    box = (8 * scale, 8 * scale, (size - 8) * scale, (size - 8) * scale)
    draw.rounded_rectangle(box, 56 * scale, (52, 92, 160, 255))
    draw.ellipse((70 * scale, 60 * scale, 186 * scale, 176 * scale), (240, 196, 84, 255))
    draw.polygon([(p[0] * scale, p[1] * scale) for p in ((28, 214), (100, 120), (150, 190), (182, 150), (228, 214))],
                 (34, 60, 104, 255))  # fmt: skip
    return image.resize((size, size), Image.Resampling.LANCZOS)


def orbit(size: int = 240, count: int = 12) -> list[Image.Image]:
    """A planet on its way round a star: an animation."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:size, 0:size]
    sky = mix((0.03, 0.04, 0.10), (0.16, 0.10, 0.24), fractal(size, size, 90, 5, rng))
    sky += (rng.random((size, size)) > 0.997)[..., None] * 0.7
    frames = []
    for index in range(count):
        angle = 2 * np.pi * index / count
        glow = np.exp(-np.hypot(x - size / 2, y - size / 2) / 26)
        image = sky + glow[..., None] * np.array([1.3, 0.95, 0.45])
        px, py = size / 2 + size * 0.36 * np.cos(angle), size / 2 + size * 0.22 * np.sin(angle)
        disc = np.clip(15 - np.hypot(x - px, y - py), 0, 1)
        light = np.clip(0.6 - ((x - px) * np.cos(angle) + (y - py) * np.sin(angle)) / 24, 0.08, 1)
        image = mix(image, 0, disc) + (disc * light)[..., None] * np.array([0.45, 0.72, 0.95])
        frames.append(picture(image))
    return frames


def main() -> None:
    """Write all samples."""
    landscape().save(HERE / "landscape.jpg", quality=88, subsampling=2)
    spheres().save(HERE / "spheres.png", optimize=True)
    marble().save(HERE / "marble.avif", quality=70)
    bokeh().save(HERE / "bokeh.webp", quality=88)
    chart().save(HERE / "chart.png", optimize=True)
    page().save(HERE / "page.tiff", compression="tiff_adobe_deflate")
    icon().save(HERE / "icon.png", optimize=True)
    frames = orbit()
    frames[0].save(HERE / "orbit.gif", save_all=True, append_images=frames[1:], duration=80, loop=0)


if __name__ == "__main__":
    main()
