/* Uploads in parts: begun, put in any order, ended or dropped (easemob.md §4.9). */
#include "sandbox/files_int.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/rest_int.h"

#include <string.h>

#define PARTS_MAX        100
#define PART_LOWER_BYTES ((size_t)5 * 1024 * 1024) /* of all but the last */

struct piece {
    size_t len;
    char data[];
};

struct mt_sb_parts {
    struct piece *pieces[PARTS_MAX]; /* from number 1 on */
    size_t bytes;
};

void mt_sb_parts_free(void *p)
{
    struct mt_sb_parts *parts = p;
    for (size_t i = 0; i < PARTS_MAX; i++)
        mt_mem_free(parts->pieces[i]);
    mt_mem_free(parts);
}

void mt_sb_rest_parts_begin(struct mt_sb_call *call)
{
    char uuid[MT_SB_UUID_MAX];
    struct mt_jsonw *json = &call->json;
    if (call->sandbox->faults.no_parts) {
        mt_sb_reply_error(call, 403, "forbidden_op", "part upload is not open");
        return;
    }
    struct mt_sb_parts *parts = mt_mem_calloc(1, sizeof *parts);
    mt_sb_uuid(uuid);
    if (parts == NULL || mt_map_put(call->sandbox->files->pending, uuid, parts) != MT_OK) {
        mt_mem_free(parts);
        mt_sb_reply_nomem(call);
        return;
    }
    mt_sb_reply_begin(call);
    mt_jsonw_key(json, "entities");
    mt_jsonw_array(json);
    mt_jsonw_object(json);
    mt_jsonw_key(json, "uuid");
    mt_jsonw_str(json, uuid);
    mt_jsonw_key(json, "file_upper_limit");
    mt_jsonw_u64(json, call->sandbox->faults.max_file);
    mt_jsonw_key(json, "part_lower_limit");
    mt_jsonw_u64(json, PART_LOWER_BYTES);
    mt_jsonw_object_end(json);
    mt_jsonw_array_end(json);
    mt_sb_reply_end(call);
}

/* The pending upload that the path names, or NULL after a 404. */
static struct mt_sb_parts *find(struct mt_sb_call *call)
{
    struct mt_sb_parts *parts = mt_map_get(call->sandbox->files->pending, call->arg[0]);
    if (parts == NULL)
        mt_sb_reply_error(call, 404, "entity_not_found", "there is no such upload");
    return parts;
}

static bool number_of(const struct mt_sb_call *call, uint64_t *number)
{
    char text[8];
    struct mt_sb_part part = {0};
    if (!mt_sb_form_part(call, "part_number", &part) || part.len >= sizeof text)
        return false;
    memcpy(text, part.data, part.len);
    text[part.len] = '\0';
    return mt_str_u64(text, number) && *number >= 1 && *number <= PARTS_MAX;
}

void mt_sb_rest_parts_put(struct mt_sb_call *call)
{
    uint64_t number = 0;
    struct mt_sb_part part = {0};
    struct mt_sb_files *files = call->sandbox->files;
    struct mt_sb_parts *parts = find(call);
    if (parts == NULL)
        return;
    if (!mt_sb_form_part(call, "part_file", &part) || !number_of(call, &number)) {
        mt_sb_reply_error(call, 400, "illegal_argument",
                          "the parts part_file and part_number (1 to 100) are needed");
        return;
    }
    struct piece **at = &parts->pieces[number - 1];
    size_t before = *at == NULL ? 0 : (*at)->len;
    if (parts->bytes - before + part.len > call->sandbox->faults.max_file) {
        mt_sb_reply_error(call, 413, "request_entity_too_large",
                          "the attachment is larger than the app allows");
        return;
    }
    struct piece *piece = files->bytes + part.len > MT_SB_FILES_MAX_BYTES
                              ? NULL
                              : mt_mem_alloc(sizeof *piece + part.len);
    if (piece == NULL) {
        mt_sb_reply_nomem(call);
        return;
    }
    piece->len = part.len;
    memcpy(piece->data, part.data, part.len);
    mt_mem_free(*at); /* put again: the later one counts */
    *at = piece;
    parts->bytes += part.len - before;
    files->bytes += part.len - before;
    mt_sb_reply_result(call, "ok");
}

/* Numbers without a hole, none but the last shorter than the limit. */
static bool whole(const struct mt_sb_parts *parts)
{
    size_t n = 0;
    while (n < PARTS_MAX && parts->pieces[n] != NULL)
        n++;
    for (size_t i = n; i < PARTS_MAX; i++)
        if (parts->pieces[i] != NULL)
            return false;
    for (size_t i = 0; i + 1 < n; i++)
        if (parts->pieces[i]->len < PART_LOWER_BYTES)
            return false;
    return n > 0;
}

static void forget(struct mt_sb_files *files, const char *uuid, struct mt_sb_parts *parts)
{
    files->bytes -= parts->bytes;
    (void)mt_map_remove(files->pending, uuid);
    mt_sb_parts_free(parts);
}

void mt_sb_rest_parts_end(struct mt_sb_call *call)
{
    char restricted[8] = "";
    struct mt_sb_file *file = NULL;
    struct mt_sb_files *files = call->sandbox->files;
    struct mt_sb_parts *parts = find(call);
    if (parts == NULL)
        return;
    if (!whole(parts)) {
        mt_sb_reply_error(call, 400, "illegal_argument", "parts are missing or too short");
        return;
    }
    (void)mt_sb_query(call, "restrict-access", restricted, sizeof restricted);
    if (mt_sb_file_make(files, call->arg[0], parts->bytes, "", strcmp(restricted, "true") == 0,
                        &file) != MT_OK) {
        mt_sb_reply_nomem(call);
        return;
    }
    char *to = file->data;
    for (size_t i = 0; i < PARTS_MAX && parts->pieces[i] != NULL; i++) {
        memcpy(to, parts->pieces[i]->data, parts->pieces[i]->len);
        to += parts->pieces[i]->len;
    }
    forget(files, call->arg[0], parts);
    mt_sb_file_answer(call, call->arg[0], file);
}

void mt_sb_rest_parts_drop(struct mt_sb_call *call)
{
    struct mt_sb_parts *parts = find(call);
    if (parts == NULL)
        return;
    forget(call->sandbox->files, call->arg[0], parts);
    mt_sb_reply_result(call, "ok");
}
