# Two commands do everything: `make demo` and `make test`. Each sets up .venv on first use.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.vesselkit-ready
LOCK_VENV := build/lock-venv

# Models and tokenizers are read from given folders; nothing is fetched at run time.
export HF_HUB_OFFLINE := 1
export TRANSFORMERS_OFFLINE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test lab review lint format lock docs pages wheels clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## install the pinned packages and vesselkit into .venv (done by the others when needed)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null || \
	  { echo "make: '$(PYTHON)' is not Python 3.11 or 3.12; install one, or name it: make PYTHON=python3.12 ..." >&2; exit 2; }
	@test -x $(BIN)/python || { echo "setting up $(VENV) (once, some minutes)"; $(PYTHON) -m venv $(VENV); }
	$(BIN)/pip install --quiet --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@

demo: $(STAMP) ## from a trained tiny checkpoint to masks, scores and a review, through the notebooks
	$(BIN)/python -m helpers.demo

test: $(STAMP) ## check style, run the tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

LAB ?= # such as: make lab LAB="--no-browser --port 8889"
lab: $(STAMP) ## open JupyterLab; LAB="OPTIONS" passes it options
	$(BIN)/jupyter lab --notebook-dir=. $(LAB)

REVIEW ?= # such as: make review REVIEW="-p data DATASET -p project NAME -p reviewer ann"
review: $(STAMP) ## review the latest run of `make demo` in the browser; REVIEW="-p data DATASET ..." for others
	$(BIN)/python -m helpers.notebook.serve $(REVIEW)

lint: $(STAMP) ## check style only
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(STAMP) ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(STAMP) ## write docs/cli.md, docs/notebooks.md and the notebooks' cells of parameters again
	$(BIN)/python -m helpers.cli.reference
	$(BIN)/python -m helpers.notebook.reference

pages: $(STAMP) ## write docs/pages again from the notebooks that `make demo` ran
	$(BIN)/python -m helpers.demo.pages

# torch first and alone: a range alone would take the newest torch.
lock: $(STAMP) ## resolve the newest versions again, into requirements.lock and environment.yml
	rm -rf $(LOCK_VENV)
	$(PYTHON) -m venv $(LOCK_VENV)
	$(LOCK_VENV)/bin/pip install --quiet torch==2.13.0
	$(LOCK_VENV)/bin/pip install --quiet --editable '.[dev]'
	$(LOCK_VENV)/bin/pip freeze --exclude-editable > $(LOCK_VENV)/freeze.txt
	$(BIN)/python scripts/write_lock.py $(LOCK_VENV)/freeze.txt

# For a machine that has torch and transformers and no network.
WHEELS_PYTHON ?= 3.12
WHEELS := mmengine addict termcolor yapf platformdirs pydicom pycocotools av
wheels: $(STAMP) ## collect in build/wheels what training needs where there is no network
	$(BIN)/pip download --quiet --no-deps --only-binary :all: --python-version $(WHEELS_PYTHON) \
	  --constraint requirements.lock --dest build/wheels $(WHEELS)

clean: ## remove caches and builds; .venv and outputs stay
	rm -rf build vesselkit.egg-info .pytest_cache .ruff_cache .hypothesis
	find helpers tests scripts notebooks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
