# One way in: `make demo`, `make test`, `make check`, `make bundles`, `make bench`. Each makes the environment it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check bundles bench clean
.DEFAULT_GOAL := test

# A stamp per set of extras: make installs again only when pyproject.toml changes.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.run: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e .
	@touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[trainer,test,dev]'
	@touch $@ $(VENV)/.run

test: $(VENV)/.test
	$(BIN)/python -m pytest
