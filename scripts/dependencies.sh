#!/bin/sh
# Looks at the dependencies: licences, sources and bans (deny.toml), known vulnerabilities, unused crates.
set -eu

# tool NAME VERSION: as it is on this machine, or built into target/tools.
tool() {
    command -v "$1" >/dev/null && return
    echo "Building $1 $2 into target/tools (once; some minutes)"
    cargo install --quiet --locked --root target/tools --target-dir target/tools/build "$1@$2"
    rm -rf target/tools/build
}

tool cargo-machete MACHETE_VERSION
cargo machete

tool cargo-deny DENY_VERSION
cargo deny --locked check --hide-inclusion-graph bans licenses sources

# The list of vulnerabilities is a repository on GitHub; what cannot be fetched is not a fault of ours.
advisories=https://github.com/rustsec/advisory-db
if GIT_TERMINAL_PROMPT=0 git -c http.lowSpeedLimit=1 -c http.lowSpeedTime=10 ls-remote --exit-code "$advisories" HEAD >/dev/null 2>&1; then
    cargo deny --locked check advisories
else
    echo "NOTE: known vulnerabilities were not checked: $advisories cannot be reached."
fi
