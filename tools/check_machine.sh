#!/usr/bin/env bash
# Print one line for each tool that is missing to build homespun, with what to install; print nothing if none is.
set -u
python=${PYTHON:-python3}
missing=0

need() { # need WHAT REMEDY
    echo "homespun needs $1: $2" >&2
    missing=1
}

if ! command -v "$python" >/dev/null; then
    need "Python 3.11 or newer" "install python3 and python3-venv (Debian: apt-get install python3 python3-venv), or name one: make PYTHON=python3.12"
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    need "Python 3.11 or newer" "$python is $("$python" -V 2>&1); name a newer one: make PYTHON=python3.12"
elif ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    need "Python's venv" "install python3-venv (Debian: apt-get install python3-venv)"
fi
command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null ||
    need "a C compiler" "install gcc or clang (Debian: apt-get install build-essential)"
rust=$(sed -n 's/^rust-version = "\([0-9.]*\)".*/\1/p' "$(dirname "$0")/../Cargo.toml")
if ! command -v cargo >/dev/null; then
    need "cargo" "install Rust $rust or newer (https://rustup.rs)"
elif [ "$(printf '%s\n' "$rust" "$(cargo --version | cut -d' ' -f2)" | sort -V | head -n 1)" != "$rust" ]; then
    need "Rust $rust or newer" "this is $(cargo --version); run: rustup update"
fi
exit $missing
