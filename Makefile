# make run    set up and start everything on http://127.0.0.1:8000
# make test   set up and prove everything
.PHONY: run test lint bench clean venv runtime tools chromium
.SILENT:
MAKEFLAGS += --no-print-directory
# Tests start many short processes; each would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
# PYTHON=… names another interpreter; it is asked first.
PYTHONS := $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore $(BIN)/python -m pip install --quiet --no-input

run: runtime
	COUNTINGHOUSE_STOP_WITH_PARENT=1 exec $(BIN)/python -m dashboard.serve

test: tools chromium lint
	echo "pytest"
	$(BIN)/python -m pytest -q --numprocesses 2 --dist loadfile --no-loadscope-reorder

lint: tools
	echo "ruff"
	$(BIN)/ruff check --quiet .
	echo "mypy"
	$(BIN)/mypy --no-error-summary
	echo "import-linter"
	$(BIN)/lint-imports --no-logo > $(VENV)/import-linter.log || { cat $(VENV)/import-linter.log; exit 1; }

bench: tools
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache test-results
	find dashboard migrations tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

chromium: tools
	$(BIN)/python tests/browser/install_chromium.py

# A copy of what was installed stands in the environment: it is installed again when the files differ from it.
runtime: venv
	cmp -s requirements.txt $(VENV)/installed.txt || { \
	  echo "Installing requirements"; \
	  $(PIP) -r requirements.txt && cp requirements.txt $(VENV)/installed.txt; }

tools: venv
	cat requirements.txt requirements-test.txt | cmp -s - $(VENV)/installed-test.txt || { \
	  echo "Installing requirements and test tools"; \
	  $(PIP) -r requirements-test.txt && cp requirements.txt $(VENV)/installed.txt && \
	  cat requirements.txt requirements-test.txt > $(VENV)/installed-test.txt; }

venv:
	$(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  for python in $(PYTHONS); do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; \
	  done; \
	  if [ -z "$$python" ]; then echo "Python 3.11 or newer is needed; PYTHON=/path/to/python make … names one" >&2; exit 1; fi; \
	  echo "Creating $(VENV) with $$python"; \
	  "$$python" -m venv --clear $(VENV) || { \
	    echo "The environment could not be made; on Debian and Ubuntu install python3-venv" >&2; rm -rf $(VENV); exit 1; }; }
