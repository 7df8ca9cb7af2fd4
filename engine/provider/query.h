/* Queries that outlive the call that brought them. */
#ifndef MT_PROVIDER_QUERY_H
#define MT_PROVIDER_QUERY_H

#include "provider/provider.h"

struct mt_arena;

/* Copies what the pointers of a query lead to into the arena; its arena member stays as it is. An
 * empty cursor and an empty list of kinds become NULL. */
enum mt_rc mt_history_query_copy(const struct mt_history_query *from, struct mt_arena *arena,
                                 struct mt_history_query *out) MT_CHECKED;
/* Whether a message is of one of the query's kinds; what is no message always is. */
bool mt_history_query_kind(const struct mt_history_query *query, const struct mt_message *m);

#endif
