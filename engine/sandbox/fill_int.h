/* Private to the sandbox. Data that is there from the start: files given with --load, and made-up
 * chats. Both are streams in the order of time, merged, so that ids ascend with time over the whole
 * app. */
#ifndef MT_SANDBOX_FILL_INT_H
#define MT_SANDBOX_FILL_INT_H

#include "base/rc.h"
#include "sandbox/store_int.h"

#include <stddef.h>
#include <stdint.h>

struct mt_sr_cloud;

struct mt_sb_fill {
    struct mt_sb_store *store;
    struct mt_sr_cloud *rongcloud; /* gets the same; NULL: it does not */
    bool elsewhere;                /* the messages go to that one alone */
    struct mt_sb_user *owner;
    const char *const *load; /* NULL-terminated file names; may be NULL */
    uint64_t generate_n;
    uint64_t seed;
    int64_t now_ms;
    int64_t span_ms;        /* how far back generated data goes */
    const char *files_base; /* "http://…/chatfiles/", for the attachments of generated messages */
};

enum mt_rc mt_sb_fill_run(const struct mt_sb_fill *fill, struct mt_fault *fault) MT_CHECKED;

/* --- the streams --- */
struct mt_sb_load;
enum mt_rc mt_sb_load_new(const struct mt_sb_fill *fill, struct mt_sb_load **out,
                          struct mt_fault *fault) MT_CHECKED;
void mt_sb_load_free(struct mt_sb_load *load);
int64_t mt_sb_load_next_ms(const struct mt_sb_load *load); /* INT64_MAX at the end */
enum mt_rc mt_sb_load_emit(struct mt_sb_load *load) MT_CHECKED;

struct mt_sb_generate;
enum mt_rc mt_sb_generate_new(const struct mt_sb_fill *fill,
                              struct mt_sb_generate **out) MT_CHECKED;
void mt_sb_generate_free(struct mt_sb_generate *generate);
int64_t mt_sb_generate_next_ms(const struct mt_sb_generate *generate);
enum mt_rc mt_sb_generate_emit(struct mt_sb_generate *generate) MT_CHECKED;

/* Appends one message of the past. Content is the encoded MessageBody.Content, ext the encoded ext
 * fields. Whoever wrote had read what was there before: nothing older stays unread for him. */
struct mt_sb_past {
    struct mt_sb_thread *thread;
    struct mt_sb_user *from;
    int64_t ts_ms;
    enum mt_sb_kind kind;
    bool wants_ack;
    const void *content;
    size_t content_len;
    const void *ext; /* encoded KeyValue fields with tag 5; may be NULL */
    size_t ext_len;
    char *id; /* not NULL: it may come between what is there already, and its id is written */
};
#define MT_SB_PAST_ID_MAX 24
enum mt_rc mt_sb_fill_append(const struct mt_sb_fill *fill,
                             const struct mt_sb_past *past) MT_CHECKED;
/* The same message into RongCloud's side, as its kinds and words are; and who is in which group
 * (fill_rongcloud.c). */
enum mt_rc mt_sb_fill_mirror(const struct mt_sb_fill *fill,
                             const struct mt_sb_past *past) MT_CHECKED;
enum mt_rc mt_sb_fill_mirror_groups(const struct mt_sb_fill *fill) MT_CHECKED;

#endif
