#!/bin/sh
# Retention, proven on samples: random histories, and kills. docs/development.md says what the full numbers are. TAP.
set -eu
cd "$(dirname "$0")/../.."
status=0
for cloud in easemob rongcloud; do
  node tests/proof/property.js $cloud || status=1
  node tests/proof/kill.js $cloud || status=1
done
exit $status
