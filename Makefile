# Everything a contributor runs. `make` alone lists it.
#
#   PYTHON=python3.12   which Python makes .venv (any 3.11 or newer)
#   ARGS="-k moments"   passed on to pytest, the benchmarks, the calibration, the fuzzer or the peers

PY := .venv/bin/python
SOURCES := $(wildcard src tests bench scripts)
MAKEFLAGS += --no-print-directory
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help setup prometheus test quick check lint format-check ruff types floors format demo bench calibrate nulls simulation faults chaos fuzz security peers docs lock clean

help: ## List what can be run (this text)
	@echo "Usage: make TARGET [PYTHON=python3.12] [ARGS=\"…\"]"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile

setup: ## Make .venv from requirements.lock (every other target does it when needed)
	@scripts/set_up.sh
	@if [ "$$CI" = true ]; then scripts/prometheus.sh; fi

prometheus: ## Put a Prometheus server for the tests into .cache (without it they say what they skipped)
	@scripts/prometheus.sh

test: setup ## Run every test, in parallel and in random order
	@$(PY) -m pytest $(ARGS)

quick: setup ## Run the tests that take less than about five seconds each
	@$(PY) -m pytest -m "not slow" $(ARGS)

check: lint test ## Format, lint, types, floors and tests: what must pass before a merge

lint: format-check ruff types floors ## Format, lint, types and floors, without the tests

format-check: setup
	@$(PY) -m ruff format --check $(SOURCES)

ruff: setup
	@$(PY) -m ruff check $(SOURCES)

types: setup
	@$(PY) -m mypy $(SOURCES)

floors: setup
	@.venv/bin/lint-imports --no-logo --cache-dir .cache/import-linter

format: setup ## Format the code, and mend what ruff can mend
	@$(PY) -m ruff format $(SOURCES)
	@$(PY) -m ruff check --fix $(SOURCES)

demo: setup ## Watch three experiments live through the whole chain, in about a minute (KEEP=1: stay up)
	@.venv/bin/rollout demo $(if $(KEEP),--keep) $(ARGS)

bench: setup ## Run the benchmarks side by side with their peers
	@$(PY) -m bench $(ARGS)

calibrate: setup ## Show that every promise holds, every wrong way is caught (ARGS=--pipeline: from log to decision)
	@$(PY) -m tests.calibration $(ARGS)

nulls: setup ## Live every example policy a thousand times where it must not promote, or not roll back
	@$(PY) -m tests.simulate $(ARGS)

simulation: setup ## Live a thousand worlds in which everything goes wrong (ARGS="--seeds 5000 --processes 2")
	@$(PY) -m tests.simulation $(ARGS)

faults: setup ## Break everything ten times while users call: no request fails, nothing is lost (ARGS="--seed 7")
	@$(PY) -m tests.faults --times 10 $(ARGS)

chaos: setup ## Break everything a hundred times, in about two hours (ARGS="--course control": what decides)
	@$(PY) -m tests.faults --times 100 $(ARGS)

security: setup ## Send many more generated requests to every route of the API, in about ten minutes
	@SECURITY_EXAMPLES=$${EXAMPLES:-150} $(PY) -m pytest -n 0 -rP tests/security/test_api.py tests/security/test_roles.py $(ARGS)

fuzz: setup ## Lint 100,000 mutated policies: no crash, no hang, only clear sentences (ARGS="--first 7": others)
	@$(PY) -m tests.policyfile.fuzz $(ARGS)

peers: setup ## Compute the golden cases again with independent packages
	@$(PY) -m tests.golden.peers $(ARGS)

docs: setup ## Write the pages that are made from the code
	@.venv/bin/rollout settings --output markdown > docs/settings.md.new
	@mv docs/settings.md.new docs/settings.md
	@$(PY) scripts/formulas.py > docs/formulas.md.new
	@mv docs/formulas.md.new docs/formulas.md
	@$(PY) scripts/policy_keys.py > docs/policy.md.new
	@mv docs/policy.md.new docs/policy.md
	@$(PY) scripts/verbs.py > docs/cli.md.new
	@mv docs/cli.md.new docs/cli.md
	@$(PY) scripts/notification_events.py > docs/notifications.md.new
	@mv docs/notifications.md.new docs/notifications.md
	@$(PY) -m tests.golden.peers --write-docs
	@$(PY) -m tests.envoy.drawing

lock: ## Renew requirements.lock from pyproject.toml (ARGS=--upgrade: the newest releases it allows)
	@scripts/lock.sh $(ARGS)

clean: ## Remove .venv, caches and what the tools wrote
	rm -rf .venv .venv-peers .cache build dist
	find src tests bench scripts -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
