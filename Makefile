# Environments are built once and again only when their requirements change.
PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin
UV := $(BIN)/uv pip
LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --no-header --no-annotate
ATTACKED := refused or damaged or broken or killed or stopped or cut_off or unreadable or is_an_error
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) --dist worksteal

# Bytecode is kept: without it every process compiles torch and transformers anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help train check test coverage lint docs lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z%-]*\):.*## /  make \1\t/p' Makefile

train: .venv/.runs  ## install what runs need, then train the embedded model
	$(BIN)/python train.py reward=iou+acc

check: lint  ## lint, types and the quick tests: before every commit
	$(PYTEST) -m "not slow"

test: lint  ## everything that CI runs
	$(PYTEST)

coverage: .venv/.tests  ## the same tests, and the lines that none of them runs
	$(PYTEST) --cov=groundrl --cov-report=term:skip-covered

campaign-%: .venv/.tests  ## kill, fuzz, faults or soak: attacks the project; SIZE=20 ONLY=grpo
	mkdir -p outputs/campaigns
	OMP_NUM_THREADS=1 PYTHONPATH=tests:tests/helpers $(BIN)/python -m campaigns.$* \
		--kept "outputs/campaigns/$(strip $* $(ONLY) $(SIZE)).jsonl" \
		$(if $(SIZE),--size $(SIZE)) $(if $(ONLY),--only $(ONLY))

campaign-tests: .venv/.tests  ## the tests of refusals, damage and stops, for the table of cases
	$(PYTEST) -k "$(ATTACKED)" --junitxml=outputs/campaigns/tests.xml

campaign-cases: .venv/.tests  ## docs/robustness_cases.md, from what the campaigns left
	PYTHONPATH=tests:tests/helpers $(BIN)/python -m campaigns.cases

lint: .venv/.tests  ## ruff, its formatter and pyright
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python

docs: .venv/.tests  ## the pages below docs/_build, warnings are errors
	$(BIN)/python -m sphinx --fail-on-warning --keep-going docs docs/_build
	@echo docs/_build/index.html

lock: .venv/.uv  ## refresh the pinned requirements after an edit of pyproject.toml
	grep -hv '^-r' requirements.txt requirements-test.txt > .venv/all.txt
	$(LOCK) --quiet --extra test --extra docs --output-file .venv/all.txt
	$(LOCK) --quiet --constraints .venv/all.txt --output-file requirements.txt
	(echo "-r requirements.txt"; grep -vxFf requirements.txt .venv/all.txt) > requirements-test.txt

clean:  ## remove the environment and the tools' caches, never outputs/
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis docs/_build docs/api

# uv reads the requirements: plain pip may take a "+cpu" torch, which no torchvision matches.
.venv/.uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "groundrl needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet uv
	@touch $@

.venv/.runs: .venv/.uv requirements.txt pyproject.toml
	$(UV) install --python $(BIN)/python -r requirements.txt
	$(UV) install --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

.venv/.tests: .venv/.runs requirements-test.txt
	$(UV) install --python $(BIN)/python -r requirements-test.txt
	@touch $@
