# Parlour: `make run` to try it, `make test` to check everything.
.PHONY: help run build test crash power torture mutants matrix drop simulate bench bench-full autobahn fuzz clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

run: ## Build what is needed and start a demo on http://127.0.0.1:8000
	@scripts/run.sh

build: ## Build the release binary with the inbox in it
	@scripts/build.sh

test: ## Format, lints, all tests, browser tests
	@scripts/test.sh

crash: ## Kill the server 20 times under load; nothing may be lost (CRASHES=, SEED=)
	@scripts/crash.sh

power: ## 500 power cuts, made up from what the server does to its files; nothing may be lost (CUTS=, SEED=)
	@scripts/power.sh

torture: ## Break processes, database, bus and links under load; nothing may be lost (SEED=, MINUTES=, PROCESSES=, STORE=, FAULTS=)
	@scripts/torture.sh

mutants: ## Servers with faults on purpose: every one must be found
	@PARLOUR_ALL_MUTANTS=1 cargo test --workspace --locked mutants:: -- --nocapture

matrix: ## Every kind of client talks with every other, all see the same (MESSAGES=, KINDS=)
	@scripts/matrix.sh talk

drop: ## Clients of every kind go away and come back; nothing may be missing (SECONDS_AWAY=, KINDS=)
	@scripts/matrix.sh drop

simulate: ## The real server in a simulated network, seed after seed (SEEDS=, MINUTES=, SEED=, PROCESSES=)
	@scripts/simulation.sh

bench: ## Measure beside the floors and other servers, the short form; writes docs/benchmarks
	@scripts/bench.sh

bench-full: ## The same at length, Parlour and the floors three times, after installing the other servers
	@scripts/bench.sh full

autobahn: ## The Autobahn suite against the WebSocket codec (needs Python 2.7)
	@tests/autobahn/run.sh

fuzz: ## Fuzz every decoder for a minute each (needs cargo-fuzz and a nightly toolchain; SECONDS_EACH=)
	@scripts/fuzz.sh

clean: ## Remove what was built, and the demo's data
	@scripts/clean.sh
