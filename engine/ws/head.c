/* The strict reader of request heads; see head_int.h. libwebsockets' own HTTP server decodes and
 * normalises the path, cuts the query up, takes a chunked body for an empty one and lets two
 * different lengths pass: none of that would do for a server whose answers others are tested by. */
#include "ws/head_int.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

#define LENGTH_DIGITS 15

enum { SEEN_LENGTH = 1, SEEN_CODING = 2, SEEN_HTTP_1_0 = 4, SEEN_UPGRADE = 8 };

struct reading {
    struct mt_ws_head *head;
    unsigned seen;
    const char *length;
    const char *coding;
};

static bool is_token(const char *p, size_t len)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < len; i++) {
        char c = p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && (c == '\0' || !strchr(marks, c)))
            return false;
    }
    return len > 0;
}

static bool is_value(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* Whether the comma-separated list holds the word, whatever its case. */
static bool lists(const char *list, const char *word)
{
    size_t len = strlen(word);

    while (*list) {
        list += strspn(list, " \t,");
        size_t n = strcspn(list, " \t,");
        if (n == len && !strncasecmp(list, word, n))
            return true;
        list += strcspn(list, ",");
    }
    return false;
}

static int read_target(char *target, struct mt_ws_head *head)
{
    char *mark = NULL;

    for (const char *p = target; *p; p++)
        if (*p <= 0x20 || *p == 0x7f || *p == '#')
            return 400;
    if (target[0] != '/') /* neither a proxy's form nor "*" has a meaning here */
        return 400;
    mark = strchr(target, '?');
    if (mark)
        *mark = '\0';
    head->path = target;
    head->query = mark ? mark + 1 : "";
    return 0;
}

static bool is_version(const char *s)
{
    return mt_str_starts(s, "HTTP/") && strlen(s) == 8 && strspn(s + 5, "0123456789") == 1 &&
           s[6] == '.' && strspn(s + 7, "0123456789") == 1;
}

static int read_request_line(char *line, size_t len, struct reading *reading)
{
    char *target = memchr(line, ' ', len);
    char *version = target ? memchr(target + 1, ' ', len - (size_t)(target + 1 - line)) : NULL;

    if (!version || !is_token(line, (size_t)(target - line)))
        return len > MT_WS_TARGET_BYTES ? 414 : 400;
    if ((size_t)(version - target) > MT_WS_TARGET_BYTES)
        return 414;
    *target++ = '\0';
    *version++ = '\0';
    if (strlen(target) != (size_t)(version - target) - 1) /* a NUL inside */
        return 400;
    if (!strcmp(line, "CONNECT"))
        return 501;
    if (!strcmp(version, "HTTP/1.0"))
        reading->seen |= SEEN_HTTP_1_0;
    else if (strcmp(version, "HTTP/1.1") != 0)
        return is_version(version) ? 505 : 400;
    reading->head->method = line;
    reading->head->keep_alive = !(reading->seen & SEEN_HTTP_1_0);
    return read_target(target, reading->head);
}

/* A header that may come once only. */
static int once(const char **at, const char *value)
{
    if (**at)
        return 400;
    *at = value;
    return 0;
}

static int take_connection(const char *value, struct mt_ws_head *head, unsigned *seen)
{
    if (lists(value, "close"))
        head->keep_alive = false;
    else if (lists(value, "keep-alive"))
        head->keep_alive = true;
    if (lists(value, "upgrade"))
        *seen |= SEEN_UPGRADE;
    return 0;
}

static int take_header(const char *name, const char *value, struct reading *reading)
{
    struct mt_ws_head *head = reading->head;

    if (!strcasecmp(name, "content-length")) {
        if (reading->seen & SEEN_LENGTH)
            return 400;
        reading->seen |= SEEN_LENGTH;
        reading->length = value;
    } else if (!strcasecmp(name, "transfer-encoding")) {
        if (reading->seen & SEEN_CODING)
            return 400;
        reading->seen |= SEEN_CODING;
        reading->coding = value;
    } else if (!strcasecmp(name, "host")) {
        return *value ? once(&head->host, value) : 400;
    } else if (!strcasecmp(name, "authorization")) {
        return once(&head->authorization, value);
    } else if (!strcasecmp(name, "content-type")) {
        return once(&head->content_type, value);
    } else if (!strcasecmp(name, "connection")) {
        return take_connection(value, head, &reading->seen);
    } else if (!strcasecmp(name, "expect")) {
        head->expects_continue = true;
        return strcasecmp(value, "100-continue") ? 417 : 0;
    } else if (!strcasecmp(name, "upgrade")) {
        head->upgrade = head->upgrade || lists(value, "websocket");
    } else if (!strcasecmp(name, "sec-websocket-key")) {
        return once(&head->ws_key, value);
    } else if (!strcasecmp(name, "sec-websocket-version")) {
        return once(&head->ws_version, value);
    } else if (!strcasecmp(name, "sec-websocket-protocol")) {
        return once(&head->ws_protocol, value);
    }
    return 0;
}

static int read_header(char *line, size_t len, struct reading *reading)
{
    char *colon = memchr(line, ':', len);
    char *value = colon ? colon + 1 : NULL;
    char *end = line + len;

    /* A line that begins with a blank would continue the one before: two readers, two meanings. */
    if (!colon || !is_token(line, (size_t)(colon - line)) ||
        !is_value(value, (size_t)(end - value)))
        return 400;
    *colon = '\0';
    while (*value == ' ' || *value == '\t')
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    if (reading->head->fields_n < MT_WS_HEADERS_N)
        reading->head->fields[reading->head->fields_n++] = (struct mt_ws_field){line, value};
    return take_header(line, value, reading);
}

/* RFC 6455, 4.2.1 */
static int judge_upgrade(const struct mt_ws_head *head)
{
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bool key_is_good = strlen(head->ws_key) == 24 && strspn(head->ws_key, base64) == 22 &&
                       !strcmp(head->ws_key + 22, "==");

    if (strcmp(head->method, "GET") != 0 || head->content_length || !head->keep_alive ||
        !key_is_good)
        return 400;
    return strcmp(head->ws_version, "13") ? 426 : 0;
}

/* What only the whole head can tell. */
static int judge(struct reading *reading)
{
    struct mt_ws_head *head = reading->head;

    if (!(reading->seen & SEEN_HTTP_1_0) && !*head->host)
        return 400;
    if (reading->coding) {
        if ((reading->seen & SEEN_LENGTH) || (reading->seen & SEEN_HTTP_1_0))
            return 400;
        return strcasecmp(reading->coding, "chunked") ? 501 : 411;
    }
    if (reading->length && (strlen(reading->length) > LENGTH_DIGITS ||
                            !mt_str_u64(reading->length, &head->content_length)))
        return 400;
    head->upgrade = head->upgrade && (reading->seen & SEEN_UPGRADE);
    return head->upgrade ? judge_upgrade(head) : 0;
}

int mt_ws_head_read(char *text, size_t len, struct mt_ws_head *head)
{
    struct reading reading = {.head = head};
    char *line = text;
    char *last = text + len - 2; /* the empty line */
    unsigned lines_n = 0;

    *head = (struct mt_ws_head){
        .host = "",
        .authorization = "",
        .content_type = "",
        .ws_key = "",
        .ws_version = "",
        .ws_protocol = "",
    };
    while (line < last) {
        char *end = memchr(line, '\n', (size_t)(last - line));
        int status = 0;
        if (!end || end == line || end[-1] != '\r')
            return 400;
        size_t line_len = (size_t)(end - 1 - line);
        end[-1] = '\0';
        status = lines_n ? read_header(line, line_len, &reading)
                         : read_request_line(line, line_len, &reading);
        if (status)
            return status;
        if (lines_n++ > MT_WS_HEADERS_N)
            return 431;
        line = end + 1;
    }
    return lines_n ? judge(&reading) : 400;
}
