/* Private to the RongCloud side. One call of the server API (rongcloud.md 7). */
#ifndef MT_SANDBOX_RONGCLOUD_API_INT_H
#define MT_SANDBOX_RONGCLOUD_API_INT_H

#include "codec/json.h"
#include "sandbox/rongcloud/cloud_int.h"

#define MT_SR_APP_SECRET "sandbox-app-secret" /* fixed, and documented: it is the sandbox's */

struct mt_sr_api_call {
    struct mt_sr_cloud *cloud;
    const char *path;
    const char *form; /* the body, NUL-terminated */
    size_t form_len;
    struct mt_ws_answer *answer;
    struct mt_jsonw json; /* of mt_sr_api_begin */
};

/* {"code":200, what the handler adds */
void mt_sr_api_begin(struct mt_sr_api_call *call);
void mt_sr_api_end(struct mt_sr_api_call *call);
/* {"code":…,"errorMessage":…} */
void mt_sr_api_refuse(struct mt_sr_api_call *call, int status, int64_t code, const char *text);
/* The n-th value of the form's key; false after a refusal, if it is not there or does not fit. */
bool mt_sr_api_need(struct mt_sr_api_call *call, const char *key, size_t nth, char *out,
                    size_t cap);
/* The user that the key names; NULL after a refusal. */
struct mt_sr_user *mt_sr_api_user(struct mt_sr_api_call *call, const char *key);
int64_t mt_sr_api_number(const struct mt_sr_api_call *call, const char *key, int64_t absent);

/* api_message.c */
void mt_sr_api_publish(struct mt_sr_api_call *call);
void mt_sr_api_recall(struct mt_sr_api_call *call);
void mt_sr_api_clean(struct mt_sr_api_call *call);
void mt_sr_api_query(struct mt_sr_api_call *call);

#endif
