PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check
LISTS := requirements.txt pyproject.toml

.PHONY: run test tools

run: .venv/installed
	$(BIN)/python app.py

test: .venv/installed-for-tests tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright
	$(BIN)/pytest -n 3 --dist loadfile --ignore tests/e2e
	$(BIN)/pytest -n 2 --dist loadfile tests/e2e

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "Python 3.11, 3.12 or 3.13 is needed; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: $(LISTS) | .venv/bin/python
	@echo "Installing what requirements.txt names; the first time takes some minutes."
	$(PIP) --requirement requirements.txt --editable .
	@touch $@

.venv/installed-for-tests: .venv/installed
	$(PIP) --editable '.[dev]'
	@touch $@

# The browser, database and fonts of the tests. Where they are missing and cannot be had, the tests that need them
# are skipped and say so.
tools:
	@tests/install_tools
