/* The shared ground of the tests of engine/archive. */
#include "tests.h"

#include "../ids.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct mt_archive_identity tests_identity = {"model", "org#app", "me"};

int tests_begin(void **state)
{
    struct stat st;
    char path[300];
    const char *base = getenv("TMPDIR");

    mt_log_level_set(MT_LOG_ERROR);
    if (!base) /* many syncs: memory, where there is some */
        base = !stat("/dev/shm", &st) && !access("/dev/shm", W_OK) ? "/dev/shm" : "/tmp";
    snprintf(path, sizeof path, "%s/mt-archive-XXXXXX", base);
    if (!mkdtemp(path))
        return -1;
    *state = strdup(path);
    return 0;
}

int tests_end(void **state)
{
    tests_remove(*state);
    free(*state);
    mt_log_level_set(MT_LOG_INFO);
    return 0;
}

struct mt_archive *tests_open(const char *dir, const struct mt_archive_options *options)
{
    struct mt_archive *archive = NULL;
    struct mt_fault fault;

    if (mt_archive_open(dir, &tests_identity, options, &archive, &fault))
        fail_msg("%s: %s", fault.code, fault.message);
    return archive;
}

void tests_close(struct mt_archive *archive, bool clean)
{
    struct mt_fault fault;

    if (mt_archive_close(archive, clean, &fault))
        fail_msg("%s: %s", fault.code, fault.message);
}

struct mt_fault tests_open_fails(const char *dir, const struct mt_archive_identity *identity)
{
    struct mt_archive *archive = NULL;
    struct mt_fault fault = {0};

    assert_int_not_equal(mt_archive_open(dir, identity, NULL, &archive, &fault), MT_OK);
    assert_null(archive);
    return fault;
}

void tests_lines(struct mt_buf *out, const char *conversation, uint64_t first, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        mt_buf_appendf(out,
                       "{\"v\":1,\"id\":\"%llu\",\"conversation\":\"%s\",\"time\":%llu,\"kind\":"
                       "\"text\",\"text\":\"message %llu\"}\n",
                       (unsigned long long)(first + i), conversation,
                       (unsigned long long)(first + i) * 1000, (unsigned long long)(first + i));
}

struct mt_archive_batch tests_batch(struct mt_buf *lines, const char *conversation, uint64_t first,
                                    unsigned n, bool complete)
{
    mt_buf_init(lines, (size_t)256 << 20);
    tests_lines(lines, conversation, first, n);
    struct mt_archive_batch batch = {
        .conversation = conversation,
        .lines = lines->data,
        .lines_len = lines->len,
        .messages_n = n,
        .lines_n = n,
        .first_ms = n ? (int64_t)first * 1000 : 0,
        .last_ms = n ? (int64_t)(first + n - 1) * 1000 : 0,
        .complete = complete,
        .synced_ms = complete ? 5 : 0,
    };
    id_put(batch.first_id, n ? first : 0);
    id_put(batch.last_id, n ? first + n - 1 : 0);
    id_put(batch.cursor, n ? first + n - 1 : 0);
    return batch;
}

void tests_commit(struct mt_archive *archive, const char *conversation, uint64_t first, unsigned n,
                  bool complete)
{
    struct mt_buf lines;
    struct mt_archive_batch batch = tests_batch(&lines, conversation, first, n, complete);
    struct mt_fault fault;

    if (mt_archive_commit(archive, &batch, 1, &fault))
        fail_msg("%s: %s", fault.code, fault.message);
    mt_buf_deinit(&lines);
}

struct ids {
    uint64_t *at;
    size_t n;
};

static enum mt_rc take_id(void *ud, const char *text, size_t len)
{
    struct ids *ids = ud;
    struct mt_json *line = NULL;
    uint64_t id = 0;

    assert_int_equal(mt_json_parse(text, len, len, &line, NULL), MT_OK);
    if (!mt_json_get(line, "type")) {
        assert_true(mt_json_u64(mt_json_get(line, "id"), &id));
        ids->at = realloc(ids->at, (ids->n + 1) * sizeof *ids->at);
        ids->at[ids->n++] = id;
    }
    mt_json_free(line);
    return MT_OK;
}

uint64_t *tests_ids(struct mt_archive *archive, const char *conversation, size_t *n)
{
    struct ids ids = {NULL, 0};
    struct mt_fault fault;

    if (mt_archive_lines(archive, conversation, 0, 0, take_id, &ids, &fault))
        fail_msg("%s: %s", fault.code, fault.message);
    *n = ids.n;
    return ids.at;
}

static char finding[1200];

static void problem(void *ud, const char *text)
{
    (void)ud;
    if (!finding[0])
        snprintf(finding, sizeof finding, "%s", text);
}

enum mt_verify_verdict tests_verdict(const char *dir, enum mt_verify_mode mode)
{
    struct mt_verify_report report;
    struct mt_fault fault;

    finding[0] = '\0';
    if (mt_archive_verify(dir, mode, problem, NULL, NULL, &report, &fault))
        fail_msg("%s: %s", fault.code, fault.message);
    return report.verdict;
}

const char *tests_finding(void)
{
    return finding;
}

const char *tests_path(const char *dir, const char *name)
{
    static char paths[4][4096];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s/%s", dir, TESTS_USER, name);
    return path;
}

char *tests_read(const char *path, size_t *len)
{
    FILE *file = fopen(path, "r");
    char *data = NULL;

    *len = 0;
    if (!file)
        return NULL;
    for (size_t cap = 4096;; cap *= 2) {
        data = realloc(data, cap);
        *len += fread(data + *len, 1, cap - *len - 1, file);
        if (*len < cap - 1)
            break;
    }
    data[*len] = '\0';
    fclose(file);
    return data;
}

void tests_write(const char *path, const void *data, size_t len)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

bool tests_exists(const char *path)
{
    struct stat st;
    return !lstat(path, &st);
}

uint64_t tests_print(const char *dir)
{
    char **names = NULL;
    size_t n = 0;
    uint64_t sum = 14695981039346656037u;

    if (mt_fs_list(dir, &names, &n))
        return 0;
    for (size_t i = 0; i < n; i++) {
        char path[4096];
        size_t len = 0;
        struct mt_fs_stat st;
        if (!strcmp(names[i], "LOCK"))
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        for (const char *c = names[i]; *c; c++)
            sum = (sum ^ (uint8_t)*c) * 1099511628211u;
        if (!mt_fs_stat(path, &st) && st.is_dir) {
            sum = (sum ^ tests_print(path)) * 1099511628211u;
            continue;
        }
        char *data = tests_read(path, &len);
        for (size_t k = 0; k < len; k++)
            sum = (sum ^ (uint8_t)data[k]) * 1099511628211u;
        free(data);
    }
    mt_mem_free(names);
    return sum;
}
