/* Reading a request: percent-decoding, query parameters, JSON bodies. */
#include "sandbox/rest_int.h"

#include "base/str.h"

#include <string.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool mt_sb_percent(char *text)
{
    char *to = text;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '%') {
            *to++ = *at;
            continue;
        }
        int high = hex(at[1]);
        int low = high < 0 ? -1 : hex(at[2]);
        if (low < 0 || (high == 0 && low == 0))
            return false;
        *to++ = (char)(high << 4 | low);
        at += 2;
    }
    *to = '\0';
    return true;
}

bool mt_sb_query(const struct mt_sb_call *call, const char *name, char *out, size_t cap)
{
    size_t name_len = strlen(name);
    const char *at = call->request->query;
    while (*at != '\0') {
        const char *end = strchr(at, '&');
        size_t len = end == NULL ? strlen(at) : (size_t)(end - at);
        if (len > name_len && at[name_len] == '=' && strncmp(at, name, name_len) == 0) {
            size_t value_len = len - name_len - 1;
            if (value_len >= cap)
                return false;
            memcpy(out, at + name_len + 1, value_len);
            out[value_len] = '\0';
            return mt_sb_percent(out);
        }
        at += len;
        if (*at == '&')
            at++;
    }
    return false;
}

uint64_t mt_sb_query_u64(const struct mt_sb_call *call, const char *name, uint64_t absent)
{
    char text[32];
    uint64_t n = 0;
    return mt_sb_query(call, name, text, sizeof text) && mt_str_u64(text, &n) ? n : absent;
}

bool mt_sb_mark_parse(const char *text, unsigned *mark)
{
    uint64_t n = 0;
    if (text == NULL || !mt_str_starts(text, "mark_") || !mt_str_u64(text + 5, &n) ||
        n >= MT_SB_MARKS)
        return false;
    *mark = (unsigned)n;
    return true;
}

struct mt_json *mt_sb_body(struct mt_sb_call *call)
{
    struct mt_json *root = NULL;
    const struct mt_ws_request *request = call->request;
    if (request->body_len != 0 &&
        mt_json_parse(request->body, request->body_len, MT_SB_REQUEST_MAX, &root, NULL) == MT_OK &&
        mt_json_type(root) == MT_JSON_OBJECT)
        return root;
    mt_json_free(root);
    mt_sb_reply_error(call, 400, "invalid_request_body",
                      "Request body not readable.Please check content type is correct!");
    return NULL;
}
