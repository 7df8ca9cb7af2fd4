#include "sandbox/record_int.h"

#include "base/mem.h"
#include "base/str.h"
#include "codec/hash.h"
#include "codec/json.h"
#include "ws/server.h"

struct mt_sb_record {
    char *lines[MT_SB_RECORD_MAX]; /* a ring */
    size_t lens[MT_SB_RECORD_MAX];
    size_t first;
    size_t n;
    size_t bytes;
    uint64_t number;
};

struct mt_sb_record *mt_sb_record_new(void)
{
    return mt_mem_calloc(1, sizeof(struct mt_sb_record));
}

static void drop_first(struct mt_sb_record *record)
{
    mt_mem_free(record->lines[record->first]);
    record->bytes -= record->lens[record->first];
    record->lines[record->first] = NULL;
    record->first = (record->first + 1) % MT_SB_RECORD_MAX;
    record->n--;
}

void mt_sb_record_reset(struct mt_sb_record *record)
{
    while (record->n > 0)
        drop_first(record);
}

void mt_sb_record_free(struct mt_sb_record *record)
{
    if (record == NULL)
        return;
    mt_sb_record_reset(record);
    mt_mem_free(record);
}

static void keep(struct mt_sb_record *record, struct mt_buf *line)
{
    size_t len = 0;
    char *text = line->failed == MT_OK ? mt_buf_steal(line, &len) : NULL;
    if (text == NULL)
        return;
    while (record->n == MT_SB_RECORD_MAX ||
           (record->n > 0 && record->bytes + len > MT_SB_RECORD_BYTES_MAX))
        drop_first(record);
    size_t at = (record->first + record->n) % MT_SB_RECORD_MAX;
    record->lines[at] = text;
    record->lens[at] = len;
    record->bytes += len;
    record->n++;
}

static void begin(struct mt_sb_record *record, struct mt_jsonw *json, struct mt_buf *line,
                  const char *channel, int64_t now_ms)
{
    mt_buf_init(line, 16 * MT_SB_RECORD_BODY_MAX);
    mt_jsonw_init(json, line);
    mt_jsonw_object(json);
    mt_jsonw_key(json, "n");
    mt_jsonw_u64(json, ++record->number);
    mt_jsonw_key(json, "time");
    mt_jsonw_i64(json, now_ms);
    mt_jsonw_key(json, "channel");
    mt_jsonw_str(json, channel);
}

static void text_member(struct mt_jsonw *json, const char *key, const char *value)
{
    mt_jsonw_key(json, key);
    mt_jsonw_str(json, value == NULL ? "" : value);
}

/* Only where it was sent. */
static void header_member(struct mt_jsonw *json, const char *key,
                          const struct mt_ws_request *request, const char *name)
{
    const char *value = mt_ws_request_header(request, name);
    if (value[0] != '\0')
        text_member(json, key, value);
}

void mt_sb_record_http(struct mt_sb_record *record, const struct mt_ws_request *request,
                       int64_t now_ms)
{
    struct mt_buf line;
    struct mt_jsonw json;
    size_t len =
        request->body_len < MT_SB_RECORD_BODY_MAX ? request->body_len : MT_SB_RECORD_BODY_MAX;
    if (mt_str_starts(request->path, "/sandbox/") &&
        !mt_str_starts(request->path, "/sandbox/demo/"))
        return; /* the log is not about those who read it */
    begin(record, &json, &line, "http", now_ms);
    text_member(&json, "method", request->method);
    text_member(&json, "path", request->path);
    text_member(&json, "query", request->query);
    text_member(&json, "authorization", request->authorization);
    text_member(&json, "content_type", request->content_type);
    header_member(&json, "share_secret", request, "share-secret");
    header_member(&json, "restrict_access", request, "restrict-access");
    header_member(&json, "rc_appkey", request, "RC-Appkey");
    header_member(&json, "rc_negotiate", request, "RC-Negotiate");
    mt_jsonw_key(&json, "body");
    mt_jsonw_strn(&json, request->body == NULL ? "" : request->body, len);
    mt_jsonw_key(&json, "body_len");
    mt_jsonw_u64(&json, request->body_len);
    mt_jsonw_object_end(&json);
    keep(record, &line);
    mt_buf_deinit(&line);
}

void mt_sb_record_frame(struct mt_sb_record *record, bool up, const char *channel, const char *user,
                        const void *p, size_t len, int64_t now_ms)
{
    struct mt_buf line;
    struct mt_jsonw json;
    size_t shown = len < MT_SB_RECORD_BODY_MAX ? len : MT_SB_RECORD_BODY_MAX;
    char *hex = mt_mem_alloc(2 * shown + 1);
    if (hex == NULL)
        return;
    mt_hex(p, shown, hex);
    begin(record, &json, &line, channel, now_ms);
    text_member(&json, "dir", up ? "up" : "down");
    text_member(&json, "user", user);
    text_member(&json, "hex", hex);
    mt_jsonw_key(&json, "len");
    mt_jsonw_u64(&json, len);
    mt_jsonw_object_end(&json);
    keep(record, &line);
    mt_buf_deinit(&line);
    mt_mem_free(hex);
}

void mt_sb_record_open(struct mt_sb_record *record, const char *channel, const char *path,
                       const char *query, int64_t now_ms)
{
    struct mt_buf line;
    struct mt_jsonw json;
    begin(record, &json, &line, channel, now_ms);
    text_member(&json, "dir", "open");
    text_member(&json, "path", path);
    text_member(&json, "query", query);
    mt_jsonw_object_end(&json);
    keep(record, &line);
    mt_buf_deinit(&line);
}

void mt_sb_record_print(const struct mt_sb_record *record, struct mt_buf *out)
{
    (void)mt_buf_append_char(out, '[');
    for (size_t i = 0; i < record->n; i++) {
        size_t at = (record->first + i) % MT_SB_RECORD_MAX;
        if (i > 0)
            (void)mt_buf_append_str(out, ",\n");
        (void)mt_buf_append(out, record->lines[at], record->lens[at]);
    }
    (void)mt_buf_append_str(out, "]\n");
}
