/* Private to the RongCloud side. User tokens: those that the server API gives out, and
 * "sandbox-USER", which is USER's without asking. What follows an '@' is not part of a token
 * (rongcloud.md 1.4). */
#ifndef MT_SANDBOX_RONGCLOUD_TOKEN_INT_H
#define MT_SANDBOX_RONGCLOUD_TOKEN_INT_H

#include "base/map.h"
#include "base/rc.h"

#include <stdint.h>

#define MT_SR_TOKENS_MAX   1000000
#define MT_SR_TOKEN_MAX    96 /* with NUL */
#define MT_SR_TOKEN_PREFIX "sandbox-"

struct mt_sr_cloud;
struct mt_sr_user;

struct mt_sr_tokens {
    struct mt_map *map; /* token without '@' → struct mt_sr_token */
};

/* What a token means, in the words of CONNACK (rongcloud.md 2.4). */
enum mt_sr_admission {
    MT_SR_ADMITTED = 0,
    MT_SR_REFUSED_TOKEN = 4,
    MT_SR_REFUSED_BLOCKED = 9,
    MT_SR_REFUSED_EXPIRED = 10,
};

/* Writes a new token for the user, without '@' and hosts. ttl_ms 0: it does not end. */
enum mt_rc mt_sr_token_issue(struct mt_sr_cloud *cloud, struct mt_sr_user *user, int64_t ttl_ms,
                             char out[MT_SR_TOKEN_MAX]) MT_CHECKED;
/* Tokens of the user that were made up to then are over: /user/token/expire.json. */
void mt_sr_token_expire(struct mt_sr_user *user, int64_t until_ms);
/* Whose token it is; makes the user of a "sandbox-USER" where that is allowed. */
enum mt_sr_admission mt_sr_token_check(struct mt_sr_cloud *cloud, const char *token,
                                       struct mt_sr_user **user);

#endif
