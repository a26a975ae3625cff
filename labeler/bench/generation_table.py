"""Rows of the benchmark of generation-time text marks, and the tables that show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Row", "markdown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured figure.

    Attributes:
        topic: ``detection``, ``32 bits``, ``32 bits read wrongly``, ``false positives``, ``step cost over
            top-k`` or ``tokens per second``.
        scheme: what was measured.
        language: ``en``, ``zh`` or ``both``; empty for speed.
        value: the figure: a rate, a ratio or tokens per second.
        tokens: length of the texts, 0 where it has no meaning.
        nominal: entropy that the temperature was set for, bits per token, or 0.
        entropy: entropy of the texts that were measured, bits per token, or 0.
        edits: share of the tokens edited.
        median: median log10 p, or None.
        texts: texts measured.
        wrong: texts of which a wrong message was given.
        detail: what else was seen.
        bar: what is asked for, or empty.
        passed: whether the bar is met; None without a bar.
    """

    topic: str
    scheme: str
    language: str
    value: float
    tokens: int = 0
    nominal: float = 0.0
    entropy: float = 0.0
    edits: float = 0.0
    median: float | None = None
    texts: int = 0
    wrong: int = 0
    detail: str = ""
    bar: str = ""
    passed: bool | None = None

    @property
    def condition(self) -> str:
        """Length, entropy and edits in words."""
        parts = [f"{self.tokens} tokens"] if self.tokens else []
        parts += [f"{self.nominal:g} bits/token"] if self.nominal else []
        parts += [f"{self.edits:.0%} edited"] if self.edits else []
        return ", ".join(parts)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _value(row: Row) -> str:
    if row.value >= 1000:
        return f"{row.value:,.0f}"
    return (
        f"{row.value:.5f}" if row.topic in ("false positives", "32 bits read wrongly") else f"{row.value:.2f}"
    )


def _power(rows: Sequence[Row]) -> str:
    """A line per scheme, language and entropy; a column per length and share of edits."""
    columns = sorted({(row.edits, row.tokens) for row in rows})
    lines: dict[tuple[str, str, float], dict[tuple[float, int], Row]] = {}
    for row in rows:
        lines.setdefault((row.scheme, row.language, row.nominal), {})[row.edits, row.tokens] = row
    head = ["scheme", "language", "bits/token"]
    head += [f"{tokens}" + (f", {edits:.0%} edits" if edits else "") for edits, tokens in columns]
    body = []
    for (scheme, language, _), cells in lines.items():
        entropy = max(row.entropy for row in cells.values())
        shown = [cells.get(column) for column in columns]
        texts = ["" if row is None else f"{row.value:.2f} ({row.median:.1f})" for row in shown]
        body.append([scheme, language, f"{entropy:.2f}", *texts])
    return _table(head, body)


def markdown(rows: Sequence[Row]) -> str:
    """All rows as Markdown: the bars, detection, false positives, speed."""
    bars = [row for row in rows if row.bar]
    power = [row for row in rows if row.topic in ("detection", "32 bits")]
    others = [row for row in rows if row.topic not in ("detection", "32 bits")]
    parts = [
        "Bars:\n",
        _table(
            ["what", "scheme", "language", "condition", "measured", "bar", "met"],
            [
                [
                    r.topic,
                    r.scheme,
                    r.language,
                    r.condition,
                    _value(r),
                    r.bar,
                    "yes" if r.passed else "**NO**",
                ]
                for r in bars
            ],
        ),
        "Share of texts detected at p < 1e-6 (`gumbel-32`: all 32 bits read), in brackets the median log10 p, by "
        "length in tokens:\n",
        _power(power),
        "Wrong readings, false positives, speed:\n",
        _table(
            ["what", "scheme", "language", "measured", "detail"],
            [[r.topic, r.scheme, r.language, _value(r), r.detail] for r in others],
        ),
    ]
    return "\n".join(parts)
