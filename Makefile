# Everything runs in .venv, which is made with python3 alone. PYTHON=python3.12 chooses another interpreter.
PYTHON ?= python3
BIN := .venv/bin
OUT := demo-out

.PHONY: setup demo test check bench samples formats clean bench-text

setup: .venv/.ready

.venv/.ready: pyproject.toml scripts/setup_venv.py
	$(PYTHON) scripts/setup_venv.py

demo: setup
	$(BIN)/python scripts/demo.py $(OUT)

test: setup
	$(BIN)/python -m pytest

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_architecture.py

bench: setup
	$(BIN)/labeler bench speed

bench-text: setup
	$(BIN)/labeler bench robustness --modality text
	$(BIN)/python -m labeler.bench.text_generation

samples: setup
	$(BIN)/python samples/make_samples.py
	$(BIN)/python samples/make_texts.py
	$(BIN)/python samples/make_sounds.py
	$(BIN)/python samples/make_clips.py

formats: setup
	$(BIN)/python scripts/formats_table.py docs/formats.md

clean:
	rm -rf .venv $(OUT) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
