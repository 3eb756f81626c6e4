PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BEFORE ?= HEAD~1
COMMIT = $(shell git rev-parse --short=10 $(BEFORE))

.PHONY: run test check lint types imports sizes coverage rfc-coverage capabilities texts test-clients test-moving test-desktop test-peer test-cluster bench bench-before bench-scale hostile floods hostile-short crash fuzz power faults soak cluster-faults million reliability-short clean

run: $(STAMP)
	@$(BIN)/mektup demo

test: $(STAMP)
	$(BIN)/pytest --numprocesses auto --dist worksteal tests

check: lint types imports sizes test

lint: $(STAMP)
	$(BIN)/ruff check src tests bench reliability
	$(BIN)/ruff format --check src tests bench reliability

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

# docs/capabilities.md, from the table of capabilities and the transcripts
capabilities: $(STAMP)
	$(BIN)/python -m tests.architecture.capability_table

# the catalogs of all languages, from the sentences in texts.py
texts: $(STAMP)
	$(BIN)/python -m tests.architecture.catalogs

test-clients: $(STAMP)
	$(BIN)/pytest tests/clients

# an account of 20,000 messages moves from Dovecot; mbsync and OfflineIMAP, which knew it there, transfer nothing
test-moving: $(STAMP)
	MEKTUP_MOVED_MESSAGES=5004 $(BIN)/pytest --timeout 3600 tests/clients/test_moving_from_dovecot.py -k transfer $(OPTIONS)

# programs with windows, on a screen that nobody sees
# (Debian: thunderbird xvfb chromium-driver roundcube-core roundcube-plugins php-cli php-sqlite3)
test-desktop: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[desktop]'
	$(BIN)/pytest --timeout 240 tests/desktop

test-peer: $(STAMP)
	$(BIN)/pytest tests/peer

# the suite of the store on a real PostgreSQL, an object store, and several nodes (Debian: postgresql nats-server zstd)
test-cluster: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[object-store]'
	MEKTUP_CLUSTER=1 $(BIN)/pytest --numprocesses auto --dist worksteal tests/contract tests/cluster

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

# crowds of connections, logins and sessions; they are part of hostile, and have a table of their own here
floods: $(STAMP)
	$(BIN)/python -m bench.hostile --crowds $(OPTIONS) $(ATTACKS)

hostile-short: $(STAMP)
	$(BIN)/python -m bench.hostile --short $(OPTIONS) $(ATTACKS)

# kills of a server while clients use it: make crash KILLS=10000 SEED=1
crash: $(STAMP)
	$(BIN)/python -m reliability.crash --kills $(or $(KILLS),1000) $(if $(SEED),--seed $(SEED)) $(OPTIONS)

# states of the disk that a loss of power may leave, each opened: make power CUTS=10000 SEED=1
power: $(STAMP)
	$(BIN)/python -m reliability.power --cuts $(or $(CUTS),1000) --seed $(or $(SEED),1) $(OPTIONS)

# each operation of each change fails in turn: make faults OPTIONS='--jobs 2'
faults: $(STAMP)
	$(BIN)/python -m reliability.faults --seed $(or $(SEED),1) $(OPTIONS)

# mutated input for every parser and session: make fuzz TIME=3600 TARGETS='search imap'; guided where atheris is installed
fuzz: $(STAMP)
	$(BIN)/python -m reliability.fuzz --time $(or $(TIME),600) $(OPTIONS) $(TARGETS)

# make soak TIME=1h CLIENTS=200 SEED=1
soak: $(STAMP)
	$(BIN)/python -m reliability.soak --time $(or $(TIME),1h) --clients $(or $(CLIENTS),200) $(if $(SEED),--seed $(SEED)) $(OPTIONS)

# parts of a cluster fail under 32 writers: make cluster-faults SEED=1 OPTIONS='--size 500' (Debian: postgresql)
cluster-faults: $(STAMP)
	$(BIN)/python -m reliability.cluster --seed $(or $(SEED),1) $(OPTIONS)

# the rows of a million accounts, sweeps and logins: make million ACCOUNTS=1000000
million: $(STAMP)
	$(BIN)/python -m reliability.cluster --accounts $(or $(ACCOUNTS),1000000) --seed $(or $(SEED),1) $(OPTIONS)

# the programs in reliability/, each in its short form
TRIALS := crash power faults fuzz soak

reliability-short: $(STAMP)
	@for trial in $(TRIALS); do $(BIN)/python -m reliability.$$trial --short $(OPTIONS) || exit 1; done

$(STAMP): pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,clients]'
	@touch $(STAMP)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.*
