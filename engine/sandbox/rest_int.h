/* Private to the sandbox. The REST side: one call at a time, answered at once into a reply. */
#ifndef MT_SANDBOX_REST_INT_H
#define MT_SANDBOX_REST_INT_H

#include "codec/json.h"
#include "sandbox/sandbox_int.h"
#include "ws/server.h"

#define MT_SB_SEGMENTS_MAX 12
#define MT_SB_PATH_MAX     1024

struct mt_sb_reply {
    int status;
    const char *content_type;
    const char *header; /* one further header; NULL: none */
    char header_room[192];
    const void *body; /* NULL: what is in sandbox->answer */
    size_t body_len;
    int64_t delay_ms;
    enum mt_ws_fault fault;
};

struct mt_sb_call {
    struct mt_sandbox *sandbox;
    const struct mt_ws_request *request;
    struct mt_sb_reply *reply;
    char path[MT_SB_PATH_MAX]; /* decoded, cut into segments */
    char *segment[MT_SB_SEGMENTS_MAX];
    size_t segment_n;
    const char *arg[4];      /* what stood at the ':' of the route */
    struct mt_sb_user *user; /* whose token it is; NULL on calls without one */
    bool foreign_case; /* the user id in the path is not in lower case: such an id sees nothing */
    int64_t now_ms;
    struct mt_sb_pick pick;
    struct mt_jsonw json; /* the envelope, opened by mt_sb_reply_begin */
};

/* Answers a request of the cloud's REST interface, or of the control interface. */
void mt_sb_rest_handle(struct mt_sandbox *sandbox, const struct mt_ws_request *request,
                       struct mt_sb_reply *reply);

/* --- replies (reply.c) --- */
/* Opens the usual envelope; the handler adds "data" or "entities" to call->json. */
void mt_sb_reply_begin(struct mt_sb_call *call);
void mt_sb_reply_end(struct mt_sb_call *call);
void mt_sb_reply_result(struct mt_sb_call *call, const char *result); /* data{result} */
void mt_sb_reply_error(struct mt_sb_call *call, int status, const char *error, const char *text);
void mt_sb_reply_nomem(struct mt_sb_call *call);
void mt_sb_reply_too_many(struct mt_sb_call *call); /* 429 with the header that the faults say */
/* Replaces the whole answer, as the trouble asks; false: the call is to go on. */
bool mt_sb_reply_trouble(struct mt_sb_call *call);

/* --- queries (query.c) --- */
/* Decodes a query parameter into out; false if it is absent or too long. */
bool mt_sb_query(const struct mt_sb_call *call, const char *name, char *out, size_t cap);
uint64_t mt_sb_query_u64(const struct mt_sb_call *call, const char *name, uint64_t absent);
/* Undoes %XX in place; false on NUL or broken escapes. */
bool mt_sb_percent(char *text);
/* N of "mark_N", 0 to 19; false: it is none. */
bool mt_sb_mark_parse(const char *text, unsigned *mark);
/* The body as a JSON object, or NULL after a 400 was written. */
struct mt_json *mt_sb_body(struct mt_sb_call *call);

/* --- handlers --- */
void mt_sb_rest_token(struct mt_sb_call *call);
/* The answer to whoever gets a user's token. */
void mt_sb_write_token(struct mt_sb_call *call, const struct mt_sb_user *user, const char *token);
void mt_sb_app_token(struct mt_sb_call *call, const struct mt_json *body); /* app_tokens.c */
void mt_sb_app_inherit(struct mt_sb_call *call, const struct mt_json *body);
bool mt_sb_by_app(struct mt_sb_call *call); /* false after a 401: the bearer is not the app */
void mt_sb_rest_import_single(struct mt_sb_call *call);
void mt_sb_rest_import_group(struct mt_sb_call *call);
void mt_sb_rest_expires(struct mt_sb_call *call);
void mt_sb_rest_discovery(struct mt_sb_call *call);
void mt_sb_rest_list_old(struct mt_sb_call *call);
void mt_sb_rest_list_page(struct mt_sb_call *call);
void mt_sb_rest_list_cursor(struct mt_sb_call *call);
void mt_sb_rest_list_search(struct mt_sb_call *call);
void mt_sb_rest_pin(struct mt_sb_call *call);
void mt_sb_rest_unpin(struct mt_sb_call *call);
void mt_sb_rest_pin_message(struct mt_sb_call *call);
void mt_sb_rest_unpin_message(struct mt_sb_call *call);
void mt_sb_rest_mark(struct mt_sb_call *call);
void mt_sb_rest_unmark(struct mt_sb_call *call);
void mt_sb_rest_history(struct mt_sb_call *call);
void mt_sb_rest_delete_single(struct mt_sb_call *call);
void mt_sb_rest_delete_group(struct mt_sb_call *call);
void mt_sb_rest_delete_single_time(struct mt_sb_call *call);
void mt_sb_rest_delete_group_time(struct mt_sb_call *call);
void mt_sb_rest_delete_all(struct mt_sb_call *call);
void mt_sb_rest_delete_conversation(struct mt_sb_call *call);
void mt_sb_rest_acks(struct mt_sb_call *call);
void mt_sb_rest_group_create(struct mt_sb_call *call);
void mt_sb_rest_group_info(struct mt_sb_call *call);
void mt_sb_rest_group_add(struct mt_sb_call *call);
void mt_sb_rest_groups_joined(struct mt_sb_call *call);
void mt_sb_rest_groups_of(struct mt_sb_call *call);
void mt_sb_rest_groups_count(struct mt_sb_call *call);
void mt_sb_rest_room_enter(struct mt_sb_call *call);
void mt_sb_rest_room_leave(struct mt_sb_call *call);
void mt_sb_rest_contacts(struct mt_sb_call *call);
void mt_sb_rest_contacts_cursor(struct mt_sb_call *call);
void mt_sb_rest_blocks(struct mt_sb_call *call);
void mt_sb_rest_block(struct mt_sb_call *call);
void mt_sb_rest_unblock(struct mt_sb_call *call);
void mt_sb_rest_mute(struct mt_sb_call *call);
void mt_sb_rest_unmute(struct mt_sb_call *call);
void mt_sb_rest_group_remove(struct mt_sb_call *call);
void mt_sb_rest_refuse(struct mt_sb_call *call); /* only a sandbox has this one and the next */
void mt_sb_rest_tell(struct mt_sb_call *call);
void mt_sb_rest_metadata(struct mt_sb_call *call);
void mt_sb_rest_resources(struct mt_sb_call *call);
void mt_sb_rest_file_put(struct mt_sb_call *call);
void mt_sb_rest_file_get(struct mt_sb_call *call);
void mt_sb_rest_parts_begin(struct mt_sb_call *call);
void mt_sb_rest_parts_put(struct mt_sb_call *call);
void mt_sb_rest_parts_end(struct mt_sb_call *call);
void mt_sb_rest_parts_drop(struct mt_sb_call *call);
void mt_sb_rest_files_expire(struct mt_sb_call *call); /* the control interface */
void mt_sb_rest_rongcloud(struct mt_sb_call *call);
void mt_sb_rest_rongcloud_kick(struct mt_sb_call *call);
void mt_sb_rest_rongcloud_arrange(struct mt_sb_call *call);
void mt_sb_rest_control(struct mt_sb_call *call); /* /sandbox/faults, log, reset-log, stats */
void mt_sb_rest_sockjs_info(struct mt_sb_call *call);

void mt_sb_rest_view(struct mt_sb_call *call); /* world.c: what is there, changing it, and when */
void mt_sb_rest_change(struct mt_sb_call *call);
void mt_sb_rest_when(struct mt_sb_call *call);

/* Deletions that are done later than they are answered: one more request has come, or all now. */
void mt_sb_postponed_settle(struct mt_sandbox *sandbox, bool all);
void mt_sb_postponed_drop(struct mt_sandbox *sandbox);

/* --- told to the user's other devices (notices.c) --- */
/* ids were deleted; without ids, all up to that time. */
void mt_sb_notice_deleted(struct mt_sb_call *call, struct mt_sb_view *view, const uint64_t *ids,
                          size_t n, int64_t until_ms);
/* op: "del", "top", "not_top", "mark", "mark_delete"; ext may be NULL. */
void mt_sb_notice_changed(struct mt_sb_call *call, struct mt_sb_view *view, const char *op,
                          const char *ext);
/* A message was pinned or unpinned: everybody in the conversation hears. */
void mt_sb_notice_pinned(struct mt_sb_call *call, struct mt_sb_view *view, bool pinned,
                         const char *id);

/* --- pieces (payload.c) --- */
/* The "meta" object of the conversation lists: {} when there is no last message. */
enum mt_rc mt_sb_payload_write(const struct mt_sb_message *message,
                               struct mt_jsonw *json) MT_CHECKED;
const char *mt_sb_kind_name(enum mt_sb_kind kind);
/* Bits of "txt,img"; unknown names are passed over. */
uint32_t mt_sb_kinds_parse(const char *names);

#endif
