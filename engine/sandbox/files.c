/* chatfiles: upload as multipart/form-data, download with the share-secret (easemob.md §4.9). */
#include "sandbox/files_int.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/rand.h"
#include "codec/hash.h"
#include "sandbox/rest_int.h"

#include <stdio.h>
#include <string.h>

#define BOUNDARY_MAX 200
#define TYPE_MAX     100

struct file {
    size_t len;
    char secret[40];
    char type[TYPE_MAX];
    char data[];
};

struct mt_sb_files {
    struct mt_map *map; /* uuid → struct file */
    size_t bytes;
};

struct part {
    const char *data;
    size_t len;
    char type[TYPE_MAX];
};

struct mt_sb_files *mt_sb_files_new(void)
{
    struct mt_sb_files *files = mt_mem_calloc(1, sizeof *files);
    if (files != NULL)
        files->map = mt_map_new();
    if (files != NULL && files->map == NULL) {
        mt_mem_free(files);
        return NULL;
    }
    return files;
}

void mt_sb_files_free(struct mt_sb_files *files)
{
    if (files == NULL)
        return;
    mt_map_free(files->map, mt_mem_free);
    mt_mem_free(files);
}

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

/* Finds the part called "file". */
static bool find_file(const char *body, size_t len, const char *boundary, struct part *part)
{
    size_t boundary_len = strlen(boundary);
    const char *end = body + len;
    const char *at = memmem(body, len, boundary, boundary_len);
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
        if (memmem(head, head_len, "name=\"file\"", 11) != NULL) {
            part->data = data;
            part->len = (size_t)(next - data) - 2; /* the line end before the boundary */
            part_header(head, head_len, "\r\ncontent-type: ", part->type, sizeof part->type);
            return true;
        }
        at = next;
    }
    return false;
}

static enum mt_rc keep(struct mt_sb_files *files, const struct part *part, char uuid[40],
                       const char **secret)
{
    uint8_t random[32];
    char hex[65];
    if (files->bytes + part->len > MT_SB_FILES_MAX_BYTES)
        return MT_ERR_LIMIT;
    struct file *file = mt_mem_alloc(sizeof *file + part->len);
    if (file == NULL)
        return MT_ERR_NOMEM;
    mt_rand_bytes(random, sizeof random);
    mt_hex(random, sizeof random, hex);
    (void)snprintf(uuid, 40, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
                   hex + 20);
    (void)snprintf(file->secret, sizeof file->secret, "%.32s", hex + 32);
    (void)snprintf(file->type, sizeof file->type, "%s",
                   part->type[0] == '\0' ? "application/octet-stream" : part->type);
    file->len = part->len;
    memcpy(file->data, part->data, part->len);
    if (mt_map_put(files->map, uuid, file) != MT_OK) {
        mt_mem_free(file);
        return MT_ERR_NOMEM;
    }
    files->bytes += part->len;
    *secret = file->secret;
    return MT_OK;
}

void mt_sb_rest_file_put(struct mt_sb_call *call)
{
    char boundary[BOUNDARY_MAX];
    char uuid[40];
    struct part part = {0};
    const char *secret = NULL;
    const struct mt_ws_request *request = call->request;
    struct mt_jsonw *json = &call->json;
    if (request->body_len == 0 || !read_boundary(request->content_type, boundary) ||
        !find_file(request->body, request->body_len, boundary, &part)) {
        mt_sb_reply_error(call, 400, "illegal_argument", "a part called file is needed");
        return;
    }
    if (part.len > MT_SB_FILE_MAX_BYTES) {
        mt_sb_reply_error(call, 413, "request_entity_too_large",
                          "the attachment is larger than 10 MB");
        return;
    }
    if (keep(call->sandbox->files, &part, uuid, &secret) != MT_OK) {
        mt_sb_reply_nomem(call);
        return;
    }
    mt_sb_reply_begin(call);
    mt_jsonw_key(json, "entities");
    mt_jsonw_array(json);
    mt_jsonw_object(json);
    mt_jsonw_key(json, "uuid");
    mt_jsonw_str(json, uuid);
    mt_jsonw_key(json, "type");
    mt_jsonw_str(json, "chatfile");
    mt_jsonw_key(json, "share-secret");
    mt_jsonw_str(json, secret);
    mt_jsonw_object_end(json);
    mt_jsonw_array_end(json);
    mt_sb_reply_end(call);
}

/* The secret is checked where it stands in the query; a header of that name does not reach this
 * side. */
void mt_sb_rest_file_get(struct mt_sb_call *call)
{
    char secret[64];
    const struct file *file = mt_map_get(call->sandbox->files->map, call->arg[0]);
    if (file == NULL) {
        mt_sb_reply_error(call, 404, "entity_not_found", "there is no such file");
        return;
    }
    if (mt_sb_query(call, "share-secret", secret, sizeof secret) &&
        strcmp(secret, file->secret) != 0) {
        mt_sb_reply_error(call, 403, "forbidden_op", "chatfile no permission");
        return;
    }
    call->reply->content_type = file->type;
    call->reply->body = file->data;
    call->reply->body_len = file->len;
}
