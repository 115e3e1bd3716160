#!/bin/sh
# Installs what a make target needs and this machine lacks, and says what. Arguments: the things needed,
# out of: build postgresql redis browser. Debian and Ubuntu by apt; elsewhere it says what to install.
set -eu

missing=''
packages=''
need() { # thing, Debian packages
    missing="$missing $1"
    packages="$packages $2"
}

has() { command -v "$1" >/dev/null 2>&1; }

has_libclang() {
    for directory in "${LIBCLANG_PATH:-}" /usr/lib/llvm-*/lib /usr/lib/*-linux-gnu /usr/lib64 /usr/lib /usr/local/lib \
        /opt/homebrew/opt/llvm/lib /usr/local/opt/llvm/lib \
        /Library/Developer/CommandLineTools/usr/lib /Applications/Xcode.app/Contents/Developer/Toolchains/XcodeDefault.xctoolchain/usr/lib; do
        for library in "$directory"/libclang.so* "$directory"/libclang-[0-9]*.so* "$directory"/libclang.dylib; do
            [ -e "$library" ] && return 0
        done
    done
    return 1
}

has_initdb() {
    has initdb && return 0
    for program in /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb \
        /opt/homebrew/opt/postgresql*/bin/initdb /usr/local/opt/postgresql*/bin/initdb; do
        [ -x "$program" ] && return 0
    done
    return 1
}

for thing in "$@"; do
    case "$thing" in
    build)
        has cargo || {
            echo 'db-chat: the Rust toolchain is missing; see https://rustup.rs' >&2
            exit 1
        }
        has cc || need 'a C compiler' 'gcc libc6-dev'
        # The SQL parser is PostgreSQL's own, in C; its Rust bindings are made with libclang.
        has_libclang || need libclang libclang-dev
        ;;
    postgresql) has_initdb || need PostgreSQL postgresql ;;
    redis) has redis-server || has valkey-server || need Redis redis-server ;;
    browser)
        has node || need Node.js nodejs
        has npm || need npm npm
        [ -x "${CHROMIUM:-/usr/bin/chromium}" ] || need Chromium chromium
        ;;
    *)
        echo "install.sh: $thing is not among: build postgresql redis browser" >&2
        exit 2
        ;;
    esac
done

[ -n "$missing" ] || exit 0

echo "db-chat: missing:$missing"
if ! has apt-get; then
    echo 'Install them and try again. With Homebrew:' >&2
    echo '    brew install llvm postgresql@16 redis node && brew install --cask chromium' >&2
    echo '    export LIBCLANG_PATH="$(brew --prefix llvm)/lib" CHROMIUM=/path/to/chromium' >&2
    exit 1
fi
sudo=''
if [ "$(id -u)" -ne 0 ]; then
    if has sudo && sudo -n true 2>/dev/null; then
        sudo='sudo -n'
    elif has sudo && [ -t 0 ]; then
        sudo='sudo'
    else
        echo 'Installing them takes root. Run this and try again:' >&2
        echo "    apt-get update && apt-get install -y --no-install-recommends$packages" >&2
        exit 1
    fi
fi
echo "db-chat: installing$packages with apt-get"
$sudo apt-get update -qq
# shellcheck disable=SC2086 # the packages are words
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $packages
