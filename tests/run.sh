#!/bin/sh
# tests/run.sh check|crash|fuzz|bench|lint: builds what is needed and runs the suites. docs/development.md says more.
set -eu
cd "$(dirname "$0")/.."
exec lua5.4 tests/tools/run.lua "$@"
