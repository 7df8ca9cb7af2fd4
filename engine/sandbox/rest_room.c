/* Chat rooms over REST, where SDKs up to 4.1 enter and leave them. */
#include "sandbox/rest_int.h"

static void answer(struct mt_sb_call *call, const char *action)
{
    struct mt_jsonw *json = &call->json;

    mt_sb_reply_begin(call);
    mt_jsonw_key(json, "data");
    mt_jsonw_object(json);
    mt_jsonw_key(json, "result");
    mt_jsonw_bool(json, true);
    mt_jsonw_key(json, "action");
    mt_jsonw_str(json, action);
    mt_jsonw_key(json, "id");
    mt_jsonw_str(json, call->arg[0]);
    mt_jsonw_key(json, "user");
    mt_jsonw_str(json, call->user->name);
    mt_jsonw_object_end(json);
    mt_sb_reply_end(call);
}

/* A room that is not there is made, unless users are strict. */
void mt_sb_rest_room_enter(struct mt_sb_call *call)
{
    struct mt_sb_store *store = &call->sandbox->store;
    struct mt_sb_thread *thread = mt_sb_thread_group(store, call->arg[0]);

    if (thread == NULL && !call->sandbox->strict)
        thread = mt_sb_thread_group_make(store, call->arg[0], MT_SB_ROOM, call->user);
    if (thread == NULL || thread->chat != MT_SB_ROOM) {
        mt_sb_reply_error(call, 404, "resource_not_found", "grpID does not exist!");
        return;
    }
    struct mt_sb_view *view = mt_sb_view_make(store, call->user, thread);
    if (view == NULL) {
        mt_sb_reply_nomem(call);
        return;
    }
    view->member = true;
    answer(call, "apply");
}

void mt_sb_rest_room_leave(struct mt_sb_call *call)
{
    struct mt_sb_view *view =
        mt_sb_view_find(&call->sandbox->store, call->user, call->arg[0], true);

    if (view == NULL || view->thread->chat != MT_SB_ROOM) {
        mt_sb_reply_error(call, 404, "resource_not_found", "grpID does not exist!");
        return;
    }
    view->member = false;
    answer(call, "quit");
}
