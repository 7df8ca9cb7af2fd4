#!/bin/sh
# Installs what is missing, by Debian package name: "build" for the program, "test" for make check as well.
set -eu
BUILD="gcc make pkg-config premake4 lua5.4 liblua5.4-dev libcurl4-openssl-dev libcjson-dev libwebsockets-dev
libwebsockets-evlib-uv libuv1-dev libprotobuf-c-dev protobuf-c-compiler libssl-dev libzstd-dev libsqlite3-dev uthash-dev
libc6-dev ca-certificates"
TEST="libcmocka-dev clang clang-format clang-tidy libclang-rt-14-dev lua-check pmccabe nodejs npm git procps openssl zstd
sqlite3 curl"
want=$BUILD
[ "${1:-build}" = test ] && want="$BUILD $TEST"
missing=""
for p in $want; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || true)" = installed ] || missing="$missing $p"
done
# A machine may have its own Node; Debian's is only wanted where there is none.
if command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1; then
  missing=$(printf '%s\n' $missing | grep -vx -e nodejs -e npm | tr '\n' ' ' || true)
fi
[ -n "$(printf '%s' "$missing" | tr -d ' ')" ] || exit 0
echo "installing:$missing" >&2
sudo=""
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null 2>&1 || { echo "not root and no sudo: please install$missing" >&2; exit 1; }
  sudo=sudo
fi
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2
