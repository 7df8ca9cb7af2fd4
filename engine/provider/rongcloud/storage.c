/* Where the cloud keeps attachments, and how they get there: see files_int.h. */
#include "provider/rongcloud/files_int.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "codec/json.h"
#include "provider/source.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CONFIG_MAX ((size_t)64 * 1024)

static const struct {
    const char *name, *topic;
} kinds[] = {
    [MT_RONG_QINIU] = {"qiniu", "qnUrl"},
    [MT_RONG_ALIYUN] = {"aliyun", "aliUrl"},
    [MT_RONG_S3] = {"s3", "s3Url"},
    [MT_RONG_MINIO] = {"minio", "minioUrl"},
};

const char *mt_rong_storage_topic(enum mt_rong_storage_kind kind)
{
    return kinds[kind].topic;
}

/* ---------------------------------------------------------------- storages */

/* A host, perhaps with a port and a path: nothing that could make another address of it. */
static bool host_ok(const char *host)
{
    size_t len = strlen(host);

    if (len == 0 || len >= MT_RONG_ADDRESS_MAX - 8)
        return false;
    for (const char *c = host; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("-._:/[]~", *c) == NULL)
            return false;
    return true;
}

/* Those of equal order keep their places. */
void mt_rong_storages_add(struct mt_rong_storages *list, enum mt_rong_storage_kind kind,
                          const char *host, int64_t order)
{
    size_t i = list->n;

    if (!host_ok(host) || list->n >= MT_RONG_STORAGES_MAX)
        return;
    for (; i > 0 && list->at[i - 1].order > order; i--)
        list->at[i] = list->at[i - 1];
    list->at[i].kind = kind;
    list->at[i].order = order;
    snprintf(list->at[i].host, sizeof list->at[i].host, "%s", host);
    list->n++;
}

static int64_t order_of(const struct mt_json *node)
{
    const char *text = mt_json_str(node);
    uint64_t n = 0;

    if (text == NULL)
        return mt_json_i64(node, 0);
    return mt_str_u64(text, &n) && n < 1000000 ? (int64_t)n : 0;
}

void mt_rong_storages_read(const char *text, struct mt_rong_storages *out)
{
    struct mt_json *root = NULL;

    memset(out, 0, sizeof *out);
    if (text == NULL || mt_json_parse(text, strlen(text), CONFIG_MAX, &root, NULL) != MT_OK)
        return;
    for (const struct mt_json *s = mt_json_child(root); s != NULL; s = mt_json_next(s)) {
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
            const char *host = mt_json_str(mt_json_get(s, kinds[i].name));

            if (host != NULL)
                mt_rong_storages_add(out, (enum mt_rong_storage_kind)i, host,
                                     order_of(mt_json_get(s, "p")));
        }
    }
    mt_json_free(root);
}

/* ---------------------------------------------------------------- sending a file */

/* What goes into a form's part or a header's value. */
static bool word_ok(const char *s)
{
    for (; s != NULL && *s != '\0'; s++)
        if ((unsigned char)*s < ' ' || *s == 127)
            return false;
    return true;
}

struct form {
    const char *fields[24]; /* name, value, …, NULL */
    size_t n;
    bool bad;
};

static void add(struct form *form, const char *name, const char *value)
{
    form->bad = form->bad || !word_ok(value);
    form->fields[form->n++] = name;
    form->fields[form->n++] = value != NULL ? value : "";
}

static const char *type_of(const struct mt_source *source)
{
    const char *type = mt_source_type(source->filename);

    return type != NULL ? type : "application/octet-stream";
}

static void fields_of(const struct mt_rong_storage *storage, const Rongcloud__GetQNupTokenOutput *t,
                      const struct mt_source *source, struct form *form)
{
    if (storage->kind == MT_RONG_S3) {
        add(form, "Content-Disposition", "attachment;");
        add(form, "Content-Type", type_of(source));
        add(form, "x-amz-credential", t->s3credential);
        add(form, "x-amz-algorithm", t->s3algorithm);
        add(form, "x-amz-date", t->s3date);
        add(form, "policy", t->s3policy);
        add(form, "x-amz-signature", t->s3signature);
        return;
    }
    add(form, "token", t->token);
    if (storage->kind != MT_RONG_ALIYUN)
        return;
    add(form, "OSSAccessKeyId", t->osskeyid);
    add(form, "policy", t->osspolicy);
    add(form, "Signature", t->osssign);
    add(form, "success_action_status", "200");
}

/* https unless the cloud says otherwise; a bucket is a part of the host, or of the path. */
static bool address_of(const struct mt_rong_storage *storage,
                       const Rongcloud__GetQNupTokenOutput *t, const char *key,
                       struct mt_rong_post *out)
{
    const char *host = storage->host;
    const char *scheme = mt_str_starts(host, "http://") ? "http://" : "https://";
    const char *bucket = storage->kind == MT_RONG_ALIYUN  ? t->ossbucketname
                         : storage->kind == MT_RONG_S3    ? t->s3bucketname
                         : storage->kind == MT_RONG_MINIO ? t->miniobucketname
                                                          : "";
    int len = 0;

    if (bucket == NULL || (*bucket != '\0' && !host_ok(bucket)))
        return false;
    if (strstr(host, "://") != NULL)
        host = strstr(host, "://") + 3;
    if (storage->kind == MT_RONG_MINIO)
        len = snprintf(out->url, sizeof out->url, "%s%s/%s/%s", scheme, host, bucket, key);
    else
        len = snprintf(out->url, sizeof out->url, "%s%s%s%s", scheme, bucket,
                       *bucket != '\0' ? "." : "", host);
    out->request.url = out->url;
    return len > 0 && (size_t)len < sizeof out->url;
}

static bool add_header(struct mt_rong_post *out, const char *name, const char *value)
{
    size_t n = 0;
    int len = 0;

    while (out->list[n] != NULL)
        n++;
    if (value == NULL || !word_ok(value))
        return false;
    len = snprintf(out->headers[n], sizeof out->headers[n], "%s: %s", name, value);
    out->list[n] = out->headers[n];
    return len > 0 && (size_t)len < sizeof out->headers[n];
}

/* The file as it is, signed by headers. */
static bool put_headers(const Rongcloud__GetQNupTokenOutput *t, const struct mt_source *source,
                        struct mt_secret **signature, struct mt_rong_post *out)
{
    const char *sign = t->minioauthorization;
    struct mt_buf name;
    bool ok = false;

    mt_buf_init(&name, 512);
    (void)mt_buf_append_str(&name, "attachment; filename=");
    (void)mt_http_escape(&name, source->filename);
    (void)mt_buf_append_str(&name, ";");
    ok = name.failed == MT_OK && add_header(out, "Content-Disposition", name.data) &&
         add_header(out, "x-amz-content-sha256", t->miniocontentsha256) &&
         add_header(out, "x-amz-date", t->miniodate) &&
         add_header(out, "Content-Type", type_of(source));
    mt_buf_deinit(&name);
    if (!ok || sign == NULL || *sign == '\0' || !word_ok(sign))
        return false;
    mt_secret_free(*signature);
    *signature = mt_secret_new(sign, strlen(sign));
    out->request.signature = *signature;
    return *signature != NULL;
}

enum mt_rc mt_rong_post_pack(const struct mt_rong_storage *storage,
                             const Rongcloud__GetQNupTokenOutput *token, const char *key,
                             const struct mt_source *source, struct mt_buf *head,
                             struct mt_buf *tail, struct mt_secret **signature,
                             struct mt_rong_post *out, struct mt_fault *fault)
{
    char type[MT_HTTP_FORM_TYPE_MAX];
    struct form form = {.n = 0};
    bool put = storage->kind == MT_RONG_MINIO;
    bool ok = true;
    enum mt_rc rc = MT_OK;

    memset(out, 0, sizeof *out);
    ok = address_of(storage, token, key, out);
    out->request.method = put ? "PUT" : "POST";
    out->request.headers = out->list;
    if (put) {
        ok = ok && put_headers(token, source, signature, out);
        /* An empty head and tail are the file alone. */
        rc = mt_buf_reserve(head, 1);
        if (rc == MT_OK)
            rc = mt_buf_reserve(tail, 1);
    } else {
        fields_of(storage, token, source, &form);
        add(&form, "key", key);
        ok = ok && !form.bad;
        rc = mt_http_form_behind(head, tail, type, form.fields, "file", source->filename,
                                 type_of(source), NULL);
        ok = ok && add_header(out, "Content-Type", type);
    }
    if (!ok)
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "upload.answer",
                            "what the cloud gave to upload with cannot be put into a request");
    out->head_len = (int64_t)head->len;
    if (rc == MT_OK) {
        mt_source_put(source, head, tail, &out->file, &out->request);
        rc = head->failed;
    }
    return rc == MT_OK ? MT_OK
                       : mt_fault_set(fault, rc, "memory", "the request could not be built");
}

/* ---------------------------------------------------------------- which addresses are asked */

struct place {
    bool tls;
    const char *host; /* with its port */
    size_t host_len;
    const char *rest; /* path and query */
};

static bool split(const char *url, struct place *out)
{
    out->tls = strncasecmp(url, "https://", 8) == 0;
    if (!out->tls && strncasecmp(url, "http://", 7) != 0)
        return false;
    out->host = url + (out->tls ? 8 : 7);
    out->host_len = strcspn(out->host, "/?#");
    out->rest = out->host + out->host_len;
    for (size_t i = 0; i < out->host_len; i++)
        if (!isalnum((unsigned char)out->host[i]) && strchr("-._:[]", out->host[i]) == NULL)
            return false;
    for (const char *c = out->rest; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == 127)
            return false;
    return out->host_len > 0;
}

/* Of a host with or without its port. */
static bool is_loopback(const char *host, size_t len)
{
    static const char *const names[] = {"127.0.0.1", "localhost"};
    size_t name_len = 0;

    while (name_len < len && host[name_len] != ':')
        name_len++;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) == name_len && strncasecmp(names[i], host, name_len) == 0)
            return true;
    return len > 0 && host[0] == '[';
}

/* allowed: "host", "host:port" or "*.host". A bucket stands in front of a storage's own name. */
static bool fits(const struct place *at, const char *allowed, bool buckets)
{
    const char *host = allowed;
    size_t len = 0, skip = 0;
    bool wild = mt_str_starts(host, "*.");

    if (strstr(host, "://") != NULL)
        host = strstr(host, "://") + 3;
    host += wild ? 2 : 0;
    len = strcspn(host, "/");
    if (len == 0 || len > at->host_len)
        return false;
    skip = at->host_len - len;
    if (strncasecmp(at->host + skip, host, len) != 0)
        return false;
    /* On this machine nothing but the place itself: it is no cloud's to name another one. */
    return skip == 0 || ((wild || buckets) && at->host[skip - 1] == '.' && !is_loopback(host, len));
}

static bool is_allowed(const struct mt_provider_account *account, const struct place *at)
{
    const struct mt_rong_storages *storages = account->navi.storages;

    for (size_t i = 0; storages != NULL && i < storages->n; i++)
        if (fits(at, storages->at[i].host, true))
            return true;
    for (size_t i = 0; i < account->media_hosts_n; i++)
        if (fits(at, account->media_hosts[i], false))
            return true;
    return false;
}

enum mt_rc mt_rong_media_url(const struct mt_provider_account *account, const char *url,
                             char out[MT_RONG_URL_MAX], struct mt_fault *fault)
{
    struct place at;
    int len = 0;

    if (!split(url, &at) || !is_allowed(account, &at))
        return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "download.foreign",
                            "the attachment is not in a storage that the cloud names but at "
                            "%.120s, which is not asked; media_hosts = { \"%.*s\" } in the account "
                            "permits it",
                            url, at.host_len > 0 && at.host_len < 80 ? (int)at.host_len : 0,
                            at.host_len > 0 ? at.host : "");
    len = snprintf(out, MT_RONG_URL_MAX, "%s://%.*s%.*s",
                   at.tls || !is_loopback(at.host, at.host_len) ? "https" : "http",
                   (int)at.host_len, at.host, (int)strcspn(at.rest, "#"), at.rest);
    if (len < 0 || len >= MT_RONG_URL_MAX)
        return mt_fault_set(fault, MT_ERR_INVALID, "download.none",
                            "the attachment's address is too long");
    return MT_OK;
}

static enum mt_rc add_host(struct mt_provider_account *account, const char *host)
{
    char **list = mt_mem_realloc(account->media_hosts,
                                 (account->media_hosts_n + 1) * sizeof *account->media_hosts);

    if (list == NULL)
        return MT_ERR_NOMEM;
    account->media_hosts = list;
    list[account->media_hosts_n] = mt_mem_strdup(host);
    if (list[account->media_hosts_n] == NULL)
        return MT_ERR_NOMEM;
    account->media_hosts_n++;
    return MT_OK;
}

void mt_rong_media_learn(struct mt_provider_account *account, const char *url)
{
    struct place at;
    char host[MT_RONG_ADDRESS_MAX];

    if (!split(url, &at) || at.host_len >= sizeof host || is_allowed(account, &at) ||
        account->media_hosts_n >= MT_RONG_HOSTS_MAX)
        return;
    snprintf(host, sizeof host, "%.*s", (int)at.host_len, at.host);
    (void)!add_host(account, host); /* without it, a download says that the host is foreign */
}

enum mt_rc mt_rong_media_hosts_set(struct mt_provider_account *account, const char *const *hosts,
                                   struct mt_fault *fault)
{
    enum mt_rc rc = MT_OK;

    for (size_t i = 0; rc == MT_OK && hosts != NULL && hosts[i] != NULL; i++) {
        const char *name = mt_str_starts(hosts[i], "*.") ? hosts[i] + 2 : hosts[i];

        if (i >= MT_RONG_HOSTS_MAX || !host_ok(name) || strchr(name, '/') != NULL)
            return mt_fault_set(fault, MT_ERR_INVALID, "config.media_hosts",
                                "account '%s': media_hosts lists up to %d hosts such as "
                                "\"files.example.com\" or \"*.example.com\"",
                                account->name, MT_RONG_HOSTS_MAX);
        rc = add_host(account, hosts[i]);
    }
    return rc;
}

void mt_rong_media_hosts_free(struct mt_provider_account *account)
{
    for (size_t i = 0; i < account->media_hosts_n; i++)
        mt_mem_free(account->media_hosts[i]);
    mt_mem_free(account->media_hosts);
}
