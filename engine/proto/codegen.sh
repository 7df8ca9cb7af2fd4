#!/bin/sh
# Makes build/gen from the schemas, the API records and the Lua files. Run from build/ by the build itself.
# A result is replaced only when it changed, so that an unchanged input compiles nothing again.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p build/gen
put() { # put FILE: standard input becomes build/gen/FILE if different
  cat >"build/gen/$1.new"
  if cmp -s "build/gen/$1.new" "build/gen/$1"; then rm "build/gen/$1.new"; else mv "build/gen/$1.new" "build/gen/$1"; fi
}
for schema in msync rongcloud; do
  if [ ! -f "build/gen/$schema.pb-c.c" ] || [ "engine/proto/$schema.proto" -nt "build/gen/$schema.pb-c.c" ]; then
    protoc-c --c_out=build/gen --proto_path=engine/proto "engine/proto/$schema.proto"
  fi
done
lua5.4 engine/proto/embed.lua | put embedded.c
lua5.4 lua/api/tools/records.lua c | put api_records.c
