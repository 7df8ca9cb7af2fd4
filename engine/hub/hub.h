/* The hub: several scripts at the one live session of an account. Each has a seat; every batch of
 * events goes to every seat that listens, and the cloud is told that a batch was received when the
 * last of them is done with it. */
#ifndef MT_HUB_HUB_H
#define MT_HUB_HUB_H

#include "provider/live.h"

struct mt_account_counting;
struct mt_loop;
struct mt_hub;
struct mt_seat;

/* How long the others at a session wait for a script that is not there. */
#define MT_HUB_HOLD_MS 30000

/* state_dir tells where it is remembered until when the events of each account were dealt with.
 * NULL: memory is short. */
struct mt_hub *mt_hub_new(struct mt_loop *loop, void (*state_dir)(void *ud, char *out, size_t cap),
                          void *ud);
/* Where sessions and their events are counted; before the first sits down. Outlives the hub. */
void mt_hub_count(struct mt_hub *hub, const struct mt_account_counting *counting);
/* Batches of events that scripts have not dealt with, of all accounts. */
size_t mt_hub_waiting(const struct mt_hub *hub);
/* Ends every session; seats must not be used any more. */
void mt_hub_free(struct mt_hub *hub);

/* Takes a seat, and starts the session if it is the first. name: whose seat it is (a job's name):
 * the one that was left with keep is taken again, with the batches that were not done. NULL: a seat
 * of its own. Handlers as of the session; batches come only after mt_seat_listen. Faults: those of
 * mt_provider_live.start; the session's own fault if it has ended. */
enum mt_rc mt_hub_sit(struct mt_hub *hub, const char *name, const struct mt_provider *provider,
                      struct mt_provider_account *account, const struct mt_live_options *options,
                      const struct mt_live_handlers *handlers, void *ud, struct mt_seat **out,
                      struct mt_fault *fault) MT_CHECKED;
/* From now on batches are handed to this seat, first those that it had not done before, and those
 * that nobody has taken yet. */
void mt_seat_listen(struct mt_seat *seat);
/* The newest messages that an earlier process dealt with; their number. */
size_t mt_seat_known(const struct mt_seat *seat, const char *const **ids);
/* A message that came from history was dealt with. */
void mt_seat_handled(struct mt_seat *seat, const char *id);
/* The batch was dealt with by this seat, and must not be looked at any more. */
void mt_seat_done(struct mt_seat *seat, struct mt_event_batch *batch);
/* Leaves; no handler is called any more. keep: whoever comes next under the same name is handed
 * what was not done; the session goes on meanwhile. The other seats wait MT_HUB_HOLD_MS for it.
 * Otherwise the last one to leave ends the session, and what was not done comes again with the
 * next. */
void mt_seat_leave(struct mt_seat *seat, bool keep);

/* Nobody will come under this name any more; account NULL: at any account. */
void mt_hub_forget(struct mt_hub *hub, const char *name, const struct mt_provider_account *account);
/* Whether a session has ended for good at which this name has a seat. */
bool mt_hub_lost(const struct mt_hub *hub, const char *name);
/* A session that has ended for good is remembered as long as a name has a seat at it, so that
 * nobody makes it again by starting anew. Now they are forgotten as soon as nobody sits there: who
 * comes next makes it again. */
void mt_hub_again(struct mt_hub *hub);

#endif
