# `make reproduce` and `make test` are the two commands; everything they need is set up on the first call.
PYTHON ?= python3
SCALE ?= laptop
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# One thread per process: the runs are parallel already, and BLAS threads would fight over the same cores.
export OMP_NUM_THREADS ?= 1

.PHONY: help setup reproduce run verify figures report test lint clean
help: ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## a virtual environment with everything below, exact versions from constraints.txt
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip -c constraints.txt
	$(BIN)/pip install --quiet -c constraints.txt torch
	$(BIN)/pip install --quiet -c constraints.txt -e '.[fast,cluster,test,lint]'
	@touch $@

reproduce: setup ## run every experiment, verify every theorem, draw every figure, write the report (SCALE=ci|laptop|paper)
	$(BIN)/python -m experiments run --scale $(SCALE) --jobs $(JOBS)
	$(BIN)/python -m experiments verify --scale $(SCALE)
	$(BIN)/python -m paper_figures --scale $(SCALE)
	$(BIN)/python -m experiments report --scale $(SCALE)
	@echo
	@echo "Report:  $(CURDIR)/report/index.html   (open it in a browser)"
	@echo "Figures: $(CURDIR)/figures/*.pdf, *.png, with their data in *.csv"

test: setup ## the whole test suite
	$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal

lint: setup ## style, types, and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

clean: ## remove what was made, keep the environment
	rm -rf results figures report
