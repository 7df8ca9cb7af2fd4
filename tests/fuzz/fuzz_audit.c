/* The audit: whatever lies in its folder is opened or refused, proved or not, and read; and what
 * opens takes a record and is proved then. An input is what stands in the first segment; behind a
 * line "--" what stands in HEAD, and behind another in OPEN. "@" at the beginning of a line gives
 * it its right number and hash first, for random bytes would all end there. Behind a third "--"
 * stands the first segment as it lies there compressed, as it is, or if the part is empty, what it
 * should be; what came first is then the second segment. */
#include "base/fs.h"
#include "base/mem.h"
#include "policy/audit_int.h"
#include "policy/audit_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX ((size_t)8 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

/* One folder, with one key. */
static const char *folder(void)
{
    static char dir[64];
    uint8_t key[MT_SIGN_KEY_LEN];

    if (dir[0])
        return dir;
    snprintf(dir, sizeof dir, "%s/mt-fuzz-audit-XXXXXX",
             access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    check(mkdtemp(dir) != NULL);
    check(!mt_au_key_make(dir, key, NULL));
    return dir;
}

static void put(const char *dir, const char *name, const char *text, size_t len)
{
    char path[MT_AU_PATH_MAX];
    int fd = -1;

    mt_au_path(dir, name, path);
    check(!mt_fs_open(path, MT_FS_WRITE | MT_FS_CREATE | MT_FS_TRUNCATE, &fd));
    check(!mt_fs_write(fd, text, len));
    mt_fs_close(fd);
}

/* The lines with their chain, where they ask for it; the first then names the key. at: the place
 * before, and behind them. */
static void chained(const char *dir, const char *text, size_t len, struct mt_au_place *at,
                    struct mt_buf *out)
{
    char sha256[MT_SHA256_HEX];
    uint8_t sum[MT_SHA256_LEN];
    uint8_t key[MT_SIGN_KEY_LEN], public_key[MT_SIGN_KEY_LEN];
    char hex[MT_AU_KEY_HEX];
    unsigned seq = (unsigned)at->seq + 1;

    check(!mt_au_key_read(dir, key, NULL) && !mt_sign_public(key, public_key));
    mt_hex(public_key, sizeof public_key, hex);
    memcpy(sha256, at->sha256, sizeof sha256);
    while (len) {
        const char *newline = memchr(text, '\n', len);
        size_t n = newline ? (size_t)(newline - text) : len;
        size_t start = out->len;
        if (n && text[0] == '@')
            check(!mt_buf_appendf(out, "{\"seq\":%u,\"prev\":\"%s\",\"at\":1,", seq, sha256));
        if (n && text[0] == '@' && seq == 1)
            check(!mt_buf_appendf(out, "\"detail\":{\"key\":\"%s\"},", hex));
        size_t skip = n && text[0] == '@';
        check(!mt_buf_append(out, text + skip, n - skip));
        mt_sha256_of(out->data ? out->data + start : "", out->len - start, sum);
        mt_hex(sum, sizeof sum, sha256);
        seq++;
        if (newline)
            check(!mt_buf_append_char(out, '\n'));
        n += newline ? 1 : 0;
        text += n;
        len -= n;
    }
    at->seq = seq - 1;
    memcpy(at->sha256, sha256, sizeof at->sha256);
}

/* The first segment, compressed: what was given; or two right records. */
static void compressed(const char *dir, const char *given, size_t len, struct mt_au_place *at)
{
    static const char right[] = "@\"type\":\"note\"}\n@\"type\":\"intent\",\"verb\":\"recall\"}\n";
    struct mt_buf text;
    bool done = false;

    if (len) {
        put(dir, "000001.jsonl.zst", given, len);
        return;
    }
    mt_buf_init(&text, 4096);
    chained(dir, right, sizeof right - 1, at, &text);
    put(dir, "000001.jsonl", text.data, text.len);
    mt_buf_deinit(&text);
    check(!mt_au_compress(dir, 1, &done, NULL) && done);
}

static void remove_all(const char *dir)
{
    static const char *const names[] = {"000001.jsonl", "000001.jsonl.zst", "000002.jsonl",
                                        "000003.jsonl", "HEAD"};
    char path[MT_AU_PATH_MAX];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        mt_au_path(dir, names[i], path);
        mt_fs_unlink(path);
    }
}

static void read_all(const char *dir, bool proved)
{
    struct mt_audit_filter filter = {.since_ms = 1, .id = "1"};
    struct mt_audit_reader *reader = NULL;
    struct mt_fault fault = {0};
    struct mt_buf text;
    bool more = true;
    enum mt_rc rc = mt_audit_reader_open(dir, &filter, &reader, &fault);

    mt_buf_init(&text, TEXT_MAX);
    while (!rc && more)
        rc = mt_audit_reader_next(reader, &text, &more, &fault);
    check(!rc || fault.message[0]);
    check(!(rc && proved));
    mt_buf_deinit(&text);
    mt_audit_reader_close(reader);
}

static void open_it(const char *dir)
{
    struct mt_audit_options options = {.dir = dir};
    struct mt_audit_proof proof;
    struct mt_audit *audit = NULL;
    struct mt_fault fault = {0};
    struct mt_audit_record record = {.type = MT_AUDIT_NOTE, .verb = "fuzz"};
    uint64_t number = 0;

    if (mt_audit_open(&options, &audit, &fault)) {
        check(fault.code[0] && fault.message[0]);
        return;
    }
    check(!mt_audit_append(audit, &record, 1, &number, &fault) && number > 1);
    check(!mt_audit_close(audit, &fault));
    check(!mt_audit_prove(dir, NULL, &proof, &fault));
    check(proof.records_n == number && !proof.torn_bytes);
    read_all(dir, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *dir = folder();
    const char *parts[4] = {(const char *)data, "", "", NULL};
    size_t lens[4] = {size, 0, 0, 0};
    struct mt_audit_proof proof;
    struct mt_fault fault = {0};
    struct mt_buf text;
    struct mt_au_place at;

    for (int i = 0; i < 3; i++) {
        const char *mark = memmem(parts[i], lens[i], "\n--\n", 4);
        bool empty = lens[i] >= 3 && !memcmp(parts[i], "--\n", 3);
        if (!mark && !empty)
            break;
        size_t kept = empty ? 0 : (size_t)(mark - parts[i]) + 1;
        parts[i + 1] = parts[i] + kept + 3;
        lens[i + 1] = lens[i] - kept - 3;
        lens[i] = kept;
    }
    remove_all(dir);
    mt_au_none(&at);
    if (parts[3])
        compressed(dir, parts[3], lens[3], &at);
    mt_buf_init(&text, TEXT_MAX + 4 * size);
    chained(dir, parts[0], lens[0], &at, &text);
    put(dir, parts[3] ? "000002.jsonl" : "000001.jsonl", text.data ? text.data : "", text.len);
    mt_buf_deinit(&text);
    if (lens[1])
        put(dir, "HEAD", parts[1], lens[1]);
    put(dir, "OPEN", parts[2], lens[2]);
    put(dir, "LOCK", "", 0);
    enum mt_rc rc = mt_audit_prove(dir, NULL, &proof, &fault);
    check(!rc || fault.message[0]);
    read_all(dir, false);
    open_it(dir);
    return 0;
}
