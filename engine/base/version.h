/* The version, as the program and its requests say it. */
#ifndef MT_BASE_VERSION_H
#define MT_BASE_VERSION_H

#define MT_VERSION "0.1.0"

#endif
