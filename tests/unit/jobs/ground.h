/* What the tests of engine/jobs share: a cloud in memory behind the provider interface, answering
 * through the real loop, and an archive in a scratch folder with its writer. Time stands still at
 * GROUND_NOW_MS. */
#ifndef MT_TESTS_JOBS_GROUND_H
#define MT_TESTS_JOBS_GROUND_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "archive/archive.h"
#include "archive/verify.h"
#include "archive/writer.h"
#include "jobs/export.h"
#include "loop/loop.h"

#define GROUND_NOW_MS  1700000000000ll
#define GROUND_HOUR_MS 3600000ll
#define GROUND_CONVS   3

struct ground_message {
    uint64_t id;
    int64_t time_ms;
    const char *from;
    const char *text;
    bool read; /* an extra that changes by itself */
    bool gone; /* deleted in the cloud */
};

struct ground_conv {
    const char *target; /* "c0" and so on: single:c0 */
    struct ground_message *messages;
    size_t n;
    unsigned requests;
    unsigned fail_at; /* from this request on; 0: never */
    enum mt_rc fail_rc;
    bool repeats; /* what lies before a cursor comes again */
};

struct ground {
    char dir[300];
    struct mt_loop *loop;
    struct mt_writer *writer; /* NULL: closed */
    struct mt_fault fault;    /* of the last open or close */
    enum mt_rc rc;
    struct ground_conv convs[GROUND_CONVS];
    /* The last question. */
    char cursor[32];
    int64_t since_ms;
    /* Called when a question comes, and after its answer was taken; NULL: nothing. */
    void (*asked)(struct ground *g);
    void (*answered)(struct ground *g);
    void *ud;
};

/* One export and what became of it. */
struct ground_run {
    struct ground *ground;
    struct mt_export *export;
    unsigned done_n;
    enum mt_rc rc;
    struct mt_export_result result;
    struct mt_fault fault;
};

extern const struct mt_provider ground_provider; /* its account is the ground */

int ground_begin(void **state);
int ground_end(void **state);
/* n messages, one an hour, the last one an hour ago; ids from 1000 on. */
void ground_fill(struct ground_conv *conv, size_t n);
/* One more, now. */
void ground_add(struct ground_conv *conv, const char *text);

void ground_open(struct ground *g, const struct mt_archive_options *options);
void ground_close(struct ground *g, bool clean);
/* Options of an export of conversation i: page after page, window 0. */
struct mt_export_options ground_options(unsigned i);
void ground_start(struct ground *g, const struct mt_export_options *options,
                  struct ground_run *run);
/* Runs the loop until nothing is left to do; fails if the export did not end exactly once. */
void ground_run(struct ground *g, const struct mt_export_options *options, struct ground_run *run);

/* How often text occurs in the conversation's lines. */
unsigned ground_count(struct ground *g, unsigned i, const char *text);
/* All messages that the cloud has, each once, and no other message lines. */
void ground_same(struct ground *g, unsigned i);
bool ground_complete(const struct ground *g, unsigned i);
enum mt_verify_verdict ground_verdict(const struct ground *g); /* after closing */

#endif
