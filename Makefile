# Thin on purpose: each target is one or two commands.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock

.PHONY: demo setup test test-all check bench docs lock clean help

help: ## show this
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: .venv/.run ## set up, start Neo4j, load the demo, show what the graph knows
	@$(BIN)/memgraph demo

setup: .venv/.dev ## set up everything for development

test: .venv/.dev ## run the tests on real servers (about 20 minutes)
	$(BIN)/pytest -m "not slow" --cov --cov-report=term --cov-fail-under=90

test-all: .venv/.dev ## also the long fault and volume runs
	$(BIN)/pytest --cov --cov-report=term --cov-fail-under=90

check: .venv/.dev ## formatting, lint, types, import contracts, generated pages
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/mypy --strict sdk && $(BIN)/lint-imports --no-cache
	$(BIN)/python -m memgraph.derive --check

docs: .venv/.dev ## write the generated pages anew
	$(BIN)/python -m memgraph.derive

bench: .venv/.dev ## measure against the bare driver and neomodel
	$(BIN)/python -m benchmarks

lock: .venv/.dev ## write requirements.lock from what is installed
	$(BIN)/python -m pip freeze --exclude-editable > requirements.lock

clean: ## remove the environment and everything generated
	rm -rf .venv build dist htmlcov .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is needed; if it has another name:" \
		"make PYTHON=/path/to/python $(MAKECMDGOALS)"; exit 1; }
	@echo "setting up .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv

.venv/.run: pyproject.toml requirements.lock | .venv/bin/python
	@echo "installing packages (a minute or two the first time)"
	@$(PIP) -e '.[local]' && touch $@

.venv/.dev: pyproject.toml requirements.lock | .venv/bin/python
	@echo "installing packages for development (two minutes the first time)"
	@$(PIP) -e '.[dev]' && touch $@ .venv/.run
