"""Write measured tables into docs/watermark.md, between its markers.

python bench/tables.py docs/watermark.md --runs REPORT.json [PEER.json ...] [--tuning TUNING.json]
    [--held-out HELD.json] [--security SECURITY.json] [--false-accepts LOG.jsonl] [--speed SPEED.json]
    [--hard FOLDER]
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from labeler.bench.false_accepts import load
from labeler.bench.false_accepts import summary as count
from labeler.bench.robustness import Run, markdown, summary

TAIL = "median, 99 %, 99.9 %, most"


def read(path: Path) -> Run:
    """A run from its JSON."""
    return Run.from_dict(json.loads(path.read_text(encoding="utf-8")))


def robustness(runs: list[Run], tuning: Run | None, held: Run | None) -> str:
    """The table, what it was measured on, and the tuning set in one line."""
    ours = runs[0]
    sets = ", ".join(picture.name for picture in ours.pictures)
    text = [
        "Full payload exact, default strength, public key, full search.",
        f"Report set ({len(ours.pictures)} pictures, every attack with two seeds): {sets}.",
        "Embedding was tuned on the tuning set below, the common PSNR level on all; of the report set, ai_sd3a,",
        "kodak01, kodak07, kodak11 and kodak17 served to debug the detector, big_castle7100 to set the second layer.",
        "Peers: run once, default settings, pictures of at most 4 megapixels: "
        + "; ".join(
            f"{peer.method} {', '.join(picture.name for picture in peer.pictures)}" for peer in runs[1:]
        )
        + ".",
        "",
        markdown(runs),
    ]
    for title, other in (
        ("Tuning set", tuning),
        ("Held out: frames of videos and two photographs, never looked at", held),
    ):
        if other is None:
            continue
        values = summary(other)
        missed = [
            f"{outcome.name} ({outcome.read} of {outcome.total}: {', '.join(sorted(set(outcome.failed)))})"
            for outcome in other.outcomes
            if outcome.failed
        ]
        names = ", ".join(f"{picture.name} ({picture.megapixels:.2f} MP)" for picture in other.pictures)
        text += [
            f"{title} ({names}): {100 * values['read']:.1f} % of {values['total']:.0f}, "
            f"{values['wrong']:.0f} wrong payloads, PSNR {values['psnr_mean']:.2f} dB "
            f"(least {values['psnr_min']:.2f}), SSIM {values['ssim_mean']:.4f}. "
            f"Missed: {'; '.join(missed) or 'nothing'}.",
            "",
        ]
    return "\n".join(text)


def security(data: dict[str, Any]) -> str:
    """Averaging and keyless removal."""
    rows = [
        "| averaged pictures | payloads | weights | dB | subtracted: removed | added: removed | forged | "
        "with a new payload | noticed as put together |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    rows += [
        f"| {row['pictures']} | {row['payloads']} | {row['weights']} | {row['psnr']:.0f} | "
        f"{row['removed']} of {row['targets']} | {row['covered']} of {row['targets']} | "
        f"{row['forged']} of {row['clean']} | {row['new']} | {row['noticed']} |"
        for row in data["averaging"]
    ]
    rows += ["", "Keyless subtraction of a picture's own folded lattice lines: "]
    rows[-1] += "; ".join(
        f"{row['readable']} of {row['targets']} readable at {row['psnr']:.0f} dB" for row in data["keyless"]
    )
    rows[-1] += "."
    return "\n".join(rows)


def copying(data: dict[str, Any]) -> str:
    """Copied marks, and what the fingerprint says of different pictures and after honest handling."""
    rows = [
        "| set | bits | different pictures: differ | agree | least distance | same picture, handled: false alarms | "
        "undecided | most distance |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows += [
        f"| {name} ({part['pictures']} pictures) | {row['bits']} | {row['differ']} of {row['pairs']} | "
        f"{row['agree']} | {row['least']} | {row['false alarms']} of {row['handled']} | "
        f"{row['undecided']} | {row['most']} |"
        for name, part in data.items()
        for row in part["fingerprints"]
    ]
    rows += [
        "",
        "| marks copied | dB | accepted | the fingerprint differs | agrees |",
        "|---|---|---|---|---|",
    ]
    rows += [
        f"| {name}, all ordered pairs | {row['psnr']:.0f} | {row['accepted']} of {row['pairs']} | "
        f"{row['noticed']} of {row['accepted']} | {row['trusted']} |"
        for name, part in data.items()
        for row in part["copying"]
    ]
    return "\n".join(rows)


def hard(folder: Path) -> str:
    """Counts of the hard set, three kinds of pictures side by side."""
    runs = [read(folder / f"{name}.json") for name in ("documents", "side256", "side128")]
    titles = ("documents and line art", "256 px", "128 px")
    rows = [f"| attack | {' | '.join(titles)} | bar |", "|---|" + "---|" * (len(titles) + 1)]
    sums = [summary(result) for result in runs]
    quality = " | ".join(f"{values['psnr_mean']:.2f} / {values['psnr_min']:.2f}" for values in sums)
    rows.append(f"| PSNR dB, mean / least | {quality} | |")
    for outcomes in zip(*(result.outcomes for result in runs), strict=True):
        cells = []
        for outcome in outcomes:
            missed = ", ".join(sorted(set(outcome.failed))) if 0 < outcome.read < outcome.total else ""
            cells.append(f"{outcome.read} of {outcome.total}" + (f" ({missed})" if missed else ""))
        rows.append(f"| {outcomes[0].name} | {' | '.join(cells)} | {100 * (outcomes[0].bar or 0):.0f} % |")
    rows.append("")
    names = ", ".join(picture.name for picture in runs[0].pictures)
    small = ", ".join(picture.name for picture in runs[1].pictures)
    rows.append(f"Documents and line art: {names}. Small pictures: {small}, their middle square scaled down.")
    return "\n".join(rows)


def speed(rows: list[dict[str, Any]]) -> str:
    """Speed of embedding and detection."""
    text = ["| | CPU, one core | bar | |", "|---|---|---|---|"]
    text += [
        f"| {row['what']} | {row['value']:.3g} {row['unit']} | {row['bar']} {row['unit']} | "
        f"{'met' if row['met'] else 'missed'} |"
        for row in rows
    ]
    return "\n".join(text)


def put(text: str, name: str, body: str) -> str:
    """Replace what stands between the markers of a block."""
    pattern = re.compile(rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"no block {name!r}")
    return pattern.sub(lambda match: match[1] + body.rstrip() + "\n" + match[2], text)


def main() -> int:
    """Fill the blocks for which there is data."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("document", type=Path)
    parser.add_argument("--runs", type=Path, nargs="+", default=[])
    parser.add_argument("--tuning", type=Path)
    parser.add_argument("--held-out", type=Path)
    parser.add_argument("--security", type=Path)
    parser.add_argument("--copying", type=Path)
    parser.add_argument("--false-accepts", type=Path)
    parser.add_argument("--speed", type=Path)
    parser.add_argument("--hard", type=Path)
    options = parser.parse_args()
    text = options.document.read_text(encoding="utf-8")
    if options.runs:
        tuning = read(options.tuning) if options.tuning else None
        held = read(options.held_out) if options.held_out else None
        text = put(text, "robustness", robustness([read(path) for path in options.runs], tuning, held))
    if options.security:
        text = put(text, "security", security(json.loads(options.security.read_text(encoding="utf-8"))))
    if options.copying:
        text = put(text, "copying", copying(json.loads(options.copying.read_text(encoding="utf-8"))))
    if options.speed:
        text = put(text, "speed", speed(json.loads(options.speed.read_text(encoding="utf-8"))))
    if options.hard:
        text = put(text, "hard", hard(options.hard))
    if options.false_accepts:
        counts = count(load(options.false_accepts))
        tail = ", ".join(f"{value:.2f}" for value in counts[f"sync z ({TAIL})"])
        text = put(
            text,
            "false-accepts",
            f"Counted: {counts['accepted']} accepts in {counts['searches']} full searches over random crops "
            f"with random keys ({counts['marked']} of them in pictures that carry another key's mark), "
            f"{counts['cannot tell']} cannot-tell. Highest sync statistic of a picture, {TAIL}: {tail}.",
        )
    options.document.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
