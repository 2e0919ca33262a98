# Everything a person or CI does here.  `make help` lists it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help

.PHONY: help
help: ## What can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Gluon needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Name another with make PYTHON=python3.x")'
	@echo "Setting up $(VENV): about a minute, once"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

.PHONY: demo
demo: $(READY) ## The main job on this machine, step by step, in under 20 s
	@$(BIN)/python tools/demo.py

.PHONY: dev
dev: $(READY) ## etcd and both servers, left running for playing until Ctrl-C
	@$(BIN)/python tools/dev.py

.PHONY: test
test: $(READY) lint ## Every check, and all tests but those of targets of their own
	$(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder --ignore tests/opendaylight -m "not disaster and not opendaylight"

.PHONY: test-disasters
test-disasters: $(READY) ## What was lost, restored, replaced, frozen and killed: some minutes
	GLUON_SEEDS=$${GLUON_SEEDS:-1} $(BIN)/pytest --numprocesses 3 --dist loadfile -m disaster --timeout 300

.PHONY: test-standins
test-standins: $(READY) ## The OpenDaylight backend on a stand-in of each release
	$(BIN)/pytest --numprocesses 3 --dist loadfile -m opendaylight --timeout 300

.PHONY: test-odl
test-odl: $(READY) ## Tests on a real OpenDaylight, got once (minutes, 0.8 GB), in a network of its own
	@$(BIN)/python tools/odl.py run $(BIN)/pytest tests/opendaylight -m "not unproven" -p no:randomly --timeout 900

.PHONY: test-odl-unproven
test-odl-unproven: $(READY) ## Those that have not passed on a real OpenDaylight yet: restarts, bursts, conformance
	@$(BIN)/python tools/odl.py run $(BIN)/pytest tests/opendaylight -m unproven -p no:randomly --timeout 900

.PHONY: lint
lint: $(READY) ## Style, types, import contracts, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/generate.py --check

.PHONY: dist
dist: $(READY) ## Builds the wheel, into dist/
	@rm -f dist/*.whl
	@$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@ls dist/*.whl

.PHONY: test-dist
test-dist: dist ## Installs the wheel as its users do, and runs its programs: a minute or two
	GLUON_WHEEL=$$(ls $(CURDIR)/dist/*.whl) $(BIN)/pytest tests/dist --timeout 900

.PHONY: chaos
chaos: $(READY) ## Disasters under load, with many seeds (GLUON_SEEDS=20)
	GLUON_SEEDS=$${GLUON_SEEDS:-20} $(BIN)/pytest tests/e2e/test_chaos.py tests/integration/shim -k "chaos or killed" --timeout 3600

.PHONY: bench
bench: $(READY) ## Measures, each beside its floor
	@$(BIN)/python tools/bench.py

.PHONY: generate
generate: $(READY) ## Writes the files that are made from code: sample configurations, reference pages
	$(BIN)/python tools/generate.py

.PHONY: constraints
constraints: ## Writes constraints.txt again, with the newest versions that pyproject.toml allows
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet pyproject.toml --all-extras --universal --python-version 3.11 --no-header --upgrade -o constraints.txt

.PHONY: clean
clean: ## Removes what make made
	rm -rf $(VENV) .run .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
