/* The conversation list in its three forms (easemob.md §4.1, §4.2), and what is remembered while
 * one is read page by page: which conversations were on earlier pages. */
#ifndef MT_EASEMOB_CONVERSATIONS_INT_H
#define MT_EASEMOB_CONVERSATIONS_INT_H

#include "provider/easemob/decode_int.h"
#include "provider/provider.h"

#define MT_EM_LIST_MAX     50 /* conversations a page of the cursor form */
#define MT_EM_PAGED_MAX    20 /* of the paged form */
#define MT_EM_OLD_STOP     10 /* where the old form stops unless the plan says more (seeds) */
#define MT_EM_CHANNELS_MAX 20000

struct mt_map;

enum mt_em_form { MT_EM_FORM_LIST, MT_EM_FORM_PAGE, MT_EM_FORM_OLD };

struct mt_em_channels {
    struct mt_conversation *items;
    size_t n;
    bool listed;        /* the answer had a list, be it an empty one */
    const char *cursor; /* list form only; NULL at the end */
};

/* The body of one answer; items lie in the arena. Faults: PROTOCOL "conversations.not_json",
 * "conversations.no_list", LIMIT "conversations.too_large", NOMEM. */
enum mt_rc mt_em_channels_parse(const struct mt_em_decoder *decoder, enum mt_em_form form,
                                const char *text, size_t len, struct mt_arena *arena,
                                struct mt_em_channels *out, struct mt_fault *fault) MT_CHECKED;

/* A list that is being read. Our cursor is "ID~" and the cloud's, so that two readers of one
 * account do not hide conversations from each other. */
struct mt_em_page_name;
struct mt_em_listing {
    struct mt_em_listing *next;
    unsigned refs;
    uint64_t id;
    bool form_known;
    enum mt_em_form form;
    struct mt_map *seen; /* conversation → page on which it first came */
    struct mt_em_page_name *pages;
    unsigned stale; /* pages in a row without anything new */
};

/* The listing that the cursor belongs to, and the cloud's part of it; a new listing for no cursor.
 * A cursor that we did not give is used as it is, without memory of earlier pages. NULL when memory
 * is short. */
struct mt_em_listing *mt_em_listing_of(struct mt_provider_account *account, const char *cursor,
                                       const char **theirs);
/* Takes out what an earlier page of the listing held. Faults: PROTOCOL "conversations.stuck" when
 * the cursor does not move on, "conversations.repeats" when pages bring nothing new. next is the
 * cloud's next cursor, NULL at the end; *cursor ours, in the arena. */
enum mt_rc mt_em_listing_page(struct mt_em_listing *listing, const char *asked, const char *next,
                              struct mt_em_channels *channels, struct mt_arena *arena,
                              const char **cursor, struct mt_fault *fault) MT_CHECKED;
size_t mt_em_listing_count(const struct mt_em_listing *listing); /* conversations so far */
void mt_em_listing_end(struct mt_provider_account *account, struct mt_em_listing *listing);
/* A call in progress holds its listing. */
void mt_em_listing_retain(struct mt_em_listing *listing);
void mt_em_listing_release(struct mt_em_listing *listing);
void mt_em_listings_free(struct mt_provider_account *account);

#endif
