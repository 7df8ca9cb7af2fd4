/* chatfiles: upload as multipart/form-data, download with the share-secret (easemob.md §4.9). */
#include "sandbox/files_int.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "codec/hash.h"
#include "sandbox/rest_int.h"

#include <stdio.h>
#include <string.h>

#define BOUNDARY_MAX 200

struct mt_sb_files *mt_sb_files_new(void)
{
    struct mt_sb_files *files = mt_mem_calloc(1, sizeof *files);
    if (files == NULL)
        return NULL;
    files->map = mt_map_new();
    files->pending = mt_map_new();
    if (files->map == NULL || files->pending == NULL) {
        mt_sb_files_free(files);
        return NULL;
    }
    return files;
}

void mt_sb_files_free(struct mt_sb_files *files)
{
    if (files == NULL)
        return;
    mt_map_free(files->map, mt_mem_free);
    mt_map_free(files->pending, mt_sb_parts_free);
    mt_mem_free(files);
}

/* ---------------------------------------------------------------- multipart/form-data */

/* "--" and the boundary that the content type names. */
static bool read_boundary(const char *content_type, char out[BOUNDARY_MAX])
{
    const char *at = strstr(content_type, "boundary=");
    if (strncmp(content_type, "multipart/form-data", 19) != 0 || at == NULL)
        return false;
    at += 9;
    bool quoted = *at == '"';
    if (quoted)
        at++;
    size_t len = strcspn(at, quoted ? "\"" : "; \t");
    if (len == 0 || len + 3 > BOUNDARY_MAX)
        return false;
    (void)snprintf(out, BOUNDARY_MAX, "--%.*s", (int)len, at);
    return true;
}

/* Copies the value of a header of the part, up to the end of its line. */
static void part_header(const char *head, size_t len, const char *name, char *out, size_t cap)
{
    size_t name_len = strlen(name);
    out[0] = '\0';
    for (size_t i = 0; i + name_len < len; i++) {
        if (strncasecmp(head + i, name, name_len) != 0)
            continue;
        size_t at = i + name_len;
        size_t n = 0;
        while (at < len && (unsigned char)head[at] >= 0x20 && n + 1 < cap)
            out[n++] = head[at++];
        out[n] = '\0';
        return;
    }
}

static bool find_part(const char *body, size_t len, const char *boundary, const char *name,
                      struct mt_sb_part *part)
{
    size_t boundary_len = strlen(boundary);
    const char *end = body + len;
    const char *at = memmem(body, len, boundary, boundary_len);
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, " name=\"%s\"", name);
    while (at != NULL) {
        const char *head = at + boundary_len;
        const char *data = memmem(head, (size_t)(end - head), "\r\n\r\n", 4);
        if (data == NULL)
            return false;
        size_t head_len = (size_t)(data - head);
        data += 4;
        const char *next = memmem(data, (size_t)(end - data), boundary, boundary_len);
        if (next == NULL || next - data < 2)
            return false;
        if (memmem(head, head_len, wanted, strlen(wanted)) != NULL) {
            part->data = data;
            part->len = (size_t)(next - data) - 2; /* the line end before the boundary */
            part_header(head, head_len, "\r\ncontent-type: ", part->type, sizeof part->type);
            return true;
        }
        at = next;
    }
    return false;
}

bool mt_sb_form_part(const struct mt_sb_call *call, const char *name, struct mt_sb_part *part)
{
    char boundary[BOUNDARY_MAX];
    const struct mt_ws_request *request = call->request;
    return request->body_len > 0 && read_boundary(request->content_type, boundary) &&
           find_part(request->body, request->body_len, boundary, name, part);
}

/* ---------------------------------------------------------------- uploads */

void mt_sb_uuid(char uuid[MT_SB_UUID_MAX])
{
    uint8_t random[16];
    char hex[33];
    mt_rand_bytes(random, sizeof random);
    mt_hex(random, sizeof random, hex);
    (void)snprintf(uuid, MT_SB_UUID_MAX, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
                   hex + 16, hex + 20);
}

enum mt_rc mt_sb_file_make(struct mt_sb_files *files, const char *uuid, size_t len,
                           const char *type, bool restricted, struct mt_sb_file **out)
{
    if (files->bytes + len > MT_SB_FILES_MAX_BYTES)
        return MT_ERR_LIMIT;
    struct mt_sb_file *file = mt_mem_alloc(sizeof *file + len);
    if (file == NULL)
        return MT_ERR_NOMEM;
    mt_sb_uuid(file->secret);
    mt_sb_uuid(file->sign);
    (void)snprintf(file->type, sizeof file->type, "%s",
                   type[0] == '\0' ? "application/octet-stream" : type);
    file->len = len;
    file->restricted = restricted;
    file->expired = false;
    if (mt_map_put(files->map, uuid, file) != MT_OK) {
        mt_mem_free(file);
        return MT_ERR_NOMEM;
    }
    files->bytes += len;
    *out = file;
    return MT_OK;
}

void mt_sb_file_answer(struct mt_sb_call *call, const char *uuid, const struct mt_sb_file *file)
{
    struct mt_jsonw *json = &call->json;
    mt_sb_reply_begin(call);
    mt_jsonw_key(json, "entities");
    mt_jsonw_array(json);
    mt_jsonw_object(json);
    mt_jsonw_key(json, "uuid");
    mt_jsonw_str(json, uuid);
    mt_jsonw_key(json, "type");
    mt_jsonw_str(json, "chatfile");
    mt_jsonw_key(json, "share-secret");
    mt_jsonw_str(json, file->secret);
    mt_jsonw_object_end(json);
    mt_jsonw_array_end(json);
    mt_sb_reply_end(call);
}

void mt_sb_rest_file_put(struct mt_sb_call *call)
{
    char uuid[MT_SB_UUID_MAX];
    struct mt_sb_part part = {0};
    struct mt_sb_file *file = NULL;
    bool restricted = strcmp(mt_ws_request_header(call->request, "restrict-access"), "true") == 0;
    if (!mt_sb_form_part(call, "file", &part)) {
        mt_sb_reply_error(call, 400, "illegal_argument", "a part called file is needed");
        return;
    }
    if (part.len > call->sandbox->faults.max_file) {
        mt_sb_reply_error(call, 413, "request_entity_too_large",
                          "the attachment is larger than the app allows");
        return;
    }
    if (call->sandbox->faults.improper) {
        mt_sb_reply_error(call, 400, "content improper", "content improper");
        return;
    }
    mt_sb_uuid(uuid);
    if (mt_sb_file_make(call->sandbox->files, uuid, part.len, part.type, restricted, &file) !=
        MT_OK) {
        mt_sb_reply_nomem(call);
        return;
    }
    memcpy(file->data, part.data, part.len);
    mt_sb_file_answer(call, uuid, file);
}

/* ---------------------------------------------------------------- downloads */

/* The secret stands in a header or in the query; one that is wrong is refused even where none is
 * needed. */
static bool may_read(const struct mt_sb_call *call, const struct mt_sb_file *file)
{
    char query[MT_SB_UUID_MAX];
    const char *header = mt_ws_request_header(call->request, "share-secret");
    bool in_query = mt_sb_query(call, "share-secret", query, sizeof query);
    bool given = header[0] != '\0' || in_query;
    return (given || !file->restricted) &&
           (header[0] == '\0' || strcmp(header, file->secret) == 0) &&
           (!in_query || strcmp(query, file->secret) == 0);
}

static void give(struct mt_sb_call *call, const struct mt_sb_file *file)
{
    char redirect[8];
    struct mt_sb_reply *reply = call->reply;
    if (call->sandbox->faults.storage &&
        mt_sb_query(call, "em-redirect", redirect, sizeof redirect) &&
        strcmp(redirect, "true") == 0) {
        reply->status = 302;
        (void)snprintf(reply->header_room, sizeof reply->header_room, "Location: %s%s?sign=%s",
                       call->sandbox->storage_base, call->arg[0], file->sign);
        reply->header = reply->header_room;
        return;
    }
    reply->content_type = file->type;
    reply->body = file->data;
    reply->body_len = file->len;
}

void mt_sb_rest_file_get(struct mt_sb_call *call)
{
    const struct mt_sb_file *file = mt_map_get(call->sandbox->files->map, call->arg[0]);
    if (file == NULL)
        mt_sb_reply_error(call, 404, "entity_not_found", "there is no such file");
    else if (!may_read(call, file))
        mt_sb_reply_error(call, 403, "forbidden_op", "chatfile no permission");
    else if (file->expired)
        mt_sb_reply_error(call, 404, "file_expired", "the file has expired");
    else
        give(call, file);
}

void mt_sb_files_stored(const struct mt_sb_files *files, const char *path, const char *query,
                        struct mt_ws_answer *answer)
{
    static const char bucket[] = "/bucket/";
    const struct mt_sb_file *file =
        mt_str_starts(path, bucket) ? mt_map_get(files->map, path + strlen(bucket)) : NULL;
    if (file == NULL)
        return;
    if (!mt_str_starts(query, "sign=") || strcmp(query + 5, file->sign) != 0) {
        answer->status = 403;
        return;
    }
    answer->status = 200;
    answer->content_type = file->type;
    answer->body = file->data;
    answer->body_len = file->len;
}

struct expiring {
    const struct mt_ws_request *request;
    uint64_t n;
};

static bool expire(void *ud, const char *uuid, void *value)
{
    struct expiring *e = ud;
    struct mt_sb_file *file = value;
    size_t len = e->request->body_len;
    if (len == 0 || (strlen(uuid) == len && memcmp(uuid, e->request->body, len) == 0)) {
        file->expired = true;
        e->n++;
    }
    return true;
}

/* The body is the uuid of one file, or empty: all that there are. */
void mt_sb_rest_files_expire(struct mt_sb_call *call)
{
    struct mt_jsonw *json = &call->json;
    struct expiring e = {.request = call->request};
    mt_map_each(call->sandbox->files->map, expire, &e);
    mt_jsonw_init(json, &call->sandbox->answer);
    mt_jsonw_object(json);
    mt_jsonw_key(json, "expired");
    mt_jsonw_u64(json, e.n);
    mt_jsonw_object_end(json);
}
