/* The test side of the file seam: what a hook sees, and what its answers do. */
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char root[PATH_MAX / 2];

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
    snprintf(root, sizeof root, "%s/mt-seam-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    char command[PATH_MAX];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command); /* NOLINT(cert-env33-c): a test's own directory */
}

/* A hook that writes down what it sees, and answers at operation fail_at. */
struct recorder {
    char text[4096];
    int n;
    int fail_at;
    int answer;
    size_t cut_to; /* with cut: shorten the write there */
    bool cut;
    bool sticky;
};

static int record(void *ud, const struct mt_fs_event *e)
{
    struct recorder *r = ud;
    size_t used = strlen(r->text);
    const char *path = mt_str_starts(e->path, root) ? e->path + strlen(root) : e->path;
    char more[64] = "";
    if (e->to) {
        snprintf(more, sizeof more, ">%s", e->to + strlen(root));
    } else if (e->len) {
        snprintf(more, sizeof more, "=%.*s@%lld", (int)*e->len, (const char *)e->p,
                 (long long)e->offset);
    } else if (e->offset >= 0) {
        snprintf(more, sizeof more, "@%lld", (long long)e->offset);
    }
    snprintf(r->text + used, sizeof r->text - used, "%s %s%s;", e->name, path, more);
    r->n++;
    if (r->n == r->fail_at || (r->sticky && r->fail_at > 0 && r->n > r->fail_at)) {
        if (r->cut && e->len) {
            *e->len = r->cut_to;
        }
        return r->answer;
    }
    return 0;
}

static void sees_every_operation(void **state)
{
    (void)state;
    struct recorder r = {0};
    int fd = -1;
    char p[4];
    size_t got = 0;
    struct mt_fs_stat st;
    char **names = NULL;
    mt_fs_seam_set(record, &r);
    assert_int_equal(mt_fs_mkdirs(at("d/e")), 0);
    assert_string_equal(r.text + strlen(r.text) -
                            strlen("mkdir /d;fsync_dir ;mkdir /d/e;fsync_dir /d;"),
                        "mkdir /d;fsync_dir ;mkdir /d/e;fsync_dir /d;");
    r.text[0] = '\0';
    assert_int_equal(mt_fs_open(at("d/f"), MT_FS_WRITE | MT_FS_CREATE, &fd), 0);
    assert_int_equal(mt_fs_write(fd, "abc", 3), 0);
    assert_int_equal(mt_fs_write(fd, "de", 2), 0);
    assert_int_equal(mt_fs_fdatasync(fd), 0);
    assert_int_equal(mt_fs_fsync(fd), 0);
    assert_int_equal(mt_fs_truncate(fd, 4), 0);
    assert_int_equal(mt_fs_seek(fd, 1), 0);
    assert_int_equal(mt_fs_read(fd, p, 1, &got), 0);
    assert_int_equal(mt_fs_pread(fd, p, 1, 2, &got), 0);
    assert_int_equal(mt_fs_stat_fd(fd, &st), 0);
    assert_int_equal(mt_fs_lock(fd), 0);
    assert_int_equal(mt_fs_close(fd), 0);
    assert_string_equal(r.text,
                        "open /d/f;write /d/f=abc@0;write /d/f=de@3;fdatasync /d/f;fsync /d/f;"
                        "truncate /d/f@4;seek /d/f@1;read /d/f;pread /d/f@2;stat /d/f;lock /d/f;"
                        "close /d/f;");
    r.text[0] = '\0';
    assert_int_equal(mt_fs_open(at("d/f"), MT_FS_APPEND, &fd), 0);
    assert_int_equal(mt_fs_write(fd, "x", 1), 0);
    assert_int_equal(mt_fs_close(fd), 0);
    assert_int_equal(mt_fs_rename(at("d/f"), at("d/g")), 0);
    assert_int_equal(mt_fs_stat(at("d/g"), &st), 0);
    assert_int_equal(mt_fs_list(at("d"), &names, &got), 0);
    mt_mem_free(names);
    assert_int_equal(mt_fs_unlink(at("d/g")), 0);
    assert_int_equal(mt_fs_rmdir(at("d/e")), 0);
    assert_int_equal(mt_fs_sync_dir(at("d")), 0);
    mt_fs_seam_set(NULL, NULL);
    assert_string_equal(r.text,
                        "open /d/f;write /d/f=x@4;close /d/f;rename /d/f>/d/g;stat /d/g;list /d;"
                        "unlink /d/g;rmdir /d/e;fsync_dir /d;");
    int n = r.n;
    assert_int_equal(mt_fs_sync_dir(at("d")), 0);
    assert_int_equal(r.n, n); /* no longer asked */
}

static void knows_files_opened_before(void **state)
{
    (void)state;
    struct recorder r = {0};
    int fd = -1;
    assert_int_equal(mt_fs_open(at("early"), MT_FS_WRITE | MT_FS_CREATE, &fd), 0);
    mt_fs_seam_set(record, &r);
    assert_int_equal(mt_fs_write(fd, "x", 1), 0);
    mt_fs_seam_set(NULL, NULL);
    assert_int_equal(mt_fs_close(fd), 0);
    assert_true(mt_str_ends(r.text, "/early=x@0;"));
}

static void a_write_may_be_cut_short(void **state)
{
    (void)state;
    char *data = NULL;
    size_t len = 0;
    static const int answers[] = {0, ENOSPC};
    for (int i = 0; i < 2; i++) {
        struct recorder r = {.fail_at = 2, .cut = true, .cut_to = 3, .answer = answers[i]};
        int fd = -1;
        mt_fs_seam_set(record, &r);
        assert_int_equal(mt_fs_open(at("short"), MT_FS_WRITE | MT_FS_CREATE | MT_FS_TRUNCATE, &fd),
                         0);
        assert_int_equal(mt_fs_write(fd, "abcdef", 6), answers[i] ? answers[i] : EIO);
        assert_int_equal(mt_fs_close(fd), 0);
        mt_fs_seam_set(NULL, NULL);
        assert_int_equal(mt_fs_read_all(at("short"), 10, &data, &len), 0);
        assert_string_equal(data, "abc");
        mt_mem_free(data);
    }
    struct recorder r = {.fail_at = 2, .answer = EIO};
    int fd = -1;
    mt_fs_seam_set(record, &r);
    assert_int_equal(mt_fs_open(at("short"), MT_FS_WRITE | MT_FS_TRUNCATE, &fd), 0);
    assert_int_equal(mt_fs_write(fd, "abcdef", 6), EIO);
    mt_fs_seam_set(NULL, NULL);
    assert_int_equal(mt_fs_close(fd), 0);
    assert_int_equal(mt_fs_read_all(at("short"), 10, &data, &len), 0);
    assert_int_equal(len, 0);
    mt_mem_free(data);
}

static void everything_can_be_pretended(void **state)
{
    (void)state;
    struct recorder r = {.fail_at = 1, .sticky = true, .answer = MT_FS_SEAM_SKIP};
    int fd = -1;
    char p[4];
    size_t got = 9;
    struct mt_fs_stat st;
    char **names = NULL;
    mt_fs_seam_set(record, &r);
    assert_int_equal(mt_fs_open(at("ghost"), MT_FS_WRITE | MT_FS_CREATE, &fd), 0);
    assert_true(fd >= 0);
    assert_int_equal(mt_fs_write(fd, "abc", 3), 0);
    assert_int_equal(mt_fs_read(fd, p, 1, &got), 0);
    assert_int_equal(got, 0);
    assert_int_equal(mt_fs_pread(fd, p, 1, 0, &got), 0);
    assert_int_equal(mt_fs_fsync(fd), 0);
    assert_int_equal(mt_fs_truncate(fd, 1), 0);
    assert_int_equal(mt_fs_seek(fd, 1), 0);
    assert_int_equal(mt_fs_lock(fd), 0);
    assert_int_equal(mt_fs_stat_fd(fd, &st), 0);
    assert_int_equal(mt_fs_close(fd), 0);
    assert_int_equal(mt_fs_stat(at("ghost"), &st), 0);
    assert_int_equal(mt_fs_rename(at("ghost"), at("spirit")), 0);
    assert_int_equal(mt_fs_mkdir(at("ghost")), 0);
    assert_int_equal(mt_fs_sync_dir(at("ghost")), 0);
    assert_int_equal(mt_fs_rmdir(at("ghost")), 0);
    assert_int_equal(mt_fs_unlink(at("ghost")), 0);
    assert_int_equal(mt_fs_list(at("ghost"), &names, &got), 0);
    assert_int_equal(got, 0);
    mt_mem_free(names);
    mt_fs_seam_set(NULL, NULL);
    assert_int_equal(mt_fs_stat(at("ghost"), &st), ENOENT); /* and nothing of it was done */
    assert_int_equal(mt_fs_stat(at("spirit"), &st), ENOENT);
}

/* R6 in small: whatever operation of a replacement fails, the file is the old one or the new one.
 */
static void a_replacement_is_whole_or_not_at_all(void **state)
{
    (void)state;
    static const int errors[] = {ENOSPC, EIO, EDQUOT, EROFS};
    for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++) {
        for (int n = 1;; n++) {
            struct recorder r = {.fail_at = n, .answer = errors[e]};
            char *data = NULL;
            size_t len = 0;
            struct mt_fs_stat st;
            assert_int_equal(mt_fs_replace(at("state"), "old", 3), 0);
            mt_fs_seam_set(record, &r);
            int err = mt_fs_replace(at("state"), "new", 3);
            mt_fs_seam_set(NULL, NULL);
            assert_int_equal(err, r.n >= n ? errors[e] : 0);
            assert_int_equal(mt_fs_read_all(at("state"), 10, &data, &len), 0);
            bool is_new = strcmp(data, "new") == 0;
            assert_true(is_new || strcmp(data, "old") == 0);
            assert_true(is_new || err != 0);
            mt_mem_free(data);
            assert_int_equal(mt_fs_stat(at("state.tmp"), &st), ENOENT);
            if (r.n < n) {
                assert_int_equal(n, 7); /* open, write, fsync, close, rename, fsync_dir */
                break;
            }
        }
    }
}

static void every_operation_can_fail(void **state)
{
    (void)state;
    struct recorder r = {.fail_at = 1, .sticky = true, .answer = EIO};
    int fd = -1;
    char p[4];
    size_t got = 0;
    struct mt_fs_stat st;
    char **names = NULL;
    char *data = NULL;
    assert_int_equal(mt_fs_open(at("real"), MT_FS_WRITE | MT_FS_CREATE, &fd), 0);
    mt_fs_seam_set(record, &r);
    int other = -1;
    assert_int_equal(mt_fs_open(at("real"), MT_FS_READ, &other), EIO);
    assert_int_equal(other, -1);
    assert_int_equal(mt_fs_read(fd, p, 1, &got), EIO);
    assert_int_equal(mt_fs_pread(fd, p, 1, 0, &got), EIO);
    assert_int_equal(mt_fs_write(fd, p, 1), EIO);
    assert_int_equal(mt_fs_fsync(fd), EIO);
    assert_int_equal(mt_fs_fdatasync(fd), EIO);
    assert_int_equal(mt_fs_truncate(fd, 0), EIO);
    assert_int_equal(mt_fs_seek(fd, 0), EIO);
    assert_int_equal(mt_fs_lock(fd), EIO);
    assert_int_equal(mt_fs_stat_fd(fd, &st), EIO);
    assert_int_equal(mt_fs_stat(at("real"), &st), EIO);
    assert_int_equal(mt_fs_rename(at("real"), at("x")), EIO);
    assert_int_equal(mt_fs_unlink(at("real")), EIO);
    assert_int_equal(mt_fs_mkdir(at("x")), EIO);
    assert_int_equal(mt_fs_mkdirs(at("x/y")), EIO);
    assert_int_equal(mt_fs_rmdir(at("x")), EIO);
    assert_int_equal(mt_fs_sync_dir(at("x")), EIO);
    assert_int_equal(mt_fs_list(at("x"), &names, &got), EIO);
    assert_int_equal(mt_fs_read_all(at("real"), 10, &data, &got), EIO);
    assert_int_equal(mt_fs_close(fd), EIO); /* and it is closed all the same */
    mt_fs_seam_set(NULL, NULL);
    assert_int_equal(mt_fs_close(fd), EBADF);
    assert_int_equal(mt_fs_stat(at("real"), &st), 0);
}

static void leaves_nothing_behind(void **state)
{
    (void)state;
    int64_t live = mt_mem_seam_live();
    struct recorder r = {0};
    int fd = -1;
    mt_fs_seam_set(record, &r);
    assert_int_equal(mt_fs_open(at("kept"), MT_FS_WRITE | MT_FS_CREATE, &fd), 0);
    mt_fs_seam_set(NULL, NULL); /* while the file is open */
    assert_int_equal(mt_mem_seam_live(), live);
    assert_int_equal(mt_fs_close(fd), 0);
}

int test_fs_seam(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sees_every_operation),
        cmocka_unit_test(knows_files_opened_before),
        cmocka_unit_test(a_write_may_be_cut_short),
        cmocka_unit_test(everything_can_be_pretended),
        cmocka_unit_test(a_replacement_is_whole_or_not_at_all),
        cmocka_unit_test(every_operation_can_fail),
        cmocka_unit_test(leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("base/fs_seam", tests, make_root, remove_root);
}
