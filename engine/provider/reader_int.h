/* The reader's parts: segments of the conversation's time, the pages that wait, the plan.
 *
 * A read is a list of segments in order of time. Sequential reading is one segment without an end.
 * In parallel the rest of the conversation, once its newest time is known, is cut into half-open
 * windows [lo, hi): a message belongs to the window that its time lies in, so that no window sees
 * another's messages and each millisecond is read by one of them in the cloud's order. A part that
 * nobody reads yet is one unstarted segment; its beginning is cut off as a window whenever a slice
 * is free, as wide as the density seen lately says. A window that turns out much larger than
 * planned gives its rest back. The last segment, the tail, goes on after the last message until the
 * cloud says that there is no more, exactly as a sequential read ends. */
#ifndef MT_PROVIDER_READER_INT_H
#define MT_PROVIDER_READER_INT_H

#include "provider/reader.h"

#define MT_READER_CURSOR_MAX MT_CURSOR_MAX

/* Tried on even, bursty and real conversations: wider windows need fewer requests, narrower ones
 * keep more slices busy. */
#define MT_READER_TARGET_PAGES 8  /* a window's planned size */
#define MT_READER_SPLIT_PAGES  10 /* a rest estimated larger than this is given back */
#define MT_READER_GROWTH       16 /* from an empty window to the next, at most */

/* Empty pages in a row that are not the last: of a plain read, of one bounded in time, of one that
 * asks for a sender or kinds (a rare sender in a large group may leave very many pages empty). */
#define MT_READER_EMPTY_MAX    3
#define MT_READER_BOUNDED_MAX  100
#define MT_READER_FILTERED_MAX 100000
#define MT_READER_ARENA_MAX    ((size_t)48 * 1024 * 1024)

struct mt_arena;
struct mt_reader_segment;

struct mt_reader_page {
    struct mt_reader_page *next;
    struct mt_arena *arena;
    const struct mt_message *items;
    size_t n;
    size_t bytes;
};

struct mt_reader_budget {
    unsigned refs;
    size_t max_bytes;
    size_t buffered_bytes; /* of pages that wait */
    size_t page_bytes;     /* what a page takes, lately */
    unsigned flying;       /* requests on their way */
    struct mt_reader_page *pool;
    size_t pool_n;
};

/* One request on its way. */
struct mt_reader_flight {
    struct mt_reader_flight *next;
    struct mt_reader *reader;
    struct mt_reader_segment *segment; /* NULL: the probe, or nobody waits any more */
    struct mt_provider_call *call;
    struct mt_reader_page *page;
    bool probe;
};

struct mt_reader_segment {
    struct mt_reader_segment *next;
    int64_t lo, hi; /* hi INT64_MAX: as far as the query goes */
    bool started, done, failed, tail;
    bool bounded; /* by the plan, not only by the query */
    struct mt_reader_flight *flight;
    struct mt_reader_page *first, *last; /* read, waiting for their turn */
    size_t queued;
    char cursor[MT_READER_CURSOR_MAX]; /* "" none */
    char mark[MT_READER_CURSOR_MAX];   /* an earlier cursor, to find circles */
    bool has_last;
    int64_t last_time;
    char last_id[MT_ID_MAX];           /* "" if the last entry told none */
    char first_id[MT_ID_MAX];          /* of the last page */
    char resume[MT_READER_CURSOR_MAX]; /* after the last entry that has a cursor */
    double page_span_ms;               /* of the last page, scaled to a full one */
    uint64_t messages;
    unsigned pages, empty;
    struct mt_fault fault;
};

struct mt_reader {
    unsigned refs;
    struct mt_loop *loop;
    const struct mt_provider *provider;
    struct mt_provider_account *account;
    struct mt_history_query query;
    struct mt_arena *strings;
    unsigned parallel;
    struct mt_reader_budget *budget;
    void (*page)(void *ud, const struct mt_message *items, size_t n);
    void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault);
    void *ud;

    struct mt_reader_segment *segments;
    struct mt_reader_flight *flights;
    unsigned flying;
    struct mt_reader_page *held; /* delivered, not yet continued */
    uint64_t requests;
    bool delivered;
    int64_t delivered_time;
    char delivered_id[MT_ID_MAX];
    char delivered_cursor[MT_READER_CURSOR_MAX]; /* "": none yet */

    bool probed;  /* the newest time was asked for */
    bool planned; /* the rest is cut into windows */
    int64_t end;  /* one after the newest time; 0 not known */
    double ms_per_page;

    bool pumping, ended, freed;
};

/* reader_page.c */
struct mt_reader_page *
mt_reader_page_take(struct mt_reader *reader); /* NULL when memory is short */
void mt_reader_page_give(struct mt_reader *reader, struct mt_reader_page *page);
void mt_reader_segment_free(struct mt_reader *reader, struct mt_reader_segment *segment);
/* The list from there on. */
void mt_reader_segments_free(struct mt_reader *reader, struct mt_reader_segment **at);
/* Nothing further is wanted: what is on its way comes back cancelled. */
void mt_reader_stop(struct mt_reader *reader);
void mt_reader_release(struct mt_reader *reader);

/* reader_ask.c: asks for what may be asked for; a failure stands in the segment. */
void mt_reader_schedule(struct mt_reader *reader);
void mt_reader_send(struct mt_reader *reader, struct mt_reader_segment *segment);

/* reader.c: sends what may be sent and delivers what may be delivered. */
void mt_reader_pump(struct mt_reader *reader);

/* reader_check.c: the page's items follow the segment's last one, in order; the cursor moves on.
 * Notes the new state in the segment. */
enum mt_rc mt_reader_check(const struct mt_reader *reader, struct mt_reader_segment *segment,
                           const struct mt_history_page *page, size_t n,
                           struct mt_fault *fault) MT_CHECKED;

/* reader_plan.c */
struct mt_reader_segment *mt_reader_segment_new(int64_t lo, int64_t hi);
/* A page came: learn the density, cut the rest into windows once its end is known, give back what
 * is too much. */
void mt_reader_plan_page(struct mt_reader *reader, struct mt_reader_segment *segment);
/* The window is read: learn from it. */
void mt_reader_plan_done(struct mt_reader *reader, const struct mt_reader_segment *segment);
/* Makes a window of the beginning of an unstarted segment. */
void mt_reader_plan_start(struct mt_reader *reader, struct mt_reader_segment *segment);

#endif
