#!/bin/sh
# The page's tests in a real browser, against a real server.
set -eu
cargo build --quiet --bin db-chat
cd tests/browser
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --loglevel=error
exec node run.mjs
