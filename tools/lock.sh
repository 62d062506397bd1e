#!/usr/bin/env bash
# Write constraints.txt: the newest packages that satisfy pyproject.toml, from a fresh environment.
set -euo pipefail
cd "$(dirname "$0")/.."
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
python3 -m venv "$fresh"
python3 tools/requirements.py train track scale dev docs bench | "$fresh/bin/pip" install -q "torch==${TORCH:-2.15.0}" -r /dev/stdin
"$fresh/bin/pip" freeze --exclude homespun | grep '==' >constraints.txt
