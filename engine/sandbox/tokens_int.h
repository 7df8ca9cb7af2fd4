/* Private to the sandbox. Access tokens: opaque, bound to a user, with an end. */
#ifndef MT_SANDBOX_TOKENS_INT_H
#define MT_SANDBOX_TOKENS_INT_H

#include "base/map.h"
#include "base/rc.h"
#include "sandbox/store_int.h"

#include <stdint.h>

#define MT_SB_TOKENS_MAX    1000000
#define MT_SB_TOKEN_LEN     68
#define MT_SB_CLIENT_ID     "sandbox-client" /* of the app: no secret, but in the same place */
#define MT_SB_CLIENT_SECRET "sandbox-client-secret"
#define MT_SB_TOKEN_PREFIX  "sandbox-" /* "sandbox-USER" is accepted as USER without a login */

enum mt_sb_token_state { MT_SB_TOKEN_GOOD, MT_SB_TOKEN_UNKNOWN, MT_SB_TOKEN_EXPIRED };

struct mt_sb_tokens {
    struct mt_map *map; /* token → struct mt_sb_token */
    uint64_t serial;
    uint64_t cutoff;    /* tokens up to this serial have been expired at once */
    bool plain_expired; /* and the ready-made ones too */
};

enum mt_rc mt_sb_tokens_init(struct mt_sb_tokens *tokens) MT_CHECKED;
void mt_sb_tokens_deinit(struct mt_sb_tokens *tokens);
/* out: MT_SB_TOKEN_LEN + 1 bytes. user NULL: a token of the app. */
enum mt_rc mt_sb_tokens_issue(struct mt_sb_tokens *tokens, struct mt_sb_user *user,
                              int64_t expires_ms, char *out) MT_CHECKED;
/* Whose token it is, also when it has expired; *expires_ms is when it ends. A ready-made token
 * names the user in *plain_user and leaves *user NULL: whether that user may exist is for the
 * caller to say. */
struct mt_sb_token_check {
    enum mt_sb_token_state state;
    bool app; /* of the app: nobody's */
    struct mt_sb_user *user;
    const char *plain_user;
    int64_t expires_ms;
    char room[MT_SB_ID_MAX]; /* of plain_user, when the token says it in another form */
};
void mt_sb_tokens_check(const struct mt_sb_tokens *tokens, const char *token, int64_t now_ms,
                        struct mt_sb_token_check *check);
/* A token that was signed with the app's secret, for "dt-…"; UNKNOWN if it is none or is not signed
 * well (app_tokens.c). */
void mt_sb_dynamic_check(const char *token, int64_t now_ms, struct mt_sb_token_check *check);
/* Everything issued so far has expired. */
void mt_sb_tokens_expire_all(struct mt_sb_tokens *tokens);

#endif
