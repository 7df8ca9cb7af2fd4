/* --load: files of {"chat","conversation","from","ts","text"}, one object a line. */
#include "sandbox/fill_int.h"

#include "base/fs.h"
#include "base/mem.h"
#include "codec/json.h"
#include "sandbox/wire_int.h"

#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)2 << 30)
#define LINE_MAX ((size_t)64 * 1024)
#define TEXT_MAX ((size_t)16 * 1024)
#define TS_MAX   ((int64_t)1 << 42) /* the year 2109 */

struct line {
    int64_t ts_ms;
    size_t order;
    struct mt_sb_thread *thread;
    struct mt_sb_user *from;
    const char *text; /* into the file's memory */
    size_t text_len;
};

struct mt_sb_load {
    const struct mt_sb_fill *fill;
    char **files;
    size_t file_n;
    struct line *lines;
    size_t n;
    size_t cap;
    size_t next;
};

void mt_sb_load_free(struct mt_sb_load *load)
{
    if (load == NULL)
        return;
    for (size_t i = 0; i < load->file_n; i++)
        mt_mem_free(load->files[i]);
    mt_mem_free(load->files);
    mt_mem_free(load->lines);
    mt_mem_free(load);
}

/* Who wrote, and where: fills line->thread and line->from. */
static enum mt_rc place(const struct mt_sb_fill *fill, bool group, const char *conversation,
                        const char *from, struct line *line)
{
    struct mt_sb_store *store = fill->store;
    if (group) {
        line->thread = mt_sb_thread_group_make(store, conversation, MT_SB_GROUP, fill->owner);
        line->from = mt_sb_user_make(store, from);
    } else {
        struct mt_sb_user *peer = mt_sb_user_make(store, conversation);
        if (peer == NULL)
            return MT_ERR_NOMEM;
        bool own = strcmp(from, "agent") == 0 || strcmp(from, fill->owner->name) == 0;
        line->from = own ? fill->owner : peer;
        line->thread = mt_sb_thread_single(store, fill->owner, peer, true);
    }
    if (line->thread == NULL || line->from == NULL)
        return MT_ERR_NOMEM;
    line->from->registered = true;
    return MT_OK;
}

/* The text is moved to the head of its own line: unescaped it is never longer than it was. */
static enum mt_rc take(struct mt_sb_load *load, char *at, size_t len, struct mt_fault *fault)
{
    struct mt_json *root = NULL;
    enum mt_rc rc = mt_json_parse(at, len, LINE_MAX, &root, fault);
    if (rc != MT_OK)
        return rc;
    const char *chat = mt_json_str(mt_json_get(root, "chat"));
    const char *conversation = mt_json_str(mt_json_get(root, "conversation"));
    const char *from = mt_json_str(mt_json_get(root, "from"));
    const char *text = mt_json_str(mt_json_get(root, "text"));
    struct line line = {.ts_ms = mt_json_i64(mt_json_get(root, "ts"), -1), .order = load->n};
    bool group = chat != NULL && strcmp(chat, "group") == 0;
    if (chat == NULL || (!group && strcmp(chat, "single") != 0) || conversation == NULL ||
        from == NULL || text == NULL || line.ts_ms < 0 || line.ts_ms > TS_MAX ||
        conversation[0] == '\0' || strlen(conversation) >= MT_SB_ID_MAX || from[0] == '\0' ||
        strlen(from) >= MT_SB_ID_MAX || strlen(text) > TEXT_MAX) {
        rc = mt_fault_set(fault, MT_ERR_INVALID, "sandbox.load_line",
                          "need chat (group or single), conversation, from, ts and text");
        goto out;
    }
    rc = place(load->fill, group, conversation, from, &line);
    if (rc == MT_OK)
        rc = mt_sb_grow(&load->lines, load->n, &load->cap, sizeof line);
    if (rc != MT_OK) {
        (void)mt_fault_set(fault, rc, "memory", "memory is short");
        goto out;
    }
    line.text_len = strlen(text);
    if (line.text_len > len)
        line.text_len = len;
    memcpy(at, text, line.text_len);
    line.text = at;
    load->lines[load->n++] = line;
out:
    mt_json_free(root);
    return rc;
}

static enum mt_rc read_file(struct mt_sb_load *load, const char *path, struct mt_fault *fault)
{
    char *data = NULL;
    size_t len = 0;
    int err = mt_fs_read_all(path, FILE_MAX, &data, &len);
    if (err != 0)
        return mt_fs_fault(fault, err, "read", path);
    load->files[load->file_n++] = data;
    size_t number = 0;
    for (char *at = data; at < data + len;) {
        char *end = memchr(at, '\n', (size_t)(data + len - at));
        size_t line_len = end == NULL ? (size_t)(data + len - at) : (size_t)(end - at);
        number++;
        if (line_len > 0) {
            enum mt_rc rc = take(load, at, line_len, fault);
            if (rc != MT_OK) {
                mt_fault_prefix(fault, "%s:%zu", path, number);
                return rc;
            }
        }
        at += line_len + 1;
    }
    return MT_OK;
}

static int by_time(const void *a, const void *b)
{
    const struct line *left = a;
    const struct line *right = b;
    if (left->ts_ms != right->ts_ms)
        return left->ts_ms < right->ts_ms ? -1 : 1;
    return left->order < right->order ? -1 : 1;
}

enum mt_rc mt_sb_load_new(const struct mt_sb_fill *fill, struct mt_sb_load **out,
                          struct mt_fault *fault)
{
    size_t file_n = 0;
    while (fill->load != NULL && fill->load[file_n] != NULL)
        file_n++;
    struct mt_sb_load *load = mt_mem_calloc(1, sizeof *load);
    char **files = mt_mem_calloc(file_n + 1, sizeof *files);
    if (load == NULL || files == NULL) {
        mt_mem_free(load);
        mt_mem_free(files);
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "memory is short");
    }
    load->fill = fill;
    load->files = files;
    for (size_t i = 0; i < file_n; i++) {
        enum mt_rc rc = read_file(load, fill->load[i], fault);
        if (rc != MT_OK) {
            mt_sb_load_free(load);
            return rc;
        }
    }
    if (load->n != 0)
        qsort(load->lines, load->n, sizeof *load->lines, by_time);
    *out = load;
    return MT_OK;
}

int64_t mt_sb_load_next_ms(const struct mt_sb_load *load)
{
    return load->next < load->n ? load->lines[load->next].ts_ms : INT64_MAX;
}

enum mt_rc mt_sb_load_emit(struct mt_sb_load *load)
{
    const struct line *line = &load->lines[load->next++];
    uint8_t room[TEXT_MAX + 64];
    struct mt_sb_wire content = {.p = room, .cap = sizeof room};
    mt_sb_wire_varint(&content, 1, MT_SB_TEXT);
    mt_sb_wire_bytes(&content, 2, line->text, line->text_len);
    struct mt_sb_past past = {
        .thread = line->thread,
        .from = line->from,
        .ts_ms = line->ts_ms,
        .kind = MT_SB_TEXT,
        .content = content.p,
        .content_len = content.len,
    };
    return mt_sb_fill_append(load->fill, &past);
}
