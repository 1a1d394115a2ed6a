# `make` lists the targets. All of them use .venv in this folder.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Compiled tests and runtime checks are worth half a minute.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help venv lint check fix test notebooks reproduce figures docs lab dashboard gallery diffs gpu clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):[^#]*## */\1\t/' | expand -t 12

venv: $(BIN)/.installed ## set up .venv with everything that the project needs
$(BIN)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"cocodesign needs Python 3.11 or newer, $(PYTHON) is {v.major}.{v.minor}: call make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

lint: venv ## format, lint, types, layers
	ruff format --check .
	ruff check .
	basedpyright
	lint-imports --no-logo

check: lint ## all that must hold before a commit, in a minute; changes nothing
	pytest -q -n 2 -m "not slow and not gpu and not notebook and not distributed"

fix: venv ## repair what can be repaired
	ruff check --fix .
	ruff format .

test: lint ## what CI runs: all tests that need no accelerator
	pytest -q -m "not gpu"

notebooks: venv ## each notebook at its defaults
	pytest -q -m notebook

reproduce: venv ## data, runs, figures and verdict at the laptop profile
	cocodesign reproduce

figures: venv ## every paper figure, from records
	cocodesign figures

docs: venv ## the documentation, into site/
	NO_MKDOCS_2_WARNING=1 mkdocs build

lab: venv ## JupyterLab on the home page
	jupyter lab --ServerApp.ip=127.0.0.1 --ServerApp.root_dir=$(CURDIR) --LabApp.news_url=None --LabApp.default_url=/lab/tree/notebooks/00_overview.ipynb

dashboard: venv ## the home page without code, at http://127.0.0.1:8866
	voila notebooks/00_overview.ipynb --Voila.ip=127.0.0.1 --port=8866 --MappingKernelManager.cull_idle_timeout=600 --MappingKernelManager.cull_interval=60 --VoilaConfiguration.extension_denylist=nbdime-jupyterlab

gallery: venv ## executed notebooks as web pages, in docs/gallery
	cocodesign gallery

diffs: venv ## git diff and merge that understand notebooks
	nbdime config-git --enable

gpu: ## every GPU check and benchmark, with the Python at hand if there is no .venv
	$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) -m benchmarks.gpu_session --out benchmarks/results

clean: ## remove runs and figures, keep .venv and data
	rm -rf runs paper_figures/out .snakemake
