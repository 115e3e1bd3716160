#!/bin/sh
# The gate beside the tests: nothing may warn.
set -eu

cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings
RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items

# tool CRATE VERSION: as this machine has it, or built once into target/tools; unoptimized, because it
# builds for minutes and runs for seconds.
tool() {
    command -v "$1" >/dev/null && return
    echo "Building $1 $2 into target/tools; this is done once and takes some minutes"
    cargo install --quiet --locked --debug --root target/tools --target-dir target/tools/build "$1@$2"
    rm -rf target/tools/build
}

tool cargo-machete 0.9.2
cargo machete

# The list of known vulnerabilities is on the network; licences, sources and bans need nothing but the lock file.
tool cargo-deny 0.20.2
cargo deny --locked check -D warnings bans licenses sources
