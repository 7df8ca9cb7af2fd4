/* What the audit costs: bench-audit FOLDER [RECORDS]. Makes a log of intents and their results as
 * scripts that send leave them, then proves, opens, reads and signs it. Times are of the processor,
 * but for the head, which waits for the disk. */
#include "policy/audit.h"
#include "base/clock.h"
#include "policy/audit_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define APPEND_N 1000
#define HEADS_N  200

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void check(enum mt_rc rc, const struct mt_fault *fault)
{
    if (!rc)
        return;
    fprintf(stderr, "bench-audit: %s\n", fault->message);
    exit(EXIT_FAILURE);
}

static struct mt_audit_record record_of(bool result, uint64_t intent, const char *const *ids)
{
    return (struct mt_audit_record){
        .type = result ? MT_AUDIT_RESULT : MT_AUDIT_INTENT,
        .intent = intent,
        .account = "support",
        .user = "agent-4711",
        .actor = result ? NULL : "job answers",
        .verb = "send",
        .conversation = "single:customer-1234567",
        .outcome = result ? "done" : NULL,
        .ids = ids,
        .ids_n = result ? 1 : 0,
        .detail = result ? NULL : "{\"kind\":\"text\"}",
    };
}

/* Half of each append are results of the intents of the one before. */
static void make(const struct mt_audit_options *options, uint64_t records)
{
    struct mt_audit_record list[APPEND_N];
    uint64_t numbers[APPEND_N];
    uint64_t before = 0;
    const char *id = "1200000000000000001";
    struct mt_audit *audit = NULL;
    struct mt_fault fault;

    check(mt_audit_open(options, &audit, &fault), &fault);
    double cpu = cpu_s();
    for (uint64_t n = 0; n < records; n += APPEND_N) {
        for (unsigned i = 0; i < APPEND_N; i++)
            list[i] = record_of(n && i % 2, before + i - 1, &id);
        check(mt_audit_append(audit, list, APPEND_N, numbers, &fault), &fault);
        before = numbers[0];
    }
    printf("append: %.2f us a record, in appends of %d\n", (cpu_s() - cpu) / (double)records * 1e6,
           APPEND_N);
    int64_t us = mt_clock_mono_us();
    cpu = cpu_s();
    for (int i = 0; i < HEADS_N; i++) {
        check(mt_audit_append(audit, list, 1, numbers, &fault), &fault);
    }
    double append_us = (double)(mt_clock_mono_us() - us) / HEADS_N;
    double append_cpu = (cpu_s() - cpu) / HEADS_N * 1e6;
    us = mt_clock_mono_us();
    cpu = cpu_s();
    for (int i = 0; i < HEADS_N; i++) {
        list[0].sign = true;
        check(mt_audit_append(audit, list, 1, numbers, &fault), &fault);
    }
    printf("an append of one record: %.0f us, %.0f of the processor; with a head: %.0f us, %.0f\n",
           append_us, append_cpu, (double)(mt_clock_mono_us() - us) / HEADS_N,
           (cpu_s() - cpu) / HEADS_N * 1e6);
    check(mt_audit_close(audit, &fault), &fault);
}

static void read_all(const char *dir)
{
    struct mt_audit_filter filter = {.id = "nothing"};
    struct mt_audit_reader *reader = NULL;
    struct mt_buf text;
    struct mt_fault fault;
    bool more = true;
    double cpu = cpu_s();

    mt_buf_init(&text, (size_t)8 << 20);
    check(mt_audit_reader_open(dir, &filter, &reader, &fault), &fault);
    while (more)
        check(mt_audit_reader_next(reader, &text, &more, &fault), &fault);
    mt_audit_reader_close(reader);
    mt_buf_deinit(&text);
    printf("read with a filter: %.2f s\n", cpu_s() - cpu);
}

int main(int argc, char **argv)
{
    struct mt_audit_options options = {.dir = argc > 1 ? argv[1] : NULL, .head_every_n = 1000};
    struct mt_audit_proof proof;
    struct mt_audit *audit = NULL;
    struct mt_fault fault;

    if (!options.dir)
        return EXIT_FAILURE;
    make(&options, argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000);
    double cpu = cpu_s();
    check(mt_audit_prove(options.dir, NULL, &proof, &fault), &fault);
    double prove_s = cpu_s() - cpu;
    printf("prove: %llu records, %.1f MB in %u segments, in %.2f s: %.0f MB/s, %.2f us a record\n",
           (unsigned long long)proof.records_n, (double)proof.bytes / 1e6, proof.segments_n,
           prove_s, (double)proof.bytes / 1e6 / prove_s, prove_s / (double)proof.records_n * 1e6);
    cpu = cpu_s();
    check(mt_audit_open(&options, &audit, &fault), &fault);
    printf("open: %.1f ms\n", (cpu_s() - cpu) * 1e3);
    check(mt_audit_close(audit, &fault), &fault);
    read_all(options.dir);
    return EXIT_SUCCESS;
}
