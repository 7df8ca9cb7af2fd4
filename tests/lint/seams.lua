-- Allocation, files and time pass through one seam each (engine/base), so that a test can fail call N, cut the power
-- after write N, or move time. A direct call elsewhere is outside of every such test.
package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local lib = require "lib"

local SEAMS = {
  { "memory goes through mt_mem_*", [[malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf
    aligned_alloc posix_memalign getline getdelim]] },
  { "files go through mt_fs_*", [[open openat open64 creat fopen fdopen freopen tmpfile mkstemp mkdtemp write pwrite
    writev pwritev read pread readv fsync fdatasync sync ftruncate truncate rename renameat renameat2 unlink unlinkat
    remove mkdir rmdir link symlink opendir stat lstat fstat flock lockf]] },
  { "time goes through mt_clock_*", [[time clock clock_gettime gettimeofday nanosleep usleep sleep ftime timespec_get
    clock_nanosleep]] },
  { "randomness goes through mt_rand_*", "getrandom getentropy random drand48 lrand48 arc4random rand_r" },
}

local whose, found = {}, {}
for i, seam in ipairs(SEAMS) do
  found[i] = {}
  for name in seam[2]:gmatch("%S+") do whose[name] = i end
end
for _, path in ipairs(lib.files("engine", "%.[ch]$")) do
  if not path:match("^engine/base/") then
    lib.calls(lib.code_of(lib.read(path)), function(name, n)
      local i = whose[name]
      if i then found[i][#found[i] + 1] = ("%s:%d: %s"):format(path, n, name) end
    end)
  end
end
for i, seam in ipairs(SEAMS) do lib.verdict(seam[1], found[i]) end
lib.finish()
