#!/bin/sh
# Runs the browser tests on a fresh build; a word picks the files whose name holds it.
set -eu

cargo build --locked
if ! cmp -s tests/browser/package-lock.json tests/browser/node_modules/.lock-installed; then
    (cd tests/browser && npm ci --no-audit --no-fund --loglevel=error)
    cp tests/browser/package-lock.json tests/browser/node_modules/.lock-installed
fi
exec node tests/browser/run.mjs "$@"
