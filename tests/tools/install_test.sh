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
share=$root/moved/opt/probe/share
man=$share/man/man1/moontide.1
every_option() { # of every command stands in the manual page
  for verb in $("$program" --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
    grep -qx ".SS $verb" "$man" || { echo "no $verb"; return 1; }
    for option in $("$program" "$verb" --help | grep -o '^ *\(-., \)\?--[a-z-]*' | grep -o -- '--[a-z-]*'); do
      sed -n "/^\.SS $verb\$/,/^\.S[SH] /p" "$man" | sed 's/\\-/-/g' | grep -q -- "^\\\\fB.*$option" ||
        { echo "$verb $option is not in the manual page"; return 1; }
    done
  done
}
program=$root/moved/opt/probe/bin/moontide
check "the manual page has every option of every command" every_option
completed() { # WORDS…: what the last one may become
  bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _moontide; echo "${COMPREPLY[*]}"' - \
    "$share/bash-completion/completions/moontide" moontide "$@" | tee "$root/completed"
}
completes() { completed $1 | grep -qx -- "$2" || { cat "$root/completed"; return 1; }; }
check "commands are completed" completes "exp" export
check "options are completed" completes "export --med" "--media --media-parallel"
echo "1..$n"
