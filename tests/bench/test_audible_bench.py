"""The bench of the audible mark counts what it should."""

from __future__ import annotations

import numpy as np

from labeler.bench.audible import ATTACKS, MARKS, Row, Sound, Unmarked, markdown, measure
from labeler.bench.audio_attacks import OPERATIONS, SoundAttack


def test_finds_misses_and_positions_are_counted() -> None:
    rng = np.random.default_rng(0)
    library = [
        Sound(name=f"s{i}", samples=rng.normal(0, 0.05, (80_000, 1)).astype(np.float32), rate=8000)
        for i in range(2)
    ]
    gone = SoundAttack(name="first second", steps=(("crop", {"seconds": 1.0}),))
    rows = measure(library, marks=["rhythm", "en"], attacks=[ATTACKS[0], gone])
    by = {(row.mark, row.attack): row for row in rows}
    assert by["rhythm", "none"].found == by["en", "none"].found == 2
    assert by["rhythm", "first second"].found == 0 and by["rhythm", "first second"].failed == ["s0", "s1"]
    assert all(error < 0.03 for row in rows for error in row.errors)
    table = markdown(rows, [Unmarked(origin="hiss", seconds=20, highest={"rhythm": 0.3})])
    assert "| none | 2/2, 0." in table and "| hiss | 20 | 0 | 0.30 |" in table


def test_the_grid_names_what_there_is() -> None:
    assert {name for attack in ATTACKS for name, _ in attack.steps} <= OPERATIONS.keys()
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    assert Row(mark=next(iter(MARKS)), attack="none").total == 0
