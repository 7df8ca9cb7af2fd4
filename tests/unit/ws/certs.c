/* The certificates of engine/http's tests serve here too. */
#include "tests/unit/http/certs.c" /* NOLINT(bugprone-suspicious-include) */
