/* A live account as a script sees it: batches that came and wait for the script. */
#ifndef MT_SCRIPT_LIVE_INT_H
#define MT_SCRIPT_LIVE_INT_H

#include "script/script_int.h"

#include "provider/live.h"

struct mt_lua_live;

/* Starts the session if it is not there. Raises what the provider says. */
MT_RAISES struct mt_lua_live *mt_lua_live_want(lua_State *L, const struct mt_provider *provider,
                                               struct mt_provider_account *account);
/* A message was sent: no news to a later session of this device. */
void mt_lua_live_sent(struct mt_script *script, const struct mt_provider_account *account,
                      const char *id);
/* Says goodbye on all sessions of a script that has ended. */
void mt_lua_live_stop_all(struct mt_script *script);
void mt_bind_live(lua_State *L);  /* adds to the table of the core on top of the stack */
void mt_bind_files(lua_State *L); /* likewise */

/* bind_message.c: valid as long as the userdata is; page: where it is from. */
MT_RAISES const struct mt_message *mt_lua_message_check(lua_State *L, int index,
                                                        struct mt_page **page);

/* bind_send.c: conversation:send and what refers to messages. */
int mt_lua_send(lua_State *L);
int mt_lua_reply(lua_State *L, const struct mt_page *page, const struct mt_message *m);
int mt_lua_mark_read(lua_State *L);
int mt_lua_room(lua_State *L);
int mt_lua_message_refer(lua_State *L, const struct mt_page *page, const struct mt_message *m,
                         enum mt_reference_type type);

/* bind_delete.c */
int mt_lua_delete_messages(lua_State *L);
int mt_lua_delete_conversation(lua_State *L);
int mt_lua_delete_everything(lua_State *L);

/* bind_holds.c */
int mt_lua_account_holds(lua_State *L);

/* bind_manage.c: pins, marks, readers. */
int mt_lua_pin(lua_State *L);
int mt_lua_mark(lua_State *L);
int mt_lua_set_notification(lua_State *L);
int mt_lua_message_readers(lua_State *L, const struct mt_page *page, const struct mt_message *m);

#endif
