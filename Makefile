# One door for every check. PY is the interpreter of an environment that has tuneloop[dev].
PY ?= python
BIN = $(dir $(shell command -v $(PY)))
export OMP_WAIT_POLICY = passive

.PHONY: install check lint types imports docs test quick format bench

install:            ## a development environment: tuneloop, its tools, the versions tried together
	$(PY) -m pip install -q -c constraints.txt -e '.[dev]'

check: lint types imports docs test   ## everything that must hold before a commit; CI runs this

lint:
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .

types:
	$(PY) -m mypy

imports:
	$(BIN)lint-imports --no-cache

docs:
	$(PY) docs/generate.py --check
	$(PY) -m mkdocs build --strict --quiet

test:               ## all tests that need no accelerator
	OMP_NUM_THREADS=1 $(PY) -m pytest -m "not gpu" -n 2 --dist worksteal

quick:              ## the tests without the slow ones: real models, kills, whole lives
	OMP_NUM_THREADS=1 $(PY) -m pytest -m "not slow and not gpu" -n 2 --dist worksteal

format:
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

bench:              ## figures of this machine, as JSON under build/bench; python -m bench.peers adds the peers
	$(PY) -m bench.start --json build/bench/start.json
	$(PY) -m bench.generate --quick --json build/bench/generate.json
	$(PY) -m bench.faults --quick --json build/bench/faults.json
	$(PY) -m bench.data --quick --json build/bench/data.json
	$(PY) -m bench.train --quick --json build/bench/train.json
