"""Robustness of the video watermark: mark clips, deliver them, do something to them, read them, count.

    python -m labeler.bench.video --videos DIR --log LOG.jsonl [--strength strong] [--json FILE] [--markdown FILE]

Clips and attacks are those of ``video.toml``. Every clip is one line of the log; a run that is cut off goes on
where it stopped. Needs an ffmpeg with libvmaf, as imageio-ffmpeg bundles it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from labeler.bench.video_attacks import Attack, Clip, Footage, cut, decode, encode, load, recode
from labeler.core.keys import PUBLIC_KEY, WatermarkKey
from labeler.core.threads import one_thread
from labeler.media import ffmpeg as process
from labeler.watermark.motion.frames import Grain
from labeler.watermark.motion.strength import GOALS, Trial, Tuned, tune
from labeler.watermark.video import Detector, VideoMark, grain_of, prepare

__all__ = ["Record", "by_source", "flat_rms", "main", "markdown", "measure", "read_log", "vmaf"]

Frames: TypeAlias = npt.NDArray[np.uint8]

DELIVERY_CRF = 20
_DETECT_FRAMES = 60
_BLOCK = 16
_FLAT_TEXTURE, _STATIC_CHANGE = 1.5, 1.0  # levels
_CUT = re.compile(r" [\d.]+ s$")
_QUALITY = (
    # what, bar by strength
    ("VMAF loss, mean", {"default": 0.8, "strong": 1.5}),
    ("VMAF loss, 95th percentile", {"default": 2.0, "strong": 3.0}),
    ("size growth %, median", {"default": 8.0, "strong": 16.0}),
    ("size growth %, 90th percentile", {"default": 18.0, "strong": 30.0}),
    ("rms in flat static areas, mean of clips", {"default": 0.6, "strong": 0.9}),
    ("rms in flat static areas, worst clip", {"default": 0.6, "strong": 0.9}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One clip.

    Attributes:
        clip: name.
        tuned: whether the mark was tuned on it.
        strength: name of the strength.
        size: "WxH".
        frames: number of frames.
        scale: chosen by the probe.
        grain: likewise.
        rms: of the mark over all frames, levels.
        flat_rms: of the mark in flat static areas, levels, or None without such areas.
        vmaf: of the unmarked delivery.
        vmaf_loss: what the mark costs.
        growth: of the delivered size, percent.
        embed_ms: CPU time a frame of ``apply``.
        detect_s: CPU time of detection after delivery.
        read: whether the payload was read exactly, by attack; "" is the delivery itself.
        wrong: attacks after which another payload was read.
        missed_s: CPU time of searches that found nothing.
    """

    clip: str
    tuned: bool
    strength: str
    size: str
    frames: int
    scale: float
    grain: Grain
    rms: float
    flat_rms: float | None
    vmaf: float
    vmaf_loss: float
    growth: float
    embed_ms: float
    detect_s: float
    read: dict[str, bool] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    missed_s: list[float] = field(default_factory=list)


def measure(
    folder: Path, clip: Clip, attacks: Sequence[Attack], *, strength: str, key: WatermarkKey = PUBLIC_KEY
) -> Record:
    """Mark one clip, deliver it, attack it, read it."""
    payload = _payload(clip.name)
    with tempfile.TemporaryDirectory(prefix="labeler-bench-") as name:
        work = Path(name)
        footage = cut(folder, clip)
        tuned = probe(footage, payload, key, strength, work)
        marked, embed_ms = mark(footage, payload, key, tuned.strength, tuned.scale, tuned.grain)
        plain_size = encode(footage, work / "plain.mkv", crf=DELIVERY_CRF)
        marked_size = encode(marked, work / "marked.mkv", crf=DELIVERY_CRF)
        quality = vmaf(footage, work / "plain.mkv", work)
        loss = quality - vmaf(footage, work / "marked.mkv", work)
        change = marked.luma.astype(np.int16) - footage.luma
        read: dict[str, bool] = {}
        wrong: list[str] = []
        missed: list[float] = []
        detect_s = 0.0
        for attack in (None, *attacks):
            path = work / "marked.mkv"
            for number, (filters, codec, crf) in enumerate(attack.passes if attack else ()):
                target = work / f"pass{number}.mkv"
                recode(path, target, filters, codec, crf)
                path = target
            found, seconds = detect(decode(path), key)
            label = attack.name if attack else ""
            read[label] = found == payload.hex()
            if attack is None:
                detect_s = seconds
            if found and not read[label]:
                wrong.append(label)
            if not found:
                missed.append(round(seconds, 2))
        return Record(
            clip=clip.name,
            tuned=clip.tuned,
            strength=strength,
            size=f"{footage.width}x{footage.height}",
            frames=len(footage.frames),
            scale=round(tuned.scale, 3),
            grain=tuned.grain,
            rms=round(float(np.sqrt((change.astype(np.float32) ** 2).mean())), 3),
            flat_rms=flat_rms(footage.luma, marked.luma),
            vmaf=round(quality, 3),
            vmaf_loss=round(loss, 3),
            growth=round(100 * (marked_size / plain_size - 1), 2),
            embed_ms=round(embed_ms, 3),
            detect_s=round(detect_s, 3),
            read=read,
            wrong=wrong,
            missed_s=missed,
        )


def _payload(name: str) -> bytes:
    return np.random.default_rng(list(name.encode())).bytes(8)


def _samples(luma: Frames, count: int = 12) -> list[Frames]:
    return [luma[i] for i in np.unique(np.linspace(0, len(luma) - 1, count).astype(int))]


def probe(footage: Footage, payload: bytes, key: WatermarkKey, strength: str, work: Path) -> Tuned:
    """What :func:`tune` finds on the whole clip."""
    samples = _samples(footage.luma)

    def make(scale: float, grain: Grain) -> VideoMark:
        return prepare(
            footage.width,
            footage.height,
            payload,
            key,
            strength=strength,
            sample_luma=samples,
            scale=scale,
            grain=grain,
        )

    def attempt(planes: Iterable[Any], again: bool) -> Trial:
        trial = Footage(
            frames=footage.frames.copy(), width=footage.width, height=footage.height, rate=footage.rate
        )
        for index, plane in enumerate(planes):
            trial.luma[index] = plane
        size = encode(trial, work / "probe.mkv", crf=DELIVERY_CRF)
        delivered = decode(work / "probe.mkv")
        if not again:
            return Trial(size=size, delivered=list(delivered.luma))
        recode(work / "probe.mkv", work / "again.mkv", "", "h264-veryfast", GOALS[strength].crf)
        return Trial(
            size=size, delivered=list(delivered.luma), attacked=list(decode(work / "again.mkv").luma)
        )

    grain = grain_of(footage.width, footage.height)
    return tune(list(footage.luma), make, attempt, grain=grain, strength=strength)


def mark(
    footage: Footage,
    payload: bytes,
    key: WatermarkKey,
    strength: str,
    scale: float,
    grain: Grain | None = None,
) -> tuple[Footage, float]:
    """A marked copy, and the CPU time of ``apply`` in ms a frame."""
    marked = Footage(
        frames=footage.frames.copy(), width=footage.width, height=footage.height, rate=footage.rate
    )
    one = prepare(
        footage.width,
        footage.height,
        payload,
        key,
        strength=strength,
        sample_luma=_samples(footage.luma),
        scale=scale,
        grain=grain,
    )
    start = time.process_time()
    for index, plane in enumerate(marked.luma):
        one.apply(plane, index)
    return marked, (time.process_time() - start) * 1000 / max(len(marked.frames), 1)


def detect(footage: Footage, key: WatermarkKey) -> tuple[str, float]:
    """Payload found, hex or "", and the CPU time of the search, s."""
    start = time.process_time()
    detector = Detector(footage.width, footage.height, [key])
    count = len(footage.frames)
    for index in np.unique(np.linspace(0, count - 1, min(_DETECT_FRAMES, count)).astype(int)):
        detector.push(np.ascontiguousarray(footage.luma[index]), index / footage.rate)
    report = detector.finish()
    return report.payload, time.process_time() - start


def vmaf(source: Footage, path: Path, work: Path) -> float:
    """Mean VMAF (v0.6.1) of a file against its source; every fourth frame."""
    import ffmpeg

    raw, log = work / "source.yuv", work / "vmaf.json"
    raw.write_bytes(source.frames.tobytes())
    clock = {"settb": "1/1000", "setpts": "N*40"}
    one = process.source(path, "matroska").video
    two = process.source(raw, "rawvideo", pix_fmt="yuv420p", s=f"{source.width}x{source.height}", r=25).video
    for name, value in clock.items():
        one, two = one.filter(name, value), two.filter(name, value)
    output = ffmpeg.filter(
        [one, two], "libvmaf", log_fmt="json", log_path=str(log), n_threads=1, n_subsample=4
    ).output("pipe:", f="null")
    process.run(output, timeout=300, path=path)
    mean = json.loads(log.read_text())["pooled_metrics"]["vmaf"]["mean"]
    return float(mean)


def flat_rms(before: Frames, after: Frames) -> float | None:
    """Mean local rms of the change in blocks of 16 x 16 px that are flat and static in the source, levels.

    Flat: a deviation under 1.5 levels; static: a mean change since the frame before under one level.
    """
    total, count = 0.0, 0
    for index in range(1, len(before), 5):
        now = before[index].astype(np.float32)
        mean = _blocks(now)
        deviation = np.sqrt(np.maximum(_blocks(now * now) - mean * mean, 0))
        moved = _blocks(np.abs(now - before[index - 1]))
        change = after[index].astype(np.float32) - now
        local = np.sqrt(_blocks(change * change))
        chosen = (deviation < _FLAT_TEXTURE) & (moved < _STATIC_CHANGE) & (mean > 20) & (mean < 230)
        total += float(local[chosen].sum())
        count += int(chosen.sum())
    return round(total / count, 3) if count >= 50 else None


def _blocks(plane: Any) -> npt.NDArray[np.float32]:
    rows, columns = plane.shape[0] // _BLOCK, plane.shape[1] // _BLOCK
    whole = np.ascontiguousarray(plane[: rows * _BLOCK, : columns * _BLOCK])
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)


def read_log(path: Path) -> list[Record]:
    """Records of a log."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Record(**json.loads(line)) for line in lines if line.strip()]


def quality(records: Sequence[Record]) -> list[float | None]:
    """The numbers of the quality rows."""
    loss = [record.vmaf_loss for record in records]
    growth = [record.growth for record in records]
    flat = [record.flat_rms for record in records if record.flat_rms is not None]
    return [
        float(np.mean(loss)),
        float(np.percentile(loss, 95)),
        float(np.median(growth)),
        float(np.percentile(growth, 90)),
        float(np.mean(flat)) if flat else None,
        float(np.max(flat)) if flat else None,
    ]


def markdown(records: Sequence[Record], attacks: Iterable[Attack], strength: str) -> str:
    """The table of one strength."""
    rows = [f"| {strength} (n={len(records)}) | measured | bar | missed |", "|---|---|---|---|"]
    for (label, bars), value in zip(_QUALITY, quality(records), strict=True):
        shown = "-" if value is None else f"{value:.2f}"
        rows.append(f"| {label} | {shown} | <= {bars[strength]:g} | |")
    group = ""
    for attack in attacks:
        if attack.group != group:
            group = attack.group
            rows.append(f"| **{group}** | | | |")
        asked = [record for record in records if attack.name in record.read]
        if not asked:
            continue
        missed = [record.clip for record in asked if not record.read[attack.name]]
        share = 100 * (1 - len(missed) / len(asked))
        names = ", ".join(missed[:6]) + (f" and {len(missed) - 6} more" if len(missed) > 6 else "")
        rows.append(f"| {attack.name} | {share:.0f} % | >= {100 * attack.bars[strength]:.0f} % | {names} |")
    rows.append("| **Detector** | | | |")
    for label, bar, seconds in (
        ("CPU s of a find after delivery, worst", 0.5, [record.detect_s for record in records]),
        ("CPU s of a search in vain, worst", 4.0, [s for record in records for s in record.missed_s]),
    ):
        rows.append(f"| {label} | {max(seconds, default=0):.2f} | <= {bar:g} | |")
    wrong = sum(len(record.wrong) for record in records)
    rows.append(f"| wrong payloads | {wrong} | 0 | |")
    return "\n".join(rows)


def by_source(records: Sequence[Record], attacks: Sequence[Attack]) -> str:
    """How many clips were read, by the file that they were cut from: much depends on what is marked."""
    sources: dict[str, list[Record]] = {}
    for record in records:
        sources.setdefault(_CUT.sub("", record.clip), []).append(record)
    groups = sources.values()
    rows = [
        ["clips read", *(f"{name} ({len(some)})" for name, some in sources.items())],
        ["---"] * (len(sources) + 1),
        ["size of frames", *(some[0].size for some in groups)],
        ["VMAF loss", *(f"{np.mean([record.vmaf_loss for record in some]):.1f}" for some in groups)],
        ["size growth %", *(f"{np.mean([record.growth for record in some]):.1f}" for some in groups)],
    ]
    for attack in attacks:
        read = [sum(record.read.get(attack.name, False) for record in some) for some in groups]
        rows.append([attack.name, *map(str, read)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


@one_thread()
def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(prog="python -m labeler.bench.video", description=__doc__)
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--strength", choices=sorted(GOALS), default="default")
    parser.add_argument(
        "--clips", type=int, default=-1, help="stop after so many clips; 0 only prints the table"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args(arguments)
    attacks, clips = load()
    done = {(record.clip, record.strength) for record in read_log(options.log)}
    for clip in clips if options.clips < 0 else clips[: options.clips]:
        if (clip.name, options.strength) in done:
            continue
        record = measure(options.videos, clip, attacks, strength=options.strength)
        with options.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(record)) + "\n")
        missed = [name for name, read in record.read.items() if not read]
        sys.stderr.write(
            f"{clip.name}: scale {record.scale}, VMAF -{record.vmaf_loss:.2f}, size {record.growth:+.1f} %, "
            f"missed {len(missed)}: {', '.join(missed)}\n"
        )
    records = [record for record in read_log(options.log) if record.strength == options.strength]
    tables = []
    for tuned, title in ((False, "Held out"), (True, "Tuned on")):
        some = [record for record in records if record.tuned is tuned]
        if some:
            names = ", ".join(f"{record.clip} ({record.size})" for record in some)
            tables.append(f"{title}: {names}.\n\n{markdown(some, attacks, options.strength)}")
            tables.append(by_source(some, attacks))
    table = "\n\n".join(tables)
    sys.stdout.write(table + "\n")
    if options.markdown:
        options.markdown.write_text(table + "\n", encoding="utf-8")
    if options.json:
        options.json.write_text(
            json.dumps([asdict(record) for record in records], indent=1), encoding="utf-8"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
