#!/bin/sh
# Builds the pages that need npm (GraphiQL, scripts of the console). Without npm, or offline, everything else works: this says so and exits with 1,
# and the next `make` tries again.
set -u
cd "$(dirname "$0")/../hub/web/assets" || exit 1
if ! command -v npm >/dev/null 2>&1; then
  echo "GraphiQL and the console's charts are left out: npm is not installed (Debian: apt-get install nodejs npm). Everything else works." >&2
  exit 1
fi
if timeout 90 npm ci --silent --ignore-scripts --no-audit --no-fund >/dev/null 2>&1 && node build.mjs; then
  exit 0
fi
echo "GraphiQL and the console's charts are left out: npm could not install its files. Everything else works." >&2
exit 1
