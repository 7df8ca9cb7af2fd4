/* File operations on real files. */
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[PATH_MAX / 2];

/* A path below this test's directory; two may be in use at once. */
static const char *at(const char *name)
{
    static char paths[2][PATH_MAX];
    static int turn;
    turn = !turn;
    snprintf(paths[turn], sizeof paths[turn], "%s/%s", root, name);
    return paths[turn];
}

static int make_root(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/mt-fs-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    char command[PATH_MAX];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command); /* NOLINT(cert-env33-c): a test's own directory */
}

static void put_file(const char *name, const char *text)
{
    int fd = -1;
    assert_int_equal(mt_fs_open(at(name), MT_FS_WRITE | MT_FS_CREATE | MT_FS_TRUNCATE, &fd), 0);
    assert_int_equal(mt_fs_write(fd, text, strlen(text)), 0);
    assert_int_equal(mt_fs_close(fd), 0);
}

static void assert_file(const char *name, const char *text)
{
    char *data = NULL;
    size_t len = 0;
    assert_int_equal(mt_fs_read_all(at(name), 1000, &data, &len), 0);
    assert_string_equal(data, text);
    assert_int_equal(len, strlen(text));
    mt_mem_free(data);
}

static void opens_privately(void **state)
{
    (void)state;
    int fd = -1;
    assert_int_equal(mt_fs_open(at("none"), MT_FS_READ, &fd), ENOENT);
    assert_int_equal(fd, -1);
    assert_int_equal(mt_fs_open(at("none"), MT_FS_WRITE, &fd), ENOENT);
    mode_t before = umask(0);
    assert_int_equal(mt_fs_open(at("new"), MT_FS_WRITE | MT_FS_CREATE | MT_FS_EXCL, &fd), 0);
    assert_int_equal(mt_fs_mkdir(at("dir")), 0);
    umask(before);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    struct mt_fs_stat st;
    assert_int_equal(mt_fs_stat_fd(fd, &st), 0);
    assert_int_equal(st.mode, 0600);
    assert_true(st.is_file && !st.is_dir && !st.is_link);
    assert_int_equal(st.uid, getuid());
    assert_int_equal(mt_fs_close(fd), 0);
    assert_int_equal(mt_fs_open(at("new"), MT_FS_WRITE | MT_FS_CREATE | MT_FS_EXCL, &fd), EEXIST);
    assert_int_equal(mt_fs_stat(at("dir"), &st), 0);
    assert_int_equal(st.mode, 0700);
    assert_true(st.is_dir);
}

static void writes_through_no_link(void **state)
{
    (void)state;
    put_file("target", "safe");
    assert_int_equal(symlink(at("target"), at("link")), 0);
    struct mt_fs_stat st;
    assert_int_equal(mt_fs_stat(at("link"), &st), 0);
    assert_true(st.is_link);
    int fd = -1;
    assert_int_equal(mt_fs_open(at("link"), MT_FS_WRITE, &fd), ELOOP);
    assert_int_equal(mt_fs_open(at("link"), MT_FS_WRITE | MT_FS_CREATE | MT_FS_TRUNCATE, &fd),
                     ELOOP);
    assert_int_equal(mt_fs_open(at("link"), MT_FS_APPEND, &fd), ELOOP);
    assert_file("link", "safe"); /* reading does follow */
}

static void reads_and_writes(void **state)
{
    (void)state;
    int fd = -1;
    char p[16] = "";
    size_t got = 0;
    assert_int_equal(mt_fs_open(at("rw"), MT_FS_WRITE | MT_FS_CREATE, &fd), 0);
    assert_int_equal(mt_fs_write(fd, "0123456789", 10), 0);
    assert_int_equal(mt_fs_write(fd, "", 0), 0);
    assert_int_equal(mt_fs_read(fd, p, sizeof p, &got), 0);
    assert_int_equal(got, 0); /* at the end */
    assert_int_equal(mt_fs_seek(fd, 4), 0);
    assert_int_equal(mt_fs_read(fd, p, 3, &got), 0);
    assert_int_equal(got, 3);
    assert_memory_equal(p, "456", 3);
    assert_int_equal(mt_fs_pread(fd, p, 16, 8, &got), 0);
    assert_int_equal(got, 2);
    assert_memory_equal(p, "89", 2);
    assert_int_equal(mt_fs_pread(fd, p, 16, 100, &got), 0);
    assert_int_equal(got, 0);
    assert_int_equal(mt_fs_truncate(fd, 5), 0);
    assert_int_equal(mt_fs_fsync(fd), 0);
    assert_int_equal(mt_fs_fdatasync(fd), 0);
    assert_int_equal(mt_fs_close(fd), 0);
    assert_file("rw", "01234");
    assert_int_equal(mt_fs_open(at("rw"), MT_FS_APPEND, &fd), 0);
    assert_int_equal(mt_fs_write(fd, "ab", 2), 0);
    assert_int_equal(mt_fs_close(fd), 0);
    assert_file("rw", "01234ab");
    assert_int_equal(mt_fs_open(at("rw"), MT_FS_READ, &fd), 0);
    assert_int_equal(mt_fs_write(fd, "x", 1), EBADF);
    assert_int_equal(mt_fs_truncate(fd, 0), EINVAL);
    assert_int_equal(mt_fs_close(fd), 0);
    assert_int_equal(mt_fs_close(fd), EBADF);
    assert_int_equal(mt_fs_read(fd, p, 1, &got), EBADF);
    assert_int_equal(mt_fs_seek(fd, 0), EBADF);
    assert_int_equal(mt_fs_fsync(fd), EBADF);
    assert_int_equal(mt_fs_lock(fd), EBADF);
    struct mt_fs_stat st;
    assert_int_equal(mt_fs_stat_fd(fd, &st), EBADF);
}

static void renames_and_removes(void **state)
{
    (void)state;
    put_file("from", "x");
    assert_int_equal(mt_fs_rename(at("from"), at("to")), 0);
    assert_int_equal(mt_fs_rename(at("from"), at("to")), ENOENT);
    assert_file("to", "x");
    assert_int_equal(mt_fs_unlink(at("to")), 0);
    assert_int_equal(mt_fs_unlink(at("to")), ENOENT);
    assert_int_equal(mt_fs_mkdir(at("gone")), 0);
    assert_int_equal(mt_fs_mkdir(at("gone")), EEXIST);
    assert_int_equal(mt_fs_sync_dir(at("gone")), 0);
    assert_int_equal(mt_fs_rmdir(at("gone")), 0);
    assert_int_equal(mt_fs_rmdir(at("gone")), ENOENT);
    assert_int_equal(mt_fs_sync_dir(at("gone")), ENOENT);
    put_file("file", "x");
    assert_int_equal(mt_fs_sync_dir(at("file")), ENOTDIR);
}

static void makes_parents(void **state)
{
    (void)state;
    struct mt_fs_stat st;
    assert_int_equal(mt_fs_mkdirs(at("p/q//r/")), 0);
    assert_int_equal(mt_fs_mkdirs(at("p/q/r")), 0);
    assert_int_equal(mt_fs_stat(at("p/q/r"), &st), 0);
    assert_true(st.is_dir);
    put_file("p/file", "x");
    assert_int_equal(mt_fs_mkdirs(at("p/file")), ENOTDIR);
    assert_int_equal(mt_fs_mkdirs(at("p/file/x")), ENOTDIR);
    assert_int_equal(mt_fs_mkdirs(""), ENOENT);
    assert_int_equal(symlink(at("p"), at("p-link")), 0);
    assert_int_equal(mt_fs_mkdirs(at("p-link/s")), 0);
    assert_int_equal(mt_fs_stat(at("p/s"), &st), 0);
    char longest[PATH_MAX + 10];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(mt_fs_mkdirs(longest), ENAMETOOLONG);
    char here[PATH_MAX];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(root), 0);
    assert_int_equal(mt_fs_mkdirs("relative/dir"), 0);
    assert_int_equal(chdir(here), 0);
    assert_int_equal(mt_fs_stat(at("relative/dir"), &st), 0);
}

static void locks_once(void **state)
{
    (void)state;
    int a = -1, b = -1;
    assert_int_equal(mt_fs_open(at("LOCK"), MT_FS_WRITE | MT_FS_CREATE, &a), 0);
    assert_int_equal(mt_fs_open(at("LOCK"), MT_FS_WRITE | MT_FS_CREATE, &b), 0);
    assert_int_equal(mt_fs_lock(a), 0);
    assert_int_equal(mt_fs_lock(b), EWOULDBLOCK);
    assert_int_equal(mt_fs_close(a), 0);
    assert_int_equal(mt_fs_lock(b), 0);
    assert_int_equal(mt_fs_close(b), 0);
}

static void lists_sorted(void **state)
{
    (void)state;
    char **names = NULL;
    size_t n = 9;
    assert_int_equal(mt_fs_list(at("none"), &names, &n), ENOENT);
    assert_null(names);
    assert_int_equal(mt_fs_mkdir(at("list")), 0);
    assert_int_equal(mt_fs_list(at("list"), &names, &n), 0);
    assert_int_equal(n, 0);
    assert_non_null(names);
    mt_mem_free(names);
    put_file("list/b", "");
    put_file("list/a", "");
    put_file("list/.hidden", "");
    put_file("list/\xE4\xBD\xA0", "");
    assert_int_equal(mt_fs_list(at("list"), &names, &n), 0);
    assert_int_equal(n, 4);
    assert_string_equal(names[0], ".hidden");
    assert_string_equal(names[1], "a");
    assert_string_equal(names[2], "b");
    assert_string_equal(names[3], "\xE4\xBD\xA0");
    mt_mem_free(names);
}

static void reads_whole_files(void **state)
{
    (void)state;
    char *data = NULL;
    size_t len = 1;
    put_file("whole", "12345");
    assert_int_equal(mt_fs_read_all(at("whole"), 5, &data, &len), 0);
    assert_int_equal(len, 5);
    assert_string_equal(data, "12345");
    mt_mem_free(data);
    assert_int_equal(mt_fs_read_all(at("whole"), 4, &data, &len), EFBIG);
    assert_null(data);
    put_file("empty", "");
    assert_int_equal(mt_fs_read_all(at("empty"), 0, &data, &len), 0);
    assert_int_equal(len, 0);
    assert_string_equal(data, "");
    mt_mem_free(data);
    assert_int_equal(mt_fs_read_all(at("none"), 10, &data, &len), ENOENT);
    assert_int_equal(mt_fs_read_all(root, 10, &data, &len), EISDIR);
    /* a file without a size of its own */
    assert_int_equal(mt_fs_read_all("/proc/self/status", 1 << 20, &data, &len), 0);
    assert_true(len > 100 && mt_str_starts(data, "Name:"));
    mt_mem_free(data);
    assert_int_equal(mt_fs_read_all("/proc/self/status", 100, &data, &len), EFBIG);
    assert_int_equal(mt_fs_read_all("/dev/zero", 100000, &data, &len), EFBIG);
    assert_null(data);
}

static void replaces_whole_files(void **state)
{
    (void)state;
    struct mt_fs_stat st;
    assert_int_equal(mt_fs_replace(at("state"), "one", 3), 0);
    assert_file("state", "one");
    assert_int_equal(mt_fs_replace(at("state"), "twotwo", 6), 0);
    assert_file("state", "twotwo");
    assert_int_equal(mt_fs_stat(at("state"), &st), 0);
    assert_int_equal(st.mode, 0600);
    assert_int_equal(mt_fs_stat(at("state.tmp"), &st), ENOENT);
    assert_int_equal(mt_fs_replace(at("none/state"), "x", 1), ENOENT);
    /* a link planted where the new file is to be written */
    put_file("victim", "safe");
    assert_int_equal(symlink(at("victim"), at("planted.tmp")), 0);
    assert_int_equal(mt_fs_replace(at("planted"), "x", 1), ELOOP);
    assert_file("victim", "safe");
    char longest[PATH_MAX + 10];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(mt_fs_replace(longest, "x", 1), ENAMETOOLONG);
}

static void says_what_to_do(void **state)
{
    (void)state;
    struct mt_fault f;
    assert_int_equal(mt_fs_fault(&f, ENOSPC, "write", "a/b.jsonl"), MT_ERR_IO);
    assert_string_equal(f.code, "fs.enospc");
    assert_string_equal(f.message,
                        "cannot write a/b.jsonl: the disk is full: free space and run the "
                        "same command again");
    assert_int_equal(mt_fs_fault(&f, ENOENT, "open", "x"), MT_ERR_NOT_FOUND);
    assert_string_equal(f.message, "cannot open x: No such file or directory");
    assert_int_equal(mt_fs_fault(&f, EACCES, "open", "x"), MT_ERR_DENIED);
    assert_int_equal(mt_fs_fault(&f, EPERM, "open", "x"), MT_ERR_DENIED);
    assert_int_equal(mt_fs_fault(&f, ENOMEM, "open", "x"), MT_ERR_NOMEM);
    assert_int_equal(mt_fs_fault(NULL, EIO, "open", "x"), MT_ERR_IO);
    static const struct {
        int err;
        const char *says;
    } cases[] = {{EDQUOT, "quota"},     {EROFS, "read-only"}, {ELOOP, "symbolic link"},
                 {EIO, "disk may"},     {EFBIG, "too large"}, {EMFILE, "ulimit"},
                 {EWOULDBLOCK, "lock"}, {EINVAL, "Invalid"},  {9999, "unknown"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mt_fs_fault(&f, cases[i].err, "write", "x");
        assert_non_null(strstr(f.message, cases[i].says));
    }
    /* a long path leaves room for the reason */
    char path[600] = "";
    for (int i = 0; i < 150; i++) {
        strcat(path, "目");
    }
    mt_fs_fault(&f, ENOSPC, "write", path);
    assert_non_null(strstr(f.message, "run the same command again"));
    assert_true(mt_str_utf8_valid(f.message, strlen(f.message)));
}

static void tells_the_real_path(void **state)
{
    (void)state;
    char *file = NULL;
    char *link = NULL;
    put_file("real", "x");
    assert_int_equal(symlink("real", at("alias")), 0);
    assert_int_equal(mt_fs_real(at("real"), &file), 0);
    assert_int_equal(mt_fs_real(at("./alias"), &link), 0);
    assert_string_equal(file, link);
    assert_int_equal(file[0], '/');
    mt_mem_free(link);
    assert_int_equal(mt_fs_real(at("nowhere"), &link), ENOENT);
    assert_null(link);
    mt_mem_seam_fail_at(1, 1);
    assert_int_equal(mt_fs_real(at("real"), &link), ENOMEM);
    mt_mem_seam_fail_at(0, 0);
    mt_mem_free(file);
}

static void survives_want_of_memory(void **state)
{
    (void)state;
    put_file("data", "0123456789");
    int64_t live = mt_mem_seam_live();
    for (uint64_t n = 1; n < 10; n++) {
        char *data = NULL;
        char **names = NULL;
        size_t len = 0;
        mt_mem_seam_fail_at(n, 0);
        int err = mt_fs_read_all(at("data"), 100, &data, &len);
        bool reached = mt_mem_seam_count() >= n;
        assert_int_equal(err, reached ? ENOMEM : 0);
        mt_mem_free(data);
        mt_mem_seam_fail_at(n, 0);
        err = mt_fs_list(root, &names, &len);
        reached = mt_mem_seam_count() >= n;
        assert_int_equal(err, reached ? ENOMEM : 0);
        mt_mem_free(names);
        mt_mem_seam_fail_at(0, 0);
        assert_int_equal(mt_mem_seam_live(), live);
    }
}

int test_fs(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_privately),      cmocka_unit_test(writes_through_no_link),
        cmocka_unit_test(reads_and_writes),     cmocka_unit_test(renames_and_removes),
        cmocka_unit_test(makes_parents),        cmocka_unit_test(locks_once),
        cmocka_unit_test(lists_sorted),         cmocka_unit_test(reads_whole_files),
        cmocka_unit_test(replaces_whole_files), cmocka_unit_test(says_what_to_do),
        cmocka_unit_test(tells_the_real_path),  cmocka_unit_test(survives_want_of_memory),
    };
    return cmocka_run_group_tests_name("base/fs", tests, make_root, remove_root);
}
