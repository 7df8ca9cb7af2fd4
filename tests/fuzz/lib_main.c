/* Outside libFuzzer a fuzz target is a plain program: it replays the files given, so that a finding
 * becomes a regression test of any build. */
#ifndef MT_LIBFUZZER
#include "base/fs.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        char *data = NULL;
        size_t len = 0;
        int err = mt_fs_read_all(argv[i], MAX_BYTES, &data, &len);
        if (err != 0) {
            fprintf(stderr, "%s: %s\n", argv[i], strerror(err));
            failed = 1;
            continue;
        }
        LLVMFuzzerTestOneInput((const uint8_t *)data, len);
        mt_mem_free(data);
    }
    printf("replayed %d inputs\n", argc - 1);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
#endif
