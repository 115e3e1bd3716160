#!/bin/sh
# The gate besides the tests: nothing may warn.
set -eu
cargo fmt --check
cargo clippy --quiet --all-targets -- -D warnings
RUSTDOCFLAGS='-D warnings' cargo doc --quiet --no-deps --document-private-items
tool() { # crate: what it needs is built once and kept in cargo's own folder
    command -v "$1" >/dev/null 2>&1 || cargo install --quiet --locked "$1"
}
tool cargo-machete
cargo machete
tool cargo-deny
# Advisories come from a database on the network; the licences, sources and bans do not need one.
cargo deny --offline check licenses sources bans
