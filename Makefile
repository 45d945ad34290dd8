# make help lists the targets.  PYTHON=... chooses the interpreter, ARGS=... goes to `fastswitch run`.

PYTHON ?= python3
ARGS   ?=
VENV   := .venv
BIN    := $(VENV)/bin
QUICK  := tests/arch_model tests/test_docs.py tests/test_fastswitch.py arch_model
STAMP  := $(VENV)/.installed
EXTRAS := sim,report,explore,ray,dask,rtl,synth,docs,test,lint

.DEFAULT_GOAL := help
.PHONY: help setup run test quick lint types docs examples blocks clean moved

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

setup: $(STAMP) ## make .venv and install the project in it
	@:$(needs_tools)

run: setup ## serve 16 real queries on the accelerator's RTL (ARGS="--queries 4 --out DIR" and so on)
	@$(BIN)/fastswitch run $(ARGS)

test: setup ## run all tests
	@$(BIN)/python -m pytest

quick: setup ## run the tests that take seconds: the model and the command line
	@$(BIN)/python -m pytest --quiet $(QUICK)

lint: setup ## check style: ruff
	@$(BIN)/ruff check .

types: setup ## check types, and the names that tests, benches and examples use: mypy
	@$(BIN)/mypy

docs: setup ## build the documentation site in build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

examples: setup ## run all examples and put what they print in docs/how-to/examples.md
	@$(BIN)/python docs/site/run_examples.py

blocks: setup ## run every code block of the pages in a clean folder (ARGS="docs/how-to/explore.md" names pages; an hour for all)
	@$(BIN)/python docs/site/run_blocks.py $(ARGS)

clean: ## remove everything that make and the runs have made, .venv too
	rm -rf $(VENV) build dist *.egg-info fastswitch-out .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What is missing, by its Debian package. $(error) says it in one line; a recipe that fails adds a second.
missing = $(error missing: $(1). On Debian: apt install $(1))
tools_lacking = $(strip $(foreach tool,perl g++,$(if $(shell command -v $(tool)),,$(tool))))
needs_tools = $(if $(tools_lacking),$(call missing,$(tools_lacking)))

# cocotb loads the interpreter as a shared library, which Debian keeps apart from python3.
python_can = $(shell $(PYTHON) -c "import sys; import ctypes; from sysconfig import get_config_var as var; $(1)" \
               >/dev/null 2>&1 && echo yes)
python_version = $(shell $(PYTHON) -c "import sys; print('%d.%d' % sys.version_info[:2])" 2>/dev/null)
python_lacking = $(if $(call python_can,import venv; import ensurepip),,python3-venv) \
  $(if $(or $(call python_can,ctypes.CDLL(var('INSTSONAME'))), \
            $(call python_can,ctypes.CDLL(var('LIBDIR') + '/' + var('INSTSONAME')))),,libpython$(python_version))

define needs_all
$(if $(python_version),,$(call missing,$(strip python3 python3-venv $(tools_lacking))))
$(if $(call python_can,assert sys.hexversion >= 0x30b0000),,$(error \
  $(PYTHON) is $(python_version), FastSwitch needs 3.11 or newer: make PYTHON=... names another))
$(if $(strip $(python_lacking) $(tools_lacking)),$(call missing,$(strip $(python_lacking) $(tools_lacking))))
endef

# A tree that was copied or moved carries an environment that points elsewhere: make it anew.
ifneq ($(shell cat $(STAMP) 2>/dev/null),$(CURDIR))
$(STAMP): moved
endif
moved:

$(STAMP): pyproject.toml
	$(needs_all)
	@if [ -e $@ ] && [ "$$(cat $@)" != "$(CURDIR)" ]; then rm -rf $(VENV); fi
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@echo "Installing FastSwitch and its tools in $(VENV); the first time takes a minute or two."
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	@printf '%s' "$(CURDIR)" > $@
