#include "sandbox/rongcloud/token_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "codec/hash.h"
#include "sandbox/rongcloud/cloud_int.h"

#include <string.h>

struct mt_sr_token {
    struct mt_sr_user *user;
    int64_t made_ms;
    int64_t ends_ms; /* 0: never */
};

enum mt_rc mt_sr_token_issue(struct mt_sr_cloud *cloud, struct mt_sr_user *user, int64_t ttl_ms,
                             char out[MT_SR_TOKEN_MAX])
{
    uint8_t random[32];
    if (mt_map_count(cloud->tokens.map) >= MT_SR_TOKENS_MAX)
        return MT_ERR_LIMIT;
    struct mt_sr_token *token = mt_mem_alloc(sizeof *token);
    if (token == NULL)
        return MT_ERR_NOMEM;
    mt_rand_bytes(random, sizeof random);
    mt_hex(random, sizeof random, out);
    int64_t now_ms = mt_clock_wall_ms();
    *token = (struct mt_sr_token){
        .user = user, .made_ms = now_ms, .ends_ms = ttl_ms == 0 ? 0 : now_ms + ttl_ms};
    enum mt_rc rc = mt_map_put(cloud->tokens.map, out, token);
    if (rc != MT_OK)
        mt_mem_free(token);
    return rc;
}

void mt_sr_token_expire(struct mt_sr_user *user, int64_t until_ms)
{
    if (until_ms > user->tokens_before_ms)
        user->tokens_before_ms = until_ms;
}

static enum mt_sr_admission ready_made(struct mt_sr_cloud *cloud, const char *name,
                                       struct mt_sr_user **user)
{
    if (!mt_sr_id_fits(name) || !cloud->hooks.admit(cloud->hooks.ud, name))
        return MT_SR_REFUSED_TOKEN;
    *user = mt_sr_user_make(&cloud->store, name);
    if (*user == NULL)
        return MT_SR_REFUSED_TOKEN;
    /* it is made anew by whoever says it, and over only while the server API says so */
    return (*user)->tokens_before_ms >= mt_clock_wall_ms() ? MT_SR_REFUSED_EXPIRED : MT_SR_ADMITTED;
}

enum mt_sr_admission mt_sr_token_check(struct mt_sr_cloud *cloud, const char *token,
                                       struct mt_sr_user **user)
{
    char own[MT_SR_TOKEN_MAX + MT_SR_ID_MAX];
    size_t len = strcspn(token, "@");
    *user = NULL;
    if (len == 0 || len >= sizeof own)
        return MT_SR_REFUSED_TOKEN;
    memcpy(own, token, len);
    own[len] = '\0';
    const struct mt_sr_token *known = mt_map_get(cloud->tokens.map, own);
    if (known == NULL) {
        if (!mt_str_starts(own, MT_SR_TOKEN_PREFIX))
            return MT_SR_REFUSED_TOKEN;
        return ready_made(cloud, own + strlen(MT_SR_TOKEN_PREFIX), user);
    }
    *user = known->user;
    bool over = known->ends_ms != 0 && known->ends_ms <= mt_clock_wall_ms();
    return over || known->made_ms <= known->user->tokens_before_ms ? MT_SR_REFUSED_EXPIRED
                                                                   : MT_SR_ADMITTED;
}
