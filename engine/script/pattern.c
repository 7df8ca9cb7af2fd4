/* Lua's patterns with a matcher of our own (Lua 5.4 manual, §6.4.1): the library's runs in C, where
 * no hook of the watchdog reaches it. This one looks at the clock as it goes, so that any pattern
 * may be tried on any text and none can hold the loop. A pattern is translated into items first:
 * a class of characters is a set of 256 bits then, and what is malformed is said before anything is
 * matched. */
#include "script/script_int.h"

#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX    200 /* loops and captures inside each other, as in Lua */
#define CAPTURES_MAX 32
#define LOOK_EVERY   8192 /* steps; some tens of microseconds */
#define OPEN         (-1)
#define POSITION     (-2)

enum item_type {
    ITEM_CHAR,
    ITEM_ANY,
    ITEM_SET,
    ITEM_OPEN,
    ITEM_POSITION,
    ITEM_CLOSE,
    ITEM_BALANCE,
    ITEM_FRONTIER,
    ITEM_BACK,
    ITEM_TAIL, /* '$' at the end */
    ITEM_END,
};

struct item {
    unsigned char type;
    unsigned char c, d; /* the character; both of a balance; the number of a capture */
    char times;         /* 0, '?', '*', '+' or '-' */
    uint32_t set;       /* index of the set */
};

struct set {
    uint64_t bits[4];
};

struct program {
    struct item *items;
    size_t items_n;
    struct set *sets;
    size_t sets_n;
    bool anchored;
};

struct capture {
    const char *at;
    ptrdiff_t len; /* OPEN, POSITION */
};

struct match {
    lua_State *L;
    const struct program *program;
    const char *begin, *end;
    unsigned steps;
    int depth;
    int level; /* captures begun */
    struct capture captures[CAPTURES_MAX];
};

/* ---------------------------------------------------------------- translation */

static void set_add(struct set *set, unsigned char c)
{
    set->bits[c >> 6] |= UINT64_C(1) << (c & 63);
}

static bool set_has(const struct set *set, unsigned char c)
{
    return set->bits[c >> 6] >> (c & 63) & 1;
}

/* The classes of the C locale: characters below 128. */
static const struct {
    char name;
    uint64_t bits[2];
} classes[] = {
    {'a', {UINT64_C(0x0000000000000000), UINT64_C(0x07fffffe07fffffe)}},
    {'c', {UINT64_C(0x00000000ffffffff), UINT64_C(0x8000000000000000)}},
    {'d', {UINT64_C(0x03ff000000000000), UINT64_C(0x0000000000000000)}},
    {'g', {UINT64_C(0xfffffffe00000000), UINT64_C(0x7fffffffffffffff)}},
    {'l', {UINT64_C(0x0000000000000000), UINT64_C(0x07fffffe00000000)}},
    {'p', {UINT64_C(0xfc00fffe00000000), UINT64_C(0x78000001f8000001)}},
    {'s', {UINT64_C(0x0000000100003e00), UINT64_C(0x0000000000000000)}},
    {'u', {UINT64_C(0x0000000000000000), UINT64_C(0x0000000007fffffe)}},
    {'w', {UINT64_C(0x03ff000000000000), UINT64_C(0x07fffffe07fffffe)}},
    {'x', {UINT64_C(0x03ff000000000000), UINT64_C(0x0000007e0000007e)}},
};

/* Adds what %name stands for: a class, its complement in upper case, or the character itself. */
static void add_escaped(struct set *set, unsigned char name)
{
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        bool inverted = name == (unsigned char)(classes[i].name - 'a' + 'A');
        if (!inverted && name != (unsigned char)classes[i].name)
            continue;
        for (size_t k = 0; k < 2; k++)
            set->bits[k] |= inverted ? ~classes[i].bits[k] : classes[i].bits[k];
        for (size_t k = 2; inverted && k < 4; k++)
            set->bits[k] = ~UINT64_C(0);
        return;
    }
    set_add(set, name);
}

/* p stands behind '['. Returns what is behind ']'. */
static const char *take_set(lua_State *L, const char *p, const char *end, struct set *set)
{
    bool inverted = p < end && *p == '^';
    bool first = true;

    memset(set, 0, sizeof *set);
    p += inverted;
    for (; p < end && (first || *p != ']'); first = false) {
        unsigned char c = (unsigned char)*p++;
        if (c == '%') {
            if (p == end)
                break;
            add_escaped(set, (unsigned char)*p++);
        } else if (end - p >= 2 && *p == '-' && p[1] != ']') {
            for (unsigned x = c; x <= (unsigned char)p[1]; x++)
                set_add(set, (unsigned char)x);
            p += 2;
        } else {
            set_add(set, c);
        }
    }
    if (p >= end)
        luaL_error(L, "malformed pattern (missing ']')");
    for (size_t i = 0; inverted && i < 4; i++)
        set->bits[i] = ~set->bits[i];
    return p + 1;
}

/* p stands behind '%': what is no single character. Returns NULL if it is one. */
static const char *take_special(lua_State *L, const char *p, const char *end,
                                struct program *program, struct item *item)
{
    if (*p == 'b') {
        if (end - p < 3)
            luaL_error(L, "malformed pattern (missing arguments to '%%b')");
        *item =
            (struct item){.type = ITEM_BALANCE, .c = (unsigned char)p[1], .d = (unsigned char)p[2]};
        return p + 3;
    }
    if (*p == 'f') {
        if (end - p < 2 || p[1] != '[')
            luaL_error(L, "missing '[' after '%%f' in pattern");
        *item = (struct item){.type = ITEM_FRONTIER, .set = (uint32_t)program->sets_n};
        return take_set(L, p + 2, end, &program->sets[program->sets_n++]);
    }
    if (isdigit((unsigned char)*p)) {
        *item = (struct item){.type = ITEM_BACK, .c = (unsigned char)(*p - '0')};
        return p + 1;
    }
    return NULL;
}

/* One character or a class of them. Returns what is behind it. */
static const char *take_single(lua_State *L, const char *p, const char *end,
                               struct program *program, struct item *item)
{
    unsigned char c = (unsigned char)*p++;
    struct set *set = &program->sets[program->sets_n];

    *item = (struct item){.type = ITEM_CHAR, .c = c};
    if (c == '.') {
        item->type = ITEM_ANY;
    } else if (c == '[' || c == '%') {
        item->type = ITEM_SET;
        item->set = (uint32_t)program->sets_n++;
        if (c == '[')
            return take_set(L, p, end, set);
        memset(set, 0, sizeof *set);
        add_escaped(set, (unsigned char)*p++);
    }
    return p;
}

static const char *take_item(lua_State *L, const char *p, const char *end, struct program *program)
{
    struct item *item = &program->items[program->items_n++];
    const char *behind = NULL;

    if (*p == '(') {
        bool position = p + 1 < end && p[1] == ')';
        *item = (struct item){.type = position ? ITEM_POSITION : ITEM_OPEN};
        return p + 1 + position;
    }
    if (*p == ')') {
        *item = (struct item){.type = ITEM_CLOSE};
        return p + 1;
    }
    if (*p == '$' && p + 1 == end) {
        *item = (struct item){.type = ITEM_TAIL};
        return p + 1;
    }
    if (*p == '%') {
        if (p + 1 == end)
            luaL_error(L, "malformed pattern (ends with '%%')");
        behind = take_special(L, p + 1, end, program, item);
        if (behind)
            return behind;
    }
    p = take_single(L, p, end, program, item);
    if (p < end && *p && strchr("?*+-", *p))
        item->times = *p++;
    return p;
}

/* Leaves the memory of the program on top of the stack. */
static void translate(lua_State *L, const char *p, size_t len, bool may_anchor,
                      struct program *program)
{
    const char *end = p + len;
    size_t sets = 0;

    memset(program, 0, sizeof *program);
    for (size_t i = 0; i < len; i++)
        sets += p[i] == '[' || p[i] == '%';
    program->sets = lua_newuserdatauv(
        L, (sets + 1) * sizeof *program->sets + (len + 1) * sizeof *program->items, 0);
    program->items = (struct item *)(program->sets + sets + 1);
    program->anchored = may_anchor && len && *p == '^';
    p += program->anchored;
    while (p < end)
        p = take_item(L, p, end, program);
    program->items[program->items_n++] = (struct item){.type = ITEM_END};
}

/* ---------------------------------------------------------------- matching */

static void step(struct match *m)
{
    const struct mt_script *script = NULL;

    if (++m->steps % LOOK_EVERY)
        return;
    script = mt_script_of(m->L);
    if (mt_clock_mono_ms() >= script->watch_deadline_ms)
        mt_fault_raisef(m->L, MT_ERR_LIMIT, "script.cpu",
                        "the script ran too long without waiting (in a pattern)");
}

static bool fits(const struct match *m, const struct item *item, const char *s)
{
    if (s == m->end)
        return false;
    switch (item->type) {
    case ITEM_ANY:
        return true;
    case ITEM_CHAR:
        return (unsigned char)*s == item->c;
    default:
        return set_has(&m->program->sets[item->set], (unsigned char)*s);
    }
}

static const char *run(struct match *m, const struct item *item, const char *s);

/* What follows the item, from there. */
static const char *go_on(struct match *m, const struct item *item, const char *s)
{
    if (m->depth == DEPTH_MAX)
        luaL_error(m->L, "pattern too complex");
    m->depth++;
    const char *end = run(m, item + 1, s);
    m->depth--;
    return end;
}

static const char *most(struct match *m, const struct item *item, const char *s, ptrdiff_t least)
{
    ptrdiff_t n = 0;

    for (; fits(m, item, s + n); n++)
        step(m);
    for (; n >= least; n--) {
        const char *end = go_on(m, item, s + n);
        if (end)
            return end;
        step(m);
    }
    return NULL;
}

static const char *fewest(struct match *m, const struct item *item, const char *s)
{
    for (;; s++) {
        const char *end = go_on(m, item, s);
        if (end)
            return end;
        if (!fits(m, item, s))
            return NULL;
        step(m);
    }
}

static const char *balance(struct match *m, const struct item *item, const char *s)
{
    size_t depth = 0;

    if (s == m->end || (unsigned char)*s != item->c)
        return NULL;
    for (depth = 1, s++; s < m->end; s++) {
        step(m);
        if ((unsigned char)*s == item->d) {
            if (!--depth)
                return s + 1;
        } else if ((unsigned char)*s == item->c) {
            depth++;
        }
    }
    return NULL;
}

static bool at_frontier(const struct match *m, const struct item *item, const char *s)
{
    const struct set *set = &m->program->sets[item->set];
    unsigned char before = s == m->begin ? 0 : (unsigned char)s[-1];
    unsigned char here = s == m->end ? 0 : (unsigned char)*s;

    return !set_has(set, before) && set_has(set, here);
}

static const char *back(struct match *m, const struct item *item, const char *s)
{
    int i = item->c - 1;

    if (i < 0 || i >= m->level || m->captures[i].len == OPEN)
        luaL_error(m->L, "invalid capture index %%%d", i + 1);
    if (m->captures[i].len == POSITION)
        return NULL; /* a place in the text is no text */
    size_t len = (size_t)m->captures[i].len;
    if ((size_t)(m->end - s) < len || memcmp(m->captures[i].at, s, len) != 0)
        return NULL;
    m->steps += (unsigned)(len / 16);
    return s + len;
}

static const char *begin_capture(struct match *m, const struct item *item, const char *s)
{
    if (m->level == CAPTURES_MAX)
        luaL_error(m->L, "too many captures");
    m->captures[m->level++] = (struct capture){s, item->type == ITEM_POSITION ? POSITION : OPEN};
    const char *end = go_on(m, item, s);
    if (!end)
        m->level--;
    return end;
}

static const char *end_capture(struct match *m, const struct item *item, const char *s)
{
    int i = m->level - 1;

    while (i >= 0 && m->captures[i].len != OPEN)
        i--;
    if (i < 0)
        luaL_error(m->L, "invalid pattern capture");
    m->captures[i].len = s - m->captures[i].at;
    const char *end = go_on(m, item, s);
    if (!end)
        m->captures[i].len = OPEN;
    return end;
}

/* An item that may match in several ways: it decides how the rest goes. */
static const char *branch(struct match *m, const struct item *item, const char *s)
{
    switch (item->type) {
    case ITEM_OPEN:
    case ITEM_POSITION:
        return begin_capture(m, item, s);
    case ITEM_CLOSE:
        return end_capture(m, item, s);
    default:
        break;
    }
    if (item->times == '-')
        return fewest(m, item, s);
    if (item->times == '+')
        return most(m, item, s, 1);
    return most(m, item, s, 0); /* '*' */
}

/* NULL, or where the match of the items from there ends. */
static const char *run(struct match *m, const struct item *item, const char *s)
{
    for (;; item++) {
        step(m);
        switch (item->type) {
        case ITEM_END:
            return s;
        case ITEM_TAIL:
            return s == m->end ? s : NULL;
        case ITEM_BALANCE:
            s = balance(m, item, s);
            break;
        case ITEM_BACK:
            s = back(m, item, s);
            break;
        case ITEM_FRONTIER:
            s = at_frontier(m, item, s) ? s : NULL;
            break;
        case ITEM_OPEN:
        case ITEM_POSITION:
        case ITEM_CLOSE:
            return branch(m, item, s);
        default:
            if (item->times == '?') {
                const char *end = fits(m, item, s) ? go_on(m, item, s + 1) : NULL;
                if (end)
                    return end;
            } else if (item->times) {
                return branch(m, item, s);
            } else {
                s = fits(m, item, s) ? s + 1 : NULL;
            }
        }
        if (!s)
            return NULL;
    }
}

static const char *match_at(struct match *m, const char *s)
{
    m->level = 0;
    m->depth = 0;
    return run(m, m->program->items, s);
}

/* The next place where a match may begin: a first item that is one character says so. */
static const char *skip(const struct match *m, const char *s)
{
    const struct item *first = m->program->items;

    if (first->type != ITEM_CHAR || (first->times && first->times != '+'))
        return s;
    return s < m->end ? memchr(s, first->c, (size_t)(m->end - s)) : NULL;
}

/* ---------------------------------------------------------------- captures */

static void push_capture(struct match *m, int i, const char *s, const char *end)
{
    if (i >= m->level) {
        if (i)
            luaL_error(m->L, "invalid capture index %%%d", i + 1);
        lua_pushlstring(m->L, s, (size_t)(end - s));
    } else if (m->captures[i].len == POSITION) {
        lua_pushinteger(m->L, m->captures[i].at - m->begin + 1);
    } else if (m->captures[i].len == OPEN) {
        luaL_error(m->L, "unfinished capture");
    } else {
        lua_pushlstring(m->L, m->captures[i].at, (size_t)m->captures[i].len);
    }
}

/* All of them; the whole match if there is none and s is given. Their number. */
static int push_captures(struct match *m, const char *s, const char *end)
{
    int n = !m->level && s ? 1 : m->level;

    luaL_checkstack(m->L, n, "too many captures");
    for (int i = 0; i < n; i++)
        push_capture(m, i, s, end);
    return n;
}

/* ---------------------------------------------------------------- find and match */

static void begin(lua_State *L, const struct program *program, const char *s, size_t len,
                  struct match *m)
{
    m->L = L;
    m->program = program;
    m->begin = s;
    m->end = s + len;
    m->steps = 0;
}

/* Where to begin, from 0; past the end + 1: nowhere. */
static size_t init_of(lua_State *L, int index, size_t len)
{
    lua_Integer at = luaL_optinteger(L, index, 1);

    if (at > 0)
        return (size_t)at - 1;
    if (!at)
        return 0;
    return at < -(lua_Integer)len ? 0 : len + (size_t)at;
}

static int found_plain(lua_State *L, const char *s, size_t len, size_t init, const char *p,
                       size_t p_len)
{
    const char *at = p_len ? memmem(s + init, len - init, p, p_len) : s + init;

    if (!at) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, at - s + 1);
    lua_pushinteger(L, at - s + (lua_Integer)p_len);
    return 2;
}

static bool is_plain(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (p[i] && strchr("^$*+?.([%-", p[i]))
            return false;
    }
    return true;
}

static int search(lua_State *L, bool find)
{
    size_t len = 0;
    size_t p_len = 0;
    const char *s = luaL_checklstring(L, 1, &len);
    const char *p = luaL_checklstring(L, 2, &p_len);
    size_t init = init_of(L, 3, len);
    struct program program;
    struct match m;

    if (init > len) {
        lua_pushnil(L);
        return 1;
    }
    if (find && (lua_toboolean(L, 4) || is_plain(p, p_len)))
        return found_plain(L, s, len, init, p, p_len);
    translate(L, p, p_len, true, &program);
    begin(L, &program, s, len, &m);
    for (const char *at = s + init; at <= m.end; at++) {
        at = program.anchored ? at : skip(&m, at);
        const char *end = at ? match_at(&m, at) : NULL;
        if (!at)
            break;
        if (end && !find)
            return push_captures(&m, at, end);
        if (end) {
            lua_pushinteger(L, at - s + 1);
            lua_pushinteger(L, end - s);
            return 2 + push_captures(&m, NULL, NULL);
        }
        if (program.anchored)
            break;
    }
    lua_pushnil(L);
    return 1;
}

static int pattern_find(lua_State *L)
{
    return search(L, true);
}

static int pattern_match(lua_State *L)
{
    return search(L, false);
}

/* ---------------------------------------------------------------- gmatch */

struct gmatch {
    struct program program;
    const char *at;   /* NULL: at its end */
    const char *last; /* end of the last match: none ends there again */
};

/* Upvalues: the text, the state, the program's memory. */
static int next_match(lua_State *L)
{
    size_t len = 0;
    const char *s = lua_tolstring(L, lua_upvalueindex(1), &len);
    struct gmatch *g = lua_touserdata(L, lua_upvalueindex(2));
    struct match m;

    begin(L, &g->program, s, len, &m);
    for (; g->at && g->at <= m.end; g->at++) {
        const char *end = match_at(&m, g->at);
        if (end && end != g->last) {
            const char *from = g->at;
            g->at = g->last = end;
            return push_captures(&m, from, end);
        }
    }
    g->at = NULL;
    return 0;
}

static int pattern_gmatch(lua_State *L)
{
    size_t len = 0;
    size_t p_len = 0;
    const char *s = luaL_checklstring(L, 1, &len);
    const char *p = luaL_checklstring(L, 2, &p_len);
    size_t init = init_of(L, 3, len);
    struct gmatch *g = NULL;

    lua_settop(L, 2);
    lua_pushvalue(L, 1);
    g = lua_newuserdatauv(L, sizeof *g, 0);
    translate(L, p, p_len, false, &g->program);
    g->at = init > len ? NULL : s + init;
    g->last = NULL;
    lua_pushcclosure(L, next_match, 3);
    return 1;
}

/* ---------------------------------------------------------------- gsub */

static void add_text(struct match *m, luaL_Buffer *out, const char *s, const char *end)
{
    size_t len = 0;
    const char *text = lua_tolstring(m->L, 3, &len);

    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            luaL_addchar(out, text[i]);
            continue;
        }
        i++;
        if (i < len && text[i] == '%') {
            luaL_addchar(out, '%');
        } else if (i < len && text[i] == '0') {
            luaL_addlstring(out, s, (size_t)(end - s));
        } else if (i < len && isdigit((unsigned char)text[i])) {
            int index = text[i] - '1';
            if (index >= m->level && index)
                luaL_error(m->L, "invalid capture index %%%d in replacement string", index + 1);
            push_capture(m, index, s, end);
            luaL_tolstring(m->L, -1, NULL); /* a position is a number */
            lua_remove(m->L, -2);
            luaL_addvalue(out);
        } else {
            luaL_error(m->L, "invalid use of '%%' in replacement string");
        }
    }
}

/* Adds what stands for the match. Whether it is something else than the match. */
static bool add_value(struct match *m, luaL_Buffer *out, const char *s, const char *end, int type)
{
    lua_State *L = m->L;

    if (type == LUA_TFUNCTION) {
        lua_pushvalue(L, 3);
        lua_call(L, push_captures(m, s, end), 1);
    } else if (type == LUA_TTABLE) {
        push_capture(m, 0, s, end);
        lua_gettable(L, 3);
    } else {
        add_text(m, out, s, end);
        return true;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(out, s, (size_t)(end - s));
        return false;
    }
    if (!lua_isstring(L, -1))
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    luaL_addvalue(out);
    return true;
}

static int pattern_gsub(lua_State *L)
{
    size_t len = 0;
    size_t p_len = 0;
    const char *s = luaL_checklstring(L, 1, &len);
    const char *p = luaL_checklstring(L, 2, &p_len);
    int type = lua_type(L, 3);
    lua_Integer most_n = luaL_optinteger(L, 4, (lua_Integer)len + 1);
    lua_Integer n = 0;
    bool changed = false;
    const char *last = NULL;
    struct program program;
    struct match m;
    luaL_Buffer out;

    luaL_argexpected(L,
                     type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION ||
                         type == LUA_TTABLE,
                     3, "string/function/table");
    translate(L, p, p_len, true, &program);
    begin(L, &program, s, len, &m);
    luaL_buffinit(L, &out);
    while (n < most_n) {
        const char *end = match_at(&m, s);
        if (end && end != last) {
            n++;
            changed = add_value(&m, &out, s, end, type) || changed;
            s = last = end;
        } else if (s && s < m.end) {
            luaL_addchar(&out, *s++);
        } else {
            break;
        }
        if (program.anchored)
            break;
    }
    if (changed) {
        luaL_addlstring(&out, s, (size_t)(m.end - s));
        luaL_pushresult(&out);
    } else {
        lua_pushvalue(L, 1);
    }
    lua_pushinteger(L, n);
    return 2;
}

void mt_script_patterns(lua_State *L)
{
    static const luaL_Reg functions[] = {{"find", pattern_find},
                                         {"match", pattern_match},
                                         {"gmatch", pattern_gmatch},
                                         {"gsub", pattern_gsub},
                                         {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
