/* The disk that loses power: see lib_disk.h. */
#include "lib_disk.h"

#include "base/rand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SECTOR 512
#define NEVER  UINT64_MAX

enum kind { CREATE, MKDIR, RENAME, UNLINK, RMDIR, WRITE, TRUNCATE, SYNC, SYNC_DIR };
static const char *const kind_names[] = {"create", "mkdir",    "rename", "unlink",  "rmdir",
                                         "write",  "truncate", "sync",   "sync_dir"};

struct op {
    enum kind kind;
    char *path, *to; /* relative; "" is the root */
    unsigned inode;
    int64_t offset; /* of a write; the size of a truncate */
    char *data;
    size_t len;
    uint64_t durable_at; /* the sync that makes it certain, or NEVER */
};

struct name {
    char *path;
    unsigned inode; /* 0: a directory */
};

struct names {
    struct name *at;
    size_t n;
};

struct disk {
    char root[512];
    struct op *ops;
    uint64_t n, cap;
    struct names now; /* as the running program sees it */
    unsigned inodes_n;
    char *opened; /* path of the last open, not yet settled */
    bool opened_existed;
    int64_t opened_size;
};

/* ---------------------------------------------------------------- names */

static struct name *find(const struct names *names, const char *path)
{
    for (size_t i = 0; i < names->n; i++) {
        if (!strcmp(names->at[i].path, path))
            return &names->at[i];
    }
    return NULL;
}

static void forget(struct names *names, const char *path)
{
    struct name *name = find(names, path);
    if (!name)
        return;
    free(name->path);
    *name = names->at[--names->n];
}

static void put(struct names *names, const char *path, unsigned inode)
{
    forget(names, path);
    names->at = realloc(names->at, (names->n + 1) * sizeof *names->at);
    names->at[names->n++] = (struct name){strdup(path), inode};
}

static void names_free(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->at[i].path);
    free(names->at);
    *names = (struct names){NULL, 0};
}

static void parent(const char *path, char *out)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    memcpy(out, path, len);
    out[len] = '\0';
}

static bool has_parent(const struct names *names, const char *path)
{
    char dir[4096];
    parent(path, dir);
    return !*dir || (find(names, dir) && !find(names, dir)->inode);
}

static bool is_empty(const struct names *names, const char *path)
{
    size_t len = strlen(path);
    for (size_t i = 0; i < names->n; i++) {
        if (!strncmp(names->at[i].path, path, len) && names->at[i].path[len] == '/')
            return false;
    }
    return true;
}

/* A change of names, where it can be made. */
static void apply_name(struct names *names, const struct op *op)
{
    struct name *name = op->path ? find(names, op->path) : NULL;

    if (!has_parent(names, op->path))
        return;
    switch (op->kind) {
    case CREATE:
        put(names, op->path, op->inode);
        break;
    case MKDIR:
        if (!name)
            put(names, op->path, 0);
        break;
    case RENAME:
        if (name) {
            unsigned inode = name->inode;
            forget(names, op->path);
            put(names, op->to, inode);
        }
        break;
    case UNLINK:
        forget(names, op->path);
        break;
    case RMDIR:
        if (is_empty(names, op->path))
            forget(names, op->path);
        break;
    default:
        break;
    }
}

/* ---------------------------------------------------------------- recording */

struct disk *disk_new(const char *root)
{
    struct disk *disk = calloc(1, sizeof *disk);
    snprintf(disk->root, sizeof disk->root, "%s", root);
    return disk;
}

void disk_free(struct disk *disk)
{
    for (uint64_t i = 0; i < disk->n; i++) {
        free(disk->ops[i].path);
        free(disk->ops[i].to);
        free(disk->ops[i].data);
    }
    free(disk->ops);
    names_free(&disk->now);
    free(disk->opened);
    free(disk);
}

/* Below the root, or NULL for what lies elsewhere. */
static const char *below(const struct disk *disk, const char *path)
{
    size_t len = strlen(disk->root);
    if (strncmp(path, disk->root, len) != 0 || (path[len] && path[len] != '/'))
        return NULL;
    return path[len] ? path + len + 1 : "";
}

static struct op *add(struct disk *disk, enum kind kind, const char *path)
{
    if (disk->n == disk->cap) {
        disk->cap = disk->cap ? disk->cap * 2 : 256;
        disk->ops = realloc(disk->ops, disk->cap * sizeof *disk->ops);
    }
    struct op *op = &disk->ops[disk->n++];
    memset(op, 0, sizeof *op);
    op->kind = kind;
    op->path = strdup(path);
    op->durable_at = NEVER;
    const struct name *name = find(&disk->now, path);
    op->inode = name ? name->inode : 0;
    return op;
}

/* What this sync makes certain. */
static void make_certain(struct disk *disk, uint64_t sync)
{
    const struct op *by = &disk->ops[sync];
    char dir[4096];

    for (uint64_t i = 0; i < sync; i++) {
        struct op *op = &disk->ops[i];
        if (op->durable_at != NEVER)
            continue;
        if (by->kind == SYNC && (op->kind == WRITE || op->kind == TRUNCATE) &&
            op->inode == by->inode)
            op->durable_at = sync;
        if (by->kind == SYNC_DIR && op->kind <= RMDIR) {
            parent(op->path, dir);
            if (!strcmp(dir, by->path))
                op->durable_at = sync;
        }
    }
}

uint64_t disk_settle(struct disk *disk)
{
    struct stat st;
    char full[4608];

    if (!disk->opened)
        return disk->n;
    char *path = disk->opened;
    disk->opened = NULL;
    snprintf(full, sizeof full, "%s/%s", disk->root, path);
    if (!stat(full, &st) && S_ISREG(st.st_mode)) {
        if (!disk->opened_existed) {
            struct op *op = add(disk, CREATE, path);
            op->inode = ++disk->inodes_n;
            apply_name(&disk->now, op);
        } else if (disk->opened_size && !st.st_size) {
            add(disk, TRUNCATE, path)->offset = 0;
        }
    }
    free(path);
    return disk->n;
}

static void record_open(struct disk *disk, const char *path)
{
    struct stat st;
    char full[4608];

    snprintf(full, sizeof full, "%s/%s", disk->root, path);
    disk->opened_existed = !stat(full, &st);
    disk->opened_size = disk->opened_existed ? st.st_size : 0;
    disk->opened = strdup(path);
}

static void record_write(struct disk *disk, const struct mt_fs_event *event, const char *path,
                         size_t len)
{
    struct op *op = add(disk, WRITE, path);
    op->offset = event->offset;
    op->len = len;
    op->data = malloc(len ? len : 1);
    memcpy(op->data, event->p, len);
}

static void record_name(struct disk *disk, enum kind kind, const char *path, const char *to)
{
    struct op *op = add(disk, kind, path);
    op->to = to ? strdup(to) : NULL;
    apply_name(&disk->now, op);
}

uint64_t disk_sync_dir(struct disk *disk, const char *path)
{
    disk_settle(disk);
    if (below(disk, path)) {
        add(disk, SYNC_DIR, below(disk, path));
        make_certain(disk, disk->n - 1);
    }
    return disk->n;
}

uint64_t disk_record(struct disk *disk, const struct mt_fs_event *event, size_t allowed)
{
    const char *path = event->path ? below(disk, event->path) : NULL;
    const char *what = event->name;

    disk_settle(disk);
    if (!path)
        return disk->n;
    if (!strcmp(what, "open"))
        record_open(disk, path);
    else if (!strcmp(what, "write"))
        record_write(disk, event, path, allowed);
    else if (!strcmp(what, "truncate"))
        add(disk, TRUNCATE, path)->offset = event->offset;
    else if (!strcmp(what, "fsync") || !strcmp(what, "fdatasync")) {
        add(disk, SYNC, path);
        make_certain(disk, disk->n - 1);
    } else if (!strcmp(what, "fsync_dir"))
        disk_sync_dir(disk, event->path);
    else if (!strcmp(what, "mkdir") && *path && !find(&disk->now, path))
        record_name(disk, MKDIR, path, NULL);
    else if (!strcmp(what, "rename"))
        record_name(disk, RENAME, path, below(disk, event->to));
    else if (!strcmp(what, "unlink"))
        record_name(disk, UNLINK, path, NULL);
    else if (!strcmp(what, "rmdir"))
        record_name(disk, RMDIR, path, NULL);
    return disk->n;
}

/* ---------------------------------------------------------------- the cut */

struct content {
    char *data;
    size_t len, cap;
};

static void grow(struct content *c, size_t len)
{
    if (len > c->cap) {
        c->cap = len * 2;
        c->data = realloc(c->data, c->cap);
    }
    if (len > c->len) {
        memset(c->data + c->len, 0, len - c->len);
        c->len = len;
    }
}

static void write_part(struct content *c, const struct op *op, size_t from, size_t to)
{
    if (from == to)
        return;
    grow(c, (size_t)op->offset + to);
    memcpy(c->data + op->offset + from, op->data + from, to - from);
}

static void apply_write(struct content *c, const struct op *op, bool certain)
{
    uint64_t how = certain ? 0 : mt_rand_below(4);

    if (how == 2) { /* cut at any byte */
        write_part(c, op, 0, (size_t)mt_rand_below(op->len + 1));
        return;
    }
    if (how < 2 || !op->len) {
        write_part(c, op, 0, op->len);
        return;
    }
    for (size_t at = 0; at < op->len;) { /* any of its sectors */
        size_t end = at + SECTOR - (size_t)(op->offset + (int64_t)at) % SECTOR;
        end = end < op->len ? end : op->len;
        if (mt_rand_below(2))
            write_part(c, op, at, end);
        at = end;
    }
}

static bool build(const struct disk *disk, const struct names *names,
                  const struct content *contents, const char *to)
{
    char path[4096];
    bool ok = !mkdir(to, 0700);

    /* Directories by depth: a name is never shorter than its parent's. */
    for (size_t depth = 0; depth < 8 && ok; depth++) {
        for (size_t i = 0; i < names->n && ok; i++) {
            size_t slashes = 0;
            for (const char *s = names->at[i].path; *s; s++)
                slashes += *s == '/';
            if (names->at[i].inode || slashes != depth)
                continue;
            snprintf(path, sizeof path, "%s/%s", to, names->at[i].path);
            ok = !mkdir(path, 0700);
        }
    }
    for (size_t i = 0; i < names->n && ok; i++) {
        const struct content *c = &contents[names->at[i].inode];
        if (!names->at[i].inode)
            continue;
        snprintf(path, sizeof path, "%s/%s", to, names->at[i].path);
        FILE *file = fopen(path, "w");
        ok = file && fwrite(c->len ? c->data : "", 1, c->len, file) == c->len;
        if (file && fclose(file))
            ok = false;
    }
    (void)disk;
    return ok;
}

bool disk_cut(const struct disk *disk, uint64_t n, const char *to)
{
    static const unsigned chances[] = {0, 10, 50, 90, 100};
    unsigned chance = chances[mt_rand_below(5)];
    bool ordered = mt_rand_below(2); /* a journal of names, as real file systems keep */
    uint64_t names_until = n - mt_rand_below(n < 12 ? n + 1 : 12);
    struct names names = {NULL, 0};
    struct content *contents = calloc(disk->inodes_n + 1, sizeof *contents);

    for (uint64_t i = 0; i < n; i++) {
        const struct op *op = &disk->ops[i];
        bool certain = op->durable_at < n;
        bool kept = certain || mt_rand_below(100) < chance;
        struct content *c = &contents[op->inode];
        if (op->kind <= RMDIR) {
            if (certain || (ordered ? i < names_until : kept))
                apply_name(&names, op);
        } else if (op->kind == WRITE && kept) {
            apply_write(c, op, certain);
        } else if (op->kind == TRUNCATE && kept) {
            grow(c, (size_t)op->offset);
            c->len = (size_t)op->offset;
        }
    }
    bool ok = build(disk, &names, contents, to);
    for (unsigned i = 0; i <= disk->inodes_n; i++)
        free(contents[i].data);
    free(contents);
    names_free(&names);
    return ok;
}

void disk_print(const struct disk *disk, uint64_t n)
{
    for (uint64_t i = n > 12 ? n - 12 : 0; i < n + 2 && i < disk->n; i++) {
        const struct op *op = &disk->ops[i];
        printf("  # %s%llu %s %s%s%s %lld+%zu\n", i == n ? "-> " : "", (unsigned long long)i,
               kind_names[op->kind], op->path, op->to ? " to " : "", op->to ? op->to : "",
               (long long)op->offset, op->len);
    }
}
