# The front door. Each target installs what it needs and this machine lacks, and says so.

.DEFAULT_GOAL := help
.PHONY: help demo build test check browser lint doc bench fuzz

# Tools that a target had to bring along are found first.
export PATH := $(CURDIR)/target/tools/bin:$(CURDIR)/target/tools/node_modules/.bin:$(PATH)

help: ## List the targets
	@awk -F ': ## ' '/^[a-z]+: ## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

# Not a release, which takes minutes longer to build: a demo spends its time waiting for PostgreSQL and a model.
demo: ## Run db-chat on a private PostgreSQL with a demo database; ARGS="--bind 127.0.0.1:9000"
	@scripts/install.sh build postgresql
	cargo run --locked --bin db-chat -- demo $(ARGS)

build: ## Build target/release/db-chat
	@scripts/install.sh build
	cargo build --locked --release --bin db-chat

test: ## Run all tests
	@scripts/install.sh build postgresql redis browser
	@scripts/test.sh

check: ## Compile and lint: the quick loop
	@scripts/install.sh build
	cargo clippy --locked --all-targets

browser: ## Run the tests of the page in a real browser; ARGS=live runs the files with that in their name
	@scripts/install.sh build postgresql redis browser
	@scripts/browser.sh $(ARGS)

lint: ## Run the gate beside the tests
	@scripts/install.sh build
	@scripts/lint.sh

doc: ## Build the API docs
	@scripts/install.sh build
	cargo doc --locked --no-deps --document-private-items

bench: ## Run the benchmarks
	@scripts/install.sh build postgresql
	cargo bench --locked

fuzz: ## Look for SQL that passes the guard and should not; SECONDS=60 instead of an hour
	@scripts/install.sh build postgresql
	DB_CHAT_FUZZ_SECONDS=$(or $(SECONDS),3600) cargo test --locked --test it -- --nocapture guard::mutations::no_mutant
