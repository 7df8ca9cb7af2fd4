/* The status of serve: a request's head as it comes, to the page it means; and names and faults as
 * they come, in labels and in markup, which nothing of them may leave. */
#include "app/service_int.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "ws/head_int.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* A head that is one is routed; only the own names are answered. */
static void route(const char *text, size_t len)
{
    struct mt_ws_head head;
    int status = 0;
    const char *end = memmem(text, len, "\r\n\r\n", 4);
    size_t head_len = end ? (size_t)(end - text) + 4 : 0;
    char *copy = end ? mt_mem_alloc(head_len + 1) : NULL;

    if (!copy)
        return;
    memcpy(copy, text, head_len);
    copy[head_len] = '\0';
    if (!mt_ws_head_read(copy, head_len, &head)) {
        enum mt_service_page page =
            mt_service_route(head.method, head.path, head.host, "127.0.0.1", 9464, &status);
        must((page == MT_SERVICE_NOTHING) == (status != 200));
        must(page == MT_SERVICE_NOTHING || strstr(head.host, ":9464") != NULL);
    }
    mt_mem_free(copy);
}

static void label(const char *text)
{
    static const struct mt_metric metric = {"m", "gauge", "M."};
    const struct mt_metric_label labels[] = {{"l", text}, {NULL, NULL}};
    struct mt_buf out;
    size_t at = 0;

    mt_buf_init(&out, 1 << 20);
    mt_metrics_u64(&out, &metric, labels, 1);
    must(!out.failed && !strncmp(out.data, "m{l=\"", 5));
    for (at = 5; out.data[at] != '"'; at++) {
        must(out.data[at] != '\n' && out.data[at]);
        at += out.data[at] == '\\';
    }
    must(!strcmp(out.data + at, "\"} 1\n"));
    mt_buf_deinit(&out);
}

static void markup(const char *text)
{
    struct mt_buf out;

    mt_buf_init(&out, 1 << 22);
    mt_buf_append_str(&out, "-");
    mt_service_text(&out, text);
    must(!out.failed && !strpbrk(out.data, "<>\"'"));
    mt_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = mt_mem_alloc(len + 1);

    if (!text)
        return 0;
    if (len)
        memcpy(text, data, len);
    text[len] = '\0';
    route(text, len);
    label(text);
    markup(text);
    mt_mem_free(text);
    return 0;
}
