#!/bin/sh
# What `make install` puts somewhere works from there, without the repository. Prints TAP.
set -u
cd "$(dirname "$0")/../.."
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
n=0
check() { # check NAME COMMAND...
  n=$((n + 1))
  name=$1
  shift
  if "$@" >"$root/said" 2>&1; then echo "ok $n - $name"; else
    echo "not ok $n - $name"
    sed 's/^/# /' "$root/said"
  fi
}
check "make install with PREFIX and DESTDIR" make --no-print-directory install PREFIX=/opt/probe DESTDIR="$root/stage"
check "the program is there" test -x "$root/stage/opt/probe/bin/moontide"
check "the scripts are there to copy" test -f "$root/stage/opt/probe/share/moontide/scripts/export.lua"
mv "$root/stage" "$root/moved"
check "it runs from where it was put" sh -c "cd / && '$root/moved/opt/probe/bin/moontide' --version"
check "its commands come with it" sh -c "cd / && '$root/moved/opt/probe/bin/moontide' export --help"
echo "1..$n"
