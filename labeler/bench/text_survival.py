"""What survives of a text's label: every layer through every transform, in English and Chinese.

Texts of our own grammar are labelled through the pipeline, one layer at a time; the words are handed through
`labeler.bench.text_transforms`, and verified as a user would.

A text is taken out of its file by most transforms, so the sidecars' columns show what is said if the sidecars
are kept beside the changed text: the label is read, and the C2PA sidecar tells that the text is another one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labeler.bench.text_transforms import TRANSFORMS, Transform
from labeler.bench.toy_text import LANGUAGES, document, render
from labeler.media.files import Source
from labeler.pipeline.label import label_source
from labeler.pipeline.options import LabelOptions, VerifyOptions
from labeler.pipeline.verify import verify_source
from labeler.types import Layer, Report, State

__all__ = ["CARRIERS", "SCHEMA", "Cell", "Survival", "markdown", "run"]

SCHEMA = "labeler/text-survival/1"
CARRIERS = (
    "visible",
    "front matter",
    "sidecar label",
    "C2PA sidecar",
    "C2PA in text",
    "tag, end",
    "tag, paragraph",
    "tag, sentence",
)
_SEED = 20261125
_BEGIN, _END = "<!-- text-survival: begin -->", "<!-- text-survival: end -->"
_PARAGRAPHS = 3
_SENTENCES = 3
_REFERENCE = "visible", "C2PA in text", "tag, end", "tag, paragraph", "tag, sentence"
_EXPECTED = {
    "GBK, unknown characters dropped": "Y----",
    "U+FEFF dropped": "Y-YYY",
    "ftfy.fix_text": "Y-YYY",
    "LibreOffice to PDF to text": "Y-YYY",
    "isprintable() filter": "Y-YYY",
    "Cf dropped": "Y-YYY",
    "Mn dropped (accents)": "Y----",
    "default-ignorables dropped": "Y----",
    "one paragraph": "---YY",
    "one sentence": "----Y",
    "last 20 % of characters": "Y-YYY",
    "first 50 % of characters": "Y--YY",
    "retyped, or OCR": "Y----",
}
"""What a study of 2026 measured for marks of these kinds on two texts; every other row was "YYYYY"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One carrier after one transform.

    Attributes:
        transform: its name.
        carrier: one of `CARRIERS`.
        language: ``en`` or ``zh``.
        outcomes: how many texts gave ``kept``, ``intact``, ``altered``, ``damaged`` (named, not readable) or
            ``lost``.
    """

    transform: str
    carrier: str
    language: str
    outcomes: dict[str, int]

    @property
    def survived(self) -> float:
        """Share of texts whose label was read, whatever became of the content."""
        kept = sum(self.outcomes.get(name, 0) for name in ("kept", "intact", "altered"))
        return kept / sum(self.outcomes.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Survival:
    """A whole run.

    Attributes:
        texts: per language.
        added: bytes of UTF-8 that each carrier adds to a text, mean, by carrier.
        cells: all of them.
        skipped: transforms left out, and what they need.
    """

    texts: int
    added: dict[str, float]
    cells: tuple[Cell, ...]
    skipped: dict[str, tuple[str, ...]]

    @property
    def worse(self) -> tuple[str, ...]:
        """Cells in which fewer than all texts survived, although the reference has all."""
        found = []
        for cell in self.cells:
            if cell.carrier not in _REFERENCE:
                continue
            row = _EXPECTED.get(cell.transform, "YYYYY")
            if row[_REFERENCE.index(cell.carrier)] == "Y" and cell.survived < 1:
                found.append(f"{cell.transform}, {cell.carrier}, {cell.language}: {cell.survived:.2f}")
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"schema": SCHEMA, **asdict(self), "worse": list(self.worse)}


@dataclass(frozen=True, slots=True)
class _Marked:
    text: str
    name: str
    sidecars: dict[str, bytes]


def run(
    *,
    texts: int = 10,
    languages: Sequence[str] = LANGUAGES,
    transforms: Sequence[Transform] = TRANSFORMS,
    progress: Callable[[str], None] | None = None,
) -> Survival:
    """Measure.

    Args:
        texts: per language.
        languages: of `labeler.bench.toy_text.LANGUAGES`.
        transforms: what is done to the texts.
        progress: told the name of every transform.
    """
    from labeler.credentials.certs import create_development_identity

    rng = np.random.default_rng(_SEED)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        create_development_identity(home / "credentials")
        plain = {lang: [_text(lang, rng) for _ in range(texts)] for lang in languages}
        marked = {
            (lang, carrier): [_mark(text, carrier, home) for text in plain[lang]]
            for lang in languages
            for carrier in CARRIERS
        }
        added = {
            carrier: sum(
                len(m.text.encode()) - len(text.encode())
                for lang in languages
                for m, text in zip(marked[lang, carrier], plain[lang], strict=True)
            )
            / (texts * len(languages))
            for carrier in CARRIERS
        }
        cells: list[Cell] = []
        skipped: dict[str, tuple[str, ...]] = {}
        for transform in transforms:
            if missing := transform.missing():
                skipped[transform.name] = missing
                continue
            if progress:
                progress(transform.name)
            for (lang, carrier), versions in marked.items():
                outcomes = Counter(
                    _outcome(each, transform.change(each.text, lang, rng), carrier, home) for each in versions
                )
                cell = Cell(transform=transform.name, carrier=carrier, language=lang, outcomes=dict(outcomes))
                cells.append(cell)
    return Survival(texts=texts, added=added, cells=tuple(cells), skipped=skipped)


def _text(language: str, rng: np.random.Generator) -> str:
    """A short text: three paragraphs of three sentences."""
    stop = "。" if language == "zh" else "."
    parts = []
    for _ in range(_PARAGRAPHS):
        tokens: list[str] = []
        while tokens.count(stop) < _SENTENCES:
            tokens += document(language, 1, rng=rng)
        parts.append(render(tokens, language))
    return "\n\n".join(parts) + "\n"


_LAYERS = {
    "visible": "visible",
    "front matter": "metadata",
    "sidecar label": "metadata",
    "C2PA sidecar": "credentials",
    "C2PA in text": "credentials",
    "tag, end": "watermark",
    "tag, paragraph": "watermark",
    "tag, sentence": "watermark",
}


def _mark(text: str, carrier: str, home: Path) -> _Marked:
    name = "text.md" if carrier == "front matter" else "text.txt"
    _, _, every = carrier.partition(", ")
    options = LabelOptions(
        producer="bench",
        layers=(Layer(_LAYERS[carrier]),),
        home=home,
        in_text=carrier == "C2PA in text",
        tag_every=every or "paragraph",
    )
    labelled = label_source(Source(Path(name), text.encode()), options)
    return _Marked(labelled.content.data.decode(), name, labelled.sidecars)


def _outcome(marked: _Marked, changed: str, carrier: str, home: Path) -> str:
    layer = Layer(_LAYERS[carrier])
    report = verify_source(
        Source(Path(marked.name), changed.encode("utf-8", "surrogatepass")),
        VerifyOptions(layers=(layer,), home=home),
        sidecars=marked.sidecars,
    )
    return _answer(report, layer)


def _answer(report: Report, layer: Layer) -> str:
    found = getattr(report.layers, layer)
    if layer is Layer.CREDENTIALS:
        content = report.layers.credentials.content
        if found.state is State.PRESENT:
            return content if content in ("intact", "altered") else "damaged"
        return "damaged" if found.state is State.CANNOT_TELL else "lost"
    return "kept" if found.state is State.PRESENT else "lost"


def markdown(result: Survival) -> str:
    """The table: one cell for both languages where they agree, else English / Chinese."""
    languages = tuple(dict.fromkeys(cell.language for cell in result.cells))
    cells = {(c.transform, c.carrier, c.language): c for c in result.cells}
    lines = ["| transform | " + " | ".join(CARRIERS) + " |", "|---" * (len(CARRIERS) + 1) + "|"]
    for name in dict.fromkeys(cell.transform for cell in result.cells):
        row = []
        for carrier in CARRIERS:
            words = [_words(cells[name, carrier, lang].outcomes) for lang in languages]
            row.append(words[0] if len(set(words)) == 1 else " / ".join(words))
        lines.append(f"| {name} | " + " | ".join(row) + " |")
    sizes = " | ".join(f"{result.added[carrier]:.0f}" for carrier in CARRIERS)
    lines.append(f"| *bytes added to the text* | {sizes} |")
    lines += ["", *_notes(result, languages)]
    return "\n".join(lines) + "\n"


def _words(outcomes: dict[str, int]) -> str:
    if len(outcomes) == 1:
        return next(iter(outcomes)).replace("lost", "-")
    return ", ".join(f"{name} {count}" for name, count in sorted(outcomes.items(), key=lambda i: -i[1]))


def _notes(result: Survival, languages: Sequence[str]) -> Iterator[str]:
    yield f"{result.texts} texts per language ({', '.join(languages)}), three paragraphs of three sentences."
    if result.skipped:
        left = "; ".join(f"{name} ({', '.join(needs)})" for name, needs in result.skipped.items())
        yield f"Left out for want of a program or package: {left}."
    if result.worse:
        yield f"**Worse than the reference:** {'; '.join(result.worse)}."
    else:
        yield "No row is worse than the reference table."


def _tell(name: str) -> None:
    sys.stderr.write(f"{name} ...\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m labeler.bench.text_survival``: print the table, or put it into a document."""
    parser = argparse.ArgumentParser(prog="python -m labeler.bench.text_survival", description=__doc__)
    parser.add_argument("--texts", type=int, default=10, help="texts per language")
    parser.add_argument("--write", type=Path, help="document whose table is to be replaced")
    options = parser.parse_args(arguments)
    result = run(texts=options.texts, progress=_tell)
    table = markdown(result)
    sys.stdout.write(table)
    if options.write:
        before, rest = options.write.read_text(encoding="utf-8").split(_BEGIN)
        text = f"{before}{_BEGIN}\n\n{table}\n{_END}{rest.split(_END)[1]}"
        options.write.write_text(text, encoding="utf-8")
    return int(bool(result.worse))


if __name__ == "__main__":
    raise SystemExit(main())
