#!/bin/sh
# Installs what the tests need from npm. As root, node itself comes from the distribution if it is missing.
set -u
if ! command -v npm >/dev/null 2>&1; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    (apt-get update -q && apt-get install -y -q nodejs npm) >/dev/null 2>&1
  else
    echo "tests of GraphQL over HTTP need node and npm: apt-get install nodejs npm" >&2
  fi
fi
command -v npm >/dev/null 2>&1 || exit 0
cd "$(dirname "$0")/../tests/node" || exit 1
timeout 120 npm ci --silent --ignore-scripts --no-audit --no-fund >/dev/null 2>&1 ||
  echo "npm could not install what the tests of GraphQL over HTTP need" >&2
exit 0
