# Everything is set up in this folder (.venv, node_modules) and in the user's cache (Kafka's jars).
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
WEB := consumers/runstream_consumers/web
VENDOR := $(WEB)/static/vendor/uPlot.iife.min.js
PACKAGES := producer consumers schemas deploy tests

.PHONY: help demo setup web test lint type imports format integrations bench wheel clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

demo: .venv/.demo $(VENDOR) ## Start the local stack, train four small networks, show what the HTTP API has of them
	@$(BIN)/python -m runstream_deploy.demo

setup: .venv/.dev $(VENDOR) ## Set up everything that development needs

web: $(VENDOR) ## Fetch the JavaScript that the pages load

test: lint type imports ## Run lint, types and all tests, against real servers and the built wheel
	$(BIN)/python -m pytest $(PYTEST)

lint: setup ## Check style and format
	$(BIN)/ruff check $(PACKAGES)
	$(BIN)/ruff format --check $(PACKAGES)

type: setup ## Check types
	$(BIN)/mypy

imports: setup ## Check that no room imports what it must not
	$(BIN)/lint-imports

format: setup ## Format the code
	$(BIN)/ruff format $(PACKAGES)
	$(BIN)/ruff check --fix-only $(PACKAGES)

integrations: .venv-integrations/.done $(VENDOR) ## Train with the libraries that know W&B, against a real stack (some 6 GB of them)
	.venv-integrations/bin/python -m pytest -v -m 'integrations or not integrations' tests/integrations $(PYTEST)
	@.venv-integrations/bin/python -m tests.integrations.versions

bench: setup ## Measure, as ratios within one run (docs/benchmarks.md)
	$(BIN)/python -m tests.benchmarks $(BENCH)

wheel: setup ## Build the wheel
	$(BIN)/python -m build --wheel

clean: ## Remove what was made here; runs and their data stay
	rm -rf .venv .venv-integrations dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -rf $(WEB)/node_modules $(WEB)/static/vendor
	find $(PACKAGES) -name __pycache__ -type d -prune -exec rm -rf {} +

# pip learned dependency groups in 25.1, later than what Python 3.11 brings.
.venv/.pip:
	@echo "making .venv"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

.venv/.demo: .venv/.pip pyproject.toml
	@echo "installing Runstream with the servers of the local stack"
	$(BIN)/python -m pip install --editable '.[server,local,demo]'
	@touch $@

.venv/.dev: .venv/.demo
	@echo "installing what the tests need"
	$(BIN)/python -m pip install --quiet --editable '.[server,local,demo,pandas,tensorboard]' --group dev
	@touch $@

.venv-integrations/.done: pyproject.toml
	@echo "making .venv-integrations: torch and the libraries that bring it, a few minutes"
	$(PYTHON) -m venv .venv-integrations
	.venv-integrations/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv-integrations/bin/python -m pip install --editable '.[server,local,pandas,tensorboard]' --group dev --group integrations
	@touch $@

$(VENDOR): $(WEB)/package.json $(WEB)/package-lock.json
	@command -v npm >/dev/null || { echo "the pages' JavaScript is fetched by npm: install Node 20 or newer (Debian, Ubuntu: apt install nodejs npm)" >&2; exit 1; }
	@echo "fetching the pages' JavaScript"
	cd $(WEB) && npm ci --no-audit --no-fund --ignore-scripts && npm run --silent vendor
	@touch $@
