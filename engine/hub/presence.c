/* Until when the events of an account were dealt with: see presence_int.h. */
#include "hub/presence_int.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/json.h"
#include "loop/loop.h"
#include "model/message.h"
#include "provider/live.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PATH_BYTES     8192
#define FILE_MAX_BYTES ((size_t)256 * 1024)
#define WRITE_EVERY_MS 30000
#define MOVE_EVERY_MS  1000

struct mt_presence {
    struct mt_presence *next;
    struct mt_presence **list; /* of the owner; NULL: it is gone */
    struct mt_loop *loop;
    char *dir;
    char *path;
    int64_t last_ms; /* read at the start */
    char **known;
    size_t known_n;
    char **ids; /* a ring that grows to MT_PRESENCE_IDS */
    size_t ids_at, ids_n, ids_cap;
    int64_t noted_ms;   /* by the owner */
    int64_t written_ms; /* the newest that a write was begun with */
    struct mt_buf text; /* of the write on its way: the pool's alone meanwhile */
    char position[MT_LIVE_POSITION_MAX];
    bool moved;       /* it is not written yet */
    int64_t moved_ms; /* when one was written last */
    bool dirty;       /* a message was dealt with since the last write began */
    bool writing, closed, told;
    int err;
};

/* What a file's name cannot hold is written as %XX. */
static void append_name(char *out, size_t cap, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    size_t at = strlen(out);

    for (; *text && at + 4 < cap; text++) {
        if (strchr(plain, *text))
            out[at++] = *text;
        else
            at += (size_t)snprintf(out + at, cap - at, "%%%02X", (unsigned char)*text);
    }
    out[at] = '\0';
}

void mt_presence_handled(struct mt_presence *presence, const char *id)
{
    if (!presence || !mt_id_is(id) || strlen(id) >= MT_ID_MAX)
        return;
    presence->dirty = true;
    if (presence->ids_n == presence->ids_cap && presence->ids_cap < MT_PRESENCE_IDS) {
        size_t cap = presence->ids_cap ? presence->ids_cap * 2 : 16;
        char **ids = mt_mem_realloc(presence->ids, cap * sizeof *ids);
        if (!ids && !presence->ids_cap)
            return;
        if (ids) { /* it was never full before: it is in order */
            presence->ids = ids;
            presence->ids_cap = cap;
            presence->ids_at = presence->ids_n;
        }
    }
    char *copy = mt_mem_strdup(id);
    if (!copy)
        return;
    if (presence->ids_n == presence->ids_cap)
        mt_mem_free(presence->ids[presence->ids_at]);
    presence->ids[presence->ids_at] = copy;
    presence->ids_at = (presence->ids_at + 1) % presence->ids_cap;
    presence->ids_n += presence->ids_n < presence->ids_cap;
}

/* The list of the file is kept as well: the ring forgets while it is still asked for. */
static void take_known(struct mt_presence *presence, const struct mt_json *list)
{
    size_t n = mt_json_count(list);

    if (n > MT_PRESENCE_IDS)
        n = MT_PRESENCE_IDS;
    presence->known = n ? mt_mem_calloc(n, sizeof *presence->known) : NULL;
    for (const struct mt_json *id = mt_json_child(list);
         presence->known && id && presence->known_n < n; id = mt_json_next(id)) {
        const char *text = mt_json_str(id);
        char *copy = mt_id_is(text) && strlen(text) < MT_ID_MAX ? mt_mem_strdup(text) : NULL;

        if (!copy)
            continue;
        presence->known[presence->known_n++] = copy;
        mt_presence_handled(presence, copy);
    }
}

static void read_file(struct mt_presence *presence)
{
    struct mt_json *root = NULL;
    char *text = NULL;
    size_t len = 0;

    if (mt_fs_read_all(presence->path, FILE_MAX_BYTES, &text, &len))
        return;
    if (!mt_json_parse(text, len, FILE_MAX_BYTES, &root, NULL)) {
        int64_t ms = mt_json_i64(mt_json_get(root, "until"), 0);

        presence->last_ms = ms > 0 ? ms : 0;
        take_known(presence, mt_json_get(root, "ids"));
        const char *position = mt_json_str(mt_json_get(root, "position"));
        if (position && strlen(position) < sizeof presence->position)
            snprintf(presence->position, sizeof presence->position, "%s", position);
    }
    mt_json_free(root);
    mt_mem_free(text);
}

static void release(struct mt_presence *presence)
{
    mt_buf_deinit(&presence->text);
    for (size_t i = 0; i < presence->known_n; i++)
        mt_mem_free(presence->known[i]);
    for (size_t i = 0; i < presence->ids_n; i++)
        mt_mem_free(presence->ids[i]);
    mt_mem_free(presence->known);
    mt_mem_free(presence->ids);
    mt_mem_free(presence->dir);
    mt_mem_free(presence->path);
    mt_mem_free(presence);
}

static void unlist(struct mt_presence *presence)
{
    struct mt_presence **at = presence->list;

    while (at && *at != presence)
        at = &(*at)->next;
    if (at)
        *at = presence->next;
    presence->list = NULL;
}

/* It was closed a moment ago, and its file is still being written: it goes on instead of being read
 * from a file that is not there yet. */
static struct mt_presence *resume(struct mt_presence *closing)
{
    closing->closed = false;
    closing->last_ms = closing->noted_ms ? closing->noted_ms : closing->last_ms;
    for (size_t i = 0; i < closing->known_n; i++)
        mt_mem_free(closing->known[i]);
    mt_mem_free(closing->known);
    closing->known_n = 0;
    closing->known = mt_mem_calloc(closing->ids_n ? closing->ids_n : 1, sizeof *closing->known);
    for (size_t i = 0; closing->known && i < closing->ids_n; i++) {
        size_t at = (closing->ids_at + closing->ids_cap - closing->ids_n + i) % closing->ids_cap;
        char *copy = mt_mem_strdup(closing->ids[at]);

        if (copy)
            closing->known[closing->known_n++] = copy;
    }
    return closing;
}

struct mt_presence *mt_presence_open(struct mt_loop *loop, const char *dir, const char *appkey,
                                     const char *user, const char *device,
                                     struct mt_presence **list)
{
    struct mt_presence *presence = mt_mem_calloc(1, sizeof *presence);
    const char *parts[] = {appkey, user, device};
    char path[PATH_BYTES];

    if (!presence)
        return NULL;
    presence->loop = loop;
    presence->moved_ms = mt_clock_mono_ms();
    mt_buf_init(&presence->text, FILE_MAX_BYTES);
    snprintf(path, sizeof path - 1100, "%s/online", dir);
    presence->dir = mt_mem_strdup(path);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t at = strlen(path);
        snprintf(path + at, sizeof path - at, "%s", i ? "@" : "/");
        append_name(path, sizeof path - 8, parts[i] ? parts[i] : "");
    }
    snprintf(path + strlen(path), 8, ".json"); /* the room for it was kept */
    presence->path = mt_mem_strdup(path);
    if (!presence->dir || !presence->path) {
        release(presence);
        return NULL;
    }
    for (struct mt_presence *other = *list; other; other = other->next) {
        if (other->closed && !strcmp(other->path, presence->path)) {
            release(presence);
            return resume(other);
        }
    }
    presence->list = list;
    presence->next = *list;
    *list = presence;
    read_file(presence);
    return presence;
}

int64_t mt_presence_last(const struct mt_presence *presence)
{
    return presence ? presence->last_ms : 0;
}

size_t mt_presence_known(const struct mt_presence *presence, const char *const **ids)
{
    *ids = presence ? (const char *const *)presence->known : NULL;
    return presence ? presence->known_n : 0;
}

static void make_text(struct mt_presence *presence)
{
    struct mt_jsonw json;

    presence->written_ms = presence->noted_ms;
    presence->dirty = false;
    presence->moved = false;
    presence->moved_ms = mt_clock_mono_ms();
    mt_buf_reset(&presence->text);
    mt_jsonw_init(&json, &presence->text);
    mt_jsonw_object(&json);
    mt_jsonw_key(&json, "v");
    mt_jsonw_i64(&json, 1);
    mt_jsonw_key(&json, "until");
    mt_jsonw_i64(&json, presence->noted_ms ? presence->noted_ms : presence->last_ms);
    if (*presence->position) {
        mt_jsonw_key(&json, "position");
        mt_jsonw_str(&json, presence->position);
    }
    mt_jsonw_key(&json, "ids");
    mt_jsonw_array(&json);
    for (size_t i = 0; i < presence->ids_n; i++)
        mt_jsonw_str(&json, presence->ids[i]);
    mt_jsonw_array_end(&json);
    mt_jsonw_object_end(&json);
}

static void write_now(void *ud)
{
    struct mt_presence *presence = ud;

    presence->err = presence->text.failed ? ENOMEM : mt_fs_mkdirs(presence->dir);
    if (!presence->err)
        presence->err = mt_fs_replace(presence->path, presence->text.data, presence->text.len);
}

static void look_at_error(struct mt_presence *presence)
{
    struct mt_fault fault;

    if (!presence->err || presence->told)
        return;
    presence->told = true;
    (void)mt_fs_fault(&fault, presence->err, "write", presence->path);
    mt_log(MT_LOG_WARN, "live",
           "after a restart nobody will know how long this account was away: %s", fault.message);
}

/* What was noted since the last write began, here and now: there is no later. */
static void write_rest(struct mt_presence *presence)
{
    if (presence->dirty || presence->moved || presence->noted_ms > presence->written_ms) {
        make_text(presence);
        write_now(presence);
        look_at_error(presence);
    }
    unlist(presence);
    release(presence);
}

static void written(void *ud, bool cancelled)
{
    struct mt_presence *presence = ud;

    (void)cancelled;
    presence->writing = false;
    look_at_error(presence);
    if (presence->closed)
        write_rest(presence);
}

static void begin_write(struct mt_presence *presence)
{
    make_text(presence);
    presence->writing = !mt_work_start(presence->loop, write_now, written, presence, NULL);
}

const char *mt_presence_position(const struct mt_presence *presence)
{
    return presence ? presence->position : NULL;
}

void mt_presence_flush(struct mt_presence *presence)
{
    if (presence && presence->moved && !presence->writing &&
        mt_clock_mono_ms() - presence->moved_ms >= MOVE_EVERY_MS)
        begin_write(presence);
}

void mt_presence_move(struct mt_presence *presence, const char *position)
{
    if (!presence || !strcmp(presence->position, position) ||
        strlen(position) >= sizeof presence->position)
        return;
    snprintf(presence->position, sizeof presence->position, "%s", position);
    presence->moved = true;
    mt_presence_flush(presence);
}

void mt_presence_note(struct mt_presence *presence, int64_t until_ms)
{
    if (!presence || until_ms <= presence->noted_ms)
        return;
    presence->noted_ms = until_ms;
    if (presence->writing || until_ms - presence->written_ms < WRITE_EVERY_MS)
        return;
    begin_write(presence);
}

void mt_presence_forget(struct mt_presence **list)
{
    for (struct mt_presence *presence = *list; presence; presence = presence->next)
        presence->list = NULL;
    *list = NULL;
}

void mt_presence_close(struct mt_presence *presence)
{
    if (!presence)
        return;
    presence->closed = true;
    if (!presence->writing) /* else that ends first */
        write_rest(presence);
}
