# Sourced by test scripts, after sandbox.sh: a wall clock that the test sets. with_wall COMMAND… runs it under that
# clock; wall OFFSET_MS [TIMES [SINCE_MS]] sets it, for those that run, too. The monotonic clock stays the kernel's.
wall_file=$work/wall
: >"$wall_file"
wall_preload=$work/wall.so
# shellcheck disable=SC2154 # root is the caller's
${CC:-cc} -O1 -shared -fPIC -o "$wall_preload" "$root/tests/clock/wall.c" || exit 1
# the sanitizer's library wants to be the first
wall_asan=$(ldd "$MOONTIDE" | sed -n 's/.*=> \(.*libasan[^ ]*\).*/\1/p')
[ -z "$wall_asan" ] || wall_preload="$wall_asan $wall_preload"
real_ms() { date +%s%3N; }
wall() { # a clock that is started anew goes on from where the kernel's is, or was at SINCE_MS
  printf '%016d %06d %020d\n' "${3:-$(real_ms)}" "${2:-1}" "$1" | dd of="$wall_file" conv=notrunc status=none
}
wall 0
with_wall() { MT_WALL=$wall_file LD_PRELOAD=$wall_preload "$@"; }
