#!/usr/bin/env bash
# Says in one line what is missing to build homespun, and what to install; silent where all is there.
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
command -v cargo >/dev/null ||
    need "cargo" "install Rust 1.85 or newer (https://rustup.rs)"
exit $missing
