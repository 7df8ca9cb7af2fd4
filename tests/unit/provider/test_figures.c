/* What is counted of an account. */
#include "provider/figures.h"

#include "base/mem.h"
#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

int test_figures(void);

static struct mt_account_figures *figures_new(void)
{
    struct mt_account_figures *figures = mt_mem_calloc(1, sizeof *figures);
    assert_non_null(figures);
    return figures;
}

static void fault(struct mt_account_figures *figures, const char *code)
{
    struct mt_fault fault = {.kind = MT_ERR_REMOTE};

    snprintf(fault.code, sizeof fault.code, "%s", code);
    mt_account_figures_fault(figures, &fault);
}

static uint64_t count_of(const struct mt_account_figures *figures, const char *code)
{
    for (size_t i = 0; i < figures->faults->counts_n; i++) {
        if (!strcmp(figures->faults->counts[i].code, code))
            return figures->faults->counts[i].n;
    }
    return 0;
}

/* Codes may be made of what a server says: their number is bounded, and so are their letters. */
static void codes_are_bounded(void **state)
{
    struct mt_account_figures *figures = figures_new();
    char code[MT_FAULT_CODE_MAX];
    uint64_t sum = 0;

    (void)state;
    fault(figures, "send.blocked");
    fault(figures, "send.blocked");
    fault(figures, "What A User Wrote");
    fault(figures, "");
    assert_int_equal(count_of(figures, "send.blocked"), 2);
    assert_int_equal(count_of(figures, "other"), 2);
    for (int i = 0; i < 1000; i++) {
        snprintf(code, sizeof code, "code.%d", i);
        fault(figures, code);
    }
    assert_int_equal(figures->faults->counts_n, MT_FIGURES_CODES - 1);
    assert_int_equal(count_of(figures, "send.blocked"), 2);
    for (size_t i = 0; i < figures->faults->counts_n; i++) {
        sum += figures->faults->counts[i].n;
        for (size_t k = 0; k < i; k++) /* a code that is there twice would be no metric */
            assert_string_not_equal(figures->faults->counts[i].code,
                                    figures->faults->counts[k].code);
    }
    assert_int_equal(sum, 1004);
    assert_int_equal(figures->faults_n, 1004);
    mt_account_figures_free(figures);
    figures = figures_new();
    for (int i = 0; i < 100; i++) { /* without one that is called so before */
        snprintf(code, sizeof code, "code.%d", i);
        fault(figures, code);
    }
    assert_int_equal(figures->faults->counts_n, MT_FIGURES_CODES);
    assert_int_equal(count_of(figures, "other"), 100 - MT_FIGURES_CODES + 1);
    mt_account_figures_free(figures);
}

static void what_is_none(void **state)
{
    struct mt_account_figures *figures = figures_new();
    struct mt_fault cancelled = {.kind = MT_ERR_CANCELLED, .code = "cancelled"};

    (void)state;
    mt_account_figures_fault(figures, NULL);
    mt_account_figures_fault(figures, &(struct mt_fault){.kind = MT_OK});
    mt_account_figures_fault(figures, &cancelled);
    mt_account_figures_fault(NULL, &cancelled);
    mt_account_figures_live(NULL, true);
    mt_account_figures_connected(NULL, true);
    assert_null(mt_account_figures_of(NULL, NULL));
    assert_int_equal(figures->faults_n, 0);
    mt_account_figures_free(figures);
}

static void without_secrets(void **state)
{
    struct mt_account_figures *figures = figures_new();
    struct mt_secret *secret = mt_secret_new("canary-token", 12);
    struct mt_fault told = {
        .kind = MT_ERR_AUTH, .code = "auth", .message = "canary-token was refused"};

    (void)state;
    mt_account_figures_fault(figures, &told);
    assert_null(strstr(figures->faults->last.message, "canary"));
    mt_secret_free(secret);
    mt_account_figures_free(figures);
}

int test_figures(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_bounded),
        cmocka_unit_test(what_is_none),
        cmocka_unit_test(without_secrets),
    };
    return cmocka_run_group_tests_name("provider/figures", tests, NULL, NULL);
}
