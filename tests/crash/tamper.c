/* R24: what somebody who may write the audit's folder does to it. Each of the tamperings, at a
 * random place of a log with a signed head and an anchor elsewhere, must be found by the proof; and
 * by the mere opening, where it is about the log's end or its key. Finished segments are
 * compressed; every other time the log is one from whose front segments were removed, as they may.
 * MT_CRASH_N: tamperings (default 250, `make crash` 1,000 and more); MT_SEED. */
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/rand.h"
#include "codec/hash.h"
#include "codec/zstd.h"
#include "lib_world.h"
#include "policy/audit.h"
#include "policy/audit_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINES_MAX    1000
#define SEGMENTS_MAX 40

enum {
    FLIP_BIT,
    CHANGE_WORD,
    CHANGE_AND_CHAIN_AGAIN,
    REMOVE_LINE,
    REMOVE_AND_NUMBER_AGAIN,
    REPEAT_LINE,
    INSERT_AND_CHAIN_AGAIN,
    SWAP_LINES,
    CUT_LINES,
    CUT_BYTES,
    REMOVE_SEGMENT,
    REMOVE_FRONT,
    REMOVE_FRONT_AND_SAY_SO,
    CHANGE_BESIDE,
    BOMB,
    SWAP_SEGMENTS,
    EMPTY_LOG,
    REMOVE_HEAD,
    FLIP_HEAD,
    FLIP_ANCHOR,
    REMOVE_ANCHOR,
    OTHER_KEY,
    OTHER_KEY_SIGNS,
    ROLL_BACK,
    ROLL_BACK_AND_GO_ON,
    KINDS_N
};
static const char *const names[KINDS_N] = {
    "a bit is flipped",
    "a word of a record is changed",
    "a record is changed, and all after it are chained again",
    "a record is removed",
    "a record is removed, and all after it are numbered and chained again",
    "a record is there twice",
    "a record is inserted, and all after it are numbered and chained again",
    "two records change places",
    "the last records are cut off",
    "the last bytes are cut off",
    "a segment is removed",
    "the first segment is removed",
    "the first segment is removed, and a record that is not signed says so",
    "a compressed segment has a changed one beside it",
    "a compressed segment grows without end",
    "two segments change places",
    "all records are removed",
    "the head is removed",
    "a bit of the head is flipped",
    "a bit of the anchor is flipped",
    "the anchor is removed",
    "the key is another one",
    "another key signs the head",
    "the whole folder is an older one",
    "the whole folder is an older one, and goes on from there",
};
/* What the opening alone must find. */
static bool opening_finds(int kind)
{
    return kind == CUT_LINES || kind == CUT_BYTES || kind == REMOVE_FRONT ||
           kind == REMOVE_FRONT_AND_SAY_SO || kind >= EMPTY_LOG;
}

struct place {
    char dir[300], good[300], pruned[300], old[300], other[300], anchor[300], pruned_anchor[300],
        anchored[300];
};

/* ---------------------------------------------------------------- files */

static char *slurp(const char *path, size_t *len)
{
    char *data = NULL;
    *len = 0;
    if (mt_fs_read_all(path, (size_t)64 << 20, &data, len)) {
        printf("Bail out! cannot read %s\n", path);
        exit(EXIT_FAILURE);
    }
    return data;
}

static void put(const char *path, const char *data, size_t len)
{
    FILE *file = fopen(path, "w");
    if (!file || fwrite(data, 1, len, file) != len || fclose(file)) {
        printf("Bail out! cannot write %s\n", path);
        exit(EXIT_FAILURE);
    }
}

static const char *in(const char *dir, const char *name)
{
    static char paths[4][400];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static const char *segment(const char *dir, unsigned i)
{
    char name[32];
    snprintf(name, sizeof name, "%06u.jsonl", i);
    return in(dir, name);
}

static const char *packed(const char *dir, unsigned i)
{
    char name[32];
    snprintf(name, sizeof name, "%06u.jsonl.zst", i);
    return in(dir, name);
}

static bool is_packed(const char *dir, unsigned i)
{
    return access(segment(dir, i), F_OK) && !access(packed(dir, i), F_OK);
}

/* Whichever form there is. */
static const char *form(const char *dir, unsigned i)
{
    return is_packed(dir, i) ? packed(dir, i) : segment(dir, i);
}

static bool is_there(const char *dir, unsigned i)
{
    return !access(form(dir, i), F_OK);
}

static unsigned first_of(const char *dir)
{
    unsigned i = 1;
    while (i < SEGMENTS_MAX && !is_there(dir, i))
        i++;
    return i;
}

/* NULL: it cannot be decompressed. */
static char *slurp_packed(const char *path, size_t *len)
{
    const size_t cap = (size_t)1 << 20;
    struct mt_zstd_reader *reader = NULL;
    struct mt_fault fault;
    char *data = mt_mem_alloc(cap);
    int fd = -1;

    *len = 0;
    if (mt_fs_open(path, MT_FS_READ, &fd) || mt_zstd_reader_new(fd, &reader, &fault) ||
        mt_zstd_reader_read(reader, data, cap - 1, len, &fault)) {
        mt_mem_free(data);
        data = NULL;
    } else {
        data[*len] = '\0';
    }
    mt_zstd_reader_free(reader);
    mt_fs_close(fd);
    return data;
}

static void pack(const char *dir, unsigned i)
{
    struct mt_fault fault;
    int from = -1;
    int to = -1;

    if (mt_fs_open(segment(dir, i), MT_FS_READ, &from) ||
        mt_fs_open(packed(dir, i), MT_FS_WRITE | MT_FS_CREATE | MT_FS_TRUNCATE, &to) ||
        mt_zstd_compress_fd(from, to, 3, &fault))
        exit(EXIT_FAILURE);
    mt_fs_close(from);
    mt_fs_close(to);
    unlink(segment(dir, i));
}

static void copy_file(const char *from, const char *to)
{
    size_t len = 0;
    char *data = slurp(from, &len);
    put(to, data, len);
    mt_mem_free(data);
}

static void flip(const char *path)
{
    size_t len = 0;
    char *data = slurp(path, &len);
    data[mt_rand_below(len)] ^= (char)(1U << mt_rand_below(8));
    put(path, data, len);
    mt_mem_free(data);
}

/* ---------------------------------------------------------------- the log as lines */

struct log {
    char *lines[LINES_MAX];
    unsigned segment_of[LINES_MAX];
    bool packed[SEGMENTS_MAX];
    unsigned n, segments_n, first;
    unsigned first_seq;
};

static void log_read(struct log *log, const char *dir)
{
    memset(log, 0, sizeof *log);
    log->first = first_of(dir);
    for (unsigned s = log->first; s < SEGMENTS_MAX && is_there(dir, s); s++) {
        size_t len = 0;
        log->packed[s] = is_packed(dir, s);
        char *data =
            log->packed[s] ? slurp_packed(packed(dir, s), &len) : slurp(segment(dir, s), &len);
        char *rest = data;
        for (char *line = strsep(&rest, "\n"); line && *line; line = strsep(&rest, "\n")) {
            log->segment_of[log->n] = s;
            log->lines[log->n++] = strdup(line);
        }
        mt_mem_free(data);
        log->segments_n = s;
    }
    if (!log->n)
        exit(EXIT_FAILURE);
    log->first_seq = (unsigned)strtoul(log->lines[0] + strlen("{\"seq\":"), NULL, 10);
}

static void log_write(struct log *log, const char *dir)
{
    for (unsigned s = log->first; s <= log->segments_n; s++) {
        FILE *file = fopen(segment(dir, s), "w");
        for (unsigned i = 0; i < log->n && file; i++)
            if (log->segment_of[i] == s)
                fprintf(file, "%s\n", log->lines[i]);
        if (!file || fclose(file))
            exit(EXIT_FAILURE);
        if (log->packed[s])
            pack(dir, s);
    }
    for (unsigned i = 0; i < log->n; i++)
        free(log->lines[i]);
}

static void log_remove(struct log *log, unsigned at)
{
    free(log->lines[at]);
    log->n--;
    memmove(log->lines + at, log->lines + at + 1, (log->n - at) * sizeof *log->lines);
    memmove(log->segment_of + at, log->segment_of + at + 1,
            (log->n - at) * sizeof *log->segment_of);
}

static void log_insert(struct log *log, unsigned at, char *line, unsigned s)
{
    memmove(log->lines + at + 1, log->lines + at, (log->n - at) * sizeof *log->lines);
    memmove(log->segment_of + at + 1, log->segment_of + at,
            (log->n - at) * sizeof *log->segment_of);
    log->lines[at] = line;
    log->segment_of[at] = s;
    log->n++;
}

/* Numbers and hashes as they should be, from at on. */
static void chain_again(struct log *log, unsigned at)
{
    for (unsigned i = at ? at : 1; i < log->n; i++) {
        uint8_t sum[MT_SHA256_LEN];
        char hex[MT_SHA256_HEX];
        const char *rest = strstr(log->lines[i], "\",\"at\":");
        size_t cap = strlen(log->lines[i]) + 40;
        char *line = malloc(cap);
        mt_sha256_of(log->lines[i - 1], strlen(log->lines[i - 1]), sum);
        mt_hex(sum, sizeof sum, hex);
        snprintf(line, cap, "{\"seq\":%u,\"prev\":\"%s%s", log->first_seq + i, hex, rest);
        free(log->lines[i]);
        log->lines[i] = line;
    }
}

/* "agent" becomes "somebody else", of the same length. */
static bool change(char *line)
{
    char *at = strstr(line, "single:bob");
    if (at)
        at[strlen("single:")] = 'r'; /* single:rob */
    return at != NULL;
}

static unsigned a_line(const struct log *log)
{
    return 1 + (unsigned)mt_rand_below(log->n - 1); /* not the first */
}

/* A statement about the first segment, chained as it should be, at the end. */
static void log_say(struct log *log)
{
    uint8_t sum[MT_SHA256_LEN];
    char hex[MT_SHA256_HEX];
    char line[600];
    unsigned at = 0;

    while (log->segment_of[at + 1] == log->first)
        at++;
    mt_sha256_of(log->lines[at], strlen(log->lines[at]), sum);
    mt_hex(sum, sizeof sum, hex);
    snprintf(line, sizeof line,
             "{\"seq\":1,\"prev\":\"\",\"at\":1,\"type\":\"note\",\"verb\":\"prune\",\"detail\":{"
             "\"seq\":%u,\"sha256\":\"%s\"}}",
             log->first_seq + at, hex);
    log_insert(log, log->n, strdup(line), log->segments_n);
    chain_again(log, log->n - 1);
}

static void tamper_lines(int kind, const char *dir)
{
    struct log log;
    log_read(&log, dir);
    unsigned at = a_line(&log);
    unsigned other = a_line(&log);
    while (!strstr(log.lines[at], "single:bob"))
        at = a_line(&log);
    while (other == at)
        other = a_line(&log);
    switch (kind) {
    case CHANGE_WORD:
    case CHANGE_AND_CHAIN_AGAIN:
        (void)change(log.lines[at]);
        break;
    case REMOVE_LINE:
    case REMOVE_AND_NUMBER_AGAIN:
        log_remove(&log, at);
        break;
    case REPEAT_LINE:
    case INSERT_AND_CHAIN_AGAIN:
        log_insert(&log, at, strdup(log.lines[at]), log.segment_of[at]);
        break;
    case REMOVE_FRONT_AND_SAY_SO:
        log_say(&log);
        break;
    case SWAP_LINES: {
        char *line = log.lines[at];
        log.lines[at] = log.lines[other];
        log.lines[other] = line;
        break;
    }
    default: /* CUT_LINES */
        for (unsigned n = 1 + (unsigned)mt_rand_below(log.n - 1); n; n--)
            log_remove(&log, log.n - 1);
        break;
    }
    if (kind == CHANGE_AND_CHAIN_AGAIN || kind == REMOVE_AND_NUMBER_AGAIN ||
        kind == INSERT_AND_CHAIN_AGAIN)
        chain_again(&log, at);
    log_write(&log, dir);
    if (kind == REMOVE_FRONT_AND_SAY_SO)
        unlink(form(dir, log.first));
}

static unsigned segments_of(const char *dir)
{
    unsigned n = first_of(dir);
    while (is_there(dir, n + 1))
        n++;
    return n;
}

/* A bit that makes another text of it: zstd has a few that say nothing. */
static void flip_segment(const char *dir, unsigned i)
{
    size_t len = 0;
    size_t again_len = 0;
    bool same = is_packed(dir, i);

    if (!same) {
        flip(segment(dir, i));
        return;
    }
    char *before = slurp_packed(packed(dir, i), &len);
    while (same) {
        flip(packed(dir, i));
        char *after = slurp_packed(packed(dir, i), &again_len);
        same = after && again_len == len && !memcmp(before, after, len);
        mt_mem_free(after);
    }
    mt_mem_free(before);
}

static void move_segment(const char *dir, unsigned from, unsigned to)
{
    (void)rename(form(dir, from), is_packed(dir, from) ? packed(dir, to) : segment(dir, to));
}

/* 1 GB of nothing in some dozen kilobytes, behind records that are right. */
static void bomb(const char *dir, unsigned i)
{
    size_t len = 0;
    char *data = slurp_packed(packed(dir, i), &len);

    put(segment(dir, i), data, len);
    if (truncate(segment(dir, i), (off_t)1 << 30))
        exit(EXIT_FAILURE);
    pack(dir, i);
    mt_mem_free(data);
}

static void change_beside(const char *dir, unsigned i)
{
    size_t len = 0;
    char *data = slurp_packed(packed(dir, i), &len);

    while (!change(data))
        data[0] = 'x'; /* a segment without a conversation: it is none any more */
    put(segment(dir, i), data, len);
    mt_mem_free(data);
}

static void tamper_segments(int kind, const char *dir)
{
    unsigned first = first_of(dir);
    unsigned last = segments_of(dir);
    unsigned n = last - first + 1;
    unsigned a = first + (unsigned)mt_rand_below(n);
    unsigned b = first + (unsigned)mt_rand_below(n - 1);
    unsigned finished = first + (unsigned)mt_rand_below(n - 1);
    size_t len = 0;

    b += b >= a;
    if (kind == FLIP_BIT) {
        flip_segment(dir, a);
    } else if (kind == REMOVE_SEGMENT) {
        unlink(form(dir, a));
    } else if (kind == REMOVE_FRONT) {
        unlink(form(dir, first));
    } else if (kind == CHANGE_BESIDE) {
        change_beside(dir, finished);
    } else if (kind == BOMB) {
        bomb(dir, finished);
    } else if (kind == SWAP_SEGMENTS) {
        move_segment(dir, a, SEGMENTS_MAX + 1);
        move_segment(dir, b, a);
        move_segment(dir, SEGMENTS_MAX + 1, b);
    } else if (kind == EMPTY_LOG) {
        for (unsigned i = first; i <= last; i++)
            unlink(form(dir, i));
    } else {
        char *data = slurp(segment(dir, last), &len);
        put(segment(dir, last), data, mt_rand_below(len));
        mt_mem_free(data);
    }
}

static void go_on(const char *dir, const char *anchor, unsigned n, bool settles);

static void tamper(int kind, const struct place *p)
{
    switch (kind) {
    case FLIP_BIT:
    case CUT_BYTES:
    case REMOVE_SEGMENT:
    case REMOVE_FRONT:
    case CHANGE_BESIDE:
    case BOMB:
    case SWAP_SEGMENTS:
    case EMPTY_LOG:
        tamper_segments(kind, p->dir);
        break;
    case REMOVE_HEAD:
        unlink(in(p->dir, "HEAD"));
        break;
    case FLIP_HEAD:
        flip(in(p->dir, "HEAD"));
        break;
    case FLIP_ANCHOR:
        flip(p->anchored);
        break;
    case REMOVE_ANCHOR:
        unlink(p->anchored);
        break;
    case OTHER_KEY:
    case OTHER_KEY_SIGNS:
        copy_file(in(p->other, "key"), in(p->dir, "key"));
        copy_file(in(p->other, "key.pub"), in(p->dir, "key.pub"));
        if (kind == OTHER_KEY_SIGNS)
            copy_file(in(p->other, "HEAD"), in(p->dir, "HEAD"));
        break;
    case ROLL_BACK:
    case ROLL_BACK_AND_GO_ON:
        tests_remove(p->dir);
        (void)world_copy(p->old, p->dir);
        (void)!chmod(in(p->dir, "key"), 0600);
        if (kind == ROLL_BACK_AND_GO_ON)
            go_on(p->dir, NULL, 200, false);
        break;
    default:
        tamper_lines(kind, p->dir);
        break;
    }
}

/* ---------------------------------------------------------------- making, trying */

static enum mt_rc open_log(const char *dir, const char *anchor, struct mt_audit **out,
                           struct mt_fault *fault)
{
    struct mt_audit_options options = {
        .dir = dir, .anchor = anchor, .head_every_n = 50, .segment_bytes = 8000};
    return mt_audit_open(&options, out, fault);
}

static void go_on(const char *dir, const char *anchor, unsigned n, bool settles)
{
    struct mt_audit *audit = NULL;
    struct mt_fault fault = {0};
    bool fine = !open_log(dir, anchor, &audit, &fault);

    for (unsigned i = 0; i < n && fine; i++) {
        const char *id = "1200000000000000001";
        struct mt_audit_record record = {.type = MT_AUDIT_INTENT,
                                         .user = "agent",
                                         .verb = "delete_messages",
                                         .conversation = "single:bob",
                                         .ids = &id,
                                         .ids_n = 1};
        uint64_t number = 0;
        fine = !mt_audit_append(audit, &record, 1, &number, &fault);
        record.type = MT_AUDIT_RESULT;
        record.intent = number;
        record.outcome = "gone";
        if (settles && fine)
            fine = !mt_audit_append(audit, &record, 1, NULL, &fault);
    }
    if (!fine || mt_audit_close(audit, &fault)) {
        printf("Bail out! the audit cannot be made: %s\n", fault.message);
        exit(EXIT_FAILURE);
    }
}

static void prune(const char *dir, const char *anchor)
{
    struct mt_audit_options options = {.dir = dir, .anchor = anchor};
    struct mt_audit_prune what = {.before_ms = mt_clock_wall_ms() + 1000, .apply = true};
    struct mt_audit_pruned pruned;
    struct mt_fault fault = {0};

    if (mt_audit_prune(&options, &what, &pruned, &fault) || !pruned.segments_n) {
        printf("Bail out! nothing was removed: %s\n", fault.message);
        exit(EXIT_FAILURE);
    }
}

static void again(const struct place *p, bool pruned)
{
    tests_remove(p->dir);
    (void)world_copy(pruned ? p->pruned : p->good, p->dir);
    (void)!chmod(in(p->dir, "key"), 0600);
    copy_file(pruned ? p->pruned_anchor : p->anchor, p->anchored);
}

static void check_good(const struct place *p, bool pruned)
{
    struct mt_audit_proof proof;
    struct mt_fault fault;

    again(p, pruned);
    enum mt_rc rc = mt_audit_prove(p->dir, p->anchored, &proof, &fault);
    world_check(!rc && proof.records_n == 181U + pruned && proof.segments_n > 3 && !proof.open_n &&
                    (proof.first_seq > 1) == pruned && (proof.pruned_by != 0) == pruned,
                pruned ? "what remains after a removal is right as it is"
                       : "the log is right as it is",
                "%s", rc ? fault.message : "other counts");
}

int main(void)
{
    char scratch[200];
    struct place p;
    uint64_t trials = world_number("MT_CRASH_N", 250);
    uint64_t seed = world_number("MT_SEED", 20261121);
    unsigned missed[KINDS_N] = {0};
    unsigned opened[KINDS_N] = {0};
    unsigned tried[KINDS_N] = {0};
    struct mt_audit_proof proof;
    struct mt_fault fault;

    printf("# MT_SEED=%llu\n", (unsigned long long)seed);
    mt_rand_seed(seed ? seed : 1);
    world_scratch(scratch, sizeof scratch, "tamper");
    snprintf(p.dir, sizeof p.dir, "%s/dir", scratch);
    snprintf(p.good, sizeof p.good, "%s/good", scratch);
    snprintf(p.old, sizeof p.old, "%s/old", scratch);
    snprintf(p.other, sizeof p.other, "%s/other", scratch);
    snprintf(p.anchor, sizeof p.anchor, "%s/anchor", scratch);
    snprintf(p.anchored, sizeof p.anchored, "%s/anchored", scratch);
    snprintf(p.pruned, sizeof p.pruned, "%s/pruned", scratch);
    snprintf(p.pruned_anchor, sizeof p.pruned_anchor, "%s/pruned-anchor", scratch);
    go_on(p.other, p.anchored, 60, true);
    unlink(p.anchored);
    go_on(p.good, p.anchored, 30, true);
    (void)world_copy(p.good, p.old);
    (void)world_copy(p.good, p.pruned);
    (void)!chmod(in(p.pruned, "key"), 0600);
    copy_file(p.anchored, p.anchor);
    go_on(p.good, p.anchored, 60, true);
    copy_file(p.anchored, p.pruned_anchor);
    copy_file(p.anchor, p.anchored);
    copy_file(p.pruned_anchor, p.anchor);
    prune(p.pruned, p.anchored);
    go_on(p.pruned, p.anchored, 60, true);
    copy_file(p.anchored, p.pruned_anchor);
    check_good(&p, false);
    check_good(&p, true);
    for (uint64_t i = 0; i < trials; i++) {
        int kind = (int)(i % KINDS_N);
        struct mt_audit *audit = NULL;
        struct mt_fault ignored;
        again(&p, i / KINDS_N % 2);
        tamper(kind, &p);
        tried[kind]++;
        enum mt_rc rc = mt_audit_prove(p.dir, p.anchored, &proof, &fault);
        missed[kind] += !rc;
        if (!open_log(p.dir, p.anchored, &audit, &ignored)) {
            opened[kind]++;
            (void)mt_audit_close(audit, &ignored);
        }
    }
    for (int kind = 0; kind < KINDS_N; kind++) {
        char name[200];
        bool must = opening_finds(kind);
        snprintf(name, sizeof name, "found %u times: %s%s", tried[kind], names[kind],
                 must ? "; and it does not open" : "");
        world_check(!missed[kind] && !(must && opened[kind]), name,
                    "%u not found, %u times it opened", missed[kind], opened[kind]);
    }
    tests_remove(scratch);
    return world_end();
}
