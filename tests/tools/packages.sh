#!/bin/sh
# Installs what is missing, by Debian package name: "build" for the program, "test" for make check as well.
set -eu
BUILD="gcc libc6-dev make pkg-config premake4 lua5.4 liblua5.4-dev libcurl4-openssl-dev libcjson-dev
libwebsockets-dev libwebsockets-evlib-uv libuv1-dev libprotobuf-c-dev protobuf-c-compiler libssl-dev libzstd-dev zlib1g-dev
libsqlite3-dev uthash-dev ca-certificates tzdata"
TEST="libcmocka-dev clang clang-format clang-tidy lua-check pmccabe binutils git procps openssl zstd sqlite3 curl"

command -v dpkg-query >/dev/null 2>&1 || exit 0 # not Debian: the build says by name what it does not find

want=$BUILD
if [ "${1:-build}" = test ]; then
  want="$BUILD $TEST"
  # A machine may have its own Node; Debian's is only wanted where there is none.
  command -v node >/dev/null 2>&1 || want="$want nodejs"
  command -v npm >/dev/null 2>&1 || want="$want npm"
fi

missing_of() { # missing_of PACKAGE...: those that are not installed
  there=" $(dpkg-query -W -f='${Package}/${db:Status-Status} ' "$@" 2>/dev/null || true)"
  for package in "$@"; do
    case $there in *" $package/installed "*) ;; *) printf '%s ' "$package" ;; esac
  done
}
runtime_of_clang() { # the sanitizers' run time is a package of its own, which only says "recommended"
  version=$(dpkg-query -W -f='${Version}' clang 2>/dev/null || true)
  [ -n "$version" ] || version=$(apt-cache show --no-all-versions clang 2>/dev/null | sed -n 's/^Version: //p')
  major=$(printf '%s' "$version" | sed 's/^[0-9]*://; s/[.~-].*//')
  [ -z "$major" ] || printf 'libclang-rt-%s-dev' "$major"
}
# The status page is looked at in a browser: 100 MB to fetch, 300 MB on the disk. Where a Debian has none, that test says
# so and is left out.
browser() {
  for program in chromium-headless-shell chromium google-chrome; do
    ! command -v $program >/dev/null 2>&1 || return 0
  done
  ! apt-cache show chromium-headless-shell >/dev/null 2>&1 || printf chromium-headless-shell
}

# shellcheck disable=SC2086
missing=$(missing_of $want)
if [ "${1:-build}" = test ] && [ -z "$missing" ]; then
  # shellcheck disable=SC2046
  missing=$(missing_of $(runtime_of_clang) $(browser))
fi
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null 2>&1 || { echo "neither root nor sudo; please install: $missing" >&2; exit 1; }
  as_root=sudo
fi
$as_root apt-get update -qq || echo "apt-get update failed; trying with the lists that are there" >&2
if [ "${1:-build}" = test ]; then
  # shellcheck disable=SC2086,SC2046
  missing=$(missing_of $want $(runtime_of_clang) $(browser))
fi
echo "installing: $missing" >&2
log=$(mktemp)
# shellcheck disable=SC2086
if ! $as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
  apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends $missing >"$log" 2>&1; then
  cat "$log" >&2
  rm -f "$log"
  exit 1
fi
rm -f "$log"
