#!/bin/sh
# Runs premake when the build description or the set of source files changed, and then clears what make itself cannot
# see: objects whose flags changed, archives that still hold a member whose source is gone.
set -eu
cd "$(dirname "$0")/../.."
premake=$1
mkdir -p build

{
  echo "$premake"
  ! pkg-config --exists cmocka || echo cmocka
  cat premake5.lua
  find engine tests -name '*.[ch]' -print 2>/dev/null | LC_ALL=C sort
  [ ! -d tests/unit ] || find tests/unit -type d | LC_ALL=C sort
} >build/premake.key.new
if [ -f build/Makefile ] && cmp -s build/premake.key.new build/premake.key; then
  rm build/premake.key.new
  exit 0
fi

rm -rf build/makefiles.old
mkdir build/makefiles.old
for file in build/*.make; do
  [ ! -f "$file" ] || mv "$file" build/makefiles.old/
done
# shellcheck disable=SC2086
$premake gmake >build/premake.log 2>&1 || { cat build/premake.log >&2; exit 1; }

flags_of() { grep -E '^ +(ALL_)?(CC|DEFINES|INCLUDES|CPPFLAGS|CFLAGS|FORCE_INCLUDE) ' "$1" || true; }
values_of() { sed -n "s/^ *$1 *= *//p" "$2"; } # values_of NAME FILE

for file in build/*.make; do
  old=build/makefiles.old/$(basename "$file")
  [ -f "$old" ] && cmp -s "$file" "$old" && continue
  flags_of "$file" >build/flags.new
  if [ -f "$old" ] && flags_of "$old" | cmp -s - build/flags.new; then
    :
  else
    for dir in $(values_of OBJDIR "$file"); do rm -rf "build/$dir"; done
  fi
  for dir in $(values_of TARGETDIR "$file"); do
    name=$(values_of TARGET "$file" | sed -n '1s/.*)\///p')
    [ -z "$name" ] || rm -f "build/$dir/$name"
  done
done
# Programs whose source is gone.
for old in build/makefiles.old/*.make; do
  [ -f "$old" ] || continue
  [ ! -f "build/$(basename "$old")" ] || continue
  name=$(values_of TARGET "$old" | sed -n '1s/.*)\///p')
  for dir in $(values_of TARGETDIR "$old"); do [ -z "$name" ] || rm -f "build/$dir/$name"; done
done
# The makefiles make these folders beside compiling into them, which is a race under -j.
for file in build/*.make; do
  for dir in $(values_of OBJDIR "$file") $(values_of TARGETDIR "$file"); do mkdir -p "build/$dir"; done
done
rm -rf build/makefiles.old build/flags.new
mv build/premake.key.new build/premake.key
