/* Runs the tests of engine/ws. */
#include "tests.h"

#include <stdlib.h>

int main(void)
{
    int failed = 0;
    unsetenv("http_proxy");
    unsetenv("https_proxy");
    unsetenv("HTTPS_PROXY");
    unsetenv("no_proxy");
    unsetenv("NO_PROXY");
    failed += test_life(); /* first: it looks at what the process was given */
    failed += test_head();
    failed += test_http();
    failed += test_answers();
    failed += test_peers();
    failed += test_client();
    failed += test_tls();
    failed += test_servers();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
