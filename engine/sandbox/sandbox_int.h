/* Private to the sandbox. The running cloud: one object that the REST side, the MSYNC side and the
 * control endpoints share. */
#ifndef MT_SANDBOX_SANDBOX_INT_H
#define MT_SANDBOX_SANDBOX_INT_H

#include "base/buf.h"
#include "sandbox/faults_int.h"
#include "sandbox/sandbox.h"
#include "sandbox/store_int.h"
#include "sandbox/tokens_int.h"

#define MT_SB_ORG         "sandbox"
#define MT_SB_APP         "demo"
#define MT_SB_APPKEY      MT_SB_ORG "#" MT_SB_APP
#define MT_SB_APP_UUID    "a1b2c3d4-0000-11ee-8888-000000000000"
#define MT_SB_ANSWER_MAX  ((size_t)64 * 1024 * 1024)
#define MT_SB_REQUEST_MAX ((size_t)16 * 1024 * 1024)

struct mt_loop;
struct mt_timer;
struct mt_ws_server;
struct mt_sb_record;
struct mt_sb_files;
struct mt_sr_cloud;
struct mt_sr_hooks;

/* A refusal that the sandbox was told to give. */
struct mt_sb_order {
    uint32_t user; /* index */
    uint32_t code;
    uint64_t n; /* so many are left */
    char reason[256];
};

/* A deletion that was answered, and is not done yet. */
struct mt_sb_postponed {
    struct mt_sb_postponed *next;
    struct mt_sb_view *view;
    uint64_t left; /* requests until it is done */
    size_t n;
    uint64_t ids[];
};

struct mt_sandbox {
    struct mt_loop *loop;
    struct mt_ws_server *server;
    struct mt_ws_server *storage; /* where attachments really lie, with the fault storage */
    char *storage_base;
    struct mt_timer *beat;
    uint16_t port;
    bool strict;
    char *host;
    char *base; /* "http://127.0.0.1:P" */
    char *ready;
    struct mt_sb_user *owner;
    struct mt_sb_store store;
    struct mt_sb_tokens tokens;
    struct mt_sb_faults faults;
    struct mt_sb_record *record;
    struct mt_sb_files *files;
    struct mt_sr_cloud *rongcloud;
    struct mt_sb_session *sessions; /* all living ones */
    struct mt_sb_order *orders;
    size_t order_n;
    size_t order_cap;
    struct mt_sb_postponed *postponed;
    struct mt_sb_when *whens; /* what is to be changed when a request comes */
    struct mt_buf answer;     /* the body being written */
    uint64_t request_n;
    uint64_t page_n;
    uint64_t frame_n;
};

/* What RongCloud's side asks the sandbox (rongcloud.c). */
void mt_sb_rongcloud_hooks(struct mt_sandbox *sandbox, struct mt_sr_hooks *hooks);
/* Which clouds get the data; false: `clouds` names none. */
bool mt_sb_clouds(const char *clouds, bool *easemob, bool *rongcloud);

/* A request or frame for that path has come: what was ordered for it is done first (world.c). */
void mt_sb_when_asked(struct mt_sandbox *sandbox, const char *path);
void mt_sb_when_drop(struct mt_sandbox *sandbox);

/* The user a login or a token names; in strict mode only those that are registered. NULL: unknown
 * or no memory. */
struct mt_sb_user *mt_sb_admit(struct mt_sandbox *sandbox, const char *name);

enum mt_sb_auth { MT_SB_AUTH_GOOD, MT_SB_AUTH_BAD, MT_SB_AUTH_EXPIRED, MT_SB_AUTH_NO_USER };
/* Checks a token and counts it for expire_after; *user and *expires_ms are set when it is good. */
enum mt_sb_auth mt_sb_authorise(struct mt_sandbox *sandbox, const char *token,
                                struct mt_sb_user **user, int64_t *expires_ms);

#endif
