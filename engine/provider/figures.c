/* What is counted of an account. */
#include "provider/figures.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"

#include <stdio.h>
#include <string.h>

struct mt_account_figures *mt_account_figures_of(const struct mt_account_counting *counting,
                                                 const struct mt_provider_account *account)
{
    return counting && counting->of ? counting->of(counting->ud, account) : NULL;
}

void mt_account_figures_live(struct mt_account_figures *figures, bool live)
{
    if (!figures)
        return;
    figures->live = live;
    figures->ended = false;
    figures->connected = false;
    figures->since_ms = mt_clock_wall_ms();
}

void mt_account_figures_connected(struct mt_account_figures *figures, bool connected)
{
    if (!figures)
        return;
    figures->connects_n += connected;
    if (figures->connected != connected)
        figures->since_ms = mt_clock_wall_ms();
    figures->connected = connected;
}

#define OTHER "other"

/* Codes are the engine's own words, but what they are made of may come from a server. */
static bool is_plain(const char *code)
{
    return code[0] && !code[strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789_.")];
}

static struct mt_fault_count *find(struct mt_account_faults *faults, const char *code)
{
    struct mt_fault_count *at = faults->counts;

    while (at < faults->counts + faults->counts_n && strcmp(at->code, code) != 0)
        at++;
    return at;
}

/* Each code has one place; the last one is kept for all that come when the others are taken. */
static void count(struct mt_account_faults *faults, const char *code)
{
    const char *word = is_plain(code) ? code : OTHER;
    struct mt_fault_count *end = faults->counts + faults->counts_n;
    struct mt_fault_count *at = find(faults, word);

    if (at == end && faults->counts_n >= MT_FIGURES_CODES - 1) {
        word = OTHER;
        at = find(faults, word);
    }
    if (at == end) {
        faults->counts_n++;
        snprintf(at->code, sizeof at->code, "%s", word);
    }
    at->n++;
}

void mt_account_figures_fault(struct mt_account_figures *figures, const struct mt_fault *fault)
{
    if (!figures || !fault || !fault->kind || fault->kind == MT_ERR_CANCELLED)
        return;
    figures->faults_n++;
    if (!figures->faults)
        figures->faults = mt_mem_calloc(1, sizeof *figures->faults);
    if (!figures->faults)
        return; /* counted at least */
    count(figures->faults, fault->code);
    figures->faults->last = *fault;
    mt_secret_redact(figures->faults->last.message, strlen(figures->faults->last.message));
    figures->faults->last_ms = mt_clock_wall_ms();
}

void mt_account_figures_free(struct mt_account_figures *figures)
{
    if (figures)
        mt_mem_free(figures->faults);
    mt_mem_free(figures);
}
