#!/bin/sh
# Installs what the tests need from npm. As root, node itself comes from the distribution if it is missing. Where it
# cannot, those tests are skipped: this says so and exits with 1, and the next `make` tries again.
set -u
if ! command -v npm >/dev/null 2>&1; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    (apt-get update -q && apt-get install -y -q nodejs npm) >/dev/null 2>&1
  else
    echo "The audits of GraphQL over HTTP are skipped: they need node and npm (apt-get install nodejs npm)." >&2
  fi
fi
command -v npm >/dev/null 2>&1 || exit 1
cd "$(dirname "$0")/../tests/node" || exit 1
timeout 120 npm ci --silent --ignore-scripts --no-audit --no-fund >/dev/null 2>&1 && exit 0
echo "The audits of GraphQL over HTTP are skipped: npm could not install what they need." >&2
exit 1
