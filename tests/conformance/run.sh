#!/bin/sh
# Runs every conformance program against the binary in $MOONTIDE; installs the pinned SDKs first. Prints TAP.
set -eu
cd "$(dirname "$0")"
[ -d node_modules/easemob-websdk ] && [ -d node_modules/ws ] || npm ci --no-audit --no-fund >npm.log 2>&1 || { cat npm.log; rm -f npm.log; exit 1; }
rm -f npm.log
status=0
for program in ${1:-*.test.js}; do
  node "$program" || status=1
done
exit $status
