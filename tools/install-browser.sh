#!/bin/sh
# Installs what the console's tests need from the distribution: Chromium, and a font that has Chinese. As root by apt; else
# this says what to run. Where it cannot, those tests are skipped: it exits with 1, and the next `make` tries again.
set -u
missing=""
command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || missing="chromium"
test -n "$(fc-list :lang=zh 2>/dev/null)" || missing="$missing fonts-wqy-zenhei fontconfig"
test -z "$missing" && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  # shellcheck disable=SC2086
  (apt-get update -q && timeout 600 apt-get install -y -q --no-install-recommends $missing) >/dev/null 2>&1 && exit 0
  echo "The console's tests are skipped: apt-get could not install: $missing" >&2
  exit 1
fi
echo "The console's tests are skipped; they need: apt-get install --no-install-recommends $missing" >&2
exit 1
