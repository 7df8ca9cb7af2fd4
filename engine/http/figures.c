/* What has gone to each host: plain integers, counted where a transfer ends. */
#include "base/mem.h"
#include "http/http_int.h"

#include <string.h>

void figures_init(struct mt_http *http)
{
    http->of_scripts.host = "(scripts)";
    http->others.host = "(other)";
}

void figures_free(struct mt_http *http)
{
    while (http->hosts) {
        struct http_host *next = http->hosts->next;
        mt_mem_free(http->hosts);
        http->hosts = next;
    }
}

/* A cloud names its hosts itself, and may name ever new ones: the list is bounded. */
struct mt_http_figures *figures_of(struct mt_http *http, const char *host, bool of_script)
{
    struct http_host **at = &http->hosts;

    if (of_script)
        return &http->of_scripts;
    while (*at && strcmp((*at)->name, host) != 0)
        at = &(*at)->next;
    if (*at)
        return &(*at)->figures;
    size_t len = strlen(host);
    struct http_host *made = http->hosts_n < MT_HTTP_HOSTS_MAX && len < HTTP_HOST_MAX
                                 ? mt_mem_calloc(1, sizeof *made)
                                 : NULL;
    if (!made)
        return &http->others;
    memcpy(made->name, host, len);
    made->figures.host = made->name;
    *at = made;
    http->hosts_n++;
    return &made->figures;
}

static uint64_t bytes(CURL *easy, CURLINFO body, CURLINFO head)
{
    curl_off_t body_n = 0;
    long head_n = 0;

    (void)curl_easy_getinfo(easy, body, &body_n);
    (void)curl_easy_getinfo(easy, head, &head_n);
    return (body_n > 0 ? (uint64_t)body_n : 0) + (head_n > 0 ? (uint64_t)head_n : 0);
}

void figures_note(struct mt_http_figures *figures, CURL *easy, CURLcode code)
{
    long status = 0;

    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    figures->answers_n[code == CURLE_OK && status >= 100 && status < 600 ? status / 100 : 0]++;
    figures->refused_n += code == CURLE_OK && status == 429;
    figures->sent_bytes += bytes(easy, CURLINFO_SIZE_UPLOAD_T, CURLINFO_REQUEST_SIZE);
    figures->received_bytes += bytes(easy, CURLINFO_SIZE_DOWNLOAD_T, CURLINFO_HEADER_SIZE);
}

static void tell(const struct mt_http_figures *figures,
                 void (*each)(void *ud, const struct mt_http_figures *figures), void *ud)
{
    uint64_t sum = 0;

    for (int i = 0; i < 6; i++)
        sum += figures->answers_n[i];
    if (sum)
        each(ud, figures);
}

void mt_http_each_host(const struct mt_http *http,
                       void (*each)(void *ud, const struct mt_http_figures *figures), void *ud)
{
    for (const struct http_host *host = http->hosts; host; host = host->next)
        each(ud, &host->figures);
    tell(&http->of_scripts, each, ud);
    tell(&http->others, each, ud);
}

size_t mt_http_waiting(const struct mt_http *http)
{
    return http->calls_n - http->wire_n;
}
