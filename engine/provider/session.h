/* What the live sessions of all clouds have in common. For the rooms of the clouds alone. */
#ifndef MT_PROVIDER_SESSION_H
#define MT_PROVIDER_SESSION_H

#include "provider/live.h"

/* How long to rest before the next attempt: full jitter up to a bound that doubles from one second
 * to one minute, so that thousands of sessions that were cut at once do not come back at once. */
int64_t mt_session_rest_ms(unsigned attempts);

/* A batch of one event that tells of the session itself, in an arena that is made for it. data may
 * be NULL, holds numbers and booleans only, and is copied; so is fault, which may be NULL. */
enum mt_rc mt_session_event(enum mt_event_type type, const struct mt_value *data,
                            const struct mt_fault *fault, struct mt_event_batch *out,
                            struct mt_arena **arena) MT_CHECKED;

#endif
