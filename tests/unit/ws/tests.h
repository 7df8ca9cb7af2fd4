/* The test files of engine/ws, each with its runner. */
#ifndef MT_TESTS_UNIT_WS_TESTS_H
#define MT_TESTS_UNIT_WS_TESTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

int test_head(void);
int test_http(void);
int test_answers(void);
int test_peers(void);
int test_life(void);
int test_client(void);
int test_tls(void);
int test_servers(void);

#endif
