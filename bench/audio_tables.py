"""Write measured tables into docs/watermark-audio.md, between its markers.

python bench/audio_tables.py docs/watermark-audio.md [--report RUN.json] [--tuning RUN.json] [--false-accepts LOG.jsonl]
    [--quality QUALITY.json] [--places PLACES.json]
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from labeler.bench.audio import TUNING, SoundRun, markdown, summary
from labeler.bench.audio_false_accepts import load
from labeler.bench.audio_false_accepts import summary as count


def put(text: str, name: str, body: str) -> str:
    """Replace what stands between the markers of a block."""
    pattern = re.compile(rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"no block {name!r}")
    return pattern.sub(lambda match: match[1] + body.rstrip() + "\n" + match[2], text)


def robustness(report: SoundRun, tuning: SoundRun | None) -> str:
    """The table of the report clips, and the tuning clips in one line."""
    lines = [
        "First 10 s unless said, exact 64 bits, full search over lines. Every attack three "
        "times, with other keys, payloads, places and noise. For 30 and 60 s the other clips follow.",
        f"Parameters were tuned on {', '.join(TUNING)}. Of the report clips, harpsichord and glockenspiel "
        "were among the tuning clips of the prototype whose design this follows. A first setting had been measured on "
        "the report clips and the castanets, which then joined the tuning clips for the final one.",
        "",
        markdown(report),
    ]
    if tuning is not None:
        values = summary(tuning)
        missed = [
            f"{outcome.name} {outcome.read}/{outcome.total}" for outcome in tuning.outcomes if outcome.failed
        ]
        lines.append(
            f"Tuning clips: {100 * values['read']:.1f} % of {values['total']:.0f}, SNR {values['snr_mean']:.1f} dB, "
            f"{values['wrong']:.0f} wrong payloads; missed: {'; '.join(missed) or 'nothing'}."
        )
    return "\n".join(lines)


def quality(rows: list[dict[str, Any]]) -> str:
    """SNR and PESQ of every clip and strength."""
    strengths = list(dict.fromkeys(row["strength"] for row in rows))
    lines = [
        "SNR dB / PESQ wide-band (P.862.2), first 10 s:",
        "",
        "| clip | " + " | ".join(strengths) + " |",
        "|---|" + "---|" * len(strengths),
    ]
    names = list(dict.fromkeys(row["name"] for row in rows))
    table = {(row["name"], row["strength"]): row for row in rows}

    def cell(picked: list[dict[str, Any]]) -> str:
        scores = [row["pesq"] for row in picked if row["pesq"] is not None]
        return f"{np.mean([row['snr'] for row in picked]):.1f} / " + (
            f"{np.mean(scores):.2f}" if scores else "-"
        )

    lines += [
        f"| {name} | " + " | ".join(cell([table[name, strength]]) for strength in strengths) + " |"
        for name in names
    ]
    for title, group in (
        ("mean of the report clips", [name for name in names if name not in TUNING]),
        ("mean of the speech clips", [name for name in names if name.startswith("s")]),
    ):
        cells = [cell([table[name, strength] for name in group]) for strength in strengths]
        lines.append(f"| **{title}** | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def places(data: dict[str, Any]) -> str:
    """Half-marked sounds, pairs, inserts, drift."""
    lines = [f"Report clips, mono, 44.1 kHz: {', '.join(data['sounds'])}."]
    for title, key in (
        ("Marked before or after 5.3 s of 10 s", "halves"),
        ("Two different marks, cut at 5.3 s", "pairs"),
        ("8 s of marked sound in 10 minutes of the other clips", "inserts"),
        ("Clock drift over 10 minutes, then MP3 48k", "drift"),
    ):
        rows = data[key]
        lines += ["", f"{title}:", "", "| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
        lines += ["| " + " | ".join(str(value) for value in row.values()) + " |" for row in rows]
    return "\n".join(lines)


def main() -> int:
    """Fill the blocks for which there is data."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("document", type=Path)
    for name in ("report", "tuning", "false-accepts", "quality", "places"):
        parser.add_argument(f"--{name}", type=Path)
    options = parser.parse_args()
    text = options.document.read_text(encoding="utf-8")

    def data(path: Path) -> Any:
        return json.loads(path.read_text(encoding="utf-8"))

    if options.report:
        tuning = SoundRun.from_dict(data(options.tuning)) if options.tuning else None
        text = put(text, "audio-robustness", robustness(SoundRun.from_dict(data(options.report)), tuning))
    if options.quality:
        text = put(text, "audio-quality", quality(data(options.quality)))
    if options.places:
        text = put(text, "audio-places", places(data(options.places)))
    if options.false_accepts:
        counts = count(load(options.false_accepts))
        body = (
            f"Counted: {counts['accepted']} accepts in {counts['searches']} full searches over random stretches of all "
            f"clips with random keys ({counts['marked']} of them carrying another key's mark, half of them coded), "
            f"{counts['cannot tell']} cannot-tell; {counts['passed']} fitting tags in {counts['decodes']} decodings "
            f"without any gate; largest sync score {counts['z']:.2f}, largest correlation {counts['rho']:.2f}."
        )
        text = put(text, "audio-false-accepts", body)
    options.document.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
