# make demo    record the sample shop under load and look at it      make test   set up and run the tests
# make check   formatting, types, import rules, packaging            make bench  the figures the docs quote
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
SOURCES := $(shell find profiler aggregator viewer -type f -not -path '*/__pycache__/*' -not -name '*.so')

.PHONY: demo test check check-c bench format clean

# Two stamps: dependencies change rarely and take long, our own code is reinstalled in seconds.
# Tests and checks see the installed package, not the folders: what is missing in it shows.
$(VENV)/.dependencies: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "flamespan needs Python 3.11 or later; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=23.1" "setuptools>=77"
	@touch $@

$(VENV)/.shop: $(VENV)/.dependencies $(SOURCES)
	$(BIN)/python -m pip install --quiet --upgrade ".[plot,shop]"
	@touch $@

$(VENV)/.check: $(VENV)/.dependencies $(SOURCES)
	$(BIN)/python -m pip install --quiet ".[check]"
	@touch $@ $(VENV)/.shop

demo: $(VENV)/.shop
	$(BIN)/python samples/demo.py

# Those tests mostly wait for Chromium, or compute: two at a time. All others measure real time, or use
# it up. What fails on a busy machine gets a second try, alone, for everybody to see.
AT_ONCE = tests/browser tests/viewer tests/aggregator/exporting tests/aggregator/importing
AGAIN = || { echo "== What failed, once more"; \
	  $(BIN)/python -m pytest --last-failed --last-failed-no-failures none; }

test: $(VENV)/.check
ifeq ($(strip $(ARGS)),)
	$(BIN)/python -m pytest --durations=10 -q -n 2 --dist loadfile $(AT_ONCE) $(AGAIN)
	$(BIN)/python -m pytest --durations=25 $(AT_ONCE:%=--ignore=%) $(AGAIN)
else
	$(BIN)/python -m pytest $(ARGS)
endif

check: $(VENV)/.check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(MAKE) --no-print-directory check-c
	cd $(VENV) && bin/mypy --config-file ../pyproject.toml -p flamespan.profiler -p flamespan.aggregator -p flamespan.viewer
	$(BIN)/lint-imports
	.ci/check-page

# Every C source on its own, warnings as errors, with each compiler that is here.
check-c: $(VENV)/.check
	@found=; for cc in gcc clang; do command -v $$cc >/dev/null || continue; found=1; \
	  for f in profiler/engine/native/*.c; do \
	    $$cc -std=c11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -fsyntax-only \
	      -isystem $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("include"))') $$f || exit 1; \
	  done; done; \
	[ "$$found" ] || echo "no C compiler is here: the C core was not checked"

bench: $(VENV)/.check
	for f in tests/bench/bench_*.py; do echo "== $$f"; $(BIN)/python $$f || exit 1; done

format: $(VENV)/.check
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build demo *.egg-info .pytest_cache .mypy_cache .ruff_cache
