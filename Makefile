# Two commands are for users, and each of them sets up what it needs:
#   make demo [ARGS="..."]   run the main job
#   make test                run every check
# A third one, for who maintains it, is no part of the checks:
#   make test-oldest         run the tests with the oldest releases that are allowed
# Override PYTHON (the interpreter to start from), VENV (where the virtual
# environment lies) or WORKERS (parallel test processes) if need be.

PYTHON ?= python3
VENV ?= .venv
OLDEST ?= .venv-oldest
WORKERS ?= 2
ARGS ?=
PYTEST_ARGS ?=

python := $(VENV)/bin/python
install := $(python) -m pip install -q --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-oldest lint doc clean

demo: $(VENV)/.demo-ready
	@$(python) -m sklearn_pb demo $(ARGS)

# The quick checks come first, pytest last: its summary is what stays in view.
# One thread a worker, because torch would otherwise start as many as there are
# cores in every worker.
test: lint doc
	OMP_NUM_THREADS=1 $(python) -m pytest -q -n $(WORKERS) --doctest-modules $(PYTEST_ARGS)

test-oldest: $(OLDEST)/.test-ready
	OMP_NUM_THREADS=1 $(OLDEST)/bin/python -m pytest -q -n $(WORKERS) $(PYTEST_ARGS)

lint: $(VENV)/.test-ready
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy

doc: $(VENV)/.test-ready
	$(python) -m sphinx -q -W --keep-going -b html doc doc/_build/html

clean:
	rm -rf .venv .venv-oldest build dist *.egg-info doc/_build doc/api
	rm -rf .mypy_cache .pytest_cache .ruff_cache

# The set-up. A stamp file is newer than what it was made from, so a changed
# pyproject.toml or constraints.txt installs again and nothing else needs a network.

$(VENV)/.demo-ready: pyproject.toml constraints.txt | $(python)
	@echo "Installing sklearn_pb into $(VENV); the first time takes a few minutes."
	$(install) -e '.[fast,plot]'
	@touch $@

$(VENV)/.test-ready: pyproject.toml constraints.txt | $(python)
	@echo "Installing sklearn_pb into $(VENV); the first time takes a few minutes."
	$(install) -e '.[test,doc]'
	@touch $(VENV)/.demo-ready $@

$(OLDEST)/.test-ready: pyproject.toml constraints-min.txt
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install -q --disable-pip-version-check \
	  -c constraints-min.txt -e '.[test]'
	@touch $@

$(python):
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit( \
	"sklearn_pb needs Python >= 3.10, and $(PYTHON) is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
