/* The certificates of the tests. */
#include "tests/unit/http/certs.c"
