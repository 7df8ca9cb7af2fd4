/* The program: command line, configuration, accounts, supervision. */
#ifndef MT_APP_APP_H
#define MT_APP_APP_H

#include <stdbool.h>
#include <stdint.h>

/* Exit statuses of every verb (DESIGN.md §4). */
enum mt_exit {
    MT_EXIT_DONE = 0,
    MT_EXIT_FAILED = 1,
    MT_EXIT_USAGE = 2,
    MT_EXIT_PART = 3,    /* done in part: gaps or skipped items, listed */
    MT_EXIT_DAMAGED = 4, /* a damaged archive */
    MT_EXIT_INTERRUPTED = 130,
};

/* The whole program without its process: parses argv, runs the verb, returns the exit status. */
int mt_app_main(int argc, char **argv);

#endif
