# Two commands do everything: `make demo` and `make test`. Each sets up .venv on first use.
# Empty: .venv is made with the newest supported Python that works.
PYTHON ?=
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.vesselkit-ready
LOCK_VENV := build/lock-venv

# Models and tokenizers are read from given folders; nothing is fetched at run time.
export HF_HUB_OFFLINE := 1
export TRANSFORMERS_OFFLINE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUTF8 := 1
# Empty, also where a machine sets it: without compiled files each of the many processes compiles the kit again.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo test quick releases lab review lint format lock docs pages wheels pythons clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## install the pinned packages and vesselkit into .venv (done by the others when needed)

# Looked at each time, also where the stamp is newer: an upgrade of the system takes its Python away.
.PHONY: environment
environment:
	@scripts/make_venv.sh "$(VENV)" "$(PYTHON)"

$(STAMP): requirements.lock pyproject.toml | environment
	@scripts/install_lock.sh "$(VENV)" requirements.lock
	$(BIN)/pip install --quiet --no-deps --editable .
	@# The first import writes yapf's tables, which another process that reads them meanwhile finds empty.
	@$(BIN)/python -c "import mmengine.config"
	@touch $@

demo: $(STAMP) ## from a trained tiny checkpoint to masks, scores and a review, through the notebooks
	$(BIN)/python -m helpers.dev.demo

# Three workers on two cores: one waits for a kernel, a browser or the disk now and then.
test: $(STAMP) ## check style, run the tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@$(BIN)/python -m compileall -q -j 2 helpers # else each worker compiles all of it
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist worksteal -m "not releases and not endurance"

releases: $(STAMP) ## before a release: the newest transformers, and long tests of what seldom changes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "releases or endurance"

# Without models, browsers and what starts many processes: for the minutes between two commits.
QUICK := not model and not browser and not slow and not longest and not bare and not endurance
quick: $(STAMP) ## check style, run the tests that need no model and no browser: two minutes
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "$(QUICK)"

LAB ?= # such as: make lab LAB="--no-browser --port 8889"
PROSE ?= en
lab: $(STAMP) ## open JupyterLab on working copies of the notebooks; PROSE=zh in Chinese; LAB="OPTIONS" passes it options
	@$(BIN)/python -m helpers.notebook.project_folder --language $(PROSE)
	$(BIN)/jupyter lab --notebook-dir=. --LabApp.default_url=/lab/tree/outputs/notebooks $(LAB)

REVIEW ?= # such as: make review REVIEW="-p data DATASET -p project NAME -p reviewer ann"
review: $(STAMP) ## review the latest run of `make demo` in the browser; REVIEW="-p data DATASET ..." for others
	$(BIN)/python -m helpers.notebook.serve $(REVIEW)

pythons: $(STAMP) ## set up, demo and quick tests on each supported Python at hand, in build/pythons
	$(BIN)/python -m scripts.pythons build/pythons

lint: $(STAMP) ## check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(STAMP) ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(STAMP) ## write docs/cli.md, docs/notebooks.md and the notebooks' cells of parameters again
	$(BIN)/python -m typer helpers.cli.app utils docs --name vesselkit --title Commands --output docs/cli.md
	$(BIN)/python -m helpers.notebook.parameter_table

pages: $(STAMP) ## write docs/pages again from the notebooks that `make demo` ran
	$(BIN)/python -m helpers.dev.demo.pages

# torch first and alone: a range alone would take the newest torch. The oldest Python finds what all of them take, save for
# soupsieve, whose later versions want Python 3.11.5: Debian 12 has 3.11.2.
lock: $(STAMP) ## resolve the newest versions again, into requirements.lock and environment.yml
	rm -rf $(LOCK_VENV)
	scripts/make_venv.sh $(LOCK_VENV) $(or $(PYTHON),python3.11)
	$(LOCK_VENV)/bin/pip install --quiet torch==2.13.0
	$(LOCK_VENV)/bin/pip install --quiet --editable '.[lab,train,dicom,video,grid,dev]' 'soupsieve<3'
	$(LOCK_VENV)/bin/pip freeze --exclude-editable > $(LOCK_VENV)/freeze.txt
	$(BIN)/python scripts/write_lock.py $(LOCK_VENV)/freeze.txt

# For a machine that has torch and transformers and no network.
WHEELS := mmengine addict termcolor yapf platformdirs pydicom pycocotools av
wheels: $(STAMP) ## collect in build/wheels what training needs where there is no network
	for version in 3.11 3.12 3.13 3.14; do \
	  $(BIN)/pip download --quiet --no-deps --only-binary :all: --python-version $$version \
	    --constraint requirements.lock --dest build/wheels $(WHEELS) || exit; \
	done

clean: ## remove caches and builds; .venv and outputs stay
	rm -rf build vesselkit.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find helpers tests scripts notebooks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
