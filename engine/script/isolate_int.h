/* A script in a process of its own: the link between the script's process (the child: Lua, and
 * nothing else) and this one (the parent: an ordinary script state, whose tasks make the calls that
 * the child asks for). Private. */
#ifndef MT_SCRIPT_ISOLATE_INT_H
#define MT_SCRIPT_ISOLATE_INT_H

#include "script/script_int.h"

#include "base/buf.h"

struct mt_poll;
struct mt_timer;

#define MT_WIRE_FRAME_MAX   ((size_t)24 << 20)
#define MT_WIRE_DEPTH_MAX   64
#define MT_WIRE_VALUES_MAX  200000u /* of one frame: so long nothing else is done */
#define MT_WIRE_AT_ONCE_MAX 1000    /* arguments or results */
#define MT_LINK_HANDLES_MAX 65536u
#define MT_LINK_CALLS_MAX   16384u

enum mt_frame_op {
    MT_FRAME_HELLO = 1, /* parent: the script */
    MT_FRAME_CALL,      /* a: the call, b: on behalf of which call of the other side */
    MT_FRAME_ANSWER,    /* a: the call */
    MT_FRAME_FAIL,      /* a: the call; one value, the error */
    MT_FRAME_ABORT,     /* a: the call: nobody waits for it any more */
    MT_FRAME_DROP,      /* a: a handle that the other side has forgotten */
    MT_FRAME_PRINT,     /* child: one value, the line */
    MT_FRAME_LOG,       /* child: a: the level; one value */
    MT_FRAME_BUSY,      /* child: a: 1, or 0: no task of it is left */
    MT_FRAME_PING,      /* parent */
    MT_FRAME_PONG,      /* child: enum mt_pong */
    MT_FRAME_FINISH,    /* parent: nothing is left here either */
    MT_FRAME_CANCEL,    /* parent: every task ends at its next wait */
    MT_FRAME_END,       /* child: a: status; no value, or the fault that ended it */
};

enum mt_pong {
    MT_PONG_RESTS, /* nothing runs until something comes */
    MT_PONG_RUNS,
    MT_PONG_BETWEEN, /* no answer: one task has run, and others wait for their turn */
};

/* In front of the values. */
struct mt_frame {
    uint8_t op;
    bool may_wait; /* of a call */
    uint32_t a, b;
    const uint8_t *values;
    size_t len;
};
#define MT_FRAME_HEAD 14 /* length, op, may_wait, a, b */

/* isolate_wire.c. A frame of what was received: its length in *whole, 0: there is more to come.
 * PROTOCOL "isolated.protocol". */
enum mt_rc mt_frame_parse(const uint8_t *p, size_t len, struct mt_frame *out, size_t *whole,
                          struct mt_fault *fault) MT_CHECKED;
/* What a value that has no copy is to the link: whose it is. */
struct mt_wire_handles {
    /* A function or an object at the index. Of the other side: its handle there, *theirs. */
    uint32_t (*of)(lua_State *L, int index, bool *theirs);
    /* Pushes ours; false: there is none. */
    bool (*ours)(lua_State *L, uint32_t handle);
    /* Pushes what stands for theirs. type NULL: a function; else, what is known of it is on top of
     * the stack and is taken. */
    void (*theirs)(lua_State *L, uint32_t handle, const char *type);
    bool objects; /* whether the other side may have any */
};
/* The values from index first to the top, behind what is in out: raises what cannot be written. */
MT_RAISES void mt_wire_write(lua_State *L, int first, const struct mt_wire_handles *handles,
                             struct mt_buf *out);
/* One text, as mt_wire_write does it. */
void mt_wire_write_text(struct mt_buf *out, const char *text, size_t len);
/* Pushes them all and returns how many. Raises PROTOCOL "isolated.protocol". */
MT_RAISES int mt_wire_read(lua_State *L, const uint8_t *p, size_t len,
                           const struct mt_wire_handles *handles);

/* isolate_object.c: what the other side has, and what it was given. */
extern const struct mt_wire_handles mt_wire_of_child, mt_wire_of_parent;
/* Makes the table of what was given. */
MT_RAISES void mt_object_open(lua_State *L);
/* The other side has forgotten it. */
void mt_object_drop(lua_State *L, uint32_t handle);
/* The parent's: which methods and fields there are, for the child; pushes the table. */
MT_RAISES void mt_object_push_types(lua_State *L);

/* isolate_link.c */
struct mt_call_wait;
struct mt_call_slot {
    struct mt_call_wait *wait; /* NULL: free */
    uint32_t used_n;           /* an answer to the one before is none to this */
};

struct mt_link {
    struct mt_script *script;
    const struct mt_wire_handles *handles;
    bool child; /* which of the two this is */
    int fd;
    struct mt_poll *poll;
    struct mt_timer *again; /* the turns after this one */
    struct mt_buf in, out, scratch;
    size_t at; /* of in: what was dealt with */
    bool rests, lost;
    struct mt_call_slot *calls; /* what the other side was asked for */
    uint32_t calls_n;           /* there is room for */
    uint32_t calls_at;          /* where the next free one is looked for */
    uint32_t given_n, given_last;
    uint32_t made_n; /* since the last collection: what stands for the other side's */
    /* A frame that is none of those that both sides know. False: it cannot be. */
    bool (*take)(struct mt_link *link, const struct mt_frame *frame, struct mt_fault *fault);
    /* The other side is gone (fault NULL), or does what it must not. */
    void (*over)(struct mt_link *link, const struct mt_fault *fault);
    void (*said)(struct mt_link *link, int op); /* NULL: nobody wants to know */
};
enum mt_rc mt_link_open(struct mt_link *link) MT_CHECKED; /* fd, script and hooks are set */
void mt_link_deinit(struct mt_link *link);                /* the state is closed */
/* Nothing comes any more: who waits for an answer goes on with this. */
void mt_link_lose(struct mt_link *link, const struct mt_fault *fault);
void mt_link_say(struct mt_link *link, enum mt_frame_op op, uint32_t a);
/* With one text, of which no more is said than goes into one frame. */
void mt_link_say_text(struct mt_link *link, enum mt_frame_op op, uint32_t a, const char *text,
                      size_t len);
/* With the values from index first to the top. */
MT_RAISES void mt_link_say_values(lua_State *L, struct mt_link *link, struct mt_frame frame,
                                  int first);
/* A call of the other side becomes a task. */
bool mt_link_serve(struct mt_link *link, const struct mt_frame *frame, struct mt_fault *fault);
/* The child's: waits for more, and deals with it. */
void mt_link_wait(struct mt_link *link);
/* (target, ...): asks the other side; may wait. The target is its function, or a name. */
int mt_link_call(lua_State *L);

/* isolate_parent.c. Starts the process, and tells it the script: a task of which the end is the
 * script's is on top of the stack then. */
MT_RAISES void mt_isolated_start(lua_State *L, const struct mt_script_options *options);
void mt_isolated_free(struct mt_isolated *isolated); /* the state is closed */
/* Returns, to a task, when the script has come to where it waits: what it does on the way there,
 * such as telling which events it wants, is not done at once when it is in another process. */
int mt_isolated_settle(lua_State *L);
/* One task of the script is left. */
void mt_isolated_lonely(struct mt_script *script);

/* isolate_child.c */
/* Pushes the core that scripts have there. */
int mt_isolated_core(lua_State *L);
/* No task is left but the one that stays. */
void mt_isolated_idle(struct mt_script *script);
/* A task has run for so long. */
void mt_isolated_ran(struct mt_script *script, int64_t us);

#endif
