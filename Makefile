# The verbs of the project: CI runs these, and so does a person. `make help` lists them.
#
# Every verb creates what it needs: .venv with the packages of constraints.txt, and the Rust extension.

PYTHON ?= python3
JOBS ?= 2
BIN := .venv/bin
RUST := Cargo.toml Cargo.lock $(wildcard crates/*/Cargo.toml) $(shell find crates -name '*.rs' -not -path '*/target/*')
CARGO_TEST := $(shell cargo nextest --version >/dev/null 2>&1 && echo nextest run || echo test)

.DEFAULT_GOAL := help
.PHONY: help setup extension demo fast test test-py test-rust test-slow unsafe lint types bench bench-rust experiments docs format lock clean

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-11s %s\n", $$1, $$2}'

setup: .venv/.dev extension ## create .venv and build the extension

# The optimized extension if it is up to date, else one that builds faster: tests run on either.
extension: .venv/.dev
	@$(MAKE) --question .venv/.native 2>/dev/null || $(MAKE) --no-print-directory .venv/.fast

demo: .venv/.native ## run the full pipeline on the built-in storybook, ending with stories and a report
	$(BIN)/homespun demo

fast: setup ## after an edit: the quick tests of what changed since the last commit
	OMP_NUM_THREADS=1 $(BIN)/python tools/test_changes.py

test: test-rust test-py ## every test but the slow ones

T ?= tests
test-py: setup ## the Python tests; one file or folder with T=tests/model
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q $(if $(filter tests,$(T)),-n $(JOBS)) -m "not slow" $(T)

test-rust: ## the tests of crates/bpe and crates/kernels
	cargo $(CARGO_TEST) --cargo-profile fast --locked -p homespun-bpe -p homespun-kernels
	cargo test --quiet --profile fast --locked -p homespun-bpe --doc

test-slow: setup ## the long comparisons with peers, kills at random moments
	$(BIN)/python -m pytest -q -m slow --timeout 1800

unsafe: ## unsafe Rust under Miri, the address sanitizer and an emulated ARM processor; see docs/design/unsafe.md
	tools/check_unsafe.sh

lint: setup ## ruff, typos, rustfmt, clippy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/typos
	cargo fmt --all --check
	cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
	cargo clippy --quiet --locked --workspace --lib -- -D warnings -D clippy::unwrap_used

types: setup ## pyright, and stubtest of the extension
	$(BIN)/pyright
	$(BIN)/python -m mypy.stubtest homespun._native --ignore-disjoint-bases

# On generated stories, or on a text of one's own: make bench TEXT=my.txt. With GPT-2's files next to it,
# make bench GPT2=FOLDER (gpt2_vocab.json, gpt2_merges.txt), encoding is compared on that vocabulary too.
TEXT ?= data/bench/stories.txt
VOCABULARIES := cl100k $(if $(GPT2),gpt2)

bench: .venv/.dev .venv/.native $(TEXT) ## the tokenizer and a training step next to their peers
	$(BIN)/python tools/requirements.py bench | $(BIN)/pip install -q -c constraints.txt -r /dev/stdin
	$(BIN)/python benchmarks/bpe_train.py $(TEXT) --vocab-size 8000
	for vocabulary in $(VOCABULARIES); do \
	    $(BIN)/python benchmarks/bpe_encode.py $(TEXT) --vocabulary $$vocabulary --gpt2 "$(GPT2)" && \
	    $(BIN)/python benchmarks/bpe_calls.py $(TEXT) --vocabulary $$vocabulary --gpt2 "$(GPT2)" || exit 1; \
	done
	$(if $(GPT2),$(BIN)/python benchmarks/bpe_long_documents.py --gpt2 $(GPT2))
	$(BIN)/python benchmarks/train_step.py

# On texts that the benchmark generates, or on one of one's own with TEXT=my.txt; one path with BENCH=encode.
bench-rust: ## the hot paths of crates/bpe, compared with the last run
	$(if $(filter command,$(firstword $(origin TEXT))),HOMESPUN_BENCH_TEXT=$(abspath $(TEXT))) \
	    cargo bench --locked -p homespun-bpe -- $(BENCH)

data/bench/stories.txt: | .venv/.native
	mkdir -p $(@D)
	$(BIN)/homespun corpus storybook --stories 100000 --out $@

SCALE ?= cpu
experiments: .venv/.dev .venv/.native ## every named experiment into docs/experiments: hours; SCALE=smoke: minutes
	tools/run_experiments.sh $(SCALE) $(JOBS)

docs: setup ## build the documentation
	$(BIN)/python tools/requirements.py docs | $(BIN)/pip install -q -c constraints.txt -r /dev/stdin
	$(BIN)/mkdocs build --strict --quiet

format: setup ## apply what the formatters can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cargo fmt --all

lock: ## write constraints.txt, the packages that CI tests, from a fresh environment
	tools/lock.sh

clean: ## remove .venv and the Rust build
	rm -rf .venv target

.venv/.train: pyproject.toml constraints.txt tools/requirements.py
	@PYTHON=$(PYTHON) tools/check_machine.sh
	$(PYTHON) -m venv .venv
	@rm -f .venv/.editable
	@echo "installing packages (torch is several gigabytes; a minute or more)"
	$(BIN)/python tools/requirements.py train | $(BIN)/pip install -q -c constraints.txt -r /dev/stdin
	@touch $@

.venv/.dev: .venv/.train
	$(BIN)/python tools/requirements.py train track scale dev | $(BIN)/pip install -q -c constraints.txt -r /dev/stdin
	@touch $@

# Build the extension with a Cargo profile, into src/homespun; the package itself is installed once.
define build_extension
	@echo "building the Rust extension (profile $(1))"
	PATH="$(CURDIR)/$(BIN):$$PATH" VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/maturin develop --quiet --profile $(1) --locked --skip-install
	@[ -f .venv/.editable ] || $(BIN)/pip install -q --no-deps --no-build-isolation --editable . --config-settings=build-args="--locked --profile $(1)"
	@touch .venv/.editable
endef

.venv/.native: .venv/.train $(RUST)
	$(call build_extension,release)
	@rm -f .venv/.fast && touch $@

.venv/.fast: .venv/.train $(RUST)
	$(call build_extension,fast)
	@rm -f .venv/.native && touch $@
