#!/bin/sh
# Installs programs that tests run, from the distribution: a PKCS#11 token, a reader of PDF, a message server. As root by
# apt. Where it cannot, those tests are skipped: this says so and exits with 1, and the next `make` tries again.
set -u
PATH="$PATH:/usr/sbin:/usr/local/sbin"
missing=""
command -v softhsm2-util >/dev/null 2>&1 || missing="$missing softhsm2"
command -v pdftotext >/dev/null 2>&1 || missing="$missing poppler-utils"
test -d /usr/share/poppler || missing="$missing poppler-data"
command -v nats-server >/dev/null 2>&1 || missing="$missing nats-server"
test -z "$missing" && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  # shellcheck disable=SC2086
  (apt-get update -q && timeout 300 apt-get install -y -q --no-install-recommends $missing) >/dev/null 2>&1 && exit 0
  echo "Tests of a PKCS#11 token, of PDF or of JetStream are skipped: apt-get could not install:$missing" >&2
  exit 1
fi
echo "Tests of a PKCS#11 token, of PDF or of JetStream are skipped; they need: apt-get install --no-install-recommends$missing" >&2
exit 1
