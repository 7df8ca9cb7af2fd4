#include "sandbox/tokens_int.h"

#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "codec/hash.h"

#include <string.h>

/* How long a ready-made token says that it lasts. */
#define PLAIN_LIFE_MS ((int64_t)60 * 24 * 60 * 60 * 1000)

struct mt_sb_token {
    struct mt_sb_user *user;
    uint64_t serial;
    int64_t expires_ms;
};

enum mt_rc mt_sb_tokens_init(struct mt_sb_tokens *tokens)
{
    *tokens = (struct mt_sb_tokens){.map = mt_map_new()};
    return tokens->map == NULL ? MT_ERR_NOMEM : MT_OK;
}

void mt_sb_tokens_deinit(struct mt_sb_tokens *tokens)
{
    mt_map_free(tokens->map, mt_mem_free);
    *tokens = (struct mt_sb_tokens){0};
}

enum mt_rc mt_sb_tokens_issue(struct mt_sb_tokens *tokens, struct mt_sb_user *user,
                              int64_t expires_ms, char *out)
{
    uint8_t random[32];
    if (mt_map_count(tokens->map) >= MT_SB_TOKENS_MAX)
        return MT_ERR_LIMIT;
    struct mt_sb_token *token = mt_mem_alloc(sizeof *token);
    if (token == NULL)
        return MT_ERR_NOMEM;
    mt_rand_bytes(random, sizeof random);
    memcpy(out, "YWMt", 5); /* as the real ones begin */
    mt_hex(random, sizeof random, out + 4);
    *token =
        (struct mt_sb_token){.user = user, .serial = ++tokens->serial, .expires_ms = expires_ms};
    if (mt_map_put(tokens->map, out, token) != MT_OK) {
        mt_mem_free(token);
        return MT_ERR_NOMEM;
    }
    return MT_OK;
}

void mt_sb_tokens_check(const struct mt_sb_tokens *tokens, const char *token, int64_t now_ms,
                        struct mt_sb_token_check *check)
{
    *check = (struct mt_sb_token_check){.state = MT_SB_TOKEN_UNKNOWN};
    const struct mt_sb_token *known = mt_map_get(tokens->map, token);
    if (known != NULL) {
        bool over = known->expires_ms <= now_ms || known->serial <= tokens->cutoff;
        check->state = over ? MT_SB_TOKEN_EXPIRED : MT_SB_TOKEN_GOOD;
        check->user = known->user;
        check->app = known->user == NULL;
        check->expires_ms = known->expires_ms;
        return;
    }
    if (!mt_str_starts(token, MT_SB_TOKEN_PREFIX) || token[strlen(MT_SB_TOKEN_PREFIX)] == '\0') {
        mt_sb_dynamic_check(token, now_ms, check);
        return;
    }
    check->state = tokens->plain_expired ? MT_SB_TOKEN_EXPIRED : MT_SB_TOKEN_GOOD;
    check->plain_user = token + strlen(MT_SB_TOKEN_PREFIX);
    check->expires_ms = now_ms + PLAIN_LIFE_MS;
}

void mt_sb_tokens_expire_all(struct mt_sb_tokens *tokens)
{
    tokens->cutoff = tokens->serial;
    tokens->plain_expired = true;
}
