# The verbs of the project: CI runs these, and so does a person.
#
#   make demo    the whole way on the built-in storybook, ending with stories and a report
#   make test    every test but the slow ones
#
# Both create what they need: .venv with the packages of constraints.txt, and the Rust core.

PYTHON ?= python3
JOBS ?= 2
BIN := .venv/bin
RUST := Cargo.toml Cargo.lock $(wildcard crates/*/Cargo.toml) $(shell find crates -name '*.rs' -not -path '*/target/*')

.PHONY: setup demo test test-slow unsafe lint types bench docs format lock clean

setup: .venv/.dev .venv/.native

demo: .venv/.native
	$(BIN)/homespun demo

test: setup
	cargo test --quiet --locked -p homespun-bpe
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(JOBS) -m "not slow"

test-slow: setup
	$(BIN)/python -m pytest -q -m slow --timeout 1800

# What is unsafe, under Miri, the address sanitizer and an emulated ARM processor: see docs/design/unsafe.md.
unsafe:
	tools/check_unsafe.sh

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/typos
	cargo fmt --all --check
	cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
	cargo clippy --quiet --locked --workspace --lib -- -D warnings -D clippy::unwrap_used

types: setup
	$(BIN)/pyright
	$(BIN)/python -m mypy.stubtest homespun._native --ignore-disjoint-bases

# On generated stories, or on a text of one's own: make bench TEXT=my.txt. With GPT-2's files beside it,
# make bench GPT2=FOLDER (gpt2_vocab.json, gpt2_merges.txt), encoding is compared on that vocabulary too.
TEXT ?= data/bench/stories.txt
VOCABULARIES := cl100k $(if $(GPT2),gpt2)

bench: setup $(TEXT)
	$(BIN)/python tools/requirements.py bench | $(BIN)/pip install -q -c constraints.txt -r /dev/stdin
	$(BIN)/python benchmarks/bpe_train.py $(TEXT) --vocab-size 8000
	for vocabulary in $(VOCABULARIES); do \
	    $(BIN)/python benchmarks/bpe_encode.py $(TEXT) --vocabulary $$vocabulary --gpt2 "$(GPT2)" && \
	    $(BIN)/python benchmarks/bpe_calls.py $(TEXT) --vocabulary $$vocabulary --gpt2 "$(GPT2)" || exit 1; \
	done
	$(if $(GPT2),$(BIN)/python benchmarks/bpe_long_documents.py --gpt2 $(GPT2))
	$(BIN)/python benchmarks/train_step.py

data/bench/stories.txt: | .venv/.native
	mkdir -p $(@D)
	$(BIN)/homespun corpus storybook --stories 100000 --out $@

docs: setup
	$(BIN)/python tools/requirements.py docs | $(BIN)/pip install -q -c constraints.txt -r /dev/stdin
	$(BIN)/mkdocs build --strict --quiet

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cargo fmt --all

# Writes the set of packages that CI tests, from a fresh environment.
lock:
	tools/lock.sh

clean:
	rm -rf .venv target

.venv/.train: pyproject.toml constraints.txt tools/requirements.py
	@PYTHON=$(PYTHON) tools/check_machine.sh
	$(PYTHON) -m venv .venv
	@echo "installing packages (torch is several gigabytes; a minute or more)"
	$(BIN)/python tools/requirements.py train | $(BIN)/pip install -q -c constraints.txt -r /dev/stdin
	@touch $@

.venv/.dev: .venv/.train
	$(BIN)/python tools/requirements.py train scale dev | $(BIN)/pip install -q -c constraints.txt -r /dev/stdin
	@touch $@

.venv/.native: .venv/.train $(RUST)
	@echo "building the Rust core"
	PATH="$(CURDIR)/$(BIN):$$PATH" VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/maturin develop --quiet --release --locked --skip-install
	$(BIN)/pip install -q --no-deps --no-build-isolation --editable . --config-settings=build-args="--locked"
	@touch $@
