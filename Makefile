# Needs Python 3.11 or newer with venv, and make. Everything else goes into .venv.
#
#   make demo              10 October 2025 through the engine; more with ARGS='--accounts 500 --exit'
#   make test              all checks, then all tests (under 10 minutes on 2 cores)
#   make check             the checks alone: format, lint, layers, types
#   make fmt               put imports and layout in order
#   make soak              long seeds and large Hypothesis runs (an hour or so)
#   make clean             remove what the targets made

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
WORKERS ?= 2
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# stage(name, command): one line if it passes; everything it said, and a stop, if it does not.
stage = @printf '%-8s ' '$(1)'; if out="$$($(2) 2>&1)"; then echo ok; else echo FAILED; echo "$$out"; exit 1; fi

.PHONY: help demo test check fmt soak clean
help:
	@sed -n 's/^#   //p' Makefile

$(BIN)/python:
	@test -n '$(PYTHON)' || { echo 'make: needs Python 3.11 or newer with venv and pip;' \
	  'on Debian: apt install python3-venv; or name one: make PYTHON=/path/to/python3.12' >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)

# .base holds what running needs, .dev what testing needs on top; both follow pyproject.toml.
$(VENV)/.base: pyproject.toml | $(BIN)/python
	@echo 'setup    installing Tocsin into $(VENV)' >&2
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo 'setup    installing Tocsin and its checks into $(VENV)' >&2
	@$(PIP) install --editable '.[dev]'
	@touch $(VENV)/.base $@

demo: $(VENV)/.base
	@$(BIN)/tocsin demo $(ARGS)

test: check
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: $(VENV)/.dev
	$(call stage,format,$(BIN)/ruff format --check --diff .)
	$(call stage,lint,$(BIN)/ruff check .)
	$(call stage,layers,$(BIN)/lint-imports --no-cache)
	$(call stage,types,$(BIN)/basedpyright --warnings)

fmt: $(VENV)/.dev
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

soak: $(VENV)/.dev
	@TOCSIN_PROFILE=soak $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m 'soak or not soak' $(ARGS)

clean:
	rm -rf $(VENV) build dist october.journal october.report .pytest_cache .ruff_cache .hypothesis
