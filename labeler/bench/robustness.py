"""Robustness: mark pictures, do something to them, read them again, count.

A run gives a :class:`Run`, which is plain data: ``to_dict`` is the JSON, :func:`markdown` prints one or several
runs side by side (ours and those of other methods, which ``bench/peers`` makes in their own environment).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.bench.attacks import Attack, load_grid
from labeler.errors import UsageError

__all__ = ["Method", "Outcome", "Picture", "Run", "markdown", "pictures", "run", "ssim", "summary"]

Pixels: TypeAlias = npt.NDArray[np.uint8]

_EXTENSIONS = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"}
SCHEMA = "labeler/robustness/1"


class Method(Protocol):
    """A watermark to be measured."""

    name: str

    def embed(self, pixels: Pixels, payload: bytes) -> Pixels:
        """Mark a picture with 8 bytes."""

    def detect(self, pixels: Pixels) -> bytes | None:
        """Read a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Quality of one marked picture.

    Attributes:
        name: file name.
        megapixels: its size.
        psnr: dB, all values.
        ssim: of luma, Gaussian window of 11 px (Wang et al. 2004).
        embed_seconds: CPU time.
    """

    name: str
    megapixels: float
    psnr: float
    ssim: float
    embed_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One attack over all pictures.

    Attributes:
        name: of the attack.
        group: heading.
        bar: share that must be read, or None.
        read: pictures whose payload was read exactly.
        total: pictures attacked.
        wrong: pictures where another payload was read.
        failed: names of those not read.
        seconds: mean CPU time of reading.
    """

    name: str
    group: str
    bar: float | None
    read: int
    total: int
    wrong: int
    failed: tuple[str, ...]
    seconds: float

    @property
    def share(self) -> float:
        """Share read, 0..1."""
        return self.read / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A whole measurement of one method."""

    method: str
    pictures: tuple[Picture, ...]
    outcomes: tuple[Outcome, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Run:
        """Read :meth:`to_dict` back."""
        if data.get("schema") != SCHEMA:
            raise UsageError(f"this is no robustness run: schema {data.get('schema')!r}.")
        outcomes = tuple(Outcome(**{**item, "failed": tuple(item["failed"])}) for item in data["outcomes"])
        return cls(
            method=data["method"],
            pictures=tuple(Picture(**item) for item in data["pictures"]),
            outcomes=outcomes,
        )


class Labeler:
    """Profile 1 with the public key, full search."""

    name = "labeler"

    def embed(self, pixels: Pixels, payload: bytes) -> Pixels:
        """Mark a picture at default strength."""
        from labeler.core.keys import PUBLIC_KEY
        from labeler.watermark.image import embed

        return np.asarray(embed(pixels, payload, PUBLIC_KEY, report=False).pixels, np.uint8)

    def detect(self, pixels: Pixels) -> bytes | None:
        """Read a picture."""
        from labeler.core.keys import PUBLIC_KEY
        from labeler.watermark.image import detect

        return bytes.fromhex(detect(pixels, [PUBLIC_KEY]).payload) or None


def pictures(folder: Path | str, *, names: Sequence[str] = ()) -> Iterator[tuple[str, Pixels]]:
    """Pictures of a folder, by name, as displayed; ``names`` are file stems to keep.

    Raises:
        UsageError: the folder has no readable picture.
    """
    found = False
    for path in sorted(Path(folder).iterdir()):
        if path.suffix.lower() not in _EXTENSIONS or (names and path.stem not in names):
            continue
        image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        if image is not None:
            found = True
            yield path.stem, np.ascontiguousarray(image[..., ::-1], np.uint8)
    if not found:
        raise UsageError(f"there is no picture in {folder}.")


def run(
    images: Path | str,
    *,
    grid: Path | str | None = None,
    method: Method | None = None,
    names: Sequence[str] = (),
    repeats: int = 1,
    progress: Callable[[str], None] | None = None,
) -> Run:
    """Measure a method.

    Args:
        images: folder of pictures.
        grid: TOML file of attacks; None is the default grid.
        method: what to measure; None is this package.
        names: file stems to keep; none means all.
        repeats: times that every attack is made, with other random places and noise.
        progress: is told the name of every picture.

    Returns:
        Quality of every picture and outcome of every attack; a picture that cannot be marked counts as failed.
    """
    attacks = load_grid(grid)
    method = method or Labeler()
    quality: list[Picture] = []
    counts: dict[str, _Count] = {attack.name: _Count() for attack in attacks}
    for name, pixels in pictures(images, names=names):
        if progress is not None:
            progress(name)
        payload = hashlib.sha256(name.encode()).digest()[:8]
        start = time.process_time()
        marked = method.embed(pixels, payload)
        seconds = time.process_time() - start
        error = float(((marked.astype(np.float32) - pixels) ** 2).mean())
        quality.append(
            Picture(
                name=name,
                megapixels=round(pixels.shape[0] * pixels.shape[1] / 1e6, 3),
                psnr=round(10 * float(np.log10(255**2 / max(error, 1e-9))), 2),
                ssim=round(ssim(pixels, marked), 4),
                embed_seconds=round(seconds, 4),
            )
        )
        for attack in attacks:
            if attack.applies_to(pixels):
                for repeat in range(repeats):
                    counts[attack.name].add(name, payload, attack, marked, method, repeat)
    outcomes = tuple(counts[attack.name].outcome(attack) for attack in attacks if counts[attack.name].total)
    return Run(method=method.name, pictures=tuple(quality), outcomes=outcomes)


class _Count:
    """Counts of one attack."""

    def __init__(self) -> None:
        self.read = self.total = self.wrong = 0
        self.failed: list[str] = []
        self.seconds = 0.0

    def add(
        self, name: str, payload: bytes, attack: Attack, marked: Pixels, method: Method, repeat: int
    ) -> None:
        seed = int.from_bytes(hashlib.sha256(f"{name}/{attack.name}/{repeat}".encode()).digest()[:4], "big")
        changed = attack(marked, seed=seed)
        start = time.process_time()
        found = method.detect(changed)
        self.seconds += time.process_time() - start
        self.total += 1
        self.read += found == payload
        self.wrong += found is not None and found != payload
        if found != payload:
            self.failed.append(name)

    def outcome(self, attack: Attack) -> Outcome:
        return Outcome(
            name=attack.name,
            group=attack.group,
            bar=attack.bar,
            read=self.read,
            total=self.total,
            wrong=self.wrong,
            failed=tuple(self.failed),
            seconds=round(self.seconds / max(self.total, 1), 4),
        )


def ssim(one: Pixels, two: Pixels) -> float:
    """Structural similarity of luma (Wang et al. 2004: Gaussian window of 11 px, sigma 1.5)."""
    a, b = (cv2.cvtColor(x, cv2.COLOR_RGB2GRAY).astype(np.float32) for x in (one, two))

    def mean(plane: Any) -> Any:
        return cv2.GaussianBlur(plane, (11, 11), 1.5)

    ma, mb = mean(a), mean(b)
    va, vb, both = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    value = ((2 * ma * mb + c1) * (2 * both + c2)) / ((ma * ma + mb * mb + c1) * (va + vb + c2))
    return float(value[5:-5, 5:-5].mean())


def summary(result: Run) -> dict[str, float]:
    """Overall figures: share read, PSNR and SSIM (mean and least), wrong payloads."""
    total = sum(outcome.total for outcome in result.outcomes)
    return {
        "pictures": len(result.pictures),
        "read": sum(outcome.read for outcome in result.outcomes) / max(total, 1),
        "total": total,
        "wrong": sum(outcome.wrong for outcome in result.outcomes),
        "psnr_mean": float(np.mean([picture.psnr for picture in result.pictures])),
        "psnr_min": min(picture.psnr for picture in result.pictures),
        "ssim_mean": float(np.mean([picture.ssim for picture in result.pictures])),
        "ssim_min": min(picture.ssim for picture in result.pictures),
    }


def markdown(runs: Sequence[Run]) -> str:
    """A Markdown table, one column a run; the bar and the pictures missed are those of the first run."""
    first = runs[0]
    others = [{outcome.name: outcome for outcome in other.outcomes} for other in runs]
    rows = [
        "| attack | "
        + " | ".join(f"{other.method} (n={len(other.pictures)})" for other in runs)
        + " | bar | missed |",
        "|---|" + "---|" * len(runs) + "---|---|",
    ]
    sums = [summary(other) for other in runs]
    quality = " | ".join(f"{s['psnr_mean']:.2f} / {s['psnr_min']:.2f}" for s in sums)
    likeness = " | ".join(f"{s['ssim_mean']:.4f} / {s['ssim_min']:.4f}" for s in sums)
    rows.append(f"| PSNR dB, mean / least | {quality} | | |")
    rows.append(f"| SSIM, mean / least | {likeness} | | |")
    group = ""
    for outcome in first.outcomes:
        if outcome.group != group:
            group = outcome.group
            rows.append(f"| **{group}** |" + " |" * (len(runs) + 2))
        cells = []
        for table in others:
            found = table.get(outcome.name)
            cells.append("-" if found is None else f"{100 * found.share:.0f} %")
        bar = "" if outcome.bar is None else f"{100 * outcome.bar:.0f} %"
        missed = ", ".join(sorted(set(outcome.failed))[:6]) + (" ..." if len(set(outcome.failed)) > 6 else "")
        rows.append(f"| {outcome.name} | {' | '.join(cells)} | {bar} | {missed} |")
    share = " | ".join(f"{100 * s['read']:.1f} % of {s['total']}" for s in sums)
    rows.append(f"| **all** | {share} | | |")
    wrong = " | ".join(str(s["wrong"]) for s in sums)
    rows.append(f"| wrong payloads | {wrong} | | |")
    return "\n".join(rows) + "\n"
