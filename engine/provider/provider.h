/* The interface that every cloud fills. Asynchronous: a verb returns at once, done is called
 * exactly once later on the loop thread (never before the verb returned). Results given to done
 * live until done returns. */
#ifndef MT_PROVIDER_PROVIDER_H
#define MT_PROVIDER_PROVIDER_H

#include "model/message.h"
#include "provider/capability.h"

struct mt_arena;
struct mt_loop;
struct mt_http;
struct mt_secret;
struct mt_provider_account;
struct mt_provider_app;
struct mt_provider_call;
struct mt_provider_live;
struct mt_ws_client;

/* What the configuration says of an app whose own credentials are at hand: from them come the
 * tokens of its users. Everything is copied by app_open. */
struct mt_app_config {
    const char *name;     /* "acme" */
    const char *provider; /* "easemob" */
    const char *appkey;
    const char *client_id;          /* NULL: the cloud has none */
    const struct mt_secret *secret; /* the client secret, or the app secret */
    const char *tokens;     /* how a token is made, one of the provider's own ways; NULL: its
                               default */
    bool create_users;      /* who is not there yet is made */
    const char *const *api; /* NULL-terminated base URLs of the server API; NULL: the provider's own
                             */
    const char *area;       /* the data centre, by the provider's own name; NULL: its default */
    double rate_per_s;      /* as of an account */
    int64_t timeout_ms;
};

/* What the configuration says of an account. Strings are copied by open. A token that is given is
 * used first; what fetches and renews one is the password, else the app. */
struct mt_account_config {
    const char *name;     /* "support" */
    const char *provider; /* "easemob" */
    const char *appkey;
    const char *user;
    const struct mt_secret *token; /* may be NULL, as the next two: one of the three is there */
    const struct mt_secret *password;
    struct mt_provider_app *app;    /* NULL, or the opened app that the user belongs to */
    const char *rest;               /* NULL: service discovery */
    const char *websocket;          /* NULL: service discovery */
    const char *const *discovery;   /* NULL-terminated base URLs asked for service discovery; NULL:
                                       the provider's own */
    const char *const *navigators;  /* NULL-terminated: where to ask for the cloud's servers, for
                                       clouds that have navigation; NULL: the provider's own */
    const char *const *media_hosts; /* NULL-terminated: where attachments may be fetched although
                                       the cloud does not name the host; "*.host" with all below */
    double rate_per_s;  /* < 0: the provider's default; 0: none until the cloud states one */
    int64_t timeout_ms; /* one answer may take so long, and with its retries twice that; 0: the HTTP
                           client's default, 60 s */
    /* Of live accounts. */
    const char
        *device;  /* a stable name of this client among the user's devices; NULL: "moontide" */
    int platform; /* the custom platform number that it has of its own, so that logging in
                     kicks nobody: 1 to 100; 0: 77 */
    bool delivery_receipts; /* tell the senders of single chats that their messages arrived */
    /* Not the configuration's but the program's: its WebSocket client, asked for when a verb first
     * needs one although the account is not live. NULL: such verbs fail then. */
    enum mt_rc (*websockets)(void *ud, struct mt_ws_client **out, struct mt_fault *fault);
    void *websockets_ud;
};

struct mt_conversations_query {
    const char *form; /* NULL: best the server offers; or the provider's own name of a form ("list",
                         "page", "old") */
    const char *cursor; /* NULL or "": from the start */
    int limit;          /* 0: the form's largest page */
    bool pinned_only;
    bool with_empty;   /* also conversations whose messages have all expired */
    int mark;          /* -1: any; else only those with this mark */
    bool oldest_first; /* from the other end; where the cloud has it (conversations.order) */
    int64_t start_ms;  /* likewise: only those whose latest message is older (oldest_first: newer);
                          0:  all */
    bool fresh;        /* asks the cloud even where events keep the list up to date */
    const struct mt_conversation_ref *only; /* only these, also such as stand in no list where the
                                               cloud says something of them; NULL: all */
    size_t only_n;
};

struct mt_conversations_page {
    const struct mt_conversation *items;
    size_t n;
    const char *cursor; /* for the next page; NULL at the end */
    const char *form;   /* the form that answered */
    bool truncated; /* the server stops at its own limit here and may have more: never pass off as
                       complete */
    const char *warning; /* NULL, or why */
};

#define MT_CURSOR_MAX 128 /* the longest cursor of a history, with NUL */

struct mt_history_query {
    struct mt_conversation_ref conversation;
    const char *cursor; /* NULL: from the newest (or oldest) end */
    int limit;          /* 1…50; 0: 50 */
    bool oldest_first;
    int64_t since_ms;         /* 0: no bound; inclusive */
    int64_t until_ms;         /* 0: no bound; exclusive */
    const char *from;         /* NULL, or only this sender (groups) */
    const char *const *kinds; /* NULL-terminated mt kinds; NULL: all */
    struct mt_arena *arena;   /* NULL, or where the page's items are put: they then live as long as
                               * its content. It is   the provider's alone from the call to done */
};

struct mt_history_page {
    const struct mt_message *items; /* in the order asked for; all types, receipts included */
    size_t n;
    const char *cursor; /* NULL at the end */
    bool is_last;
    size_t skipped; /* entries that are no messages; undecodable ones are kept as kind OTHER, not
                       skipped */
    size_t dropped; /* entries outside the query (time, sender, kind) that the cloud sent and the
                       provider took out */
    bool bounds_ignored; /* some of them lie so far out that the cloud does not bound by time at all
                          */
};

/* A step of the doctor. */
struct mt_check {
    const char *name;   /* "service discovery", "token", "history" */
    const char *result; /* "ok", "failed", "off", "skipped" */
    char detail[MT_FAULT_MESSAGE_MAX];
};

struct mt_provider {
    const char *name;
    const struct mt_provider_live *live; /* what it can do beyond reading (live.h); NULL: nothing */

    /* Credentials of an app, shared by the accounts that are opened with them. NULL: the cloud has
     * no such thing. Nothing is asked of the cloud yet. */
    enum mt_rc (*app_open)(struct mt_loop *loop, struct mt_http *http,
                           const struct mt_app_config *config, struct mt_provider_app **out,
                           struct mt_fault *fault);
    /* Accounts that were opened with it go on; it ends with the last of them. */
    void (*app_close)(struct mt_provider_app *app);

    enum mt_rc (*open)(struct mt_loop *loop, struct mt_http *http,
                       const struct mt_account_config *config, struct mt_provider_account **out,
                       struct mt_fault *fault);
    /* Calls in progress end with MT_ERR_CANCELLED before close returns. */
    void (*close)(struct mt_provider_account *account);

    /* Discovery and token, if not done yet; every verb does it itself when first needed. */
    enum mt_rc (*login)(struct mt_provider_account *account,
                        void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault),
                        void *ud, struct mt_provider_call **out);
    enum mt_rc (*conversations)(struct mt_provider_account *account,
                                const struct mt_conversations_query *query,
                                void (*done)(void *ud, enum mt_rc rc,
                                             const struct mt_conversations_page *page,
                                             const struct mt_fault *fault),
                                void *ud, struct mt_provider_call **out);
    enum mt_rc (*history)(struct mt_provider_account *account, const struct mt_history_query *query,
                          void (*done)(void *ud, enum mt_rc rc, const struct mt_history_page *page,
                                       const struct mt_fault *fault),
                          void *ud, struct mt_provider_call **out);
    /* each(ud, check) for every step as it ends, then done. */
    enum mt_rc (*doctor)(struct mt_provider_account *account,
                         void (*each)(void *ud, const struct mt_check *check),
                         void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault),
                         void *ud, struct mt_provider_call **out);
    /* The cursor that reads on, oldest first, after a message; false: it has none, as a message
     * without an id. */
    bool (*cursor_after)(const struct mt_provider_account *account, const struct mt_message *m,
                         char out[MT_CURSOR_MAX]);
    void (*cancel)(
        struct mt_provider_call *call); /* done follows with MT_ERR_CANCELLED; not after done */

    /* The user as the cloud knows it (folded), and the app key. */
    const char *(*user)(const struct mt_provider_account *account);
    const char *(*appkey)(const struct mt_provider_account *account);
    /* Folds and checks a conversation address by the cloud's rules; *changed when case was folded.
     */
    enum mt_rc (*normalise)(const struct mt_provider_account *account,
                            struct mt_conversation_ref *ref, bool *changed, struct mt_fault *fault);
    /* What the cloud can do, as far as it is known by now: what navigation or login announce
     * changes the answer. Each verb says MT_ERR_UNSUPPORTED for what is NO here. */
    struct mt_can_answer (*can)(const struct mt_provider_account *account,
                                enum mt_capability capability);
    /* A message's fields from the bytes kept as raw, as the archive needs when it reads back. */
    enum mt_rc (*decode)(const struct mt_provider_account *account, const void *raw, size_t len,
                         struct mt_arena *arena, struct mt_message *out);
    /* By how many milliseconds this machine's clock is ahead of the cloud's now, from the last time
     * that the cloud said; *known false: it has said none yet. Asks nothing. */
    int64_t (*clock_off_ms)(const struct mt_provider_account *account, bool *known);
};

/* NULL if there is no such provider; names: the list for an error text ("easemob,
 * rongcloud"). */
const struct mt_provider *mt_provider_find(const char *name);
const char *mt_provider_names(void);

#endif
