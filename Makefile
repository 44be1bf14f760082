# Every target makes or updates .venv first; when nothing has changed that takes a moment and asks nothing of the network.
PYTHON ?=
DEVICE ?= $(or $(WORKBOOK_DEVICE),auto)
NOTEBOOKS ?=
LAB_FLAGS ?=
PYTEST_FLAGS ?=
# Two files of tests run side by side, the cells of one notebook stay together; WORKERS=0 runs one after the other.
WORKERS ?= 2
LOCK_FLAGS ?=

VENV := .venv/bin/python
# On this machine only (the token stays on), at the first notebook.
LAB := --ServerApp.ip=127.0.0.1 --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb

export WORKBOOK_DEVICE := $(DEVICE)
# Small fits are faster on one thread than on two that wait for each other; TensorFlow has threads of its own.
export OPENBLAS_NUM_THREADS ?= 1
unexport PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help
.PHONY: help setup lab test run runs site assignments classroom check bench doctor lock clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):[^#]*## /  make \1	/p' Makefile | expand -t 15
	@echo "Options: DEVICE=cpu|gpu|auto, PYTHON=python3.12, NOTEBOOKS='notebooks/01*.ipynb', PYTEST_FLAGS='-x', WORKERS=0, LAB_FLAGS=..."

setup: ## make .venv and install the workbook in it
	@for python in $(VENV) $(PYTHON) python3 python3.13 python3.12 python3.11 python; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' >/dev/null 2>&1 && \
		exec "$$python" tools/setup_environment.py --python "$(PYTHON)" --device "$(DEVICE)"; \
	done; echo "No Python was found: install Python 3.11, 3.12 or 3.13, or name it: make lab PYTHON=..." >&2; exit 1

lab: setup ## open the workbook in JupyterLab
	@$(VENV) -m helpers weights || echo "The notebooks that use VGG16 wait for these weights; the others work without." >&2
	@$(VENV) -m jupyterlab $(LAB) $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_FLAGS)

test: setup ## run every test and every notebook
	@$(VENV) -m helpers weights
	@$(if $(filter gpu,$(DEVICE)),$(VENV) -m helpers doctor --require-gpu)
	$(VENV) -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_FLAGS)

run: setup ## execute notebooks and store their outputs (NOTEBOOKS=...)
	$(VENV) tools/run_notebooks.py $(NOTEBOOKS)

runs: setup ## record the long runs that are missing (hours); with COMPARE=1 repeat them and compare
	$(VENV) tools/record_arms.py $(if $(COMPARE),--compare)
	$(VENV) tools/record_film.py
	$(VENV) tools/record_sources.py
	$(VENV) tools/record_kinds.py
	$(VENV) tools/record_adaptation.py
	$(VENV) tools/record_lifelong.py
	$(VENV) tools/record_bugs.py

site: setup ## render the course as a static, searchable site, in the folder site
	$(VENV) tools/build_site.py

classroom: setup ## install what a class needs besides, in .venv-classroom
	@$(VENV) tools/setup_classroom.py

assignments: classroom ## make every version of the assignments, in build/assignments
	.venv-classroom/bin/python -m assignments build
	@echo "docs/TEACHING.md says how to go on, with two more commands."

check: setup ## lint, format, imports, house style, lines per room
	$(VENV) -m ruff check .
	$(VENV) -m ruff format --check .
	.venv/bin/lint-imports --no-cache --no-logo
	$(VENV) -m pytest -q tests/test_house_style.py tests/test_rooms.py
	$(VENV) tools/count_lines.py

bench: setup ## measure how fast it is here
	$(VENV) -m benchmarks

doctor: setup ## look over the installation
	@$(VENV) -m helpers doctor

lock: setup ## resolve the lock files anew (needs uv; LOCK_FLAGS=--upgrade)
	$(VENV) tools/lock.py $(LOCK_FLAGS)

clean: ## remove .venv and what the tools left (the weights stay in their cache)
	rm -rf .venv .venv-classroom build site dist *.egg-info .pytest_cache .ruff_cache
