# Two commands on a fresh machine: `make demo` and `make test`. `make help` lists the others.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOCKED := --quiet --disable-pip-version-check --require-hashes
.DEFAULT_GOAL := help
# What is compiled once is kept: the tests start many processes, each of which would compile all of it again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo serve test test-odoo torture fuzz check bench lock golden clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.runtime ## the gateway command in .venv

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "gateway needs Python 3.11 or newer; $(PYTHON) is older. Try: make demo PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/.python
	@echo "Installing gateway into $(VENV) ..."
	@$(BIN)/pip install $(LOCKED) -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock | $(VENV)/.runtime
	@echo "Installing the test tools ..."
	@$(BIN)/pip install $(LOCKED) -r requirements-dev.lock
	@touch $@

demo: $(VENV)/.runtime ## orders of two shops become accepted invoices, on embedded defaults
	@$(BIN)/gateway demo

serve: $(VENV)/.runtime ## the API and its worker on http://127.0.0.1:8000
	@$(BIN)/gateway serve

test: check ## the whole suite
	@$(BIN)/pytest -n 2 -m "not torture"

test-odoo: $(VENV)/.dev ## the adapter against a real Odoo 14 (root, a Debian mirror, some minutes)
	@$(BIN)/python -m tests.erps.real_odoo

torture: $(VENV)/.dev ## the long forms of the crash and property tests
	@$(BIN)/pytest -m torture -o timeout=0

fuzz: $(VENV)/.fuzz ## ten minutes of damaged documents for the rule book (SECONDS=60 for one)
	@$(BIN)/python -m tests.fuzz $(SECONDS)

$(VENV)/.fuzz: requirements-dev.lock pyproject.toml | $(VENV)/.dev
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["fuzz"], sep="\n")' \
	  | $(BIN)/pip install --quiet --disable-pip-version-check -r /dev/stdin
	@touch $@

check: $(VENV)/.dev ## types and style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/.dev ## figures, with the machine and the peer side by side
	@$(BIN)/python -m tests.bench

golden: $(VENV)/.dev ## write the golden files anew (look at the difference before you commit it)
	@GATEWAY_WRITE_GOLDEN=1 $(BIN)/pytest tests/golden

lock: ## resolve the versions anew (needs uv)
	@uv pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q -o requirements.lock
	@uv pip compile pyproject.toml --group build --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q -o requirements-dev.lock

clean: ## forget the installation and the caches
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
