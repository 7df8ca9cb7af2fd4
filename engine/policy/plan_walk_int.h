/* One walk through a plan's file, front to back: lines become events, and everything that can be
 * checked is checked on the way. Private to the room. */
#ifndef MT_POLICY_PLAN_WALK_INT_H
#define MT_POLICY_PLAN_WALK_INT_H

#include "policy/plan_int.h"

struct mt_arena;
struct mt_json;
struct mt_map;

enum mt_plan_event {
    MT_PLAN_HEAD,
    MT_PLAN_BEGIN, /* of a conversation with items */
    MT_PLAN_ITEM,
    MT_PLAN_COUNTED, /* the end of a conversation: counts are in count, held in held */
    MT_PLAN_END,     /* all of it was right, and nothing follows */
};

/* Bytes from *at on, as many as there are and cap holds; 0 at the end. */
typedef enum mt_rc mt_plan_source_fn(void *ud, char *p, size_t cap, int64_t at, size_t *got,
                                     struct mt_fault *fault);

struct mt_plan_walk {
    mt_plan_source_fn *source;
    void *ud;
    struct mt_arena *strings; /* of items: the caller's, who empties it */
    struct mt_map *seen;      /* conversations, to see one that comes twice; NULL: not looked for */
    struct mt_buf block;
    size_t used; /* of the block */
    int64_t at;  /* in the file, of the block's end */
    uint64_t line_n;
    struct mt_sha256 *file, *scratch;
    struct mt_plan_head head; /* its strings live as long as head_json */
    struct mt_json *head_json;
    char conversation[MT_CONVERSATION_ID_MAX];
    bool inside; /* between BEGIN and COUNTED */
    bool ended;
    struct mt_plan_count running; /* of the items so far */
    struct mt_plan_count count;
    struct mt_buf held; /* len 0: none */
    struct mt_plan_sum sum;
    struct mt_plan_item item;
    char hash[MT_PLAN_HASH_MAX];
};

enum mt_rc mt_plan_walk_init(struct mt_plan_walk *walk, mt_plan_source_fn *source, void *ud,
                             struct mt_fault *fault) MT_CHECKED;
void mt_plan_walk_deinit(struct mt_plan_walk *walk);
void mt_plan_walk_rewind(struct mt_plan_walk *walk);
/* DAMAGED "plan.damaged" names the line. Not to be called after END. */
enum mt_rc mt_plan_walk_next(struct mt_plan_walk *walk, enum mt_plan_event *event,
                             struct mt_fault *fault) MT_CHECKED;

#endif
