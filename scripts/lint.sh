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

# The list of known vulnerabilities is fetched from GitHub; where that cannot be reached, it is no fault of ours.
tool cargo-deny 0.20.2
cargo deny --locked check -D warnings bans licenses sources
advisories=https://github.com/rustsec/advisory-db
if GIT_TERMINAL_PROMPT=0 git -c http.lowSpeedLimit=1 -c http.lowSpeedTime=10 \
    ls-remote --exit-code "$advisories" HEAD >/dev/null 2>&1; then
    cargo deny --locked check advisories
else
    echo "NOTE: known vulnerabilities were not checked, because $advisories cannot be reached."
fi
