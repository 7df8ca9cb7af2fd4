/* Attachments: into the cloud, out of it, and the file of a combined message (easemob.md §3.3,
 * §4.9). */
#ifndef MT_EASEMOB_FILES_INT_H
#define MT_EASEMOB_FILES_INT_H

#include "provider/live.h"

#define MT_EM_PART_BYTES   ((int64_t)5 * 1024 * 1024)
#define MT_EM_PARTS_AT     (MT_EM_PART_BYTES * 3 / 2) /* larger files go in parts, as the SDK's do */
#define MT_EM_PARALLEL     4
#define MT_EM_FILE_MS      ((int64_t)3600 * 1000) /* a slow line is given up by its speed */
#define MT_EM_COMBINE_N    300
#define MT_EM_COMBINE_DEEP 10

/* Numbers of the SDK's error types (easemob.md §4.9, easemob-service.md §4.3). */
#define MT_EM_TYPE_UPLOAD    101
#define MT_EM_TYPE_DOWNLOAD  200
#define MT_EM_TYPE_FORBIDDEN 222
#define MT_EM_TYPE_EXPIRED   223

enum mt_rc mt_em_upload(struct mt_provider_account *account,
                        const struct mt_conversation_ref *conversation,
                        const struct mt_upload *what, struct mt_arena *arena,
                        struct mt_value *attachment, mt_progress_fn *progress, mt_done_fn *done,
                        void *ud, struct mt_provider_call **out);
enum mt_rc mt_em_download(struct mt_provider_account *account, const struct mt_download *what,
                          mt_progress_fn *progress, mt_downloaded_fn *done, void *ud,
                          struct mt_provider_call **out);
enum mt_rc mt_em_combine(struct mt_provider_account *account,
                         const struct mt_message *const *messages, size_t n, struct mt_buf *out,
                         int *level, struct mt_fault *fault);

/* The path of an attachment on the account's own host, without query: what stands behind the host
 * of remote_path, if it is /ORG/APP/chatfiles/ID. False: it lies somewhere else. */
bool mt_em_file_path(const char *remote_path, char *out, size_t size);

#endif
