"""Procedural pictures: textures, edges and smooth areas, no files needed."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt


def textured(height: int = 400, width: int = 600, *, seed: int = 1) -> npt.NDArray[np.uint8]:
    """A colour picture with the 1/f spectrum of a photograph, some discs and a smooth sky."""
    rng = np.random.default_rng(seed)
    fy, fx = np.meshgrid(np.fft.fftfreq(height), np.fft.rfftfreq(width), indexing="ij")
    fall = 1 / np.maximum(np.hypot(fy, fx), 1 / width) ** 1.3
    planes = []
    for spread in (40, 12, 12):
        noise = np.fft.irfft2(fall * np.exp(2j * np.pi * rng.random(fall.shape)), (height, width))
        planes.append(noise / noise.std() * spread)
    base = np.stack([planes[0] + planes[1], planes[0], planes[0] + planes[2]], axis=2) + 120
    image = np.clip(base, 0, 255).astype(np.uint8)
    for _ in range(8):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        colour = tuple(int(c) for c in rng.integers(30, 225, 3))
        cv2.circle(image, centre, int(rng.integers(10, 60)), colour, -1, cv2.LINE_AA)
    sky = np.linspace(210, 150, height // 4)[:, None, None] * np.array([0.8, 0.9, 1.0])
    image[: height // 4] = np.broadcast_to(sky, (height // 4, width, 3)).astype(np.uint8)
    return image
