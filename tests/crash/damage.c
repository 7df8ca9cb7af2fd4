/* R4: damage of every kind, put into a sound archive at random, must be found: `verify` that reads
 * everything finds all of it, `verify` of the structure all that changes a size or a name.
 *
 * MT_CRASH_N: damages (default 600); MT_SEED. LOCK is not part of what is proven. */
#include "archive/verify.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/rand.h"
#include "lib_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---------------------------------------------------------------- a sound archive */

static enum mt_rc one_run(struct world *w, const char *dir, unsigned per_conv, bool last,
                          struct mt_fault *fault)
{
    struct mt_archive_identity identity;
    struct mt_archive_options options;
    struct mt_archive *archive = NULL;
    enum mt_rc rc = MT_OK;

    world_identity(&identity);
    world_options(&options);
    rc = mt_archive_open(dir, &identity, &options, &archive, fault);
    for (unsigned done = 0; done < per_conv && !rc; done += 10) {
        struct world_part parts[WORLD_CONVS_MAX];
        for (unsigned c = 0; c < w->convs_n; c++)
            parts[c] = (struct world_part){c, 10, last && done + 10 >= per_conv};
        rc = world_commit(w, archive, parts, w->convs_n, fault);
    }
    if (!rc)
        rc = mt_archive_seal_due(archive, fault);
    enum mt_rc close_rc = mt_archive_close(archive, !rc, rc ? NULL : fault);
    return rc ? rc : close_rc;
}

/* Several runs; sealed and open segments; the last run has added to each conversation. */
static bool make_sound(const char *dir)
{
    struct world w;
    struct mt_fault fault = {0};

    world_init(&w, 6, 130);
    enum mt_rc rc = one_run(&w, dir, 50, false, &fault);
    if (!rc)
        rc = one_run(&w, dir, 60, false, &fault);
    if (!rc)
        rc = one_run(&w, dir, 20, true, &fault);
    if (rc)
        printf("# %s\n", fault.message);
    return !rc;
}

/* ---------------------------------------------------------------- damages */

struct bytes {
    char *data;
    size_t len;
};

static bool load(const char *path, struct bytes *out)
{
    return !mt_fs_read_all(path, (size_t)1 << 28, &out->data, &out->len);
}

static void store(const char *path, const void *data, size_t len)
{
    FILE *file = fopen(path, "w");
    if (!file || fwrite(data, 1, len, file) != len || fclose(file)) {
        printf("Bail out! cannot write %s\n", path);
        exit(EXIT_FAILURE);
    }
}

struct damage {
    const char *dir;
    struct world_files files;
    char what[600];
    bool structural; /* a size or a name changed */
};

static void path_of(const struct damage *d, size_t file, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", d->dir, d->files.at[file]);
}

static bool flip(struct damage *d, size_t file, const char *path, struct bytes *b)
{
    size_t at = (size_t)mt_rand_below(b->len);
    unsigned bit = (unsigned)mt_rand_below(8);

    if (!b->len)
        return false;
    b->data[at] = (char)(b->data[at] ^ (1 << bit));
    store(path, b->data, b->len);
    snprintf(d->what, sizeof d->what, "bit %u of byte %zu of %zu flipped in %s", bit, at, b->len,
             d->files.at[file]);
    return true;
}

static bool cut(struct damage *d, size_t file, const char *path, struct bytes *b)
{
    size_t to = (size_t)mt_rand_below(b->len);

    if (!b->len)
        return false;
    if (mt_rand_below(2)) { /* at the end of a line, which is the harder case */
        while (to && b->data[to - 1] != '\n')
            to--;
    }
    store(path, b->data, to);
    snprintf(d->what, sizeof d->what, "%s cut from %zu to %zu bytes", d->files.at[file], b->len,
             to);
    d->structural = true;
    return true;
}

static bool extend(struct damage *d, size_t file, const char *path, struct bytes *b)
{
    size_t more = 1 + (size_t)mt_rand_below(300);
    char *data = malloc(b->len + more);

    memcpy(data, b->data, b->len);
    for (size_t i = 0; i < more; i++)
        data[b->len + i] = b->len && mt_rand_below(2) ? b->data[i % b->len] : '\0';
    store(path, data, b->len + more);
    free(data);
    snprintf(d->what, sizeof d->what, "%zu bytes added to %s", more, d->files.at[file]);
    d->structural = true;
    return true;
}

static bool zero(struct damage *d, size_t file, const char *path, struct bytes *b)
{
    size_t at = (size_t)mt_rand_below(b->len);
    size_t n = 1 + (size_t)mt_rand_below(b->len - at);

    if (!b->len)
        return false;
    memset(b->data + at, 0, n);
    store(path, b->data, b->len);
    snprintf(d->what, sizeof d->what, "%zu bytes from %zu zeroed in %s", n, at, d->files.at[file]);
    return true;
}

static bool drop(struct damage *d, size_t file, const char *path, struct bytes *b)
{
    (void)b;
    unlink(path);
    snprintf(d->what, sizeof d->what, "%s removed", d->files.at[file]);
    d->structural = true;
    return true;
}

static bool swap(struct damage *d, size_t file, const char *path, struct bytes *b)
{
    char other[4096];
    struct bytes o = {NULL, 0};
    size_t with = (size_t)mt_rand_below(d->files.n);

    path_of(d, with, other, sizeof other);
    if (!load(other, &o))
        return false;
    bool same = o.len == b->len && !memcmp(o.data, b->data, o.len);
    if (!same) {
        store(path, o.data, o.len);
        store(other, b->data, b->len);
    }
    snprintf(d->what, sizeof d->what, "%s and %s swapped", d->files.at[file], d->files.at[with]);
    d->structural = o.len != b->len;
    mt_mem_free(o.data);
    return !same;
}

/* A copy under another name, mostly one that looks as if it belonged. */
static bool twin(struct damage *d, size_t file, const char *path, struct bytes *b)
{
    char other[4200];
    char dir[4096];
    struct stat st;

    snprintf(dir, sizeof dir, "%s", path);
    *strrchr(dir, '/') = '\0';
    switch (mt_rand_below(4)) {
    case 0:
        snprintf(other, sizeof other, "%s/%06u.jsonl", dir, 1 + (unsigned)mt_rand_below(9));
        break;
    case 1:
        snprintf(other, sizeof other, "%s/%06u.jsonl.zst", dir, 1 + (unsigned)mt_rand_below(9));
        break;
    case 2:
        snprintf(other, sizeof other, "%s.copy", path);
        break;
    default:
        snprintf(other, sizeof other, "%s/000001.jsonl.zst.tmp", dir);
        break;
    }
    if (!stat(other, &st))
        return false;
    store(other, b->data, b->len);
    snprintf(d->what, sizeof d->what, "%s copied to %s", d->files.at[file],
             other + strlen(d->dir) + 1);
    d->structural = true;
    return true;
}

/* One file takes the place of another. */
static bool overwrite(struct damage *d, size_t file, const char *path, struct bytes *b)
{
    char other[4096];
    struct bytes o = {NULL, 0};
    size_t by = (size_t)mt_rand_below(d->files.n);

    path_of(d, by, other, sizeof other);
    if (!load(other, &o))
        return false;
    bool same = o.len == b->len && !memcmp(o.data, b->data, o.len);
    if (!same)
        store(path, o.data, o.len);
    snprintf(d->what, sizeof d->what, "%s overwritten by %s", d->files.at[file], d->files.at[by]);
    d->structural = o.len != b->len;
    mt_mem_free(o.data);
    return !same;
}

/* A line of a text file: removed, doubled, or changed with the one after it. */
static bool line(struct damage *d, size_t file, const char *path, struct bytes *b)
{
    size_t start = b->len ? (size_t)mt_rand_below(b->len) : 0;
    size_t how = (size_t)mt_rand_below(3);

    while (start && b->data[start - 1] != '\n')
        start--;
    const char *newline = b->len ? memchr(b->data + start, '\n', b->len - start) : NULL;
    if (!newline)
        return false;
    size_t end = (size_t)(newline - b->data) + 1;
    const char *after = end < b->len ? memchr(b->data + end, '\n', b->len - end) : NULL;
    size_t next = after ? (size_t)(after - b->data) + 1 : end;
    size_t len = end - start, next_len = next - end;
    if (how == 2 &&
        (!next_len || (len == next_len && !memcmp(b->data + start, b->data + end, len))))
        return false;
    char *data = malloc(b->len * 2);
    size_t n = start;
    memcpy(data, b->data, start);
    if (how == 1) {
        memcpy(data + n, b->data + start, len);
        n += len;
    }
    if (how == 2) {
        memcpy(data + n, b->data + end, next_len);
        n += next_len;
    }
    if (how) {
        memcpy(data + n, b->data + start, len);
        n += len;
    }
    size_t rest = how == 2 ? next : end;
    memcpy(data + n, b->data + rest, b->len - rest);
    n += b->len - rest;
    store(path, data, n);
    free(data);
    static const char *const names[] = {"removed", "doubled", "changed with the next"};
    snprintf(d->what, sizeof d->what, "the line at %zu of %s %s", start, d->files.at[file],
             names[how]);
    d->structural = n != b->len;
    return true;
}

typedef bool damage_fn(struct damage *d, size_t file, const char *path, struct bytes *b);
static const struct {
    damage_fn *make;
    unsigned weight;
    const char *name;
} kinds[] = {{flip, 6, "bit flips"},     {cut, 4, "truncations"},        {extend, 1, "additions"},
             {zero, 1, "zeroed ranges"}, {drop, 2, "removals"},          {swap, 2, "swaps"},
             {twin, 2, "copies"},        {overwrite, 1, "replacements"}, {line, 2, "line changes"}};
#define KINDS_N (sizeof kinds / sizeof *kinds)

static size_t random_kind(void)
{
    unsigned total = 0;
    for (size_t i = 0; i < KINDS_N; i++)
        total += kinds[i].weight;
    uint64_t at = mt_rand_below(total);
    for (size_t i = 0; i < KINDS_N; i++) {
        if (at < kinds[i].weight)
            return i;
        at -= kinds[i].weight;
    }
    return 0;
}

/* Small files hold what matters most, so every file is as likely as another. */
static size_t put_damage(struct damage *d)
{
    char path[4096];

    for (;;) {
        size_t file = (size_t)mt_rand_below(d->files.n);
        size_t kind = random_kind();
        struct bytes b = {NULL, 0};
        d->structural = false;
        path_of(d, file, path, sizeof path);
        bool made = load(path, &b) && kinds[kind].make(d, file, path, &b);
        mt_mem_free(b.data);
        if (made)
            return kind;
    }
}

/* ---------------------------------------------------------------- trials */

static bool found(const char *dir, enum mt_verify_mode mode)
{
    struct mt_verify_report report;
    struct mt_fault fault;

    if (mt_archive_verify(dir, mode, NULL, NULL, NULL, &report, &fault))
        return true;
    return report.verdict == MT_VERIFY_DAMAGED || report.verdict == MT_VERIFY_UNFINISHED;
}

/* Opening for writing must stand any damage; whether it refuses depends on what it had to read. */
static void open_it(const char *dir)
{
    struct mt_archive_identity identity;
    struct mt_archive *archive = NULL;
    struct mt_fault fault;

    world_identity(&identity);
    if (!mt_archive_open(dir, &identity, NULL, &archive, &fault) &&
        mt_archive_close(archive, true, &fault))
        printf("# closing a damaged archive: %s\n", fault.message);
}

static void try_one(const char *sound, const char *dir, uint64_t *made, uint64_t *missed,
                    uint64_t *structural, uint64_t *structural_missed)
{
    struct damage d = {.dir = dir};

    tests_remove(dir);
    if (!world_copy(sound, dir)) {
        printf("Bail out! cannot copy to %s\n", dir);
        exit(EXIT_FAILURE);
    }
    world_files(dir, &d.files);
    size_t kind = put_damage(&d);
    made[kind]++;
    if (!found(dir, MT_VERIFY_READ_ALL)) {
        missed[kind]++;
        printf("# not found: %s\n", d.what);
    }
    if (d.structural) {
        ++*structural;
        if (!found(dir, MT_VERIFY_STRUCTURE)) {
            ++*structural_missed;
            printf("# not found in the structure: %s\n", d.what);
        }
    }
    open_it(dir);
    world_files_free(&d.files);
}

int main(void)
{
    char scratch[256], sound[300], dir[300], name[200];
    uint64_t n = world_number("MT_CRASH_N", 600);
    uint64_t seed = world_number("MT_SEED", 20261121);
    uint64_t made[KINDS_N] = {0}, missed[KINDS_N] = {0};
    uint64_t structural = 0, structural_missed = 0;
    struct mt_verify_report report;
    struct mt_fault fault;

    printf("# MT_SEED=%llu\n", (unsigned long long)seed);
    mt_rand_seed(seed ? seed : 1);
    world_scratch(scratch, sizeof scratch, "damage");
    snprintf(sound, sizeof sound, "%s/sound", scratch);
    snprintf(dir, sizeof dir, "%s/damaged", scratch);
    bool ok = make_sound(sound) &&
              !mt_archive_verify(sound, MT_VERIFY_READ_ALL, NULL, NULL, NULL, &report, &fault);
    ok = ok && report.verdict == MT_VERIFY_COMPLETE && report.sealed_n > 6 &&
         report.segments_n > report.sealed_n;
    if (world_check(ok, "the archive to be damaged is complete, with sealed and open segments",
                    "it is not")) {
        for (uint64_t i = 0; i < n; i++)
            try_one(sound, dir, made, missed, &structural, &structural_missed);
        for (size_t i = 0; i < KINDS_N; i++) {
            snprintf(name, sizeof name, "%llu %s: all found by reading everything",
                     (unsigned long long)made[i], kinds[i].name);
            world_check(!missed[i], name, "%llu not found", (unsigned long long)missed[i]);
        }
        snprintf(name, sizeof name, "%llu changes of size or name: all found in the structure",
                 (unsigned long long)structural);
        world_check(!structural_missed, name, "%llu not found",
                    (unsigned long long)structural_missed);
    }
    tests_remove(scratch);
    return world_end();
}
