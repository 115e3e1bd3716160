# The front door. Each command installs what it needs and what is missing, and says so.

.DEFAULT_GOAL := help
.PHONY: demo test check browser lint doc bench help

# Tools that a command had to bring along are found first.
export PATH := $(CURDIR)/target/tools/bin:$(CURDIR)/target/tools/node_modules/.bin:$(PATH)

# What is being built anyway, and everything that compiles needs.
BUILD_NEEDS := rust libclang

demo: ## The page, on a private throwaway PostgreSQL with a demo shop. ARGS="--bind 127.0.0.1:9000"
	@scripts/need.sh $(BUILD_NEEDS) postgresql
# The development profile: it builds in half the time of a release, and no answer waits for it.
	@cargo run --locked -- demo $(ARGS)

test: ## All tests: Rust, documentation examples, browser
	@scripts/need.sh $(BUILD_NEEDS) postgresql redis chromium node
	@scripts/test.sh

check: ## The quick loop: compiles everything and runs clippy
	@scripts/need.sh $(BUILD_NEEDS)
	@cargo clippy --locked --all-targets

browser: ## The browser tests alone. ARGS=live picks the files with "live" in their name
	@scripts/need.sh $(BUILD_NEEDS) postgresql chromium node
	@scripts/browser.sh $(ARGS)

lint: ## The gate beside the tests: format, clippy, rustdoc, licences, unused dependencies
	@scripts/need.sh $(BUILD_NEEDS)
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items
	@scripts/dependencies.sh

doc: ## The code's documentation, private items included
	@scripts/need.sh $(BUILD_NEEDS)
	@cargo doc --locked --no-deps --document-private-items
	@echo "Open target/doc/db_chat/index.html"

bench: ## The benchmarks
	@scripts/need.sh $(BUILD_NEEDS)
	@cargo bench --locked

help: ## This list
	@awk -F ": ## " '/^[a-z]+: ## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
