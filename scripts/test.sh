#!/bin/sh
# Runs all tests and ends with their counts. Every part runs even when one before it fails.
set -u
mkdir -p target/tests
failed=0

part() { # name, command...
    name=$1
    shift
    echo "== $name tests"
    # The exit code goes through a file: that of a pipe would be that of tee.
    { "$@" 2>&1 || echo $? >"target/tests/$name.failed"; } | tee "target/tests/$name.log"
    [ ! -e "target/tests/$name.failed" ] || failed=1
}

rm -f target/tests/*
if cargo nextest --version >/dev/null 2>&1; then
    part rust cargo nextest run --no-fail-fast
else
    part rust cargo test --no-fail-fast --lib --bins --tests
fi
part doc cargo test --doc
part browser scripts/browser.sh

# nextest says `412 tests run: 410 passed, 2 failed`, cargo `test result: ok. 8 passed; 0 failed`, node `# pass 30`.
count() { # word of nextest and cargo, word of node
    cat target/tests/*.log | sed 's/\x1b\[[0-9;]*m//g' | awk -v word="$1" -v node="$2" '
        /tests? run:|test result:/ { for (i = 2; i <= NF; i++) if ($i ~ "^" word "[,;]?$") sum += $(i - 1) }
        $1 ~ /^(#|ℹ)$/ && $2 == node { sum += $3 }
        END { print sum + 0 }'
}
echo
echo "$(count passed pass) passed, $(count failed fail) failed"
exit $failed
