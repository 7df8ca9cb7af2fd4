#!/bin/sh
# R15: what a server can do wrong, end to end. See run.lua. TAP.
set -eu
cd "$(dirname "$0")/../.."
exec lua5.4 tests/faults/run.lua
