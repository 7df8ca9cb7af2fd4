/* The floor: the same history pages with libcurl's easy interface, one after another, thrown away.
 * What cannot be undercut without HTTP of one's own. `floor REST USER TARGET…`; a target is
 * NAME@easemob.com or ID@conference.… */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct body {
    char *data;
    size_t len, cap;
};

static size_t take(char *p, size_t size, size_t n, void *ud)
{
    struct body *body = ud;
    size_t len = size * n;

    if (body->len + len + 1 > body->cap) {
        body->cap = (body->len + len + 1) * 2;
        body->data = realloc(body->data, body->cap);
        if (!body->data)
            return 0;
    }
    memcpy(body->data + body->len, p, len);
    body->len += len;
    body->data[body->len] = '\0';
    return len;
}

int main(int argc, char **argv)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    struct body body = {NULL, 0, 0};
    char url[512], auth[256], post[512];
    unsigned long pages = 0;

    if (argc < 4 || !curl)
        return 2;
    snprintf(url, sizeof url, "%s/sandbox/demo/users/%s/messageroaming", argv[1], argv[2]);
    snprintf(auth, sizeof auth, "Authorization: Bearer sandbox-%s", argv[2]);
    headers = curl_slist_append(headers, auth);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    for (int i = 3; i < argc; i++) {
        char cursor[64] = "-1";
        for (;;) {
            snprintf(post, sizeof post,
                     "{\"queue\":\"%s\",\"start\":%s,\"pull_number\":50,\"is_positive\":true,"
                     "\"end\":-1}",
                     argv[i], cursor);
            curl_easy_setopt(curl, CURLOPT_POSTFIELDS, post);
            body.len = 0;
            if (curl_easy_perform(curl) != CURLE_OK || !body.len)
                return 1;
            pages++;
            char *next = strstr(body.data, "\"next_key\":\"");
            if (strstr(body.data, "\"is_last\":true") || !next)
                break;
            snprintf(cursor, sizeof cursor, "\"%.*s\"", (int)strcspn(next + 12, "\""), next + 12);
        }
    }
    fprintf(stderr, "floor: %lu pages\n", pages);
    free(body.data);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return 0;
}
