# The front door: each target installs what it needs and is missing.
.PHONY: help demo test check browser lint doc bench
.DEFAULT_GOAL := help

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile

# The development profile: on two cores it is ready in a third of the time of a release build, and a
# demo spends its time waiting for PostgreSQL and a model.
demo: ## Run db-chat on a private PostgreSQL with a demo database
	@scripts/install.sh build postgresql
	cargo run --bin db-chat -- demo

test: ## Run all tests
	@scripts/install.sh build postgresql redis browser
	@scripts/test.sh

check: ## Compile and lint: the quick loop
	@scripts/install.sh build
	cargo clippy --all-targets

browser: ## Run the tests of the page in a real browser
	@scripts/install.sh build postgresql browser
	@scripts/browser.sh

lint: ## Run the gate besides the tests
	@scripts/install.sh build
	@scripts/lint.sh

doc: ## Build the API docs
	@scripts/install.sh build
	cargo doc --no-deps --document-private-items

bench: ## Run the benchmarks
	@scripts/install.sh build postgresql
	cargo bench
