# Every target makes or updates .venv first; when nothing has changed that takes a moment and asks nothing of the network.
PYTHON ?=
DEVICE ?= $(or $(WORKBOOK_DEVICE),auto)
NOTEBOOKS ?=
LAB_FLAGS ?=
PYTEST_FLAGS ?=
LOCK_FLAGS ?=

VENV := .venv/bin/python
# Any Python from 3.6 on can run the set-up, which then looks for one that can run the workbook.
STARTERS := $(PYTHON) python3 python3.13 python3.12 python3.11 python
IS_PYTHON := -c 'import sys; sys.exit(sys.version_info < (3, 6))' >/dev/null 2>&1
STARTER = $(shell for name in $(STARTERS); do "$$name" $(IS_PYTHON) && echo "$$name" && break; done)
NO_PYTHON := echo "No Python was found: install Python 3.11, 3.12 or 3.13, or name it: make lab PYTHON=..." >&2; false

# On this machine only (the token stays on), at the first notebook, without news and update questions.
LAB := --ServerApp.ip=127.0.0.1 --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb
LAB += --LabApp.news_url=None --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate

export WORKBOOK_DEVICE := $(DEVICE)
# Small fits are faster on one thread than on two that wait for each other; TensorFlow has threads of its own.
export OPENBLAS_NUM_THREADS ?= 1
unexport PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help
.PHONY: help setup lab test run runs site check bench doctor lock clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):[^#]*## /  make \1	/p' Makefile | expand -t 15
	@echo "Options: DEVICE=cpu|gpu|auto, PYTHON=python3.12, NOTEBOOKS='notebooks/01*.ipynb', PYTEST_FLAGS='-x', LAB_FLAGS=..."

setup: ## make .venv and install the workbook in it
	@starter="$(STARTER)"; if [ -z "$$starter" ]; then $(NO_PYTHON); \
	else "$$starter" tools/setup_environment.py --python "$(PYTHON)" --device "$(DEVICE)"; fi

lab: setup ## open the workbook in JupyterLab
	@$(VENV) -m helpers weights || echo "The notebooks that use VGG16 wait for these weights; the others work without." >&2
	@$(VENV) -m jupyterlab $(LAB) $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_FLAGS)

test: setup ## run every test and every notebook
	@$(VENV) -m helpers weights
	@$(if $(filter gpu,$(DEVICE)),$(VENV) -m helpers doctor --require-gpu)
	$(VENV) -m pytest $(PYTEST_FLAGS)

run: setup ## execute notebooks and store their outputs (NOTEBOOKS=...)
	$(VENV) tools/run_notebooks.py $(NOTEBOOKS)

runs: setup ## record the long runs that notebooks 05 and 06 show (an hour)
	$(VENV) tools/record_runs.py

site: setup ## render the course as a static, searchable site, in the folder site
	$(VENV) tools/build_site.py

check: setup ## lint, format and house style
	$(VENV) -m ruff check .
	$(VENV) -m ruff format --check .
	$(VENV) -m pytest -q tests/test_house_style.py

bench: setup ## measure how fast it is here
	$(VENV) -m benchmarks

doctor: setup ## look over the installation
	@$(VENV) -m helpers doctor

lock: setup ## resolve both lock files anew (needs uv; LOCK_FLAGS=--upgrade)
	$(VENV) tools/lock.py $(LOCK_FLAGS)

clean: ## remove .venv and what the tools left (the weights stay in their cache)
	rm -rf .venv build site dist *.egg-info .pytest_cache .ruff_cache
