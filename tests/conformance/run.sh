#!/bin/sh
# Runs every conformance program against the binary in $MOONTIDE; installs the pinned SDKs first. Prints TAP.
set -eu
cd "$(dirname "$0")"
# Unless what npm wrote when it was done is newer than the list of what is wanted, install again.
if [ -z "$(find node_modules/.package-lock.json -newer package-lock.json 2>/dev/null)" ]; then
  npm ci --no-audit --no-fund >npm.log 2>&1 || { cat npm.log; rm -f npm.log; exit 1; }
  rm -f npm.log
fi
status=0
for program in ${1:-*.test.js}; do
  node "$program" || status=1
done
exit $status
