/* Attachments in an archive: what is there after a commit, a crash, a failed write, and damage. */
#include "tests.h"

#include "../ids.h"
#include "archive/media.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/hash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL "media/JOURNAL.jsonl"
#define CHAT    "single:a"

static struct mt_media *open_media(struct mt_archive *archive)
{
    struct mt_media *media = NULL;
    struct mt_fault fault = {0};

    if (mt_media_begin(archive, &fault) || mt_media_open(archive, &media, &fault))
        fail_msg("%s: %s", fault.code, fault.message);
    return media;
}

/* One message line with an attachment for each id from 1 on. */
static void lines(struct mt_archive *archive, unsigned n)
{
    struct mt_archive_batch batch = {.conversation = CHAT, .complete = true, .synced_ms = 1};
    struct mt_fault fault;
    struct mt_buf text;

    mt_buf_init(&text, 1 << 20);
    for (unsigned id = 1; id <= n; id++)
        mt_buf_appendf(
            &text,
            "{\"v\":1,\"id\":\"%u\",\"conversation\":\"" CHAT
            "\",\"time\":%u,\"body\":{\"remote_path\":\"https://h/o/a/chatfiles/%u\"}}\n",
            id, id, id);
    batch.lines = text.data;
    batch.lines_len = text.len;
    batch.messages_n = batch.lines_n = n;
    batch.first_ms = 1;
    id_put(batch.first_id, 1);
    id_put(batch.last_id, n);
    id_put(batch.cursor, n);
    batch.last_ms = n;
    assert_int_equal(mt_archive_commit(archive, &batch, 1, &fault), MT_OK);
    mt_buf_deinit(&text);
}

struct thing {
    struct mt_media_item item;
    char temp[MT_MEDIA_PATH_MAX];
    char sha256[MT_SHA256_HEX];
    char remote[64];
    char id[MT_ID_MAX];
};

/* A download that is whole, of what content says; NULL: the cloud does not give it. */
static void make(struct mt_media *media, struct thing *thing, uint64_t message, const char *content)
{
    uint8_t digest[MT_SHA256_LEN];

    *thing = (struct thing){.item = {.conversation = CHAT}};
    id_put(thing->id, message);
    thing->item.message = thing->id;
    snprintf(thing->remote, sizeof thing->remote, "https://h/o/a/chatfiles/%llu",
             (unsigned long long)message);
    thing->item.remote_path = thing->remote;
    if (!content) {
        thing->item.missing = "download.expired";
        return;
    }
    mt_media_temp(media, thing->temp);
    tests_write(thing->temp, content, strlen(content));
    mt_sha256_of(content, strlen(content), digest);
    mt_hex(digest, sizeof digest, thing->sha256);
    thing->item.sha256 = thing->sha256;
    thing->item.size_bytes = (int64_t)strlen(content);
    thing->item.temp = thing->temp;
}

static enum mt_rc put(struct mt_media *media, uint64_t message, const char *content)
{
    struct thing thing;
    struct mt_fault fault;

    make(media, &thing, message, content);
    enum mt_rc rc = mt_media_commit(media, &thing.item, 1, &fault);
    return rc ? rc : mt_media_note(media, &thing.item, 1);
}

static const char *path_of(const char *dir, const char *content)
{
    char name[MT_SHA256_HEX + 32];
    char hex[MT_SHA256_HEX];
    uint8_t digest[MT_SHA256_LEN];

    mt_sha256_of(content, strlen(content), digest);
    mt_hex(digest, sizeof digest, hex);
    snprintf(name, sizeof name, "media/sha256/%.2s/%s", hex, hex + 2);
    return tests_path(dir, name);
}

static enum mt_media_state state_of(const struct mt_media *media, uint64_t message)
{
    const char *code = NULL;
    char id[MT_ID_MAX];

    id_put(id, message);
    return mt_media_find(media, CHAT, id, &code);
}

/* An archive of three messages: two attachments (a, b), one missing. */
static void fill(const char *dir, bool clean)
{
    struct mt_archive *archive = tests_open(dir, NULL);

    lines(archive, 3);
    struct mt_media *media = open_media(archive);
    struct mt_fault fault;
    assert_int_equal(put(media, 1, "content a"), MT_OK);
    assert_int_equal(put(media, 2, "content b"), MT_OK);
    assert_int_equal(put(media, 3, NULL), MT_OK);
    assert_int_equal(mt_media_list_missing(media, &fault), MT_OK);
    mt_media_free(media);
    tests_close(archive, clean);
}

static void what_was_put_is_known(void **state)
{
    int64_t size = 0;
    const char *code = NULL;
    size_t len = 0;

    fill(*state, true);
    char *text = tests_read(path_of(*state, "content a"), &len);
    assert_int_equal(len, 9);
    assert_memory_equal(text, "content a", 9);
    free(text);
    text = tests_read(tests_path(*state, "media/missing.jsonl"), &len);
    assert_non_null(strstr(text, "\"message\":\"3\""));
    assert_non_null(strstr(text, "\"missing\":\"download.expired\""));
    free(text);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_GAPS);
    assert_non_null(strstr(tests_finding(), "attachment of single:a 3: download.expired"));

    struct mt_archive *archive = tests_open(*state, NULL);
    struct mt_media *media = open_media(archive);
    struct mt_fault fault;
    assert_int_equal(state_of(media, 1), MT_MEDIA_THERE);
    assert_int_equal(state_of(media, 4), MT_MEDIA_NEW);
    assert_int_equal(mt_media_find(media, CHAT, "3", &code), MT_MEDIA_MISSING);
    assert_string_equal(code, "download.expired");
    assert_int_equal(mt_media_missing_n(media), 1);
    assert_non_null(mt_media_known(media, "https://h/o/a/chatfiles/1", &size));
    assert_int_equal(size, 9);
    assert_null(mt_media_known(media, "https://h/o/a/chatfiles/3", &size));
    /* the same content from another address is one file, and what was missing may come after all */
    assert_int_equal(put(media, 3, "content a"), MT_OK);
    assert_int_equal(mt_media_missing_n(media), 0);
    assert_int_equal(mt_media_list_missing(media, &fault), MT_OK);
    mt_media_free(media);
    tests_close(archive, true);
    assert_false(tests_exists(tests_path(*state, "media/missing.jsonl")));
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_COMPLETE);
}

static void what_was_never_asked_for_is_said(void **state)
{
    struct mt_archive *archive = tests_open(*state, NULL);

    lines(archive, 3);
    tests_close(archive, true);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_COMPLETE);
    archive = tests_open(*state, NULL);
    struct mt_media *media = open_media(archive);
    assert_int_equal(put(media, 2, "x"), MT_OK);
    mt_media_free(media);
    tests_close(archive, true);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_GAPS);
    assert_non_null(strstr(tests_finding(), "2 messages were not fetched"));
}

/* The last line is cut off at every byte, or torn in its middle. */
static void a_torn_line_is_taken_back(void **state)
{
    size_t len = 0;

    fill(*state, false);
    char *whole = tests_read(tests_path(*state, JOURNAL), &len);
    size_t last = len - 1;
    while (whole[last - 1] != '\n')
        last--;
    for (size_t cut = last; cut <= len; cut += cut + 1 < len ? 7 : 1) {
        for (int torn = 0; torn < 2; torn++) {
            char *text = malloc(len);
            memcpy(text, whole, len);
            if (torn)
                memset(text + last, 0, cut - last); /* sectors come in any order */
            tests_write(tests_path(*state, JOURNAL), text, torn ? len : cut);
            free(text);
            assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_UNFINISHED);
            struct mt_archive *archive = tests_open(*state, NULL);
            struct mt_media *media = open_media(archive);
            bool there = torn ? cut == last : cut == len;
            assert_int_equal(state_of(media, 2), MT_MEDIA_THERE);
            assert_int_equal(state_of(media, 3), there ? MT_MEDIA_MISSING : MT_MEDIA_NEW);
            if (!there)
                assert_int_equal(put(media, 3, NULL), MT_OK);
            mt_media_free(media);
            tests_close(archive, false);
        }
    }
    free(whole);
}

static void damage_is_found(void **state)
{
    size_t len = 0;
    struct mt_fault fault;
    struct mt_media *media = NULL;

    fill(*state, true);
    char *whole = tests_read(tests_path(*state, JOURNAL), &len);
    for (size_t at = 0; at < len; at++) { /* any changed byte */
        whole[at] ^= 1;
        tests_write(tests_path(*state, JOURNAL), whole, len);
        assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_DAMAGED);
        whole[at] ^= 1;
    }
    for (size_t cut = 10; cut < len; cut += len - 20) { /* the beginning, or a bit of the end */
        tests_write(tests_path(*state, JOURNAL), whole + (cut == 10 ? 10 : 0), len - 10);
        struct mt_archive *archive = tests_open(*state, NULL);
        assert_int_equal(mt_media_open(archive, &media, &fault), MT_ERR_DAMAGED);
        assert_string_equal(fault.code, "archive.damaged");
        tests_close(archive, true);
    }
    unlink(tests_path(*state, JOURNAL)); /* all of it is: the files are strangers then */
    assert_int_equal(tests_verdict(*state, MT_VERIFY_STRUCTURE), MT_VERIFY_DAMAGED);
    tests_write(tests_path(*state, JOURNAL), whole, len);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_GAPS);

    tests_write(path_of(*state, "content a"), "content A", 9);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_STRUCTURE), MT_VERIFY_GAPS);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_DAMAGED);
    tests_write(path_of(*state, "content a"), "content", 7);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_STRUCTURE), MT_VERIFY_DAMAGED);
    unlink(path_of(*state, "content a"));
    assert_int_equal(tests_verdict(*state, MT_VERIFY_STRUCTURE), MT_VERIFY_DAMAGED);
    tests_write(path_of(*state, "content a"), "content a", 9);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_GAPS);
    tests_write(tests_path(*state, "media/other"), "x", 1);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_STRUCTURE), MT_VERIFY_DAMAGED);
    free(whole);
}

static void what_a_crash_leaves_is_removed(void **state)
{
    fill(*state, false);
    /* named just before the power went, and never written down; and a download half done */
    mkdir(tests_path(*state, "media/sha256/ab"), 0700);
    const char *orphan =
        "media/sha256/ab/cdef0000000000000000000000000000000000000000000000000000000000";
    tests_write(tests_path(*state, orphan), "x", 1);
    tests_write(tests_path(*state, "media/tmp/7.0a1b.part"), "x", 1);
    tests_write(tests_path(*state, "media/sha256/ab/mine"), "x", 1);
    struct mt_archive *archive = tests_open(*state, NULL);
    struct mt_media *media = open_media(archive);
    assert_int_equal(put(media, 3, "content c"), MT_OK);
    mt_media_free(media);
    tests_close(archive, true);
    assert_false(tests_exists(tests_path(*state, orphan)));
    assert_false(tests_exists(tests_path(*state, "media/tmp/7.0a1b.part")));
    assert_true(tests_exists(tests_path(*state, "media/sha256/ab/mine"))); /* somebody else's */
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_DAMAGED);
    unlink(tests_path(*state, "media/sha256/ab/mine"));
    rmdir(tests_path(*state, "media/sha256/ab"));
    assert_int_not_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_DAMAGED);
}

/* ---------------------------------------------------------------- the disk */

struct disk {
    unsigned n, fail_at;
    char order[512];
};

static int on_disk(void *ud, const struct mt_fs_event *event)
{
    struct disk *disk = ud;

    if (!event->path || !strstr(event->path, "/media"))
        return 0;
    if (strlen(disk->order) + strlen(event->name) + 2 < sizeof disk->order) {
        strcat(disk->order, event->name);
        strcat(disk->order, " ");
    }
    return ++disk->n == disk->fail_at ? ENOSPC : 0;
}

static void nothing_is_said_before_it_is_durable(void **state)
{
    struct disk disk = {0};
    struct mt_archive *archive = tests_open(*state, NULL);
    struct mt_media *media = open_media(archive);
    struct thing thing;
    struct mt_fault fault;

    make(media, &thing, 1, "content");
    mt_fs_seam_set(on_disk, &disk);
    assert_int_equal(mt_media_commit(media, &thing.item, 1, &fault), MT_OK);
    mt_fs_seam_set(NULL, NULL);
    const char *rename = strstr(disk.order, "rename ");
    const char *sync = rename ? strstr(rename, "fsync_dir ") : NULL;
    const char *line = sync ? strstr(sync, "write ") : NULL;
    print_message("# %s\n", disk.order);
    assert_true(rename && sync && line && strstr(line, "fdatasync "));
    mt_media_free(media);
    tests_close(archive, true);
}

static void any_operation_may_fail(void **state)
{
    char dir[600];
    bool failed = true;

    for (unsigned at = 1; failed; at++) {
        struct disk disk = {.fail_at = at};
        struct mt_media *media = NULL;
        struct mt_fault fault;
        snprintf(dir, sizeof dir, "%s/%u", (char *)*state, at);
        struct mt_archive *archive = tests_open(dir, NULL);
        lines(archive, 2);
        mt_fs_seam_set(on_disk, &disk);
        enum mt_rc rc = mt_media_open(archive, &media, &fault); /* lines() has begun the run */
        if (!rc)
            rc = put(media, 1, "content a");
        enum mt_rc again = rc || !media ? MT_OK : put(media, 2, "content b");
        if (media && rc) /* the journal is in doubt */
            assert_int_equal(put(media, 2, "content b"), MT_ERR_STATE);
        mt_fs_seam_set(NULL, NULL);
        failed = disk.n >= at;
        assert_true(failed || !(rc || again)); /* a stat or a close may fail without harm */
        mt_media_free(media);
        tests_close(archive, false);
        assert_int_equal(tests_verdict(dir, MT_VERIFY_READ_ALL), MT_VERIFY_UNFINISHED);
        archive = tests_open(dir, NULL); /* and the next run goes on */
        media = open_media(archive);
        for (uint64_t id = 1; id <= 2; id++)
            if (state_of(media, id) == MT_MEDIA_NEW)
                assert_int_equal(put(media, id, id == 1 ? "content a" : "content b"), MT_OK);
        mt_media_free(media);
        tests_close(archive, true);
        assert_int_equal(tests_verdict(dir, MT_VERIFY_READ_ALL), MT_VERIFY_COMPLETE);
        tests_remove(dir);
    }
}

static void memory_may_run_out(void **state)
{
    struct mt_verify_report report;
    struct mt_fault fault;
    bool reached = true;

    fill(*state, true);
    struct mt_archive *archive = tests_open(*state, NULL);
    for (uint64_t at = 1; reached; at++) {
        struct mt_media *media = NULL;
        int64_t live = mt_mem_seam_live();
        mt_mem_seam_fail_at(at, 0);
        enum mt_rc rc = mt_media_open(archive, &media, &fault);
        if (!rc)
            rc = mt_media_list_missing(media, &fault);
        reached = mt_mem_seam_count() >= at;
        mt_mem_seam_fail_at(0, 0);
        assert_true(reached || rc == MT_OK);
        mt_media_free(media);
        assert_int_equal(mt_mem_seam_live(), live);
    }
    tests_close(archive, true);
    reached = true;
    for (uint64_t at = 1; reached; at++) {
        int64_t live = mt_mem_seam_live();
        mt_mem_seam_fail_at(at, 0);
        enum mt_rc rc =
            mt_archive_verify(*state, MT_VERIFY_READ_ALL, NULL, NULL, NULL, &report, &fault);
        reached = mt_mem_seam_count() >= at;
        mt_mem_seam_fail_at(0, 0);
        assert_int_equal(mt_mem_seam_live(), live);
        assert_true(rc || report.verdict != MT_VERIFY_COMPLETE); /* one is missing */
    }
}

int test_media(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_is_known, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(what_was_never_asked_for_is_said, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(a_torn_line_is_taken_back, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(damage_is_found, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(what_a_crash_leaves_is_removed, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(nothing_is_said_before_it_is_durable, tests_begin,
                                        tests_end),
        cmocka_unit_test_setup_teardown(any_operation_may_fail, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(memory_may_run_out, tests_begin, tests_end),
    };
    return cmocka_run_group_tests_name("archive media", tests, NULL, NULL);
}
