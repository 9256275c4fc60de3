# Parley. `make run` and `make test` do all their own set-up on Debian or Ubuntu with git, make and python3.

VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run test lint format types check clean

help:
	@echo "make run     set up what is missing, then start Parley"
	@echo "make test    set up what is missing, then run the tests (ARGS='-k name' to choose)"
	@echo "make check   everything that CI runs: tests, lint, types"
	@echo "make lint    ruff: rules and formatting"
	@echo "make format  let ruff format and repair"
	@echo "make types   pyright"
	@echo "make clean   remove the virtual environment and caches (your data stays)"

# The stamps are newer than pyproject.toml once everything that it names is installed.
$(VENV)/.ready-run: pyproject.toml scripts/setup.sh
	@scripts/setup.sh run

$(VENV)/.ready-dev: pyproject.toml scripts/setup.sh
	@scripts/setup.sh dev

# `parley serve` is run without a shell between: Ctrl-C reaches it alone and make waits for its goodbyes.
run: $(VENV)/.ready-run
	@$(BIN)/parley serve

# Whole calls are in real time, so they have the machine to themselves; everything else runs on two cores.
test: $(VENV)/.ready-dev
ifeq ($(ARGS),)
	@$(BIN)/python -m pytest tests/e2e tests/test_call.py tests/server; calls=$$?; \
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore=tests/e2e --ignore=tests/test_call.py --ignore=tests/server \
	&& exit $$calls
else
	@$(BIN)/python -m pytest $(ARGS)
endif

lint: $(VENV)/.ready-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(VENV)/.ready-dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(VENV)/.ready-dev
	@$(BIN)/pyright

check:
	@.ci/run

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
