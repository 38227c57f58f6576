# Everything is installed in this folder (.venv, node_modules) and in the user's cache folder (Kafka's jars).
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
WEB := consumers/runstream_consumers/web
VENDOR := $(WEB)/static/vendor/uPlot.iife.min.js
PACKAGES := producer consumers schemas deploy tests
# Tests that start no servers.
FAST := tests/unit tests/contract tests/property
# Tests whose coverage is measured, in all processes that they start; the others add little (docs/adr/0026).
MEASURED := tests/unit tests/contract tests/compat tests/integration tests/e2e/test_artifacts.py \
	tests/e2e/test_artifact_commands.py tests/e2e/test_files.py
# Test processes; they share their servers (tests/shared_servers.py). Many tests wait for a timeout that they examine, so that
# two cores are busy with three processes.
WORKERS ?= 3
SPREAD := -n $(WORKERS) --dist loadfile --no-loadscope-reorder --hypothesis-profile=$(if $(CI),ci,full) --durations 40
# Absolute, because the processes that the tests start run in other folders.
COVERAGE := $(CURDIR)/.cache/coverage
# Every test starts many processes; without bytecode, each of them would compile its modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo setup web test coverage check fast lint type imports format integrations bench wheel clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

demo: .venv/.demo $(VENDOR) ## Start the local stack, train four small networks, and show what the HTTP API returns for them
	@$(BIN)/python -m runstream_deploy.demo

setup: .venv/.dev $(VENDOR) ## Install everything needed for development

web: $(VENDOR) ## Fetch the JavaScript of the web pages

check: setup ## Run lint, types, import rules and the tests that start no servers (under 10 minutes; for daily work)
	@$(MAKE) --no-print-directory --jobs 2 lint type imports fast

fast:
	$(BIN)/python -m pytest -n $(WORKERS) --hypothesis-profile=quick $(FAST)

ifdef PYTEST
test: lint type imports
	$(BIN)/python -m pytest $(PYTEST)
else
test: setup ## Run lint, types, import rules and all tests against real servers
	@$(MAKE) --no-print-directory --jobs 2 lint type imports
	$(BIN)/python -m pytest $(SPREAD)
endif

coverage: setup ## Measure and gate branch coverage, also of the processes that the tests start (under an hour)
	@rm -rf $(COVERAGE) && mkdir -p $(COVERAGE)
	COVERAGE_FILE=$(COVERAGE)/data $(BIN)/coverage run -m pytest $(SPREAD) $(MEASURED)
	@COVERAGE_FILE=$(COVERAGE)/data $(BIN)/coverage combine --quiet
	@COVERAGE_FILE=$(COVERAGE)/data $(BIN)/coverage report

lint: setup ## Check style and formatting
	$(BIN)/ruff check $(PACKAGES)
	$(BIN)/ruff format --check $(PACKAGES)

type: setup ## Check types
	$(BIN)/mypy

imports: setup ## Check the import rules (import-linter)
	$(BIN)/lint-imports

format: setup ## Format the code
	$(BIN)/ruff format $(PACKAGES)
	$(BIN)/ruff check --fix-only $(PACKAGES)

integrations: .venv-integrations/.done $(VENDOR) ## Test with the libraries that log to W&B, against a real stack (installs about 6 GB)
	.venv-integrations/bin/python -m pytest -v -m 'integrations or not integrations' tests/integrations $(PYTEST)
	@.venv-integrations/bin/python -m tests.integrations.versions

bench: setup ## Run the benchmarks (docs/benchmarks.md); BENCH="log shipper" selects some
	$(BIN)/python -m tests.benchmarks $(BENCH)

wheel: setup ## Build the wheel
	$(BIN)/python -m build --wheel

clean: ## Remove everything built here; runs and their data are kept
	rm -rf .venv .venv-integrations dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -rf $(WEB)/node_modules $(WEB)/static/vendor
	find $(PACKAGES) -name __pycache__ -type d -prune -exec rm -rf {} +

# Dependency groups need pip 25.1; Python 3.11 ships an older one.
.venv/.pip:
	@echo "creating .venv"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

.venv/.demo: .venv/.pip pyproject.toml
	@echo "installing Runstream with the servers of the local stack"
	$(BIN)/python -m pip install --editable '.[server,local,demo]'
	@touch $@

# Includes what the demo needs, so that nothing is resolved and built twice.
.venv/.dev: .venv/.pip pyproject.toml
	@echo "installing Runstream with the servers of the local stack and the development dependencies"
	$(BIN)/python -m pip install --quiet --editable '.[server,local,demo,media,pandas,tensorboard]' --group dev
	@touch .venv/.demo $@

.venv-integrations/.done: pyproject.toml
	@echo "creating .venv-integrations with PyTorch and the libraries that need it; this takes a few minutes"
	$(PYTHON) -m venv .venv-integrations
	.venv-integrations/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv-integrations/bin/python -m pip install --editable '.[server,local,media,pandas,tensorboard]' --group dev --group integrations
	@touch $@

$(VENDOR): $(WEB)/package.json $(WEB)/package-lock.json
	@command -v npm >/dev/null || { echo "npm is not installed; the web pages' JavaScript is fetched with it: install Node 20 or newer (Debian, Ubuntu: apt install nodejs npm)" >&2; exit 1; }
	@echo "fetching the JavaScript of the web pages"
	cd $(WEB) && npm ci --no-audit --no-fund --ignore-scripts && npm run --silent vendor
	@touch $@
