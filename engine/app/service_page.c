/* The page for people, of the state that is told to programs as well. Plain HTML: no script,
 * nothing from elsewhere. All that is not ours goes through mt_service_text. */
#include "app/service_int.h"

#include "base/str.h"
#include "codec/json.h"
#include "codec/time.h"

#include <stdio.h>
#include <string.h>

#define RUNS_SHOWN 3

static const char style[] =
    ":root{color-scheme:light dark;--fg:#1b1f24;--bg:#fff;--dim:#57606a;--line:#d0d7de;"
    "--good:#116329;--bad:#a40e26;--warn:#7a4d00}"
    "@media(prefers-color-scheme:dark){:root{--fg:#e6edf3;--bg:#0d1117;--dim:#9aa4ae;"
    "--line:#30363d;--good:#56d364;--bad:#ff8f88;--warn:#e3b341}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;max-width:70rem;padding:1rem;font:1rem/1.5 system-ui,sans-serif;"
    "color:var(--fg);background:var(--bg);overflow-wrap:anywhere}"
    "h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}"
    "p{margin:.3rem 0}a{color:inherit}"
    "table{border-collapse:collapse;width:100%}"
    "caption{text-align:left;color:var(--dim)}"
    "th,td{text-align:left;vertical-align:top;padding:.35rem .6rem .35rem 0;"
    "border-bottom:1px solid var(--line);font-weight:400}"
    "thead th{color:var(--dim)}tbody th{font-weight:600}"
    "code{font:.9em ui-monospace,monospace}"
    "ul{margin:.3rem 0;padding-left:1.2rem}.dim{color:var(--dim)}"
    ".good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}"
    "progress{width:100%;max-width:12rem;vertical-align:middle}"
    "@media(max-width:40rem){thead{position:absolute;clip-path:inset(50%);width:1px;height:1px;"
    "overflow:hidden}tr{display:block;border-bottom:1px solid var(--line);padding:.4rem 0}"
    "tbody th,td{display:block;border:0;padding:.1rem 0}"
    "td::before{content:attr(data-head) \": \";color:var(--dim)}td:empty{display:none}}";

const char *mt_service_style(void)
{
    return style;
}

/* ---------------------------------------------------------------- text */

void mt_service_text(struct mt_buf *out, const char *text)
{
    size_t len = strlen(text);

    for (size_t at = 0; at < len;) {
        size_t step = mt_str_utf8_step(text + at, len - at);
        unsigned char c = (unsigned char)text[at];
        if (!step || (c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
            mt_buf_append_str(out, "\xEF\xBF\xBD");
        else if (c == '&')
            mt_buf_append_str(out, "&amp;");
        else if (c == '<')
            mt_buf_append_str(out, "&lt;");
        else if (c == '>')
            mt_buf_append_str(out, "&gt;");
        else if (c == '"')
            mt_buf_append_str(out, "&quot;");
        else if (c == '\'')
            mt_buf_append_str(out, "&#39;");
        else
            mt_buf_append(out, text + at, step);
        at += step ? step : 1;
    }
}

static const char *str(const struct mt_json *object, const char *key)
{
    const char *text = mt_json_str(mt_json_get(object, key));
    return text ? text : "";
}

static int64_t number(const struct mt_json *object, const char *key)
{
    return mt_json_i64(mt_json_get(object, key), 0);
}

static void put(struct mt_buf *out, const char *markup)
{
    mt_buf_append_str(out, markup);
}

/* How long ago, or in how long; the time itself is in the attributes. */
static void put_when(struct mt_buf *out, const char *time, int64_t now_ms)
{
    char text[MT_TIME_RFC3339_LEN];
    int64_t ms = 0;

    if (!*time || mt_time_parse(time, &ms)) {
        put(out, "<span class=\"dim\">none</span>");
        return;
    }
    int64_t away_ms = ms > now_ms ? ms - now_ms : now_ms - ms;
    mt_duration_format(away_ms < 1000 ? 0 : away_ms - away_ms % 1000, text);
    put(out, "<time datetime=\"");
    mt_service_text(out, time);
    put(out, "\" title=\"");
    mt_service_text(out, time);
    mt_buf_appendf(out, "\">%s%s%s</time>", ms > now_ms && away_ms >= 1000 ? "in " : "",
                   away_ms < 1000 ? "now" : text, ms > now_ms || away_ms < 1000 ? "" : " ago");
}

static void put_cell(struct mt_buf *out, const char *head)
{
    mt_buf_appendf(out, "<td role=\"cell\" data-head=\"%s\">", head);
}

static void put_name(struct mt_buf *out, const char *name)
{
    put(out, "<tr role=\"row\"><th scope=\"row\" role=\"rowheader\">");
    mt_service_text(out, name);
    put(out, "</th>");
}

/* Roles are stated, since a browser forgets those of a table that a narrow screen lays out anew. */
static void put_heads(struct mt_buf *out, const char *const *heads)
{
    put(out, "<thead role=\"rowgroup\"><tr role=\"row\">");
    for (size_t i = 0; heads[i]; i++)
        mt_buf_appendf(out, "<th scope=\"col\" role=\"columnheader\">%s</th>", heads[i]);
    put(out, "</tr></thead><tbody role=\"rowgroup\">\n");
}

static void put_fault(struct mt_buf *out, const struct mt_json *fault)
{
    mt_service_text(out, str(fault, "message"));
    put(out, " <code class=\"dim\">");
    mt_service_text(out, str(fault, "code"));
    put(out, "</code>");
}

static const char *class_of(const char *state)
{
    static const char *const words[][2] = {
        {"connected", "good"}, {"connecting", "warn"}, {"ended", "bad"},    {"broken", "bad"},
        {"paused", "bad"},     {"resting", "bad"},     {"running", "good"}, {"done", "good"},
        {"part", "warn"},      {"failed", "bad"},      {"lost", "bad"},     {"stopped", "warn"},
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!strcmp(state, words[i][0]))
            return words[i][1];
    }
    return "dim";
}

static void put_state(struct mt_buf *out, const char *state)
{
    mt_buf_appendf(out, "<span class=\"%s\">", class_of(state));
    mt_service_text(out, state);
    put(out, "</span>");
}

static void put_more(struct mt_buf *out, size_t n, size_t shown, int64_t left_out)
{
    if (n > shown || left_out)
        mt_buf_appendf(out,
                       "<p class=\"dim\">%lld more are not shown, those without trouble first; "
                       "<a href=\"/status.json\">status.json</a> has more, "
                       "<a href=\"/metrics\">metrics</a> their sums.</p>\n",
                       (long long)(n - shown) + (long long)left_out);
}

/* ---------------------------------------------------------------- tables */

static void account(struct mt_buf *out, const struct mt_json *row, int64_t now_ms)
{
    const struct mt_json *fault = mt_json_get(row, "last_fault");

    put_name(out, str(row, "name"));
    put_cell(out, "State");
    put_state(out, str(row, "state"));
    put(out, "</td>");
    put_cell(out, "Since");
    put_when(out, str(row, "since"), now_ms);
    put(out, "</td>");
    put_cell(out, "Last event");
    put_when(out, str(row, "last_event"), now_ms);
    put(out, "</td>");
    put_cell(out, "Events, sent");
    mt_buf_appendf(out, "%lld, %lld</td>", (long long)number(row, "events"),
                   (long long)number(row, "sends"));
    put_cell(out, "Last fault");
    if (mt_json_type(fault) == MT_JSON_OBJECT) {
        put_when(out, str(fault, "at"), now_ms);
        put(out, ": ");
        put_fault(out, fault);
    } else {
        put(out, "<span class=\"dim\">none</span>");
    }
    put(out, "</td></tr>\n");
}

static void accounts(struct mt_buf *out, const struct mt_json *state, int64_t now_ms)
{
    static const char *const heads[] = {"Account",      "State",      "Since", "Last event",
                                        "Events, sent", "Last fault", NULL};
    const struct mt_json *rows = mt_json_get(state, "accounts");
    const struct mt_json *states = mt_json_get(state, "accounts_by_state");
    size_t shown = 0;

    put(out, "<section aria-labelledby=\"accounts\"><h2 id=\"accounts\">Accounts</h2>\n<table "
             "role=\"table\">"
             "<caption>");
    for (const struct mt_json *at = mt_json_child(states); at; at = mt_json_next(at))
        mt_buf_appendf(out, "%s%lld %s", at == mt_json_child(states) ? "" : ", ",
                       (long long)mt_json_i64(at, 0), mt_json_key(at));
    put(out, "</caption>");
    put_heads(out, heads);
    for (const struct mt_json *at = mt_json_child(rows); at && shown < MT_SERVICE_ROWS;
         at = mt_json_next(at), shown++)
        account(out, at, now_ms);
    put(out, "</tbody></table>\n");
    put_more(out, mt_json_count(rows), shown, number(state, "accounts_left_out"));
    put(out, "</section>\n");
}

static void progress(struct mt_buf *out, const struct mt_json *said)
{
    int64_t done = number(said, "done");
    int64_t total = mt_json_i64(mt_json_get(said, "total"), -1);

    put(out, "<p>");
    mt_service_text(out, str(said, "label"));
    if (total > 0)
        mt_buf_appendf(out,
                       " <progress value=\"%lld\" max=\"%lld\" aria-label=\"progress\"></progress>"
                       " %lld of %lld ",
                       (long long)done, (long long)total, (long long)done, (long long)total);
    else
        mt_buf_appendf(out, " %lld ", (long long)done);
    mt_service_text(out, str(said, "unit"));
    put(out, " <span class=\"dim\">");
    mt_service_text(out, str(said, "extra"));
    put(out, "</span></p>");
}

static void job_state(struct mt_buf *out, const struct mt_json *row, int64_t now_ms)
{
    const struct mt_json *said = mt_json_get(row, "progress");

    put_state(out, str(row, "state"));
    if (*str(row, "started")) {
        put(out, ", begun ");
        put_when(out, str(row, "started"), now_ms);
    }
    if (*str(row, "why")) {
        put(out, "<p>");
        mt_service_text(out, str(row, "why"));
        put(out, *str(row, "changed") ? ": " : "");
        mt_service_text(out, str(row, "changed"));
        put(out, ".</p><p><code>");
        mt_service_text(out, str(row, "resume"));
        put(out, "</code></p>");
    }
    if (said)
        progress(out, said);
}

static void runs(struct mt_buf *out, const struct mt_json *list, int64_t now_ms)
{
    int n = 0;

    if (!mt_json_child(list)) {
        put(out, "<span class=\"dim\">none</span>");
        return;
    }
    put(out, "<ul>");
    for (const struct mt_json *at = mt_json_child(list); at && n < RUNS_SHOWN;
         at = mt_json_next(at), n++) {
        put(out, "<li>");
        put_state(out, str(at, "status"));
        put(out, " ");
        put_when(out, str(at, "started"), now_ms);
        mt_buf_appendf(out, ", %.1f s", mt_json_double(mt_json_get(at, "seconds"), 0));
        if (*str(at, "code")) {
            put(out, ": ");
            put_fault(out, at);
        }
        put(out, "</li>");
    }
    put(out, "</ul>");
}

static void job(struct mt_buf *out, const struct mt_json *row, int64_t now_ms)
{
    put_name(out, str(row, "name"));
    put_cell(out, "State");
    job_state(out, row, now_ms);
    put(out, "</td>");
    put_cell(out, "Schedule");
    mt_service_text(out, str(row, "schedule"));
    if (mt_json_bool(mt_json_get(row, "deletes"), false))
        put(out, "<p class=\"warn\">deletes messages</p>");
    if (number(row, "deleted") || number(row, "held"))
        mt_buf_appendf(out, "<p class=\"dim\">%lld deleted, %lld held</p>",
                       (long long)number(row, "deleted"), (long long)number(row, "held"));
    put(out, "</td>");
    put_cell(out, "Next run");
    put_when(out,
             mt_json_str(mt_json_child(mt_json_get(row, "next")))
                 ? mt_json_str(mt_json_child(mt_json_get(row, "next")))
                 : "",
             now_ms);
    put(out, "</td>");
    put_cell(out, "Last runs");
    runs(out, mt_json_get(row, "runs"), now_ms);
    put(out, "</td></tr>\n");
}

static void jobs(struct mt_buf *out, const struct mt_json *state, int64_t now_ms)
{
    static const char *const heads[] = {"Job", "State", "Schedule", "Next run", "Last runs", NULL};
    const struct mt_json *rows = mt_json_get(state, "jobs");
    size_t shown = 0;

    put(out, "<section aria-labelledby=\"jobs\"><h2 id=\"jobs\">Jobs</h2>\n<table role=\"table\">");
    put_heads(out, heads);
    for (const struct mt_json *at = mt_json_child(rows); at && shown < MT_SERVICE_ROWS;
         at = mt_json_next(at), shown++)
        job(out, at, now_ms);
    put(out, "</tbody></table>\n");
    put_more(out, mt_json_count(rows), shown, 0);
    put(out, "</section>\n");
}

static void faults(struct mt_buf *out, const struct mt_json *state, int64_t now_ms)
{
    static const char *const heads[] = {"Of", "When", "What", NULL};
    const struct mt_json *rows = mt_json_get(state, "faults");

    put(out, "<section aria-labelledby=\"faults\"><h2 id=\"faults\">Last faults</h2>\n");
    if (!mt_json_child(rows)) {
        put(out, "<p class=\"dim\">None since it was started.</p></section>\n");
        return;
    }
    put(out, "<table role=\"table\">");
    put_heads(out, heads);
    for (const struct mt_json *at = mt_json_child(rows); at; at = mt_json_next(at)) {
        put(out, "<tr role=\"row\"><th scope=\"row\" role=\"rowheader\">");
        mt_service_text(out, str(at, "of"));
        put(out, " ");
        mt_service_text(out, str(at, "name"));
        put(out, "</th>");
        put_cell(out, "When");
        put_when(out, str(at, "at"), now_ms);
        put(out, "</td>");
        put_cell(out, "What");
        put_fault(out, at);
        put(out, "</td></tr>\n");
    }
    put(out, "</tbody></table></section>\n");
}

/* ---------------------------------------------------------------- the whole */

static void top(struct mt_buf *out, const struct mt_json *state, unsigned refresh_s)
{
    char up[MT_TIME_RFC3339_LEN];
    const struct mt_json *reasons = mt_json_get(state, "reasons");
    bool ready = mt_json_bool(mt_json_get(state, "ready"), false);
    size_t n = 0;

    mt_duration_format(number(state, "uptime_seconds") * 1000, up);
    put(out, "<header><h1>moontide</h1>\n<p>version ");
    mt_service_text(out, str(state, "version"));
    mt_buf_appendf(out, ", up for %s, at ", up);
    mt_service_text(out, str(state, "now"));
    mt_buf_appendf(out, "</p>\n<p><strong class=\"%s\">%s</strong></p>\n", ready ? "good" : "bad",
                   ready ? "All is well." : "Not all is well:");
    if (!ready)
        put(out, "<ul>");
    for (const struct mt_json *at = mt_json_child(reasons); at && n < 10;
         at = mt_json_next(at), n++) {
        put(out, "<li>");
        mt_service_text(out, str(at, "what"));
        put(out, " ");
        mt_service_text(out, str(at, "name"));
        put(out, ": ");
        mt_service_text(out, str(at, "why"));
        put(out, "</li>");
    }
    if (!ready)
        put(out, "</ul>\n");
    size_t all = mt_json_count(reasons) + (size_t)number(state, "reasons_left_out");
    if (all > n)
        mt_buf_appendf(out, "<p class=\"dim\">and %zu more.</p>\n", all - n);
    put(out, "<nav aria-label=\"More\"><p>");
    if (refresh_s)
        mt_buf_appendf(out, "Comes again every %u s: <a href=\"/?refresh=off\">hold it</a>. ",
                       refresh_s);
    else
        put(out, "Held: <a href=\"/\">let it come again</a>. ");
    put(out, "For programs: <a href=\"/status.json\">status.json</a>, <a "
             "href=\"/metrics\">metrics</a>, <a href=\"/ready\">ready</a>.</p></nav></header>\n");
}

void mt_service_page(const struct mt_json *state, unsigned refresh_s, struct mt_buf *out)
{
    int64_t now_ms = 0;

    (void)!mt_time_parse(str(state, "now"), &now_ms);
    mt_buf_reserve(out, 16384);
    put(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<title>");
    put(out, mt_json_bool(mt_json_get(state, "ready"), false) ? "moontide: well"
                                                              : "moontide: not all is well");
    put(out, "</title>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<link rel=\"icon\" href=\"data:,\">\n");
    if (refresh_s)
        mt_buf_appendf(out, "<meta http-equiv=\"refresh\" content=\"%u\">\n", refresh_s);
    put(out, "<style>");
    put(out, style);
    put(out, "</style></head>\n<body>\n");
    top(out, state, refresh_s);
    put(out, "<main>\n");
    accounts(out, state, now_ms);
    jobs(out, state, now_ms);
    faults(out, state, now_ms);
    put(out, "</main>\n</body></html>\n");
}
