#!/bin/sh
# Makes sure that what a command needs is there: `scripts/install.sh build postgresql redis browser`.
#
# Looks for the things themselves, not for packages, so that it does not matter where they came from.
# What is missing is installed with apt, in one go; where apt or the right to use it is not there, it says
# what to do instead and ends with 1. It touches nothing when nothing is missing.
set -eu

packages=''
advice=''
wants_node=''
chromium_advice=''

# A file that matches one of the patterns.
any() {
    for path in "$@"; do
        [ -e "$path" ] && return 0
    done
    return 1
}

# What to install: the package's name in apt, and in Homebrew.
miss() {
    packages="$packages $1"
    advice="$advice $2"
}

node_major() {
    node --version 2>/dev/null | sed -n 's/^v\([0-9]*\).*/\1/p'
}

for need in "$@"; do
    case "$need" in
    build)
        if ! command -v cargo >/dev/null; then
            echo "Rust is missing: install it from https://rustup.rs, then try again." >&2
            exit 1
        fi
        command -v cc >/dev/null || miss 'gcc libc6-dev' gcc
        # Where bindgen looks, which reads the SQL parser's C headers.
        any "${LIBCLANG_PATH:-/nowhere}" /usr/lib/llvm-*/lib/libclang*.so* /usr/lib*/libclang*.so* \
            /usr/lib/*-linux-*/libclang*.so* /usr/lib*/llvm*/lib*/libclang*.so* /usr/local/lib/libclang*.so* \
            /Library/Developer/CommandLineTools/usr/lib/libclang.dylib \
            /Applications/Xcode.app/Contents/Developer/Toolchains/*/usr/lib/libclang.dylib \
            /opt/homebrew/opt/llvm*/lib/libclang.dylib /usr/local/opt/llvm*/lib/libclang.dylib ||
            miss libclang-dev llvm
        # The library comes without its own headers when only a program needed it.
        if command -v apt-get >/dev/null && [ -z "${LIBCLANG_PATH:-}" ]; then
            any /usr/lib/llvm-*/lib/clang/*/include/stddef.h /usr/lib/clang/*/include/stddef.h ||
                miss libclang-dev llvm
        fi
        ;;
    postgresql)
        # The same places as src/app/private_postgres.rs.
        command -v initdb >/dev/null || any /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb \
            /opt/homebrew/opt/postgresql@*/bin/initdb /usr/local/opt/postgresql@*/bin/initdb \
            /home/linuxbrew/.linuxbrew/opt/postgresql@*/bin/initdb ||
            miss postgresql postgresql@17
        ;;
    redis)
        { command -v redis-server && command -v redis-cli; } >/dev/null || miss redis-server redis
        ;;
    browser)
        command -v node >/dev/null || miss nodejs node
        command -v npm >/dev/null || miss npm node
        wants_node=yes
        if ! [ -x "${CHROMIUM:-/usr/bin/chromium}" ]; then
            miss chromium ''
            chromium_advice='Install Chromium or Google Chrome, and set CHROMIUM to the path of its program.'
        fi
        ;;
    *)
        echo "scripts/install.sh does not know '$need'" >&2
        exit 2
        ;;
    esac
done

if [ -n "$packages" ]; then
    if ! command -v apt-get >/dev/null; then
        echo "Missing on this machine:$packages" >&2
        if command -v brew >/dev/null || [ "$(uname)" = Darwin ]; then
            echo "With Homebrew (https://brew.sh): brew install$advice" >&2
            echo "Then, for libclang: export LIBCLANG_PATH=\"\$(brew --prefix llvm)/lib\"" >&2
        else
            echo "Install them with your system's package manager (these are Debian's names), then try again." >&2
        fi
        [ -z "$chromium_advice" ] || echo "$chromium_advice" >&2
        exit 1
    fi
    if [ "$(id -u)" -eq 0 ]; then
        as_root=''
    elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        as_root=sudo
    else
        echo "Missing on this machine:$packages" >&2
        echo "Installing takes root. Run this as root, then try again:" >&2
        echo "    apt-get update && apt-get install --no-install-recommends$packages" >&2
        exit 1
    fi

    echo "Installing what is missing with apt:$packages"
    # Debian's PostgreSQL package would also create a database server and start it; only its programs are wanted.
    no_cluster=/etc/postgresql-common/createcluster.d/db-chat.conf
    case "$packages" in
    *postgresql*)
        $as_root mkdir -p "${no_cluster%/*}"
        echo 'create_main_cluster = false' | $as_root tee "$no_cluster" >/dev/null
        trap '$as_root rm -f "$no_cluster"' EXIT
        ;;
    esac
    $as_root apt-get update -qq
    # shellcheck disable=SC2086 # one word per package
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages </dev/null
fi

if [ -n "$wants_node" ] && [ "$(node_major)" -lt 20 ]; then
    # Debian 12 has Node 18, and the browser tests' driver wants 20. npm carries Node itself, too.
    echo "Installing Node 22 from npm into target/tools, because this machine's is $(node --version)"
    mkdir -p target/tools
    npm install --prefix target/tools --no-save --no-audit --no-fund --loglevel=error node@22
fi
