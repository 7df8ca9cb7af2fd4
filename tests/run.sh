#!/bin/sh
# tests/run.sh check|crash|fuzz|soak|bench|lint|retention-proof: builds what is needed and runs the suites. docs/development.md says more.
set -eu
cd "$(dirname "$0")/.."
unset MAKEFLAGS MFLAGS MAKELEVEL # the runner has its own idea of how much runs at once
exec lua5.4 tests/tools/run.lua "$@"
