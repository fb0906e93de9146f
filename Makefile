# Rackstream's commands. `make help` lists them; everything a command needs is made from the lock files first.

.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?=
HOST_PATH := $(PATH)
BIN := .venv/bin
READY := .toolchain/ready

# The same as `.toolchain/activate` sets. Bytecode is wanted: without it every start takes twice as long.
export PATH := $(CURDIR)/.toolchain/bin:$(CURDIR)/.venv/bin:$(PATH)
export SOLCX_BINARY_PATH := $(CURDIR)/.toolchain/solcx
export ETH_HASH_BACKEND := pysha3
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## Say what the commands are
	@echo "Rackstream"; echo
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile
	@echo; echo "Needs Python 3.11 or 3.12 and make; the rest comes from PyPI and npm. PYTHON=… names an interpreter."

$(READY): requirements.lock package-lock.json scripts/_lib/environment.py scripts/_lib/toolchain.py scripts/_lib/solc.js
	@python=$(if $(PYTHON),"$(PYTHON)",$$(PATH="$(HOST_PATH)"; for name in python3 python3.12 python3.11 python; do \
		command -v $$name && break; done)); \
	if [ -z "$$python" ]; then echo "setup: no Python on PATH; 3.11 or 3.12 is needed" >&2; exit 1; fi; \
	PATH="$(HOST_PATH)" "$$python" scripts/_lib/environment.py --python "$(PYTHON)"
	@touch $@

.PHONY: setup
setup: $(READY) ## Make .venv and .toolchain from the lock files

.PHONY: demo
demo: $(READY) ## Tokenise, measure, pay by the inference and stream a GPU cluster (TRACE=FILE, REQUESTS=FILE, EPOCHS=n)
	@$(BIN)/python -m scripts.demo $(if $(TRACE),--trace "$(TRACE)") $(if $(EPOCHS),--epochs $(EPOCHS)) \
		$(if $(REQUESTS),--requests "$(REQUESTS)") $(if $(PRICE),--price "$(PRICE)") $(ARGS)

.PHONY: up
up: $(READY) ## Keep a chain, a database, reporters, agents and a gateway up (TRACE=, REQUESTS=, RPC_URL=, DATABASE_URL=)
	@$(BIN)/python -m scripts.up $(if $(TRACE),--trace "$(TRACE)") $(if $(REQUESTS),--requests "$(REQUESTS)") \
		$(if $(PRICE),--price "$(PRICE)") $(ARGS)

.PHONY: test
test: $(READY) ## Run every test on a local chain (ARGS= for pytest); real processes by themselves
	@$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(if $(ARGS),,--ignore tests/e2e) $(ARGS)
	@$(if $(ARGS),,$(BIN)/python -m pytest tests/e2e)
	@forge test --summary

.PHONY: check
check: $(READY) ## Formatters, linters, types, slither, architecture rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@forge fmt --check contracts tests
	@$(BIN)/python -m scripts._lib.slither_review
	@$(BIN)/python -m pytest -q tests/architecture

.PHONY: gas
gas: $(READY) ## Measure every operation's gas into tests/gas/ledger.json
	@$(BIN)/python -m pytest -q tests/gas --update-ledger $(ARGS)

.PHONY: bench
bench: $(READY) ## Measure speed (AREA=domain; all areas without it)
	@$(BIN)/python -m pytest -q -s tests/bench/bench_$(or $(AREA),*).py $(ARGS)

.PHONY: verify
verify: $(READY) ## Search deeper than the tests do (KIND=fuzz, mutate, prove or chaos; MINUTES=, MUTANTS=n or all, SEED=)
	@case "$(KIND)" in \
	fuzz) FOUNDRY_FUZZ_RUNS=5000 FOUNDRY_INVARIANT_RUNS=400 FOUNDRY_INVARIANT_DEPTH=500 forge test --summary && \
		HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest -m property $(ARGS) && \
		$(BIN)/python -m tests.fuzzing $(if $(MINUTES),--minutes $(MINUTES));; \
	mutate) $(BIN)/python -m tests.mutation $(if $(MUTANTS),--mutants $(MUTANTS)) $(ARGS);; \
	prove) $(BIN)/python -m tests.symbolic $(ARGS);; \
	chaos) $(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(ARGS) && \
		RACKSTREAM_GATEWAY_KILLS=100 $(BIN)/python -m pytest -q tests/integration/gateway/test_faults.py;; \
	*) echo "verify: KIND is '$(KIND)'; fuzz, mutate, prove or chaos is needed" >&2; exit 2;; \
	esac

.PHONY: console
console: $(READY) ## Open the investors' console on the chain of `make up` (RPC_URL=)
	@$(BIN)/ape console --network ethereum:local:$(or $(RPC_URL),http://127.0.0.1:8545) $(ARGS)

.PHONY: lock
lock: $(READY) ## Resolve requirements.in into requirements.lock anew, also that of the proofs
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
	$(BIN)/python -m venv "$$scratch" && "$$scratch/bin/pip" install --quiet --disable-pip-version-check uv && \
	for folder in . tests/symbolic; do \
		(cd $$folder && "$$scratch/bin/uv" pip compile requirements.in --output-file requirements.lock --quiet \
			--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header) || exit 1; \
	done

.PHONY: clean
clean: ## Remove what commands made: caches, out/, var/ (the environment stays)
	@rm -rf out var .build .pytest_cache .mypy_cache .ruff_cache .hypothesis .toolchain/forge deployments/31337.json
	@find api scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +
