/* Attachments: into the storages that the cloud names, and out of them. The protocol says little
 * of this (rongcloud.md 3); the rest is what the SDK 5.38 does when it uploads by itself.
 *
 * storage.c: where storages are, and which addresses are asked at all. upload.c, download.c: the
 * verbs. */
#ifndef MT_RONGCLOUD_FILES_INT_H
#define MT_RONGCLOUD_FILES_INT_H

#include "http/http.h"
#include "provider/rongcloud/account_int.h"

#include "rongcloud.pb-c.h"

struct mt_buf;
struct mt_source;

#define MT_RONG_FILE_MS      ((int64_t)3600 * 1000) /* a slow line is given up by its speed */
#define MT_RONG_URL_MAX      4096
#define MT_RONG_STORAGES_MAX 8
#define MT_RONG_HOSTS_MAX    32
#define MT_RONG_HTML         "<!DOCTYPE html>" /* how the file of a combined message begins */

/* The kinds of storage that the SDK uploads to. */
enum mt_rong_storage_kind { MT_RONG_QINIU, MT_RONG_ALIYUN, MT_RONG_S3, MT_RONG_MINIO };

struct mt_rong_storage {
    enum mt_rong_storage_kind kind;
    int64_t order;                  /* the lowest is tried first */
    char host[MT_RONG_ADDRESS_MAX]; /* as the cloud says it: with or without a scheme, a path */
};

struct mt_rong_storages {
    struct mt_rong_storage at[MT_RONG_STORAGES_MAX];
    size_t n;
};

/* storage.c. Reads ossConfig, a JSON text: [{"qiniu":"host","p":"1"},…]. What it does not know is
 * left away. */
void mt_rong_storages_read(const char *text, struct mt_rong_storages *out);
void mt_rong_storages_add(struct mt_rong_storages *list, enum mt_rong_storage_kind kind,
                          const char *host, int64_t order);
/* The topic that answers with the address of a file there: "qnUrl". */
const char *mt_rong_storage_topic(enum mt_rong_storage_kind kind);

/* How a file is sent to a storage with the token that the cloud gave. */
struct mt_rong_post {
    struct mt_http_request request;
    struct mt_http_file file;
    char url[MT_RONG_ADDRESS_MAX + 512];
    char headers[6][1024];
    const char *list[7];
    int64_t head_len;
};
/* head and tail are filled, and live until the request was started; *signature, which may stay
 * NULL, is to be freed when it has ended. PROTOCOL "upload.answer": what the cloud gave cannot be
 * put into a request. */
enum mt_rc mt_rong_post_pack(const struct mt_rong_storage *storage,
                             const Rongcloud__GetQNupTokenOutput *token, const char *key,
                             const struct mt_source *source, struct mt_buf *head,
                             struct mt_buf *tail, struct mt_secret **signature,
                             struct mt_rong_post *out, struct mt_fault *fault) MT_CHECKED;

/* The address of an attachment as it is asked: only where the account's cloud keeps files, or its
 * configuration permits. Plain http only on this machine; elsewhere https takes its place. DENIED
 * "download.foreign". */
enum mt_rc mt_rong_media_url(const struct mt_provider_account *account, const char *url,
                             char out[MT_RONG_URL_MAX], struct mt_fault *fault) MT_CHECKED;
/* The cloud itself has said that it keeps a file there. */
void mt_rong_media_learn(struct mt_provider_account *account, const char *url);
enum mt_rc mt_rong_media_hosts_set(struct mt_provider_account *account, const char *const *hosts,
                                   struct mt_fault *fault) MT_CHECKED;
void mt_rong_media_hosts_free(struct mt_provider_account *account);

/* A call that also makes HTTP requests, one thing at a time. */
struct mt_rong_file_call {
    struct mt_rong_call base; /* first */
    struct mt_http_call *http;
    void (*came)(struct mt_provider_call *call, enum mt_rc rc,
                 const struct mt_http_response *response, const struct mt_fault *fault);
};
void mt_rong_http(struct mt_provider_call *life, const struct mt_http_request *request);

enum mt_rc mt_rong_upload(struct mt_provider_account *account,
                          const struct mt_conversation_ref *conversation,
                          const struct mt_upload *what, struct mt_arena *arena,
                          struct mt_value *attachment, mt_progress_fn *progress, mt_done_fn *done,
                          void *ud, struct mt_provider_call **out);
enum mt_rc mt_rong_download(struct mt_provider_account *account, const struct mt_download *what,
                            mt_progress_fn *progress, mt_downloaded_fn *done, void *ud,
                            struct mt_provider_call **out);
enum mt_rc mt_rong_combine(struct mt_provider_account *account,
                           const struct mt_message *const *messages, size_t n, struct mt_buf *out,
                           int *level, struct mt_fault *fault);

#endif
