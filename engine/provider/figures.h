/* What is counted of an account, whoever acts for it: plain integers, which belong to whoever
 * opened the account and outlive it. */
#ifndef MT_PROVIDER_FIGURES_H
#define MT_PROVIDER_FIGURES_H

#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

struct mt_provider_account;

/* So many codes of faults are told apart at most, the rest counts as "other". */
#define MT_FIGURES_CODES 12

struct mt_fault_count {
    char code[MT_FAULT_CODE_MAX];
    uint64_t n;
};

struct mt_account_faults {
    struct mt_fault_count counts[MT_FIGURES_CODES];
    size_t counts_n;
    struct mt_fault last;
    int64_t last_ms;
};

struct mt_account_figures {
    bool live;        /* somebody wants its session */
    bool connected;   /* and there it is */
    bool ended;       /* for good */
    int64_t since_ms; /* since when it is so; 0: it never was otherwise */
    uint64_t connects_n;
    uint64_t events_n;
    int64_t event_ms; /* of the last; 0: none */
    uint64_t sends_n; /* messages that the cloud took */
    uint64_t send_failures_n;
    uint64_t faults_n;
    struct mt_account_faults *faults; /* NULL: none yet */
};

/* Whose figures: NULL: nobody's. What is handed to those who count. */
struct mt_account_counting {
    struct mt_account_figures *(*of)(void *ud, const struct mt_provider_account *account);
    void *ud;
};

/* counting and figures may be NULL in all of these. */
struct mt_account_figures *mt_account_figures_of(const struct mt_account_counting *counting,
                                                 const struct mt_provider_account *account);
void mt_account_figures_live(struct mt_account_figures *figures, bool live);
void mt_account_figures_connected(struct mt_account_figures *figures, bool connected);
void mt_account_figures_fault(struct mt_account_figures *figures, const struct mt_fault *fault);
void mt_account_figures_free(struct mt_account_figures *figures);

#endif
