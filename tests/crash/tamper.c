/* R24: what somebody who may write the audit's folder does to it. Each of the tamperings, at a
 * random place of a log with a signed head and an anchor elsewhere, must be found by the proof; and
 * by the mere opening, where it is about the log's end or its key. MT_CRASH_N: tamperings (default
 * 250, `make crash` 1,000 and more); MT_SEED. */
#include "base/fs.h"
#include "base/mem.h"
#include "base/rand.h"
#include "codec/hash.h"
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
    return kind == CUT_LINES || kind == CUT_BYTES || kind >= EMPTY_LOG;
}

struct place {
    char dir[300], good[300], old[300], other[300], anchor[300], anchored[300];
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
    unsigned n, segments_n;
};

static void log_read(struct log *log, const char *dir)
{
    memset(log, 0, sizeof *log);
    for (unsigned s = 1; s < SEGMENTS_MAX && !access(segment(dir, s), F_OK); s++) {
        size_t len = 0;
        char *data = slurp(segment(dir, s), &len);
        char *rest = data;
        for (char *line = strsep(&rest, "\n"); line && *line; line = strsep(&rest, "\n")) {
            log->segment_of[log->n] = s;
            log->lines[log->n++] = strdup(line);
        }
        mt_mem_free(data);
        log->segments_n = s;
    }
}

static void log_write(struct log *log, const char *dir)
{
    for (unsigned s = 1; s <= log->segments_n; s++) {
        FILE *file = fopen(segment(dir, s), "w");
        for (unsigned i = 0; i < log->n && file; i++)
            if (log->segment_of[i] == s)
                fprintf(file, "%s\n", log->lines[i]);
        if (!file || fclose(file))
            exit(EXIT_FAILURE);
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
        snprintf(line, cap, "{\"seq\":%u,\"prev\":\"%s%s", i + 1, hex, rest);
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
}

static unsigned segments_of(const char *dir)
{
    unsigned n = 0;
    while (!access(segment(dir, n + 1), F_OK))
        n++;
    return n;
}

static void tamper_segments(int kind, const char *dir)
{
    unsigned n = segments_of(dir);
    unsigned a = 1 + (unsigned)mt_rand_below(n);
    unsigned b = 1 + (unsigned)mt_rand_below(n - 1);
    size_t len = 0;

    b += b >= a;
    if (kind == FLIP_BIT) {
        flip(segment(dir, a));
    } else if (kind == REMOVE_SEGMENT) {
        unlink(segment(dir, a));
    } else if (kind == SWAP_SEGMENTS) {
        rename(segment(dir, a), in(dir, "x"));
        rename(segment(dir, b), segment(dir, a));
        rename(in(dir, "x"), segment(dir, b));
    } else if (kind == EMPTY_LOG) {
        for (unsigned i = 1; i <= n; i++)
            unlink(segment(dir, i));
    } else {
        char *data = slurp(segment(dir, n), &len);
        put(segment(dir, n), data, mt_rand_below(len));
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
        world_remove(p->dir);
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

static void again(const struct place *p)
{
    world_remove(p->dir);
    (void)world_copy(p->good, p->dir);
    (void)!chmod(in(p->dir, "key"), 0600);
    copy_file(p->anchor, p->anchored);
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
    go_on(p.other, p.anchored, 60, true);
    unlink(p.anchored);
    go_on(p.good, p.anchored, 30, true);
    (void)world_copy(p.good, p.old);
    go_on(p.good, p.anchored, 60, true);
    copy_file(p.anchored, p.anchor);
    again(&p);
    enum mt_rc rc = mt_audit_prove(p.dir, p.anchored, &proof, &fault);
    world_check(!rc && proof.records_n == 181 && proof.segments_n > 3 && !proof.open_n,
                "the log is right as it is", "%s", rc ? fault.message : "other counts");
    for (uint64_t i = 0; i < trials; i++) {
        int kind = (int)(i % KINDS_N);
        struct mt_audit *audit = NULL;
        struct mt_fault ignored;
        again(&p);
        tamper(kind, &p);
        tried[kind]++;
        rc = mt_audit_prove(p.dir, p.anchored, &proof, &fault);
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
    world_remove(scratch);
    return world_end();
}
