/* The table of capabilities: whole, without twins, and asked by name. */
#include "provider/capability.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void test_whole(void **state)
{
    (void)state;
    for (int i = 0; i < MT_CAPABILITIES_N; i++) {
        enum mt_capability capability = (enum mt_capability)i;
        enum mt_capability found = MT_CAPABILITIES_N;

        assert_non_null(mt_capability_name(capability));
        assert_non_null(mt_capability_meaning(capability));
        assert_int_equal(mt_capability_find(mt_capability_name(capability), &found, NULL), MT_OK);
        assert_int_equal(found, capability);
    }
    assert_null(mt_capability_name(MT_CAPABILITIES_N));
    assert_null(mt_capability_meaning((enum mt_capability) - 1));
}

static void test_unknown(void **state)
{
    enum mt_capability found = MT_CAPABILITIES_N;
    struct mt_fault fault;
    char longest[4000];

    (void)state;
    assert_int_equal(mt_capability_find("delete.befor", &found, &fault), MT_ERR_INVALID);
    assert_string_equal(fault.code, "capability.unknown");
    assert_non_null(strstr(fault.message, "did you mean 'delete.before'"));
    assert_int_equal(mt_capability_find("", &found, &fault), MT_ERR_INVALID);
    assert_int_equal(mt_capability_find("translate", &found, &fault), MT_ERR_INVALID);
    assert_non_null(strstr(fault.message, "moontide doctor"));
    memset(longest, 'h', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(mt_capability_find(longest, &found, &fault), MT_ERR_INVALID);
    assert_int_equal(found, MT_CAPABILITIES_N);
}

int test_capability(void);

int test_capability(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole),
                                       cmocka_unit_test(test_unknown)};
    return cmocka_run_group_tests_name("capability", tests, NULL, NULL);
}
