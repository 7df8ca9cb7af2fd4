/* Which messages were read lately: this cloud names one by its id and its time, and a script that
 * kept the ids alone may give them back. Bounded: who was not seen for long is not found. */
#ifndef MT_RONGCLOUD_KEYS_INT_H
#define MT_RONGCLOUD_KEYS_INT_H

#include "model/message.h"

#define MT_RONG_KEYS_READ_MAX  65536 /* that a script has asked for */
#define MT_RONG_KEYS_HEARD_MAX 2048  /* that a live session has told of */

struct mt_provider_account;
struct mt_rong_keys;

/* NULL: memory is short. max is a power of two, at least 64. */
struct mt_rong_keys *mt_rong_keys_new(size_t max);
void mt_rong_keys_free(struct mt_rong_keys *keys);
void mt_rong_keys_note(struct mt_rong_keys *keys, const struct mt_message *m);
/* Sets time_ms and sent of a key of which only the id is known. */
bool mt_rong_keys_find(const struct mt_rong_keys *keys, struct mt_message_key *key);

/* Of the account: what a history or a list gave, and what came by itself. */
void mt_rong_note_read(struct mt_provider_account *account, const struct mt_message *m);
void mt_rong_note_heard(struct mt_provider_account *account, const struct mt_message *m);
/* Of provider/live.h. */
bool mt_rong_locate(const struct mt_provider_account *account, struct mt_message_key *message);

#endif
