# hub: `make demo` runs everything on this machine, `make test` proves it. Both set themselves up.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
ARGS ?=
PEERS ?=
# What was installed may not be missing: tests of the console fail then, and are not skipped.
WHOLE = HUB_TEST_BROWSER=$$(test -f .stamps/assets && test -f .stamps/node && test -f .stamps/browser && echo 1)

.PHONY: help install demo browser test test-all test-sm check bench lock clean
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.stamps/runtime: pins/runtime.txt pyproject.toml
	@mkdir -p .stamps
	@$(PYTHON) -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' || { echo "hub needs python3 >= 3.11 with venv (Debian: apt-get install python3-venv)" >&2; exit 3; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing what hub needs, checked by hash …" >&2
	@$(PIP) install --require-hashes -r pins/runtime.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.stamps/dev: .stamps/runtime pins/dev.txt
	@$(PIP) install --require-hashes -r pins/dev.txt
	@touch $@

.stamps/assets: .stamps/runtime hub/web/assets/package.json hub/web/assets/package-lock.json hub/web/assets/build.mjs
	@sh tools/build-assets.sh && touch $@ || true

.stamps/node: .stamps/dev tests/node/package.json tests/node/package-lock.json
	@sh tools/install-node-tests.sh && touch $@ || true

.stamps/browser: .stamps/dev tools/install-browser.sh
	@sh tools/install-browser.sh && touch $@ || true

.stamps/programs: .stamps/dev tools/install-test-programs.sh
	@sh tools/install-test-programs.sh && touch $@ || true

install: .stamps/assets ## set the program up, to be run as docs/operations.md says

demo: .stamps/assets ## run five simulated agencies and the hub on 127.0.0.1 (ARGS="--port 8123 --people 2000")
	@$(BIN)/hub demo $(ARGS)

browser: .stamps/assets .stamps/node .stamps/browser ## install Chromium, a Chinese font and axe-core; then no test of the console is skipped
	@test -f .stamps/assets && test -f .stamps/node && test -f .stamps/browser

test: .stamps/dev .stamps/assets .stamps/node .stamps/browser .stamps/programs ## run the tests (bounded; see test-all)
	@$(WHOLE) $(BIN)/python -m pytest $(ARGS)

test-all: .stamps/dev .stamps/assets .stamps/node .stamps/browser .stamps/programs ## run every test in full (slow)
	@HUB_TEST_FULL=1 $(WHOLE) $(BIN)/python -m pytest $(ARGS)
	@HUB_CRYPTO_SUITE=sm $(WHOLE) $(BIN)/python -m pytest $(ARGS)

test-sm: .stamps/dev .stamps/assets .stamps/node .stamps/programs ## run the tests of crypto, identity and journeys on SM4 and SM3
	@HUB_CRYPTO_SUITE=sm $(BIN)/python -m pytest $(or $(ARGS),tests/crypto tests/identity tests/journeys)

check: .stamps/dev ## format, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: .stamps/dev ## measure the person view, growth of an answer, cost of duties, the audit log
	@$(BIN)/python benchmarks/person_view.py $(ARGS)
	@$(BIN)/python -m benchmarks.growth
	@$(BIN)/python -m benchmarks.duties
	@$(BIN)/python -m benchmarks.sealing
	@$(BIN)/python -m benchmarks.ledger
	@$(BIN)/python -m benchmarks.console --entries 100000
	@$(BIN)/python -m benchmarks.casework

bench-peers: .peers-given .stamps/dev ## measure the hub beside its peers (PEERS=DIR of the harness, ARGS="--rounds 3 --write")
	@$(BIN)/python -m benchmarks.peers.run "$(PEERS)" $(ARGS)

.PHONY: .peers-given
.peers-given:
	$(if $(and $(PEERS),$(wildcard $(PEERS)/run.sh)),@:,$(error bench-peers needs PEERS=DIR, the folder of the peers' harness (run.sh); there is none at "$(PEERS)"))

lock: ## renew pins/*.txt (needs pip-tools, installed in a venv of its own)
	@sh tools/lock.sh

clean: ## remove what was built or stored by the other targets
	rm -rf .venv .stamps .demo hub/web/assets/built hub/web/assets/node_modules tests/node/node_modules
