#!/bin/sh
# Runs every conformance program against the binary in $MOONTIDE; installs the pinned SDKs first. Prints TAP.
set -eu
cd "$(dirname "$0")"
# The list of what is wanted is newer than what npm wrote when it was done: install again.
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --no-audit --no-fund >npm.log 2>&1 || { cat npm.log; rm -f npm.log; exit 1; }
  rm -f npm.log
fi
status=0
for program in ${1:-*.test.js}; do
  node "$program" || status=1
done
exit $status
