PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BEFORE ?= HEAD~1
COMMIT = $(shell git rev-parse --short=10 $(BEFORE))

.PHONY: run test check lint types imports sizes coverage rfc-coverage texts test-clients test-peer bench bench-before bench-scale hostile hostile-short clean

run: $(STAMP)
	@$(BIN)/mektup demo

test: $(STAMP)
	$(BIN)/pytest --numprocesses auto --dist worksteal tests

check: lint types imports sizes test

lint: $(STAMP)
	$(BIN)/ruff check src tests bench
	$(BIN)/ruff format --check src tests bench

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

sizes: $(STAMP)
	$(BIN)/pytest -q tests/architecture
	$(BIN)/python -m tests.architecture.figures

# the unit suite with its branches counted; the floor is in pyproject.toml
coverage: $(STAMP)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest tests
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

rfc-coverage: $(STAMP)
	$(BIN)/python -m tests.architecture.rfc_coverage

# the catalogs of all languages, from the sentences in texts.py
texts: $(STAMP)
	$(BIN)/python -m tests.architecture.catalogs

test-clients: $(STAMP)
	$(BIN)/pytest tests/clients

test-peer: $(STAMP)
	$(BIN)/pytest tests/peer

bench: $(STAMP)
	$(BIN)/python -m bench $(OPTIONS) $(ROWS)

# beside another commit of mektup: make bench-before BEFORE=6045af2
bench-before: $(STAMP)
	$(MAKE) .before/$(COMMIT)/$(STAMP)
	$(BIN)/python -m bench --before .before/$(COMMIT) $(OPTIONS) $(ROWS)

.before/%/$(STAMP):
	git worktree prune
	git worktree add --force --detach .before/$* $*
	$(MAKE) -C .before/$* $(STAMP)

bench-scale: $(STAMP)
	$(BIN)/python -m bench --messages 1000,20000,100000 --runs 3 $(OPTIONS) $(ROWS)

hostile: $(STAMP)
	$(BIN)/python -m bench.hostile $(OPTIONS) $(ATTACKS)

hostile-short: $(STAMP)
	$(BIN)/python -m bench.hostile --short $(OPTIONS) $(ATTACKS)

$(STAMP): pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,clients]'
	@touch $(STAMP)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.*
