# make demo    set up, then run the whole path on the simulated fauna (or on DATA=folder)
# make check   set up, then lint, types and the tests that are not slow: minutes, for every change
# make test    set up, then lint, and beside each other types (as on Windows) and all tests, in WORKERS=3 processes
# make fuzz    set up, then read changed files for SECONDS=60 a target, or those of TARGETS="audio plans"; Linux only
# make docs    set up, then the pages of docs/ and the reference as a site, in site/
# make clean   remove the environment and caches

VENV ?= .venv
OUT ?= demo-run
# Tests wait for three tenths of their time: three processes keep two cores busy.
WORKERS ?= 3
SECONDS ?= 60
BIN := $(VENV)/bin
TESTS = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# Modules are compiled once, whatever the shell says: the tests start hundreds of interpreters.
export PYTHONDONTWRITEBYTECODE :=

# The first interpreter that runs and is new enough; PYTHON=... overrides.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

# Some tests lay pages out in a browser. Where there is none and none can be installed, they are skipped.
ROOT_DO = $(shell [ "$$(id -u)" = 0 ] || echo sudo -n)
BROWSER = for program in chromium chromium-browser google-chrome; do command -v $$program >/dev/null && exit 0; done; \
	{ $(ROOT_DO) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(ROOT_DO) apt-get install -y -qq --no-install-recommends chromium; } \
	>/dev/null 2>&1 || echo "no Chromium is here, and none could be installed: tests of pages in a browser are skipped"

.PHONY: demo check test all-tests fuzz lint style types windows-types docs clean

demo: $(VENV)/.installed
	@$(BIN)/biovita demo $(if $(DATA),--data "$(DATA)") --out "$(OUT)"

check: lint
	$(TESTS) -m "not slow"

test: style
	$(MAKE) --jobs=2 windows-types all-tests

all-tests: $(VENV)/.installed-test
	$(TESTS) --durations=30

fuzz: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz/run.py --seconds $(SECONDS) $(TARGETS)

lint: style types

style: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff check --preview --select PLW1514 src  # text files state their encoding
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

# It sees all lines that `types` does: no module asks by `sys.platform` where it runs.
windows-types: $(VENV)/.installed-test
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32

docs: $(VENV)/.installed-docs
	rm -rf site
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs site
	@echo "site/index.html"

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "biovita needs Python 3.11 or newer; none was found. Set PYTHON=/path/to/python3."; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

# Compiling all 24,000 modules takes two minutes; those that the tests import are compiled when they are.
$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --no-compile --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,mteb,docs,excel,raw,fuzz]'
	@$(BROWSER)
	@touch $@ $(VENV)/.installed $(VENV)/.installed-docs

$(VENV)/.installed-docs: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis site build dist
