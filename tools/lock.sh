#!/bin/sh
# Renews pins/*.txt: versions and hashes, no index addresses.
set -eu
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q pip-tools
flags="-q --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options --no-header --strip-extras --no-annotate"
# shellcheck disable=SC2086
"$tmp/venv/bin/pip-compile" $flags "$@" --extra pdf -o pins/runtime.txt pyproject.toml pins/build.in
# shellcheck disable=SC2086
"$tmp/venv/bin/pip-compile" $flags "$@" --extra dev -o pins/dev.txt pyproject.toml pins/build.in
