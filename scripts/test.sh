#!/bin/sh
# Runs every test: Rust, documentation examples, browser. A suite that fails does not keep the next from
# running; the last lines say how many tests ran, and the exit code is 0 only if all passed.
set -u

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
passed_all=0
failed_all=0
broken=''

# suite NAME COMMAND...: runs it, shows what it prints and keeps it in a file of that name.
suite() {
    name=$1
    shift
    printf '\n== %s tests: %s\n' "$name" "$*"
    { "$@" 2>&1; echo $? >"$logs/$name.status"; } | tee "$logs/$name"
    [ "$(cat "$logs/$name.status")" -eq 0 ] || broken="$broken $name"
}

# count NAME PASSED FAILED
count() {
    printf '%-14s %5d passed, %d failed\n' "$1 tests:" "$2" "$3"
    passed_all=$((passed_all + $2))
    failed_all=$((failed_all + $3))
}

# The sum of the numbers before (or, for node, after) a word in a suite's own summary lines.
cargo_sum() {
    sed -n "s/^test result:.* \([0-9][0-9]*\) $2[;,].*/\1/p" "$logs/$1" | awk '{ sum += $1 } END { print sum + 0 }'
}
nextest_sum() {
    sed -n "s/^ *Summary .*[ (]\([0-9][0-9]*\) $1.*/\1/p" "$logs/rust" | tail -n 1 | awk '{ sum += $1 } END { print sum + 0 }'
}
node_sum() {
    sed -n "s/^[^ a-z]* $1 \([0-9][0-9]*\)\$/\1/p" "$logs/browser" | awk '{ sum += $1 } END { print sum + 0 }'
}

runner=cargo
if cargo nextest --version >/dev/null 2>&1; then
    runner=nextest
    suite rust cargo nextest run --locked --no-fail-fast
else
    suite rust cargo test --locked --no-fail-fast --lib --bins --tests
fi
suite doc cargo test --locked --doc
suite browser scripts/browser.sh

printf '\n'
if [ "$runner" = nextest ]; then
    count rust "$(nextest_sum passed)" "$(($(nextest_sum failed) + $(nextest_sum 'timed out')))"
else
    count rust "$(cargo_sum rust passed)" "$(cargo_sum rust failed)"
fi
count doc "$(cargo_sum doc passed)" "$(cargo_sum doc failed)"
count browser "$(node_sum pass)" "$(node_sum fail)"
printf '%-14s %5d run, %d passed, %d failed\n' 'all tests:' \
    "$((passed_all + failed_all))" "$passed_all" "$failed_all"
if [ -n "$broken" ]; then
    echo "FAILED:$broken"
    exit 1
fi
