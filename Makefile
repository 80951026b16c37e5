# make demo | test | test-slow | check | bench. Each makes .venv on first use. PYTHON names the interpreter (3.11 or newer),
# TORCH_INDEX an index with the PyTorch build that you want.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow check bench fuzz format clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "echotrain needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		$(if $(TORCH_INDEX),--extra-index-url '$(TORCH_INDEX)') --editable '.[dev]'
	touch $@

demo: $(VENV)/.installed
	$(BIN)/echotrain demo --output demo $(if $(SCAN),--scan '$(SCAN)') $(if $(CHAIN),--chain '$(CHAIN)')

test: $(VENV)/.installed
	$(BIN)/python -m pytest

test-slow: $(VENV)/.installed
	$(BIN)/python -m pytest -m slow

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p echotrain
	$(BIN)/lint-imports

bench: $(VENV)/.installed
	$(BIN)/python bench/run.py

fuzz: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check atheris
	$(BIN)/python bench/fuzz.py

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist demo
